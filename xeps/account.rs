//! The extensions of accounts, in the order in which they are asked.

use oc_core::account::AccountFeature;

use crate::{last_activity, offline};

/// The list. Order matters only where the line says so.
pub static FEATURES: &[&dyn AccountFeature] = &[&last_activity::LastGone, &offline::Offline];
