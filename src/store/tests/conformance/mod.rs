//! One set of tests for every engine: what a store promises, whatever keeps its data.

mod broken;
mod disk;
mod model;

use oc_core::Time;
use oc_core::record::{LabelId, Log, Record, Seq, Table};
use oc_core::shard::{Epoch, ShardId, owner_of, shard_of};

use crate::tests::testing::{
    ARCHIVE, Fixture, ROSTER, append, delete, event, forget, jid, put, trim,
};
use crate::{EngineKind, PAGE_ITEMS, Store, StoreError, settings};
use disk::{
    a_directory_has_one_user, a_directory_of_another_engine_is_refused,
    a_dropped_store_is_closed_soon, a_lost_mark_is_told, a_lost_tail_is_counted,
    a_new_directory_is_private, an_emptied_store_does_not_start,
    an_interrupted_first_start_is_begun_again, other_directories_are_left_alone,
};

/// Makes one test of each engine out of each function.
macro_rules! on_every_engine {
    ($($name:ident;)* ; $($on_disk:ident;)*) => {
        mod memory {
            $(#[test] fn $name() { super::run(super::$name, super::EngineKind::Memory) })*
        }
        mod fjall {
            $(#[test] fn $name() { super::run(super::$name, super::EngineKind::Fjall) })*
            $(#[test] fn $on_disk() { super::run(super::$on_disk, super::EngineKind::Fjall) })*
        }
        #[cfg(feature = "store-sled")]
        mod sled {
            $(#[test] fn $name() { super::run(super::$name, super::EngineKind::Sled) })*
            $(#[test] fn $on_disk() { super::run(super::$on_disk, super::EngineKind::Sled) })*
        }
    };
}

on_every_engine! {
    rows_are_set_read_and_removed;
    order_within_a_batch_counts;
    load_gives_all_tables_in_order;
    entries_are_numbered_from_one_without_gaps;
    pages_go_both_ways;
    numbering_goes_on_after_reopening;
    trim_keeps_the_numbering;
    a_large_trim_is_seen_at_once_and_swept_later;
    forget_removes_one_owner_and_keeps_the_numbering;
    owners_that_are_prefixes_of_each_other_are_apart;
    owners_are_listed_in_pages;
    events_are_ordered_with_their_commit;
    old_events_are_given_up_loudly;
    a_stale_epoch_is_fenced;
    a_refused_batch_leaves_nothing;
    limits_are_typed_errors;
    values_of_one_mebibyte;
    callers_at_the_same_time_keep_their_order;
    a_small_queue_makes_callers_wait;
    a_closed_store_says_so;
    labels_and_times_are_kept;
    a_check_of_a_sound_store_is_clean;
    behaves_like_the_model;
    ;
    a_directory_has_one_user;
    a_dropped_store_is_closed_soon;
    a_new_directory_is_private;
    a_directory_of_another_engine_is_refused;
    other_directories_are_left_alone;
    an_interrupted_first_start_is_begun_again;
    an_emptied_store_does_not_start;
    a_lost_mark_is_told;
    a_lost_tail_is_counted;
}

/// Runs a test on an engine.
fn run(test: fn(EngineKind), kind: EngineKind) {
    test(kind);
}

fn behaves_like_the_model(kind: EngineKind) {
    model::compare(kind);
}

fn rows_are_set_read_and_removed(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    assert!(at.report.fresh && at.report.is_clean());
    at.commit(vec![put("a@b", "k", "v"), put("a@b", b"\0\xff".to_vec(), b"\xff\0".to_vec())]);
    at.commit(vec![put("a@b", "", "an empty key"), put("a@b", "empty", "")]);
    assert_eq!(at.row("a@b", b"k").as_deref(), Some(b"v".as_slice()));
    at.commit(vec![put("a@b", "k", "w"), delete("a@b", "never there")]);
    for _ in 0..2 {
        assert_eq!(at.row("a@b", b"k").as_deref(), Some(b"w".as_slice()));
        assert_eq!(at.row("a@b", b"\0\xff").as_deref(), Some(b"\xff\0".as_slice()));
        assert_eq!(at.row("a@b", b"").as_deref(), Some(b"an empty key".as_slice()));
        assert_eq!(at.row("a@b", b"empty").as_deref(), Some(b"".as_slice()));
        if kind == EngineKind::Memory {
            break;
        }
        at.reopen();
        assert!(!at.report.fresh && at.report.is_clean(), "{:?}", at.report);
    }
    at.commit(vec![delete("a@b", "k")]);
    assert_eq!(at.row("a@b", b"k"), None);
}

fn order_within_a_batch_counts(kind: EngineKind) {
    let at = Fixture::new(kind);
    at.commit(vec![put("a@b", "k", "1"), put("a@b", "k", "2"), delete("a@b", "k")]);
    assert_eq!(at.row("a@b", b"k"), None);
    at.commit(vec![put("a@b", "old", "1"), forget("a@b"), put("a@b", "new", "2")]);
    assert_eq!(at.row("a@b", b"old"), None);
    assert_eq!(at.row("a@b", b"new").as_deref(), Some(b"2".as_slice()));
    let seqs = at.commit(vec![append("a@b", "1"), append("a@b", "2"), trim("a@b", 1)]);
    assert_eq!(seqs, [Seq(1), Seq(2)]);
    assert_eq!(at.page("a@b", 0, 9), [(2, "2".to_owned())]);
}

fn load_gives_all_tables_in_order(kind: EngineKind) {
    let at = Fixture::new(kind);
    let row = |table, key: &str| Record::Put {
        owner: jid("a@b"),
        table: Table(table),
        key: key.into(),
        value: table.into(),
    };
    at.commit(vec![
        row("roster", "b"),
        row("blocked", "z"),
        row("roster", "a"),
        append("a@b", "x"),
    ]);
    let saved = at.run(at.store().load(&jid("a@b"))).expect("loads");
    let names: Vec<_> =
        saved.rows.iter().map(|(t, k, _)| (t.as_str(), k.as_slice())).collect::<Vec<_>>();
    let expected: [(&str, &[u8]); 3] = [("blocked", b"z"), ("roster", b"a"), ("roster", b"b")];
    assert_eq!(names, expected);
    assert_eq!(saved.table(Table("roster")).count(), 2);
    assert_eq!(at.run(at.store().load(&jid("nobody@b"))).expect("loads").rows.len(), 0);
}

fn entries_are_numbered_from_one_without_gaps(kind: EngineKind) {
    let at = Fixture::new(kind);
    let other = Record::Append {
        owner: jid("a@b"),
        log: Log("other"),
        at: Time(1),
        label: LabelId(0),
        value: Vec::new(),
    };
    let seqs = at.commit(vec![append("a@b", "1"), other, append("a@b", "2")]);
    assert_eq!(seqs, [Seq(1), Seq(1), Seq(2)]);
    assert_eq!(at.commit(vec![append("a@b", "3")]), [Seq(3)]);
    assert_eq!(at.page("a@b", 0, 9).iter().map(|e| e.0).collect::<Vec<_>>(), [1, 2, 3]);
    let bounds = at.run(at.store().bounds(&jid("a@b"), ARCHIVE)).expect("bounds");
    assert_eq!(bounds, (Seq(1), Seq(3)));
    let bounds = at.run(at.store().bounds(&jid("nobody@b"), ARCHIVE)).expect("bounds");
    assert_eq!(bounds, (Seq(1), Seq(0)));
}

fn pages_go_both_ways(kind: EngineKind) {
    let at = Fixture::new(kind);
    at.commit((1..=300).map(|n: u32| append("a@b", n.to_string())).collect());
    let numbers = |page: Vec<(u64, String)>| {
        assert!(page.iter().all(|(n, text)| *text == n.to_string()));
        page.into_iter().map(|e| e.0).collect::<Vec<_>>()
    };
    assert_eq!(numbers(at.page("a@b", 0, 2)), [1, 2]);
    assert_eq!(numbers(at.page("a@b", 254, 3)), [255, 256, 257]);
    assert_eq!(numbers(at.page("a@b", 298, 9)), [299, 300]);
    assert_eq!(numbers(at.page("a@b", 300, 9)), [0; 0]);
    assert_eq!(numbers(at.page("a@b", u64::MAX, 9)), [0; 0]);
    assert_eq!(numbers(at.page("a@b", 7, 0)), [0; 0]);
    let back = |before: Option<u64>, limit| {
        let page =
            async { at.store().page_back(&jid("a@b"), ARCHIVE, before.map(Seq), limit).await };
        at.run(page).expect("a page").into_iter().map(|e| e.seq.0).collect::<Vec<_>>()
    };
    assert_eq!(back(None, 2), [299, 300]);
    assert_eq!(back(Some(258), 3), [255, 256, 257]);
    assert_eq!(back(Some(3), 9), [1, 2]);
    assert_eq!(back(Some(1), 9), [0; 0]);
    assert_eq!(back(Some(0), 9), [0; 0]);
    assert_eq!(back(Some(u64::MAX), 1), [300]);
    assert_eq!(back(None, 0), [0; 0]);
}

fn numbering_goes_on_after_reopening(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.commit(vec![append("a@b", "1"), append("a@b", "2"), event("a@b", "")]);
    if kind == EngineKind::Memory {
        return;
    }
    for n in 3..6 {
        at.reopen();
        assert_eq!(at.commit(vec![append("a@b", n.to_string()), event("a@b", "")]), [Seq(n)]);
    }
    assert_eq!(at.page("a@b", 0, 9).len(), 5);
    let events = at.run(at.store().events(0, 9)).expect("events");
    assert_eq!(events.iter().map(|e| e.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

fn trim_keeps_the_numbering(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.commit((1..=5).map(|n: u32| append("a@b", n.to_string())).collect());
    at.commit(vec![trim("a@b", 3)]);
    at.commit(vec![trim("a@b", 1)]);
    at.commit(vec![trim("nobody@b", 9)]);
    assert_eq!(at.page("a@b", 0, 9).iter().map(|e| e.0).collect::<Vec<_>>(), [4, 5]);
    at.commit(vec![trim("a@b", u64::MAX)]);
    assert_eq!(at.page("a@b", 0, 9), []);
    if kind != EngineKind::Memory {
        at.reopen();
    }
    assert_eq!(at.commit(vec![append("a@b", "6")]), [Seq(6)]);
    assert_eq!(at.page("a@b", 0, 9), [(6, "6".to_owned())]);
}

fn a_large_trim_is_seen_at_once_and_swept_later(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    for _ in 0..3 {
        at.commit((0..3_000).map(|_| append("a@b", "x")).collect());
    }
    at.commit(vec![trim("a@b", 8_999), append("a@b", "last")]);
    assert_eq!(at.page("a@b", 0, 9), [(9_000, "x".to_owned()), (9_001, "last".to_owned())]);
    if kind != EngineKind::Memory {
        at.reopen();
        assert!(at.report.is_clean(), "{:?}", at.report);
    }
    let left = |at: &Fixture| at.run(at.store().check()).expect("a check").read;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while left(&at) > 4 {
        assert!(std::time::Instant::now() < until, "{} records are left", left(&at));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    at.commit(vec![trim("a@b", 9_001)]);
    assert!(at.run(at.store().owners(None, 9)).expect("owners").is_empty());
}

fn forget_removes_one_owner_and_keeps_the_numbering(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.commit(vec![put("a@b", "k", "v"), append("a@b", "1"), append("a@b", "2")]);
    at.commit(vec![put("a@bc", "k", "v"), append("a@bc", "1")]);
    at.commit(vec![forget("a@b"), forget("a@b")]);
    if kind != EngineKind::Memory {
        at.reopen();
        assert!(at.report.is_clean(), "{:?}", at.report);
    }
    assert_eq!(at.run(at.store().load(&jid("a@b"))).expect("loads").rows, []);
    assert_eq!(at.page("a@b", 0, 9), []);
    assert_eq!(at.run(at.store().owners(None, 9)).expect("owners"), [jid("a@bc")]);
    assert_eq!(at.page("a@bc", 0, 9), [(1, "1".to_owned())]);
    assert_eq!(at.commit(vec![append("a@b", "3")]), [Seq(3)], "numbers are not used twice");
}

fn owners_that_are_prefixes_of_each_other_are_apart(kind: EngineKind) {
    let at = Fixture::new(kind);
    let owners = ["b", "a@b", "a@b.c", "a@bc", "a.a@b", "b.c", "bc"];
    for owner in owners {
        at.commit(vec![put(owner, "k", owner), put(owner, "", owner), append(owner, owner)]);
    }
    for owner in owners {
        let saved = at.run(at.store().load(&jid(owner))).expect("loads");
        assert_eq!(saved.rows.len(), 2, "{owner}");
        assert!(saved.table(ROSTER).all(|(_, value)| value == owner.as_bytes()));
        assert_eq!(at.page(owner, 0, 9), [(1, owner.to_owned())]);
    }
    at.commit(vec![forget("a@b")]);
    at.commit(vec![forget("b")]);
    let left = at.run(at.store().owners(None, 9)).expect("owners");
    assert_eq!(left, ["a.a@b", "a@b.c", "a@bc", "b.c", "bc"].map(jid));
}

fn owners_are_listed_in_pages(kind: EngineKind) {
    let at = Fixture::new(kind);
    assert!(at.run(at.store().owners(None, 9)).expect("owners").is_empty());
    let mut expected: Vec<_> = (0..25).map(|n| jid(&format!("user{n}@example.org"))).collect();
    for owner in &expected {
        at.commit(vec![put(owner.as_str(), "k", "v"), append(owner.as_str(), "x")]);
    }
    expected.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    let mut found = Vec::new();
    loop {
        let page = at.run(at.store().owners(found.last(), 10)).expect("owners");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 10);
        found.extend(page);
    }
    assert_eq!(found, expected);
}

fn events_are_ordered_with_their_commit(kind: EngineKind) {
    let at = Fixture::new(kind);
    assert_eq!(at.run(at.store().events(0, 9)).expect("events"), []);
    at.commit(vec![put("a@b", "k", "v"), event("a@b", "one"), event("c@d", "two")]);
    at.commit(vec![event("c@d", "three")]);
    let events = at.run(at.store().events(0, 9)).expect("events");
    let told: Vec<_> = events.iter().map(|e| (e.number, e.data.as_slice())).collect();
    assert_eq!(told, [(1, b"one".as_slice()), (2, b"two"), (3, b"three")]);
    assert_eq!((events[1].kind.as_str(), &events[1].subject), ("test.event", &jid("c@d")));
    assert_eq!(at.run(at.store().events(1, 1)).expect("events")[0].number, 2);
    assert_eq!(at.run(at.store().events(3, 9)).expect("events"), []);
    assert_eq!(at.run(at.store().events(u64::MAX, 9)).expect("events"), []);
}

fn old_events_are_given_up_loudly(kind: EngineKind) {
    let at = Fixture::with(kind, |settings| settings.events_kept = 10);
    at.commit((0..25).map(|n: u32| event("a@b", n.to_string())).collect());
    let gone = at.run(at.store().events(0, 9));
    assert!(matches!(gone, Err(StoreError::EventsGone { first: 16 })), "{gone:?}");
    assert_eq!(at.run(at.store().events(15, 99)).expect("events").len(), 10);
    assert!(at.run(at.store().check()).expect("a check").is_clean());
}

fn a_stale_epoch_is_fenced(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    let shard = shard_of(owner_of(&jid("a@b")));
    let current = at.run(at.store().claim(shard)).expect("an epoch");
    assert_eq!(at.run(at.store().claim(shard)).expect("an epoch"), current);
    if kind != EngineKind::Memory {
        at.reopen();
    }
    let current = at.run(at.store().claim(shard)).expect("an epoch");
    for given in [Epoch(current.0 - 1), Epoch(current.0 + 1)] {
        let write = at.store().commit(shard, given, vec![put("a@b", "k", "v")]);
        match at.run(write) {
            Err(StoreError::Fenced { shard: s, given: g, current: c }) => {
                assert_eq!((s, g, c), (shard, given, current));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(at.row("a@b", b"k"), None);
    at.commit(vec![put("a@b", "k", "v")]);
    let nowhere = at.run(at.store().claim(ShardId(1024)));
    assert!(matches!(nowhere, Err(StoreError::NoShard { .. })));
}

fn a_refused_batch_leaves_nothing(kind: EngineKind) {
    let at = Fixture::new(kind);
    let mut batch = vec![put("a@b", "k", "v"), append("a@b", "x"), event("a@b", "")];
    batch.push(put("a@b", "too large", vec![0; settings::VALUE_BYTES + 1]));
    assert!(matches!(at.try_commit(batch.clone()), Err(StoreError::TooLarge { .. })));
    batch.pop();
    let foreign = jid("someone@else");
    batch.push(put(foreign.as_str(), "k", "v"));
    match at.try_commit(batch) {
        Err(StoreError::ForeignOwner { of, .. }) => assert_eq!(of, shard_of(&foreign)),
        other => panic!("{other:?}"),
    }
    assert_eq!(at.row("a@b", b"k"), None);
    assert_eq!(at.page("a@b", 0, 9), []);
    assert_eq!(at.run(at.store().events(0, 9)).expect("events"), []);
    assert_eq!(at.commit(vec![append("a@b", "x")]), [Seq(1)]);
}

fn limits_are_typed_errors(kind: EngineKind) {
    let at = Fixture::new(kind);
    let too_large = |batch| match at.try_commit(batch) {
        Err(StoreError::TooLarge { what, bytes, limit }) => {
            assert!(bytes > limit);
            what
        }
        other => panic!("{other:?}"),
    };
    let key = vec![0; settings::KEY_BYTES + 1];
    assert_eq!(too_large(vec![put("a@b", key.clone(), "v")]), "key");
    assert_eq!(too_large(vec![delete("a@b", key)]), "key");
    let value = vec![0; settings::VALUE_BYTES + 1];
    assert_eq!(too_large(vec![append("a@b", value.clone())]), "value");
    assert_eq!(too_large(vec![event("a@b", value)]), "data of an event");
    let many = vec![delete("a@b", "k"); settings::BATCH_RECORDS + 1];
    assert_eq!(too_large(many), "records of a batch");
    let large = vec![append("a@b", vec![0; settings::VALUE_BYTES]); 17];
    assert_eq!(too_large(large), "batch");
    let names = ["", "with\0nul", "with\nline"];
    for name in names {
        let record = Record::Put {
            owner: jid("a@b"),
            table: Table(name),
            key: Vec::new(),
            value: Vec::new(),
        };
        assert!(matches!(at.try_commit(vec![record]), Err(StoreError::BadName { what: "table" })));
        let page = at.run(at.store().page(&jid("a@b"), Log(name), Seq(0), 1));
        assert!(matches!(page, Err(StoreError::BadName { what: "log" })));
    }
    at.commit(vec![put("a@b", vec![0xff; settings::KEY_BYTES], "v")]);
    assert!(at.row("a@b", &vec![0xff; settings::KEY_BYTES]).is_some());
}

fn values_of_one_mebibyte(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    let value: Vec<u8> =
        (0..settings::VALUE_BYTES as u32).map(|n| (n * 7 + n / 251) as u8).collect();
    at.commit(vec![put("a@b", "k", value.clone()), append("a@b", value.clone())]);
    if kind != EngineKind::Memory {
        at.reopen();
    }
    assert_eq!(at.row("a@b", b"k").as_ref(), Some(&value));
    let page = at.run(at.store().page(&jid("a@b"), ARCHIVE, Seq(0), 1)).expect("a page");
    assert_eq!(page[0].value, value);
}

/// Runs `count` commits at once and returns the numbers they got.
fn at_once(at: &Fixture, count: usize, bytes: usize) -> Vec<u64> {
    let (owner, store) = (jid("a@b"), at.store().clone());
    at.run(async {
        let shard = shard_of(owner_of(&owner));
        let epoch = store.claim(shard).await.expect("an epoch");
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let store = store.clone();
                let batch = vec![append("a@b", vec![b'x'; bytes])];
                tokio::task::spawn(async move { store.commit(shard, epoch, batch).await })
            })
            .collect();
        let mut seqs = Vec::new();
        for task in tasks {
            seqs.push(task.await.expect("a task").expect("a commit").seqs[0].0);
        }
        seqs
    })
}

fn callers_at_the_same_time_keep_their_order(kind: EngineKind) {
    let at = Fixture::new(kind);
    let before = at.store().counters();
    assert_eq!(at_once(&at, 600, 10), (1..=600).collect::<Vec<_>>(), "in the order of the calls");
    let after = at.store().counters();
    assert_eq!((after.batches - before.batches, after.records - before.records), (600, 600));
    let groups = after.groups - before.groups;
    assert!((3..=600).contains(&groups), "{groups} groups for 600 batches, capped at 256");
    assert_eq!(at.page("a@b", 0, PAGE_ITEMS).len(), 600);
}

fn a_small_queue_makes_callers_wait(kind: EngineKind) {
    let at = Fixture::with(kind, |settings| settings.queue_bytes = 0);
    // The smallest queue holds 16 MiB: these are 40.
    assert_eq!(at_once(&at, 40, 1_000_000), (1..=40).collect::<Vec<_>>());
}

fn a_closed_store_says_so(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.commit(vec![put("a@b", "k", "v")]);
    let other = at.store().clone();
    at.run(other.drain()).expect("drains");
    at.close();
    let closed = |error| matches!(error, StoreError::Closed);
    assert!(closed(at.run(other.row(&jid("a@b"), ROSTER, b"k")).expect_err("closed")));
    assert!(closed(at.run(other.load(&jid("a@b"))).expect_err("closed")));
    assert!(closed(at.run(other.claim(ShardId(0))).expect_err("closed")));
    assert!(closed(at.run(other.drain()).expect_err("closed")));
    if kind != EngineKind::Memory {
        let (store, report) = Store::open(&at.settings).expect("opens while the handle lives");
        assert!(report.is_clean());
        store.close();
    }
}

fn labels_and_times_are_kept(kind: EngineKind) {
    let at = Fixture::new(kind);
    let (time, label) = (Time(u64::MAX), LabelId(u32::MAX));
    let value = b"v".to_vec();
    at.commit(vec![Record::Append { owner: jid("a@b"), log: ARCHIVE, at: time, label, value }]);
    let page = at.run(at.store().page(&jid("a@b"), ARCHIVE, Seq(0), 1)).expect("a page");
    assert_eq!((page[0].at, page[0].label), (time, label));
}

fn a_check_of_a_sound_store_is_clean(kind: EngineKind) {
    let at = Fixture::new(kind);
    assert!(at.run(at.store().check()).expect("a check").is_clean());
    at.commit((0..200).map(|n: u32| put("a@b", n.to_be_bytes(), "v")).collect());
    at.commit((0..200).map(|n: u32| put("a@b", n.to_be_bytes(), "w")).collect());
    at.commit((0..50).map(|n: u32| delete("a@b", n.to_be_bytes())).collect());
    at.commit(vec![append("a@b", "1"), append("a@b", "2"), trim("a@b", 1), event("a@b", "")]);
    let check = at.run(at.store().check()).expect("a check");
    // 150 rows, one head, one entry, one event, the totals
    assert_eq!((check.read, check.is_clean()), (154, true), "{check:?}");
}
