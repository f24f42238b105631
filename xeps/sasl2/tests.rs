use oc_core::auth::{AuthChannel, AuthReply, AuthStep, Identity, Secret};
use oc_core::stream::{
    Hosts, Offer, Stream, StreamAnswer, StreamEffect, StreamFeature, StreamInput,
};
use oc_core::{BareJid, Ctx, Element, FullJid, Ids, Time, ns};

use super::{NS, Sasl2};

struct Counter(u8);

impl Ids for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 += 1;
        out.fill(self.0);
    }
}

struct OneHost;

impl Hosts for OneHost {
    fn host(&self, domain: &str, _: &AuthChannel) -> Option<Offer> {
        (domain == "example.org").then(|| Offer {
            mechanisms: vec!["SCRAM-SHA-1".to_owned()],
            fast: vec!["HT-SHA-256-NONE".to_owned()],
            ..Offer::default()
        })
    }
}

static FEATURES: &[&dyn StreamFeature] = &[&Sasl2 { session: &["urn:xmpp:sm:3"] }];

struct Peer {
    stream: Stream,
    ids: Counter,
}

impl Peer {
    fn new() -> Self {
        let mut peer =
            Self { stream: Stream::new(FEATURES, AuthChannel::default()), ids: Counter(0) };
        let header = Element::new("stream", ns::STREAM)
            .with_attr("to", "example.org")
            .with_attr("version", "1.0");
        peer.says(StreamInput::Open(header));
        peer
    }

    fn says(&mut self, input: StreamInput) -> Vec<StreamEffect> {
        let mut out = Vec::new();
        let mut ctx = Ctx { now: Time(0), ids: &mut self.ids };
        self.stream.handle(input, &OneHost, &mut ctx, &mut out);
        out
    }

    fn hears(&mut self, answer: StreamAnswer) -> Vec<StreamEffect> {
        self.says(StreamInput::Answer(answer))
    }

    fn authenticates(&mut self, children: impl IntoIterator<Item = Element>) {
        let el = Element::new("authenticate", NS)
            .with_attr("mechanism", "SCRAM-SHA-1")
            .with_child(Element::new("initial-response", NS).with_text("biws"))
            .with_children(children);
        let out = self.says(StreamInput::Element(el));
        assert!(matches!(&out[..], [StreamEffect::Auth(AuthStep::Begin { .. })]), "{out:?}");
        assert!(!self.stream.reads(), "nothing is read while the identity service thinks");
    }

    fn succeeds(&mut self) -> Vec<StreamEffect> {
        self.hears(StreamAnswer::Auth(AuthReply::Success {
            additional: Some(Secret(b"v=x".to_vec())),
            identity: Identity {
                local: "alice".to_owned(),
                domain: "example.org".to_owned(),
                anonymous: false,
                mechanism: "SCRAM-SHA-1".to_owned(),
                expires: None,
            },
            token: None,
        }))
    }
}

fn written(effects: &[StreamEffect]) -> Vec<String> {
    let text = |e: &StreamEffect| match e {
        StreamEffect::Write(el) => Some(el.to_string()),
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}

fn alice() -> FullJid {
    FullJid::new("alice@example.org/Test/abc").expect("a JID")
}

#[test]
fn xep_0388_success_without_bind_sends_features() {
    let mut peer = Peer::new();
    peer.authenticates([]);
    let out = written(&peer.succeeds());
    assert_eq!(
        out[0],
        "<success xmlns='urn:xmpp:sasl:2'><additional-data>dj14</additional-data>\
         <authorization-identifier>alice@example.org</authorization-identifier></success>"
    );
    assert!(out[1].starts_with("<stream:features"), "{}", out[1]);
}

#[test]
fn xep_0386_bind_inline_with_stream_management() {
    let mut peer = Peer::new();
    peer.authenticates([Element::new("bind", "urn:xmpp:bind:0")
        .with_child(Element::new("tag", "urn:xmpp:bind:0").with_text("Test"))
        .with_child(Element::new("enable", ns::SM))]);
    let out = peer.succeeds();
    let Some(StreamEffect::Attach { account, resource }) = out.last() else { panic!("{out:?}") };
    assert_eq!(*account, BareJid::new("alice@example.org").unwrap());
    assert!(resource.as_ref().unwrap().starts_with("Test/"));
    let out = peer.hears(StreamAnswer::Attached(Ok(alice())));
    let [StreamEffect::Inline(requests)] = &out[..] else { panic!("{out:?}") };
    assert!(requests[0].is("enable", ns::SM));
    let enabled = Element::new("enabled", ns::SM).with_attr("id", "some");
    let out = peer.hears(StreamAnswer::Inline(vec![enabled]));
    assert_eq!(
        written(&out)[0],
        "<success xmlns='urn:xmpp:sasl:2'><additional-data>dj14</additional-data>\
         <authorization-identifier>alice@example.org/Test/abc</authorization-identifier>\
         <bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3' id='some'/></bound>\
         </success>"
    );
    assert!(out.iter().any(|e| matches!(e, StreamEffect::Bound(jid) if *jid == alice())));
}

#[test]
fn xep_0386_resume_precedes_bind() {
    let mut peer = Peer::new();
    let resume = Element::new("resume", ns::SM).with_attr("previd", "x").with_attr("h", "3");
    peer.authenticates([resume, Element::new("bind", "urn:xmpp:bind:0")]);
    let out = peer.succeeds();
    assert!(matches!(out.last(), Some(StreamEffect::Resume { .. })), "{out:?}");
    // Failed: bind is tried, and success tells of both.
    let failed = Element::new("failed", ns::SM);
    let out = peer.hears(StreamAnswer::Resumed(Err(failed)));
    assert!(matches!(out.last(), Some(StreamEffect::Attach { .. })), "{out:?}");
    peer.hears(StreamAnswer::Attached(Ok(alice())));
    let out = written(&peer.hears(StreamAnswer::Inline(vec![])));
    assert!(out[0].contains("<failed xmlns='urn:xmpp:sm:3'/><bound"), "{}", out[0]);
}

#[test]
fn xep_0386_successful_resumption_skips_bind() {
    let mut peer = Peer::new();
    let resume = Element::new("resume", ns::SM).with_attr("previd", "x").with_attr("h", "3");
    peer.authenticates([resume, Element::new("bind", "urn:xmpp:bind:0")]);
    peer.succeeds();
    peer.stream.resume_as(alice());
    let resumed = Element::new("resumed", ns::SM).with_attr("h", "5");
    let out = peer.hears(StreamAnswer::Resumed(Ok(resumed)));
    let all = written(&out);
    assert!(all[0].contains("<resumed xmlns='urn:xmpp:sm:3' h='5'/></success>"), "{}", all[0]);
    assert!(!all[0].contains("bound"));
    assert!(out.iter().any(|e| matches!(e, StreamEffect::Resumed)));
}

#[test]
fn xep_0388_failure_then_too_many() {
    let mut peer = Peer::new();
    for attempt in 1..=5 {
        peer.authenticates([]);
        let out = peer.hears(StreamAnswer::Auth(AuthReply::Failure(
            oc_core::auth::AuthFailure::NotAuthorized,
        )));
        assert_eq!(
            written(&out)[0],
            "<failure xmlns='urn:xmpp:sasl:2'>\
             <not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
        );
        let ended = out.iter().any(|e| matches!(e, StreamEffect::End(Some(_))));
        assert_eq!(ended, attempt == 5);
    }
}

#[test]
fn xep_0480_task_is_relayed() {
    let mut peer = Peer::new();
    peer.authenticates(
        [Element::new("upgrade", super::NS_UPGRADE).with_text("UPGR-SCRAM-SHA-256")],
    );
    let out = written(&peer.hears(StreamAnswer::Auth(AuthReply::Continue {
        additional: None,
        tasks: vec!["UPGR-SCRAM-SHA-256".to_owned()],
    })));
    assert_eq!(
        out[0],
        "<continue xmlns='urn:xmpp:sasl:2'>\
         <tasks><task>UPGR-SCRAM-SHA-256</task></tasks></continue>"
    );
    let next = Element::new("next", NS).with_attr("task", "UPGR-SCRAM-SHA-256");
    let out = peer.says(StreamInput::Element(next));
    assert!(matches!(&out[..], [StreamEffect::Auth(AuthStep::Task { data: None, .. })]));
    let salt = Element::new("salt", "urn:xmpp:scram-upgrade:0").with_text("AAAA");
    peer.hears(StreamAnswer::Auth(AuthReply::TaskData(salt)));
    let hash = Element::new("hash", "urn:xmpp:scram-upgrade:0").with_text("AQID");
    let out = peer.says(StreamInput::Element(Element::new("task-data", NS).with_child(hash)));
    let [StreamEffect::Auth(AuthStep::Task { data: Some(data), task })] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!((&data[..], task.as_str()), (&[1u8, 2, 3][..], "UPGR-SCRAM-SHA-256"));
}
