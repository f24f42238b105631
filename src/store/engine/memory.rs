//! Nothing on disk: a map in memory, for tests, trials and conformance runs.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use super::{Change, Engine, Visit};
use crate::StoreError;
use crate::key::{Key, Range};

/// Pairs copied out at a time, so that a scan does not hold the lock while it is looked at.
const CHUNK: usize = 64;

/// The whole store.
#[derive(Default)]
pub(super) struct Memory {
    map: Mutex<BTreeMap<Key, Vec<u8>>>,
}

impl Memory {
    fn chunk(&self, range: &Range) -> Vec<(Key, Vec<u8>)> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        let bounds = (Bound::Included(&range.from), Bound::Excluded(&range.to));
        let pairs = map.range::<Key, _>(bounds).take(CHUNK);
        pairs.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

impl Engine for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.map.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, range: &Range, visit: Visit<'_>) -> Result<(), StoreError> {
        let mut range = range.clone();
        while range.from < range.to {
            let chunk = self.chunk(&range);
            for (key, value) in &chunk {
                if !visit(key, value) {
                    return Ok(());
                }
            }
            let Some((mut last, _)) = chunk.into_iter().last() else {
                return Ok(());
            };
            last.push(0);
            range.from = last;
        }
        Ok(())
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }
}
