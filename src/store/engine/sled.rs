//! sled 0.34: the other embedded engine, by choice of the operator.
//!
//! Its `flush` writes pages out (`sync_file_range`) but does not flush the drive, so the file is
//! synced here as well. What sled makes of its files after a power cut is not known; damaged ones
//! can make it panic or forget. `note.md` says what the store adds.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Change, Engine, Visit, guarded};
use crate::key::Range;
use crate::{EngineKind, Settings, StoreError};

/// How long a database that was just closed may keep its file; its threads let go of it late.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// An open database.
pub(super) struct Sled {
    database: sled::Db,
    /// The file that the database writes to, to be synced.
    file: File,
}

impl Sled {
    /// Opens or makes the database; the error is what to tell, `None` never.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<Self, Option<String>> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(settings.cache_bytes)
            // Each group flushes by itself; the thread that would do it by time is not started.
            .flush_every_ms(None);
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match config.open() {
                Ok(database) => {
                    let file = File::open(path.join("db")).map_err(|e| Some(e.to_string()))?;
                    return Ok(Self { database, file });
                }
                Err(error) if is_locked(&error) && Instant::now() < until => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(Some(error.to_string())),
            }
        }
    }
}

/// Whether sled's own lock is held. The directory is locked by us already, so it can only be a
/// thread of a database that this process has just closed.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(io) if io.to_string().contains("could not acquire lock"))
}

fn failed(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. } => StoreError::Damaged {
            place: "a file of the sled engine".to_owned(),
            detail: error.to_string(),
        },
        _ => EngineKind::Sled.failed(error),
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        guarded(EngineKind::Sled, || {
            Ok(self.database.get(key).map_err(failed)?.map(|value| value.to_vec()))
        })
    }

    fn scan(&self, range: &Range, visit: Visit<'_>) -> Result<(), StoreError> {
        if range.from >= range.to {
            return Ok(());
        }
        guarded(EngineKind::Sled, || {
            let pairs = self.database.range(range.from.as_slice()..range.to.as_slice());
            for pair in pairs {
                let (key, value) = pair.map_err(failed)?;
                if !visit(&key, &value) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        guarded(EngineKind::Sled, || {
            let mut batch = sled::Batch::default();
            for (key, value) in changes {
                match value {
                    Some(value) => batch.insert(key, value),
                    None => batch.remove(key),
                }
            }
            self.database.apply_batch(batch).map_err(failed)?;
            self.database.flush().map_err(failed)?;
            self.file.sync_data().map_err(|error| EngineKind::Sled.failed(error))
        })
    }
}
