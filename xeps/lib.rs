//! What the XEPs say: one folder per extension, four ordered lists of plug points.
//!
//! Everything here is pure, as in `oc-core`. A folder is named by the field's own term; its head is
//! a `static XEP`, from which service discovery, the table in `README.md` and the reference check
//! come.

pub mod account;
pub mod adhoc;
pub mod alt_connections;
pub mod bind2;
pub mod bosh;
pub mod caps;
pub mod channel_binding;
pub mod contact;
pub mod csi;
pub mod dataform;
pub mod disco;
pub mod extdisco;
pub mod fast;
pub mod host;
pub mod invite;
pub mod last_activity;
pub mod limits;
pub mod offline;
pub mod ping;
pub mod readme;
pub mod register;
pub mod sasl2;
pub mod service_admin;
pub mod sm;
pub mod stream;
pub mod time;
pub mod version;

#[cfg(test)]
mod testing;

use oc_core::spec::Xep;

/// The head of every extension, ordered by number.
pub fn all() -> Vec<&'static Xep> {
    let mut all = vec![
        &adhoc::XEP,
        &alt_connections::XEP,
        &bind2::XEP,
        &bosh::XEP,
        &bosh::XEP_XMPP,
        &caps::XEP,
        &channel_binding::XEP,
        &contact::XEP,
        &csi::XEP,
        &dataform::XEP,
        &disco::XEP,
        &extdisco::XEP,
        &fast::XEP,
        &invite::XEP,
        &last_activity::XEP,
        &limits::XEP,
        &offline::XEP,
        &ping::XEP,
        &register::XEP,
        &register::XEP_PREAUTH,
        &sasl2::XEP,
        &sasl2::XEP_UPGRADE,
        &service_admin::XEP,
        &sm::XEP,
        &time::XEP,
        &version::XEP,
    ];
    all.sort_by_key(|xep| (xep.number.is_empty(), xep.number, xep.folder));
    all
}
