//! What a connection reads: bytes through the reader, messages as they are.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use oc_core::auth::ChannelBindings;
use oc_core::limits::StreamLimits;
use oc_core::stream::{StreamInput, websocket};
use oc_core::xml::{Event, Reader};
use oc_core::{StreamCondition, StreamError, ns};
use tokio_rustls::rustls::ServerConnection;

use super::transport::Transport;
use super::{Connection, Ending};
use crate::edge::io::Found;
use crate::edge::message::Incoming;

/// Reads per connection and turn, so that a fast sender does not hold its edge.
const READS: usize = 8;

impl Connection {
    pub(super) fn read(&mut self) {
        match self.transport {
            Transport::Tcp(_) => self.read_bytes(),
            Transport::Messages(_) => self.read_messages(),
        }
    }

    fn read_messages(&mut self) {
        for _ in 0..READS {
            if !self.reads() {
                return;
            }
            let Transport::Messages(messages) = &mut self.transport else { return };
            let message = match messages.read() {
                Poll::Ready(Some(message)) => message,
                Poll::Ready(None) => {
                    self.ending.get_or_insert(Ending::Broken);
                    return;
                }
                Poll::Pending => return,
            };
            let (bytes, input) = match message {
                Incoming::Document(bytes) => {
                    let read = websocket::read(&bytes, &messages.limits);
                    (bytes.len(), read.unwrap_or_else(StreamInput::End))
                }
                Incoming::Input(input, bytes) => (bytes, input),
            };
            self.heard(bytes);
            self.feed(input);
        }
    }

    fn read_bytes(&mut self) {
        if self.reads()
            && let Transport::Tcp(tcp) = &mut self.transport
            && !tcp.pending.is_empty()
        {
            let pending = std::mem::take(&mut tcp.pending);
            self.take(&pending);
        }
        let edge = Rc::clone(&self.edge);
        let scratch = &mut edge.scratch.borrow_mut()[..];
        for _ in 0..READS {
            if !self.reads() {
                return;
            }
            let Transport::Tcp(tcp) = &mut self.transport else { return };
            match tcp.io.read(scratch) {
                Ok(Found::Bytes(n)) => {
                    self.heard(n);
                    self.take(&scratch[..n]);
                }
                Ok(Found::Secured) => self.secured(),
                Ok(Found::Nothing) => break,
                Ok(Found::Closed) => {
                    self.ending.get_or_insert(Ending::Broken);
                    return;
                }
                Err(error) => {
                    if self.transport.starting_tls() {
                        tracing::debug!(%error, "TLS handshake failed");
                        self.edge.shared().metrics.tls_failures.inc();
                    }
                    self.ending.get_or_insert(Ending::Broken);
                    return;
                }
            }
        }
        if let Transport::Tcp(tcp) = &mut self.transport {
            tcp.reader.rest();
        }
    }

    /// Feeds bytes to the reader and its events to the machine; what comes while an answer is
    /// awaited is kept for later.
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.ending.is_none() {
            let starting_tls = self.transport.starting_tls();
            let Transport::Tcp(tcp) = &mut self.transport else { return };
            if !self.stream.reads() {
                if starting_tls {
                    // RFC 6120 §5.4.3.3: what came with the plain text may not count as encrypted.
                    let condition = StreamCondition::PolicyViolation;
                    self.break_off(&StreamError::new(condition, "RFC 6120 §5.4.3.3"));
                } else {
                    tcp.pending.extend_from_slice(bytes);
                }
                return;
            }
            let input = match tcp.reader.next(&mut bytes) {
                Ok(Some(Event::Open(header))) => StreamInput::Open(header),
                Ok(Some(Event::Element(el))) => StreamInput::Element(el),
                Ok(Some(Event::Close)) => StreamInput::Closed,
                Ok(Some(Event::Alive) | None) => continue,
                Err(error) => StreamInput::End(error),
            };
            self.feed(input);
        }
    }

    fn secured(&mut self) {
        let Transport::Tcp(tcp) = &mut self.transport else { return };
        let (Some(tls), Some(acceptor)) = (tcp.io.tls(), tcp.acceptor.take()) else { return };
        let mut key = [0u8; 32];
        // RFC 9266 §4: with TLS 1.2 only under the extended master secret, which the
        // configuration requires.
        let exporter = tls.export_keying_material(&mut key, b"EXPORTER-Channel-Binding", Some(b""));
        let bindings = ChannelBindings {
            exporter: exporter.ok().map(|key| *key),
            end_point: acceptor.end_point(tls.server_name()).map(<[u8]>::to_vec),
        };
        self.feed(StreamInput::Secured(bindings));
    }

    pub(super) fn start_tls(&mut self) {
        let acceptor = self.edge.shared().tls.c2s();
        // `<proceed/>` must be out before the first TLS record; it is short, so it fits the socket.
        let proceeded = self.transport.write(&mut self.line.out().borrow_mut());
        match (proceeded, ServerConnection::new(Arc::clone(&acceptor.config))) {
            (Ok(true), Ok(session)) => {
                if let Transport::Tcp(tcp) = &mut self.transport {
                    tcp.io.secure(session);
                    tcp.acceptor = Some(acceptor);
                }
            }
            _ => self.ending = Some(Ending::Broken),
        }
        self.restart();
    }

    /// RFC 6120 §4.3.3: a new header follows, and a new document where the stream is one.
    pub(super) fn restart(&mut self) {
        let limits = if self.stream.authenticated() {
            self.edge.shared().settings.load().limits
        } else {
            StreamLimits::UNAUTHENTICATED
        };
        if let Transport::Tcp(tcp) = &mut self.transport {
            tcp.reader = Reader::new(ns::CLIENT, limits);
        }
        self.header_sent = false;
    }
}
