//! The clock and the random numbers of the operating system, as machines want them.

use std::time::{SystemTime, UNIX_EPOCH};

use oc_core::{Ctx, Ids, Time};

/// The moment by the wall clock.
pub fn now() -> Time {
    Time::default().after(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The context of an input that is handled now.
pub fn ctx(ids: &mut OsIds) -> Ctx<'_> {
    Ctx { now: now(), ids }
}

/// Random bytes of the operating system.
pub struct OsIds;

impl OsIds {
    /// An array of them.
    pub fn bytes<const N: usize>(mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl Ids for OsIds {
    fn fill(&mut self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system has random bytes");
    }
}
