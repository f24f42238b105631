//! What we send: everything the peer has not yet taken responsibility for (XEP-0198 #acking).

use std::collections::VecDeque;

use oc_core::limits::{SM_UNACKED_BYTES, SM_UNACKED_STANZAS, StreamLimits};
use oc_core::xml::parse_document;
use oc_core::{Element, Stanza, StreamCondition, StreamError, Time, ns};

/// The queue of unacknowledged stanzas, as canonical bytes: 32 bytes beside the bytes themselves,
/// and nothing while the peer keeps up. They are parsed again only if the session dies with them
/// unread.
#[derive(Debug, Default)]
pub struct Outbound {
    /// Number of the last acknowledged stanza, modulo 2^32.
    acked: u32,
    queue: VecDeque<Unacked>,
    /// Bytes in `queue`.
    bytes: usize,
    /// The last `<r/>`: how many stanzas had been sent, and when it was written.
    asked: Option<(u32, Time)>,
    /// Whether that `<r/>` has been answered.
    answered: bool,
}

#[derive(Debug)]
struct Unacked {
    at: Time,
    bytes: Box<[u8]>,
}

/// Whether the peer may leave more unacknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Room {
    /// Go on.
    Left,
    /// [`SM_UNACKED_STANZAS`] or [`SM_UNACKED_BYTES`] is reached: the stanza is kept, but the
    /// session should end and give back what it holds ([`Outbound::into_undelivered`]).
    Full,
}

impl Outbound {
    /// A stream whose next stanza is number 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a stanza that is being written (or would be, if there were a connection): the bytes of
    /// [`Element::to_bytes`], that is without the declaration of `jabber:client`.
    pub fn sent(&mut self, stanza: &[u8], now: Time) -> Room {
        self.bytes += stanza.len();
        self.queue.push_back(Unacked { at: now, bytes: stanza.into() });
        if self.queue.len() >= SM_UNACKED_STANZAS || self.bytes >= SM_UNACKED_BYTES {
            Room::Full
        } else {
            Room::Left
        }
    }

    /// To be asked once when a turn's writing is done: whether to append `<r/>`
    /// ([`super::request`]). `true` notes it as written.
    ///
    /// One request is under way at a time, so that a phone is not woken for answers only; a peer
    /// that does not answer is asked again after [`REQUEST_STANZAS`] more.
    pub fn request(&mut self, now: Time) -> bool {
        let since = match self.asked {
            Some((at, _)) => self.send_count().wrapping_sub(at),
            None => self.queue.len() as u32,
        };
        let due = !self.queue.is_empty()
            && since > 0
            && (self.answered || self.asked.is_none() || since >= REQUEST_STANZAS);
        if due {
            self.asked = Some((self.send_count(), now));
            self.answered = false;
        }
        due
    }

    /// Since when an `<r/>` has been without any answer: the edge bounds it to notice a dead peer.
    pub fn unanswered_since(&self) -> Option<Time> {
        self.asked.filter(|_| !self.answered).map(|(_, at)| at)
    }

    /// The peer says how much it has handled; returns how many stanzas that releases.
    ///
    /// A lower `h` than the last is ignored: clients exist whose answers overtake each other.
    ///
    /// # Errors
    /// XEP-0198 #errors: more than was sent ends the stream.
    pub fn acknowledge(&mut self, h: u32) -> Result<usize, StreamError> {
        let ahead = h.wrapping_sub(self.acked);
        if ahead as usize > self.queue.len() {
            // Behind us in the circle of 2^32 numbers: an old answer.
            if ahead > u32::MAX / 2 {
                self.answered = true;
                return Ok(0);
            }
            return Err(self.too_high(h));
        }
        let released: usize =
            self.queue.drain(..ahead as usize).map(|unacked| unacked.bytes.len()).sum();
        self.bytes -= released;
        self.acked = h;
        self.answered = true;
        if self.queue.is_empty() {
            self.queue.shrink_to(IDLE_SLOTS);
        }
        Ok(ahead as usize)
    }

    fn too_high(&self, h: u32) -> StreamError {
        let sent = self.send_count();
        StreamError::new(StreamCondition::UndefinedCondition, "XEP-0198 #errors")
            .text(format!("You acknowledged {h} stanzas, but I only sent you {sent} so far."))
            .more(
                Element::new("handled-count-too-high", ns::SM)
                    .with_attr("h", h.to_string())
                    .with_attr("send-count", sent.to_string()),
            )
    }

    /// Stanzas sent so far, modulo 2^32.
    pub fn send_count(&self) -> u32 {
        self.acked.wrapping_add(self.queue.len() as u32)
    }

    /// Number of unacknowledged stanzas.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether the peer has acknowledged everything.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of unacknowledged stanzas.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the `h` of a `<resume/>` and gives what must be written behind `<resumed/>`, oldest
    /// first: every stanza still unacknowledged, with the moment of its first sending stamped on it
    /// as `domain`'s delay. They stay in the queue under their old numbers.
    ///
    /// # Errors
    /// As for [`Self::acknowledge`].
    pub fn resume(
        &mut self,
        h: u32,
        domain: &str,
    ) -> Result<impl Iterator<Item = Vec<u8>>, StreamError> {
        self.acknowledge(h)?;
        // Whatever was asked, it was asked on another connection.
        (self.asked, self.answered) = (None, false);
        Ok(self.queue.iter().map(|unacked| unacked.stamped(domain)))
    }

    /// The session is over: what its peer may never have seen, oldest first, to be treated as if it
    /// had been sent to an unavailable resource (XEP-0198 #acking), stamped with `domain`'s delay.
    pub fn into_undelivered(self, domain: &str) -> Vec<Stanza> {
        self.queue.into_iter().filter_map(|unacked| unacked.parse(domain)).collect()
    }

    #[cfg(test)]
    pub(super) fn starting_at(acked: u32) -> Self {
        Self { acked, ..Self::default() }
    }
}

impl Unacked {
    /// The bytes with a `<delay/>` (XEP-0203) before the end tag, unless they carry one or it would
    /// make no sense: an IQ answer is not late, it is an answer.
    fn stamped(&self, domain: &str) -> Vec<u8> {
        let bytes = &*self.bytes;
        let end: &[u8] = match bytes {
            [b'<', b'm', ..] => b"</message>",
            [b'<', b'p', ..] => b"</presence>",
            _ => b"",
        };
        let marked = bytes.windows(ns::DELAY.len()).any(|part| part == ns::DELAY.as_bytes());
        let Some(open) = bytes.strip_suffix(end).filter(|_| !end.is_empty() && !marked) else {
            return bytes.to_vec();
        };
        let mut out = Vec::with_capacity(bytes.len() + 96);
        out.extend_from_slice(open);
        Element::new("delay", ns::DELAY)
            .with_attr("from", domain)
            .with_attr("stamp", self.at.to_datetime())
            .write(&mut out, ns::CLIENT);
        out.extend_from_slice(end);
        out
    }

    fn parse(&self, domain: &str) -> Option<Stanza> {
        let mut document = format!("<x xmlns='{}'>", ns::CLIENT).into_bytes();
        document.extend_from_slice(&self.stamped(domain));
        document.extend_from_slice(b"</x>");
        let wrapped = parse_document(&document, &OWN_LIMITS).ok();
        let stanza = wrapped
            .and_then(|el| el.children().next().cloned())
            .and_then(|el| Stanza::from_element(el).ok());
        debug_assert!(stanza.is_some(), "our own canonical bytes can be read back");
        stanza
    }
}

/// `<r/>` (XEP-0198 #acking).
pub fn request() -> Element {
    Element::new("r", ns::SM)
}

/// What we wrote ourselves may be as large as any peer of ours could make it.
const OWN_LIMITS: StreamLimits = StreamLimits {
    stanza_bytes: usize::MAX,
    depth: 1024,
    elements: usize::MAX,
    attributes: usize::MAX,
    // The parser sets this much aside.
    token_bytes: 2 * StreamLimits::SERVER.token_bytes,
};

/// Stanzas after which a peer that owes an answer is asked again.
pub const REQUEST_STANZAS: u32 = 32;

/// Slots kept for an idle stream; more are given back.
const IDLE_SLOTS: usize = 16;
