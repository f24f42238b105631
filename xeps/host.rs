//! The ordered list of what a domain answers.
//!
//! Requests go down the list until somebody answers. No two features share a namespace, so the
//! order matters only for who is asked first; the most frequent come first.

use oc_core::host::HostFeature;
use oc_core::spec::Xep;

use crate::adhoc::{Adhoc, Command};
use crate::{
    account, caps, contact, disco, extdisco, invite, last_activity, ping, register, service_admin,
    sm, time, version,
};

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
    &register::Registered,
    &Adhoc { commands: COMMANDS },
];

/// Heads of the other plug points, for what makes a domain announce them: what its accounts can,
/// clients look for at their server (XEP-0030 #info-basic).
pub fn others() -> Vec<&'static Xep> {
    let accounts = account::FEATURES.iter().map(|feature| feature.xep());
    accounts.chain([&sm::XEP]).collect()
}

/// What can be executed at a domain, in the order of the menu.
pub static COMMANDS: &[&dyn Command] = &[
    &invite::InviteContact,
    &invite::CreateAccount,
    &service_admin::AddUser,
    &service_admin::DeleteUser,
    &service_admin::ChangeUserPassword,
    &service_admin::RegisteredCount,
    &service_admin::RegisteredList,
    &service_admin::OnlineCount,
];
