//! What survives a restart: the embedded store.
//!
//! Owners (bare JIDs) have tables of rows and append-only logs; there is one ordered outbox of
//! events for the whole server. The words are those of [`oc_core::record`]: the store never knows
//! an extension. [`Store`] is the async face, one commit thread joins what waits into groups and
//! answers after the disk did, and below lies one of three engines behind a narrow interface:
//! memory, fjall (the default) and sled. What every engine must do is tested by one set of tests;
//! what kills and damage do to them is written down in `note.md`. Not here: files that people
//! upload, and credentials.

mod check;
mod commit;
mod directory;
mod engine;
mod envelope;
mod error;
mod group;
mod highwater;
mod key;
mod open;
mod read;
mod settings;
mod store;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use settings::{
    BATCH_BYTES, BATCH_RECORDS, Check, EngineKind, KEY_BYTES, NAME_BYTES, OWNER_BYTES, OpenReport,
    PAGE_ITEMS, Settings, VALUE_BYTES,
};
pub use store::{Committed, Counters, EventEntry, Store};
