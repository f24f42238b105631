//! The data directory: who may open it, which format it has, which engine wrote it.
//!
//! | file | content |
//! |---|---|
//! | `format` | text: format version and engine; written once, before anything else |
//! | `lock` | empty; locked while a process has the directory open |
//! | `high-water` | how far acknowledged data went ([`crate::highwater`]) |
//! | `fjall/` or `sled/` | the engine's own files |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::io;
use crate::{EngineKind, StoreError};

/// Format of directories written now.
const FORMAT: u32 = 1;
const TITLE: &str = "open-conference store";
/// Bytes of a whole `version` file of fjall.
const FJALL_VERSION_BYTES: u64 = 4;
const FORMAT_FILE: &str = "format";
const DRAFT_FILE: &str = "format.new";
const LOCK_FILE: &str = "lock";
const HIGH_WATER_FILE: &str = "high-water";

/// An open data directory; nobody else opens it while this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    engine: EngineKind,
    _lock: File,
}

impl Directory {
    /// Makes or opens the directory for an engine.
    pub(crate) fn open(path: &Path, engine: EngineKind) -> Result<Self, StoreError> {
        make(path).map_err(io("make the directory", path))?;
        let lock = lock(path)?;
        let file = path.join(FORMAT_FILE);
        match fs::read_to_string(&file) {
            Ok(text) => check_format(path, &text, engine)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                check_empty(path)?;
                write_format(path, &file, engine)?;
            }
            Err(error) => return Err(io("read", &file)(error)),
        }
        Ok(Self { path: path.to_owned(), engine, _lock: lock })
    }

    /// Where the high-water mark is.
    pub(crate) fn high_water(&self) -> PathBuf {
        self.path.join(HIGH_WATER_FILE)
    }

    /// Where the engine keeps its files.
    pub(crate) fn engine(&self) -> PathBuf {
        self.path.join(self.engine.name())
    }

    /// Removes what an engine left behind when the very first start was interrupted.
    ///
    /// fjall makes its lock and its journal, then writes `version`, and makes the first keyspace
    /// after that; it does not open what it left half made. With neither a whole `version` nor a
    /// keyspace nothing can have been kept. `used` says that the high-water mark speaks of commits.
    pub(crate) fn clear_unfinished(&self, used: bool) -> Result<(), StoreError> {
        let engine = self.engine();
        if self.engine != EngineKind::Fjall || used || !engine.exists() {
            return Ok(());
        }
        let version = fs::metadata(engine.join("version")).map_or(0, |meta| meta.len());
        let keyspaces = fs::read_dir(engine.join("keyspaces")).map_or(0, Iterator::count);
        if version < FJALL_VERSION_BYTES && keyspaces == 0 {
            fs::remove_dir_all(&engine).map_err(io("remove the unfinished", &engine))?;
        }
        Ok(())
    }

    /// Brings the names of new files and directories to disk: a synced file whose name is lost is
    /// lost, too. Neither engine does this for all of its directories.
    pub(crate) fn sync_names(&self) -> Result<(), StoreError> {
        let engine = self.engine();
        let above = self.path.parent().filter(|path| !path.as_os_str().is_empty());
        for path in [Some(engine.as_path()), Some(&self.path), above].into_iter().flatten() {
            File::open(path).and_then(|dir| dir.sync_all()).map_err(io("sync", path))?;
        }
        Ok(())
    }

    /// Bytes of all the engine's files, holes not counted where the system tells.
    pub(crate) fn engine_bytes(&self) -> u64 {
        disk_bytes(&self.engine())
    }
}

/// Makes a directory, and those above it, for the user of the server alone: people's messages are
/// in it. One that exists keeps its mode.
fn make(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let file = path.join(LOCK_FILE);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&file)
        .map_err(io("open", &file))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io("lock", &file)(error)),
    }
}

fn check_format(path: &Path, text: &str, engine: EngineKind) -> Result<(), StoreError> {
    let wrong = |detail: &str| StoreError::NotAStore {
        path: path.to_owned(),
        detail: format!("its file {FORMAT_FILE:?} {detail}"),
    };
    let mut lines = text.lines();
    if lines.next() != Some(TITLE) {
        return Err(wrong("does not begin with our title"));
    }
    let format = lines.next().and_then(|line| line.strip_prefix("format = "));
    let format = format.and_then(|text| text.parse().ok()).ok_or_else(|| wrong("has no format"))?;
    if format != FORMAT {
        return Err(StoreError::Format { path: path.to_owned(), found: format, known: FORMAT });
    }
    let found = lines.next().and_then(|line| line.strip_prefix("engine = "));
    let found = found.ok_or_else(|| wrong("names no engine"))?;
    if found != engine.name() {
        let found = found.to_owned();
        return Err(StoreError::WrongEngine { path: path.to_owned(), found, asked: engine.name() });
    }
    Ok(())
}

fn check_empty(path: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(path).map_err(io("list", path))? {
        let name = entry.map_err(io("list", path))?.file_name();
        if name != LOCK_FILE && name != DRAFT_FILE {
            let name = name.to_string_lossy().into_owned();
            let detail = format!("it has no file {FORMAT_FILE:?}, but holds {name:?}");
            return Err(StoreError::NotAStore { path: path.to_owned(), detail });
        }
    }
    Ok(())
}

/// Written under another name, synced, then renamed: a crash leaves all of it or nothing.
fn write_format(path: &Path, file: &Path, engine: EngineKind) -> Result<(), StoreError> {
    let draft = path.join(DRAFT_FILE);
    let text = format!("{TITLE}\nformat = {FORMAT}\nengine = {}\n", engine.name());
    let write = || {
        let mut new = File::create(&draft)?;
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        fs::rename(&draft, file)?;
        File::open(path)?.sync_all()
    };
    write().map_err(io("write", file))
}

/// Bytes that a directory takes on disk.
fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
            Ok(meta) => allocated(&meta),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(unix)]
fn allocated(meta: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    meta.len().min(meta.blocks().saturating_mul(512))
}

#[cfg(not(unix))]
fn allocated(meta: &fs::Metadata) -> u64 {
    meta.len()
}
