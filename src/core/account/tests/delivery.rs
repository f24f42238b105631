//! RFC 6121 §8: every kind of stanza, every kind of recipient.

use super::super::deliver::MessageType;
use super::*;
use crate::{Condition, ErrorType};

const JULIET: &str = "juliet@example.com";
const ROMEO: &str = "romeo@example.net/orchard";

/// What must happen to a stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// Delivered to exactly these sessions, unchanged.
    To(&'static [u64]),
    /// Answered with `service-unavailable`, delivered to nobody.
    Error,
    /// Nothing at all.
    Silence,
}

use Expect::{Error, Silence, To};

/// Who is there: sessions 1 to 3 as (resource, priority); `None` is connected, not available.
type Scene = &'static [(&'static str, Option<i8>)];

const NOBODY: Scene = &[];
const CONNECTED: Scene = &[("balcony", None)];
const ONE: Scene = &[("balcony", Some(0))];
const NEGATIVE: Scene = &[("balcony", Some(-1))];
const BOTH_NEGATIVE: Scene = &[("balcony", Some(-1)), ("garden", Some(-128))];
const MIXED: Scene = &[("balcony", Some(5)), ("garden", Some(-1)), ("hall", Some(0))];

fn scene(people: Scene) -> Desk {
    let mut desk = Desk::new(JULIET);
    for (key, (resource, priority)) in (1..).zip(people) {
        match priority {
            Some(priority) => desk.online(key, resource, *priority),
            None => drop(desk.bind(key, resource)),
        }
    }
    desk
}

fn check(people: Scene, text: &str, expect: Expect) {
    let mut desk = scene(people);
    let sent = stanza(text);
    let effects = desk.routed(text);
    let mut heard = Vec::new();
    for effect in &effects {
        match effect {
            AccountEffect::Deliver { session, stanza } => {
                // RFC 6121 §8.5.2.1.1: `to` is never rewritten, and nothing else is.
                assert_eq!(*stanza, sent, "{text} in {people:?}");
                heard.push(session.key);
            }
            AccountEffect::Route { stanza, .. } => {
                assert_eq!(stanza.to(), sent.from(), "{text} in {people:?}");
                assert_eq!(stanza.from(), sent.to(), "{text} in {people:?}");
                assert_eq!(stanza.id(), sent.id());
                assert_eq!(
                    stanza.error_condition(),
                    Some((Condition::ServiceUnavailable, ErrorType::Cancel)),
                    "{text} in {people:?}"
                );
            }
            other => panic!("{text} in {people:?}: {other:?}"),
        }
    }
    let got = match (heard.as_slice(), routes(&effects).len()) {
        ([], 0) => Silence,
        ([], 1) => Error,
        (heard, 0) => match expect {
            To(expected) if expected == heard => expect,
            _ => panic!("{text} in {people:?}: delivered to {heard:?}, expected {expect:?}"),
        },
        other => panic!("{text} in {people:?}: {other:?}"),
    };
    assert_eq!(got, expect, "{text} in {people:?}");
}

/// RFC 6121 §8.5.2 and §8.5.3 for messages, as one table: type, then one column per recipient.
/// No feature keeps anything here, so "offline storage or an error" is an error.
#[test]
fn rfc6121_8_5_4_message_table() {
    let bare: &[(Scene, [Expect; 5])] = &[
        //              normal      chat        groupchat headline    error
        (NOBODY, [Error, Error, Error, Silence, Silence]),
        (CONNECTED, [Error, Error, Error, Silence, Silence]),
        (ONE, [To(&[1]), To(&[1]), Error, To(&[1]), Silence]),
        (NEGATIVE, [Error, Error, Error, Silence, Silence]),
        (BOTH_NEGATIVE, [Error, Error, Error, Silence, Silence]),
        (MIXED, [To(&[1, 3]), To(&[1, 3]), Error, To(&[1, 3]), Silence]),
    ];
    let here: &[Scene] = &[CONNECTED, ONE, NEGATIVE, BOTH_NEGATIVE, MIXED];
    let gone: &[(Scene, [Expect; 5])] = &[
        (NOBODY, [Error, Error, Error, Silence, Silence]),
        (CONNECTED, [Error, Error, Error, Silence, Silence]),
        (ONE, [Error, To(&[1]), Error, Silence, Silence]),
        (NEGATIVE, [Error, Error, Error, Silence, Silence]),
        (BOTH_NEGATIVE, [Error, Error, Error, Silence, Silence]),
        (MIXED, [Error, To(&[1, 3]), Error, Silence, Silence]),
    ];
    let message = |to: &str, type_: MessageType| {
        let type_ = type_.name();
        format!("<message from='{ROMEO}' to='{to}' id='m1' type='{type_}'><body>O</body></message>")
    };
    for (column, type_) in MessageType::ALL.into_iter().enumerate() {
        for (people, row) in bare {
            check(people, &message(JULIET, type_), row[column]);
        }
        for (people, row) in gone {
            check(people, &message("juliet@example.com/chamber", type_), row[column]);
        }
        for people in here {
            check(people, &message("juliet@example.com/balcony", type_), To(&[1]));
        }
    }
}

#[test]
fn rfc6121_5_2_2_unknown_or_missing_type_is_normal() {
    for type_ in ["", " type='shout'", " type=''"] {
        let message =
            format!("<message from='{ROMEO}' to='{JULIET}'{type_}><body>O</body></message>");
        check(ONE, &message, To(&[1]));
        let message =
            format!("<message from='{ROMEO}' to='{JULIET}/x'{type_}><body>O</body></message>");
        check(ONE, &message, Error);
    }
}

#[test]
fn rfc6121_8_5_2_1_2_presence_to_bare_jid() {
    let presence = |type_: &str| format!("<presence from='{ROMEO}' to='{JULIET}'{type_}/>");
    for type_ in ["", " type='unavailable'"] {
        check(NOBODY, &presence(type_), Silence);
        check(CONNECTED, &presence(type_), Silence);
        check(ONE, &presence(type_), To(&[1]));
        // Whatever their priority.
        check(BOTH_NEGATIVE, &presence(type_), To(&[1, 2]));
        check(MIXED, &presence(type_), To(&[1, 2, 3]));
    }
    check(MIXED, &presence(" type='error'"), Silence);
}

#[test]
fn rfc6121_8_5_3_presence_to_full_jid() {
    for type_ in ["", " type='unavailable'", " type='error'"] {
        let to = |jid: &str| format!("<presence from='{ROMEO}' to='{jid}'{type_}/>");
        check(MIXED, &to("juliet@example.com/garden"), To(&[2]));
        check(CONNECTED, &to("juliet@example.com/balcony"), To(&[1]));
        check(MIXED, &to("juliet@example.com/chamber"), Silence);
        check(NOBODY, &to("juliet@example.com/chamber"), Silence);
    }
}

/// RFC 6121 §8.5.3.2.2: only a request may name a resource that is gone.
#[test]
fn rfc6121_8_5_3_2_2_subscription_to_gone_resource() {
    for type_ in ["subscribed", "unsubscribe", "unsubscribed"] {
        let mut desk = scene(ONE);
        desk.client(1, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
        desk.contact("romeo@example.net", "both", None);
        let before = desk.state("romeo@example.net");
        let effects = desk.routed(&format!(
            "<presence from='romeo@example.net' to='{JULIET}/chamber' type='{type_}'/>"
        ));
        assert_eq!(effects, []);
        assert_eq!(desk.state("romeo@example.net"), before);
    }
    let mut desk = scene(ONE);
    let effects = desk
        .routed("<presence from='romeo@example.net' to='juliet@example.com/x' type='subscribe'/>");
    assert_eq!(brief(&effects), ["1 subscribe romeo@example.net->juliet@example.com"]);
}

#[test]
fn rfc6121_8_5_2_1_3_iq_to_bare_jid_is_never_delivered() {
    for people in [NOBODY, CONNECTED, ONE, NEGATIVE, BOTH_NEGATIVE, MIXED] {
        for type_ in ["get", "set"] {
            let iq = format!(
                "<iq from='{ROMEO}' to='{JULIET}' id='i' type='{type_}'><q xmlns='urn:x'/></iq>"
            );
            check(people, &iq, Error);
        }
        for type_ in ["result", "error"] {
            let iq = format!("<iq from='{ROMEO}' to='{JULIET}' id='i' type='{type_}'/>");
            check(people, &iq, Silence);
        }
    }
}

#[test]
fn rfc6121_8_5_3_iq_to_full_jid() {
    for type_ in ["get", "set", "result", "error"] {
        let iq = |resource: &str| {
            format!(
                "<iq from='{ROMEO}' to='{JULIET}/{resource}' id='i' type='{type_}'>\
                 <q xmlns='urn:x'/></iq>"
            )
        };
        for people in [CONNECTED, ONE, NEGATIVE, MIXED] {
            check(people, &iq("balcony"), To(&[1]));
        }
        let gone = if matches!(type_, "get" | "set") { Error } else { Silence };
        for people in [NOBODY, CONNECTED, ONE, NEGATIVE, BOTH_NEGATIVE, MIXED] {
            check(people, &iq("chamber"), gone);
        }
    }
}

#[test]
fn rfc6120_8_2_3_malformed_iq_is_bad_request() {
    let bad = Some((Condition::BadRequest, ErrorType::Modify));
    for iq in [
        "<iq type='get' id='1'/>",
        "<iq type='set' id='1'><a xmlns='urn:x'/><b xmlns='urn:x'/></iq>",
        "<iq type='get'><a xmlns='urn:x'/></iq>",
        "<iq type='push' id='1'><a xmlns='urn:x'/></iq>",
        "<iq id='1'><a xmlns='urn:x'/></iq>",
    ] {
        for to in ["", JULIET, "juliet@example.com/garden", "romeo@example.net", ROMEO] {
            let mut desk = scene(MIXED);
            let mut iq = stanza(iq);
            iq.set_to(Jid::new(to).ok());
            let effects = desk.client_stanza(1, iq.clone(), None);
            assert_eq!(refused(&effects), bad, "{iq:?} to {to}");
            assert_eq!(to_others(&effects), 0, "{iq:?} to {to}");
        }
        let mut desk = scene(MIXED);
        let mut iq = stanza(iq);
        iq.set_to(Some(bare(JULIET).into()));
        iq.set_from(Jid::new(ROMEO).ok());
        let effects = desk.handle(AccountInput::Routed { stanza: iq, receipt: None });
        assert_eq!(refused(&effects), bad);
    }
}

fn to_others(effects: &[AccountEffect]) -> usize {
    effects
        .iter()
        .filter(|e| match e {
            AccountEffect::Deliver { session, .. } => *session != id(1),
            AccountEffect::Route { .. } => true,
            _ => false,
        })
        .count()
}

#[test]
fn rfc6121_8_5_1_no_such_account() {
    let answer = |text: &str| no_such_account(&stanza(text)).map(|a| a.element().to_string());
    for type_ in ["normal", "chat", "groupchat", "headline"] {
        let message = format!("<message from='{ROMEO}' to='no@example.com' type='{type_}'/>");
        let answer = no_such_account(&stanza(&message)).unwrap();
        assert_eq!(
            answer.error_condition(),
            Some((Condition::ServiceUnavailable, ErrorType::Cancel))
        );
    }
    for type_ in ["get", "set"] {
        let iq = format!("<iq from='{ROMEO}' to='no@example.com/x' id='1' type='{type_}'/>");
        let answer = no_such_account(&stanza(&iq)).unwrap();
        assert_eq!(
            answer.error_condition(),
            Some((Condition::ServiceUnavailable, ErrorType::Cancel))
        );
    }
    for silent in [
        "<message from='a@b' to='no@example.com' type='error'/>",
        "<iq from='a@b' to='no@example.com' id='1' type='result'/>",
        "<iq from='a@b' to='no@example.com' id='1' type='error'/>",
        "<presence from='a@b/c' to='no@example.com'/>",
        "<presence from='a@b/c' to='no@example.com' type='unavailable'/>",
        "<presence from='a@b' to='no@example.com' type='subscribe'/>",
        "<presence from='a@b' to='no@example.com' type='subscribed'/>",
        "<presence from='a@b' to='no@example.com' type='unsubscribe'/>",
        "<presence from='a@b' to='no@example.com' type='unsubscribed'/>",
        "<presence from='a@b' to='no@example.com' type='error'/>",
    ] {
        assert_eq!(answer(silent), None, "{silent}");
    }
    // RFC 6121 §4.3.2: the answer that a stranger gets from an account that exists.
    let probe = "<presence from='romeo@example.net/orchard' to='no@example.com' type='probe'/>";
    let there = routes(&Desk::new("no@example.com").routed(probe));
    assert_eq!(answer(probe), Some(there[0].clone()));
}

#[test]
fn rfc6121_8_2_message_without_to_is_for_oneself() {
    let mut desk = scene(MIXED);
    let effects = desk.client(2, "<message type='chat'><body>note</body></message>");
    assert_eq!(
        brief(&effects),
        [
            "1 chat juliet@example.com/garden->juliet@example.com",
            "3 chat juliet@example.com/garden->juliet@example.com"
        ]
    );
    let effects = desk.client(2, "<iq type='get' id='1'><q xmlns='urn:x'/></iq>");
    assert_eq!(brief(&effects), ["2 error juliet@example.com->juliet@example.com/garden"]);
    let effects = desk.client(2, "<iq type='result' id='1'/>");
    assert_eq!(effects, []);
}

#[test]
fn rfc6121_8_3_everything_else_is_routed_with_its_receipt() {
    let mut desk = scene(ONE);
    for text in [
        "<message to='romeo@example.net'><body>O</body></message>",
        "<message to='example.com'><body>help</body></message>",
        "<iq to='example.com' type='get' id='1'><q xmlns='urn:x'/></iq>",
        "<iq to='romeo@example.net/orchard' type='result' id='1'/>",
        "<presence to='room@chat.example.com/juliet'/>",
        "<presence to='room@chat.example.com/juliet' type='unavailable'/>",
        "<presence to='romeo@example.net' type='error'/>",
        "<presence to='romeo@example.net' type='probe'/>",
    ] {
        let effects = desk.client_stanza(1, stanza(text), Some(receipt(7)));
        let [AccountEffect::Route { stanza: out, receipt: Some(carried) }] = effects.as_slice()
        else {
            panic!("{text}: {effects:?}")
        };
        assert_eq!(*carried, receipt(7));
        let from = FullJid::new("juliet@example.com/balcony").unwrap();
        assert_eq!(*out, stanza(text).from_jid(from));
    }
}

#[test]
fn session_request_of_old_clients_is_answered() {
    let mut desk = scene(ONE);
    let session =
        "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    let effects = desk.client(1, session);
    assert_eq!(brief(&effects), ["1 result juliet@example.com->juliet@example.com/balcony"]);
    // Of no use to others.
    let stranger = session.replace("<iq", "<iq from='romeo@example.net/x' to='juliet@example.com'");
    assert_eq!(
        refused(&desk.routed(&stranger)),
        Some((Condition::ServiceUnavailable, ErrorType::Cancel))
    );
}

/// XEP-0203 #security, XEP-0280 #security, XEP-0359 #security, XEP-0313 #security
#[test]
fn forged_payloads_are_taken_out() {
    let mut desk = scene(ONE);
    let forged = "<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2002-09-10T23:08:25Z'/>\
        <delay xmlns='urn:xmpp:delay' from='juliet@example.com' stamp='2002-09-10T23:08:25Z'/>\
        <sent xmlns='urn:xmpp:carbons:2'/><received xmlns='urn:xmpp:carbons:2'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' by='juliet@example.com' id='1'/>";
    let honest = "<body>O</body>\
        <delay xmlns='urn:xmpp:delay' from='chat.example.net' stamp='2002-09-10T23:08:25Z'/>\
        <private xmlns='urn:xmpp:carbons:2'/>\
        <stanza-id xmlns='urn:xmpp:sid:0' by='chat.example.net' id='1'/>";
    let effects = desk.routed(&format!(
        "<message from='{ROMEO}' to='{JULIET}' type='chat'>{forged}{honest}</message>"
    ));
    let clean = format!("<message from='{ROMEO}' to='{JULIET}' type='chat'>{honest}</message>");
    assert_eq!(to(&effects, 1), [stanza(&clean).element().to_string()]);

    let archive = "<result xmlns='urn:xmpp:mam:2' id='1'/>";
    let effects = desk.client(
        1,
        &format!("<message to='romeo@example.net' type='chat'>{archive}{forged}{honest}</message>"),
    );
    let clean = format!(
        "<message to='romeo@example.net' type='chat' from='juliet@example.com/balcony'>{honest}\
         </message>"
    );
    let sent = routes(&effects).pop().unwrap();
    assert_eq!(stanza(&sent), stanza(&clean));
    // A room's archive answers with the same element.
    let room =
        format!("<message from='room@chat.example.net' to='{JULIET}/balcony'>{archive}</message>");
    check(ONE, &room, To(&[1]));
}
