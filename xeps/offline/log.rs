//! The account's log of kept messages: how much is in it, and which entries are on their way to a
//! client.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use oc_core::account::{LoadError, fingerprint};
use oc_core::record::{LabelId, Log, Record, Saved, Seq, Table};
use oc_core::session::SessionId;
use oc_core::{BareJid, Stanza, Time, limits};

/// The messages, one entry each: the stanza as a document.
pub(super) const LOG: Log = Log("offline");
/// One key: how many entries the log has, and their bytes, as `count bytes`.
const FACTS: Table = Table("offline");
const KEPT: &[u8] = b"kept";

/// How long after a delivery a stanza of its client proves that it arrived: longer than any stanza
/// can have been under way.
const SETTLED: Duration = Duration::from_secs(30);

/// What the feature knows of one account's log.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Kept {
    count: usize,
    bytes: usize,
    /// Delivered entries at the head of the log that are still in it, oldest first.
    sent: VecDeque<Sent>,
    /// For whom a page has been asked of the store, and behind which entry.
    reading: Option<(SessionId, Seq)>,
}

#[derive(Debug, PartialEq)]
struct Sent {
    seq: Seq,
    bytes: usize,
    /// Of the stanza as it was delivered.
    print: u64,
    session: SessionId,
    at: Time,
    /// Its client has it.
    settled: bool,
}

impl Kept {
    pub(super) fn load(saved: &Saved) -> Result<Self, LoadError> {
        let Some((_, value)) = saved.table(FACTS).find(|(key, _)| *key == KEPT) else {
            return Ok(Self::default());
        };
        let (count, bytes) = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.split_once(' '))
            .and_then(|(count, bytes)| Some((count.parse().ok()?, bytes.parse().ok()?)))
            .ok_or(LoadError::Unreadable { table: FACTS })?;
        Ok(Self { count, bytes, ..Self::default() })
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.count < limits::OFFLINE_MESSAGES && self.bytes + bytes <= limits::OFFLINE_BYTES
    }

    pub(super) fn append(&mut self, owner: &BareJid, value: Vec<u8>, at: Time) -> [Record; 2] {
        self.count += 1;
        self.bytes += value.len();
        let label = LabelId::default();
        [Record::Append { owner: owner.clone(), log: LOG, at, label, value }, self.facts(owner)]
    }

    /// Begins to read for a session; says from where, if there is something to read and nobody
    /// does yet.
    pub(super) fn begin(&mut self, session: SessionId) -> Option<Seq> {
        if self.reading.is_some() || self.count <= self.sent.len() {
            return None;
        }
        let after = self.sent.back().map_or(Seq(0), |sent| sent.seq);
        self.reading = Some((session, after));
        Some(after)
    }

    /// A page behind `after` has come; says for whom, unless it is not the one that is waited for.
    pub(super) fn end_reading(&mut self, after: Seq) -> Option<SessionId> {
        self.reading.take_if(|(_, asked)| *asked == after).map(|(session, _)| session)
    }

    pub(super) fn sent(
        &mut self,
        seq: Seq,
        bytes: usize,
        print: u64,
        session: SessionId,
        at: Time,
    ) {
        self.sent.push_back(Sent { seq, bytes, print, session, at, settled: false });
    }

    /// A session has ended. What it never acknowledged stays in the log, if that keeps the order:
    /// its entries are the last that were sent. Otherwise the account handles those messages
    /// again.
    pub(super) fn take_back(&mut self, session: SessionId, undelivered: &mut Vec<Stanza>) {
        if self.sent.back().is_none_or(|sent| sent.session != session) {
            return;
        }
        let prints: Vec<u64> = undelivered.iter().map(fingerprint).collect();
        let lost: HashSet<u64> = prints.iter().copied().collect();
        let is_lost = |sent: &Sent| sent.session == session && lost.contains(&sent.print);
        let mut back = HashSet::new();
        while self.sent.back().is_some_and(is_lost) {
            back.extend(self.sent.pop_back().map(|sent| sent.print));
        }
        if !back.is_empty() {
            // A page that is on its way begins too late.
            self.reading = None;
        }
        let mut prints = prints.into_iter();
        undelivered.retain(|_| prints.next().is_none_or(|print| !back.contains(&print)));
    }

    /// The client of this session has everything that it was sent.
    pub(super) fn settle(&mut self, owner: &BareJid, session: SessionId) -> Vec<Record> {
        self.trim(owner, |sent| sent.session == session)
    }

    /// The client of this session has what it was sent some time ago.
    pub(super) fn settle_old(
        &mut self,
        owner: &BareJid,
        session: SessionId,
        now: Time,
    ) -> Vec<Record> {
        self.trim(owner, |sent| sent.session == session && now.since(sent.at) >= SETTLED)
    }

    /// Marks what `done` holds for, and forgets the head of the log as far as it is marked.
    fn trim(&mut self, owner: &BareJid, done: impl Fn(&Sent) -> bool) -> Vec<Record> {
        self.sent.iter_mut().filter(|sent| done(sent)).for_each(|sent| sent.settled = true);
        let mut through = None;
        while let Some(sent) = self.sent.pop_front_if(|sent| sent.settled) {
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(sent.bytes);
            through = Some(sent.seq);
        }
        let Some(through) = through else { return Vec::new() };
        vec![Record::Trim { owner: owner.clone(), log: LOG, through }, self.facts(owner)]
    }

    fn facts(&self, owner: &BareJid) -> Record {
        let value = format!("{} {}", self.count, self.bytes).into_bytes();
        Record::Put { owner: owner.clone(), table: FACTS, key: KEPT.to_vec(), value }
    }
}
