//! XEP-0352: Client State Indication.
//!
//! While nobody looks at a client, presence and chat states wait here, so that a phone's radio can
//! sleep; of each sender only the newest presence is kept. The first stanza that somebody would
//! want to see at once takes everything along that came before it, so order is never changed for
//! the client.

use std::collections::VecDeque;

use oc_core::spec::{Status, Xep};
use oc_core::stream::{Negotiation, StreamFeature};
use oc_core::{Element, Kind, Stanza, ns};

/// Namespace of both states and of the stream feature.
pub const NS: &str = "urn:xmpp:csi:0";

/// Stanzas that wait at most; beyond, all are sent.
pub const HELD: usize = 200;
/// Bytes that wait at most, so that few large events do not take what many small ones may.
pub const HELD_BYTES: usize = 256 * 1024;

/// Head.
pub static XEP: Xep = Xep {
    number: "0352",
    title: "Client State Indication",
    version: "1.0.0",
    status: Status::Complete,
    folder: "csi",
    features: &[],
    note: "holds presence, chat states and PEP events while a client is inactive",
};

/// What one client's state does to its stanzas.
#[derive(Debug, Default)]
pub struct Csi {
    inactive: bool,
    held: VecDeque<Stanza>,
    /// Bytes of `held` as they would be sent.
    bytes: usize,
}

impl Csi {
    /// Whether nobody looks at the client.
    pub fn is_inactive(&self) -> bool {
        self.inactive
    }

    /// XEP-0352 #stream-resumption: a resumed stream begins active; gives what waits.
    pub fn resumed(&mut self) -> VecDeque<Stanza> {
        self.inactive = false;
        self.release()
    }

    /// Takes `<active/>` or `<inactive/>` and gives what is to be sent because of it; `None` for
    /// any other element.
    pub fn take(&mut self, el: &Element) -> Option<VecDeque<Stanza>> {
        match el.name() {
            _ if *el.ns() != *NS => None,
            "active" => {
                self.inactive = false;
                Some(self.release())
            }
            "inactive" => {
                self.inactive = true;
                Some(VecDeque::new())
            }
            _ => None,
        }
    }

    /// A stanza for the client: what is to be sent now, in order.
    pub fn outgoing(&mut self, stanza: Stanza) -> VecDeque<Stanza> {
        if self.inactive && can_wait(&stanza) {
            if stanza.kind() == Kind::Presence {
                let bytes = &mut self.bytes;
                self.held.retain(|h| {
                    let stays = h.kind() != Kind::Presence || h.from() != stanza.from();
                    *bytes -= if stays { 0 } else { size(h) };
                    stays
                });
            }
            self.bytes += size(&stanza);
            self.held.push_back(stanza);
            let full = self.held.len() > HELD || self.bytes > HELD_BYTES;
            return if full { self.release() } else { VecDeque::new() };
        }
        let mut now = self.release();
        now.push_back(stanza);
        now
    }

    /// Everything that waits.
    pub fn release(&mut self) -> VecDeque<Stanza> {
        self.bytes = 0;
        std::mem::take(&mut self.held)
    }
}

fn size(stanza: &Stanza) -> usize {
    stanza.element().to_bytes().len()
}

/// Whether a person would not miss the stanza while they do not look.
fn can_wait(stanza: &Stanza) -> bool {
    match stanza.kind() {
        Kind::Iq => false,
        // Subscription requests and errors are for people; a status code of a room answers
        // something that the client has just done (XEP-0045 #enter-pres).
        Kind::Presence => {
            matches!(stanza.type_(), None | Some("unavailable"))
                && !stanza.element().children().any(|x| x.has_child("status", ns::MUC_USER))
        }
        Kind::Message => {
            let mut children = stanza.element().children().peekable();
            stanza.type_() != Some("error")
                && children.peek().is_some()
                && children.all(|child| {
                    let name = child.ns().as_str();
                    matches!(name, ns::CHAT_STATES | ns::HINTS | ns::PUBSUB_EVENT)
                        || child.is("thread", ns::CLIENT)
                })
        }
    }
}

/// The stream feature.
pub struct ClientState;

impl StreamFeature for ClientState {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        if n.identity.is_some() {
            out.push(Element::new("csi", NS));
        }
    }
}

#[cfg(test)]
mod tests {
    use oc_core::FullJid;

    use super::*;

    fn from(who: &str, stanza: Stanza) -> Stanza {
        stanza.from_jid(FullJid::new(who).expect("a JID"))
    }

    fn presence(who: &str, show: &str) -> Stanza {
        let show = Element::new("show", ns::CLIENT).with_text(show);
        from(who, Stanza::new(Kind::Presence).with_child(show))
    }

    fn message(text: &str) -> Stanza {
        let body = Element::new("body", ns::CLIENT).with_text(text);
        from("bob@example.org/x", Stanza::new(Kind::Message).with_child(body))
    }

    fn composing() -> Stanza {
        let state = Element::new("composing", ns::CHAT_STATES);
        from("bob@example.org/x", Stanza::new(Kind::Message).with_child(state))
    }

    fn inactive() -> Csi {
        let mut csi = Csi::default();
        assert_eq!(csi.take(&Element::new("inactive", NS)), Some(VecDeque::new()));
        csi
    }

    #[test]
    fn xep_0352_active_client_gets_everything() {
        let mut csi = Csi::default();
        assert_eq!(csi.outgoing(composing()), [composing()]);
        assert_eq!(csi.take(&Element::new("idle", NS)), None);
    }

    #[test]
    fn xep_0352_important_stanza_takes_the_rest_along() {
        let mut csi = inactive();
        assert_eq!(csi.outgoing(presence("a@example.org/x", "away")), []);
        assert_eq!(csi.outgoing(composing()), []);
        assert_eq!(csi.outgoing(presence("a@example.org/x", "dnd")), []);
        assert_eq!(
            csi.outgoing(message("hello")),
            [composing(), presence("a@example.org/x", "dnd"), message("hello")]
        );
    }

    #[test]
    fn xep_0352_active_again() {
        let mut csi = inactive();
        csi.outgoing(composing());
        let sent = csi.take(&Element::new("active", NS));
        assert_eq!(sent, Some(VecDeque::from([composing()])));
        assert_eq!(csi.outgoing(composing()), [composing()]);
    }

    #[test]
    fn xep_0352_never_held() {
        let mut csi = inactive();
        let subscribe = Stanza::with_type(Kind::Presence, "subscribe");
        let error = Stanza::with_type(Kind::Message, "error")
            .with_child(Element::new("active", ns::CHAT_STATES));
        let iq = Stanza::with_type(Kind::Iq, "get");
        for stanza in [subscribe, error, iq] {
            assert_eq!(csi.outgoing(stanza.clone()), [stanza]);
        }
    }

    #[test]
    fn xep_0352_bounded() {
        let mut csi = inactive();
        let sent: usize = (0..=HELD)
            .map(|n| csi.outgoing(presence(&format!("a{n}@example.org/x"), "away")).len())
            .sum();
        assert_eq!(sent, HELD + 1);
    }

    #[test]
    fn xep_0352_bounded_in_bytes() {
        let large = "x".repeat(HELD_BYTES / 2);
        let mut csi = inactive();
        // Of one sender only the newest counts.
        for _ in 0..5 {
            assert_eq!(csi.outgoing(presence("a@example.org/x", &large)), []);
        }
        assert_eq!(csi.outgoing(presence("b@example.org/x", &large)).len(), 2);
        assert_eq!(
            csi.outgoing(presence("b@example.org/x", &large)),
            [],
            "counted from zero again"
        );
    }
}
