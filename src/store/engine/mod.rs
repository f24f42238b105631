//! The narrow interface between the store and the engines below it.
//!
//! An engine is an ordered map of bytes that takes a set of changes as a whole and makes it
//! durable. What a key means, numbering, checksums and fencing are the store's business.

mod fjall;
mod memory;
#[cfg(feature = "store-sled")]
mod sled;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::key::{Key, Range};
use crate::{EngineKind, Settings, StoreError};

/// A key and what it is set to; `None` removes it.
pub(crate) type Change = (Key, Option<Vec<u8>>);

/// Takes a key and a value of a scan; `false` ends it.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> bool;

/// An ordered map of bytes.
pub(crate) trait Engine: Send + Sync {
    /// Reads one key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Shows the pairs of a range in ascending order; `visit` may call the engine.
    fn scan(&self, range: &Range, visit: Visit<'_>) -> Result<(), StoreError>;

    /// Applies all changes or none; they are on disk when it returns. Each key occurs once.
    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError>;
}

/// Opens the engine of the settings in `path`.
pub(crate) fn open(settings: &Settings, path: &Path) -> Result<Box<dyn Engine>, StoreError> {
    let unopenable = |detail: String| StoreError::Unopenable {
        path: settings.path.clone(),
        engine: settings.engine.name(),
        detail,
    };
    // Both engines assert what damaged files do not keep.
    let opened = catch_unwind(AssertUnwindSafe(|| match settings.engine {
        EngineKind::Memory => Ok(Box::new(memory::Memory::default()) as Box<dyn Engine>),
        EngineKind::Fjall => fjall::Fjall::open(path, settings).map(boxed),
        #[cfg(feature = "store-sled")]
        EngineKind::Sled => sled::Sled::open(path, settings).map(boxed),
        #[cfg(not(feature = "store-sled"))]
        EngineKind::Sled => Err(None),
    }));
    match opened {
        Ok(Ok(engine)) => Ok(engine),
        Ok(Err(Some(detail))) => Err(unopenable(detail)),
        Ok(Err(None)) => Err(StoreError::NotBuilt { engine: settings.engine.name() }),
        Err(panic) => Err(unopenable(format!("it panicked: {}", panic_text(panic.as_ref())))),
    }
}

fn boxed(engine: impl Engine + 'static) -> Box<dyn Engine> {
    Box::new(engine)
}

/// Runs a call into an engine; a panic of the engine is an error of that call.
fn guarded<T>(
    kind: EngineKind,
    call: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        Err(kind.failed(format!("it panicked: {}", panic_text(panic.as_ref()))))
    })
}

/// What a panic said.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}
