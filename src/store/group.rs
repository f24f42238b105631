//! One durable write in the making: records become changes of keys.
//!
//! Several batches join one group. Each is planned on a draft of its own, so that a batch which is
//! refused (damage met, stale epoch) leaves nothing behind in the group of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use oc_core::record::{LabelId, Record, Seq};

use crate::StoreError;
use crate::engine::{Change, Engine};
use crate::envelope::{self, Head, Totals, fingerprint};
use crate::error::damaged;
use crate::key::{self, Key, Place, Range};

/// Entries that a trim removes in its own commit; more are removed in later slices.
pub(crate) const TRIM_AT_ONCE: u64 = 1_024;

type Changes = BTreeMap<Key, Option<Vec<u8>>>;

/// A log by name.
pub(crate) type LogName = (String, String);

/// Changes of all batches accepted so far.
pub(crate) struct Group<'e> {
    engine: &'e dyn Engine,
    events_kept: u64,
    changes: Changes,
    totals: Totals,
    trims: Vec<LogName>,
}

impl<'e> Group<'e> {
    pub(crate) fn new(engine: &'e dyn Engine, totals: Totals, events_kept: u64) -> Self {
        let events_kept = events_kept.max(1);
        Self { engine, events_kept, changes: Changes::new(), totals, trims: Vec::new() }
    }

    /// Plans a batch; returns the numbers of its appended entries in order.
    pub(crate) fn add(&mut self, batch: &[Record]) -> Result<Vec<Seq>, StoreError> {
        let mut draft = self.draft();
        let mut seqs = Vec::new();
        for record in batch {
            draft.record(record, &mut seqs)?;
        }
        draft.accept();
        Ok(seqs)
    }

    /// Removes up to `limit` entries below a log's first; `false` if that was all.
    pub(crate) fn sweep(&mut self, log: &LogName, limit: u64) -> Result<bool, StoreError> {
        let mut draft = self.draft();
        let more = draft.sweep(log, limit)?;
        draft.accept();
        Ok(more)
    }

    /// Adds an event that belongs to no batch.
    pub(crate) fn event(&mut self, event: &Record) -> Result<(), StoreError> {
        self.add(std::slice::from_ref(event)).map(drop)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes with the new totals, the totals, and the logs that still have entries to remove.
    pub(crate) fn finish(mut self) -> (Vec<Change>, Totals, Vec<LogName>) {
        self.totals.commit += 1;
        let totals = self.totals.seal(key::TOTALS);
        self.changes.insert(key::TOTALS.to_vec(), Some(totals));
        (self.changes.into_iter().collect(), self.totals, self.trims)
    }

    fn draft(&mut self) -> Draft<'_, 'e> {
        let totals = self.totals;
        Draft { group: self, changes: Changes::new(), totals, trims: Vec::new() }
    }
}

/// Changes of one batch.
struct Draft<'g, 'e> {
    group: &'g mut Group<'e>,
    changes: Changes,
    totals: Totals,
    trims: Vec<LogName>,
}

impl Draft<'_, '_> {
    fn accept(self) {
        self.group.changes.extend(self.changes);
        self.group.totals = self.totals;
        self.group.trims.extend(self.trims);
    }

    fn record(&mut self, record: &Record, seqs: &mut Vec<Seq>) -> Result<(), StoreError> {
        match record {
            Record::Put { owner, table, key, value } => {
                let key = key::row(owner, *table, key);
                let stored = envelope::seal(&key, LabelId::default(), &[value]);
                self.set(key, Some(stored))
            }
            Record::Delete { owner, table, key } => self.set(key::row(owner, *table, key), None),
            Record::Append { owner, log, at, label, value } => {
                let head_key = key::head(owner.as_str(), log.0);
                let mut head = self.head(&head_key)?;
                head.last.0 += 1;
                let key = key::entry(owner.as_str(), log.0, head.last);
                let stored = envelope::seal_entry(&key, *at, *label, value);
                self.changes.insert(key, Some(stored));
                self.totals.entries += 1;
                seqs.push(head.last);
                self.set_head(head_key, head)
            }
            Record::Trim { owner, log, through } => self.trim(owner.as_str(), log.0, *through),
            Record::Forget { owner } => {
                for key in self.keys(&key::rows(owner))? {
                    self.set(key, None)?;
                }
                for key in self.keys(&key::heads(owner))? {
                    if let Some(Place::Head { owner, log }) = key::parse(&key) {
                        self.trim(owner, log, Seq(u64::MAX))?;
                    }
                }
                Ok(())
            }
            Record::Event { kind, subject, at, data } => {
                self.totals.events_last += 1;
                let key = key::event(self.totals.events_last);
                let stored = envelope::seal_event(&key, kind, subject, *at, data);
                self.changes.insert(key, Some(stored));
                self.expire_events();
                Ok(())
            }
        }
    }

    /// Keeps the outbox bounded; two for one, so that a lowered bound is reached too.
    fn expire_events(&mut self) {
        for _ in 0..2 {
            let kept = (self.totals.events_last + 1).saturating_sub(self.totals.events_first);
            if kept > self.group.events_kept {
                self.changes.insert(key::event(self.totals.events_first), None);
                self.totals.events_first += 1;
            }
        }
    }

    fn trim(&mut self, owner: &str, log: &str, through: Seq) -> Result<(), StoreError> {
        let head_key = key::head(owner, log);
        let head = self.head(&head_key)?;
        let first = Seq(through.0.min(head.last.0) + 1);
        if first <= head.first {
            return Ok(());
        }
        if first.0 - head.first.0 <= TRIM_AT_ONCE {
            for seq in head.first.0..first.0 {
                self.changes.insert(key::entry(owner, log, Seq(seq)), None);
            }
        } else {
            let trim_key = key::trim(owner, log);
            if self.current(&trim_key)?.is_none() {
                self.set_trim(trim_key, head.first)?;
                self.trims.push((owner.to_owned(), log.to_owned()));
            }
        }
        self.set_head(head_key, Head { first, last: head.last })
    }

    fn sweep(&mut self, (owner, log): &LogName, limit: u64) -> Result<bool, StoreError> {
        let trim_key = key::trim(owner, log);
        let Some(stored) = self.current(&trim_key)? else {
            return Ok(false);
        };
        let from = envelope::open(&trim_key, &stored)?.payload;
        let from = from.try_into().map_err(|_| damaged(&trim_key, "not a removal mark"))?;
        let from = u64::from_be_bytes(from);
        let first = self.head(&key::head(owner, log))?.first.0;
        let to = first.min(from.saturating_add(limit));
        for seq in from..to {
            self.changes.insert(key::entry(owner, log, Seq(seq)), None);
        }
        if to < first {
            self.set_trim(trim_key, Seq(to))?;
        } else {
            self.set(trim_key, None)?;
        }
        Ok(to < first)
    }

    fn set_trim(&mut self, key: Key, from: Seq) -> Result<(), StoreError> {
        let stored = envelope::seal(&key, LabelId::default(), &[&from.0.to_be_bytes()]);
        self.set(key, Some(stored))
    }

    fn head(&self, key: &[u8]) -> Result<Head, StoreError> {
        match self.current(key)? {
            Some(stored) => Head::open(key, &stored),
            None => Ok(Head::EMPTY),
        }
    }

    fn set_head(&mut self, key: Key, head: Head) -> Result<(), StoreError> {
        let stored = head.seal(&key);
        self.set(key, Some(stored))
    }

    /// Sets or removes a key that the totals count.
    fn set(&mut self, key: Key, stored: Option<Vec<u8>>) -> Result<(), StoreError> {
        let old = self.current(&key)?;
        if old == stored {
            return Ok(());
        }
        if let Some(old) = old {
            self.totals.rows = self.totals.rows.wrapping_sub(1);
            self.totals.sum = self.totals.sum.wrapping_sub(fingerprint(&key, &old));
        }
        if let Some(new) = &stored {
            self.totals.rows = self.totals.rows.wrapping_add(1);
            self.totals.sum = self.totals.sum.wrapping_add(fingerprint(&key, new));
        }
        self.changes.insert(key, stored);
        Ok(())
    }

    /// What a key holds after the changes planned so far.
    fn current(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changes.get(key).or_else(|| self.group.changes.get(key)) {
            Some(planned) => Ok(planned.clone()),
            None => self.group.engine.get(key),
        }
    }

    /// The keys of a range after the changes planned so far.
    fn keys(&self, range: &Range) -> Result<BTreeSet<Key>, StoreError> {
        let mut keys = BTreeSet::new();
        self.group.engine.scan(range, &mut |key, _| {
            keys.insert(key.to_vec());
            true
        })?;
        let bounds = (Bound::Included(&range.from), Bound::Excluded(&range.to));
        for changes in [&self.group.changes, &self.changes] {
            for (key, change) in changes.range::<Key, _>(bounds) {
                match change {
                    Some(_) => keys.insert(key.clone()),
                    None => keys.remove(key),
                };
            }
        }
        Ok(keys)
    }
}
