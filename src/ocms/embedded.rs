//! The identity service inside the server's own process.

use std::fmt;
use std::sync::Arc;
use std::thread;

use oc_core::Time;
use oc_core::auth::{
    AuthChannel, AuthFailure, AuthId, AuthReply, AuthStep, IdentityAnswer, IdentityCommand,
};
use oc_core::sasl::{Family, Mechanism, Password, SALT_BYTES, Verifier};
use oc_core::{BareJid, sasl};
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::task::spawn_blocking;

use crate::accounts::{Account, Accounts};
use crate::db::{AccountEntry, Db};
use crate::exchange::Exchanges;
use crate::login::State;
use crate::secret::random;
use crate::settings::{Realm, Settings};
use crate::throttle::{Quotas, Throttle};
use crate::{Answer, IdentityProvider, OcmsError};

/// Slow hashes that run or wait, per core: about a second of PLAIN logins.
pub(crate) const HASHES_PER_CORE: usize = 256;

/// Accounts on one `SQLite` file, or in memory.
pub struct Embedded {
    pub(crate) settings: Settings,
    pub(crate) db: Db,
    pub(crate) exchanges: Exchanges<State>,
    pub(crate) throttle: Option<Throttle>,
    pub(crate) registrations: Option<Quotas>,
    pub(crate) accounts: Accounts,
    /// Slow hashes that run.
    hashing: Arc<Semaphore>,
    /// Slow hashes that run or wait.
    pub(crate) hashes: Arc<Semaphore>,
}

impl Embedded {
    /// Opens the database, creating it with mode 0600 if it does not exist, and brings its schema
    /// up to date.
    pub async fn open(settings: &Settings) -> Result<Self, OcmsError> {
        let db = Db::open(settings.path.as_deref()).await?;
        db.purge(settings.clock.now()).await?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            accounts: Accounts::open(settings, &db).await?,
            exchanges: Exchanges::new(settings.exchanges_max),
            throttle: settings.backoff.map(Throttle::new),
            registrations: settings.registrations.map(Quotas::new),
            hashing: Arc::new(Semaphore::new(cores)),
            hashes: Arc::new(Semaphore::new(cores * HASHES_PER_CORE)),
            settings: settings.clone(),
            db,
        })
    }

    /// Finishes what is being written and closes the database; later calls are refused.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// The accounts of a domain, in order of name.
    pub async fn accounts(&self, domain: &str) -> Result<Vec<AccountEntry>, OcmsError> {
        self.db.accounts(domain).await
    }

    /// The domains that have accounts.
    pub async fn domains(&self) -> Result<Vec<String>, OcmsError> {
        self.db.domains().await
    }

    pub(crate) fn now(&self) -> Time {
        self.settings.clock.now()
    }

    pub(crate) fn realm(&self, domain: &str) -> Option<&Realm> {
        self.settings.realms.iter().find(|realm| realm.domain == domain)
    }

    pub(crate) async fn account(&self, jid: &BareJid) -> Result<Arc<Account>, AuthFailure> {
        self.accounts.get(&self.settings, &self.db, jid).await.map_err(unavailable)
    }

    /// Runs a slow hash where it stops nobody, a bounded number at a time.
    pub(crate) async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OcmsError> {
        let place = match Arc::clone(&self.hashes).try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits) => return Err(OcmsError::Busy),
            Err(TryAcquireError::Closed) => return Err(OcmsError::Interrupted),
        };
        let turn = Arc::clone(&self.hashing).acquire_owned().await;
        let turn = turn.map_err(|_| OcmsError::Interrupted)?;
        // the permits go along: who stops waiting does not stop the work
        let job = move || {
            let done = work();
            drop((turn, place));
            done
        };
        spawn_blocking(job).await.map_err(|_| OcmsError::Interrupted)
    }

    /// Verifiers of these families for a password.
    pub(crate) async fn derive(
        &self,
        families: Vec<Family>,
        password: Password,
    ) -> Result<Vec<Verifier>, OcmsError> {
        let iterations = self.settings.iterations;
        let mut salted = Vec::new();
        for family in families {
            salted.push((family, random::<SALT_BYTES>()?.to_vec(), iterations.of(family)));
        }
        let derive = move || {
            let one =
                |(family, salt, iterations)| Verifier::derive(family, &password, salt, iterations);
            salted.into_iter().map(one).collect()
        };
        self.hash(derive).await
    }

    /// Stores verifiers that an account did not have.
    pub(crate) async fn add_verifiers(
        &self,
        account: i64,
        jid: &BareJid,
        verifiers: &[Verifier],
    ) -> Result<(), OcmsError> {
        let mut change = self.db.change().await?;
        for verifier in verifiers {
            self.db.put_verifier(&mut change, account, jid, verifier).await?;
        }
        let epoch = crate::db::grow_epoch(&mut change).await?;
        change.commit().await?;
        self.accounts.changed(jid, epoch);
        Ok(())
    }
}

/// Tells the operator what went wrong, and the peer that it can try again.
pub(crate) fn unavailable(error: OcmsError) -> AuthFailure {
    match error {
        // load is no damage, and must not fill the log
        OcmsError::Busy => tracing::debug!(%error, "a login could not be judged"),
        _ => tracing::error!(%error, "a login could not be judged"),
    }
    AuthFailure::TemporaryAuthFailure
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl IdentityProvider for Embedded {
    fn mechanisms(&self, realm: &str, channel: &AuthChannel) -> Vec<String> {
        let Some(realm) = self.realm(realm) else { return Vec::new() };
        if !channel.confidential {
            return Vec::new();
        }
        let bound = channel.bindings.types().next().is_some();
        let allowed = |mechanism: &Mechanism| match mechanism {
            Mechanism::Scram { family, plus } => {
                self.settings.families.contains(family) && (bound || !plus)
            }
            Mechanism::Plain => realm.plain,
            Mechanism::Anonymous => realm.anonymous,
            Mechanism::Ht { .. } => false,
        };
        Mechanism::ALL.iter().filter(|m| allowed(m)).map(ToString::to_string).collect()
    }

    fn fast_mechanisms(&self, realm: &str, channel: &AuthChannel) -> Vec<String> {
        if self.settings.fast.is_none() || !channel.confidential || self.realm(realm).is_none() {
            return Vec::new();
        }
        let allowed = |mechanism: &Mechanism| match mechanism {
            Mechanism::Ht { binding, .. } => {
                sasl::ht::binding_data(*binding, &channel.bindings).is_some()
            }
            _ => false,
        };
        Mechanism::FAST.iter().filter(|m| allowed(m)).map(ToString::to_string).collect()
    }

    fn upgrades(&self, realm: &str) -> Vec<String> {
        if self.realm(realm).is_none() {
            return Vec::new();
        }
        let wanted =
            |family: &&Family| **family != Family::Sha1 && self.settings.families.contains(family);
        Family::ALL.iter().filter(wanted).map(|f| f.upgrade_task().to_owned()).collect()
    }

    fn auth(&self, id: AuthId, step: AuthStep) -> Answer<'_, AuthReply> {
        Box::pin(self.step(id, step))
    }

    fn command(&self, command: IdentityCommand) -> Answer<'_, IdentityAnswer> {
        Box::pin(self.obey(command))
    }
}
