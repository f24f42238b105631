//! RFC 6121 §3 and Appendix A: every state, every stanza, and two accounts in every order.

use super::super::subscription::{Ask, State};
use super::*;
use crate::{Condition, ErrorType};

const ROMEO: &str = "romeo@example.net";
const JULIET: &str = "juliet@example.com";

/// RFC 6121 §A.1: none, pending out, pending in; to; from; both.
fn state(name: &str) -> State {
    let (subscription, pending) = name.split_at(1);
    State {
        to: matches!(subscription, "T" | "B"),
        from: matches!(subscription, "F" | "B"),
        pending_out: pending.contains('O'),
        pending_in: pending.contains('I'),
    }
}

const STATES: [&str; 9] = ["N", "NO", "NI", "NOI", "T", "TI", "F", "FO", "B"];
const ASKS: [Ask; 4] = [Ask::Subscribe, Ask::Unsubscribe, Ask::Subscribed, Ask::Unsubscribed];

/// RFC 6121 §A.2, in the order of `ASKS`: `+` goes on, `-` does not, then the new state.
const OUTBOUND: [(&str, [&str; 4]); 9] = [
    ("N", ["+NO", "+N", "-N", "-N"]),
    ("NO", ["+NO", "+N", "-NO", "-NO"]),
    ("NI", ["+NOI", "+NI", "+F", "+N"]),
    ("NOI", ["+NOI", "+NI", "+FO", "+NO"]),
    ("T", ["+T", "+N", "-T", "-T"]),
    ("TI", ["+TI", "+NI", "+B", "+T"]),
    ("F", ["+FO", "+F", "-F", "+N"]),
    ("FO", ["+FO", "+F", "-FO", "+NO"]),
    ("B", ["+B", "+F", "-B", "+T"]),
];

/// RFC 6121 §A.3, likewise.
const INBOUND: [(&str, [&str; 4]); 9] = [
    ("N", ["+NI", "-N", "-N", "-N"]),
    ("NO", ["+NOI", "-NO", "+T", "+N"]),
    ("NI", ["-NI", "+N", "-NI", "-NI"]),
    ("NOI", ["-NOI", "+NO", "+TI", "+NI"]),
    ("T", ["+TI", "-T", "-T", "+N"]),
    ("TI", ["-TI", "+T", "-TI", "+NI"]),
    ("F", ["-F", "+N", "-F", "-F"]),
    ("FO", ["-FO", "+NO", "+B", "+F"]),
    ("B", ["-B", "+T", "-B", "+F"]),
];

/// Juliet with one interested, available resource, and Romeo in some state.
fn juliet_in(name: &str) -> Desk {
    let wanted = state(name);
    let mut desk = Desk::new(JULIET);
    desk.online(1, "balcony", 0);
    desk.client(1, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    if (State { pending_in: false, ..wanted }) != State::default() {
        let ask = wanted.pending_out.then_some("subscribe");
        desk.contact(ROMEO, wanted.name(), ask);
    }
    if wanted.pending_in {
        let request =
            stanza("<presence from='romeo@example.net' to='juliet@example.com' type='subscribe'/>");
        let owner = bare(JULIET);
        let record = desk.account.pending.put(&owner, &bare(ROMEO), request);
        apply(&mut desk.saved, &record);
    }
    assert_eq!(desk.state(ROMEO), wanted, "{name}");
    desk
}

/// The pushes among the stanzas, as `subscription ask`.
fn pushes(effects: &[AccountEffect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            AccountEffect::Deliver { stanza, .. } if stanza.kind() == Kind::Iq => {
                let item = stanza.payload()?.children().next()?;
                Some(format!(
                    "{} {}",
                    item.attr("subscription").unwrap_or_default(),
                    item.attr("ask").or(item.attr("approved")).unwrap_or("-")
                ))
            }
            _ => None,
        })
        .collect()
}

fn check_push(effects: &[AccountEffect], before: State, after: State, context: &str) {
    let visible = |s: State| (s.to, s.from, s.pending_out);
    let expected = if visible(before) == visible(after) {
        vec![]
    } else {
        vec![format!("{} {}", after.name(), if after.pending_out { "subscribe" } else { "-" })]
    };
    assert_eq!(pushes(effects), expected, "{context}");
}

#[test]
fn rfc6121_a_2_outbound_in_every_state() {
    for (name, row) in OUTBOUND {
        for (ask, expected) in ASKS.into_iter().zip(row) {
            let context = format!("{} in {name}", ask.name());
            let (pass, after) = (expected.starts_with('+'), state(&expected[1..]));
            let mut desk = juliet_in(name);
            // RFC 6121 §3.1.1: a full JID means the bare one.
            let text = format!("<presence to='romeo@example.net/x' type='{}'/>", ask.name());
            let effects = desk.client_stanza(1, stanza(&text), Some(receipt(3)));
            assert_eq!(desk.state(ROMEO), after, "{context}");
            let asked: Vec<_> = routed_stanzas(&effects)
                .into_iter()
                .filter(|s| s.type_() == Some(ask.name()))
                .collect();
            assert_eq!(asked.len(), usize::from(pass), "{context}");
            for sent in asked {
                assert_eq!(sent.from(), Some(&bare(JULIET).into()), "{context}");
                assert_eq!(sent.to(), Some(&bare(ROMEO).into()), "{context}");
            }
            let before = state(name);
            if ask == Ask::Subscribed && !pass && !before.from {
                // RFC 6121 §3.4.2: a pre-approval.
                let pushed = pushes(&effects).pop().unwrap();
                let ask = if before.pending_out { "subscribe" } else { "true" };
                assert_eq!(pushed, format!("{} {ask}", before.name()), "{context}");
                assert!(desk.account.roster.item(&bare(ROMEO)).unwrap().approved, "{context}");
            } else {
                check_push(&effects, before, after, &context);
            }
            // RFC 6121 §3.1.5, §3.2.2: who may see is told, who may not any more is told too.
            let said = |type_: Option<&str>| {
                routed_stanzas(&effects).iter().filter(|s| s.type_() == type_).count()
            };
            assert_eq!(said(None), usize::from(!before.from && after.from), "{context}");
            let gone = usize::from(before.from && !after.from);
            assert_eq!(said(Some("unavailable")), gone, "{context}");
            let mut again = desk;
            again.reload();
            assert_eq!(again.state(ROMEO), after, "{context}");
        }
    }
}

#[test]
fn rfc6121_a_3_inbound_in_every_state() {
    for (name, row) in INBOUND {
        for (ask, expected) in ASKS.into_iter().zip(row) {
            let context = format!("{} in {name}", ask.name());
            let (pass, after) = (expected.starts_with('+'), state(&expected[1..]));
            let mut desk = juliet_in(name);
            let text = format!(
                "<presence from='romeo@example.net/orchard' to='{JULIET}' type='{}'/>",
                ask.name()
            );
            let effects = desk.routed(&text);
            assert_eq!(desk.state(ROMEO), after, "{context}");
            let heard = to(&effects, 1).iter().filter(|text| text.contains("presence")).count();
            assert_eq!(heard, usize::from(pass), "{context}");
            let before = state(name);
            check_push(&effects, before, after, &context);
            let out: Vec<_> =
                routed_stanzas(&effects).iter().map(|s| s.type_().map(str::to_owned)).collect();
            let expected: Vec<Option<String>> = match ask {
                // RFC 6121 §3.1.3: answered without asking.
                Ask::Subscribe if before.from => vec![Some("subscribed".into()), None],
                // RFC 6121 §3.3.3
                Ask::Unsubscribe if before.from => vec![Some("unavailable".into())],
                _ => vec![],
            };
            assert_eq!(out, expected, "{context}");
            let mut again = desk;
            again.reload();
            assert_eq!(again.state(ROMEO), after, "{context}");
        }
    }
}

#[test]
fn rfc6121_a_1_state_names() {
    for name in STATES {
        let s = state(name);
        let ask = s.pending_out.then_some("subscribe");
        let read = State::from_names(s.name(), ask).unwrap();
        assert_eq!(read, State { pending_in: false, ..s });
    }
    assert_eq!(State::from_names("remove", None), None);
}

#[test]
fn rfc6121_3_1_3_request_is_kept_and_delivered_again() {
    let mut desk = Desk::new(JULIET);
    let request = "<presence from='romeo@example.net' to='juliet@example.com' type='subscribe'>\
        <status>It is the east</status></presence>";
    assert_eq!(to(&desk.routed(request), 1), Vec::<String>::new());
    // Not twice, even if it is sent twice.
    assert_eq!(desk.routed(request), []);
    desk.reload();
    for (key, resource) in [(1, "balcony"), (2, "garden")] {
        desk.bind(key, resource);
        let effects = desk.client(key, "<presence><priority>-5</priority></presence>");
        assert!(to(&effects, key).contains(&stanza(request).element().to_string()), "{key}");
        // Only with the initial presence.
        assert!(!brief(&desk.client(key, "<presence/>")).join(" ").contains("subscribe"));
    }
    desk.client(1, "<presence to='romeo@example.net' type='unsubscribed'/>");
    desk.reload();
    desk.bind(3, "hall");
    assert!(!brief(&desk.client(3, "<presence/>")).join(" ").contains("subscribe"));
}

#[test]
fn rfc6121_3_1_3_long_request_keeps_the_question() {
    let mut desk = Desk::new(JULIET);
    let long = "x".repeat(crate::limits::PENDING_SUBSCRIPTION_BYTES);
    desk.routed(&format!(
        "<presence from='romeo@example.net' to='{JULIET}' type='subscribe'>\
         <status>{long}</status></presence>"
    ));
    desk.reload();
    desk.bind(1, "balcony");
    let effects = desk.client(1, "<presence/>");
    let kept = "<presence from='romeo@example.net' to='juliet@example.com' type='subscribe'/>";
    assert!(to(&effects, 1).iter().any(|text| stanza(text) == stanza(kept)), "{effects:?}");
}

#[test]
fn rfc6121_3_1_3_too_many_requests() {
    let mut desk = Desk::new(JULIET);
    for n in 0..crate::limits::PENDING_SUBSCRIPTIONS {
        desk.routed(&format!("<presence from='r{n}@example.net' to='{JULIET}' type='subscribe'/>"));
    }
    let one_more = format!("<presence from='romeo@example.net' to='{JULIET}' type='subscribe'/>");
    let error = Some((Condition::ResourceConstraint, ErrorType::Wait));
    assert_eq!(refused(&desk.routed(&one_more)), error);
    assert!(!desk.state(ROMEO).pending_in);
}

#[test]
fn rfc6121_3_4_2_pre_approval() {
    let mut desk = juliet_in("N");
    let effects = desk.client(1, "<presence to='romeo@example.net' type='subscribed'/>");
    assert_eq!(routes(&effects), Vec::<String>::new());
    assert_eq!(pushes(&effects), ["none true"]);
    // Again changes nothing.
    let effects = desk.client(1, "<presence to='romeo@example.net' type='subscribed'/>");
    assert_eq!(effects, []);
    desk.reload();
    desk.online(1, "balcony", 0);
    let request = format!("<presence from='romeo@example.net' to='{JULIET}' type='subscribe'/>");
    let effects = desk.routed(&request);
    assert_eq!(
        brief(&effects),
        [
            "out subscribed juliet@example.com->romeo@example.net",
            "out - juliet@example.com/balcony->romeo@example.net"
        ]
    );
    assert_eq!(desk.state(ROMEO), state("F"));
    assert!(!desk.account.roster.item(&bare(ROMEO)).unwrap().approved);

    // Taken back before it was used.
    let mut desk = juliet_in("N");
    desk.client(1, "<presence to='romeo@example.net' type='subscribed'/>");
    let effects = desk.client(1, "<presence to='romeo@example.net' type='unsubscribed'/>");
    assert_eq!(routes(&effects), Vec::<String>::new());
    assert_eq!(pushes(&effects), ["none -"]);
    assert_eq!(
        brief(&desk.routed(&request)),
        ["1 subscribe romeo@example.net->juliet@example.com"]
    );
}

#[test]
fn rfc6121_3_1_6_interested_resources_hear_before_the_push() {
    let mut desk = juliet_in("NO");
    desk.online(2, "garden", 0);
    let effects = desk
        .routed(&format!("<presence from='romeo@example.net' to='{JULIET}' type='subscribed'/>"));
    assert!(matches!(effects[0], AccountEffect::Store(_)), "durable before it is heard");
    let heard = to(&effects, 1);
    assert!(heard[0].starts_with("<presence") && heard[1].starts_with("<iq"), "{heard:?}");
    // The second resource has not asked for the roster.
    assert_eq!(to(&effects, 2), Vec::<String>::new());
}

#[test]
fn subscription_to_oneself_is_not_allowed() {
    let mut desk = juliet_in("N");
    for ask in ASKS {
        let text = format!("<presence to='{JULIET}' type='{}'/>", ask.name());
        let effects = desk.client(1, &text);
        assert_eq!(refused(&effects), Some((Condition::NotAllowed, ErrorType::Cancel)));
        assert_eq!(desk.account.roster.len(), 0);
        let text = format!("<presence from='{JULIET}' to='{JULIET}' type='{}'/>", ask.name());
        assert_eq!(desk.routed(&text), []);
    }
}

/// Two accounts and the queues between them.
struct Pair {
    desks: [Desk; 2],
    /// Stanzas on their way to each.
    queues: [std::collections::VecDeque<Stanza>; 2],
}

impl Pair {
    fn new() -> Self {
        let mut desks = [Desk::new(ROMEO), Desk::new(JULIET)];
        for desk in &mut desks {
            desk.online(1, "phone", 0);
        }
        Self { desks, queues: Default::default() }
    }

    fn carry(&mut self, from: usize, effects: &[AccountEffect]) {
        self.queues[1 - from].extend(routed_stanzas(effects));
    }

    fn act(&mut self, who: usize, ask: &str) {
        let other = [JULIET, ROMEO][who];
        let text = match ask {
            "remove" => format!(
                "<iq type='set' id='x'><query xmlns='jabber:iq:roster'>\
                 <item jid='{other}' subscription='remove'/></query></iq>"
            ),
            ask => format!("<presence to='{other}' type='{ask}'/>"),
        };
        let effects = self.desks[who].client(1, &text);
        self.carry(who, &effects);
    }

    fn receive(&mut self, who: usize) {
        let Some(stanza) = self.queues[who].pop_front() else { return };
        let effects = self.desks[who].handle(AccountInput::Routed { stanza, receipt: None });
        self.carry(who, &effects);
    }

    /// What each says of the pair, once nothing is under way: must agree (RFC 6121 §3).
    fn check(&self, context: &str) {
        let romeo = self.desks[0].state(JULIET);
        let juliet = self.desks[1].state(ROMEO);
        assert_eq!(romeo.to, juliet.from, "{context}: {romeo:?} {juliet:?}");
        assert_eq!(romeo.from, juliet.to, "{context}: {romeo:?} {juliet:?}");
        assert!(!romeo.pending_out || juliet.pending_in, "{context}: {romeo:?} {juliet:?}");
        assert!(!juliet.pending_out || romeo.pending_in, "{context}: {romeo:?} {juliet:?}");
    }
}

/// Runs two scripts in every order of acting and receiving; returns how many orders there were.
fn every_order(scripts: [&[&str]; 2], check: &dyn Fn(&Pair, &str)) -> usize {
    let mut runs = 0;
    let mut path: Vec<usize> = Vec::new();
    loop {
        // Replays the path, then takes the first choice open at each further step.
        let (mut pair, mut next, mut widths) = (Pair::new(), [0, 0], Vec::new());
        for step in 0.. {
            let mut open = Vec::new();
            for who in 0..2 {
                if next[who] < scripts[who].len() {
                    open.push((who, true));
                }
                if !pair.queues[who].is_empty() {
                    open.push((who, false));
                }
            }
            if open.is_empty() {
                break;
            }
            if step == path.len() {
                path.push(0);
            }
            widths.push(open.len());
            let (who, acts) = open[path[step]];
            if acts {
                pair.act(who, scripts[who][next[who]]);
                next[who] += 1;
            } else {
                pair.receive(who);
            }
            assert!(step < 60, "a storm of answers: {scripts:?} {path:?}");
        }
        check(&pair, &format!("{scripts:?} {path:?}"));
        runs += 1;
        // The next path in lexical order.
        path.truncate(widths.len());
        while let Some(last) = path.pop() {
            if last + 1 < widths[path.len()] {
                path.push(last + 1);
                break;
            }
        }
        if path.is_empty() {
            return runs;
        }
    }
}

#[test]
fn rfc6121_3_two_accounts_agree_in_every_order() {
    let scripts: &[[&[&str]; 2]] = &[
        [&["subscribe"], &["subscribed"]],
        [&["subscribe"], &["unsubscribed"]],
        [&["subscribe", "unsubscribe"], &["subscribed"]],
        [&["subscribe"], &["subscribed", "unsubscribed"]],
        [&["subscribe"], &["subscribe"]],
        [&["subscribe", "subscribed"], &["subscribed"]],
        [&["subscribe", "remove"], &["subscribed"]],
        [&["subscribe"], &["subscribed", "remove"]],
    ];
    for script in scripts {
        let runs = every_order(*script, &|pair, context| pair.check(context));
        assert!(runs >= 3, "{script:?}: {runs}");
    }
}

/// RFC 6121 §3.4: with both sides willing, every order ends in a mutual subscription.
#[test]
fn rfc6121_3_willing_accounts_end_with_both() {
    let willing: [&[&str]; 2] = [&["subscribe", "subscribed"], &["subscribed", "subscribe"]];
    every_order(willing, &|pair, context| {
        assert_eq!(pair.desks[0].state(JULIET), state("B"), "{context}");
        assert_eq!(pair.desks[1].state(ROMEO), state("B"), "{context}");
        let probe = pair.desks[0].account.roster.is_subscriber(&bare(JULIET));
        assert!(probe, "{context}");
    });
}
