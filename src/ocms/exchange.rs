//! Exchanges under way: bound to their id, ended after a minute, bounded in number.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oc_core::Time;
use oc_core::auth::{AuthFailure, AuthId};

/// From `Begin` to the last message.
const LIFETIME: Duration = Duration::from_secs(60);

/// A bounded table of states `S`.
#[derive(Debug)]
pub(crate) struct Exchanges<S> {
    table: Mutex<Table<S>>,
    max: usize,
}

#[derive(Debug)]
struct Table<S> {
    states: HashMap<AuthId, (Time, S)>,
    /// Nearly in order of their end; those that have ended otherwise are in it for a while.
    ends: VecDeque<(Time, AuthId)>,
}

impl<S> Exchanges<S> {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Mutex::new(Table { states: HashMap::new(), ends: VecDeque::new() }), max }
    }

    /// Keeps the state of a new exchange.
    pub(crate) fn begin(&self, now: Time, id: AuthId, state: S) -> Result<(), AuthFailure> {
        let end = now.after(LIFETIME);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.expire(now);
        if table.states.len() >= self.max {
            return Err(AuthFailure::TemporaryAuthFailure);
        }
        table.insert(end, id, state, self.max);
        Ok(())
    }

    /// Takes the state out, for one step, together with the end of the exchange.
    pub(crate) fn take(&self, now: Time, id: AuthId) -> Option<(Time, S)> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.states.remove(&id).filter(|(end, _)| now < *end)
    }

    /// Puts a state back that was taken; its end does not move.
    pub(crate) fn put_back(&self, end: Time, id: AuthId, state: S) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.insert(end, id, state, self.max);
    }

    pub(crate) fn abort(&self, id: AuthId) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).states.remove(&id);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.lock().unwrap().states.len()
    }
}

impl<S> Table<S> {
    fn insert(&mut self, end: Time, id: AuthId, state: S, max: usize) {
        if self.ends.len() >= 2 * max {
            let states = &self.states;
            self.ends.retain(|(end, id)| states.get(id).is_some_and(|(kept, _)| kept == end));
        }
        self.ends.push_back((end, id));
        self.states.insert(id, (end, state));
    }

    fn expire(&mut self, now: Time) {
        while let Some((end, id)) = self.ends.front().copied()
            && end <= now
        {
            self.ends.pop_front();
            if self.states.get(&id).is_some_and(|(kept, _)| *kept == end) {
                self.states.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(seconds * 1000)
    }

    #[test]
    fn exchanges_end_after_a_minute() {
        let exchanges = Exchanges::new(10);
        exchanges.begin(at(0), AuthId(1), 'a').unwrap();
        exchanges.begin(at(1), AuthId(2), 'b').unwrap();
        let (end, state) = exchanges.take(at(59), AuthId(1)).unwrap();
        exchanges.put_back(end, AuthId(1), state);
        assert!(exchanges.take(at(60), AuthId(1)).is_none());
        assert!(exchanges.take(at(60), AuthId(2)).is_some());
        assert!(exchanges.take(at(60), AuthId(2)).is_none());
    }

    #[test]
    fn exchanges_are_bounded() {
        let exchanges = Exchanges::new(3);
        for id in 0..3 {
            exchanges.begin(at(0), AuthId(id), ()).unwrap();
        }
        let more = |now| exchanges.begin(now, AuthId(99), ());
        assert_eq!(more(at(1)), Err(AuthFailure::TemporaryAuthFailure));
        exchanges.abort(AuthId(1));
        more(at(1)).unwrap();
        exchanges.begin(at(60), AuthId(7), ()).unwrap();
        assert_eq!(exchanges.len(), 2);
        for id in 100..200 {
            exchanges.begin(at(62), AuthId(id), ()).unwrap();
            exchanges.abort(AuthId(id));
        }
        assert!(exchanges.table.lock().unwrap().ends.len() <= 6);
    }
}
