//! XEP-0160: kept, in order, once, and not lost on the way.

mod conservation;

use std::time::Duration;

use oc_core::account::{AccountEffect, AccountInput};
use oc_core::session::Receipt;
use oc_core::{Condition, ErrorType, Stanza, limits, ns};

use crate::account::FEATURES;
use crate::testing::account::{JULIET, Juliet, messages, routes, session, stanza};

/// The texts of messages.
fn texts(messages: &[Stanza]) -> Vec<String> {
    let body = |m: &Stanza| m.element().child("body", ns::CLIENT).map(|b| b.text().into_owned());
    messages.iter().filter_map(body).collect()
}

fn say(juliet: &mut Juliet, text: &str) -> Vec<AccountEffect> {
    juliet.routed(&format!(
        "<message from='romeo@montague.net/orchard' to='{JULIET}' type='chat' id='{text}'>\
         <body>{text}</body></message>"
    ))
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn xep_0160_flow() {
    let mut juliet = Juliet::new(FEATURES);
    let sent = "<message from='romeo@montague.net/orchard' to='juliet@capulet.com'>\
        <body>O blessed, blessed night!</body></message>";
    let effects = juliet.routed(sent);
    assert!(routes(&effects).is_empty());
    juliet.wait(Duration::from_secs(60));
    let delivered = messages(&juliet.online(1), 1);
    let expected = sent.replace(
        "</message>",
        "<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2026-11-21T10:20:30Z'>\
         Offline Storage</delay></message>",
    );
    assert_eq!(delivered, [stanza(&expected)]);
    // Once.
    assert!(messages(&juliet.online(2), 2).is_empty());
    juliet.detach(1, vec![]);
    assert_eq!((juliet.entries(), juliet.row("offline", "kept").as_deref()), (0, Some("0 0")));
    assert!(messages(&juliet.online(3), 3).is_empty());
}

/// What was not committed was not received: the receipt comes behind the records.
#[test]
fn xep_0160_flow_is_durable_before_it_is_acknowledged() {
    let mut juliet = Juliet::new(FEATURES);
    let receipt = Receipt { session: session(7), nth: 3 };
    let message =
        stanza("<message from='a@b.c/d' to='juliet@capulet.com'><body>O</body></message>");
    let effects = juliet.handle(AccountInput::Routed { stanza: message, receipt: Some(receipt) });
    let stores = effects.iter().filter(|e| matches!(e, AccountEffect::Store(_))).count();
    assert_eq!(stores, effects.len() - 1);
    assert_eq!(effects.last(), Some(&AccountEffect::Handled(receipt)));
}

#[test]
fn xep_0160_types() {
    let body = "<body>O</body>";
    let typing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let thread = "<thread>t</thread>";
    let receipt = "<received xmlns='urn:xmpp:receipts' id='1'/>";
    let no_store = "<no-store xmlns='urn:xmpp:hints'/>";
    for (type_, payload, kept, refused) in [
        ("", body.to_owned(), 1, false),
        (" type='normal'", body.to_owned(), 1, false),
        (" type='chat'", body.to_owned(), 1, false),
        (" type='chat'", format!("{typing}{body}"), 1, false),
        (" type='chat'", typing.to_owned(), 0, false),
        (" type='chat'", format!("{typing}{thread}"), 0, false),
        (" type='chat'", receipt.to_owned(), 1, false),
        (" type='chat'", format!("{body}{no_store}"), 0, false),
        (" type='groupchat'", body.to_owned(), 0, true),
        (" type='headline'", body.to_owned(), 0, false),
        (" type='error'", body.to_owned(), 0, false),
    ] {
        let mut juliet = Juliet::new(FEATURES);
        let effects = juliet
            .routed(&format!("<message from='a@b.c/d' to='{JULIET}'{type_}>{payload}</message>"));
        assert_eq!(juliet.entries(), kept, "{type_} {payload}");
        assert_eq!(routes(&effects).len(), usize::from(refused), "{type_} {payload}");
    }
}

#[test]
fn xep_0160_flow_only_without_a_taker() {
    let mut juliet = Juliet::new(FEATURES);
    juliet.bind(1, "r1");
    say(&mut juliet, "connected only");
    juliet.client(1, "<presence><priority>-1</priority></presence>");
    say(&mut juliet, "negative");
    assert_eq!(juliet.entries(), 2);
    // A priority that is not negative makes it a taker.
    let effects = juliet.client(1, "<presence><priority>1</priority></presence>");
    assert_eq!(texts(&messages(&effects, 1)), ["connected only", "negative"]);
    let effects = say(&mut juliet, "live");
    assert_eq!(texts(&messages(&effects, 1)), ["live"]);
    assert_eq!(juliet.entries(), 2, "until the client surely has them");
}

#[test]
fn xep_0160_flow_queue_is_full() {
    let full = Some((Condition::ServiceUnavailable, ErrorType::Cancel));
    let mut juliet = Juliet::new(FEATURES);
    for n in 0..limits::OFFLINE_MESSAGES {
        assert!(routes(&say(&mut juliet, &n.to_string())).is_empty());
    }
    assert_eq!(routes(&say(&mut juliet, "more"))[0].error_condition(), full);
    juliet.crash();
    assert_eq!(routes(&say(&mut juliet, "more"))[0].error_condition(), full);
    // All of them, in order, over many pages.
    let effects = juliet.online(1);
    assert_eq!(texts(&messages(&effects, 1)), numbers(0..limits::OFFLINE_MESSAGES));

    let mut juliet = Juliet::new(FEATURES);
    let long = "x".repeat(limits::OFFLINE_BYTES / 3);
    for expected in [None, None, full] {
        let effects = juliet.routed(&format!(
            "<message from='a@b.c/d' to='{JULIET}'><body>{long}</body></message>"
        ));
        assert_eq!(routes(&effects).first().and_then(Stanza::error_condition), expected);
    }
}

#[test]
fn xep_0160_flow_unacknowledged_messages_stay() {
    let mut juliet = Juliet::new(FEATURES);
    (0..10).for_each(|n| drop(say(&mut juliet, &n.to_string())));
    let sent = messages(&juliet.online(1), 1);
    // The client acknowledged seven.
    let effects = juliet.detach(1, sent[7..].to_vec());
    assert!(routes(&effects).is_empty());
    assert_eq!(juliet.entries(), 3);
    say(&mut juliet, "10");
    let again = messages(&juliet.online(2), 2);
    assert_eq!(texts(&again), numbers(7..11));
    // The same stamp as the first time.
    assert_eq!(again[0], sent[7]);
    juliet.detach(2, vec![]);
    assert_eq!((juliet.entries(), juliet.row("offline", "kept").as_deref()), (0, Some("0 0")));
}

#[test]
fn xep_0160_flow_unacknowledged_messages_go_to_the_next_taker() {
    let mut juliet = Juliet::new(FEATURES);
    (0..4).for_each(|n| drop(say(&mut juliet, &n.to_string())));
    let sent = messages(&juliet.online(1), 1);
    juliet.online(2);
    let live = messages(&say(&mut juliet, "live"), 1);
    let undelivered = sent[2..].iter().chain(&live).cloned().collect();
    let effects = juliet.detach(1, undelivered);
    // The second resource has the live one already.
    assert_eq!(texts(&messages(&effects, 2)), numbers(2..4));
    juliet.detach(2, vec![]);
    assert_eq!(juliet.entries(), 0);
}

/// A takeover: the new session gets what is left; the old one's losses come later, and are not
/// lost.
#[test]
fn xep_0160_flow_takeover_loses_nothing() {
    let mut juliet = Juliet::new(FEATURES);
    (0..120).for_each(|n| drop(say(&mut juliet, &n.to_string())));
    juliet.prompt = false;
    juliet.bind(1, "r");
    juliet.client(1, "<presence/>");
    let first = messages(&juliet.answer(), 1);
    assert_eq!(first.len(), 50);
    juliet.bind(2, "r");
    juliet.client(2, "<presence/>");
    let second = [juliet.answer(), juliet.answer()].concat();
    assert_eq!(texts(&messages(&second, 2)), numbers(50..120));
    let effects = juliet.detach(1, first[40..].to_vec());
    assert_eq!(texts(&messages(&effects, 2)), numbers(40..50));
    juliet.detach(2, vec![]);
    assert_eq!((juliet.entries(), juliet.row("offline", "kept").as_deref()), (0, Some("0 0")));
}

/// What was sent and lost stands before what was not sent yet.
#[test]
fn xep_0160_flow_order_survives_a_lost_page() {
    let mut juliet = Juliet::new(FEATURES);
    (0..60).for_each(|n| drop(say(&mut juliet, &n.to_string())));
    juliet.prompt = false;
    juliet.online(1);
    let sent = messages(&juliet.answer(), 1);
    juliet.detach(1, sent[40..].to_vec());
    juliet.answer();
    juliet.prompt = true;
    assert_eq!(texts(&messages(&juliet.online(2), 2)), numbers(40..60));
}

/// Kept for the second time, a message still says when it came first.
#[test]
fn xep_0203_protocol_first_stamp_stays() {
    let mut juliet = Juliet::new(FEATURES);
    (0..60).for_each(|n| drop(say(&mut juliet, &n.to_string())));
    juliet.prompt = false;
    juliet.online(1);
    let sent = messages(&juliet.answer(), 1);
    juliet.client(1, "<presence type='unavailable'/>");
    // The second resource gets the rest, so the losses of the first cannot stay in their place.
    juliet.online(2);
    assert_eq!(texts(&messages(&juliet.answer(), 2)), numbers(50..60));
    juliet.client(2, "<presence type='unavailable'/>");
    juliet.wait(Duration::from_secs(60));
    juliet.prompt = true;
    juliet.detach(1, sent[40..].to_vec());
    juliet.detach(2, vec![]);
    assert_eq!(juliet.entries(), 10);
    assert_eq!(messages(&juliet.online(3), 3), sent[40..]);
}

#[test]
fn xep_0160_flow_crash_repeats_rather_than_loses() {
    let mut juliet = Juliet::new(FEATURES);
    (0..3).for_each(|n| drop(say(&mut juliet, &n.to_string())));
    juliet.online(1);
    juliet.client(1, "<presence><show>away</show></presence>");
    juliet.crash();
    assert_eq!(texts(&messages(&juliet.online(1), 1)), numbers(0..3));
    // A stanza well after the delivery: the client has them.
    juliet.wait(Duration::from_secs(31));
    juliet.client(1, "<presence><show>away</show></presence>");
    assert_eq!(juliet.entries(), 0);
    juliet.crash();
    assert!(messages(&juliet.online(1), 1).is_empty());
}

#[test]
fn xep_0160_flow_store_fails_or_reader_leaves() {
    let mut juliet = Juliet::new(FEATURES);
    say(&mut juliet, "0");
    juliet.prompt = false;
    juliet.online(1);
    assert!(messages(&juliet.fail(), 1).is_empty());
    // Asked again by the next.
    juliet.online(2);
    juliet.detach(2, vec![]);
    let effects = juliet.answer();
    assert_eq!(texts(&messages(&effects, 1)), ["0"], "the reader has left, another is there");
    juliet.detach(1, messages(&effects, 1));
    assert_eq!(juliet.entries(), 1);
    juliet.online(3);
    juliet.detach(3, vec![]);
    assert_eq!(messages(&juliet.answer(), 3), []);
    assert_eq!(juliet.entries(), 1);
    juliet.online(4);
    assert_eq!(texts(&messages(&juliet.answer(), 4)), ["0"]);
}

/// A live message that was never acknowledged is kept like one that found nobody.
#[test]
fn xep_0160_flow_lost_live_message_is_kept() {
    for type_ in ["chat", "normal"] {
        for to in [JULIET, "juliet@capulet.com/r1"] {
            let mut juliet = Juliet::new(FEATURES);
            juliet.online(1);
            let message = format!(
                "<message from='a@b.c/d' to='{to}' type='{type_}'><body>O</body></message>"
            );
            let sent = messages(&juliet.routed(&message), 1);
            assert_eq!(sent.len(), 1);
            let effects = juliet.detach(1, sent);
            assert!(routes(&effects).is_empty());
            assert_eq!(texts(&messages(&juliet.online(2), 2)), ["O"]);
        }
    }
}

#[test]
fn offline_counts_read_back_or_stop_the_account() {
    let mut juliet = Juliet::new(FEATURES);
    say(&mut juliet, "0");
    let kept = juliet.row("offline", "kept").expect("stored");
    let (count, bytes) = kept.split_once(' ').expect("two numbers");
    assert_eq!(count, "1");
    assert!(bytes.parse::<usize>().expect("a number") > 50);
}
