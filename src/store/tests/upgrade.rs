//! Golden data directories: what an earlier version wrote opens and has its content.

use std::fs;
use std::path::{Path, PathBuf};

use oc_core::Time;
use oc_core::record::{LabelId, Log, Seq, Table};

use crate::EngineKind;
use crate::tests::testing::{Fixture, append, jid, put};

#[test]
fn step_01_fjall_opens() {
    check_step_01(EngineKind::Fjall);
}

#[cfg(feature = "store-sled")]
#[test]
fn step_01_sled_opens() {
    check_step_01(EngineKind::Sled);
}

fn golden(step: &str, kind: EngineKind) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/upgrade");
    root.join(format!("{step}-{}", kind.name()))
}

/// A copy of a golden directory, open.
fn opened(step: &str, kind: EngineKind) -> Fixture {
    let from = golden(step, kind);
    Fixture::with(kind, |settings| copy(&from, &settings.path))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a golden directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

fn check_step_01(kind: EngineKind) {
    let mut at = opened("step-01", kind);
    assert!(!at.report.fresh && at.report.is_clean(), "{:?}", at.report);
    for _ in 0..2 {
        check_step_01_content(&at);
        at.reopen();
        assert!(at.report.is_clean(), "{:?}", at.report);
    }
    // It goes on where it ended.
    let room = "room@conference.example.org";
    assert_eq!(at.commit(vec![append(room, "new")]), [Seq(151)]);
    at.commit(vec![put("alice@example.org", "new", "row")]);
    at.reopen();
    assert!(at.report.is_clean(), "{:?}", at.report);
    assert_eq!(at.row("alice@example.org", b"new").as_deref(), Some(b"row".as_slice()));
}

fn check_step_01_content(at: &Fixture) {
    let (alice, room) = (jid("alice@example.org"), jid("room@conference.example.org"));
    let saved = at.run(at.store().load(&alice)).expect("loads");
    let row = |table: &str, key: &[u8], value: &[u8]| {
        (table.to_owned(), key.to_owned(), value.to_owned())
    };
    let expected = [
        row("private", b"\0\xff", b"\xff\0binary"),
        row("roster", b"bob@example.org", b"<item jid='bob@example.org'/>"),
        row("roster", b"carol@example.org", b"<item jid='carol@example.org'/>"),
    ];
    assert_eq!(saved.rows, expected);
    let page = at.run(at.store().page(&alice, Log("offline"), Seq(0), 9)).expect("a page");
    let read: Vec<_> = page.iter().map(|e| (e.seq.0, e.label, e.value.as_slice())).collect();
    let first: &[u8] = b"<message id='1'/>";
    assert_eq!(read, [(1, LabelId(0), first), (2, LabelId(7), b"<message id='2'/>")]);
    assert_eq!(page[0].at, Time(1_795_256_430_123));

    let bounds = at.run(at.store().bounds(&room, Log("archive"))).expect("bounds");
    assert_eq!(bounds, (Seq(101), Seq(150)));
    let page = at.run(at.store().page(&room, Log("archive"), Seq(0), 99)).expect("a page");
    for (entry, n) in page.iter().zip(101_usize..) {
        let body = "x".repeat(n % 40);
        let expected = format!("<message id='{n}'><body>{body}</body></message>");
        assert_eq!(entry.value, expected.into_bytes());
    }
    assert_eq!(page.len(), 50);

    let gone = jid("gone@example.org");
    assert_eq!(at.run(at.store().row(&gone, Table("roster"), b"k")).expect("reads"), None);
    let bounds = at.run(at.store().bounds(&gone, Log("offline"))).expect("bounds");
    assert_eq!(bounds, (Seq(2), Seq(1)), "its numbers are not used again");
    assert_eq!(at.run(at.store().owners(None, 9)).expect("owners"), [alice, room]);
    let events = at.run(at.store().events(0, 9)).expect("events");
    let told: Vec<_> = events.iter().map(|e| (e.kind.as_str(), e.subject.as_str())).collect();
    let created = "account.created";
    assert_eq!(told, [(created, "alice@example.org"), (created, "gone@example.org")]);
    assert!(matches!(at.run(at.store().events(2, 9)), Ok(page) if page.is_empty()));
}
