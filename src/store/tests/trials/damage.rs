//! Damaged images: whatever is lost or changed is reported, at the start or when it is read.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::image::Image;
use super::writer::{Acknowledged, kill_when, verify};
use super::{Dice, long, start};
use crate::{EngineKind, Settings, Store};

/// Batches in an image; each has three records.
const BATCHES: u64 = 1_700;
/// How long a damaged image may keep a process busy before that counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a damaged image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Everything is there and right.
    Intact,
    /// The store did not open, and said why.
    ErrorAtStart,
    /// The store opened, and its report says that something is missing or damaged.
    Reported,
    /// A read failed with an error.
    ErrorAtRead,
    /// Something is missing or wrong, and nothing said so.
    Silent,
    /// The process ended without a word.
    Died,
    /// The process had to be killed.
    Hung,
}

const NAMES: [(Outcome, &str); 5] = [
    (Outcome::Intact, "intact"),
    (Outcome::ErrorAtStart, "error-at-start"),
    (Outcome::Reported, "reported"),
    (Outcome::ErrorAtRead, "error-at-read"),
    (Outcome::Silent, "silent"),
];

#[test]
fn fjall_reports_damage() {
    let trials = Trials::run(EngineKind::Fjall, true);
    trials.assert_nothing_silent();
}

/// Large stores are not read as a whole at the start: fjall's checksums and the mark must do.
#[test]
fn fjall_reports_damage_without_the_check_at_start() {
    let trials = Trials::run(EngineKind::Fjall, false);
    trials.assert_nothing_silent();
}

/// fjall's journal has no checksum over the number of a batch; only our sums notice a flipped bit
/// there.
#[test]
fn fjall_reports_a_flipped_batch_number() {
    let mut trials = Trials { kind: EngineKind::Fjall, checked: true, outcomes: Vec::new() };
    let (image, acknowledged) = killed_image(EngineKind::Fjall);
    // The end of a batch, then the beginning of the next, its count of items, its number.
    let mark = [b'F', b'J', b'L', 3, 1];
    for batch in [300, 200, 100, 20, 2] {
        for bit in [0, 3, 9, 40] {
            let mut flipped = image.clone();
            let mut journals = flipped.files.iter_mut();
            let journal = journals.find(|file| file.name.ends_with("0.jnl")).expect("a journal");
            let starts = journal.bytes.windows(mark.len()).enumerate();
            let starts: Vec<_> = starts.filter(|(_, w)| *w == mark).map(|(at, _)| at).collect();
            let at = starts[starts.len().saturating_sub(batch)] + mark.len() + 4;
            journal.bytes[at + bit / 8] ^= 1 << (bit % 8);
            let what = format!("number of the batch {batch} before the last, bit {bit}");
            trials.probe(what, &flipped, &acknowledged);
        }
    }
    trials.print();
    let silent = trials.outcomes.iter().filter(|(_, outcome, _)| *outcome >= Outcome::Silent);
    assert_eq!(silent.collect::<Vec<_>>(), Vec::<&(String, Outcome, String)>::new());
}

#[cfg(feature = "store-sled")]
#[test]
fn sled_damage_is_an_error_or_counted() {
    let trials = Trials::run(EngineKind::Sled, true);
    trials.assert_nothing_silent();
}

/// Outcomes of all trials of one engine.
struct Trials {
    kind: EngineKind,
    checked: bool,
    outcomes: Vec<(String, Outcome, String)>,
}

impl Trials {
    fn run(kind: EngineKind, checked: bool) -> Self {
        let mut trials = Self { kind, checked, outcomes: Vec::new() };
        let (killed, acknowledged) = killed_image(kind);
        trials.of_image("killed", &killed, &acknowledged);
        let closed = closed_image(kind, &killed);
        trials.of_image("closed", &closed, &acknowledged);
        trials.print();
        trials
    }

    fn of_image(&mut self, state: &str, image: &Image, acknowledged: &Acknowledged) {
        self.probe(format!("{state}: nothing done"), image, acknowledged);
        let mut cut = image.clone();
        let file = cut.largest();
        file.length = file.bytes.len().saturating_sub(1_000) as u64;
        self.probe(format!("{state}: last 1000 bytes cut"), &cut, acknowledged);
        let mut zeroed = image.clone();
        let file = zeroed.largest();
        let from = file.bytes.len().saturating_sub(4_096);
        file.bytes[from..].fill(0);
        self.probe(format!("{state}: last 4 KiB zeroed"), &zeroed, acknowledged);
        let mut dice = Dice(7);
        let mut rubbish = image.clone();
        let file = rubbish.largest();
        file.bytes.extend((0..4_096).map(|_| dice.below(256) as u8));
        file.length = file.length.max(file.bytes.len() as u64);
        self.probe(format!("{state}: 4 KiB of rubbish appended"), &rubbish, acknowledged);
        let mut cut = image.clone();
        let file = cut.largest();
        file.length = file.bytes.len() as u64 * 9 / 10;
        self.probe(format!("{state}: cut to 90 %"), &cut, acknowledged);
        for trial in 0..if long() { 64 } else { 16 } {
            let mut flipped = image.clone();
            let (name, at) = flip(&mut flipped, &mut Dice(trial));
            let what = format!("{state}: bit flipped in {} at {at}", name.display());
            self.probe(what, &flipped, acknowledged);
        }
    }

    fn probe(&mut self, what: String, image: &Image, acknowledged: &Acknowledged) {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("store");
        image.write(&path);
        let mut detail = if self.checked { "checked".to_owned() } else { "unchecked".to_owned() };
        for (owner, n) in acknowledged {
            write!(detail, " {owner} {n}").expect("text can be written to");
        }
        let (outcome, text) = probe_apart(self.kind, &path, &detail);
        self.outcomes.push((what, outcome, text));
    }

    fn print(&self) {
        let checked = if self.checked { "checked at start" } else { "not checked at start" };
        println!("{}, {checked}:", self.kind.name());
        for (what, outcome, text) in &self.outcomes {
            println!("  {what}: {outcome:?} {text}");
        }
    }

    fn assert_nothing_silent(&self) {
        let bad = |outcome| outcome >= Outcome::Silent;
        let bad: Vec<_> = self.outcomes.iter().filter(|(_, outcome, _)| bad(*outcome)).collect();
        assert!(bad.is_empty(), "{bad:#?}");
        let intact = |what: &str| {
            let trial = self.outcomes.iter().find(|(w, ..)| w == what);
            trial.is_some_and(|(_, outcome, _)| *outcome == Outcome::Intact)
        };
        assert!(intact("killed: nothing done") && intact("closed: nothing done"));
        let reported = self.outcomes.iter().filter(|(_, o, _)| *o > Outcome::Intact).count();
        assert!(reported >= 10, "the damage done here does not hit: {reported} reports");
    }
}

/// Flips one random bit of a random data file, each byte as likely as any other.
fn flip(image: &mut Image, dice: &mut Dice) -> (std::path::PathBuf, usize) {
    let files: Vec<_> = image.data_files().collect();
    let all: usize = files.iter().map(|&n| image.files[n].bytes.len()).sum();
    let mut at = dice.below(all as u64) as usize;
    for n in files {
        let file = &mut image.files[n];
        if at < file.bytes.len() {
            file.bytes[at] ^= 1 << dice.below(8);
            return (file.name.clone(), at);
        }
        at -= file.bytes.len();
    }
    unreachable!("the position lies within the files");
}

/// What a writer leaves behind that is killed while it writes.
fn killed_image(kind: EngineKind) -> (Image, Acknowledged) {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("store");
    let child = start("write", kind, &path, "").spawn().expect("a writer starts");
    let mut acknowledged = Acknowledged::new();
    kill_when(child, &mut acknowledged, |count, _| count >= BATCHES);
    (Image::read(&path), acknowledged)
}

/// The same after the store was opened once and closed in order.
fn closed_image(kind: EngineKind, killed: &Image) -> Image {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("store");
    killed.write(&path);
    Store::open(&Settings::at(kind, &path)).expect("the store opens").0.close();
    Image::read(&path)
}

/// Reads a damaged image in a process of its own.
fn probe_apart(kind: EngineKind, path: &Path, detail: &str) -> (Outcome, String) {
    let mut child = start("probe", kind, path, detail).spawn().expect("a reader starts");
    let until = Instant::now() + PATIENCE;
    while child.try_wait().expect("the reader can be waited for").is_none() {
        if Instant::now() > until {
            child.kill().expect("the reader is killed");
            child.wait().expect("the reader ends");
            return (Outcome::Hung, String::new());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut output = String::new();
    let mut pipe = child.stdout.take().expect("the output is a pipe");
    pipe.read_to_string(&mut output).expect("the output is text");
    let told = output.lines().find_map(|line| line.strip_prefix("outcome "));
    let told = told.and_then(|told| told.split_once(' '));
    let named = |name| NAMES.iter().find(|(_, n)| *n == name).map(|(outcome, _)| *outcome);
    let outcome = told.and_then(|(name, text)| Some((named(name)?, text.to_owned())));
    outcome.unwrap_or((Outcome::Died, output))
}

/// The reader: opens a damaged image and says what became of it.
pub(super) fn probe(kind: EngineKind, path: &Path, detail: &str) {
    let mut words = detail.split(' ');
    let mut settings = Settings::at(kind, path);
    if words.next() == Some("unchecked") {
        settings.check_bytes = 0;
    }
    let mut acknowledged = Acknowledged::new();
    while let (Some(owner), Some(n)) = (words.next(), words.next()) {
        acknowledged.insert(owner.to_owned(), n.parse().expect("the parent writes numbers"));
    }
    let (outcome, text) = match Store::open(&settings) {
        Err(error) => (Outcome::ErrorAtStart, error.to_string()),
        Ok((store, report)) => match verify(&store, &acknowledged) {
            _ if !report.is_clean() => (Outcome::Reported, report.warnings.join("; ")),
            Err(error) => (Outcome::ErrorAtRead, error.to_string()),
            Ok(Err(text)) => (Outcome::Silent, text),
            Ok(Ok(())) => (Outcome::Intact, String::new()),
        },
    };
    let name = NAMES.iter().find(|(o, _)| *o == outcome).map_or("", |(_, name)| name);
    let text = text.replace(&settings.path.display().to_string(), "DIR").replace('\n', " ");
    // The test harness has begun a line.
    let line = format!("\noutcome {name} {text}\n");
    std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
}
