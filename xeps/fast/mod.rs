//! XEP-0484: Fast Authentication Streamlining Tokens.
//!
//! The wire form only: which elements ask for a token, use one, and carry a new one. Tokens are
//! made, checked and rotated by the identity service; the HT-* mechanisms are in `core::sasl`.

use oc_core::Element;
use oc_core::auth::{AuthExtras, FastToken, FastUse};
use oc_core::spec::{Status, Xep};
use oc_core::stream::Negotiation;

/// Namespace of all elements.
pub const NS: &str = "urn:xmpp:fast:0";

/// Head.
pub static XEP: Xep = Xep {
    number: "0484",
    title: "Fast Authentication Streamlining Tokens",
    version: "0.2.0",
    status: Status::Complete,
    folder: "fast",
    features: &[],
    note: "TLS 0-RTT is not offered",
};

/// The `<fast/>` element of SASL2's `<inline/>` (XEP-0484 #support).
pub fn inline(n: &Negotiation) -> Option<Element> {
    if n.offer.fast.is_empty() {
        return None;
    }
    let mechanisms =
        n.offer.fast.iter().map(|name| Element::new("mechanism", NS).with_text(name.as_str()));
    Some(Element::new("fast", NS).with_children(mechanisms))
}

/// What a SASL2 `<authenticate/>` says about tokens.
pub fn read(request: &Element, extras: &mut AuthExtras) {
    extras.fast = request.child("fast", NS).map(|fast| FastUse {
        count: fast.attr("count").and_then(|count| count.parse().ok()),
        invalidate: matches!(fast.attr("invalidate"), Some("true" | "1")),
    });
    extras.token_request = request
        .child("request-token", NS)
        .and_then(|token| token.attr("mechanism"))
        .map(str::to_owned);
}

/// The `<token/>` element of `<success/>`.
pub fn token(token: &FastToken) -> Element {
    Element::new("token", NS)
        .with_attr("expiry", token.expiry.to_datetime())
        .with_attr("token", &token.token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xep_0484_request_and_use() {
        let request = Element::new("authenticate", "urn:xmpp:sasl:2")
            .with_child(
                Element::new("fast", NS).with_attr("count", "7").with_attr("invalidate", "true"),
            )
            .with_child(
                Element::new("request-token", NS).with_attr("mechanism", "HT-SHA-256-EXPR"),
            );
        let mut extras = AuthExtras::default();
        read(&request, &mut extras);
        assert_eq!(extras.fast, Some(FastUse { count: Some(7), invalidate: true }));
        assert_eq!(extras.token_request.as_deref(), Some("HT-SHA-256-EXPR"));
    }
}
