//! What edges and shards say to each other: plain values, because one day they cross a bus.
//!
//! An *edge* owns connections; a *shard* owns bare JIDs. Whatever a shard says to one edge arrives
//! in the order in which it was said; between two shards there is no order.

use crate::{BareJid, FullJid, Reject, Stanza, StreamError};

/// One edge thread of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId(pub u16);

/// A bound session: which edge holds it, and its number there, never used twice in a process's
/// life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The edge that owns the connection.
    pub edge: EdgeId,
    /// Its number on that edge.
    pub key: u64,
}

/// "Tell this session when its n-th stanza is safe": travels with a stanza to whoever makes it
/// durable or hands it to its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The sender's session.
    pub session: SessionId,
    /// Number of the stanza on that stream, counted from 1 as XEP-0198 does, modulo 2^32.
    pub nth: u32,
}

/// From an edge (or another shard) to the shard that owns a bare JID.
#[derive(Clone, Debug)]
pub enum ToShard {
    /// A client has authenticated and asks for a resource (RFC 6120 §7).
    Attach {
        /// The new session.
        session: SessionId,
        /// The account.
        account: BareJid,
        /// The resource asked for; `None` lets the server choose.
        resource: Option<String>,
    },
    /// A stanza from a client of this account, `from` already set to its full JID.
    FromClient {
        /// The session.
        session: SessionId,
        /// The stanza.
        stanza: Stanza,
        /// Whom to tell when it is safe; `None` without stream management.
        receipt: Option<Receipt>,
    },
    /// A stanza addressed to this bare JID, or to a full JID of it, by anybody else.
    Routed {
        /// The stanza; `from` and `to` are set.
        stanza: Stanza,
        /// Whom to tell when it is safe.
        receipt: Option<Receipt>,
    },
    /// A session has ended.
    Detach {
        /// The session.
        session: SessionId,
        /// Its address.
        jid: FullJid,
        /// Why, for the unavailable presence that others see; `None` after an orderly goodbye.
        reason: Option<&'static str>,
        /// Stanzas that were sent and never acknowledged (XEP-0198 #acking), oldest first.
        undelivered: Vec<Stanza>,
    },
    /// The account is gone at the identity service: forget it and end its sessions.
    Removed {
        /// What its sessions are told.
        error: StreamError,
    },
}

/// From a shard to an edge.
#[derive(Clone, Debug)]
pub enum ToEdge {
    /// Answer to [`ToShard::Attach`].
    Attached {
        /// The session.
        session: SessionId,
        /// Its full JID, or why there is none.
        outcome: Result<FullJid, Reject>,
    },
    /// A stanza for a client, complete with `to` and `from`.
    Deliver {
        /// The session.
        session: SessionId,
        /// The stanza.
        stanza: Stanza,
    },
    /// The stanza of a [`Receipt`] is safe: `h` may pass it.
    Handled {
        /// Which.
        receipt: Receipt,
    },
    /// End a session: its resource was taken over, its account was removed.
    Close {
        /// The session.
        session: SessionId,
        /// What to tell it.
        error: StreamError,
    },
}
