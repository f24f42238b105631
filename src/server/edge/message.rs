//! A connection that carries whole messages: WebSocket (RFC 7395) and BOSH (XEP-0206).
//!
//! Whoever owns the socket makes a [`MessageStream`] and hands it to an edge as
//! [`Arrival::Messages`](super::Arrival::Messages); from there on the two talk over bounded queues
//! only, so the stream moves between edges and its session is resumed like any other. The transport
//! is taken to be confidential: both exist over HTTPS, or behind a proxy on the same machine that
//! speaks it.

use oc_core::limits::StreamLimits;
use oc_core::stream::StreamInput;
use oc_core::{Element, StreamError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Messages that may wait in each direction between an edge and the owner of the socket.
const QUEUE: usize = 8;

/// What comes from the peer.
#[derive(Debug)]
pub enum Incoming {
    /// One document, unread.
    Document(Vec<u8>),
    /// What a transport with a framing of its own has read under the limits last announced, and how
    /// many bytes that took.
    Input(StreamInput, usize),
}

/// What goes to the peer.
#[derive(Debug)]
pub enum Outgoing {
    /// RFC 7395 §3.4: our `<open/>`.
    Open(Element),
    /// An element, as a document.
    Document(Vec<u8>),
    /// The stream ends with this error; [`Outgoing::Close`] follows.
    Error(StreamError),
    /// RFC 7395 §3.6: our `<close/>`; nothing follows.
    Close,
    /// Not to be sent: the peer has proved who it is and may send this much from here on.
    Limits(StreamLimits),
}

impl Outgoing {
    /// Bytes that it keeps.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Document(bytes) => bytes.len(),
            Self::Open(_) | Self::Error(_) | Self::Close | Self::Limits(_) => 0,
        }
    }
}

/// The edge's half of a connection.
#[derive(Debug)]
pub struct MessageStream {
    /// From the peer; closed when it is gone.
    pub(super) inbound: Receiver<Incoming>,
    /// To the peer; closed when it is gone.
    pub(super) outbound: Sender<Outgoing>,
}

/// The other half, for the owner of the socket.
#[derive(Debug)]
pub struct MessagePeer {
    /// To the edge; closed when the edge is done with the connection.
    pub inbound: Sender<Incoming>,
    /// From the edge; ends when nothing more is to be sent.
    pub outbound: Receiver<Outgoing>,
}

impl MessageStream {
    /// Both halves of a new connection.
    pub fn new() -> (Self, MessagePeer) {
        let (to_edge, inbound) = channel(QUEUE);
        let (outbound, from_edge) = channel(QUEUE);
        (Self { inbound, outbound }, MessagePeer { inbound: to_edge, outbound: from_edge })
    }
}
