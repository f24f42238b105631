//! `[ocms]`: the identity service.

use super::section::section;
use super::value::Location;

section! {
    /// The identity service, which knows the accounts and what proves them. It is built in.
    Ocms = "ocms" {
        /// Its database. Without it: ocms.sqlite in the data directory, or in memory if the store
        /// is.
        restart database: Option<Location> = None, eg "\"/var/lib/open-conference/ocms.sqlite\"";
    }
}
