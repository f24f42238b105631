//! Keys: how owners, tables and logs become ordered bytes.
//!
//! One byte of kind, then the owner, NUL, the table or log, NUL, then a binary rest. Owners and
//! names never contain NUL (a JID cannot; it is checked all the same), so no owner's keys are a
//! prefix of another's and the order of keys is the order of (owner, name, rest). Numbers are
//! big-endian.
//!
//! | key | value |
//! |---|---|
//! | `m` | totals of the whole store |
//! | `e` number | event of the outbox |
//! | `h` owner NUL log | head of a log: first and last number |
//! | `o` owner NUL `l` log NUL number | entry of a log |
//! | `o` owner NUL `r` table NUL key | row of a table |
//! | `t` owner NUL log | entries below the head's first wait here for their removal |

use oc_core::BareJid;
use oc_core::record::{Log, Seq, Table};

use crate::StoreError;
use crate::settings::{NAME_BYTES, OWNER_BYTES};

/// A key as the engine sees it.
pub(crate) type Key = Vec<u8>;

/// Kind of the one record of totals, which is its whole key.
pub(crate) const TOTALS: &[u8] = b"m";
/// What the keys of all events begin with.
pub(crate) const EVENTS: &[u8] = &[EVENT];
const EVENT: u8 = b'e';
const HEAD: u8 = b'h';
const OWNED: u8 = b'o';
const TRIM: u8 = b't';
const IN_LOG: u8 = b'l';
const IN_TABLE: u8 = b'r';

/// First key behind everything.
pub(crate) const END: &[u8] = &[0xff];

/// A range of keys: `from` included, `to` excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) from: Key,
    pub(crate) to: Key,
}

impl Range {
    /// All keys that begin with `prefix`, which ends in a byte below 0xff.
    fn under(prefix: Key) -> Self {
        let mut to = prefix.clone();
        if let Some(last) = to.last_mut() {
            debug_assert!(*last < 0xff);
            *last += 1;
        }
        Self { from: prefix, to }
    }

    /// Everything there is.
    pub(crate) fn all() -> Self {
        Self { from: Vec::new(), to: END.to_vec() }
    }
}

/// Checks that an owner can be part of a key.
pub(crate) fn check_owner(owner: &BareJid) -> Result<(), StoreError> {
    check_text("owner", owner.as_str(), OWNER_BYTES)
}

/// Checks that the name of a table or log can be part of a key.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), StoreError> {
    check_text(what, name, NAME_BYTES)
}

fn check_text(what: &'static str, text: &str, limit: usize) -> Result<(), StoreError> {
    if text.is_empty() || text.bytes().any(|b| b < b' ') {
        return Err(StoreError::BadName { what });
    }
    if text.len() > limit {
        return Err(StoreError::TooLarge { what, bytes: text.len(), limit });
    }
    Ok(())
}

fn owned(kind: u8, owner: &str, rest: usize) -> Key {
    let mut key = Vec::with_capacity(2 + owner.len() + rest);
    key.push(kind);
    key.extend_from_slice(owner.as_bytes());
    key.push(0);
    key
}

/// Key of an event.
pub(crate) fn event(number: u64) -> Key {
    let mut key = vec![EVENT];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Keys of the events after `after`, up to and including `last`.
pub(crate) fn events(after: u64, last: u64) -> Range {
    Range { from: event(after.saturating_add(1)), to: event(last.saturating_add(1)) }
}

/// Key of a log's head.
pub(crate) fn head(owner: &str, log: &str) -> Key {
    let mut key = owned(HEAD, owner, log.len());
    key.extend_from_slice(log.as_bytes());
    key
}

/// Keys of all heads of an owner.
pub(crate) fn heads(owner: &BareJid) -> Range {
    Range::under(owned(HEAD, owner.as_str(), 0))
}

/// Key that says that a log has entries below its first to remove.
pub(crate) fn trim(owner: &str, log: &str) -> Key {
    let mut key = owned(TRIM, owner, log.len());
    key.extend_from_slice(log.as_bytes());
    key
}

/// Keys of all logs that have entries to remove.
pub(crate) fn trims() -> Range {
    Range::under(vec![TRIM])
}

/// Key of an entry.
pub(crate) fn entry(owner: &str, log: &str, seq: Seq) -> Key {
    let mut key = owned(OWNED, owner, log.len() + 10);
    key.push(IN_LOG);
    key.extend_from_slice(log.as_bytes());
    key.push(0);
    key.extend_from_slice(&seq.0.to_be_bytes());
    key
}

/// Keys of a log's entries from `first` to `last`, both included.
pub(crate) fn entries(owner: &BareJid, log: Log, first: Seq, last: Seq) -> Range {
    let to = Seq(last.0.saturating_add(1));
    Range { from: entry(owner.as_str(), log.0, first), to: entry(owner.as_str(), log.0, to) }
}

/// Key of a row.
pub(crate) fn row(owner: &BareJid, table: Table, name: &[u8]) -> Key {
    let mut key = owned(OWNED, owner.as_str(), table.0.len() + name.len() + 2);
    key.push(IN_TABLE);
    key.extend_from_slice(table.0.as_bytes());
    key.push(0);
    key.extend_from_slice(name);
    key
}

/// Keys of all rows of an owner.
pub(crate) fn rows(owner: &BareJid) -> Range {
    let mut prefix = owned(OWNED, owner.as_str(), 1);
    prefix.push(IN_TABLE);
    Range::under(prefix)
}

/// Keys of everything of all owners behind `after`.
pub(crate) fn owners(after: Option<&BareJid>) -> Range {
    let mut range = Range::under(vec![OWNED]);
    if let Some(after) = after {
        range.from = behind_owner(after.as_str());
    }
    range
}

/// The first key that can belong to an owner behind this one.
pub(crate) fn behind_owner(owner: &str) -> Key {
    let mut key = vec![OWNED];
    key.extend_from_slice(owner.as_bytes());
    key.push(1);
    key
}

/// What a key names; the reverse of the functions above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'k> {
    Totals,
    Event(u64),
    Head { owner: &'k str, log: &'k str },
    Trim { owner: &'k str, log: &'k str },
    Entry { owner: &'k str, log: &'k str, seq: Seq },
    Row { owner: &'k str, table: &'k str, key: &'k [u8] },
}

/// Reads a key; `None` if no version of us wrote it.
pub(crate) fn parse(key: &[u8]) -> Option<Place<'_>> {
    let (&kind, rest) = key.split_first()?;
    match kind {
        _ if key == TOTALS => Some(Place::Totals),
        EVENT => Some(Place::Event(u64::from_be_bytes(rest.try_into().ok()?))),
        HEAD | TRIM => {
            let (owner, log) = cut(rest)?;
            let log = str::from_utf8(log).ok()?;
            Some(if kind == HEAD { Place::Head { owner, log } } else { Place::Trim { owner, log } })
        }
        OWNED => {
            let (owner, rest) = cut(rest)?;
            let (&kind, rest) = rest.split_first()?;
            let (name, rest) = cut(rest)?;
            match kind {
                IN_LOG => {
                    let seq = Seq(u64::from_be_bytes(rest.try_into().ok()?));
                    Some(Place::Entry { owner, log: name, seq })
                }
                IN_TABLE => Some(Place::Row { owner, table: name, key: rest }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Splits at the first NUL; what stands before it is text.
fn cut(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let at = bytes.iter().position(|&b| b == 0)?;
    Some((str::from_utf8(&bytes[..at]).ok()?, &bytes[at + 1..]))
}

/// What a key names, for error texts: never the owner, never a row's key.
pub(crate) fn describe(key: &[u8]) -> String {
    match parse(key) {
        Some(Place::Totals) => "the totals".to_owned(),
        Some(Place::Event(number)) => format!("event {number}"),
        Some(Place::Head { log, .. }) => format!("the head of a log {log:?}"),
        Some(Place::Trim { log, .. }) => format!("the removal mark of a log {log:?}"),
        Some(Place::Entry { log, seq, .. }) => format!("entry {} of a log {log:?}", seq.0),
        Some(Place::Row { table, .. }) => format!("a row of a table {table:?}"),
        None => "a key of unknown form".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> BareJid {
        BareJid::new(text).expect("a JID")
    }

    #[test]
    fn keys_read_back_as_what_they_name() {
        let (owner, log, table) = (jid("a@b"), Log("archive"), Table("roster"));
        let key = entry(owner.as_str(), log.0, Seq(7));
        assert_eq!(parse(&key), Some(Place::Entry { owner: "a@b", log: "archive", seq: Seq(7) }));
        let key = row(&owner, table, b"\0\xff\0");
        let place = Place::Row { owner: "a@b", table: "roster", key: b"\0\xff\0" };
        assert_eq!(parse(&key), Some(place));
        assert_eq!(parse(&head("a@b", "x")), Some(Place::Head { owner: "a@b", log: "x" }));
        assert_eq!(parse(&trim("a@b", "x")), Some(Place::Trim { owner: "a@b", log: "x" }));
        assert_eq!(parse(&event(258)), Some(Place::Event(258)));
        assert_eq!(parse(TOTALS), Some(Place::Totals));
        assert_eq!(parse(b"mm"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn no_owner_lies_in_the_range_of_another() {
        for (a, b) in [("a@b", "a@bc"), ("a@b", "a@b.c"), ("b", "b.c"), ("a", "a@b")] {
            for (a, b) in [(jid(a), jid(b)), (jid(b), jid(a))] {
                let key = row(&b, Table("t"), b"k");
                let range = rows(&a);
                assert!(key < range.from || key >= range.to, "{b} in the range of {a}");
                assert_eq!(key >= owners(Some(&a)).from, b.as_str() > a.as_str());
            }
        }
    }
}
