//! Binding, takeover, the end of sessions, receipts, removal, and how features are asked.

use super::*;
use crate::feature::Answer;
use crate::record::Log;
use crate::spec::{Status, Xep};
use crate::{Condition, ErrorType, limits};

const JULIET: &str = "juliet@example.com";

fn attached(effects: &[AccountEffect]) -> Result<FullJid, Reject> {
    effects
        .iter()
        .find_map(|effect| match effect {
            AccountEffect::Attached { outcome, .. } => Some(outcome.clone()),
            _ => None,
        })
        .expect("an answer")
}

#[test]
fn rfc6120_7_6_server_chooses_an_unpredictable_resource() {
    let mut desk = Desk::new(JULIET);
    let ask = |desk: &mut Desk, key, resource: Option<&str>| {
        let resource = resource.map(str::to_owned);
        attached(&desk.handle(AccountInput::Attach { session: id(key), resource })).unwrap()
    };
    let (first, second) = (ask(&mut desk, 1, None), ask(&mut desk, 2, Some("")));
    assert_ne!(first, second);
    assert_eq!(first.resource().as_str().len(), 26);
}

#[test]
fn rfc6120_7_7_2_1_bad_resource() {
    let mut desk = Desk::new(JULIET);
    let long = "x".repeat(limits::RESOURCE_BYTES + 1);
    for resource in ["\u{1}", long.as_str()] {
        let rejected = attached(&desk.bind(1, resource)).unwrap_err();
        assert_eq!(rejected.condition, Condition::BadRequest);
        assert!(desk.account.is_idle());
    }
    let longest = "x".repeat(limits::RESOURCE_BYTES);
    assert!(attached(&desk.bind(1, &longest)).is_ok());
}

#[test]
fn rfc6120_7_6_2_1_too_many_resources() {
    let mut desk = Desk::new(JULIET);
    for key in 0..limits::RESOURCES_PER_ACCOUNT as u64 {
        assert!(attached(&desk.bind(key, &format!("r{key}"))).is_ok());
    }
    let rejected = attached(&desk.bind(500, "one-more")).unwrap_err();
    assert_eq!(rejected.condition, Condition::ResourceConstraint);
    // Taking over does not add one.
    assert!(attached(&desk.bind(501, "r7")).is_ok());
}

#[test]
fn rfc6120_7_7_2_2_newcomer_takes_over() {
    let mut desk = Desk::new(JULIET);
    desk.contact("romeo@example.net", "both", None);
    desk.online(1, "balcony", 0);
    desk.client(1, "<presence to='room@chat.example.com/j'/>");
    let effects = desk.bind(2, "balcony");
    let goodbyes = ["romeo@example.net", "room@chat.example.com/j"]
        .map(|to| format!("out unavailable juliet@example.com/balcony->{to}"));
    let said: Vec<_> = brief(&effects).into_iter().filter(|l| l.starts_with("out")).collect();
    assert_eq!(said, goodbyes);
    let tail = &effects[effects.len() - 2..];
    assert!(matches!(&tail[0], AccountEffect::Close { session, error }
            if *session == id(1) && error.condition == StreamCondition::Conflict));
    assert!(matches!(&tail[1], AccountEffect::Attached { session, .. } if *session == id(2)));
    // What the old session still says: presence and IQs are void, a message was written by a
    // person.
    assert_eq!(desk.client(1, "<presence/>"), []);
    let late = stanza("<message to='a@b.c' from='juliet@example.com/balcony'/>");
    let effects =
        desk.handle(AccountInput::FromClient { session: id(1), stanza: late, receipt: None });
    assert_eq!(routes(&effects).len(), 1);
    // Its end does not end the new one.
    assert_eq!(desk.detach(1, &[]), []);
    assert!(!desk.account.is_idle());
}

#[test]
fn undelivered_stanzas_are_handled_again() {
    let message = |type_: &str, to: &str| {
        format!("<message from='a@b.c/d' to='{to}' type='{type_}' id='1'><body>O</body></message>")
    };
    let error = Some((Condition::ServiceUnavailable, ErrorType::Cancel));
    for to_jid in [JULIET, "juliet@example.com/balcony"] {
        // Another resource takes what is for people.
        for type_ in ["chat", "normal"] {
            let mut desk = Desk::new(JULIET);
            desk.online(1, "balcony", 0);
            desk.online(2, "garden", 0);
            let effects = desk.detach(1, &[&message(type_, to_jid)]);
            assert_eq!(to(&effects, 2).len(), 2, "the goodbye and the message");
            assert_eq!(refused(&effects), None);
        }
        // Nobody is left: the sender learns it.
        for (type_, expected) in [
            ("chat", error),
            ("normal", error),
            ("groupchat", error),
            ("headline", None),
            ("error", None),
        ] {
            let mut desk = Desk::new(JULIET);
            desk.online(1, "balcony", 0);
            let effects = desk.detach(1, &[&message(type_, to_jid)]);
            assert_eq!(refused(&effects), expected, "{type_}");
        }
    }
    let mut desk = Desk::new(JULIET);
    desk.online(1, "balcony", 0);
    let get =
        "<iq from='a@b.c/d' to='juliet@example.com/balcony' type='get' id='1'><q xmlns='x'/></iq>";
    assert_eq!(refused(&desk.detach(1, &[get])), error);
    for nothing in [
        "<iq from='a@b.c/d' to='juliet@example.com/balcony' type='result' id='1'/>",
        "<iq from='juliet@example.com' to='juliet@example.com/balcony' type='set' id='1'>\
         <q xmlns='x'/></iq>",
        "<presence from='a@b.c/d' to='juliet@example.com'/>",
        "<presence from='a@b.c' to='juliet@example.com' type='subscribe'/>",
    ] {
        desk.bind(1, "balcony");
        assert_eq!(desk.detach(1, &[nothing]), [], "{nothing}");
    }
}

/// A message that went to two resources is handled again only when both copies are lost.
#[test]
fn one_lost_copy_is_not_delivered_twice() {
    let message =
        "<message from='a@b.c/d' to='juliet@example.com' type='chat'><body>O</body></message>";
    let mut desk = Desk::new(JULIET);
    desk.online(1, "balcony", 0);
    desk.online(2, "garden", 0);
    let effects = desk.routed(message);
    assert_eq!((to(&effects, 1).len(), to(&effects, 2).len()), (1, 1));
    let effects = desk.detach(1, &[message]);
    assert!(!to(&effects, 2).join("").contains("<message"));
    assert_eq!(refused(&effects), None);
    let effects = desk.detach(2, &[message]);
    assert_eq!(refused(&effects), Some((Condition::ServiceUnavailable, ErrorType::Cancel)));
}

/// Each receipt is answered exactly once: by `Handled` or by the `Route` that carries it on.
#[test]
fn receipt_is_handled_or_carried_on() {
    let mut desk = Desk::new(JULIET);
    desk.contact("both@example.net", "both", None);
    desk.online(1, "balcony", 0);
    desk.online(2, "garden", 0);
    for text in [
        "<presence/>",
        "<presence to='a@b.c'/>",
        "<presence to='a@b.c' type='subscribe'/>",
        "<presence to='a@b.c' type='subscribed'/>",
        "<presence to='juliet@example.com' type='subscribe'/>",
        "<presence type='what'/>",
        "<presence to='juliet@example.com/garden'/>",
        "<message><body>O</body></message>",
        "<message to='a@b.c'><body>O</body></message>",
        "<message to='juliet@example.com/garden'><body>O</body></message>",
        "<message to='juliet@example.com/gone'><body>O</body></message>",
        "<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq type='get' id='1' to='a@b.c'><query xmlns='urn:x'/></iq>",
        "<iq type='what' id='1'/>",
        "<iq type='result' id='1'/>",
        "<presence type='unavailable'/>",
    ] {
        let effects = desk.client_stanza(1, stanza(text), Some(receipt(9)));
        let handled = effects.iter().filter(|e| **e == AccountEffect::Handled(receipt(9))).count();
        let carried = effects
            .iter()
            .filter(
                |e| matches!(e, AccountEffect::Route { receipt: Some(r), .. } if *r == receipt(9)),
            )
            .count();
        assert_eq!(handled + carried, 1, "{text}: {effects:?}");
        if handled == 1 {
            assert_eq!(effects.last(), Some(&AccountEffect::Handled(receipt(9))), "{text}");
        }
    }
    let effects = desk.handle(AccountInput::Routed {
        stanza: stanza("<message from='a@b.c' to='juliet@example.com/gone'/>"),
        receipt: Some(receipt(9)),
    });
    assert_eq!(effects.last(), Some(&AccountEffect::Handled(receipt(9))));
}

#[test]
fn removed_account_says_goodbye() {
    let mut desk = Desk::new(JULIET);
    desk.contact("both@example.net", "both", None);
    desk.contact("asked@example.net", "none", Some("subscribe"));
    desk.online(1, "balcony", 0);
    desk.client(1, "<presence to='room@chat.example.com/j'/>");
    let gone = StreamError::new(StreamCondition::NotAuthorized, "RFC 6120 §4.9.3.12");
    let effects = desk.handle(AccountInput::Removed { error: gone.clone() });
    assert_eq!(effects[0], AccountEffect::Store(Record::Forget { owner: bare(JULIET) }));
    let said: Vec<_> = brief(&effects).into_iter().filter(|l| l.starts_with("out")).collect();
    assert_eq!(
        said,
        [
            "out unavailable juliet@example.com/balcony->both@example.net",
            "out unavailable juliet@example.com/balcony->room@chat.example.com/j",
            "out unsubscribe juliet@example.com->asked@example.net",
            "out unsubscribe juliet@example.com->both@example.net",
            "out unsubscribed juliet@example.com->both@example.net",
        ]
    );
    assert!(effects.contains(&AccountEffect::Close { session: id(1), error: gone }));
    assert!(desk.account.is_idle());
    assert_eq!(desk.saved, Saved::default());
}

/// A feature that answers, keeps, refuses and counts, to see that it is asked.
struct Probe;

static PROBE: Xep = Xep {
    number: "",
    title: "Probe",
    version: "0",
    status: Status::Complete,
    folder: "probe",
    features: &[],
    note: "",
};

const TESTED: &str = "urn:test";

impl AccountFeature for Probe {
    fn xep(&self) -> &'static Xep {
        &PROBE
    }

    fn iq(&self, request: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        match request.payload().filter(|p| *p.ns() == *TESTED).map(Element::name) {
            Some("count") => {
                let count = turn.slot.state::<u64>();
                *count += 1;
                Answer::Result(Some(Element::new("count", TESTED).with_text(count.to_string())))
            }
            Some("look") => {
                turn.look(Log("test"), Seq(4), 10);
                Answer::Later
            }
            Some("no") => Answer::Reject(Reject::new(Condition::Forbidden, "RFC 6120 §8.3.3.4")),
            _ => Answer::Pass,
        }
    }

    fn pass_iq(&self, request: &Stanza, turn: &mut Turn<'_, '_>) -> Result<(), Reject> {
        let from = request.from().expect("is set");
        if turn.account.sees_presence(from) || request.payload().is_none_or(|p| p.name() != "no") {
            return Ok(());
        }
        Err(Reject::new(Condition::Forbidden, "RFC 6120 §8.3.3.4"))
    }

    fn keep(&self, message: &Stanza, _turn: &mut Turn<'_, '_>) -> Result<bool, Reject> {
        match message.id() {
            Some("keep") => Ok(true),
            Some("full") => Err(Reject::new(Condition::ResourceConstraint, "RFC 6120 §8.3.3.18")),
            _ => Ok(false),
        }
    }

    fn available(&self, session: SessionId, turn: &mut Turn<'_, '_>) {
        turn.deliver(session, stanza("<message id='available'/>"));
    }

    fn unavailable(&self, presence: &Stanza, turn: &mut Turn<'_, '_>) {
        let mut record = presence.clone();
        record.set_to(Jid::new("log@example.com").ok());
        turn.route(record);
    }

    fn found(&self, _look: &Look, page: Option<FoundPage>, turn: &mut Turn<'_, '_>) {
        let text = page.map_or("none".into(), |page| page.entries.len().to_string());
        turn.route(stanza(&format!("<message to='log@example.com' id='{text}'/>")));
    }
}

struct Deaf;

impl AccountFeature for Deaf {
    fn xep(&self) -> &'static Xep {
        &PROBE
    }
}

static FEATURES: &[&dyn AccountFeature] = &[&Deaf, &Probe];

#[test]
fn features_answer_requests_in_order() {
    let mut desk = Desk::with_features(JULIET, FEATURES);
    let ask = |name: &str| {
        format!(
            "<iq from='a@b.c/d' to='{JULIET}' type='get' id='1'><{name} xmlns='{TESTED}'/></iq>"
        )
    };
    for n in 1..=2 {
        let answer = routes(&desk.routed(&ask("count"))).pop().unwrap();
        assert!(answer.contains(&format!("<count xmlns='{TESTED}'>{n}</count>")), "{answer}");
    }
    let forbidden = Some((Condition::Forbidden, ErrorType::Auth));
    assert_eq!(refused(&desk.routed(&ask("no"))), forbidden);
    let unavailable = Some((Condition::ServiceUnavailable, ErrorType::Cancel));
    assert_eq!(refused(&desk.routed(&ask("unknown"))), unavailable);
    let look = Look { feature: 1, log: Log("test"), after: Seq(4), entries_max: 10 };
    assert_eq!(desk.routed(&ask("look")), [AccountEffect::Look(look)]);
    for (page, text) in [(None, "none"), (Some(FoundPage::default()), "0")] {
        let effects = desk.handle(AccountInput::Found { look, page });
        assert_eq!(routed_stanzas(&effects)[0].id(), Some(text));
        assert_eq!(effects.len(), 1);
    }
}

#[test]
fn features_guard_requests_to_resources() {
    let mut desk = Desk::with_features(JULIET, FEATURES);
    desk.contact("both@example.net", "both", None);
    desk.bind(1, "balcony");
    desk.bind(2, "garden");
    let ask = |from: &str, name: &str| {
        format!(
            "<iq from='{from}' to='{JULIET}/balcony' type='get' id='1'>\
             <{name} xmlns='{TESTED}'/></iq>"
        )
    };
    let forbidden = Some((Condition::Forbidden, ErrorType::Auth));
    assert_eq!(refused(&desk.routed(&ask("a@b.c/d", "no"))), forbidden);
    assert_eq!(to(&desk.routed(&ask("a@b.c/d", "yes")), 1).len(), 1);
    assert_eq!(to(&desk.routed(&ask("both@example.net/x", "no")), 1).len(), 1);
    assert_eq!(to(&desk.client(2, &ask("x", "no")), 1).len(), 1);
}

#[test]
fn features_keep_messages_and_hear_of_resources() {
    let mut desk = Desk::with_features(JULIET, FEATURES);
    let message = |id: &str| format!("<message from='a@b.c/d' to='{JULIET}' id='{id}'/>");
    assert_eq!(desk.routed(&message("keep")), []);
    let full = Some((Condition::ResourceConstraint, ErrorType::Wait));
    assert_eq!(refused(&desk.routed(&message("full"))), full);
    let nobody = Some((Condition::ServiceUnavailable, ErrorType::Cancel));
    assert_eq!(refused(&desk.routed(&message("else"))), nobody);
    desk.bind(1, "balcony");
    let told = |effects: &[AccountEffect]| to(effects, 1).join("").contains("id='available'");
    assert!(!told(&desk.client(1, "<presence><priority>-1</priority></presence>")));
    assert!(told(&desk.client(1, "<presence/>")));
    assert!(!told(&desk.client(1, "<presence><priority>3</priority></presence>")));
    let effects = desk.detach(1, &[]);
    assert_eq!(
        brief(&effects).last().unwrap(),
        "out unavailable juliet@example.com/balcony->log@example.com"
    );
}
