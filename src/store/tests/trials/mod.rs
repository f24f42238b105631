//! Trials of what disks and kills do: a writer that is killed, and images that are damaged.
//!
//! The writer and the reader of a damaged image are processes of their own (this test binary,
//! started again with [`ROLE`] set), so that a kill is a kill, and an engine that aborts or hangs
//! is an outcome and not the end of the tests. What the trials showed is written down in `note.md`.

mod crash;
mod damage;
mod image;
mod writer;

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::EngineKind;

/// What a child process is to do; not set in an ordinary test run.
const ROLE: &str = "OC_STORE_TRIAL";
/// The engine, the data directory and the rest, for a child process.
const ENGINE: &str = "OC_STORE_TRIAL_ENGINE";
const FOLDER: &str = "OC_STORE_TRIAL_FOLDER";
const DETAIL: &str = "OC_STORE_TRIAL_DETAIL";

/// Where child processes begin; does nothing in an ordinary test run.
#[test]
fn child() {
    let Ok(role) = env::var(ROLE) else { return };
    let var = |name| env::var(name).expect("the parent sets it");
    let kind = EngineKind::from_name(&var(ENGINE)).expect("the parent knows engines");
    let folder = var(FOLDER);
    match role.as_str() {
        "write" => writer::write(kind, Path::new(&folder)),
        "probe" => damage::probe(kind, Path::new(&folder), &var(DETAIL)),
        _ => panic!("no role {role}"),
    }
}

/// This binary again, in a role.
fn start(role: &str, kind: EngineKind, folder: &Path, detail: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test knows its binary"));
    command
        .args(["--exact", "tests::trials::child", "--test-threads=1", "--nocapture"])
        .env(ROLE, role)
        .env(ENGINE, kind.name())
        .env(FOLDER, folder)
        .env(DETAIL, detail)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Whether the long profile runs.
fn long() -> bool {
    env::var("OC_LONG").is_ok_and(|value| value == "1")
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % limit.max(1)
    }
}
