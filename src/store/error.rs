//! What can go wrong with the store.

use std::io;
use std::path::PathBuf;

use oc_core::shard::{Epoch, ShardId};

use crate::EngineKind;

/// Why the store did not do what was asked. No text names an owner or shows a value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or another store of this one, has the directory open.
    #[error(
        "{} is in use by another process: stop that one, or set another [store] path",
        path.display()
    )]
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// The directory was written with another engine.
    #[error(
        "{} was written with the engine {found:?}, not {asked:?}: set [store] engine = {found:?}, \
         or set another [store] path",
        path.display()
    )]
    WrongEngine {
        /// The data directory.
        path: PathBuf,
        /// The engine its format file names.
        found: String,
        /// The engine of the settings.
        asked: &'static str,
    },
    /// The directory was written by a later version.
    #[error(
        "{} has format {found}, this version knows formats up to {known}: use the version that \
         wrote it, or a later one",
        path.display()
    )]
    Format {
        /// The data directory.
        path: PathBuf,
        /// Format found.
        found: u32,
        /// Latest format known.
        known: u32,
    },
    /// The directory holds something else.
    #[error("{} is not a data directory of Open Conference: {detail}", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The engine cannot open its files.
    #[error(
        "the {engine} engine cannot open {} ({detail}): keep a copy of the directory, then restore \
         the newest backup of it",
        path.display()
    )]
    Unopenable {
        /// The data directory.
        path: PathBuf,
        /// The engine's name.
        engine: &'static str,
        /// What the engine said.
        detail: String,
    },
    /// This engine was left out when the program was built.
    #[error("this program was built without the {engine} engine")]
    NotBuilt {
        /// The engine's name.
        engine: &'static str,
    },
    /// What was read is not what was written, or is not there.
    #[error("damaged data in the store: {place}: {detail}")]
    Damaged {
        /// What was read.
        place: String,
        /// How it shows.
        detail: String,
    },
    /// The engine failed at a read.
    #[error("the {engine} engine failed: {detail}")]
    Engine {
        /// The engine's name.
        engine: &'static str,
        /// What the engine said.
        detail: String,
    },
    /// A write of an ownership that is over.
    #[error("shard {} is owned at epoch {}, not {}", shard.0, current.0, given.0)]
    Fenced {
        /// The shard.
        shard: ShardId,
        /// The epoch of the write.
        given: Epoch,
        /// The epoch at which the shard is owned.
        current: Epoch,
    },
    /// A shard wrote for an owner of another shard.
    #[error("shard {} wrote a record of shard {}", shard.0, of.0)]
    ForeignOwner {
        /// The shard that wrote.
        shard: ShardId,
        /// The owner's shard.
        of: ShardId,
    },
    /// There is no such shard.
    #[error("there is no shard {}", shard.0)]
    NoShard {
        /// The shard.
        shard: ShardId,
    },
    /// A declared limit was passed.
    #[error("{what} of {bytes} is over the limit of {limit}")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// Its size, in bytes (or in records for a batch).
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// An owner or the name of a table, log or event kind is empty or holds control characters.
    #[error("{what} is empty or holds control characters")]
    BadName {
        /// Which name.
        what: &'static str,
    },
    /// Events before `first` are no longer kept: whoever asks has missed some.
    #[error("events before {first} are no longer kept")]
    EventsGone {
        /// The first event there is.
        first: u64,
    },
    /// A commit failed on disk; nothing is accepted until the store is opened again.
    #[error("the store stopped: {reason}")]
    Stopped {
        /// Why the commit failed.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl EngineKind {
    /// An error of this engine's read.
    pub(crate) fn failed(self, detail: impl ToString) -> StoreError {
        StoreError::Engine { engine: self.name(), detail: detail.to_string() }
    }
}

/// Damage at a key.
pub(crate) fn damaged(key: &[u8], detail: impl Into<String>) -> StoreError {
    StoreError::Damaged { place: crate::key::describe(key), detail: detail.into() }
}

/// A refusal of the file system.
pub(crate) fn io(
    action: &'static str,
    path: &std::path::Path,
) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}
