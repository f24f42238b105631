//! Settings of the embedded identity service.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oc_core::Time;
use oc_core::sasl::Family;

/// Everything that can be set; [`Settings::default`] serves no realm and keeps accounts in memory.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database file; `None` keeps everything in memory.
    pub path: Option<PathBuf>,
    /// The domains whose accounts live here.
    pub realms: Vec<Realm>,
    /// SCRAM families that are offered and for which new verifiers are made, in any order; none
    /// leaves PLAIN, where a realm allows it.
    pub families: Vec<Family>,
    /// Iterations of new verifiers.
    pub iterations: Iterations,
    /// XEP-0474: send the downgrade protection hash.
    pub downgrade_protection: bool,
    /// Fewest characters of a new password.
    pub password_chars_min: usize,
    /// XEP-0484 tokens; `None` switches them off.
    pub fast: Option<Fast>,
    /// Delays after failed logins; `None` switches them off (test servers on loopback only).
    pub backoff: Option<Backoff>,
    /// Self-registrations allowed per address; `None` is no limit (test servers on loopback only).
    pub registrations: Option<Quota>,
    /// Exchanges that may be under way at the same time.
    pub exchanges_max: usize,
    /// Accounts whose verifiers are kept in memory.
    pub cached_accounts_max: usize,
    /// Where the moment comes from.
    pub clock: Clock,
}

impl Settings {
    /// Families of new verifiers: those offered, or one by which PLAIN is checked if none is.
    pub(crate) fn stored_families(&self) -> &[Family] {
        if self.families.is_empty() { &[Family::Sha256] } else { &self.families }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: None,
            realms: Vec::new(),
            families: Family::ALL.to_vec(),
            iterations: Iterations::default(),
            downgrade_protection: true,
            password_chars_min: 8,
            fast: Some(Fast::default()),
            backoff: Some(Backoff::default()),
            registrations: Some(Quota { count: 3, period: Duration::from_secs(3600) }),
            exchanges_max: 10_000,
            cached_accounts_max: 10_000,
            clock: Clock::system(),
        }
    }
}

/// A domain whose accounts live here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// The domain, prepared as the domain part of a JID.
    pub domain: String,
    /// Whether guests may log in without an account (SASL ANONYMOUS).
    pub anonymous: bool,
    /// Whether PLAIN is offered on confidential connections.
    pub plain: bool,
    /// Who may make an account.
    pub registration: Registration,
}

impl Realm {
    /// A realm with accounts only, PLAIN off and registration closed.
    pub fn new(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            anonymous: false,
            plain: false,
            registration: Registration::Closed,
        }
    }
}

/// Who may make an account without an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Nobody.
    Closed,
    /// Who holds an invitation (XEP-0445).
    InviteOnly,
    /// Everybody (XEP-0077).
    Open,
}

/// Iterations of new verifiers, per family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iterations {
    /// SCRAM-SHA-1: kept low for the old clients that need it.
    pub sha1: u32,
    /// SCRAM-SHA-256.
    pub sha256: u32,
    /// SCRAM-SHA-512.
    pub sha512: u32,
}

impl Iterations {
    /// Of one family.
    pub const fn of(self, family: Family) -> u32 {
        match family {
            Family::Sha1 => self.sha1,
            Family::Sha256 => self.sha256,
            Family::Sha512 => self.sha512,
        }
    }
}

impl Default for Iterations {
    fn default() -> Self {
        Self { sha1: 10_000, sha256: 100_000, sha512: 100_000 }
    }
}

/// Lifetimes of XEP-0484 tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fast {
    /// How long a token is good.
    pub ttl: Duration,
    /// Age at which a login by token gets a new one (XEP-0484 #token-rotation).
    pub rotate_after: Duration,
    /// Devices of one account that may hold tokens; the oldest one loses its own to the next.
    pub devices_max: u32,
}

impl Default for Fast {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            ttl: Duration::from_secs(21 * DAY),
            rotate_after: Duration::from_secs(DAY),
            devices_max: 64,
        }
    }
}

/// Pauses after failed logins: the first `free_*` failures cost nothing, then the pause before the
/// next attempt starts at `pause` and doubles up to `pause_max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Failures of one account before pauses begin.
    pub free_account: u32,
    /// Failures from one address before pauses begin.
    pub free_address: u32,
    /// The first pause.
    pub pause: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// In how long one failure of an account is forgotten.
    pub forget: Duration,
    /// In how long one failure from an address is forgotten; short, for many share an address.
    pub forget_address: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            free_account: 5,
            free_address: 20,
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(60),
            forget: Duration::from_secs(60),
            forget_address: Duration::from_secs(6),
        }
    }
}

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub count: u32,
    /// In how long.
    pub period: Duration,
}

/// Where the moment comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Time + Send + Sync>);

impl Clock {
    /// The clock of the operating system.
    pub fn system() -> Self {
        Self::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Time::default().after(since)
        })
    }

    /// Any other; tests turn theirs by hand.
    pub fn new(now: impl Fn() -> Time + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The moment.
    pub fn now(&self) -> Time {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
