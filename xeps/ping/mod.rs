//! XMPP Ping.
//!
//! Whoever asks a domain or an account whether it is there hears that it is. That a client is there
//! is asked by the edge that owns its connection.

use oc_core::account::{self, AccountFeature};
use oc_core::feature::Answer;
use oc_core::host::{HostFeature, Turn};
use oc_core::spec::{Status, Xep};
use oc_core::{Element, Stanza};

/// Namespace of the protocol.
pub const NS: &str = "urn:xmpp:ping";

/// XEP-0199
pub static XEP: Xep = Xep {
    number: "0199",
    title: "XMPP Ping",
    version: "2.0.1",
    status: Status::Complete,
    folder: "ping",
    features: &[NS],
    note: "",
};

/// Answers pings to a domain (XEP-0199 #c2s, XEP-0199 #s2s).
pub struct Ping;

impl HostFeature for Ping {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, query: &Stanza, _turn: &mut Turn<'_, '_>) -> Answer {
        pong(query)
    }
}

/// Answers pings to an account, from those who may know that it is there.
pub struct AccountPing;

impl AccountFeature for AccountPing {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, request: &Stanza, turn: &mut account::Turn<'_, '_>) -> Answer {
        if request.from().is_some_and(|from| turn.account.sees_presence(from)) {
            pong(request)
        } else {
            Answer::Pass
        }
    }
}

/// The answer to a ping, and nothing to anything else.
fn pong(query: &Stanza) -> Answer {
    if query.type_() == Some("get") && query.payload().is_some_and(is_ping) {
        Answer::Result(None)
    } else {
        Answer::Pass
    }
}

/// Whether an element is the payload of a ping.
pub fn is_ping(el: &Element) -> bool {
    el.is("ping", NS)
}

#[cfg(test)]
mod tests {
    use oc_core::host::HostSettings;
    use oc_core::{Condition, ErrorType};

    use crate::testing::{Client, Domain};

    #[test]
    fn xep_0199_c2s_without_to_or_to_the_own_account() {
        let mut juliet = Client::new("juliet@example.org");
        for to in [None, Some("juliet@example.org")] {
            let pong = juliet.iq(to, "get", "<ping xmlns='urn:xmpp:ping'/>");
            assert_eq!((pong.type_(), pong.payload()), (Some("result"), None));
        }
    }

    #[test]
    fn xep_0199_e2e_strangers_learn_nothing() {
        let mut juliet = Client::new("juliet@example.org");
        let pong = juliet.hear("eve@evil.example/r", "get", "<ping xmlns='urn:xmpp:ping'/>");
        assert_eq!(
            pong.error_condition(),
            Some((Condition::ServiceUnavailable, ErrorType::Cancel))
        );
    }

    #[test]
    fn xep_0199_c2s_ping_answered() {
        let mut domain = Domain::new(HostSettings::default());
        let pong = domain.ask("juliet@example.org/balcony", "get", "<ping xmlns='urn:xmpp:ping'/>");
        assert_eq!(pong, None);
        assert_eq!(domain.ask("montague.lit", "get", "<ping xmlns='urn:xmpp:ping'/>"), None);
        assert!(domain.features().contains(&"urn:xmpp:ping"));
    }

    #[test]
    fn xep_0199_protocol_only_get() {
        let mut domain = Domain::new(HostSettings::default());
        let refused = domain.refused("a@example.org/r", "set", "<ping xmlns='urn:xmpp:ping'/>");
        assert_eq!(refused, (Condition::ServiceUnavailable, ErrorType::Cancel));
    }
}
