//! Properties over random inputs: nothing panics, a replay says the same, state survives a reload,
//! and nobody answers an error.

use super::*;
use crate::Condition;

/// xorshift64*: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}

const JIDS: &[&str] = &[
    "",
    "juliet@example.com",
    "juliet@example.com/a",
    "juliet@example.com/b",
    "juliet@example.com/gone",
    "romeo@example.net",
    "romeo@example.net/x",
    "nurse@example.com",
    "room@chat.example.com/j",
    "example.com",
];
const TYPES: &[&str] = &[
    "",
    "error",
    "get",
    "set",
    "result",
    "chat",
    "groupchat",
    "headline",
    "normal",
    "subscribe",
    "subscribed",
    "unsubscribe",
    "unsubscribed",
    "unavailable",
    "probe",
    "strange",
];
const PAYLOADS: &[&str] = &[
    "",
    "<body>O</body>",
    "<priority>-1</priority>",
    "<priority>7</priority>",
    "<query xmlns='jabber:iq:roster'/>",
    "<query xmlns='jabber:iq:roster' ver='0'/>",
    "<query xmlns='jabber:iq:roster'>\
     <item jid='romeo@example.net' name='R'><group>G</group></item></query>",
    "<query xmlns='jabber:iq:roster'><item jid='romeo@example.net' subscription='remove'/></query>",
    "<query xmlns='jabber:iq:roster'><item/><item/></query>",
    "<x xmlns='urn:x'/>",
    "<sent xmlns='urn:xmpp:carbons:2'><x xmlns='urn:x'/></sent>",
    "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
];

fn random_stanza(dice: &mut Dice, from: Option<&str>) -> Stanza {
    let kind = dice.pick(&["message", "presence", "presence", "iq"]);
    let (to, type_, payload) = (dice.pick(JIDS), dice.pick(TYPES), dice.pick(PAYLOADS));
    let attr = |name: &str, value: &str| match value {
        "" => String::new(),
        value => format!(" {name}='{value}'"),
    };
    let id = attr("id", dice.pick(&["", "i1"]));
    let (from, to, type_) =
        (attr("from", from.unwrap_or_default()), attr("to", to), attr("type", type_));
    stanza(&format!("<{kind}{from}{to}{type_}{id}>{payload}</{kind}>"))
}

fn random_input(dice: &mut Dice, desk: &Desk) -> AccountInput {
    let key = 1 + dice.roll(4) as u64;
    let bound = |key| desk.account.resources.by_session(id(key)).map(|r| r.jid.clone());
    match dice.roll(12) {
        0 => {
            let resource = Some(dice.pick(&["a", "b", "c", ""]).to_owned());
            match bound(key) {
                Some(_) => {
                    AccountInput::Detach { session: id(key), reason: None, undelivered: vec![] }
                }
                None => AccountInput::Attach { session: id(key), resource },
            }
        }
        1 => {
            let undelivered = (0..dice.roll(4))
                .map(|_| {
                    let mut stanza = random_stanza(dice, Some("romeo@example.net/x"));
                    stanza.set_to(Jid::new(JIDS[1 + dice.roll(4)]).ok());
                    stanza
                })
                .collect();
            AccountInput::Detach { session: id(key), reason: Some("lost"), undelivered }
        }
        2..=7 => {
            let mut stanza = random_stanza(dice, None);
            // A session that was replaced may still speak under its old address.
            let old = Jid::new("juliet@example.com/a").ok();
            stanza.set_from(bound(key).map(Jid::from).or(old));
            AccountInput::FromClient { session: id(key), stanza, receipt: Some(receipt(1)) }
        }
        _ => {
            let from = JIDS[5 + dice.roll(5)];
            let mut stanza = random_stanza(dice, Some(from));
            stanza.set_to(Jid::new(JIDS[1 + dice.roll(4)]).ok());
            AccountInput::Routed { stanza, receipt: Some(receipt(2)) }
        }
    }
}

fn run(seed: u64, steps: usize) -> Vec<Vec<AccountEffect>> {
    let mut dice = Dice(seed);
    let mut desk = Desk::new("juliet@example.com");
    let mut all = Vec::new();
    let mut ver = 0_u64;
    for step in 0..steps {
        let input = random_input(&mut dice, &desk);
        desk.now = desk.now.after(std::time::Duration::from_millis(dice.roll(2) as u64));
        let context = format!("seed {seed}, step {step}: {input:?}");
        let effects = desk.handle(input.clone());
        check(&input, &effects, &mut ver, &context);
        if dice.roll(20) == 0 {
            let (roster, pending) = (Roster::load(&desk.saved), Pending::load(&desk.saved));
            assert_eq!(roster.as_ref(), Ok(&desk.account.roster), "{context}");
            assert_eq!(pending.unwrap().stanzas().count(), desk.account.pending.stanzas().count());
        }
        all.push(effects);
    }
    all
}

fn check(input: &AccountInput, effects: &[AccountEffect], ver: &mut u64, context: &str) {
    let (stanza, receipt) = match input {
        AccountInput::FromClient { stanza, receipt, .. }
        | AccountInput::Routed { stanza, receipt } => (Some(stanza), *receipt),
        _ => (None, None),
    };
    let answered = effects
        .iter()
        .filter(|effect| match effect {
            AccountEffect::Handled(done) => Some(*done) == receipt,
            AccountEffect::Route { receipt: carried, .. } => {
                carried.is_some() && *carried == receipt
            }
            _ => false,
        })
        .count();
    assert_eq!(answered, usize::from(receipt.is_some()), "{context}");
    for effect in effects {
        match effect {
            AccountEffect::Route { stanza: out, .. } => {
                assert!(out.to().is_some() && out.from().is_some(), "{context}: {out:?}");
            }
            AccountEffect::Deliver { stanza: out, .. } => {
                // What a client missed is pushed again when it asks.
                let asked = stanza.is_some_and(|s| s.type_() == Some("get"));
                if let Some(pushed) = pushed_version(out).filter(|_| !asked) {
                    // One change is pushed to several resources.
                    assert!(pushed >= *ver, "{context}: {pushed} after {ver}");
                    *ver = pushed;
                }
            }
            _ => {}
        }
        // RFC 6120 §8.3.1: an error is never the answer to an error, nor to a result.
        let out = match effect {
            AccountEffect::Route { stanza, .. } | AccountEffect::Deliver { stanza, .. } => stanza,
            _ => continue,
        };
        let is_answer = stanza.is_some_and(|s| s.to() == out.from() && s.from() == out.to());
        let condition = out.error_condition().map(|(condition, _)| condition);
        if is_answer && condition.is_some_and(|c| c != Condition::Gone) {
            assert!(!stanza.is_some_and(Stanza::is_error), "{context}: {out:?}");
        }
    }
}

fn pushed_version(stanza: &Stanza) -> Option<u64> {
    let is_push = stanza.kind() == Kind::Iq && stanza.type_() == Some("set");
    stanza.payload().filter(|_| is_push)?.attr("ver")?.parse().ok()
}

#[test]
fn random_inputs_keep_every_promise_and_replay_equal() {
    for seed in 1..=60 {
        let first = run(seed * 0x9e37_79b9, 300);
        assert_eq!(first, run(seed * 0x9e37_79b9, 300), "seed {seed}");
    }
}
