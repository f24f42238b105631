//! Every bound of the protocol core in one place.
//!
//! A bound that an operator may change has its default here and its range in the server's
//! configuration.

use std::time::Duration;

/// What one stream may make us build at a time; enforced by the reader before any tree exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of one top-level element, and of the stream header, as they came over the wire.
    pub stanza_bytes: usize,
    /// Nesting below the stream root.
    pub depth: usize,
    /// Elements in one top-level element, itself included.
    pub elements: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Bytes of one name, attribute value or namespace.
    pub token_bytes: usize,
}

impl StreamLimits {
    /// Before a peer has proved who it is: 8 KiB and 32 elements.
    pub const UNAUTHENTICATED: Self = Self {
        stanza_bytes: 8 * 1024,
        depth: 16,
        elements: 32,
        attributes: 16,
        token_bytes: 4 * 1024,
    };
    /// After a client has logged in: 256 KiB, advertised by XEP-0478.
    pub const CLIENT: Self = Self {
        stanza_bytes: 256 * 1024,
        depth: 64,
        elements: 4096,
        attributes: 64,
        token_bytes: 32 * 1024,
    };
    /// After a server has proved its domain: 512 KiB.
    pub const SERVER: Self = Self { stanza_bytes: 512 * 1024, ..Self::CLIENT };
}

/// From the first byte of a connection to a bound resource, whatever is sent in between (pings
/// included).
pub const NEGOTIATION: Duration = Duration::from_secs(30);
/// SASL attempts on one stream (RFC 6120 §6.4.5 recommends 2 to 5).
pub const SASL_ATTEMPTS: u8 = 5;
/// Bytes of one SASL message after base64 decoding.
pub const SASL_MESSAGE_BYTES: usize = 4 * 1024;
/// Resources of one account that may be bound at the same time.
pub const RESOURCES_PER_ACCOUNT: usize = 64;
/// Bytes of a resource (RFC 7622 §3.4 allows 1023).
pub const RESOURCE_BYTES: usize = 1023;
/// Roster items of one account.
pub const ROSTER_ITEMS: usize = 20_000;
/// Groups of one roster item.
pub const ROSTER_GROUPS: usize = 64;
/// Bytes of a roster item's name or of one of its groups (RFC 6121 §2.1.2 leaves the limit to us).
pub const ROSTER_TEXT_BYTES: usize = 1023;
/// Subscription requests kept for an account that has not answered them.
pub const PENDING_SUBSCRIPTIONS: usize = 1_000;
/// Bytes of a subscription request that are kept; of a longer one only the question is.
pub const PENDING_SUBSCRIPTION_BYTES: usize = 4 * 1024;
/// Messages to several resources of one account remembered, so that none is delivered to one twice.
pub const MESSAGE_COPIES: usize = 1_024;
/// Messages kept for an account that is away (XEP-0160).
pub const OFFLINE_MESSAGES: usize = 1_000;
/// Bytes of the messages kept for an account that is away; below [`OUTBOX_BYTES`], so that all of
/// them fit into one session's outbox.
pub const OFFLINE_BYTES: usize = 2 * 1024 * 1024;
/// Targets of directed presence remembered for one resource.
pub const DIRECTED_PRESENCE: usize = 2_000;
/// Stanzas a client may leave unacknowledged before its session is detached (XEP-0198).
pub const SM_UNACKED_STANZAS: usize = 5_000;
/// Bytes a client may leave unacknowledged before its session is detached (XEP-0198).
pub const SM_UNACKED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes waiting for one socket before its session is detached or closed.
pub const OUTBOX_BYTES: usize = 4 * 1024 * 1024;
/// Requests to one domain that may wait for the identity service or another answer.
pub const HOST_WAITING: usize = 1_000;
/// How long a request to a domain waits before its sender is told that it failed.
pub const HOST_PATIENCE: Duration = Duration::from_secs(30);
/// Messages to a domain that are passed on to its administrators at once; then one per
/// [`HOST_CONTACT_INTERVAL`].
pub const HOST_CONTACTS: u32 = 20;
/// See [`HOST_CONTACTS`].
pub const HOST_CONTACT_INTERVAL: Duration = Duration::from_secs(30);
