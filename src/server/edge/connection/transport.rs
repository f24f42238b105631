//! What carries a connection: a stream of bytes, or messages that somebody else takes from a
//! socket.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use oc_core::limits::StreamLimits;
use oc_core::ns;
use oc_core::xml::Reader;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio_rustls::rustls::ServerConnection;

use crate::edge::io::{Found, Io, Moving};
use crate::edge::message::{Incoming, MessageStream};
use crate::edge::outbox::Outbox;
use crate::tls::Acceptor;

/// How long a peer is listened to after the end, so that it gets to hear the end.
const LINGER: Duration = Duration::from_millis(500);

/// What carries a connection.
#[allow(clippy::large_enum_variant, reason = "nearly all are the large one; a box would cost it")]
pub(super) enum Transport {
    /// TCP, with or without TLS.
    Tcp(Tcp),
    /// WebSocket or BOSH.
    Messages(Messages),
}

/// A transport between two edges, bound to no runtime.
#[allow(clippy::large_enum_variant, reason = "nearly all are the large one; a box would cost it")]
pub(super) enum Journey {
    Tcp { io: Moving, reader: Reader, pending: Vec<u8> },
    Messages(Messages),
}

/// A stream of bytes.
pub(super) struct Tcp {
    pub(super) io: Io,
    pub(super) reader: Reader,
    /// What TLS was begun with, until it is up.
    pub(super) acceptor: Option<Acceptor>,
    /// Bytes that came while an answer was awaited.
    pub(super) pending: Vec<u8>,
}

/// A stream of messages.
pub(super) struct Messages {
    stream: MessageStream,
    pub(super) limits: StreamLimits,
    /// A message that came while the task waited for something to happen.
    next: Option<Incoming>,
    gone: bool,
}

impl Transport {
    /// What a peer may send from here on.
    pub(super) fn set_limits(&mut self, limits: StreamLimits) {
        match self {
            Self::Tcp(tcp) => tcp.reader.set_limits(limits),
            Self::Messages(messages) => messages.limits = limits,
        }
    }

    /// Whether a TLS handshake is under way.
    pub(super) fn starting_tls(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.io.tls().is_some_and(|tls| tls.is_handshaking()),
            Self::Messages(_) => false,
        }
    }

    /// Writes from the front of `out`; true when all of it has left.
    pub(super) fn write(&mut self, out: &mut Outbox) -> io::Result<bool> {
        match (self, out) {
            (Self::Tcp(tcp), Outbox::Bytes(out)) => tcp.io.write(out),
            (Self::Messages(messages), out) => messages.write(out),
            (Self::Tcp(_), Outbox::Messages { .. }) => {
                debug_assert!(false, "a line is made with its transport");
                Ok(true)
            }
        }
    }

    /// Waits until something can be read or, if `writing`, written.
    pub(super) async fn ready(&mut self, reading: bool, writing: bool) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.io.ready(reading, writing).await.map(drop),
            Self::Messages(messages) => {
                messages.ready(reading, writing).await;
                Ok(())
            }
        }
    }

    /// Says goodbye, and waits a moment until the peer has heard it.
    pub(super) async fn close(self) {
        match self {
            Self::Tcp(Tcp { mut io, .. }) => {
                io.close();
                // RFC 6120 §4.4: the peer may still be sending; closing now with unread bytes
                // would reset the connection and take the error with it.
                linger(&mut io).await;
            }
            Self::Messages(Messages {
                stream: MessageStream { mut inbound, outbound }, ..
            }) => {
                drop(outbound);
                let gone = async { while inbound.recv().await.is_some() {} };
                let _ = tokio::time::timeout(LINGER, gone).await;
            }
        }
    }

    /// Off to another edge.
    pub(super) fn leave(self) -> io::Result<Journey> {
        Ok(match self {
            Self::Tcp(Tcp { io, reader, pending, .. }) => {
                Journey::Tcp { io: io.leave()?, reader, pending }
            }
            Self::Messages(messages) => Journey::Messages(messages),
        })
    }

    /// Here from another edge.
    pub(super) fn arrive(journey: Journey) -> io::Result<Self> {
        Ok(match journey {
            Journey::Tcp { io, reader, pending } => {
                Self::Tcp(Tcp { io: Io::arrive(io)?, reader, acceptor: None, pending })
            }
            Journey::Messages(messages) => Self::Messages(messages),
        })
    }
}

impl Tcp {
    /// A connection just accepted; TLS begins with its first byte if there is an acceptor.
    pub(super) fn new(tcp: tokio::net::TcpStream, acceptor: Option<Acceptor>) -> io::Result<Self> {
        // Stanzas leave in one write already; waiting for more would only delay them.
        tcp.set_nodelay(true)?;
        let mut io = Io::new(tcp);
        if let Some(acceptor) = &acceptor {
            let session = ServerConnection::new(Arc::clone(&acceptor.config));
            io.secure(session.map_err(io::Error::other)?);
        }
        let reader = Reader::new(ns::CLIENT, StreamLimits::UNAUTHENTICATED);
        Ok(Self { io, reader, acceptor, pending: Vec::new() })
    }
}

impl Messages {
    pub(super) fn new(stream: MessageStream) -> Self {
        Self { stream, limits: StreamLimits::UNAUTHENTICATED, next: None, gone: false }
    }

    /// The next message, if there is one.
    pub(super) fn read(&mut self) -> Poll<Option<Incoming>> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(Some(next));
        }
        match self.stream.inbound.try_recv() {
            Ok(message) => Poll::Ready(Some(message)),
            Err(TryRecvError::Empty) if !self.gone => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    }

    fn write(&mut self, out: &mut Outbox) -> io::Result<bool> {
        while let Some(message) = out.pop() {
            match self.stream.outbound.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    out.put_back(message);
                    return Ok(false);
                }
                Err(TrySendError::Closed(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        Ok(true)
    }

    async fn ready(&mut self, reading: bool, writing: bool) {
        let MessageStream { inbound, outbound } = &mut self.stream;
        let reading = reading && self.next.is_none();
        tokio::select! {
            message = inbound.recv(), if reading => {
                self.gone |= message.is_none();
                self.next = message;
            }
            _ = outbound.reserve(), if writing => {}
            // While nothing is read the end must be noticed all the same.
            () = outbound.closed(), if !self.gone => self.gone = true,
            else => std::future::pending().await,
        }
    }
}

/// Reads and forgets what the peer still sends, for a moment.
async fn linger(io: &mut Io) {
    let mut rest = [0u8; 1024];
    let deadline = tokio::time::sleep(LINGER);
    tokio::pin!(deadline);
    let mut allowance = 64;
    while allowance > 0 {
        allowance -= 1;
        tokio::select! {
            () = &mut deadline => return,
            ready = io.ready(true, false) => if ready.is_err() { return },
        }
        match io.read(&mut rest) {
            Ok(Found::Bytes(_) | Found::Nothing | Found::Secured) => {}
            Ok(Found::Closed) | Err(_) => return,
        }
    }
}
