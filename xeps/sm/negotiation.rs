//! The stream feature: announcing it, and resumption in place of binding.

use oc_core::stream::{Negotiation, StreamAnswer, StreamEffect, StreamFeature, Taken};
use oc_core::{Ctx, Element, StreamError, ns};

/// `<sm/>` after authentication, `<resume/>` before binding. After binding the session answers.
pub struct StreamManagement;

impl StreamFeature for StreamManagement {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        if n.identity.is_some() {
            out.push(super::feature());
        }
    }

    fn take(
        &self,
        n: &mut Negotiation,
        el: &Element,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        if *el.ns() != *ns::SM || n.jid.is_some() {
            return Ok(Taken::Pass);
        }
        match (el.name(), n.account()) {
            ("resume", Some(account)) => {
                out.push(StreamEffect::Resume { account, request: el.clone() });
                Ok(Taken::Waiting)
            }
            _ => {
                // XEP-0198 #enable: not before a resource is bound.
                out.push(StreamEffect::Write(super::unexpected()));
                Ok(Taken::Done)
            }
        }
    }

    fn answer(
        &self,
        _: &mut Negotiation,
        answer: StreamAnswer,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        match answer {
            StreamAnswer::Resumed(Ok(resumed)) => {
                out.push(StreamEffect::Write(resumed));
                out.push(StreamEffect::Resumed);
            }
            StreamAnswer::Resumed(Err(failed)) => out.push(StreamEffect::Write(failed)),
            _ => {}
        }
        Ok(Taken::Done)
    }
}
