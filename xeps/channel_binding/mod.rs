//! XEP-0440: SASL Channel-Binding Type Capability.
//!
//! Tells a client which channel bindings this connection has, so that it need not guess and
//! downgrade.

use oc_core::Element;
use oc_core::spec::{Status, Xep};
use oc_core::stream::{Negotiation, StreamFeature};

/// Namespace of the stream feature.
pub const NS: &str = "urn:xmpp:sasl-cb:0";

/// Head.
pub static XEP: Xep = Xep {
    number: "0440",
    title: "SASL Channel-Binding Type Capability",
    version: "1.0.0",
    status: Status::Complete,
    folder: "channel_binding",
    features: &[],
    note: "tls-exporter and tls-server-end-point",
};

/// The `<sasl-channel-binding/>` feature.
pub struct ChannelBinding;

impl StreamFeature for ChannelBinding {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        if n.identity.is_some() {
            return;
        }
        let Some(types) = &n.channel.advertised_bindings else { return };
        let types = types
            .iter()
            .map(|type_| Element::new("channel-binding", NS).with_attr("type", type_.as_str()));
        out.push(Element::new("sasl-channel-binding", NS).with_children(types));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xep_0440_types_of_this_connection() {
        let mut n = Negotiation::default();
        n.channel.advertised_bindings = Some(vec!["tls-exporter".to_owned()]);
        let mut out = Vec::new();
        ChannelBinding.offer(&n, &mut out);
        assert_eq!(
            out[0].to_string(),
            "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\
             <channel-binding type='tls-exporter'/></sasl-channel-binding>"
        );
        n.channel.advertised_bindings = None;
        out.clear();
        ChannelBinding.offer(&n, &mut out);
        assert_eq!(out, []);
    }
}
