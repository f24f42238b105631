use std::collections::BTreeSet;
use std::time::Duration;

use oc_core::limits::SM_UNACKED_STANZAS;
use oc_core::session::{EdgeId, SessionId};
use oc_core::{Condition, Ctx, Element, Ids, StreamCondition, Time, ns};

use super::*;

/// SplitMix64: the same bytes for the same seed, on every machine.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

impl Ids for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            *byte = self.next() as u8;
        }
    }
}

const SESSION: SessionId = SessionId { edge: EdgeId(3), key: 0x0102_0304_0506_0708 };
const DAY: Duration = Duration::from_secs(86_400);
const T0: Time = Time(1_795_256_430_000);

fn enabled(enable: Enable) -> (Session, Element) {
    let mut ids = Seeded(1);
    Session::enable(enable, SESSION, DAY, &mut Ctx { now: T0, ids: &mut ids })
}

fn resumable() -> Session {
    enabled(Enable { resume: true, max_s: None }).0
}

fn message(n: u32) -> Vec<u8> {
    format!("<message id='{n}'><body>{n}</body></message>").into_bytes()
}

fn sm(name: &str) -> Element {
    Element::new(name, ns::SM)
}

#[test]
fn xep_0198_enable() {
    let read = |el: Element| Nonza::read(&el).expect("ours");
    assert_eq!(
        read(sm("enable").with_attr("resume", "1").with_attr("max", "600")),
        Ok(Nonza::Enable(Enable { resume: true, max_s: Some(600) }))
    );
    assert_eq!(read(sm("enable")), Ok(Nonza::Enable(Enable { resume: false, max_s: None })));
    assert_eq!(
        read(sm("enable").with_attr("resume", "perhaps")),
        Err(Misuse::Failed(failed(Condition::BadRequest, None)))
    );

    let (session, el) = enabled(Enable { resume: true, max_s: Some(600) });
    assert!(el.is("enabled", ns::SM));
    assert_eq!((el.attr("resume"), el.attr("max")), (Some("true"), Some("600")));
    let token = ResumeToken::parse(el.attr("id").expect("an id")).expect("a token");
    assert!(session.may_resume(&token));
    assert_eq!(session.resumable_for(), Some(Duration::from_secs(600)));

    let (session, el) = enabled(Enable { resume: false, max_s: None });
    assert!(el.attrs().is_empty());
    assert_eq!(session.resumable_for(), None);
    assert!(!session.may_resume(&token));
}

#[test]
fn xep_0198_enable_max_is_the_operators() {
    let (_, el) = enabled(Enable { resume: true, max_s: Some(u32::MAX) });
    assert_eq!(el.attr("max"), Some("86400"));
    let mut ids = Seeded(1);
    let mut ctx = Ctx { now: T0, ids: &mut ids };
    let wish = Enable { resume: true, max_s: None };
    let (session, el) = Session::enable(wish, SESSION, Duration::ZERO, &mut ctx);
    assert_eq!((el.attr("resume"), session.resumable_for()), (None, None));
}

#[test]
fn xep_0198_acking_h_is_required() {
    for h in [None, Some(""), Some("-1"), Some("4294967296"), Some("many")] {
        let el = sm("a").with_attr_opt("h", h);
        let Some(Err(Misuse::Stream(error))) = Nonza::read(&el) else { panic!("{el}") };
        assert_eq!(error.condition, StreamCondition::InvalidXml);
        let resume = sm("resume").with_attr("previd", "x").with_attr_opt("h", h);
        assert!(matches!(Nonza::read(&resume), Some(Err(Misuse::Failed(_)))));
    }
    assert_eq!(Nonza::read(&sm("a").with_attr("h", "4294967295")), Some(Ok(Nonza::Ack(u32::MAX))));
    assert_eq!(Nonza::read(&Element::new("a", ns::CLIENT)), None);
    assert!(matches!(Nonza::read(&sm("enabled")), Some(Err(Misuse::Stream(_)))));
}

#[test]
fn xep_0198_acking_h_is_the_longest_handled_run() {
    let mut session = resumable();
    for nth in 1..=4 {
        assert_eq!(session.inbound.received(T0), nth);
    }
    session.inbound.handled(2, T0);
    session.inbound.handled(4, T0);
    assert_eq!(session.answer().attr("h"), Some("0"));
    assert_eq!(session.inbound.oldest_unhandled(), Some((1, T0)));
    session.inbound.handled(1, T0.after(Duration::from_secs(1)));
    assert_eq!(session.answer().attr("h"), Some("2"));
    let since = T0.after(Duration::from_secs(1));
    assert_eq!(session.inbound.oldest_unhandled(), Some((3, since)));
    // Said twice, never received, and an older one: nothing changes.
    for nth in [1, 4, 5, 0, u32::MAX] {
        session.inbound.handled(nth, T0);
    }
    assert_eq!((session.inbound.h(), session.inbound.waiting()), (2, 2));
    session.inbound.handled(3, T0);
    assert_eq!((session.inbound.h(), session.inbound.waiting()), (4, 0));
    assert_eq!(session.inbound.oldest_unhandled(), None);
}

#[test]
fn xep_0198_acking_counts_wrap() {
    let mut inbound = Inbound::starting_at(u32::MAX - 1);
    let numbers: Vec<u32> = (0..3).map(|_| inbound.received(T0)).collect();
    assert_eq!(numbers, [u32::MAX, 0, 1]);
    inbound.handled(1, T0);
    inbound.handled(u32::MAX, T0);
    assert_eq!(inbound.h(), u32::MAX);
    inbound.handled(0, T0);
    assert_eq!(inbound.h(), 1);

    let mut outbound = Outbound::starting_at(u32::MAX - 1);
    for n in 0..3 {
        let _ = outbound.sent(&message(n), T0);
    }
    assert_eq!(outbound.send_count(), 1);
    assert_eq!(outbound.acknowledge(u32::MAX), Ok(1));
    assert!(outbound.acknowledge(2).is_err(), "one more than was sent");
    assert_eq!(outbound.acknowledge(u32::MAX - 1), Ok(0), "lower than seen");
    assert_eq!(outbound.acknowledge(1), Ok(2));
    assert_eq!(outbound.acknowledge(u32::MAX), Ok(0), "lower than seen, across the wrap");
    assert_eq!((outbound.len(), outbound.bytes()), (0, 0));
}

#[test]
fn xep_0198_errors_handled_count_too_high() {
    let mut outbound = Outbound::new();
    for n in 0..8 {
        let _ = outbound.sent(&message(n), T0);
    }
    let error = outbound.acknowledge(10).expect_err("more than sent");
    assert_eq!(error.condition, StreamCondition::UndefinedCondition);
    let more = error.more.as_ref().expect("an application condition");
    assert!(more.is("handled-count-too-high", ns::SM));
    assert_eq!((more.attr("h"), more.attr("send-count")), (Some("10"), Some("8")));
    assert_eq!(outbound.len(), 8, "nothing is lost by the error");
}

#[test]
fn xep_0198_acking_one_request_at_a_time() {
    let mut outbound = Outbound::new();
    assert!(!outbound.request(T0), "nothing was sent");
    let _ = outbound.sent(&message(1), T0);
    assert!(outbound.request(T0));
    assert_eq!(outbound.unanswered_since(), Some(T0));
    for n in 1..REQUEST_STANZAS {
        let _ = outbound.sent(&message(n), T0);
        assert!(!outbound.request(T0), "an answer is owed");
    }
    let _ = outbound.sent(&message(0), T0);
    assert!(outbound.request(T0), "asked again after many more");
    assert_eq!(outbound.acknowledge(1), Ok(1));
    assert_eq!(outbound.unanswered_since(), None);
    assert!(!outbound.request(T0), "nothing new was sent since");
    let _ = outbound.sent(&message(0), T0);
    assert!(outbound.request(T0));
    let all = outbound.send_count();
    let _ = outbound.acknowledge(all);
    assert!(!outbound.request(T0));
}

#[test]
fn xep_0198_acking_unacknowledged_is_bounded() {
    let mut outbound = Outbound::new();
    for n in 1..SM_UNACKED_STANZAS {
        assert_eq!(outbound.sent(&message(n as u32), T0), Room::Left);
    }
    assert_eq!(outbound.sent(&message(0), T0), Room::Full);
    assert_eq!(outbound.len(), SM_UNACKED_STANZAS, "the last one is kept as well");
    let mut outbound = Outbound::new();
    assert_eq!(outbound.sent(&vec![b' '; oc_core::limits::SM_UNACKED_BYTES], T0), Room::Full);
}

#[test]
fn xep_0198_resumption_sends_again_what_was_not_handled() {
    let mut session = resumable();
    for n in 1..=3 {
        let _ = session.outbound.sent(&message(n), T0);
    }
    session.inbound.received(T0);
    session.inbound.handled(1, T0);
    let (resumed, again) = session.resume(2, "example.org").expect("resumed");
    assert!(resumed.is("resumed", ns::SM));
    assert_eq!(resumed.attr("h"), Some("1"));
    assert!(session.may_resume(
        &ResumeToken::parse(resumed.attr("previd").expect("the id")).expect("a token")
    ));
    let again: Vec<_> = again.into_iter().map(|b| String::from_utf8(b).expect("UTF-8")).collect();
    assert_eq!(
        again,
        ["<message id='3'><body>3</body><delay xmlns='urn:xmpp:delay' from='example.org' \
          stamp='2026-11-21T10:20:30Z'/></message>"]
    );
    assert_eq!(session.outbound.send_count(), 3, "the counts are carried over");
    assert_eq!(session.outbound.acknowledge(3), Ok(1));
    assert_eq!(session.resume(9, "example.org").expect_err("too high").rule, "XEP-0198 #errors");
}

#[test]
fn xep_0198_acking_undelivered_is_handed_back() {
    let mut outbound = Outbound::new();
    let delayed = "<message><body>x</body><delay xmlns='urn:xmpp:delay' stamp='1'/></message>";
    let sent: [&str; 5] = [
        "<message from='c@d.example/e' id='1' to='a@b.example' type='chat' xml:lang='en'>\
         <body>a &lt; b &amp; 'c'</body></message>",
        delayed,
        "<iq id='2' type='result'><query xmlns='jabber:iq:roster'/></iq>",
        "<presence from='c@d.example/e'/>",
        "<presence from='c@d.example/e'><show>away</show></presence>",
    ];
    for stanza in sent {
        let _ = outbound.sent(stanza.as_bytes(), T0);
    }
    let stamp = "<delay xmlns='urn:xmpp:delay' from='example.org' stamp='2026-11-21T10:20:30Z'/>";
    let expected = [
        sent[0].replace("</message>", &format!("{stamp}</message>")),
        delayed.to_owned(),
        sent[2].to_owned(),
        sent[3].to_owned(),
        sent[4].replace("</presence>", &format!("{stamp}</presence>")),
    ];
    let back: Vec<String> = outbound
        .into_undelivered("example.org")
        .iter()
        .map(|stanza| stanza.element().to_string())
        .collect();
    assert_eq!(back, expected);
}

#[test]
fn xep_0198_resumption_failed() {
    assert_eq!(
        unknown_session(Some(7)).to_string(),
        "<failed xmlns='urn:xmpp:sm:3' h='7'>\
         <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    );
    assert_eq!(
        unexpected().to_string(),
        "<failed xmlns='urn:xmpp:sm:3'>\
         <unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    );
}

#[test]
fn xep_0198_inline_resume_and_enable() {
    let bind = Element::new("bind", "urn:xmpp:bind:0").with_child(sm("enable"));
    let authenticate = Element::new("authenticate", "urn:xmpp:sasl:2")
        .with_child(sm("resume").with_attr("h", "5").with_attr("previd", "some-long-sm-id"))
        .with_child(bind.clone());
    let resume = Resume { previd: "some-long-sm-id".into(), h: 5 };
    assert_eq!(inline_resume(&authenticate), Some(Ok(resume)));
    assert_eq!(inline_enable(&bind), Some(Ok(Enable { resume: false, max_s: None })));
    assert_eq!(inline_enable(&authenticate), None);
    assert_eq!(inline_resume(&bind), None);
}

#[test]
fn xep_0198_resumption_id_round_trip_and_forgery() {
    let mut ids = Seeded(7);
    let mut ctx = Ctx { now: T0, ids: &mut ids };
    let token = ResumeToken::new(SESSION, &mut ctx);
    let text = token.to_string();
    assert_eq!(text.len(), 35);
    let back = ResumeToken::parse(&text).expect("a token");
    assert_eq!(back.session(), SESSION);
    assert!(token.matches(&back));
    assert!(!format!("{token:?}").contains(&text));

    let other = ResumeToken::new(SESSION, &mut ctx);
    assert!(!token.matches(&other), "the session alone proves nothing");
    for i in 0..text.len() {
        let mut forged = text.clone().into_bytes();
        forged[i] = if forged[i] == b'A' { b'Q' } else { b'A' };
        let forged = String::from_utf8(forged).expect("ASCII");
        assert!(!ResumeToken::parse(&forged).is_some_and(|t| token.matches(&t)), "{i}");
    }
    for bad in ["", "some-long-sm-id", &text[1..], &format!("{text}A"), &"é".repeat(20)] {
        assert!(ResumeToken::parse(bad).is_none(), "{bad}");
    }
}

/// A client as XEP-0198 wants it: counts what it got, keeps what it sent, resends on resumption.
#[derive(Default)]
struct Client {
    got: Vec<u32>,
    h: u32,
    sent: u32,
    unacked: std::collections::VecDeque<(u32, u32)>,
}

/// One random life of a session: what both sides say arrives in order or is cut off by a broken
/// connection, shards answer in any order, answers are late or doubled. Gives the number of stanzas
/// that the shards have processed.
fn random_life(seed: u64, start: u32, settle: bool) -> usize {
    let mut rng = Seeded(seed);
    let mut session = resumable();
    session.inbound = Inbound::starting_at(start);
    session.outbound = Outbound::starting_at(start);
    let mut client = Client { h: start, sent: start, ..Client::default() };
    // On the wire, and with the shard: payload numbers that are unique over the whole life.
    let (mut down, mut up) = (Vec::<u32>::new(), Vec::<u32>::new());
    let mut shard: Vec<(u32, u32)> = Vec::new();
    let mut processed: Vec<u32> = Vec::new();
    let (mut next_down, mut next_up) = (0, 0);
    for _ in 0..400 {
        match rng.below(10) {
            0 | 1 => {
                let _ = session.outbound.sent(&message(next_down), T0);
                down.push(next_down);
                next_down += 1;
            }
            2 | 3 => {
                client.sent = client.sent.wrapping_add(1);
                client.unacked.push_back((client.sent, next_up));
                up.push(next_up);
                next_up += 1;
            }
            4 if !down.is_empty() => {
                client.got.push(down.remove(0));
                client.h = client.h.wrapping_add(1);
            }
            5 if !up.is_empty() => shard.push((session.inbound.received(T0), up.remove(0))),
            6 if !shard.is_empty() => {
                let (nth, payload) = shard.remove(rng.below(shard.len()));
                processed.push(payload);
                session.inbound.handled(nth, T0);
            }
            // The client's answer, at times an old one.
            7 => {
                let old = client.h.wrapping_sub(rng.below(3) as u32);
                session.outbound.acknowledge(old).expect("never more than was sent");
            }
            8 => client_hears(&mut client, session.inbound.h()),
            9 if rng.below(4) == 0 => {
                (down, up) = (Vec::new(), Vec::new());
                while settle && !shard.is_empty() {
                    let (nth, payload) = shard.remove(rng.below(shard.len()));
                    processed.push(payload);
                    session.inbound.handled(nth, T0);
                }
                let (resumed, again) = session.resume(client.h, "a.example").expect("resumed");
                client_hears(&mut client, resumed.attr("h").expect("h").parse().expect("u32"));
                up.extend(client.unacked.iter().map(|(_, payload)| payload));
                down.extend(again.iter().map(|bytes| body_of(bytes)));
            }
            _ => {}
        }
    }
    // Everything on the way arrives.
    client.got.append(&mut down);
    for payload in up {
        shard.push((session.inbound.received(T0), payload));
    }
    for (nth, payload) in shard {
        processed.push(payload);
        session.inbound.handled(nth, T0);
    }
    let all_down: Vec<u32> = (0..next_down).collect();
    assert_eq!(client.got, all_down, "seed {seed}: the client missed or doubled something");
    let unique: BTreeSet<u32> = processed.iter().copied().collect();
    assert_eq!(unique.len(), next_up as usize, "seed {seed}: a client's stanza was lost");
    if settle {
        assert_eq!(processed.len(), unique.len(), "seed {seed}: processed twice");
        assert_eq!(session.inbound.h(), client.sent, "seed {seed}: h is not what was sent");
    }
    assert_eq!(session.inbound.waiting(), 0, "seed {seed}");
    processed.len()
}

fn client_hears(client: &mut Client, h: u32) {
    while client.unacked.front().is_some_and(|(n, _)| h.wrapping_sub(*n) < u32::MAX / 2) {
        client.unacked.pop_front();
    }
}

fn body_of(bytes: &[u8]) -> u32 {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let (_, rest) = text.split_once("<body>").expect("a body");
    rest.split_once('<').expect("an end").0.parse().expect("a number")
}

#[test]
fn xep_0198_resumption_loses_and_duplicates_nothing() {
    for seed in 0..300 {
        assert!(random_life(seed, 0, true) > 0);
        assert!(random_life(seed, u32::MAX - 20, true) > 0);
    }
}

#[test]
fn xep_0198_resumption_without_waiting_for_shards_loses_nothing() {
    for seed in 0..300 {
        assert!(random_life(seed, u32::MAX - 20, false) > 0);
    }
}
