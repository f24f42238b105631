//! Accounts in memory, as a login needs them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oc_core::auth::AuthFailure;
use oc_core::sasl::{Family, Verifier};
use oc_core::{BareJid, Time};
use zeroize::Zeroizing;

use crate::OcmsError;
use crate::cache::Cache;
use crate::db::{Db, StoredAccount};
use crate::settings::Settings;

/// How long a change that another process made to the database may go unnoticed.
const EPOCH_CHECK: Duration = Duration::from_secs(1);

/// An account; one that does not exist has verifiers too, which nothing fits.
#[derive(Debug)]
pub(crate) struct Account {
    /// `None`: there is no such account.
    pub(crate) id: Option<i64>,
    pub(crate) disabled: bool,
    stored: Vec<Arc<Verifier>>,
    /// For the offered families that the account does not have.
    fake: Vec<Arc<Verifier>>,
    damaged: Vec<Family>,
}

impl Account {
    /// What to answer a client of this family with: the same work whether it exists or not.
    pub(crate) fn verifier(&self, family: Family) -> Result<Arc<Verifier>, AuthFailure> {
        if self.damaged.contains(&family) {
            return Err(AuthFailure::TemporaryAuthFailure);
        }
        let mut all = self.stored.iter().chain(&self.fake);
        all.find(|v| v.family() == family).cloned().ok_or(AuthFailure::InvalidMechanism)
    }

    /// The verifier by which a password is checked with the least work.
    pub(crate) fn cheapest(&self) -> Result<Arc<Verifier>, AuthFailure> {
        let some = if self.stored.is_empty() { &self.fake } else { &self.stored };
        if self.stored.is_empty() && self.id.is_some() {
            return Err(AuthFailure::TemporaryAuthFailure);
        }
        some.iter()
            .min_by_key(|verifier| verifier.iterations)
            .cloned()
            .ok_or(AuthFailure::TemporaryAuthFailure)
    }

    /// Whether it has a verifier of this family.
    pub(crate) fn has(&self, family: Family) -> bool {
        self.stored.iter().any(|verifier| verifier.family() == family)
    }
}

/// The accounts asked for lately. Names that do not exist have a cache of their own, so that
/// made-up names cannot drive out the others.
pub(crate) struct Accounts {
    caches: Mutex<Caches>,
    fake_salt_key: Zeroizing<[u8; 32]>,
}

struct Caches {
    real: Cache<BareJid, Arc<Account>>,
    fake: Cache<BareJid, Arc<Account>>,
    /// Of the database when it was last looked at.
    epoch: i64,
    looked: Time,
    /// Grows when something is forgotten, so that what was read before is not put in after.
    version: u64,
}

impl Accounts {
    pub(crate) async fn open(settings: &Settings, db: &Db) -> Result<Self, OcmsError> {
        let caches = Caches {
            real: Cache::new(settings.cached_accounts_max),
            fake: Cache::new(settings.cached_accounts_max / 8),
            epoch: db.epoch().await?,
            looked: settings.clock.now(),
            version: 0,
        };
        Ok(Self { caches: Mutex::new(caches), fake_salt_key: db.secret.fake_salt_key() })
    }

    /// The account of this name, from memory if it was asked for lately.
    pub(crate) async fn get(
        &self,
        settings: &Settings,
        db: &Db,
        jid: &BareJid,
    ) -> Result<Arc<Account>, OcmsError> {
        self.follow_other_processes(settings.clock.now(), db).await?;
        let version = {
            let mut caches = self.lock();
            if let Some(account) = caches.real.get(jid).or_else(|| caches.fake.get(jid)) {
                return Ok(account);
            }
            caches.version
        };
        let account = Arc::new(self.complete(settings, jid, db.account(jid).await?));
        let mut caches = self.lock();
        if caches.version == version {
            let exists = account.id.is_some();
            let cache = if exists { &mut caches.real } else { &mut caches.fake };
            cache.insert(jid.clone(), Arc::clone(&account));
        }
        Ok(account)
    }

    /// Forgets an account that this process has changed, which made the database's epoch this.
    pub(crate) fn changed(&self, jid: &BareJid, epoch: i64) {
        let mut caches = self.lock();
        caches.version += 1;
        caches.real.remove(jid);
        caches.fake.remove(jid);
        if caches.epoch + 1 == epoch {
            caches.epoch = epoch;
        }
    }

    /// The command line changes the same database while a server runs on it.
    async fn follow_other_processes(&self, now: Time, db: &Db) -> Result<(), OcmsError> {
        {
            let mut caches = self.lock();
            if now.since(caches.looked) < EPOCH_CHECK {
                return Ok(());
            }
            caches.looked = now;
        }
        let epoch = db.epoch().await?;
        let mut caches = self.lock();
        if caches.epoch != epoch {
            caches.epoch = epoch;
            caches.version += 1;
            caches.real.clear();
            caches.fake.clear();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Caches> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(
        &self,
        settings: &Settings,
        jid: &BareJid,
        stored: Option<StoredAccount>,
    ) -> Account {
        let id = stored.as_ref().map(|account| account.id);
        let stored = stored.unwrap_or_default();
        let missing = |family: &&Family| !stored.verifiers.iter().any(|v| v.family() == **family);
        let fake = |family: &Family| {
            let iterations = settings.iterations.of(*family);
            let key = self.fake_salt_key.as_slice();
            Arc::new(Verifier::fake(*family, key, jid.as_str(), iterations))
        };
        Account {
            id,
            disabled: stored.disabled,
            fake: settings.stored_families().iter().filter(missing).map(fake).collect(),
            stored: stored.verifiers.into_iter().map(Arc::new).collect(),
            damaged: stored.damaged,
        }
    }
}
