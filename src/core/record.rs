//! What is written to disk, and how it is asked for: the words between machines and the store.
//!
//! The store knows owners, tables and logs; it never knows an extension. What a value means is the
//! business of the machine or feature that wrote it; values are canonical XML or fixed small
//! encodings, so that an old directory can be read by a later version.

use crate::{BareJid, Time};

/// Position in one owner's log; starts at 1, has no gaps, never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// A keyed collection of one owner. The name is part of the storage format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub &'static str);

/// An append-only log of one owner. The name is part of the storage format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Log(pub &'static str);

/// A security label of an item; 0 is the default label, the only one there is yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelId(pub u32);

/// One change of durable state. A batch of records becomes durable as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Sets a key of an owner's table.
    Put {
        /// Whose it is.
        owner: BareJid,
        /// Which table.
        table: Table,
        /// Key, at most 2 KiB.
        key: Vec<u8>,
        /// Value, at most 1 MiB.
        value: Vec<u8>,
    },
    /// Removes a key of an owner's table; a missing one is no error.
    Delete {
        /// Whose it is.
        owner: BareJid,
        /// Which table.
        table: Table,
        /// Key.
        key: Vec<u8>,
    },
    /// Appends to an owner's log; the store assigns the next [`Seq`].
    Append {
        /// Whose it is.
        owner: BareJid,
        /// Which log.
        log: Log,
        /// When it happened.
        at: Time,
        /// Security label of the item.
        label: LabelId,
        /// Value, at most 1 MiB.
        value: Vec<u8>,
    },
    /// Forgets a log's entries up to and including `through`; numbers are never used again.
    Trim {
        /// Whose it is.
        owner: BareJid,
        /// Which log.
        log: Log,
        /// The last entry to forget.
        through: Seq,
    },
    /// Forgets everything of an owner: all tables and logs.
    Forget {
        /// Whose it is.
        owner: BareJid,
    },
    /// An entry of the server-wide, ordered event log, in the same commit as the change it tells
    /// of.
    Event {
        /// Type, such as `account.removed`.
        kind: &'static str,
        /// Who or what it is about.
        subject: BareJid,
        /// When.
        at: Time,
        /// Details, as canonical XML or JSON; may be empty.
        data: Vec<u8>,
    },
}

impl Record {
    /// Whose shard commits this record.
    pub fn owner(&self) -> &BareJid {
        match self {
            Self::Put { owner, .. }
            | Self::Delete { owner, .. }
            | Self::Append { owner, .. }
            | Self::Trim { owner, .. }
            | Self::Forget { owner }
            | Self::Event { subject: owner, .. } => owner,
        }
    }
}

/// An entry of a log as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub seq: Seq,
    /// When it was appended.
    pub at: Time,
    /// Its label.
    pub label: LabelId,
    /// What was appended.
    pub value: Vec<u8>,
}

/// The keyed state of one owner: every table, key and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// (table name, key, value), ordered by table and key.
    pub rows: Vec<(String, Vec<u8>, Vec<u8>)>,
}

impl Saved {
    /// The rows of one table as (key, value).
    pub fn table(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.rows
            .iter()
            .filter(move |(name, ..)| name == table.0)
            .map(|(_, key, value)| (key.as_slice(), value.as_slice()))
    }
}
