//! What can go wrong in operating the identity service; peers are told `temporary-auth-failure`.

use std::path::PathBuf;

/// An operating error.
#[derive(Debug, thiserror::Error)]
pub enum OcmsError {
    /// The database file cannot be created or made private.
    #[error("cannot open the identity database {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database refused.
    #[error("identity database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema of the database cannot be brought up to date.
    #[error("identity database schema: {0}")]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// The operating system gave no random bytes.
    #[error("no random bytes from the operating system: {0}")]
    Random(getrandom::Error),
    /// A row fails its check: the file is damaged, or was changed by something else.
    #[error("the identity database is damaged: {0} fails its check; restore it from a backup")]
    Damaged(&'static str),
    /// A thread of the pool for slow hashes is gone.
    #[error("password hashing was interrupted")]
    Interrupted,
    /// More passwords wait to be hashed than this machine can hash in time.
    #[error("too many passwords wait to be hashed")]
    Busy,
}
