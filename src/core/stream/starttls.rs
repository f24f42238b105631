//! STARTTLS (RFC 6120 §5, RFC 7590).

use super::feature::{Negotiation, StreamEffect, StreamFeature, Taken};
use crate::{Ctx, Element, StreamCondition, StreamError, ns};

/// Offers TLS until it is up; nothing else is offered before where it is required.
pub struct StartTls;

impl StreamFeature for StartTls {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        // RFC 6120 §5.3.3: not once the client has authenticated.
        if n.secure || n.identity.is_some() || !n.offer.tls {
            return;
        }
        let mut el = Element::new("starttls", ns::TLS);
        if n.offer.tls_required {
            el.push(Element::new("required", ns::TLS));
        }
        out.push(el);
    }

    fn take(
        &self,
        n: &mut Negotiation,
        el: &Element,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        if !el.is("starttls", ns::TLS) {
            return Ok(Taken::Pass);
        }
        if n.secure || n.identity.is_some() || !n.offer.tls {
            // RFC 6120 §5.4.2.2: the failure case ends the stream and the connection.
            out.push(StreamEffect::Write(Element::new("failure", ns::TLS)));
            let rule = "RFC 6120 §5.4.2.2";
            return Err(StreamError::new(StreamCondition::PolicyViolation, rule)
                .text("TLS is already up or not to be had"));
        }
        out.push(StreamEffect::Write(Element::new("proceed", ns::TLS)));
        out.push(StreamEffect::StartTls);
        Ok(Taken::Waiting)
    }
}
