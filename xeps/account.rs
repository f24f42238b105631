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

/// What a guest's account has (SASL ANONYMOUS): it ends with its session, so nothing is kept for
/// it, and a message that nobody can take now is refused rather than lost.
pub static GUEST_FEATURES: &[&dyn AccountFeature] = &[&ping::AccountPing, &disco::AccountDisco];
