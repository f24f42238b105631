use std::time::Duration;

use oc_core::limits::StreamLimits;
use oc_core::xml::parse_document;
use oc_core::{Ctx, Element, Ids, StreamCondition, StreamError, Time, ns};

use super::*;

struct Counter(u8);

impl Ids for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }
}

const SETTINGS: Settings = Settings {
    wait: Duration::from_secs(60),
    inactivity: Duration::from_secs(30),
    max_pause: Duration::from_secs(120),
};
const T0: Time = Time(1_000_000);
const FEATURES: &[u8] = b"<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>";

fn seconds(n: u64) -> Time {
    T0.after(Duration::from_secs(n))
}

fn body(attributes: &str, inside: &str) -> Element {
    let text = format!(
        "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh' \
         {attributes}>{inside}</body>"
    );
    parse_document(text.as_bytes(), &StreamLimits::CLIENT).expect("XML")
}

/// A session, what its client was told by exchange, what the stream was told.
struct Run {
    session: Session,
    told: Vec<(ExchangeId, String)>,
    heard: Vec<StreamInput>,
    ended: bool,
}

impl Run {
    fn new(attributes: &str) -> Self {
        let first = body(&format!("rid='100' to='a.example' {attributes}"), "");
        let create = Create::read(&first, &SETTINGS).expect("a creation request");
        let (mut out, mut ids) = (Vec::new(), Counter(0));
        let mut ctx = Ctx { now: T0, ids: &mut ids };
        let session = Session::new(create, &first, 0, SETTINGS, &mut ctx, &mut out);
        let mut run = Self { session, told: vec![], heard: vec![], ended: false };
        run.done(out);
        run
    }

    /// A session whose first request has been answered with the features.
    fn begun(attributes: &str) -> Self {
        let mut run = Self::new(attributes);
        run.say(FEATURES, T0);
        assert_eq!(run.told.len(), 1);
        run.told.clear();
        run.heard.clear();
        run
    }

    fn done(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Respond { exchange, body } => {
                    let text = String::from_utf8(body).expect("UTF-8");
                    parse_document(text.as_bytes(), &StreamLimits::SERVER).expect("XML");
                    assert!(self.told.iter().all(|(told, _)| *told != exchange), "answered twice");
                    self.told.push((exchange, text));
                }
                Effect::Stream(input) => self.heard.push(input),
                Effect::Ended => self.ended = true,
            }
        }
    }

    /// The exchange is named by the last two digits of the `rid`.
    fn request(&mut self, rid: u64, attributes: &str, inside: &str, now: Time) {
        self.request_as(rid % 100, rid, attributes, inside, now);
    }

    fn request_as(&mut self, exchange: u64, rid: u64, attributes: &str, inside: &str, now: Time) {
        let mut out = Vec::new();
        let body = body(&format!("rid='{rid}' sid='x' {attributes}"), inside);
        self.session.request(exchange, body, now, &mut out);
        self.done(out);
    }

    fn say(&mut self, document: &[u8], now: Time) {
        let mut out = Vec::new();
        self.session.say(document.to_vec(), now, &mut out);
        self.done(out);
    }

    fn tick(&mut self, now: Time) {
        let mut out = Vec::new();
        self.session.tick(now, &mut out);
        self.done(out);
    }

    fn end(&mut self, error: Option<&StreamError>) {
        let mut out = Vec::new();
        self.session.end(error, &mut out);
        self.done(out);
    }

    fn told(&mut self) -> Vec<(ExchangeId, String)> {
        std::mem::take(&mut self.told)
    }

    /// The names of the elements that the stream has heard.
    fn elements(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard)
            .into_iter()
            .map(|input| match input {
                StreamInput::Element(el) => el.to_string(),
                other => format!("{other:.4?}"),
            })
            .collect()
    }
}

fn bare(attributes: &str) -> String {
    format!("<body xmlns='http://jabber.org/protocol/httpbind'{attributes}/>")
}

fn with(inside: &str) -> String {
    format!("<body xmlns='http://jabber.org/protocol/httpbind'>{inside}</body>")
}

#[test]
fn xep_0124_session_response() {
    let mut run = Run::new("wait='60' hold='1' ver='1.6' xmpp:version='1.0' xml:lang='en'");
    let [StreamInput::Open(open)] = &run.heard[..] else { panic!("{:?}", run.heard) };
    assert_eq!((open.attr("to"), open.attr("version")), (Some("a.example"), Some("1.0")));
    assert_eq!(open.attr_ns(ns::XML, "lang"), Some("en"));
    assert!(run.told.is_empty(), "held for the features");
    let header = Element::new("stream", ns::STREAM).with_attr("from", "a.example");
    run.session.header(&header.with_attr("id", "stream-id"));
    run.say(FEATURES, T0);
    let (_, text) = run.told().remove(0);
    let answer = parse_document(text.as_bytes(), &StreamLimits::CLIENT).expect("XML");
    for (name, value) in [
        ("sid", run.session.sid()),
        ("wait", "60"),
        ("hold", "1"),
        ("requests", "2"),
        ("inactivity", "30"),
        ("maxpause", "120"),
        ("ver", "1.6"),
        ("from", "a.example"),
        ("authid", "stream-id"),
    ] {
        assert_eq!(answer.attr(name), Some(value), "{name}");
    }
    assert_eq!(answer.attr("polling"), None);
    assert_eq!(answer.attr_ns(XMPP_NS, "version"), Some("1.0"));
    assert_eq!(answer.attr_ns(XMPP_NS, "restartlogic"), Some("true"));
    assert!(text.contains(" xmpp:restartlogic='true'") && text.contains(" xmlns:stream="));
    assert!(answer.has_child("features", ns::STREAM));
    assert_eq!(run.session.sid().len(), 26);
}

#[test]
fn xep_0124_session_request_within_what_is_allowed() {
    let read = |attributes: &str| Create::read(&body(attributes, ""), &SETTINGS);
    let create = read("rid='1' to='a' wait='3600' hold='10' ver='2.0'").expect("read");
    assert_eq!((create.wait, create.hold), (SETTINGS.wait, HOLD));
    assert_eq!(create.version, "1.11");
    assert_eq!(read("rid='1' to='a' ver='1.6'").expect("read").version, "1.6");
    assert_eq!(read("to='a'"), Err(Condition::BadRequest));
    for rid in ["0", "-1", "9007199254740992", "x", ""] {
        assert_eq!(read(&format!("rid='{rid}' to='a'")), Err(Condition::BadRequest), "{rid}");
    }
    assert_eq!(read("rid='1' to='a' wait='long'"), Err(Condition::BadRequest));
    assert_eq!(read("rid='1' to='a' sid='x'"), Err(Condition::BadRequest));
    assert_eq!(read("rid='1'"), Err(Condition::ImproperAddressing));
    assert_eq!(read("rid='1' to=''"), Err(Condition::ImproperAddressing));
    let other = Element::new("body", ns::CLIENT).with_attr("rid", "1").with_attr("to", "a");
    assert_eq!(Create::read(&other, &SETTINGS), Err(Condition::BadRequest));
}

#[test]
fn xep_0124_payloads_are_held_for_and_sent_at_once() {
    let mut run = Run::begun("hold='1'");
    run.request(101, "", "", T0);
    assert!(run.told().is_empty(), "held");
    run.say(b"<message xmlns='jabber:client'/>", T0);
    assert_eq!(run.told(), [(1, with("<message xmlns='jabber:client'/>"))]);
    // Said while no request waits: kept for the next one, in order.
    run.say(b"<a xmlns='b'/>", T0);
    run.say(b"<c xmlns='d'/>", T0);
    run.request(102, "", "", T0);
    assert_eq!(run.told(), [(2, with("<a xmlns='b'/><c xmlns='d'/>"))]);
}

#[test]
fn xep_0124_technique_a_new_request_releases_the_old_one() {
    let mut run = Run::begun("hold='1'");
    run.request(101, "", "", T0);
    run.request(102, "", "<presence xmlns='jabber:client'/>", T0);
    assert_eq!(run.told(), [(1, bare(""))]);
    assert_eq!(run.elements(), ["<presence/>"]);
    run.tick(seconds(59));
    assert!(run.told().is_empty());
    assert_eq!(run.session.due(), seconds(60));
    run.tick(seconds(60));
    assert_eq!(run.told(), [(2, bare(""))], "wait is over");
}

#[test]
fn xep_0206_wrapper_stanzas_without_namespace_are_stanzas() {
    let mut run = Run::begun("");
    run.request(101, "", "<message><body>x</body><y xmlns='z'/></message>", T0);
    assert_eq!(run.elements(), ["<message><body>x</body><y xmlns='z'/></message>"]);
}

#[test]
fn xep_0124_rids_order_is_restored() {
    let mut run = Run::begun("hold='2'");
    run.request(103, "", "<c/>", T0);
    run.request(102, "", "<b/>", T0);
    assert!(run.elements().is_empty() && run.told().is_empty());
    run.request(101, "", "<a/>", T0);
    assert_eq!(run.elements(), ["<a/>", "<b/>", "<c/>"]);
    assert_eq!(run.told(), [(1, bare(""))], "two are held, the oldest is answered");
    run.say(b"<x xmlns='y'/>", T0);
    run.say(b"<z xmlns='y'/>", T0);
    let told = [(2, with("<x xmlns='y'/>")), (3, with("<z xmlns='y'/>"))];
    assert_eq!(run.told(), told, "answered in the order of the requests");
}

#[test]
fn xep_0124_rids_order_beyond_the_window() {
    let mut run = Run::begun("hold='1'");
    run.request(101, "", "", T0);
    run.request(110, "", "<a/>", T0);
    let error = bare(" type='terminate' condition='item-not-found'");
    assert_eq!(run.told(), [(10, error), (1, bare(" type='terminate'"))]);
    assert!(run.elements().is_empty());
    assert!(run.ended);
}

#[test]
fn xep_0124_rids_broken_answers_are_repeated() {
    let mut run = Run::begun("hold='1'");
    run.request(101, "", "<a/>", T0);
    run.say(b"<x xmlns='y'/>", T0);
    let answer = with("<x xmlns='y'/>");
    assert_eq!(run.told(), [(1, answer.clone())]);
    run.request_as(51, 101, "", "<a/>", T0);
    assert_eq!(run.told(), [(51, answer)], "the same answer");
    assert_eq!(run.elements(), ["<a/>"], "and nothing is said twice to the stream");
    // Not answered yet: the older exchange is released, the newer one gets the answer.
    run.request(102, "", "", T0);
    run.request_as(52, 102, "", "", T0);
    assert_eq!(run.told(), [(2, bare(" type='error'"))]);
    run.say(b"<z xmlns='y'/>", T0);
    assert_eq!(run.told(), [(52, with("<z xmlns='y'/>"))]);
    // Long forgotten.
    run.request_as(53, 100, "", "", T0);
    assert_eq!(run.told(), [(53, bare(" type='terminate' condition='item-not-found'"))]);
    assert!(run.ended);
}

#[test]
fn xep_0124_rids_broken_early_request_is_replaced() {
    let mut run = Run::begun("hold='2'");
    run.request(102, "", "<b/>", T0);
    run.request_as(52, 102, "", "<b/>", T0);
    assert_eq!(run.told(), [(2, bare(" type='error'"))]);
    run.request(101, "", "<a/>", T0);
    assert_eq!(run.elements(), ["<a/>", "<b/>"]);
}

#[test]
fn xep_0124_terminate_by_the_client() {
    let mut run = Run::begun("hold='1'");
    run.request(101, "", "", T0);
    let away = "<presence xmlns='jabber:client' type='unavailable'/>";
    run.request(102, "type='terminate'", away, T0);
    assert_eq!(run.elements(), ["<presence type='unavailable'/>", "Closed"]);
    assert_eq!(run.told(), [(1, bare(" type='terminate'")), (2, bare(""))]);
    assert!(run.ended);
}

#[test]
fn xep_0206_remote_stream_error() {
    let error = StreamError::new(StreamCondition::Conflict, "RFC 6120 §4.9.3.3");
    let expected = "<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' \
         condition='remote-stream-error' xmlns:stream='http://etherx.jabber.org/streams'>\
         <m xmlns='n'/><stream:error xmlns:stream='http://etherx.jabber.org/streams'>\
         <conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></body>";
    // `terminal` errors that stand behind a document: the prefix is declared for whichever uses it.
    let mut run = Run::begun("hold='1'");
    run.say(b"<m xmlns='n'/>", T0);
    run.end(Some(&error));
    assert!(!run.ended, "nobody has heard it yet");
    run.request(101, "", "<late/>", T0);
    assert_eq!(run.told(), [(1, expected.to_owned())]);
    assert!(run.ended && run.elements().is_empty());

    let mut run = Run::begun("hold='1'");
    run.request(101, "", "", T0);
    run.end(None);
    assert_eq!(run.told(), [(1, bare(" type='terminate'"))]);
    assert!(run.ended);
}

#[test]
fn xep_0124_errorstatus_terminal_host_unknown() {
    let mut run = Run::new("");
    let error = StreamError::new(StreamCondition::HostUnknown, "RFC 6120 §4.9.3.6");
    run.end(Some(&error));
    assert_eq!(run.told(), [(0, bare(" type='terminate' condition='host-unknown'"))]);
}

#[test]
fn xep_0206_preconditions_sasl_restart() {
    let mut run = Run::begun("hold='1'");
    run.request(101, "to='a.example' xmpp:restart='true'", "<ignored/>", T0);
    let [StreamInput::Open(open)] = &run.heard[..] else { panic!("{:?}", run.heard) };
    assert_eq!(open.attr("to"), Some("a.example"));
    run.session.header(&Element::new("stream", ns::STREAM).with_attr("id", "2"));
    run.say(FEATURES, T0);
    let features = String::from_utf8(FEATURES.to_vec()).expect("UTF-8");
    let answer = format!(
        "<body xmlns='http://jabber.org/protocol/httpbind' \
         xmlns:stream='http://etherx.jabber.org/streams'>{features}</body>"
    );
    assert_eq!(run.told(), [(1, answer)]);
}

#[test]
fn xep_0124_inactive_session_ends_silently() {
    let mut run = Run::begun("hold='1'");
    assert_eq!(run.session.due(), seconds(30));
    run.tick(seconds(29));
    assert!(!run.ended);
    run.tick(seconds(30));
    assert!(run.ended && run.told().is_empty() && run.heard.is_empty());

    let mut run = Run::begun("hold='1'");
    run.request(101, "", "", T0);
    run.tick(seconds(31));
    assert!(!run.ended, "a request is being held");
}

#[test]
fn xep_0124_inactive_pause() {
    let mut run = Run::begun("hold='1'");
    run.request(101, "", "", T0);
    run.request(102, "pause='90'", "", T0);
    assert_eq!(run.told(), [(1, bare("")), (2, bare(""))], "everything is answered");
    assert_eq!(run.session.due(), seconds(90));
    run.say(b"<x xmlns='y'/>", T0);
    run.request(103, "", "", seconds(89));
    assert_eq!(run.told(), [(3, with("<x xmlns='y'/>"))]);
    assert_eq!(run.session.due(), seconds(89 + 30), "back to normal");
    // More than allowed is no pause.
    run.request(104, "pause='121'", "", seconds(89));
    assert!(run.told().is_empty());
}

#[test]
fn xep_0124_poll_answers_at_once_and_not_too_often() {
    let mut run = Run::new("wait='0' hold='0'");
    assert!(run.told().is_empty(), "the features are waited for");
    run.say(FEATURES, T0);
    let (_, answer) = run.told().remove(0);
    assert!(answer.contains("requests='1'") && answer.contains("polling='2'"), "{answer}");
    run.request(101, "", "", seconds(1));
    assert_eq!(run.told(), [(1, bare(""))]);
    run.request(102, "", "", seconds(4));
    assert_eq!(run.told(), [(2, bare(""))]);
    run.request(103, "", "<auth xmlns='z'/>", seconds(4));
    run.request(104, "", "", seconds(4));
    assert_eq!(run.told().len(), 2, "one of them was not empty");
    run.request(105, "", "", seconds(5));
    assert_eq!(run.told(), [(5, bare(" type='terminate' condition='policy-violation'"))]);
    assert!(run.ended);
}

#[test]
fn xep_0124_answers_are_bounded() {
    let mut run = Run::begun("hold='1'");
    let document = format!("<x xmlns='y'>{}</x>", "z".repeat(ANSWER_BYTES / 2));
    for _ in 0..5 {
        run.say(document.as_bytes(), T0);
    }
    assert!(!run.session.wants_more());
    let mut got = 0;
    for rid in 101..=103 {
        run.request(rid, "", "", T0);
        let (_, answer) = run.told().remove(0);
        got += answer.matches("<x ").count();
        assert!(answer.matches("<x ").count() <= 2);
    }
    assert_eq!(got, 5);
    assert!(run.session.wants_more());
}
