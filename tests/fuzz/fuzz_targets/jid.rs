//! Addresses: what is a JID is one in the form in which it is written, and a stanza keeps the two
//! forms of its addresses the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oc_core::{Condition, Element, Jid, Kind, Malformed, Reject, Stanza, ns, sasl};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once('\n').unwrap_or((&text, ""));
    for address in [first, second] {
        if let Ok(jid) = Jid::new(address) {
            same_again(&jid);
        }
    }
    stanza(first, second);
    login(first, second);
});

/// RFC 7622 §3.1: the parts have bounds, and preparing them again changes nothing.
fn same_again(jid: &Jid) {
    let written = jid.to_string();
    assert_eq!(written, jid.as_str());
    assert_eq!(Jid::new(&written).as_ref(), Ok(jid), "{written:?}");
    let bounded = |part: &str| (1..=1023).contains(&part.len());
    assert!(bounded(jid.domain().as_str()), "{written:?}");
    assert!(jid.node().is_none_or(|node| bounded(node.as_str())), "{written:?}");
    assert!(jid.resource().is_none_or(|resource| bounded(resource.as_str())), "{written:?}");
    let bare = jid.to_bare();
    assert!(bare.as_str().len() <= written.len() && written.starts_with(bare.as_str()));
    assert_eq!(Jid::new(bare.as_str()).map(|j| j.to_bare()), Ok(bare));
}

fn stanza(to: &str, from: &str) {
    let el = |name: &str| {
        Element::new(name, ns::CLIENT)
            .with_attr("id", "1")
            .with_attr("to", to)
            .with_attr("from", from)
    };
    for kind in [Kind::Message, Kind::Presence, Kind::Iq] {
        let good = Jid::new(to).is_ok() && Jid::new(from).is_ok();
        let read = Stanza::from_element(el(kind.name()).with_attr("type", "get"));
        let stanza = match read {
            Ok(stanza) => {
                assert!(good);
                assert_eq!(stanza.to().cloned(), Jid::new(to).ok());
                assert_eq!(stanza.from().cloned(), Jid::new(from).ok());
                stanza
            }
            Err(Malformed::Address(stanza)) => {
                assert!(!good);
                assert_eq!(stanza.to().is_some(), stanza.element().attr("to").is_some());
                assert_eq!(stanza.from().is_some(), stanza.element().attr("from").is_some());
                *stanza
            }
            Err(Malformed::NotAStanza) => panic!("{} is a stanza", kind.name()),
        };
        let answer = stanza.error(&Reject::new(Condition::ItemNotFound, "RFC 6120 §8.3.3.7"));
        let answer = answer.expect("a request is answered");
        assert_eq!((answer.to(), answer.from()), (stanza.from(), stanza.to()));
        assert_eq!(answer.element().attr("to"), answer.to().map(Jid::as_str));
        assert!(answer.error(&Reject::new(Condition::ItemNotFound, "RFC 6120 §8.3.1")).is_none());
    }
    assert_eq!(Stanza::from_element(el("message2")), Err(Malformed::NotAStanza));
}

/// Nobody becomes another account than the one named.
fn login(authcid: &str, authzid: &str) {
    let Ok(account) = sasl::account("example.org", authcid, None) else { return };
    assert_eq!(account.domain().as_str(), "example.org");
    assert!(account.node().is_some());
    same_again(&account.clone().into());
    if let Ok(same) = sasl::account("example.org", authcid, Some(authzid)) {
        assert_eq!(same, account);
    }
}
