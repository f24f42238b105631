//! Below the words: records that are not what was written, and a disk that fails.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oc_core::BareJid;
use oc_core::record::{Record, Seq, Table};
use oc_core::shard::{Epoch, ShardId, owner_of, shard_of};

use crate::commit::Committer;
use crate::engine::{Change, Engine, Visit};
use crate::envelope::{Head, Totals};
use crate::key::{self, Range};
use crate::store::Opened;
use crate::tests::testing::{ARCHIVE, ROSTER, append, jid, put};
use crate::{EngineKind, Settings, Store, StoreError, engine};

/// An engine in memory whose disk can fail.
struct Breakable {
    memory: Box<dyn Engine>,
    broken: Arc<AtomicBool>,
    /// A write waits until nobody else holds it.
    gate: Arc<Mutex<()>>,
    /// Changes of the largest write.
    largest: Arc<AtomicUsize>,
}

impl Engine for Breakable {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key)
    }

    fn scan(&self, range: &Range, visit: Visit<'_>) -> Result<(), StoreError> {
        self.memory.scan(range, visit)
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let _gate = self.gate.lock().expect("nobody panics at the gate");
        self.largest.fetch_max(changes.len(), Relaxed);
        if self.broken.load(Relaxed) {
            return Err(EngineKind::Memory.failed("the disk is on fire"));
        }
        self.memory.apply(changes)
    }
}

/// A store whose engine is within reach.
struct Bench {
    store: Store,
    opened: Arc<Opened>,
    broken: Arc<AtomicBool>,
    gate: Arc<Mutex<()>>,
    largest: Arc<AtomicUsize>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Self {
        let settings = Settings::memory();
        let broken = Arc::new(AtomicBool::new(false));
        let memory = engine::open(&settings, std::path::Path::new("")).expect("opens");
        let gate = Arc::new(Mutex::new(()));
        let largest = Arc::new(AtomicUsize::new(0));
        let engine = Box::new(Breakable {
            memory,
            broken: broken.clone(),
            gate: gate.clone(),
            largest: largest.clone(),
        });
        let opened = Arc::new(Opened { kind: EngineKind::Memory, engine, directory: None });
        let committer = Committer {
            opened: opened.clone(),
            done: Arc::default(),
            epoch: Epoch(1),
            totals: Totals::empty(),
            mark: None,
            backlog: VecDeque::new(),
            group_records: 256,
            group_bytes: 1 << 20,
            events_kept: 100,
            stopped: None,
        };
        let store = Store::start(committer, &settings).expect("starts");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let bench = Self { store, opened, broken, gate, largest, runtime };
        // So that there are totals.
        bench.commit(vec![put("z@z", "k", "v")]).expect("a commit");
        bench
    }

    fn commit(&self, batch: Vec<Record>) -> Result<Vec<Seq>, StoreError> {
        let shard: ShardId = shard_of(owner_of(batch[0].owner()));
        self.runtime.block_on(self.store.commit(shard, Epoch(1), batch)).map(|done| done.seqs)
    }

    /// Changes what is stored behind the store's back.
    fn tamper(&self, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
        let mut stored = self.opened.engine.get(key).expect("reads").expect("is there");
        change(&mut stored);
        self.opened.engine.apply(vec![(key.to_vec(), Some(stored))]).expect("writes");
    }

    fn remove(&self, key: Vec<u8>) {
        self.opened.engine.apply(vec![(key, None)]).expect("writes");
    }

    fn row(&self, owner: &BareJid) -> Result<Option<Vec<u8>>, StoreError> {
        self.runtime.block_on(self.store.row(owner, ROSTER, b"k"))
    }

    fn page(&self, owner: &BareJid) -> Result<Vec<u64>, StoreError> {
        let page = self.runtime.block_on(self.store.page(owner, ARCHIVE, Seq(0), 99));
        page.map(|page| page.into_iter().map(|entry| entry.seq.0).collect())
    }

    fn check(&self) -> crate::Check {
        self.runtime.block_on(self.store.check()).expect("a check")
    }
}

fn is_damage<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    let text = format!("{result:?}");
    assert!(!text.contains("a@b"), "no address in an error: {text}");
    matches!(result, Err(StoreError::Damaged { .. }))
}

#[test]
fn a_failed_write_stops_the_store() {
    let bench = Bench::new();
    bench.broken.store(true, Relaxed);
    let failed = bench.commit(vec![append("a@b", "1")]);
    assert!(matches!(failed, Err(StoreError::Stopped { .. })), "{failed:?}");
    bench.broken.store(false, Relaxed);
    let later = bench.commit(vec![append("a@b", "1")]);
    assert!(matches!(&later, Err(StoreError::Stopped { reason }) if reason.contains("fire")));
    assert_eq!(bench.page(&jid("a@b")).expect("reads go on"), [0; 0]);
}

#[test]
fn a_row_that_changed_is_damage() {
    let bench = Bench::new();
    let owner = jid("a@b");
    bench.commit(vec![put("a@b", "k", "value"), put("a@b", "other", "value")]).expect("a commit");
    let key = key::row(&owner, ROSTER, b"k");
    bench.tamper(&key, |stored| *stored.last_mut().expect("bytes") ^= 1);
    assert!(is_damage(bench.row(&owner)));
    assert!(is_damage(bench.runtime.block_on(bench.store.load(&owner))));
    let check = bench.check();
    assert_eq!((check.unreadable, check.missing, check.rows_off), (1, 0, 0));
    // A value under another key has a right checksum of its own, but not of this key.
    let other = key::row(&owner, Table("roster"), b"other");
    let stored = bench.opened.engine.get(&other).expect("reads").expect("is there");
    bench.tamper(&key, |value| *value = stored);
    assert!(is_damage(bench.row(&owner)));
}

#[test]
fn a_row_that_fell_back_is_counted() {
    let bench = Bench::new();
    let key = key::row(&jid("a@b"), ROSTER, b"k");
    bench.commit(vec![put("a@b", "k", "old")]).expect("a commit");
    let old = bench.opened.engine.get(&key).expect("reads").expect("is there");
    bench.commit(vec![put("a@b", "k", "new")]).expect("a commit");
    assert!(bench.check().is_clean());
    bench.tamper(&key, |value| *value = old);
    assert_eq!(bench.check().rows_off, 1);
    bench.remove(key);
    assert_eq!(bench.check().rows_off, 1);
}

#[test]
fn a_missing_entry_is_damage() {
    let bench = Bench::new();
    let owner = jid("a@b");
    let entry = |n| key::entry("a@b", ARCHIVE.0, Seq(n));
    bench.commit((0..9).map(|_| append("a@b", "x")).collect()).expect("a commit");
    bench.remove(entry(5));
    assert!(is_damage(bench.page(&owner)));
    assert_eq!(bench.check().missing, 1);
    for n in [1, 2, 3, 4, 6, 7, 8, 9] {
        bench.remove(entry(n));
    }
    assert!(is_damage(bench.page(&owner)), "all are missing");
    assert_eq!(bench.check().missing, 9);
    let back = bench.store.page_back(&owner, ARCHIVE, None, 1);
    assert!(is_damage(bench.runtime.block_on(back)), "the last is missing");
}

#[test]
fn a_damaged_head_refuses_its_batch_alone() {
    let bench = Bench::new();
    let owner = jid("a@b");
    bench.commit(vec![append("a@b", "x")]).expect("a commit");
    bench.tamper(&key::head("a@b", ARCHIVE.0), |stored| stored[20] ^= 1);
    assert!(is_damage(bench.commit(vec![put("a@b", "k", "v"), append("a@b", "y")])));
    assert_eq!(bench.row(&owner).expect("reads"), None, "the batch is one");
    assert!(is_damage(bench.page(&owner)));
    assert_eq!(bench.commit(vec![append("c@d", "x")]).expect("others go on"), [Seq(1)]);
    // A head with a right checksum that knows nothing of the entries there are.
    let empty = Head::EMPTY;
    let key = key::head("a@b", ARCHIVE.0);
    bench.tamper(&key, |stored| *stored = empty.seal(&key));
    let check = bench.check();
    assert_eq!((check.unreadable, check.rows_off), (1, 1));
}

#[test]
fn a_missing_event_is_damage() {
    let bench = Bench::new();
    let event = |data| crate::tests::testing::event("a@b", data);
    bench.commit(vec![event("1"), event("2"), event("3")]).expect("a commit");
    bench.remove(key::event(2));
    assert!(is_damage(bench.runtime.block_on(bench.store.events(0, 9))));
    assert_eq!(bench.runtime.block_on(bench.store.events(2, 9)).expect("behind it").len(), 1);
    assert_eq!(bench.check().missing, 1);
    bench.remove(key::event(1));
    bench.remove(key::event(3));
    assert_eq!(bench.check().missing, 3);
}

#[test]
fn reads_do_not_wait_for_a_write_and_answers_do() {
    let bench = Bench::new();
    let owner = jid("a@b");
    bench.commit(vec![put("a@b", "k", "old")]).expect("a commit");
    let slow_disk = bench.gate.lock().expect("the gate");
    bench.runtime.block_on(async {
        let (store, shard) = (bench.store.clone(), shard_of(owner_of(&owner)));
        let batch = vec![put("a@b", "k", "new"), append("a@b", "1")];
        let write = tokio::spawn(async move { store.commit(shard, Epoch(1), batch).await });
        let deadline = tokio::time::Instant::now() + Duration::from_millis(100);
        while tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let row = bench.store.row(&owner, ROSTER, b"k").await.expect("reads");
            assert_eq!(row.as_deref(), Some(b"old".as_slice()));
            assert!(bench.store.page(&owner, ARCHIVE, Seq(0), 9).await.expect("reads").is_empty());
        }
        assert!(!write.is_finished(), "no answer before the disk");
        drop(slow_disk);
        write.await.expect("a task").expect("a commit");
    });
    assert_eq!(bench.row(&owner).expect("reads").as_deref(), Some(b"new".as_slice()));
}

/// The group is what queued up while the disk was busy, up to the cap.
#[test]
fn what_queues_during_a_write_is_one_group() {
    let bench = Bench::new();
    let owner = jid("a@b");
    let shard = shard_of(owner_of(&owner));
    let before = bench.store.counters();
    let slow_disk = bench.gate.lock().expect("the gate");
    bench.runtime.block_on(async {
        let commit = |n: usize| {
            let (store, batch) = (bench.store.clone(), vec![append("a@b", n.to_string())]);
            tokio::spawn(async move { store.commit(shard, Epoch(1), batch).await })
        };
        let first = commit(0);
        // Until the commit thread stands at the gate with the first.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let others: Vec<_> = (1..=512).map(commit).collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(slow_disk);
        for task in std::iter::once(first).chain(others) {
            task.await.expect("a task").expect("a commit");
        }
    });
    let after = bench.store.counters();
    assert_eq!(after.batches - before.batches, 513);
    assert_eq!(after.groups - before.groups, 3, "one, then two of 256");
}

#[test]
fn a_caller_that_stops_waiting_undoes_nothing() {
    let bench = Bench::new();
    let slow_disk = bench.gate.lock().expect("the gate");
    bench.runtime.block_on(async {
        let shard = shard_of(owner_of(&jid("a@b")));
        let commit = bench.store.commit(shard, Epoch(1), vec![append("a@b", "1")]);
        let given_up = tokio::time::timeout(Duration::from_millis(20), commit).await;
        assert!(given_up.is_err(), "the disk is slow");
    });
    drop(slow_disk);
    assert_eq!(bench.commit(vec![append("a@b", "2")]).expect("a commit"), [Seq(2)]);
    assert_eq!(bench.page(&jid("a@b")).expect("a page"), [1, 2]);
}

/// Readers page through a log while it is appended to and trimmed: never an error, never a gap.
#[test]
fn pages_and_trims_at_the_same_time() {
    let bench = Bench::new();
    let owner = jid("a@b");
    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, owner, ended) = (bench.store.clone(), owner.clone(), ended.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                let runtime = runtime.expect("a runtime");
                let mut pages = 0;
                while !ended.load(Relaxed) {
                    let page = runtime.block_on(store.page(&owner, ARCHIVE, Seq(0), 50));
                    let page = page.expect("a page");
                    assert!(page.windows(2).all(|w| w[0].seq.0 + 1 == w[1].seq.0));
                    pages += 1;
                }
                pages
            })
        })
        .collect();
    for n in 0..400 {
        let batch = (0..20).map(|_| append("a@b", "x")).collect();
        bench.commit(batch).expect("a commit");
        let through = Seq(n * 20);
        let trim = Record::Trim { owner: owner.clone(), log: ARCHIVE, through };
        bench.commit(vec![trim]).expect("a commit");
    }
    ended.store(true, Relaxed);
    for reader in readers {
        assert!(reader.join().expect("no reader failed") > 0);
    }
}

#[test]
fn a_large_trim_is_no_large_write() {
    let bench = Bench::new();
    for _ in 0..8 {
        bench.commit((0..2_000).map(|_| append("a@b", "x")).collect()).expect("a commit");
    }
    let trim = Record::Trim { owner: jid("a@b"), log: ARCHIVE, through: Seq(16_000) };
    bench.commit(vec![trim]).expect("a commit");
    assert!(bench.page(&jid("a@b")).expect("a page").is_empty());
    // A write stops the sweeping for no longer than one slice, and gets some of it done.
    bench.commit(vec![append("a@b", "y")]).expect("a commit");
    let until = Instant::now() + Duration::from_secs(20);
    // The totals, one row, one head, one entry.
    while bench.check().read > 4 {
        assert!(Instant::now() < until, "{} records are left", bench.check().read);
        std::thread::sleep(Duration::from_millis(5));
    }
    let largest = bench.largest.load(Relaxed);
    assert!(largest < 5_000, "{largest} changes at once");
}
