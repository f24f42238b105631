//! fjall: the default engine. One keyspace, one journal write and one `fdatasync` per group.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Change, Engine, Visit, guarded};
use crate::key::Range;
use crate::{EngineKind, Settings, StoreError};

/// Bytes of journals before the oldest is forced out; fjall's journals have 64 MB each.
const JOURNAL_BYTES: u64 = 192 * 1024 * 1024;
/// One thread that flushes and one that compacts; they sleep while nothing is written.
const WORKERS: usize = 2;

/// An open database.
pub(super) struct Fjall {
    // Before the database: it is dropped first, so that the database ends its threads.
    data: Keyspace,
    database: Database,
}

impl Fjall {
    /// Opens or makes the database; the error is what to tell, `None` never.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<Self, Option<String>> {
        let tell = |error: fjall::Error| Some(error.to_string());
        let database = Database::builder(path)
            .cache_size(settings.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .open()
            .map_err(tell)?;
        let options =
            || KeyspaceCreateOptions::default().max_memtable_size(settings.write_buffer_bytes);
        let data = database.keyspace("data", options).map_err(tell)?;
        Ok(Self { data, database })
    }
}

fn failed(error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Storage(_) | fjall::Error::Decompress(_) => StoreError::Damaged {
            place: "a file of the fjall engine".to_owned(),
            detail: error.to_string(),
        },
        _ => EngineKind::Fjall.failed(error),
    }
}

impl Engine for Fjall {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        guarded(EngineKind::Fjall, || {
            Ok(self.data.get(key).map_err(failed)?.map(|value| value.to_vec()))
        })
    }

    fn scan(&self, range: &Range, visit: Visit<'_>) -> Result<(), StoreError> {
        if range.from >= range.to {
            return Ok(());
        }
        guarded(EngineKind::Fjall, || {
            let pairs = self.data.range(range.from.as_slice()..range.to.as_slice());
            for pair in pairs {
                let (key, value) = pair.into_inner().map_err(failed)?;
                if !visit(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        guarded(EngineKind::Fjall, || {
            let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
            for (key, value) in changes {
                match value {
                    Some(value) => batch.insert(&self.data, key, value),
                    None => batch.remove(&self.data, key),
                }
            }
            batch.commit().map_err(failed)
        })
    }
}
