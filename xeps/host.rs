//! The ordered list of what a domain answers.
//!
//! Requests go down the list until somebody answers. No two features share a namespace, so the order
//! matters only for who is asked first; the most frequent come first.

use oc_core::host::HostFeature;

use crate::{caps, contact, disco, extdisco, last_activity, ping, time, version};

/// What a domain can be asked, in order.
pub static FEATURES: &[&dyn HostFeature] = &[
    &ping::Ping,
    &disco::Disco,
    &caps::Caps,
    &extdisco::ExternalServices,
    &version::Version,
    &time::EntityTime,
    &last_activity::Uptime,
    &contact::ContactAddresses,
];
