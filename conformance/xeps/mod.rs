//! Extensions, in folders named by number and term.

use crate::case::Case;

mod account;
mod host;
mod xep_0198_stream_management;
mod xep_0388_sasl2;

/// The cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    let lists =
        [host::CASES, account::CASES, xep_0198_stream_management::CASES, xep_0388_sasl2::CASES];
    lists.into_iter().flatten()
}
