//! One timer for all connections and sessions of an edge, with a resolution of one second.

use std::collections::BTreeMap;

use oc_core::Time;

/// What is due at some second.
pub(super) enum Entry {
    /// A connection, by its key; its own `due` decides whether it is really meant.
    Line(u64),
    /// A session without connection, by its key.
    Session(u64),
}

/// Deadlines by the second in which they fall.
#[derive(Default)]
pub(super) struct Wheel {
    seconds: BTreeMap<u64, Vec<Entry>>,
}

impl Wheel {
    /// Notes a deadline; it is looked at in the second after it has passed.
    pub(super) fn add(&mut self, at: Time, entry: Entry) {
        self.seconds.entry(at.0 / 1000 + 1).or_default().push(entry);
    }

    /// Takes everything whose deadline has passed.
    pub(super) fn passed(&mut self, now: Time) -> Vec<Entry> {
        let later = self.seconds.split_off(&(now.0 / 1000 + 1));
        let passed = std::mem::replace(&mut self.seconds, later);
        passed.into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_pass_once_and_never_early() {
        let mut wheel = Wheel::default();
        for key in 0..10 {
            wheel.add(Time(key * 500), Entry::Session(key));
        }
        let keys = |entries: Vec<Entry>| -> Vec<u64> {
            let key = |e| if let Entry::Session(key) = e { key } else { u64::MAX };
            entries.into_iter().map(key).collect()
        };
        assert_eq!(keys(wheel.passed(Time(999))), Vec::<u64>::new());
        assert_eq!(keys(wheel.passed(Time(2_100))), [0, 1, 2, 3]);
        assert_eq!(keys(wheel.passed(Time(60_000))), [4, 5, 6, 7, 8, 9]);
        assert_eq!(keys(wheel.passed(Time(60_000))), Vec::<u64>::new());
    }
}
