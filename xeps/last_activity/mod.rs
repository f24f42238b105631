//! Last Activity.
//!
//! Of a domain: how long it has been running. Of an account: how long its user has been gone, for
//! those who may see the user's presence.

mod account;
mod host;

use oc_core::spec::{Status, Xep};

pub use account::LastGone;
pub use host::Uptime;

/// Namespace of the protocol.
pub const NS: &str = "jabber:iq:last";

/// XEP-0012
pub static XEP: Xep = Xep {
    number: "0012",
    title: "Last Activity",
    version: "2.0",
    status: Status::Complete,
    folder: "last_activity",
    features: &[NS],
    note: "",
};
