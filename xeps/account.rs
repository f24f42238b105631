//! The extensions of accounts, in the order in which they are asked.

use oc_core::account::AccountFeature;

use crate::{adhoc, disco, last_activity, offline, ping, register};

/// The list. Order matters only where the line says so.
pub static FEATURES: &[&dyn AccountFeature] = &[
    &ping::AccountPing,
    &disco::AccountDisco,
    &last_activity::LastGone,
    &offline::Offline,
    &register::AtHome,
    &adhoc::AtHome,
];
