//! Nothing is lost: random clients that come, lose connections, take over and acknowledge what they
//! like, over a store that answers late and a process that crashes.

use std::collections::BTreeMap;

use oc_core::account::AccountEffect;
use oc_core::{Kind, Stanza, limits};

use crate::account::FEATURES;
use crate::testing::account::{JULIET, Juliet, routes};

/// xorshift64*: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits") % sides
    }
}

struct World {
    juliet: Juliet,
    /// What each session was sent and has not acknowledged.
    open: BTreeMap<u64, Vec<Stanza>>,
    /// How many times each message was acknowledged.
    acknowledged: BTreeMap<String, usize>,
    sent: usize,
    next_session: u64,
}

impl World {
    fn new() -> Self {
        Self {
            juliet: Juliet::new(FEATURES),
            open: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            sent: 0,
            next_session: 1,
        }
    }

    /// Hands effects to the clients; nobody is refused.
    fn carry(&mut self, effects: &[AccountEffect], context: &str) {
        let refused = routes(effects).into_iter().find(Stanza::is_error);
        assert_eq!(refused, None, "{context}");
        for effect in effects {
            let AccountEffect::Deliver { session, stanza } = effect else { continue };
            if stanza.kind() != Kind::Message {
                continue;
            }
            let Some(open) = self.open.get_mut(&session.key) else {
                panic!("{context}: delivered to a session that has ended")
            };
            let twice = open.iter().any(|m| m.id() == stanza.id());
            assert!(!twice, "{context}: {:?} twice to {}", stanza.id(), session.key);
            open.push(stanza.clone());
        }
    }

    fn acknowledge(&mut self, messages: &[Stanza]) {
        for message in messages {
            *self.acknowledged.entry(message.id().expect("is set").to_owned()).or_default() += 1;
        }
    }

    fn some_session(&self, dice: &mut Dice) -> Option<u64> {
        let keys: Vec<u64> = self.open.keys().copied().collect();
        (!keys.is_empty()).then(|| keys[dice.roll(keys.len())])
    }

    fn come(&mut self, resource: &str, context: &str) {
        let key = self.next_session;
        self.next_session += 1;
        self.open.insert(key, vec![]);
        self.juliet.bind(key, resource);
        let effects = self.juliet.client(key, "<presence/>");
        self.carry(&effects, context);
    }

    /// A session ends having acknowledged so many of its messages.
    fn end(&mut self, key: u64, acknowledged: usize, context: &str) {
        let mut messages = self.open.remove(&key).expect("is open");
        let lost = messages.split_off(acknowledged.min(messages.len()));
        self.acknowledge(&messages);
        let effects = self.juliet.detach(key, lost);
        self.carry(&effects, context);
    }

    fn say(&mut self, dice: &mut Dice, context: &str) {
        if self.sent == limits::OFFLINE_MESSAGES {
            return;
        }
        let n = self.sent;
        self.sent += 1;
        let to = if dice.roll(3) == 0 { format!("{JULIET}/a") } else { JULIET.to_owned() };
        let effects = self.juliet.routed(&format!(
            "<message from='romeo@montague.net/x' to='{to}' type='chat' id='{n}'>\
             <body>{n}</body></message>"
        ));
        self.carry(&effects, context);
    }

    fn step(&mut self, dice: &mut Dice, crashes: bool, context: &str) {
        match dice.roll(14) {
            0..=3 => {
                let burst = [1, 1, 1, 70][dice.roll(4)];
                for _ in 0..burst {
                    self.say(dice, context);
                }
            }
            4..=6 => self.come(["a", "b", "c"][dice.roll(3)], context),
            7..=8 => {
                if let Some(key) = self.some_session(dice) {
                    let acknowledged = dice.roll(self.open[&key].len() + 1);
                    self.end(key, acknowledged, context);
                }
            }
            9 => {
                if let Some(key) = self.some_session(dice) {
                    let presence = ["<presence type='unavailable'/>", "<presence/>"][dice.roll(2)];
                    let effects = self.juliet.client(key, presence);
                    self.carry(&effects, context);
                }
            }
            10..=12 => {
                let effects = self.juliet.answer_any();
                self.carry(&effects, context);
            }
            13 if crashes && dice.roll(4) == 0 => {
                self.juliet.crash();
                self.open.clear();
            }
            _ => {}
        }
    }
}

fn run(seed: u64, crashes: bool) {
    let mut dice = Dice(seed);
    let mut world = World::new();
    world.juliet.prompt = false;
    for step in 0..100 {
        world.step(&mut dice, crashes, &format!("seed {seed}, step {step}"));
    }
    let context = format!("seed {seed}, the end");
    world.juliet.prompt = true;
    for key in world.open.keys().copied().collect::<Vec<_>>() {
        world.end(key, usize::MAX, &context);
    }
    world.come("last", &context);
    let last = world.next_session - 1;
    world.end(last, usize::MAX, &context);
    assert_eq!(world.juliet.entries(), 0, "{context}");
    if !crashes {
        for n in 0..world.sent {
            assert!(world.acknowledged.contains_key(&n.to_string()), "{context}: {n} is lost");
        }
    }
    if let Some(kept) = world.juliet.row("offline", "kept") {
        assert_eq!(kept, "0 0", "{context}");
    }
}

#[test]
fn xep_0160_flow_nothing_is_lost_without_a_crash() {
    (1..=25).for_each(|seed| run(seed * 0x9e37_79b9, false));
}

/// A crash ends every session with what it had not acknowledged, but nothing that was kept.
#[test]
fn xep_0160_flow_a_crash_leaves_a_sound_log() {
    (1..=10).for_each(|seed| run(seed * 0x9e37_79b9, true));
}
