//! Entity Capabilities.
//!
//! Three parts: the verification string of an answer to disco#info ([`hash`]), our own `<c/>` for
//! stream features ([`element`]), and a [`Cache`] of what clients can, in which only what hashes to
//! its own key is kept. `note.md` beside this file says what the hash cannot do.

mod cache;
mod hash;
#[cfg(test)]
mod tests;

use oc_core::disco::DiscoInfo;
use oc_core::host::{HostFeature, HostView};
use oc_core::spec::{Status, Xep};
use oc_core::{Element, Reject, ns};

pub use cache::{Cache, Capabilities, Claim};
pub use hash::{Algorithm, IllFormed, hash};

/// Identifies this software in `<c/>` (XEP-0115 #advertise).
pub const NODE: &str = "urn:open-conference:server:0";

/// XEP-0115
pub static XEP: Xep = Xep {
    number: "0115",
    title: "Entity Capabilities",
    version: "1.6.0",
    status: Status::Complete,
    folder: "caps",
    features: &[ns::CAPS],
    note: "The legacy format without hash is not read.",
};

/// Answers for the node that the stream feature names.
pub struct Caps;

impl HostFeature for Caps {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn node_info(&self, node: &str, view: &HostView<'_>) -> Option<Result<DiscoInfo, Reject>> {
        let ver = node.strip_prefix(NODE)?.strip_prefix('#')?;
        let info = view.info();
        (ver == own_hash(&info)).then_some(Ok(info))
    }
}

/// What the domain tells in its stream features (XEP-0115 #stream); the same for everybody.
pub fn element(view: &HostView<'_>) -> Element {
    Element::new("c", ns::CAPS)
        .with_attr("hash", Algorithm::Sha1.name())
        .with_attr("node", NODE)
        .with_attr("ver", own_hash(&view.info()))
}

fn own_hash(info: &DiscoInfo) -> String {
    let ours = hash(&info.to_element(None), Algorithm::Sha1);
    debug_assert!(ours.is_ok(), "a domain says something ill-formed of itself");
    ours.unwrap_or_default()
}
