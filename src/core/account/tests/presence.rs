//! RFC 6121 §4: presence of the account's resources, directed presence, probes.

use super::*;
use crate::{Condition, ErrorType};

const JULIET: &str = "juliet@example.com";

/// Contacts of every kind.
fn juliet() -> Desk {
    let mut desk = Desk::new(JULIET);
    for (jid, subscription, ask) in [
        ("both@example.net", "both", None),
        ("from@example.net", "from", None),
        ("none@example.net", "none", None),
        ("to@example.net", "to", None),
        ("asked@example.net", "none", Some("subscribe")),
    ] {
        desk.contact(jid, subscription, ask);
    }
    desk
}

#[test]
fn rfc6121_4_2_2_initial_presence() {
    let mut desk = juliet();
    desk.bind(1, "balcony");
    let text = "<presence id='p1'><show>away</show>\
        <c xmlns='http://jabber.org/protocol/caps'/></presence>";
    let effects = desk.client(1, text);
    assert_eq!(
        brief(&effects),
        [
            "1 - juliet@example.com/balcony->juliet@example.com/balcony",
            "out - juliet@example.com/balcony->both@example.net",
            "out - juliet@example.com/balcony->from@example.net",
            // RFC 6121 §4.3.1
            "out probe juliet@example.com/balcony->both@example.net",
            "out probe juliet@example.com/balcony->to@example.net",
        ]
    );
    // The whole stanza goes to everybody.
    let full = "<presence id='p1' from='juliet@example.com/balcony' to='both@example.net'>\
        <show>away</show><c xmlns='http://jabber.org/protocol/caps'/></presence>";
    assert_eq!(stanza(&routes(&effects)[0]), stanza(full));
}

#[test]
fn rfc6121_4_4_2_later_presence_is_broadcast_without_probes() {
    let mut desk = juliet();
    desk.online(1, "balcony", 0);
    let effects = desk.client(1, "<presence><show>dnd</show></presence>");
    assert_eq!(
        brief(&effects),
        [
            "1 - juliet@example.com/balcony->juliet@example.com/balcony",
            "out - juliet@example.com/balcony->both@example.net",
            "out - juliet@example.com/balcony->from@example.net",
        ]
    );
}

#[test]
fn rfc6121_4_2_2_resources_learn_of_each_other() {
    let mut desk = Desk::new(JULIET);
    desk.online(1, "balcony", 0);
    desk.bind(2, "garden");
    desk.bind(3, "hall");
    let effects = desk.client(2, "<presence/>");
    assert_eq!(
        brief(&effects),
        [
            "1 - juliet@example.com/garden->juliet@example.com/balcony",
            "2 - juliet@example.com/garden->juliet@example.com/garden",
            "2 - juliet@example.com/balcony->juliet@example.com/garden",
        ]
    );
}

#[test]
fn rfc6121_4_5_2_unavailable_presence() {
    let mut desk = juliet();
    desk.online(1, "balcony", 0);
    desk.online(2, "garden", 0);
    let effects = desk.client(1, "<presence type='unavailable'><status>bye</status></presence>");
    assert_eq!(
        brief(&effects),
        [
            "1 unavailable juliet@example.com/balcony->juliet@example.com/balcony",
            "2 unavailable juliet@example.com/balcony->juliet@example.com/garden",
            "out unavailable juliet@example.com/balcony->both@example.net",
            "out unavailable juliet@example.com/balcony->from@example.net",
        ]
    );
    assert!(routes(&effects)[0].contains("<status>bye</status>"));
    // It is only connected now: no second goodbye, and initial presence is initial again.
    assert_eq!(desk.client(1, "<presence type='unavailable'/>"), []);
    assert!(brief(&desk.client(1, "<presence/>")).join(" ").contains("probe"));
}

#[test]
fn rfc6121_4_5_2_server_says_goodbye_for_a_lost_session() {
    let mut desk = juliet();
    desk.online(1, "balcony", 0);
    desk.client(1, "<presence to='room@chat.example.com/juliet'/>");
    let effects = desk.handle(AccountInput::Detach {
        session: id(1),
        reason: Some("connection lost"),
        undelivered: vec![],
    });
    let said: Vec<_> = brief(&effects).into_iter().filter(|line| line.starts_with("out")).collect();
    assert_eq!(
        said,
        [
            "out unavailable juliet@example.com/balcony->both@example.net",
            "out unavailable juliet@example.com/balcony->from@example.net",
            "out unavailable juliet@example.com/balcony->room@chat.example.com/juliet",
        ]
    );
    assert!(routes(&effects).iter().all(|s| s.contains("<status>connection lost</status>")));
    assert!(desk.account.is_idle());
    // A session that never was available leaves in silence.
    desk.bind(2, "garden");
    assert_eq!(desk.detach(2, &[]), []);
}

#[test]
fn rfc6121_4_6_3_directed_presence() {
    let mut desk = juliet();
    desk.bind(1, "balcony");
    let goodbyes = |effects: &[AccountEffect]| -> Vec<String> {
        routed_stanzas(effects)
            .iter()
            .filter(|s| s.type_() == Some("unavailable"))
            .map(|s| s.to().unwrap().to_string())
            .collect()
    };
    // Before initial presence even a subscriber is told at the end.
    desk.client(1, "<presence to='from@example.net'/>");
    assert_eq!(goodbyes(&desk.client(1, "<presence type='unavailable'/>")), ["from@example.net"]);

    desk.client(1, "<presence/>");
    for jid in [
        "room@chat.example.com/j",
        "other@chat.example.com/j",
        "from@example.net",
        "to@example.net",
    ] {
        desk.client(1, &format!("<presence to='{jid}'/>"));
    }
    // RFC 6121 §4.6.3: a later broadcast does not go to them.
    let effects = desk.client(1, "<presence><show>away</show></presence>");
    assert!(!routes(&effects).join("").contains("chat.example.com"));
    // Goodbye said already; a room that has refused needs none.
    desk.client(1, "<presence to='other@chat.example.com/j' type='unavailable'/>");
    desk.client(1, "<presence to='full@chat.example.com/j'/>");
    let error =
        "<presence from='full@chat.example.com/j' to='juliet@example.com/balcony' type='error'/>";
    assert_eq!(to(&desk.routed(error), 1).len(), 1);
    assert_eq!(
        goodbyes(&desk.client(1, "<presence type='unavailable'/>")),
        ["both@example.net", "from@example.net", "room@chat.example.com/j", "to@example.net"]
    );
}

#[test]
fn rfc6121_4_6_3_directed_presence_is_bounded() {
    let mut desk = Desk::new(JULIET);
    desk.online(1, "balcony", 0);
    for n in 0..crate::limits::DIRECTED_PRESENCE {
        desk.client(1, &format!("<presence to='r{n}@chat.example.com/j'/>"));
    }
    let effects = desk.client(1, "<presence to='more@chat.example.com/j'/>");
    assert_eq!(refused(&effects), Some((Condition::ResourceConstraint, ErrorType::Wait)));
    assert_eq!(routes(&effects), Vec::<String>::new());
    // One that is known already may be repeated.
    assert_eq!(routes(&desk.client(1, "<presence to='r7@chat.example.com/j'/>")).len(), 1);
}

#[test]
fn rfc6121_4_7_2_3_priority() {
    for (text, takes) in [
        ("", true),
        ("<priority>0</priority>", true),
        ("<priority>127</priority>", true),
        ("<priority> 5 </priority>", true),
        ("<priority>+5</priority>", true),
        ("<priority>-1</priority>", false),
        ("<priority>-128</priority>", false),
    ] {
        let mut desk = Desk::new(JULIET);
        desk.bind(1, "balcony");
        desk.client(1, &format!("<presence>{text}</presence>"));
        let effects =
            desk.routed("<message from='a@b.c' to='juliet@example.com'><body>O</body></message>");
        assert_eq!(to(&effects, 1).len(), usize::from(takes), "{text}");
    }
    for text in ["1000", "-129", "high", ""] {
        let mut desk = Desk::new(JULIET);
        desk.bind(1, "balcony");
        let effects = desk.client(1, &format!("<presence><priority>{text}</priority></presence>"));
        assert_eq!(refused(&effects), Some((Condition::BadRequest, ErrorType::Modify)), "{text}");
        assert_eq!(effects.len(), 1, "{text}");
        // Of others it is not ours to judge.
        desk.client(1, "<presence/>");
        let others = format!(
            "<presence from='a@b.c/d' to='juliet@example.com'>\
             <priority>{text}</priority></presence>"
        );
        assert_eq!(to(&desk.routed(&others), 1).len(), 1, "{text}");
    }
}

#[test]
fn rfc6121_4_3_2_probe_of_a_subscriber() {
    let mut desk = juliet();
    let probe = |from: &str, to: &str| format!("<presence from='{from}' to='{to}' type='probe'/>");
    let bare = probe("both@example.net/x", JULIET);
    assert_eq!(
        brief(&desk.routed(&bare)),
        ["out unavailable juliet@example.com->both@example.net/x"]
    );
    desk.online(1, "balcony", 0);
    desk.bind(2, "garden");
    desk.client(2, "<presence><show>xa</show><status>in the garden</status></presence>");
    desk.bind(3, "hall");
    let effects = desk.routed(&bare);
    assert_eq!(
        brief(&effects),
        [
            "out - juliet@example.com/balcony->both@example.net/x",
            "out - juliet@example.com/garden->both@example.net/x",
        ]
    );
    assert!(routes(&effects)[1].contains("<show>xa</show><status>in the garden</status>"));
    let one = desk.routed(&probe("from@example.net", "juliet@example.com/garden"));
    assert_eq!(brief(&one), ["out - juliet@example.com/garden->from@example.net"]);
    for gone in ["juliet@example.com/chamber", "juliet@example.com/hall"] {
        assert_eq!(
            brief(&desk.routed(&probe("from@example.net", gone))),
            [format!("out unavailable {gone}->from@example.net")]
        );
    }
}

/// Presence must not leak: whoever may not see gets the same answer whether Juliet is there, away,
/// or does not exist.
#[test]
fn rfc6121_4_3_2_probe_of_a_stranger_learns_nothing() {
    for from in
        ["none@example.net/x", "to@example.net/x", "asked@example.net/x", "nobody@example.org"]
    {
        for to in [JULIET, "juliet@example.com/balcony"] {
            let probe = format!("<presence from='{from}' to='{to}' type='probe'/>");
            let mut away = juliet();
            let mut here = juliet();
            here.online(1, "balcony", 0);
            let expected = no_such_account(&stanza(&probe)).unwrap();
            for desk in [&mut away, &mut here] {
                let effects = desk.routed(&probe);
                assert_eq!(
                    routed_stanzas(&effects),
                    std::slice::from_ref(&expected),
                    "{from} {to}"
                );
                assert_eq!(effects.len(), 1);
            }
            assert_eq!(expected.type_(), Some("unsubscribed"));
        }
    }
}

#[test]
fn rfc6121_4_6_6_probe_after_directed_presence() {
    let mut desk = Desk::new(JULIET);
    desk.bind(1, "balcony");
    desk.client(1, "<presence><status>secret</status></presence>");
    desk.client(1, "<presence to='room@chat.example.com/j'/>");
    let probe =
        |to: &str| format!("<presence from='room@chat.example.com' to='{to}' type='probe'/>");
    let effects = desk.routed(&probe("juliet@example.com/balcony"));
    assert_eq!(brief(&effects), ["out - juliet@example.com/balcony->room@chat.example.com"]);
    assert!(!routes(&effects)[0].contains("secret"));
    // The bare JID still says nothing, and after the goodbye the full one does not either.
    assert_eq!(
        brief(&desk.routed(&probe(JULIET))),
        ["out unsubscribed juliet@example.com->room@chat.example.com"]
    );
    desk.client(1, "<presence to='room@chat.example.com/j' type='unavailable'/>");
    assert_eq!(
        brief(&desk.routed(&probe("juliet@example.com/balcony"))),
        ["out unsubscribed juliet@example.com->room@chat.example.com"]
    );
}

#[test]
fn rfc6121_4_7_1_unknown_type_is_bad_request() {
    let mut desk = Desk::new(JULIET);
    desk.online(1, "balcony", 0);
    let bad = Some((Condition::BadRequest, ErrorType::Modify));
    for text in [
        "<presence type='invisible'/>",
        "<presence type='available' to='a@b.c'/>",
        "<presence type='subscribe'/>",
        "<presence type='probe'/>",
    ] {
        assert_eq!(refused(&desk.client(1, text)), bad, "{text}");
    }
    // An error is never answered, also not one without an address.
    assert_eq!(desk.client(1, "<presence type='error'/>"), []);
}

/// No scan over all contacts per contact: 10,000 items, 1,000 of them subscribers who are online.
#[test]
fn large_roster_loads_and_broadcasts_in_linear_steps() {
    let mut saved = Saved::default();
    for n in 0..10_000 {
        let jid = format!("c{n:05}@example.net");
        let subscription = if n % 10 == 0 { "both" } else { "none" };
        let value = format!(
            "<item xmlns='jabber:iq:roster' jid='{jid}' subscription='{subscription}' ver='{n}'>\
             <group>All</group></item>"
        );
        saved.rows.push(("roster".into(), jid.into_bytes(), value.into_bytes()));
    }
    let mut desk = Desk::new(JULIET);
    desk.saved = saved;
    desk.reload();
    desk.bind(1, "balcony");
    let effects = desk.client(1, "<presence/>");
    // Itself, 1,000 broadcasts, 1,000 probes.
    assert_eq!(effects.len(), 2_001);
    for n in (0..10_000).step_by(10) {
        let text = format!("<presence from='c{n:05}@example.net/x' to='juliet@example.com'/>");
        assert_eq!(desk.routed(&text).len(), 1);
    }
    let effects = desk.client(1, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    let [AccountEffect::Deliver { stanza, .. }] = effects.as_slice() else { panic!() };
    assert_eq!(stanza.payload().unwrap().children().count(), 10_000);
}
