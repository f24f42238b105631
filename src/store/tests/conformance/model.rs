//! A store against a model of it: any sequence of batches, whatever the engine.

use std::collections::BTreeMap;

use oc_core::record::{Record, Seq};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::EngineKind;
use crate::tests::testing::{ARCHIVE, Fixture, append, delete, event, forget, jid, put, trim};

const OWNERS: [&str; 4] = ["a@b", "a@b.c", "a@bc", "b"];
const KEYS: [&[u8]; 4] = [b"", b"\0", b"k", b"k\xff"];

/// What one owner has.
#[derive(Default)]
struct Owner {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    entries: BTreeMap<u64, String>,
    last: u64,
}

#[derive(Default)]
struct Model {
    owners: BTreeMap<&'static str, Owner>,
    events: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Step {
    Put(usize, Vec<u8>),
    Delete(usize),
    Append(String),
    Trim(u64),
    Forget,
    Event(Vec<u8>),
}

#[derive(Clone, Debug)]
enum Action {
    Batch(usize, Vec<Step>),
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let step = prop_oneof![
        4 => (0..KEYS.len(), bytes()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (0..KEYS.len()).prop_map(Step::Delete),
        6 => "[a-z]{0,20}".prop_map(Step::Append),
        1 => (0..12_u64).prop_map(Step::Trim),
        1 => Just(Step::Forget),
        1 => bytes().prop_map(Step::Event),
    ];
    prop_oneof![
        12 => (0..OWNERS.len(), prop::collection::vec(step, 1..8))
            .prop_map(|(owner, steps)| Action::Batch(owner, steps)),
        1 => Just(Action::Reopen),
    ]
}

impl Model {
    /// Does to the model what the record does to a store; returns the record.
    fn step(&mut self, name: &'static str, step: Step, seqs: &mut Vec<Seq>) -> Record {
        let owner = self.owners.entry(name).or_default();
        match step {
            Step::Put(key, value) => {
                owner.rows.insert(KEYS[key].to_vec(), value.clone());
                put(name, KEYS[key], value)
            }
            Step::Delete(key) => {
                owner.rows.remove(KEYS[key]);
                delete(name, KEYS[key])
            }
            Step::Append(text) => {
                owner.last += 1;
                owner.entries.insert(owner.last, text.clone());
                seqs.push(Seq(owner.last));
                append(name, text)
            }
            Step::Trim(through) => {
                owner.entries.retain(|seq, _| *seq > through);
                trim(name, through)
            }
            Step::Forget => {
                owner.rows.clear();
                owner.entries.clear();
                forget(name)
            }
            Step::Event(data) => {
                self.events.push(data.clone());
                event(name, data)
            }
        }
    }

    fn assert_same(&self, at: &Fixture) {
        for (name, owner) in &self.owners {
            let saved = at.run(at.store().load(&jid(name))).expect("loads");
            let rows = saved.rows.into_iter().map(|(_, key, value)| (key, value));
            assert_eq!(rows.collect::<BTreeMap<_, _>>(), owner.rows);
            let entries = at.page(name, 0, 1_000).into_iter().collect::<BTreeMap<_, _>>();
            assert_eq!(entries, owner.entries);
            let (_, last) = at.run(at.store().bounds(&jid(name), ARCHIVE)).expect("bounds");
            assert_eq!(last, Seq(owner.last));
        }
        let owners = at.run(at.store().owners(None, 9)).expect("owners");
        let with_data = self.owners.iter().filter(|(_, o)| o.rows.len() + o.entries.len() > 0);
        assert_eq!(owners, with_data.map(|(name, _)| jid(name)).collect::<Vec<_>>());
        let events = at.run(at.store().events(0, 1_000)).expect("events");
        assert!(events.into_iter().map(|e| e.data).eq(self.events.iter().cloned()));
        let check = at.run(at.store().check()).expect("a check");
        assert!(check.is_clean(), "{check:?}");
    }
}

pub(super) fn compare(kind: EngineKind) {
    let cases = if kind == EngineKind::Memory { 128 } else { 12 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let actions = prop::collection::vec(action(), 1..40);
    let outcome = TestRunner::new(config).run(&actions, |actions| {
        let mut at = Fixture::new(kind);
        let mut model = Model::default();
        for action in actions {
            match action {
                Action::Batch(owner, steps) => {
                    let mut seqs = Vec::new();
                    let steps = steps.into_iter();
                    let batch = steps.map(|s| model.step(OWNERS[owner], s, &mut seqs)).collect();
                    assert_eq!(at.commit(batch), seqs);
                }
                Action::Reopen if kind == EngineKind::Memory => {}
                Action::Reopen => {
                    at.reopen();
                    assert!(at.report.is_clean(), "{:?}", at.report);
                }
            }
        }
        model.assert_same(&at);
        Ok(())
    });
    outcome.expect("the store does what the model does");
}
