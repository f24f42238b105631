//! XEP-0386: Bind 2.
//!
//! Binding inside SASL2's `<authenticate/>`. Resources are `tag/identifier`, where the identifier
//! stays the same for a client that names itself by its user-agent id, so that its new session
//! replaces the old one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oc_core::spec::{Status, Xep};
use oc_core::{BareJid, Ctx, Element};
use sha2::{Digest as _, Sha256};

/// Namespace of all elements.
pub const NS: &str = "urn:xmpp:bind:0";

/// Head.
pub static XEP: Xep = Xep {
    number: "0386",
    title: "Bind 2",
    version: "1.1.0",
    status: Status::Partial,
    folder: "bind2",
    features: &[],
    note: "no archive metadata in <bound/> and offline messages are delivered, \
           until accounts have an archive",
};

/// Bytes of a client's tag that make it into the resource.
const TAG_BYTES: usize = 64;

/// The `<bind/>` element of SASL2's `<inline/>`: which features it takes along.
pub fn inline(features: &[&str]) -> Element {
    let features = features.iter().map(|var| Element::new("feature", NS).with_attr("var", *var));
    let inline = Element::new("inline", NS).with_children(features);
    Element::new("bind", NS).with_child(inline)
}

/// The resource for a bind request (XEP-0386 #identifiers).
pub fn resource(
    bind: &Element,
    client: Option<&str>,
    account: &BareJid,
    ctx: &mut Ctx<'_>,
) -> String {
    let identifier = match client {
        // The user-agent id itself must not show; its hash is bound to the account.
        Some(client) => {
            let hash = Sha256::new_with_prefix(account.as_str()).chain_update(client).finalize();
            URL_SAFE_NO_PAD.encode(&hash[..9])
        }
        None => ctx.id()[..16].to_owned(),
    };
    let tag = bind.child("tag", NS).map(|tag| tag.text().trim().to_owned()).unwrap_or_default();
    let tag = match tag.char_indices().find(|(at, c)| at + c.len_utf8() > TAG_BYTES) {
        Some((end, _)) => &tag[..end],
        None => tag.as_str(),
    };
    if tag.is_empty() { identifier } else { format!("{tag}/{identifier}") }
}

/// Requests for session features inside a bind request.
pub fn requests(bind: &Element) -> Vec<Element> {
    bind.children().filter(|child| *child.ns() != *NS).cloned().collect()
}

/// The `<bound/>` element of `<success/>`.
pub fn bound(inline: Vec<Element>) -> Element {
    Element::new("bound", NS).with_children(inline)
}

#[cfg(test)]
mod tests {
    use oc_core::{Ids, Time};

    use super::*;

    struct Fixed;
    impl Ids for Fixed {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    #[test]
    fn xep_0386_identifiers() {
        let ctx = &mut Ctx { now: Time(0), ids: &mut Fixed };
        let account = BareJid::new("alice@example.org").expect("a JID");
        let bind = Element::new("bind", NS).with_child(Element::new("tag", NS).with_text("Dino"));
        let first = resource(&bind, Some("d4565fa7"), &account, ctx);
        assert!(first.starts_with("Dino/"));
        assert!(!first.contains("d4565fa7"));
        assert_eq!(first, resource(&bind, Some("d4565fa7"), &account, ctx));
        assert_ne!(first, resource(&bind, Some("another"), &account, ctx));
        let long = Element::new("tag", NS).with_text("ä".repeat(200));
        let cut = resource(&Element::new("bind", NS).with_child(long), None, &account, ctx);
        assert!(cut.len() <= TAG_BYTES + 1 + 16);
    }
}
