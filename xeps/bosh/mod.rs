//! XEP-0124: Bidirectional-streams Over Synchronous HTTP, and XEP-0206: XMPP Over BOSH.
//!
//! One [`Session`] is one client's stream spread over HTTP requests, as a machine: requests,
//! documents of the stream and moments come in; answers and inputs of the stream machine come out.
//! It keeps requests in the order of their `rid`, remembers answers so that a lost one can be asked
//! for again, and holds requests until there is something to say. Which HTTP exchange belongs to
//! which [`ExchangeId`], and which session to which `sid`, is the shell's to know.
//!
//! Left out, and so not declared: acknowledgements (`ack`), key sequences (sessions are secure:
//! XEP-0124 #keys-applic), several streams in a session, content encodings, and the HTTP error
//! codes for clients of before 2007. `note.md` says why `content` is not obeyed.

mod body;
mod session;
#[cfg(test)]
mod tests;

use std::time::Duration;

use oc_core::spec::{Status, Xep};
use oc_core::stream::StreamInput;

pub use body::{Condition, Create, terminal};
pub use session::Session;

/// The head of the transport.
pub static XEP: Xep = Xep {
    number: "0124",
    title: "Bidirectional-streams Over Synchronous HTTP (BOSH)",
    version: "1.11.2",
    status: Status::Partial,
    folder: "bosh",
    features: &[],
    note: "no acknowledgements, key sequences or multiple streams; answers are always text/xml",
};

/// The head of what XMPP adds to it.
pub static XEP_XMPP: Xep = Xep {
    number: "0206",
    title: "XMPP Over BOSH",
    version: "1.4",
    status: Status::Complete,
    folder: "bosh",
    features: &[],
    note: "",
};

/// Namespace of `<body/>` (XEP-0124 #wrapper).
pub const NS: &str = "http://jabber.org/protocol/httpbind";
/// Namespace of the attributes of XEP-0206.
pub const XMPP_NS: &str = "urn:xmpp:xbosh";

/// The shell's name for one HTTP request that waits for its answer.
pub type ExchangeId = u64;

/// What a session wants done, in order.
#[derive(Debug)]
pub enum Effect {
    /// Answer an exchange with this body.
    Respond {
        /// Which.
        exchange: ExchangeId,
        /// The `<body/>` element.
        body: Vec<u8>,
    },
    /// Tell the stream machine.
    Stream(StreamInput),
    /// The session is over and forgets its `sid`. If the stream was not told that it is closed, its
    /// transport is to be called broken.
    Ended,
}

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest a request is held.
    pub wait: Duration,
    /// How long a session lives without a request.
    pub inactivity: Duration,
    /// How long a client may ask to be away (XEP-0124 #inactive).
    pub max_pause: Duration,
}

/// Requests that are held at a time, at most.
pub const HOLD: usize = 2;
/// The shortest interval of a polling client (XEP-0124 #poll).
pub const POLLING: Duration = Duration::from_secs(2);
/// Bytes of documents after which an answer takes no more.
pub const ANSWER_BYTES: usize = 64 * 1024;
