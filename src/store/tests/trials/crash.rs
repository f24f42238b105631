//! `kill -9` at any moment: what was acknowledged is there, with the right content.

use std::time::Duration;

use super::writer::{Acknowledged, kill_when, verify};
use super::{Dice, long, start};
use crate::{EngineKind, Settings, Store, StoreError};

#[test]
fn fjall_keeps_what_was_acknowledged_before_a_kill() {
    check_after_kills(EngineKind::Fjall);
}

#[cfg(feature = "store-sled")]
#[test]
fn sled_keeps_what_was_acknowledged_before_a_kill() {
    check_after_kills(EngineKind::Sled);
}

/// Two processes never share a directory, and a killed one leaves no lock behind.
#[test]
fn a_directory_in_use_by_another_process_is_refused() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("store");
    let settings = Settings::at(EngineKind::Fjall, &path);
    let child = start("write", EngineKind::Fjall, &path, "").spawn().expect("a writer starts");
    let mut refused = None;
    kill_when(child, &mut Acknowledged::new(), |_, _| {
        refused = Some(Store::open(&settings).err());
        true
    });
    assert!(matches!(refused, Some(Some(StoreError::Locked { .. }))), "{refused:?}");
    Store::open(&settings).expect("the lock went with the process").0.close();
}

#[test]
fn fjall_opens_after_a_kill_during_the_first_start() {
    check_killed_first_starts(EngineKind::Fjall);
}

#[cfg(feature = "store-sled")]
#[test]
fn sled_opens_after_a_kill_during_the_first_start() {
    check_killed_first_starts(EngineKind::Sled);
}

/// The moments reach from before the directory exists to after the first commits.
fn check_killed_first_starts(kind: EngineKind) {
    let mut dice = Dice(2);
    for round in 0..if long() { 300 } else { 12 } {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("store");
        let mut child = start("write", kind, &path, "").spawn().expect("a writer starts");
        while !path.exists() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(dice.below(30_000)));
        child.kill().expect("the writer is killed");
        child.wait().expect("the writer ends");
        let (store, report) = Store::open(&Settings::at(kind, &path)).expect("the store opens");
        assert!(report.is_clean(), "round {round}: {report:?}");
        store.close();
    }
}

/// Each round goes on with the directory of the last, so recovery is recovered from, too.
fn check_after_kills(kind: EngineKind) {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("store");
    let mut acknowledged = Acknowledged::new();
    let mut dice = Dice(1);
    let rounds = if long() { 30 } else { 6 };
    let mut total = 0;
    for round in 0..rounds {
        let child = start("write", kind, &path, "").spawn().expect("a writer starts");
        let moment = Duration::from_millis(5 + dice.below(300));
        total += kill_when(child, &mut acknowledged, |_, since_first| since_first >= moment);
        let (store, report) = Store::open(&Settings::at(kind, &path)).expect("the store opens");
        assert!(report.is_clean(), "round {round}: {report:?}");
        let verified = verify(&store, &acknowledged).expect("everything can be read");
        assert_eq!(verified, Ok(()), "round {round}");
        store.close();
    }
    println!("{}: {rounds} kills, {total} batches acknowledged, none lost", kind.name());
}
