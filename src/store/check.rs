//! Reading everything: is it what was written?
//!
//! Engines differ in what they notice, so the store can prove its content by itself: every record
//! has its checksum, a log's entries must run from its head's first to its last, events must run
//! from first to last, and the number of rows and the sum of their fingerprints must be those of
//! the totals, which finds rows that were lost, came back, or fell back to an older content.

use oc_core::record::Seq;

use crate::engine::Engine;
use crate::envelope::{self, Head, Totals, fingerprint};
use crate::key::{self, Place, Range};
use crate::{Check, StoreError};

/// Reads the whole store and compares it with `totals`.
pub(crate) fn check(engine: &dyn Engine, totals: &Totals) -> Check {
    let outbox = Head { first: Seq(totals.events_first), last: Seq(totals.events_last) };
    // The outbox comes first, and is expected even if not a single event is there.
    let run = Some(Run { prefix: key::EVENTS.to_vec(), head: outbox, seen: 0 });
    let mut reading = Reading { engine, found: Check::default(), rows: 0, sum: 0, run };
    let scanned = engine.scan(&Range::all(), &mut |key, stored| {
        reading.record(key, stored);
        true
    });
    if let Err(error) = scanned {
        // What was not read is not missing.
        return Check { aborted: Some(error.to_string()), ..reading.found };
    }
    reading.end_run();
    let Reading { mut found, rows, sum, .. } = reading;
    if (rows, sum) != (totals.rows, totals.sum) {
        found.rows_off = rows.abs_diff(totals.rows).max(1);
    }
    found
}

/// A check under way.
struct Reading<'e> {
    engine: &'e dyn Engine,
    found: Check,
    rows: u64,
    sum: u64,
    /// The log or the outbox whose entries are being read.
    run: Option<Run>,
}

/// Entries of one log, in order.
struct Run {
    /// Everything of the key before the number.
    prefix: Vec<u8>,
    head: Head,
    /// Entries within the head's bounds so far.
    seen: u64,
}

impl Reading<'_> {
    fn record(&mut self, key: &[u8], stored: &[u8]) {
        self.found.read += 1;
        let place = key::parse(key);
        if place.is_none() || envelope::open(key, stored).is_err() {
            self.found.unreadable += 1;
        }
        match place {
            None => {}
            Some(Place::Totals) => {}
            Some(Place::Event(number)) => self.numbered(key, Seq(number), |_| None),
            Some(Place::Entry { owner, log, seq }) => {
                let head_key = key::head(owner, log);
                self.numbered(key, seq, |engine| read_head(engine, &head_key));
            }
            Some(Place::Head { owner, log }) => {
                self.count(key, stored);
                self.log_begins(owner, log, key, stored);
            }
            Some(Place::Trim { .. } | Place::Row { .. }) => self.count(key, stored),
        }
    }

    fn count(&mut self, key: &[u8], stored: &[u8]) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(fingerprint(key, stored));
    }

    /// A log none of whose entries are there is not met by the runs.
    fn log_begins(&mut self, owner: &str, log: &str, key: &[u8], stored: &[u8]) {
        let Ok(head) = Head::open(key, stored) else { return };
        if head.entries() == 0 {
            return;
        }
        let range = Range {
            from: key::entry(owner, log, head.first),
            to: key::entry(owner, log, Seq(head.last.0 + 1)),
        };
        let mut any = false;
        let scanned = self.engine.scan(&range, &mut |_, _| {
            any = true;
            false
        });
        if scanned.is_ok() && !any {
            self.found.missing += head.entries();
        }
    }

    /// An entry of a log or an event.
    fn numbered(&mut self, key: &[u8], seq: Seq, head: impl Fn(&dyn Engine) -> Option<Head>) {
        let prefix = &key[..key.len() - 8];
        if self.run.as_ref().is_none_or(|run| run.prefix != prefix) {
            self.end_run();
            // Without a head nothing is known about the log: each of its entries is one too many.
            let head = head(self.engine).unwrap_or(Head::EMPTY);
            self.run = Some(Run { prefix: prefix.to_vec(), head, seen: 0 });
        }
        if let Some(run) = &mut self.run {
            if seq > run.head.last {
                self.found.unreadable += 1;
            } else if seq >= run.head.first {
                run.seen += 1;
            }
        }
    }

    fn end_run(&mut self) {
        if let Some(run) = self.run.take()
            && (run.seen > 0 || run.prefix == key::EVENTS)
        {
            self.found.missing += run.head.entries() - run.seen;
        }
    }
}

fn read_head(engine: &dyn Engine, key: &[u8]) -> Option<Head> {
    Head::open(key, &engine.get(key).ok()??).ok()
}

/// Removal marks there are, as (owner, log).
pub(crate) fn trims(engine: &dyn Engine) -> Result<Vec<(String, String)>, StoreError> {
    let mut found = Vec::new();
    engine.scan(&key::trims(), &mut |key, _| {
        if let Some(Place::Trim { owner, log }) = key::parse(key) {
            found.push((owner.to_owned(), log.to_owned()));
        }
        true
    })?;
    Ok(found)
}
