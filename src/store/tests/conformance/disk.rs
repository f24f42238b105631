//! What the engines on disk owe beyond the words: one owner of a directory, and a tail that is
//! missed.

use std::fs;
use std::path::Path;

use oc_core::record::Seq;

use crate::tests::testing::{Fixture, append, event, jid, put};
use crate::{EngineKind, Settings, Store, StoreError};

/// The error of an opening that must fail, as the operator reads it.
fn refusal(settings: &Settings) -> (StoreError, String) {
    let error = Store::open(settings).err().expect("it must not open");
    let text = error.to_string();
    (error, text)
}

pub(super) fn a_directory_has_one_user(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    let (error, text) = refusal(&at.settings);
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(text.contains(&at.settings.path.display().to_string()), "{text}");
    at.reopen();
}

#[cfg(unix)]
pub(super) fn a_new_directory_is_private(kind: EngineKind) {
    use std::os::unix::fs::PermissionsExt;
    let at = Fixture::new(kind);
    let mode = fs::metadata(&at.settings.path).expect("it exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

pub(super) fn a_dropped_store_is_closed_soon(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.commit(vec![put("a@b", "k", "v")]);
    at.store = None;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let (store, report) = loop {
        match Store::open(&at.settings) {
            Err(StoreError::Locked { .. }) if std::time::Instant::now() < until => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            opened => break opened.expect("opens"),
        }
    };
    assert!(report.is_clean());
    at.store = Some(store);
    assert!(at.row("a@b", b"k").is_some());
}

pub(super) fn a_directory_of_another_engine_is_refused(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.close();
    let other = [EngineKind::Fjall, EngineKind::Sled].into_iter().find(|k| *k != kind);
    let other = other.expect("there are two");
    let settings = Settings { engine: other, ..at.settings.clone() };
    let (error, text) = refusal(&settings);
    assert!(matches!(error, StoreError::WrongEngine { .. }), "{error}");
    assert!(text.contains(&format!("set [store] engine = {:?}", kind.name())), "{text}");
}

pub(super) fn other_directories_are_left_alone(kind: EngineKind) {
    let folder = tempfile::tempdir().expect("a directory");
    let settings = Settings::at(kind, folder.path());
    fs::write(folder.path().join("holiday.jpg"), "a picture").expect("a file");
    let (error, text) = refusal(&settings);
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert!(text.contains("holiday.jpg"), "{text}");
    fs::remove_file(folder.path().join("holiday.jpg")).expect("removed");
    let format = folder.path().join("format");
    for text in ["", "something else\n", "open-conference store\nformat = x\n"] {
        fs::write(&format, text).expect("a file");
        assert!(matches!(refusal(&settings).0, StoreError::NotAStore { .. }));
    }
    fs::write(&format, "open-conference store\nformat = 2\nengine = fjall\n").expect("a file");
    assert!(matches!(refusal(&settings).0, StoreError::Format { found: 2, known: 1, .. }));
}

pub(super) fn an_interrupted_first_start_is_begun_again(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.close();
    let engine = at.settings.path.join(kind.name());
    let mark = at.settings.path.join("high-water");
    if kind == EngineKind::Fjall {
        // As if the power had failed while fjall wrote its version.
        fs::write(engine.join("version"), "").expect("written");
        let (error, text) = refusal(&at.settings);
        assert!(matches!(error, StoreError::Unopenable { .. }), "{error}");
        assert!(text.contains("restore the newest backup"), "{text}");
        fs::remove_file(&mark).expect("removed");
        let (error, _) = refusal(&at.settings);
        assert!(matches!(error, StoreError::Unopenable { .. }), "there are keyspaces: {error}");
        fs::remove_dir_all(engine.join("keyspaces")).expect("removed");
    } else {
        fs::remove_dir_all(&engine).expect("removed");
    }
    fs::write(&mark, "").expect("written");
    let (store, report) = Store::open(&at.settings).expect("opens");
    assert!(report.fresh && report.is_clean());
    assert!(!report.warnings.iter().any(|w| w.contains("mark")), "{:?}", report.warnings);
    store.close();
}

pub(super) fn an_emptied_store_does_not_start(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.commit(vec![put("a@b", "k", "v")]);
    at.close();
    fs::remove_dir_all(at.settings.path.join(kind.name())).expect("removed");
    let (error, text) = refusal(&at.settings);
    assert!(matches!(error, StoreError::Unopenable { .. }), "{error}");
    assert!(text.contains("restore the newest backup"), "{text}");
}

pub(super) fn a_lost_mark_is_told(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    let before = at.report.warnings.len();
    at.commit(vec![put("a@b", "k", "v")]);
    at.reopen();
    assert_eq!(at.report.warnings.len(), before, "{:?}", at.report.warnings);
    let mark = at.settings.path.join("high-water");
    for (content, word) in [(None, "is missing"), (Some("rubbish"), "is damaged")] {
        at.close();
        match content {
            None => fs::remove_file(&mark).expect("removed"),
            Some(content) => fs::write(&mark, content).expect("written"),
        }
        let (store, report) = Store::open(&at.settings).expect("opens");
        at.store = Some(store);
        assert_eq!(report.warnings.len(), before + 1, "{:?}", report.warnings);
        assert!(report.warnings.iter().any(|w| w.contains(word)), "{:?}", report.warnings);
    }
    at.reopen();
    assert_eq!(at.report.warnings.len(), before, "told once");
}

/// The engine's files are put back to an earlier state; the mark knows better.
pub(super) fn a_lost_tail_is_counted(kind: EngineKind) {
    let mut at = Fixture::new(kind);
    at.commit(vec![append("a@b", "1"), event("a@b", "one")]);
    at.close();
    let engine = at.settings.path.join(kind.name());
    let earlier = at.settings.path.with_extension("earlier");
    copy(&engine, &earlier);
    let (store, _) = Store::open(&at.settings).expect("opens");
    at.store = Some(store);
    at.commit(vec![append("a@b", "2"), event("a@b", "two"), append("a@b", "3")]);
    at.commit(vec![put("a@b", "k", "v"), event("a@b", "three")]);
    at.close();
    fs::remove_dir_all(&engine).expect("removed");
    copy(&earlier, &engine);
    let (store, report) = Store::open(&at.settings).expect("opens");
    at.store = Some(store);
    // The epoch that the second opening took is a commit, too.
    let missing = (report.missing_commits, report.missing_entries, report.missing_events);
    assert_eq!(missing, (3, 2, 2));
    assert!(report.warnings.iter().any(|w| w.contains("the last 3 commits are lost")));
    at.commit(vec![event("a@b", "four")]);
    at.reopen();
    assert!(at.report.is_clean(), "told once: {:?}", at.report);
    let events = at.run(at.store().events(0, 9)).expect("events");
    let kinds: Vec<_> = events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["test.event", "store.lost", "store.lost", "test.event"]);
    assert_eq!((events[3].number, events[3].data.as_slice()), (4, b"four".as_slice()));
    assert_eq!(
        at.run(at.store().bounds(&jid("a@b"), crate::tests::testing::ARCHIVE)).ok(),
        Some((Seq(1), Seq(1)))
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
