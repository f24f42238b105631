//! The stream machine by the rules of RFC 6120.

use super::*;
use crate::auth::{AuthChannel, AuthFailure, AuthReply, AuthStep, ChannelBindings, Identity};
use crate::{Ctx, Element, FullJid, Ids, StreamCondition, Time, ns};

struct Counter(u8);

impl Ids for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 = self.0.wrapping_add(1);
        out.fill(self.0);
    }
}

struct OneHost {
    tls_required: bool,
}

impl Hosts for OneHost {
    fn host(&self, domain: &str, _: &AuthChannel) -> Option<Offer> {
        (domain == "example.org").then(|| Offer {
            mechanisms: vec!["SCRAM-SHA-1".to_owned()],
            tls: true,
            tls_required: self.tls_required,
            ..Offer::default()
        })
    }
}

static FEATURES: &[&dyn StreamFeature] = &[&StartTls, &Sasl, &Bind];

struct Peer {
    stream: Stream,
    hosts: OneHost,
    ids: Counter,
}

impl Peer {
    fn new(tls_required: bool) -> Self {
        let stream = Stream::new(FEATURES, AuthChannel::default());
        Self { stream, hosts: OneHost { tls_required }, ids: Counter(0) }
    }

    fn says(&mut self, input: StreamInput) -> Vec<StreamEffect> {
        let mut out = Vec::new();
        let mut ctx = Ctx { now: Time(0), ids: &mut self.ids };
        self.stream.handle(input, &self.hosts, &mut ctx, &mut out);
        out
    }

    fn sends(&mut self, el: Element) -> Vec<StreamEffect> {
        self.says(StreamInput::Element(el))
    }

    fn opens(&mut self, attrs: &[(&str, &str)]) -> Vec<StreamEffect> {
        let mut header = Element::new("stream", ns::STREAM);
        for (name, value) in attrs {
            header.set_attr(name, value);
        }
        self.says(StreamInput::Open(header))
    }

    fn bound() -> Self {
        let mut peer = Self::new(false);
        peer.opens(&[("to", "example.org"), ("version", "1.0")]);
        peer.sends(auth());
        peer.says(StreamInput::Answer(StreamAnswer::Auth(success())));
        peer.opens(&[("to", "example.org"), ("version", "1.0")]);
        let bind = Element::new("iq", ns::CLIENT)
            .with_attr("type", "set")
            .with_attr("id", "b1")
            .with_child(Element::new("bind", ns::BIND));
        let out = peer.sends(bind);
        assert!(matches!(&out[..], [StreamEffect::Attach { resource: None, .. }]), "{out:?}");
        let out = peer.says(StreamInput::Answer(StreamAnswer::Attached(Ok(alice()))));
        assert!(matches!(&out[..], [StreamEffect::Write(_), StreamEffect::Bound(_)]), "{out:?}");
        peer
    }
}

fn alice() -> FullJid {
    FullJid::new("alice@example.org/home").expect("a JID")
}

fn auth() -> Element {
    Element::new("auth", ns::SASL).with_attr("mechanism", "SCRAM-SHA-1").with_text("biws")
}

fn success() -> AuthReply {
    AuthReply::Success {
        additional: None,
        identity: Identity {
            local: "alice".to_owned(),
            domain: "example.org".to_owned(),
            anonymous: false,
            mechanism: "SCRAM-SHA-1".to_owned(),
            expires: None,
        },
        token: None,
    }
}

fn ended(out: &[StreamEffect]) -> Option<StreamCondition> {
    match out.last() {
        Some(StreamEffect::End(Some(error))) => Some(error.condition),
        _ => None,
    }
}

fn written(out: &[StreamEffect]) -> String {
    let mut all = String::new();
    for effect in out {
        if let StreamEffect::Write(el) = effect {
            all.push_str(&el.to_string());
        }
    }
    all
}

#[test]
fn rfc6120_4_7_header_faults() {
    let cases: &[(&[(&str, &str)], StreamCondition)] = &[
        (&[("to", "example.org")], StreamCondition::UnsupportedVersion),
        (&[("to", "example.org"), ("version", "0.9")], StreamCondition::UnsupportedVersion),
        (&[("version", "1.0")], StreamCondition::ImproperAddressing),
        (&[("to", "a@example.org"), ("version", "1.0")], StreamCondition::ImproperAddressing),
        (&[("to", "other.example"), ("version", "1.0")], StreamCondition::HostUnknown),
        (
            &[("to", "example.org"), ("from", "@@"), ("version", "1.0")],
            StreamCondition::InvalidFrom,
        ),
    ];
    for (attrs, condition) in cases {
        let out = Peer::new(false).opens(attrs);
        assert!(matches!(out[0], StreamEffect::Header(_)), "the error stands in an open stream");
        assert_eq!(ended(&out), Some(*condition), "{attrs:?}");
    }
    let mut peer = Peer::new(false);
    let out = peer.says(StreamInput::Open(Element::new("stream", "urn:example:other")));
    assert_eq!(ended(&out), Some(StreamCondition::InvalidNamespace));
    let out = Peer::new(false).says(StreamInput::Open(Element::new("flow", ns::STREAM)));
    assert_eq!(ended(&out), Some(StreamCondition::BadFormat));
}

#[test]
fn rfc6120_4_7_5_newer_minor_version_is_fine() {
    let out = Peer::new(false).opens(&[("to", "example.org"), ("version", "1.1")]);
    assert_eq!(ended(&out), None);
}

#[test]
fn rfc7590_nothing_before_required_tls() {
    let mut peer = Peer::new(true);
    let out = written(&peer.opens(&[("to", "example.org"), ("version", "1.0")]));
    assert!(out.contains("<required/>") && !out.contains("mechanisms"), "{out}");
    let out = written(&peer.sends(auth()));
    assert!(out.contains("<encryption-required/>"), "{out}");
    let out = peer.sends(Element::new("starttls", ns::TLS));
    assert!(matches!(&out[..], [StreamEffect::Write(_), StreamEffect::StartTls]), "{out:?}");
    peer.says(StreamInput::Secured(ChannelBindings::default()));
    let out = written(&peer.opens(&[("to", "example.org"), ("version", "1.0")]));
    assert!(out.contains("mechanisms") && !out.contains("starttls"), "{out}");
    // RFC 6120 §5.4.2.2: TLS inside TLS is a failure that ends the stream.
    let out = peer.sends(Element::new("starttls", ns::TLS));
    assert!(written(&out).contains("<failure") && ended(&out).is_some(), "{out:?}");
}

#[test]
fn rfc6120_4_3_3_addresses_may_not_change_over_a_restart() {
    let mut peer = Peer::new(true);
    peer.opens(&[("to", "example.org"), ("from", "alice@example.org"), ("version", "1.0")]);
    peer.sends(Element::new("starttls", ns::TLS));
    peer.says(StreamInput::Secured(ChannelBindings::default()));
    let out =
        peer.opens(&[("to", "example.org"), ("from", "mallory@example.org"), ("version", "1.0")]);
    assert_eq!(ended(&out), Some(StreamCondition::InvalidFrom));
}

#[test]
fn rfc6120_7_1_no_stanza_before_binding() {
    let mut peer = Peer::new(false);
    peer.opens(&[("to", "example.org"), ("version", "1.0")]);
    let out = peer.sends(Element::new("message", ns::CLIENT).with_attr("to", "b@example.org"));
    assert_eq!(ended(&out), Some(StreamCondition::NotAuthorized));
}

#[test]
fn rfc6120_6_4_5_too_many_failures() {
    let mut peer = Peer::new(false);
    peer.opens(&[("to", "example.org"), ("version", "1.0")]);
    for attempt in 1..=5 {
        let out = peer.sends(auth());
        assert!(matches!(&out[..], [StreamEffect::Auth(AuthStep::Begin { .. })]), "{out:?}");
        let failure = AuthReply::Failure(AuthFailure::NotAuthorized);
        let out = peer.says(StreamInput::Answer(StreamAnswer::Auth(failure)));
        assert!(written(&out).contains("<not-authorized/>"));
        assert_eq!(ended(&out).is_some(), attempt == 5);
    }
}

#[test]
fn rfc6120_6_4_2_encoding_and_mechanism() {
    let mut peer = Peer::new(false);
    peer.opens(&[("to", "example.org"), ("version", "1.0")]);
    let unknown = Element::new("auth", ns::SASL).with_attr("mechanism", "X-NONE");
    assert!(written(&peer.sends(unknown)).contains("<invalid-mechanism/>"));
    let bad = Element::new("auth", ns::SASL).with_attr("mechanism", "SCRAM-SHA-1").with_text("?");
    assert!(written(&peer.sends(bad)).contains("<incorrect-encoding/>"));
    let stray = Element::new("response", ns::SASL);
    assert!(written(&peer.sends(stray)).contains("<malformed-request/>"));
}

#[test]
fn rfc6120_8_1_2_1_clients_speak_for_themselves() {
    let message = |from: &str| Element::new("message", ns::CLIENT).with_attr("from", from);
    for from in ["alice@example.org/home", "alice@example.org"] {
        let out = Peer::bound().sends(message(from));
        let [StreamEffect::Stanza(stanza)] = &out[..] else { panic!("{out:?}") };
        assert_eq!(stanza.from(), Some(&alice().into()));
    }
    for from in ["alice@example.org/other", "bob@example.org", "example.org"] {
        let out = Peer::bound().sends(message(from));
        assert_eq!(ended(&out), Some(StreamCondition::InvalidFrom), "{from}");
    }
}

#[test]
fn rfc6120_8_3_3_8_bad_address_costs_the_stanza_only() {
    let mut peer = Peer::bound();
    let out = peer
        .sends(Element::new("message", ns::CLIENT).with_attr("id", "m1").with_attr("to", "a@b@c"));
    assert!(written(&out).contains("<jid-malformed"), "{out:?}");
    let out = peer.sends(Element::new("message", ns::CLIENT).with_attr("to", "b@example.org"));
    assert!(matches!(&out[..], [StreamEffect::Stanza(_)]));
}

#[test]
fn rfc6120_8_2_3_iq_form() {
    let query = || Element::new("query", "urn:example:q");
    let iq = |type_: &str| Element::new("iq", ns::CLIENT).with_attr("type", type_);
    let bad = [
        iq("get").with_child(query()),
        iq("get").with_attr("id", "1"),
        iq("set").with_attr("id", "1").with_child(query()).with_child(query()),
        iq("ask").with_attr("id", "1").with_child(query()),
        Element::new("iq", ns::CLIENT).with_attr("id", "1").with_child(query()),
    ];
    for el in bad {
        let out = Peer::bound().sends(el.clone());
        assert!(written(&out).contains("<bad-request"), "{el}");
    }
}

#[test]
fn rfc6120_4_9_3_24_unknown_elements() {
    let mut peer = Peer::new(false);
    peer.opens(&[("to", "example.org"), ("version", "1.0")]);
    let out = peer.sends(Element::new("surprise", "urn:example:q"));
    assert_eq!(ended(&out), Some(StreamCondition::UnsupportedStanzaType));
    let out = Peer::bound().sends(Element::new("query", ns::CLIENT));
    assert_eq!(ended(&out), Some(StreamCondition::UnsupportedStanzaType));
}

#[test]
fn rfc6120_4_9_1_1_error_is_answered_by_closing() {
    let out = Peer::bound().sends(Element::new("error", ns::STREAM));
    assert!(matches!(&out[..], [StreamEffect::End(None)]), "{out:?}");
}

#[test]
fn rfc6120_5_4_negotiation_has_an_end() {
    let mut peer = Peer::new(false);
    peer.opens(&[("to", "example.org"), ("version", "1.0")]);
    let out = peer.says(StreamInput::Overdue);
    assert_eq!(ended(&out), Some(StreamCondition::ConnectionTimeout));
    assert_eq!(peer.sends(auth()).len(), 0, "an ended stream does nothing");
    let out = Peer::bound().says(StreamInput::Overdue);
    assert!(out.is_empty(), "a bound session has no such deadline");
}

#[test]
fn rfc6120_8_1_5_language_of_the_stream() {
    let mut peer = Peer::new(false);
    let header = || {
        Element::new("stream", ns::STREAM)
            .with_attr("to", "example.org")
            .with_attr("version", "1.0")
            .with_attr_ns(ns::XML, "lang", "de")
    };
    peer.says(StreamInput::Open(header()));
    peer.sends(auth());
    peer.says(StreamInput::Answer(StreamAnswer::Auth(success())));
    peer.says(StreamInput::Open(header()));
    let bind = Element::new("iq", ns::CLIENT).with_attr("type", "set").with_attr("id", "b1");
    peer.sends(bind.with_child(Element::new("bind", ns::BIND)));
    peer.says(StreamInput::Answer(StreamAnswer::Attached(Ok(alice()))));
    let lang = |out: Vec<StreamEffect>| match &out[..] {
        [StreamEffect::Stanza(stanza)] => {
            stanza.element().attr_ns(ns::XML, "lang").map(str::to_owned)
        }
        _ => panic!("{out:?}"),
    };
    let message = Element::new("message", ns::CLIENT);
    assert_eq!(lang(peer.sends(message.clone())).as_deref(), Some("de"));
    let french = message.with_attr_ns(ns::XML, "lang", "fr");
    assert_eq!(lang(peer.sends(french)).as_deref(), Some("fr"));
}
