//! A bounded cache of two generations: what is used stays, what is not is dropped with its
//! generation.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Keeps at least the `capacity / 2` entries used last, and at most `capacity`.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (capacity / 2).max(1) }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_keeps_what_is_used() {
        let mut cache = Cache::new(10);
        cache.insert(0, 0);
        for i in 1..100 {
            cache.insert(i, i);
            assert_eq!(cache.get(&0), Some(0));
            assert!(cache.len() <= 10, "{}", cache.len());
        }
        assert_eq!(cache.get(&99), Some(99));
        cache.remove(&99);
        assert_eq!(cache.get(&99), None);
        assert_eq!(cache.get(&1), None);
        cache.clear();
        assert_eq!(cache.get(&0), None);
    }
}
