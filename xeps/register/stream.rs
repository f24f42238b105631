//! Registration before authentication, on an encrypted stream.

use oc_core::auth::{IdentityAnswer, IdentityCommand};
use oc_core::stream::{
    Negotiation, Registration, StreamAnswer, StreamEffect, StreamFeature, Taken,
};
use oc_core::{Ctx, Element, Kind, Reject, Stanza, StreamError, ns};

use super::{NS, Policy, features, form, preauth, refusal, submit};

/// Offers registration, takes the invitation and the filled-in form.
pub struct InBand;

impl StreamFeature for InBand {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        out.extend(features(registration(n)));
    }

    fn take(
        &self,
        n: &mut Negotiation,
        el: &Element,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        let set = match el.attr("type") {
            Some("set") => true,
            Some("get") => false,
            _ => return Ok(Taken::Pass),
        };
        if n.identity.is_some() || !el.is("iq", ns::CLIENT) {
            return Ok(Taken::Pass);
        }
        let outcome = if let Some(query) = el.child("query", NS) {
            if set { create(query, n).map(Some) } else { Ok(None) }
        } else if let Some(token) = el.children().find_map(preauth).filter(|_| set) {
            check(token, n).map(Some)
        } else {
            return Ok(Taken::Pass);
        };
        match outcome {
            Ok(Some(command)) => {
                n.request = Some(el.clone());
                out.push(StreamEffect::Identity(command));
                return Ok(Taken::Waiting);
            }
            Ok(None) => out.push(StreamEffect::Write(match form(registration(n)) {
                Ok(form) => reply(el, "result").with_child(form),
                Err(reject) => refuse(el, &reject),
            })),
            Err(reject) => out.push(StreamEffect::Write(refuse(el, &reject))),
        }
        Ok(Taken::Done)
    }

    fn answer(
        &self,
        n: &mut Negotiation,
        answer: StreamAnswer,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        let StreamAnswer::Identity(answer) = answer else { return Ok(Taken::Done) };
        let Some(request) = n.request.take() else { return Ok(Taken::Done) };
        if let IdentityAnswer::Refused(why) = &answer {
            out.push(StreamEffect::Write(refuse(&request, &refusal(why))));
            return Ok(Taken::Done);
        }
        if let Some(token) = request.children().find_map(preauth) {
            n.invitation = Some(token.to_owned());
        }
        out.push(StreamEffect::Write(reply(&request, "result")));
        Ok(Taken::Done)
    }
}

/// Who may register on this stream: nobody where a password could be read on the way, or after
/// login.
fn registration(n: &Negotiation) -> Registration {
    if n.channel.confidential && n.identity.is_none() {
        n.offer.registration
    } else {
        Registration::Closed
    }
}

fn create(query: &Element, n: &Negotiation) -> Result<IdentityCommand, Reject> {
    let (domain, reserved) = (n.domain.as_str(), n.offer.reserved.as_slice());
    let policy = Policy { domain, registration: registration(n), reserved };
    submit(query, &policy, n.invitation.as_deref(), &n.channel.rate_key)
}

/// XEP-0445 #preauth-ibr: the end of an invitation is looked at only now.
fn check(token: &str, n: &Negotiation) -> Result<IdentityCommand, Reject> {
    form(registration(n))?;
    Ok(IdentityCommand::CheckInvitation { token: token.to_owned(), domain: n.domain.clone() })
}

fn reply(request: &Element, type_: &str) -> Element {
    Stanza::with_type(Kind::Iq, type_)
        .into_element()
        .with_attr_opt("id", request.attr("id"))
        .with_attr_opt("from", request.attr("to"))
}

/// The request is not sent back: it has a password in it.
fn refuse(request: &Element, reject: &Reject) -> Element {
    reply(request, "error").with_child(reject.to_element())
}
