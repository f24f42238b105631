//! Stream Limits Advertisement.
//!
//! The element that stands in the stream features, before and after authentication. What enforces
//! the limits is the reader of `oc-core`; this tells them, so that a client need not find out by
//! being cut off.

use std::time::Duration;

use oc_core::Element;
use oc_core::limits::StreamLimits;
use oc_core::spec::{Status, Xep};
use oc_core::stream::{Negotiation, StreamFeature};

/// Namespace of the protocol.
pub const NS: &str = "urn:xmpp:stream-limits:0";

/// XEP-0478
pub static XEP: Xep = Xep {
    number: "0478",
    title: "Stream Limits Advertisement",
    version: "0.2.0",
    status: Status::Partial,
    folder: "limits",
    features: &[],
    note: "Told to clients; limits that peers tell us come with federation.",
};

/// The stream feature (XEP-0478 #advertise); `idle` is left out where streams may be silent for
/// ever.
pub fn feature(stanza_bytes: usize, idle: Option<Duration>) -> Element {
    let number = |name, value: u64| Element::new(name, NS).with_text(value.to_string());
    Element::new("limits", NS)
        .with_child(number("max-bytes", u64::try_from(stanza_bytes).unwrap_or(u64::MAX)))
        .with_children(idle.map(|idle| number("idle-seconds", idle.as_secs())))
}

/// The stream feature as this server offers it: the limits that hold now.
pub struct StreamLimitsFeature;

impl StreamFeature for StreamLimitsFeature {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        let limits = if n.identity.is_some() {
            n.offer.limits.unwrap_or(StreamLimits::CLIENT)
        } else {
            StreamLimits::UNAUTHENTICATED
        };
        let idle = n.offer.idle_seconds.map(Duration::from_secs);
        out.push(feature(limits.stanza_bytes, idle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::el;

    #[test]
    fn xep_0478_advertise() {
        assert_eq!(
            feature(10_000, Some(Duration::from_secs(1_800))),
            el("<limits xmlns='urn:xmpp:stream-limits:0'>
                <max-bytes>10000</max-bytes>
                <idle-seconds>1800</idle-seconds>
            </limits>")
        );
        assert!(!feature(10_000, None).has_child("idle-seconds", NS));
    }
}
