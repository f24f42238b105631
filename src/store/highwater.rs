//! The high-water mark: how far acknowledged data went, in a small file of our own.
//!
//! An engine's log that was cut cannot be told from one that ends in a torn write, so engines drop
//! the tail without a word. The mark tells: a store that ends below it has lost acknowledged
//! commits. The mark is written after every durable group and before its acknowledgement, so it
//! survives the end of the process; it is synced about every second while it changes, and at close,
//! so after a power cut it may be older by that second, never ahead of data that was synced.
//!
//! Two slots, 512 bytes apart, are written in turn, so a torn write leaves the other. A slot:
//! `OCHW`, then generation, commit, entries and event as big-endian numbers, then CRC-32C over all
//! of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::StoreError;
use crate::envelope::Totals;
use crate::error::io as refused;

const MAGIC: &[u8; 4] = b"OCHW";
const SLOT_BYTES: u64 = 512;
const NUMBERS: usize = 4;
const MARK_BYTES: usize = 4 + NUMBERS * 8 + 4;
/// How old a mark that is not synced may become.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// How far acknowledged data went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    generation: u64,
    /// Last durable commit.
    pub(crate) commit: u64,
    /// Log entries ever appended.
    pub(crate) entries: u64,
    /// Last event.
    pub(crate) event: u64,
}

impl Mark {
    fn encode(self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        let numbers = [self.generation, self.commit, self.entries, self.event];
        for (at, number) in bytes[4..].chunks_exact_mut(8).zip(numbers) {
            at.copy_from_slice(&number.to_be_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[..MARK_BYTES - 4]);
        bytes[MARK_BYTES - 4..].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.get(..MARK_BYTES)?.split_at(MARK_BYTES - 4);
        let body = body.strip_prefix(MAGIC)?;
        let kept = u32::from_be_bytes(checksum.try_into().ok()?);
        if crc32c::crc32c(&bytes[..MARK_BYTES - 4]) != kept {
            return None;
        }
        let mut numbers = body.chunks_exact(8).map(|n| n.try_into().map_or(0, u64::from_be_bytes));
        let mut next = || numbers.next();
        Some(Self { generation: next()?, commit: next()?, entries: next()?, event: next()? })
    }
}

/// What the file said at open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no such file.
    Missing,
    /// Neither slot is whole.
    Damaged,
    /// The newer of the whole slots.
    Mark(Mark),
}

/// The open file.
#[derive(Debug)]
pub(crate) struct HighWater {
    path: PathBuf,
    file: File,
    mark: Mark,
    /// Since when the mark is not synced.
    dirty: Option<Instant>,
}

impl HighWater {
    /// Opens or makes the file and reads it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Found), StoreError> {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(refused("open", path))?;
        let mut bytes = Vec::new();
        let limit = SLOT_BYTES * 2;
        Read::by_ref(&mut file)
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(refused("read", path))?;
        let slots = [bytes.get(..), bytes.get(SLOT_BYTES as usize..)];
        let newest =
            slots.into_iter().flatten().filter_map(Mark::decode).max_by_key(|mark| mark.generation);
        let found = match newest {
            Some(mark) => Found::Mark(mark),
            // An opening that was interrupted before its first mark leaves an empty file.
            None if bytes.is_empty() => Found::Missing,
            None => Found::Damaged,
        };
        let mark = newest.unwrap_or_default();
        Ok((Self { path: path.to_owned(), file, mark, dirty: None }, found))
    }

    /// Writes a new mark; it is on disk after the next [`Self::sync`].
    pub(crate) fn set(&mut self, totals: &Totals) -> Result<(), StoreError> {
        self.mark = Mark {
            generation: self.mark.generation + 1,
            commit: totals.commit,
            entries: totals.entries,
            event: totals.events_last,
        };
        let slot = (self.mark.generation % 2) * SLOT_BYTES;
        let bytes = self.mark.encode();
        let mut write = || -> io::Result<()> {
            self.file.seek(SeekFrom::Start(slot))?;
            self.file.write_all(&bytes)
        };
        write().map_err(refused("write", &self.path))?;
        self.dirty.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// How long until the mark is to be synced; `None` if it is.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.dirty.map(|since| SYNC_AFTER.saturating_sub(since.elapsed()))
    }

    /// Brings the mark to disk if it changed.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        if self.dirty.is_some() {
            self.file.sync_data().map_err(refused("sync", &self.path))?;
            self.dirty = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_other() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("high-water");
        let (mut file, found) = HighWater::open(&path).expect("opens");
        assert_eq!(found, Found::Missing);
        for commit in 1..=3 {
            file.set(&Totals { commit, ..Totals::default() }).expect("writes");
        }
        assert!(file.due().is_some());
        file.sync().expect("syncs");
        assert_eq!(file.due(), None);
        let commit = || match HighWater::open(&path).expect("opens").1 {
            Found::Mark(mark) => Some(mark.commit),
            _ => None,
        };
        assert_eq!(commit(), Some(3));
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[512 + 9] ^= 1;
        std::fs::write(&path, &bytes).expect("writes");
        assert_eq!(commit(), Some(2));
        bytes[9] ^= 1;
        std::fs::write(&path, &bytes).expect("writes");
        assert_eq!(HighWater::open(&path).expect("opens").1, Found::Damaged);
    }
}
