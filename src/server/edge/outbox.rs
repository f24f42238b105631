//! What waits for a connection's transport, spelled as the transport wants it.

use std::collections::VecDeque;

use oc_core::stream::websocket;
use oc_core::{Element, StreamError, ns};

use super::message::Outgoing;

/// How a transport spells a stream, and what of it has not left.
pub(super) enum Outbox {
    /// One XML document for the whole stream (RFC 6120 §4).
    Bytes(Vec<u8>),
    /// Each element a document of its own (RFC 7395 §3.3.3, XEP-0206 #wrapper).
    Messages {
        /// In order.
        queue: VecDeque<Outgoing>,
        /// What they keep.
        bytes: usize,
    },
}

impl Outbox {
    /// For a transport of bytes.
    pub(super) const fn bytes() -> Self {
        Self::Bytes(Vec::new())
    }

    /// For a transport of messages.
    pub(super) const fn messages() -> Self {
        Self::Messages { queue: VecDeque::new(), bytes: 0 }
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(out) => out.len(),
            Self::Messages { bytes, .. } => *bytes,
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Bytes(out) => out.is_empty(),
            Self::Messages { queue, .. } => queue.is_empty(),
        }
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Bytes(out) => out.clear(),
            Self::Messages { queue, bytes } => {
                queue.clear();
                *bytes = 0;
            }
        }
    }

    /// Opens our direction with a response header.
    pub(super) fn open(&mut self, header: &Element) {
        match self {
            Self::Bytes(out) => {
                out.extend_from_slice(b"<?xml version='1.0'?>");
                header.write(out, ns::CLIENT);
                // The element is written closed; a header stays open and declares namespaces.
                out.truncate(out.len() - 2);
                let spaces = format!(" xmlns='{}' xmlns:stream='{}'>", ns::CLIENT, ns::STREAM);
                out.extend_from_slice(spaces.as_bytes());
            }
            Self::Messages { .. } => self.push(Outgoing::Open(websocket::open(header))),
        }
    }

    /// An element that is not a stanza, or a stanza that was not serialised before.
    pub(super) fn put(&mut self, el: &Element) {
        match self {
            Self::Bytes(out) => el.write(out, ns::CLIENT),
            Self::Messages { .. } => self.push(Outgoing::Document(websocket::document(el))),
        }
    }

    /// A stream error.
    pub(super) fn put_error(&mut self, error: &StreamError) {
        match self {
            Self::Bytes(_) => self.put(&error.to_element()),
            Self::Messages { .. } => self.push(Outgoing::Error(error.clone())),
        }
    }

    /// A stanza's canonical bytes.
    pub(super) fn put_stanza(&mut self, canonical: &[u8]) {
        match self {
            Self::Bytes(out) => out.extend_from_slice(canonical),
            Self::Messages { .. } => {
                let mut document = Vec::new();
                websocket::declare(canonical, &mut document);
                self.push(Outgoing::Document(document));
            }
        }
    }

    /// Closes our direction.
    pub(super) fn close(&mut self) {
        match self {
            Self::Bytes(out) => out.extend_from_slice(b"</stream:stream>"),
            Self::Messages { .. } => self.push(Outgoing::Close),
        }
    }

    /// Adds a message; nothing on a transport of bytes, which has none.
    pub(super) fn push(&mut self, message: Outgoing) {
        if let Self::Messages { queue, bytes } = self {
            *bytes += message.bytes();
            queue.push_back(message);
        }
    }
    /// Takes the oldest message.
    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        let Self::Messages { queue, bytes } = self else { return None };
        let message = queue.pop_front();
        match &message {
            Some(message) => *bytes -= message.bytes(),
            // An idle connection keeps no queue.
            None => *queue = VecDeque::new(),
        }
        message
    }

    /// Puts back what [`Outbox::pop`] gave.
    pub(super) fn put_back(&mut self, message: Outgoing) {
        if let Self::Messages { queue, bytes } = self {
            *bytes += message.bytes();
            queue.push_front(message);
        }
    }
}
