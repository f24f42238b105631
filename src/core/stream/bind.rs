//! Resource binding (RFC 6120 §7), the old session request, and roster versioning's feature.

use super::feature::{Negotiation, StreamAnswer, StreamEffect, StreamFeature, Taken};
use crate::{Condition, Ctx, Element, Kind, Reject, Stanza, StreamError, ns};

/// Offers `<bind/>` after authentication and answers the request.
pub struct Bind;

impl StreamFeature for Bind {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        if n.identity.is_none() || n.jid.is_some() {
            return;
        }
        out.push(Element::new("bind", ns::BIND).with_child(Element::new("required", ns::BIND)));
        // RFC 3921 §3 wanted a session request; clients of that age skip it when it is optional.
        let optional = Element::new("optional", ns::SESSION);
        out.push(Element::new("session", ns::SESSION).with_child(optional));
    }

    fn take(
        &self,
        n: &mut Negotiation,
        el: &Element,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        if !el.is("iq", ns::CLIENT) || el.attr("type") != Some("set") {
            return Ok(Taken::Pass);
        }
        if n.jid.is_some() && el.has_child("session", ns::SESSION) {
            out.push(StreamEffect::Write(reply(el, "result")));
            return Ok(Taken::Done);
        }
        let Some(bind) = el.child("bind", ns::BIND) else { return Ok(Taken::Pass) };
        let Some(account) = n.account() else { return Ok(Taken::Pass) };
        if n.jid.is_some() {
            // RFC 6120 §7.1: one resource per stream; a second is refused, the stream goes on.
            let reject = Reject::new(Condition::NotAllowed, "RFC 6120 §7.1");
            out.push(StreamEffect::Write(reply(el, "error").with_child(reject.to_element())));
            return Ok(Taken::Done);
        }
        let resource = bind.child("resource", ns::BIND).map(|r| r.text().into_owned());
        n.request = Some(reply(el, "result"));
        out.push(StreamEffect::Attach { account, resource: resource.filter(|r| !r.is_empty()) });
        Ok(Taken::Waiting)
    }

    fn answer(
        &self,
        n: &mut Negotiation,
        answer: StreamAnswer,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        let StreamAnswer::Attached(outcome) = answer else { return Ok(Taken::Done) };
        let Some(mut iq) = n.request.take() else { return Ok(Taken::Done) };
        match outcome {
            Ok(jid) => {
                let text = Element::new("jid", ns::BIND).with_text(jid.as_str());
                iq.push(Element::new("bind", ns::BIND).with_child(text));
                out.push(StreamEffect::Write(iq));
                n.jid = Some(jid.clone());
                out.push(StreamEffect::Bound(jid));
            }
            Err(reject) => {
                iq.set_attr("type", "error");
                iq.push(reject.to_element());
                out.push(StreamEffect::Write(iq));
            }
        }
        Ok(Taken::Done)
    }
}

fn reply(request: &Element, type_: &str) -> Element {
    Stanza::with_type(Kind::Iq, type_).into_element().with_attr_opt("id", request.attr("id"))
}

/// RFC 6121 §2.6.1 and §3.4.1: what the account machine can do, announced once a client is known.
pub struct RosterVersioning;

impl StreamFeature for RosterVersioning {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        if n.identity.is_some() {
            out.push(Element::new("ver", ns::ROSTER_VERSIONING));
            out.push(Element::new("sub", ns::PRE_APPROVAL));
        }
    }
}
