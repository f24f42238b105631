//! XEP-0388: Extensible SASL Profile, with what rides on it inline.
//!
//! One round trip logs in, resumes (XEP-0198) or binds (XEP-0386), and hands out a token
//! (XEP-0484); upgrade tasks (XEP-0480) are relayed between client and identity service. Resumption
//! comes before binding, and a request is worked off only after the client has proved who it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oc_core::auth::{AuthExtras, AuthFailure, AuthReply, AuthStep, Identity};
use oc_core::limits::StreamLimits;
use oc_core::spec::{Status, Xep};
use oc_core::stream::sasl::{begin, count_failure, encode, failure_element, respond};
use oc_core::stream::{Negotiation, StreamAnswer, StreamEffect, StreamFeature, Taken};
use oc_core::{Ctx, Element, StreamCondition, StreamError, ns};

use crate::{bind2, fast};

#[cfg(test)]
mod tests;

/// Namespace of SASL2.
pub const NS: &str = "urn:xmpp:sasl:2";
/// Namespace of the upgrade offer (XEP-0480).
pub const NS_UPGRADE: &str = "urn:xmpp:sasl:upgrade:0";

/// Head.
pub static XEP: Xep = Xep {
    number: "0388",
    title: "Extensible SASL Profile",
    version: "1.0.4",
    status: Status::Complete,
    folder: "sasl2",
    features: &[],
    note: "",
};

/// Head of the upgrade tasks.
pub static XEP_UPGRADE: Xep = Xep {
    number: "0480",
    title: "SASL Upgrade Tasks",
    version: "0.2.0",
    status: Status::Complete,
    folder: "sasl2",
    features: &[],
    note: "the tasks themselves are done by the identity service",
};

/// The `<authentication/>` feature. `session` names what a bind request may take along.
pub struct Sasl2 {
    /// Features that XEP-0386's `<inline/>` announces.
    pub session: &'static [&'static str],
}

impl StreamFeature for Sasl2 {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        let offer = &n.offer;
        if n.identity.is_some() || (offer.mechanisms.is_empty() && offer.fast.is_empty()) {
            return;
        }
        let mechanisms =
            offer.mechanisms.iter().map(|m| Element::new("mechanism", NS).with_text(m.as_str()));
        let inline = Element::new("inline", NS)
            .with_child(bind2::inline(self.session))
            .with_child(Element::new("sm", ns::SM))
            .with_children(fast::inline(n));
        let upgrades = offer
            .upgrades
            .iter()
            .map(|u| Element::new("upgrade", NS_UPGRADE).with_text(u.as_str()));
        out.push(
            Element::new("authentication", NS)
                .with_children(mechanisms)
                .with_child(inline)
                .with_children(upgrades),
        );
    }

    fn take(
        &self,
        n: &mut Negotiation,
        el: &Element,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        if *el.ns() != *NS {
            return Ok(Taken::Pass);
        }
        if n.identity.is_some() {
            return Err(StreamError::new(StreamCondition::PolicyViolation, "XEP-0388")
                .text("already authenticated"));
        }
        match step(n, el) {
            Ok(step) => {
                if el.name() == "authenticate" {
                    n.request = Some(el.clone());
                    n.collected.clear();
                } else if let (Some(task), Some(request)) = (el.attr("task"), &mut n.request) {
                    request.set_attr("task", task);
                }
                out.push(StreamEffect::Auth(step));
                Ok(Taken::Waiting)
            }
            Err(failure) => {
                if n.request.take().is_some() {
                    out.push(StreamEffect::Auth(AuthStep::Abort));
                }
                out.push(StreamEffect::Write(failure_element(NS, failure)));
                count_failure(n)?;
                Ok(Taken::Done)
            }
        }
    }

    fn answer(
        &self,
        n: &mut Negotiation,
        answer: StreamAnswer,
        ctx: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        match answer {
            StreamAnswer::Auth(reply) => authenticated(n, reply, ctx, out),
            StreamAnswer::Resumed(Ok(resumed)) => {
                n.collected.push(resumed);
                success(n, out);
                out.push(StreamEffect::Resumed);
                Ok(Taken::Features)
            }
            StreamAnswer::Resumed(Err(failed)) => {
                n.collected.push(failed);
                Ok(bind(n, ctx, out))
            }
            StreamAnswer::Attached(Ok(jid)) => {
                n.jid = Some(jid);
                let requests = bind_request(n).map(bind2::requests).unwrap_or_default();
                out.push(StreamEffect::Inline(requests));
                Ok(Taken::Waiting)
            }
            StreamAnswer::Attached(Err(_)) => {
                // Logged in, but not bound: the client sees the bind feature and may ask again.
                success(n, out);
                Ok(Taken::Features)
            }
            StreamAnswer::Inline(inline) => {
                n.collected.push(bind2::bound(inline));
                success(n, out);
                out.extend(n.jid.clone().map(StreamEffect::Bound));
                Ok(Taken::Features)
            }
            StreamAnswer::Identity(_) => Ok(Taken::Done),
        }
    }
}

/// What the client's element means as a step of the exchange.
fn step(n: &Negotiation, el: &Element) -> Result<AuthStep, AuthFailure> {
    match (el.name(), &n.request) {
        ("authenticate", _) => begin(n, el, extras(el)),
        ("response", Some(request)) if *request.ns() == *NS => respond(el),
        ("next", Some(request)) if *request.ns() == *NS => {
            let task = el.attr("task").ok_or(AuthFailure::MalformedRequest)?.to_owned();
            Ok(AuthStep::Task { data: None, task })
        }
        ("task-data", Some(request)) => {
            let task = request.attr("task").ok_or(AuthFailure::MalformedRequest)?.to_owned();
            let data = el.children().next().ok_or(AuthFailure::MalformedRequest)?.text();
            let data = STANDARD.decode(&*data).map_err(|_| AuthFailure::IncorrectEncoding)?;
            Ok(AuthStep::Task { data: Some(data), task })
        }
        ("abort", _) => Err(AuthFailure::Aborted),
        _ => Err(AuthFailure::MalformedRequest),
    }
}

fn extras(el: &Element) -> AuthExtras {
    let mut extras = AuthExtras {
        client_id: client_id(el).map(str::to_owned),
        upgrades: el
            .children()
            .filter(|child| child.is("upgrade", NS_UPGRADE))
            .map(|child| child.text().into_owned())
            .collect(),
        ..AuthExtras::default()
    };
    fast::read(el, &mut extras);
    extras
}

/// XEP-0388 #initiation: the id of a user agent, a UUID; anything longer than sense is ignored.
fn client_id(request: &Element) -> Option<&str> {
    request.child("user-agent", NS)?.attr("id").filter(|id| (1..=128).contains(&id.len()))
}

fn bind_request(n: &Negotiation) -> Option<&Element> {
    n.request.as_ref()?.child("bind", bind2::NS)
}

fn additional_data(additional: &Option<oc_core::auth::Secret>) -> Option<Element> {
    let data = additional.as_ref()?;
    Some(Element::new("additional-data", NS).with_text(encode(data)))
}

/// The identity service has spoken.
fn authenticated(
    n: &mut Negotiation,
    reply: AuthReply,
    ctx: &mut Ctx<'_>,
    out: &mut Vec<StreamEffect>,
) -> Result<Taken, StreamError> {
    match reply {
        AuthReply::Challenge(data) => {
            let challenge = Element::new("challenge", NS).with_text(encode(&data));
            out.push(StreamEffect::Write(challenge));
            Ok(Taken::Done)
        }
        AuthReply::Continue { additional, tasks } => {
            let tasks = tasks.iter().map(|t| Element::new("task", NS).with_text(t.as_str()));
            out.push(StreamEffect::Write(
                Element::new("continue", NS)
                    .with_children(additional_data(&additional))
                    .with_child(Element::new("tasks", NS).with_children(tasks)),
            ));
            Ok(Taken::Done)
        }
        AuthReply::TaskData(data) => {
            let data = Element::new("task-data", NS).with_child(data);
            out.push(StreamEffect::Write(data));
            Ok(Taken::Done)
        }
        AuthReply::Success { additional, identity, token } => {
            n.collected = additional_data(&additional).into_iter().collect();
            n.collected.extend(token.as_ref().map(fast::token));
            Ok(logged_in(n, identity, ctx, out))
        }
        AuthReply::Failure(failure) => {
            n.request = None;
            out.push(StreamEffect::Write(failure_element(NS, failure)));
            count_failure(n)?;
            Ok(Taken::Done)
        }
    }
}

/// XEP-0386: resumption first; only if that fails, binding.
fn logged_in(
    n: &mut Negotiation,
    identity: Identity,
    ctx: &mut Ctx<'_>,
    out: &mut Vec<StreamEffect>,
) -> Taken {
    n.identity = Some(identity);
    out.push(StreamEffect::Limits(n.offer.limits.unwrap_or(StreamLimits::CLIENT)));
    let resume = n.request.as_ref().and_then(|request| request.child("resume", ns::SM));
    match (resume.cloned(), n.account()) {
        (Some(request), Some(account)) => {
            out.push(StreamEffect::Resume { account, request });
            Taken::Waiting
        }
        _ => bind(n, ctx, out),
    }
}

fn bind(n: &mut Negotiation, ctx: &mut Ctx<'_>, out: &mut Vec<StreamEffect>) -> Taken {
    let (Some(request), Some(account)) = (&n.request, n.account()) else {
        success(n, out);
        return Taken::Features;
    };
    let Some(bind) = request.child("bind", bind2::NS) else {
        success(n, out);
        return Taken::Features;
    };
    let resource = Some(bind2::resource(bind, client_id(request), &account, ctx));
    out.push(StreamEffect::Attach { account, resource });
    Taken::Waiting
}

/// XEP-0388 #success: the full JID if a resource is bound, else the bare one.
fn success(n: &mut Negotiation, out: &mut Vec<StreamEffect>) {
    let who = match &n.jid {
        Some(jid) => jid.to_string(),
        None => n.account().map(|account| account.to_string()).unwrap_or_default(),
    };
    let mut collected = std::mem::take(&mut n.collected);
    let mut el = Element::new("success", NS);
    if collected.first().is_some_and(|first| first.is("additional-data", NS)) {
        el.push(collected.remove(0));
    }
    el.push(Element::new("authorization-identifier", NS).with_text(who));
    out.push(StreamEffect::Write(el.with_children(collected)));
    n.request = None;
}
