//! Back-off after failed logins, and quotas, in memory that does not grow.
//!
//! A login inside a pause is refused with `temporary-auth-failure` before its proof is looked at.
//! The other way, a delayed answer, would let an attacker hold a connection, a timer and an
//! exchange of ours for each guess; a refusal costs nothing and tells nothing. Names that do not
//! exist are counted like those that do.
//!
//! Three counts: of an account, of an address, and of both together. An address from which an
//! account has logged in before is judged by the third alone: so nobody is locked out by guesses
//! from elsewhere, nor a school behind one address by the old password in one of its telephones.
//! Everybody else is judged by all three. Pauses are soft: they end by themselves.
//!
//! Counters live in fixed tables, addressed by keyed hashes (a count-min sketch): collisions can
//! only make a count too high, two rows make that rare, and nobody outside can aim at one.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oc_core::auth::AuthFailure;
use oc_core::{BareJid, Time};

use crate::settings::{Backoff, Quota};

/// Cells of a row: 256 KiB per sketch, untouched pages of which cost nothing.
const CELLS: usize = 8192;
/// One failure in the unit of the cells.
const ONE: u64 = 1000;
/// Failures beyond the free ones that are counted.
const OVER_MAX: u64 = 20;

/// Counters that leak.
struct Sketch {
    /// Each cell as level and moment: plain numbers, which come zeroed from the system untouched.
    rows: [(RandomState, Vec<[u64; 2]>); 2],
    /// In how long one unit leaks away.
    leak: Duration,
    /// The highest level, so that a flood is forgotten in bounded time.
    level_max: u64,
}

#[derive(Clone, Copy)]
struct Cell {
    /// Thousandths.
    level: u64,
    /// When it last rose, in milliseconds.
    at: u64,
}

impl From<[u64; 2]> for Cell {
    fn from([level, at]: [u64; 2]) -> Self {
        Self { level, at }
    }
}

impl Sketch {
    fn new(leak: Duration, free: u32) -> Self {
        let row = || (RandomState::new(), vec![[0; 2]; CELLS]);
        let level_max = ONE * (u64::from(free) + OVER_MAX);
        Self { rows: [row(), row()], leak, level_max }
    }

    /// The lower of the two counts for this key, as it was when it last rose, and when that was.
    fn read(&self, key: impl Hash) -> Cell {
        let cells = self.rows.each_ref().map(|(hash, row)| Cell::from(row[slot(hash, &key)]));
        if cells[0].level <= cells[1].level { cells[0] } else { cells[1] }
    }

    /// The count after what has leaked away until now, in thousandths.
    fn level(&self, key: impl Hash, now: Time) -> u64 {
        leaked(self.read(key), now, self.leak)
    }

    fn add(&mut self, key: impl Hash, now: Time) {
        for (hash, row) in &mut self.rows {
            let cell = &mut row[slot(hash, &key)];
            let level = leaked(Cell::from(*cell), now, self.leak) + ONE;
            *cell = [level.min(self.level_max), now.0];
        }
    }

    fn forget(&mut self, key: impl Hash) {
        for (hash, row) in &mut self.rows {
            row[slot(hash, &key)] = [0; 2];
        }
    }
}

fn slot(hash: &RandomState, key: &impl Hash) -> usize {
    // CELLS fits any usize, so the remainder does
    (hash.hash_one(key) % CELLS as u64) as usize
}

fn leaked(cell: Cell, now: Time, leak: Duration) -> u64 {
    let passed = now.since(Time(cell.at)).as_millis() as u64;
    cell.level.saturating_sub(passed.saturating_mul(ONE) / (leak.as_millis() as u64).max(1))
}

/// Failed logins, by account and by address.
pub(crate) struct Throttle {
    backoff: Backoff,
    counts: Mutex<Counts>,
}

struct Counts {
    accounts: Sketch,
    addresses: Sketch,
    pairs: Sketch,
    /// Fingerprints of pairs that have logged in; a later one may take the place.
    known: (RandomState, Vec<u64>),
}

impl Throttle {
    pub(crate) fn new(backoff: Backoff) -> Self {
        let counts = Counts {
            accounts: Sketch::new(backoff.forget, backoff.free_account),
            addresses: Sketch::new(backoff.forget_address, backoff.free_address),
            pairs: Sketch::new(backoff.forget, backoff.free_account),
            known: (RandomState::new(), vec![0; CELLS]),
        };
        Self { backoff, counts: Mutex::new(counts) }
    }

    /// Whether this account may be tried from this address now.
    pub(crate) fn check(&self, now: Time, jid: &BareJid, address: &str) -> Result<(), AuthFailure> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Backoff { free_account, free_address, .. } = self.backoff;
        let paused =
            |cell: Cell, free: u32| now < Time(cell.at).after(self.pause(cell.level, free));
        let by_pair = paused(counts.pairs.read((jid.as_str(), address)), free_account);
        let by_others = || {
            paused(counts.accounts.read(jid.as_str()), free_account)
                || paused(counts.addresses.read(address), free_address)
        };
        if by_pair || !counts.knows(jid, address) && by_others() {
            return Err(AuthFailure::TemporaryAuthFailure);
        }
        Ok(())
    }

    pub(crate) fn failed(&self, now: Time, jid: &BareJid, address: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.pairs.add((jid.as_str(), address), now);
        counts.addresses.add(address, now);
        if !counts.knows(jid, address) {
            counts.accounts.add(jid.as_str(), now);
        }
    }

    /// Ends the account's pause; the address keeps its count, or one good account would buy guesses
    /// at all others.
    pub(crate) fn succeeded(&self, jid: &BareJid, address: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.accounts.forget(jid.as_str());
        counts.pairs.forget((jid.as_str(), address));
        let (slot, print) = counts.pair(jid, address);
        counts.known.1[slot] = print;
    }

    fn pause(&self, level: u64, free: u32) -> Duration {
        // to the nearest, for a little has leaked away since the last one
        let over = ((level + ONE / 2) / ONE).saturating_sub(u64::from(free));
        match u32::try_from(over) {
            Ok(0) => Duration::ZERO,
            Ok(over @ 1..=20) => {
                (self.backoff.pause * (1 << (over - 1))).min(self.backoff.pause_max)
            }
            _ => self.backoff.pause_max,
        }
    }
}

impl Counts {
    fn pair(&self, jid: &BareJid, address: &str) -> (usize, u64) {
        let hash = self.known.0.hash_one((jid.as_str(), address));
        // zero stands for an empty cell
        ((hash % CELLS as u64) as usize, hash.max(1))
    }

    fn knows(&self, jid: &BareJid, address: &str) -> bool {
        let (slot, print) = self.pair(jid, address);
        self.known.1[slot] == print
    }
}

/// So many in so long, by address.
pub(crate) struct Quotas {
    quota: Quota,
    counts: Mutex<Sketch>,
}

impl Quotas {
    pub(crate) fn new(quota: Quota) -> Self {
        let leak = quota.period / quota.count.max(1);
        Self { quota, counts: Mutex::new(Sketch::new(leak, quota.count)) }
    }

    /// Counts one more, if it fits.
    pub(crate) fn take(&self, now: Time, key: &str) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = counts.level(key, now) + ONE <= u64::from(self.quota.count) * ONE;
        if fits {
            counts.add(key, now);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_000_000);

    fn jid(text: &str) -> BareJid {
        BareJid::new(text).unwrap()
    }

    fn backoff() -> Backoff {
        Backoff {
            free_account: 2,
            free_address: 4,
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(8),
            forget: Duration::from_secs(60),
            forget_address: Duration::from_secs(6),
        }
    }

    fn after(seconds: u64) -> Time {
        NOW.after(Duration::from_secs(seconds))
    }

    #[test]
    fn pauses_grow_and_end() {
        let throttle = Throttle::new(backoff());
        let (juliet, mut now) = (jid("juliet@x"), NOW);
        for (failure, pause) in [0, 0, 1, 2, 4, 8, 8, 8].into_iter().enumerate() {
            throttle.failed(now, &juliet, &format!("address {failure}"));
            let ok = |at| throttle.check(at, &juliet, "another").is_ok();
            let end = now.after(Duration::from_secs(pause));
            assert!(pause == 0 || !ok(now), "failure {failure}");
            assert!(pause == 0 || !ok(Time(end.0 - 1)), "failure {failure}");
            assert!(ok(end), "failure {failure}");
            now = end;
        }
        assert!(throttle.check(now, &jid("romeo@x"), "another").is_ok());
    }

    #[test]
    fn failures_are_forgotten_one_by_one() {
        let throttle = Throttle::new(backoff());
        let juliet = jid("juliet@x");
        for minute in 0..100 {
            throttle.failed(after(61 * minute), &juliet, "a");
            assert!(throttle.check(after(61 * minute), &juliet, "a").is_ok());
        }
    }

    #[test]
    fn an_address_is_paused_for_all_accounts_new_to_it() {
        let throttle = Throttle::new(backoff());
        throttle.succeeded(&jid("old@x"), "a");
        for i in 0..5 {
            assert!(throttle.check(NOW, &jid("new@x"), "a").is_ok());
            throttle.failed(NOW, &jid(&format!("user{i}@x")), "a");
        }
        assert!(throttle.check(NOW, &jid("new@x"), "a").is_err());
        assert!(throttle.check(NOW, &jid("new@x"), "b").is_ok());
        assert!(throttle.check(NOW, &jid("old@x"), "a").is_ok());
        // a good login does not clean the address
        throttle.succeeded(&jid("mallory@x"), "a");
        assert!(throttle.check(NOW, &jid("new@x"), "a").is_err());
    }

    #[test]
    fn nobody_is_locked_out_from_elsewhere() {
        let throttle = Throttle::new(backoff());
        let juliet = jid("juliet@x");
        throttle.succeeded(&juliet, "home");
        for i in 0..50 {
            throttle.failed(NOW, &juliet, &format!("bot{i}"));
        }
        assert!(throttle.check(NOW, &juliet, "bot51").is_err());
        assert!(throttle.check(NOW, &juliet, "home").is_ok());
    }

    /// An address that an account knows is no licence to guess that account from it.
    #[test]
    fn a_known_address_has_its_own_count() {
        let throttle = Throttle::new(backoff());
        let juliet = jid("juliet@x");
        throttle.succeeded(&juliet, "school");
        for _ in 0..3 {
            throttle.failed(NOW, &juliet, "school");
        }
        assert!(throttle.check(NOW, &juliet, "school").is_err());
        // and pauses juliet nowhere else
        assert!(throttle.check(NOW, &juliet, "train").is_ok());
    }

    /// A telephone that tries its old password for ever, as often as it is let.
    #[test]
    fn one_broken_client_does_not_pause_its_address() {
        let throttle = Throttle::new(Backoff { free_address: 20, ..Backoff::default() });
        for second in 0..3600 {
            if throttle.check(after(second), &jid("broken@x"), "school").is_ok() {
                throttle.failed(after(second), &jid("broken@x"), "school");
            }
            assert!(throttle.check(after(second), &jid("new@x"), "school").is_ok(), "{second}");
        }
    }

    #[test]
    fn a_flood_is_forgotten_in_bounded_time() {
        let throttle = Throttle::new(backoff());
        for _ in 0..10_000 {
            throttle.failed(NOW, &jid("juliet@x"), "a");
        }
        let later = after(60 * (OVER_MAX + 1));
        throttle.failed(later, &jid("juliet@x"), "b");
        assert!(throttle.check(later, &jid("juliet@x"), "b").is_ok());
    }

    #[test]
    fn quota_refills() {
        let quotas = Quotas::new(Quota { count: 3, period: Duration::from_secs(30) });
        let took = |seconds, n| (0..n).filter(|_| quotas.take(after(seconds), "a")).count();
        assert_eq!(took(0, 9), 3);
        assert_eq!(took(9, 9), 0);
        assert_eq!(took(10, 9), 1);
        assert_eq!(took(1000, 9), 3);
        assert!(quotas.take(NOW, "b"));
    }
}
