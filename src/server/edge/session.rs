//! A bound session: what its client is owed, whether it has a connection or waits for one.

use std::rc::Rc;

use oc_core::limits::OUTBOX_BYTES;
use oc_core::session::{Receipt, SessionId};
use oc_core::{Element, FullJid, Stanza, StreamCondition, StreamError, Time};
use oc_xeps::csi::Csi;
use oc_xeps::sm;

use super::line::{Line, LineEvent};

/// One session of this edge.
pub(super) struct Session {
    pub(super) id: SessionId,
    /// The full JID, once the shard has given it.
    pub(super) jid: Option<FullJid>,
    /// The connection; `None` while the client may come back (XEP-0198 #resumption).
    pub(super) line: Option<Rc<Line>>,
    /// Stream management, if it was enabled.
    pub(super) sm: Option<sm::Session>,
    /// Client state (XEP-0352).
    pub(super) csi: Csi,
    /// Stanzas that came before the client could know of its resource.
    early: Option<Vec<Stanza>>,
    /// Stanzas from the client, counted whether or not stream management is on.
    received: u32,
    /// How many of them no shard has called handled yet.
    in_flight: usize,
    /// After a resumption: what is to be sent again.
    pub(super) again: Vec<Vec<u8>>,
    /// When a session without connection ends.
    pub(super) ends: Option<Time>,
}

impl Session {
    pub(super) fn new(id: SessionId, line: Rc<Line>) -> Self {
        Self {
            id,
            jid: None,
            line: Some(line),
            sm: None,
            csi: Csi::default(),
            early: Some(Vec::new()),
            received: 0,
            in_flight: 0,
            again: Vec::new(),
            ends: None,
        }
    }

    /// Counts a stanza from the client.
    pub(super) fn received(&mut self, now: Time) -> Receipt {
        self.in_flight += 1;
        self.received = self.received.wrapping_add(1);
        let nth = match &mut self.sm {
            Some(sm) => sm.inbound.received(now),
            None => self.received,
        };
        Receipt { session: self.id, nth }
    }

    /// A stanza of the client is safe; true if the connection may read again because of it.
    pub(super) fn handled(&mut self, receipt: Receipt, now: Time) -> bool {
        let was = self.in_flight;
        self.in_flight = was.saturating_sub(1);
        if let Some(sm) = &mut self.sm {
            sm.inbound.handled(receipt.nth, now);
        }
        was == super::IN_FLIGHT
    }

    /// Whether as much is under way as a session may have.
    pub(super) fn busy(&self) -> bool {
        self.in_flight >= super::IN_FLIGHT
    }

    /// The client knows its resource now; what came early follows.
    pub(super) fn open(&mut self, now: Time) {
        for stanza in self.early.take().unwrap_or_default() {
            self.deliver(stanza, now);
        }
    }

    /// A stanza for the client.
    pub(super) fn deliver(&mut self, stanza: Stanza, now: Time) {
        if let Some(early) = &mut self.early {
            early.push(stanza);
            return;
        }
        for stanza in self.csi.outgoing(stanza) {
            self.send(&stanza, now);
        }
    }

    /// The stream was resumed: what waited for an active client follows what is sent again.
    pub(super) fn awake(&mut self, now: Time) {
        for stanza in self.csi.resumed() {
            self.send(&stanza, now);
        }
    }

    /// The client says whether somebody looks at it; false if the element says something else.
    pub(super) fn client_state(&mut self, el: &Element, now: Time) -> bool {
        let Some(held) = self.csi.take(el) else { return false };
        for stanza in held {
            self.send(&stanza, now);
        }
        true
    }

    fn send(&mut self, stanza: &Stanza, now: Time) {
        let bytes = stanza.element().to_bytes();
        let mut full = false;
        if let Some(sm) = &mut self.sm {
            full = sm.outbound.sent(&bytes, now) == sm::Room::Full;
        }
        let Some(line) = &self.line else {
            if full {
                // Nobody came back in time to take this much: the session ends at the next tick.
                self.ends = Some(now);
            }
            return;
        };
        if full {
            let condition = StreamCondition::ResourceConstraint;
            let error = StreamError::new(condition, "XEP-0198 #acking")
                .text("too many stanzas without acknowledgement");
            line.tell(LineEvent::Close(error));
            return;
        }
        line.put_stanza(&bytes);
        if line.waiting_bytes() > OUTBOX_BYTES {
            line.tell(LineEvent::Stalled);
        }
    }

    /// Writes an element that is not a stanza.
    pub(super) fn put(&self, el: &Element) {
        if let Some(line) = &self.line {
            line.put(el);
        }
    }

    /// At the end of a turn: asks for an acknowledgement if one is due.
    pub(super) fn ask(&mut self, now: Time) {
        let (Some(sm), Some(line)) = (&mut self.sm, &self.line) else { return };
        if sm.outbound.request(now) {
            line.put(&sm::request());
        }
    }

    /// What the client never acknowledged, and what it never saw.
    pub(super) fn undelivered(&mut self, domain: &str) -> Vec<Stanza> {
        let mut all: Vec<Stanza> =
            self.sm.take().map(|sm| sm.outbound.into_undelivered(domain)).unwrap_or_default();
        all.extend(self.csi.release());
        all.extend(self.early.take().unwrap_or_default());
        all
    }
}
