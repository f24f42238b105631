//! How a store is opened, its limits, and what opening found.

use std::path::PathBuf;
use std::time::Duration;

/// Bytes of an owner: a bare JID is at most 1023 + 1 + 1023 (RFC 7622 §3).
pub const OWNER_BYTES: usize = 2_047;
/// Bytes of the name of a table, log or kind of event.
pub const NAME_BYTES: usize = 64;
/// Bytes of a row's key.
pub const KEY_BYTES: usize = 2 * 1024;
/// Bytes of a value of a row, an entry or an event.
pub const VALUE_BYTES: usize = 1024 * 1024;
/// Records of one batch.
pub const BATCH_RECORDS: usize = 4_096;
/// Bytes of one batch; with the records' overhead it fits the smallest queue.
pub const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Entries, events or owners of one page, whatever was asked for.
pub const PAGE_ITEMS: usize = 1_000;

/// Which engine keeps the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Nothing on disk: for tests and trials.
    Memory,
    /// The default: a log-structured tree that checks what it reads.
    #[default]
    Fjall,
    /// The other embedded engine; it does not survive a power cut for certain.
    Sled,
}

impl EngineKind {
    /// The name in settings, in the format file and in the directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Fjall => "fjall",
            Self::Sled => "sled",
        }
    }

    /// The engine with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Memory, Self::Fjall, Self::Sled].into_iter().find(|kind| kind.name() == name)
    }
}

/// How to open a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which engine.
    pub engine: EngineKind,
    /// The data directory; made if missing. Not used by [`EngineKind::Memory`].
    pub path: PathBuf,
    /// Bytes of the engine's read cache.
    pub cache_bytes: u64,
    /// Bytes that fjall gathers in memory before they become a sorted file. Fixed when the
    /// directory is made: fjall keeps it with the data.
    pub write_buffer_bytes: u64,
    /// Records joined into one durable write; a batch is never split.
    pub group_records: usize,
    /// Bytes joined into one durable write; a batch is never split.
    pub group_bytes: usize,
    /// Bytes of batches that may wait for the commit thread; commits wait for room.
    pub queue_bytes: usize,
    /// Events kept for readers of the outbox; older ones are removed.
    pub events_kept: u64,
    /// With fjall, a directory up to this size is read and checked as a whole at every start; sled,
    /// which does not notice damage by itself, is always checked.
    pub check_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineKind::Fjall,
            path: PathBuf::from("data/store"),
            cache_bytes: 32 * 1024 * 1024,
            write_buffer_bytes: 16 * 1024 * 1024,
            group_records: 256,
            group_bytes: 1024 * 1024,
            queue_bytes: 64 * 1024 * 1024,
            events_kept: 1_000_000,
            check_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Settings {
    /// A store in memory.
    pub fn memory() -> Self {
        Self { engine: EngineKind::Memory, ..Self::default() }
    }

    /// A store of `engine` in `path`, everything else as by default.
    pub fn at(engine: EngineKind, path: impl Into<PathBuf>) -> Self {
        Self { engine, path: path.into(), ..Self::default() }
    }
}

/// What opening a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The directory was empty.
    pub fresh: bool,
    /// Commits that were acknowledged and are not there.
    pub missing_commits: u64,
    /// Log entries that were acknowledged and are not there, of those commits.
    pub missing_entries: u64,
    /// Events that were acknowledged and are not there.
    pub missing_events: u64,
    /// What the check found, if one ran.
    pub check: Option<Check>,
    /// Sentences for the operator; the server logs each at its start.
    pub warnings: Vec<String>,
    /// How long opening took, the check included.
    pub took: Duration,
}

impl OpenReport {
    /// Damaged or lost records, as far as the check could count them.
    pub fn damaged_records(&self) -> u64 {
        self.check.as_ref().map_or(0, Check::damaged_records)
    }

    /// Whether anything acknowledged is missing or damaged.
    pub fn is_clean(&self) -> bool {
        self.missing_commits == 0
            && self.missing_entries == 0
            && self.missing_events == 0
            && self.check.as_ref().is_none_or(Check::is_clean)
    }
}

/// What reading everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// Records read.
    pub read: u64,
    /// Records that do not have the content that was written.
    pub unreadable: u64,
    /// Entries and events that are not there although their neighbours are.
    pub missing: u64,
    /// Rows that were lost, came back or have an older content: the difference of the counts, or 1
    /// if only the sums differ.
    pub rows_off: u64,
    /// The engine gave up before the end.
    pub aborted: Option<String>,
}

impl Check {
    /// Damaged or lost records; a lower bound if the check was aborted.
    pub fn damaged_records(&self) -> u64 {
        self.unreadable + self.missing + self.rows_off + u64::from(self.aborted.is_some())
    }

    /// Whether everything is as it was written.
    pub fn is_clean(&self) -> bool {
        self.damaged_records() == 0
    }
}
