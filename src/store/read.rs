//! Reads: rows, pages of logs, the outbox, owners.
//!
//! Reads take no lock against the commit thread. A page therefore reads the log's head first:
//! entries behind that head are not shown, and a gap is damage only if the head says so when it is
//! read again, because a trim may have passed in between.

use oc_core::BareJid;
use oc_core::record::{Entry, Log, Saved, Seq, Table};

use crate::engine::Engine;
use crate::envelope::{self, Head, Totals};
use crate::error::damaged;
use crate::key::{self, Place, Range};
use crate::{EventEntry, StoreError};

/// How often a page is read again because entries were trimmed while it was read.
const TRIES: u32 = 8;

/// Collects what a scan shows until `take` fails or says that it is enough.
fn collect(
    engine: &dyn Engine,
    range: &Range,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut failed = None;
    engine.scan(range, &mut |key, stored| match take(key, stored) {
        Ok(more) => more,
        Err(error) => {
            failed = Some(error);
            false
        }
    })?;
    failed.map_or(Ok(()), Err)
}

pub(crate) fn totals(engine: &dyn Engine) -> Result<Totals, StoreError> {
    let stored = engine.get(key::TOTALS)?;
    let stored = stored.ok_or_else(|| damaged(key::TOTALS, "they are missing"))?;
    Totals::open(key::TOTALS, &stored)
}

pub(crate) fn row(
    engine: &dyn Engine,
    owner: &BareJid,
    table: Table,
    name: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    key::check_owner(owner)?;
    key::check_name("table", table.0)?;
    let key = key::row(owner, table, name);
    let Some(stored) = engine.get(&key)? else {
        return Ok(None);
    };
    Ok(Some(envelope::open(&key, &stored)?.payload.to_vec()))
}

pub(crate) fn load(engine: &dyn Engine, owner: &BareJid) -> Result<Saved, StoreError> {
    key::check_owner(owner)?;
    let mut saved = Saved::default();
    collect(engine, &key::rows(owner), |key, stored| {
        let Some(Place::Row { table, key: name, .. }) = key::parse(key) else {
            return Err(damaged(key, "it stands among rows"));
        };
        let value = envelope::open(key, stored)?.payload.to_vec();
        saved.rows.push((table.to_owned(), name.to_vec(), value));
        Ok(true)
    })?;
    Ok(saved)
}

pub(crate) fn head(engine: &dyn Engine, owner: &BareJid, log: Log) -> Result<Head, StoreError> {
    key::check_owner(owner)?;
    key::check_name("log", log.0)?;
    let key = key::head(owner.as_str(), log.0);
    engine.get(&key)?.map_or(Ok(Head::EMPTY), |stored| Head::open(&key, &stored))
}

pub(crate) fn page(
    engine: &dyn Engine,
    owner: &BareJid,
    log: Log,
    after: Seq,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    stable(engine, owner, log, |head| {
        let first = Seq(head.first.0.max(after.0.saturating_add(1)));
        let last = Seq(head.last.0.min(first.0.saturating_add(limit as u64).saturating_sub(1)));
        (first, last)
    })
}

pub(crate) fn page_back(
    engine: &dyn Engine,
    owner: &BareJid,
    log: Log,
    before: Option<Seq>,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    stable(engine, owner, log, |head| {
        let last = before.map_or(head.last.0, |before| before.0.saturating_sub(1));
        let last = last.min(head.last.0);
        let first = (last + 1).saturating_sub(limit as u64).max(head.first.0);
        (Seq(first), Seq(last))
    })
}

/// Reads the entries that `bounds` names, again if a trim passed while they were read.
fn stable(
    engine: &dyn Engine,
    owner: &BareJid,
    log: Log,
    bounds: impl Fn(Head) -> (Seq, Seq),
) -> Result<Vec<Entry>, StoreError> {
    let mut seen = head(engine, owner, log)?;
    for _ in 0..TRIES {
        let (first, last) = bounds(seen);
        let read = entries(engine, owner, log, first, last);
        let Err(StoreError::Damaged { .. }) = read else {
            return read;
        };
        let now = head(engine, owner, log)?;
        if now.first == seen.first {
            return read;
        }
        seen = now;
    }
    let key = key::head(owner.as_str(), log.0);
    Err(damaged(&key, "its entries are trimmed faster than they are read"))
}

/// Entries `first` to `last`: all of them, or an error.
fn entries(
    engine: &dyn Engine,
    owner: &BareJid,
    log: Log,
    first: Seq,
    last: Seq,
) -> Result<Vec<Entry>, StoreError> {
    if first > last {
        return Ok(Vec::new());
    }
    let mut page = Vec::new();
    let mut next = first;
    collect(engine, &key::entries(owner, log, first, last), |key, stored| match key::parse(key) {
        Some(Place::Entry { seq, .. }) if seq == next => {
            page.push(envelope::open_entry(key, seq, stored)?);
            next.0 += 1;
            Ok(true)
        }
        _ => Ok(false),
    })?;
    if next <= last {
        return Err(damaged(&key::entry(owner.as_str(), log.0, next), "it is missing"));
    }
    Ok(page)
}

pub(crate) fn events(
    engine: &dyn Engine,
    after: u64,
    limit: usize,
) -> Result<Vec<EventEntry>, StoreError> {
    let totals = totals(engine)?;
    let first = after.saturating_add(1);
    if first < totals.events_first {
        return Err(StoreError::EventsGone { first: totals.events_first });
    }
    let last = totals.events_last.min(after.saturating_add(limit as u64));
    let mut page = Vec::new();
    let mut next = first;
    collect(engine, &key::events(after, last), |key, stored| match key::parse(key) {
        Some(Place::Event(number)) if number == next => {
            page.push(envelope::open_event(key, number, stored)?);
            next += 1;
            Ok(true)
        }
        _ => Ok(false),
    })?;
    if next > last {
        return Ok(page);
    }
    // The outbox may have moved on while it was read.
    let gone = self::totals(engine)?.events_first;
    if first < gone {
        return Err(StoreError::EventsGone { first: gone });
    }
    Err(damaged(&key::event(next), "it is missing"))
}

pub(crate) fn owners(
    engine: &dyn Engine,
    after: Option<&BareJid>,
    limit: usize,
) -> Result<Vec<BareJid>, StoreError> {
    let mut found = Vec::new();
    let mut range = key::owners(after);
    while found.len() < limit {
        let mut next = None;
        collect(engine, &range, |key, _| {
            let owner = match key::parse(key) {
                Some(Place::Entry { owner, .. } | Place::Row { owner, .. }) => owner,
                _ => return Err(damaged(key, "it stands among the keys of owners")),
            };
            next = Some(BareJid::new(owner).map_err(|_| damaged(key, "its owner is no JID"))?);
            Ok(false)
        })?;
        let Some(owner) = next else { break };
        range.from = key::behind_owner(owner.as_str());
        if has_data(engine, &owner)? {
            found.push(owner);
        }
    }
    Ok(found)
}

/// Whether there is more than entries that wait for their removal.
fn has_data(engine: &dyn Engine, owner: &BareJid) -> Result<bool, StoreError> {
    let mut any = false;
    collect(engine, &key::rows(owner), |_, _| {
        any = true;
        Ok(false)
    })?;
    collect(engine, &key::heads(owner), |key, stored| {
        any = any || Head::open(key, stored)?.entries() > 0;
        Ok(!any)
    })?;
    Ok(any)
}
