//! SASL negotiation (RFC 6120 §6), and the parts of it that XEP-0388 shares.
//!
//! Mechanisms are not here: every message is relayed to the identity service.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::feature::{Negotiation, StreamAnswer, StreamEffect, StreamFeature, Taken};
use crate::auth::{AuthExtras, AuthFailure, AuthReply, AuthStep, Secret};
use crate::limits::{SASL_ATTEMPTS, SASL_MESSAGE_BYTES, StreamLimits};
use crate::{Ctx, Element, StreamCondition, StreamError, ns};

/// The `<mechanisms/>` feature and its exchange.
pub struct Sasl;

impl StreamFeature for Sasl {
    fn offer(&self, n: &Negotiation, out: &mut Vec<Element>) {
        if n.identity.is_some() || n.offer.mechanisms.is_empty() {
            return;
        }
        let mechanisms = n
            .offer
            .mechanisms
            .iter()
            .map(|name| Element::new("mechanism", ns::SASL).with_text(name.as_str()));
        out.push(Element::new("mechanisms", ns::SASL).with_children(mechanisms));
    }

    fn take(
        &self,
        n: &mut Negotiation,
        el: &Element,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        if *el.ns() != *ns::SASL {
            return Ok(Taken::Pass);
        }
        if n.identity.is_some() {
            // RFC 6120 §6.4.1: not again on an authenticated stream.
            return Err(StreamError::new(StreamCondition::PolicyViolation, "RFC 6120 §6.3.4"));
        }
        let step = match el.name() {
            "auth" => begin(n, el, AuthExtras::default()),
            "response" if n.request.as_ref().is_some_and(|r| *r.ns() == *ns::SASL) => respond(el),
            "abort" => {
                out.push(StreamEffect::Auth(AuthStep::Abort));
                Err(AuthFailure::Aborted)
            }
            _ => Err(AuthFailure::MalformedRequest),
        };
        match step {
            Ok(step) => {
                n.request = Some(Element::new(el.name(), ns::SASL));
                out.push(StreamEffect::Auth(step));
                Ok(Taken::Waiting)
            }
            Err(failure) => {
                out.push(StreamEffect::Write(failure_element(ns::SASL, failure)));
                count_failure(n)?;
                Ok(Taken::Done)
            }
        }
    }

    fn answer(
        &self,
        n: &mut Negotiation,
        answer: StreamAnswer,
        _: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        let StreamAnswer::Auth(reply) = answer else { return Ok(Taken::Done) };
        match reply {
            AuthReply::Challenge(data) => {
                let challenge = Element::new("challenge", ns::SASL).with_text(encode(&data));
                out.push(StreamEffect::Write(challenge));
            }
            AuthReply::Success { additional, identity, .. } => {
                let mut success = Element::new("success", ns::SASL);
                if let Some(data) = additional {
                    success.push_text(&encode(&data));
                }
                n.identity = Some(identity);
                n.request = None;
                out.push(StreamEffect::Write(success));
                out.push(StreamEffect::Limits(n.offer.limits.unwrap_or(StreamLimits::CLIENT)));
                out.push(StreamEffect::Restart);
            }
            AuthReply::Failure(failure) => {
                n.request = None;
                out.push(StreamEffect::Write(failure_element(ns::SASL, failure)));
                count_failure(n)?;
            }
            // Only SASL2 asks for tasks.
            AuthReply::Continue { .. } | AuthReply::TaskData(_) => {
                n.request = None;
                out.push(StreamEffect::Auth(AuthStep::Abort));
                let failure = AuthFailure::TemporaryAuthFailure;
                out.push(StreamEffect::Write(failure_element(ns::SASL, failure)));
            }
        }
        Ok(Taken::Done)
    }
}

/// The first step of an exchange, from `<auth/>` (RFC 6120 §6.4.2) or XEP-0388's `<authenticate/>`.
///
/// # Errors
/// The failure to tell the client.
pub fn begin(n: &Negotiation, el: &Element, extras: AuthExtras) -> Result<AuthStep, AuthFailure> {
    let mechanism = el.attr("mechanism").ok_or(AuthFailure::InvalidMechanism)?;
    let known = &n.offer.mechanisms;
    let offered = known.iter().any(|m| m == mechanism)
        || (extras.fast.is_some() && n.offer.fast.iter().any(|m| m == mechanism));
    if !offered {
        // RFC 6120 §6.5.4: say so if TLS would have helped.
        let hidden = !n.secure && n.offer.tls && known.is_empty();
        return Err(if hidden {
            AuthFailure::EncryptionRequired
        } else {
            AuthFailure::InvalidMechanism
        });
    }
    let initial = if *el.ns() == *ns::SASL {
        let text = el.text();
        if text.is_empty() { None } else { Some(decode(&text)?) }
    } else {
        let child = el.children().find(|c| c.name() == "initial-response" && c.ns() == el.ns());
        child.map(|c| decode(&c.text())).transpose()?
    };
    Ok(AuthStep::Begin {
        realm: n.domain.clone(),
        mechanism: mechanism.to_owned(),
        initial,
        claimed: n.claimed.as_ref().map(ToString::to_string),
        channel: Box::new(n.channel.clone()),
        extras,
    })
}

/// A later step of an exchange, from a `<response/>`.
///
/// # Errors
/// The failure to tell the client.
pub fn respond(el: &Element) -> Result<AuthStep, AuthFailure> {
    Ok(AuthStep::Respond { data: decode(&el.text())? })
}

/// RFC 6120 §6.4.2: base64 without white space; `=` alone is an empty message.
fn decode(text: &str) -> Result<Secret, AuthFailure> {
    if text == "=" {
        return Ok(Secret(Vec::new()));
    }
    if text.len() > SASL_MESSAGE_BYTES.div_ceil(3) * 4 {
        return Err(AuthFailure::MalformedRequest);
    }
    STANDARD.decode(text).map(Secret).map_err(|_| AuthFailure::IncorrectEncoding)
}

/// A SASL message as element text.
pub fn encode(data: &Secret) -> String {
    STANDARD.encode(&data.0)
}

/// `<failure/>` in the namespace of SASL or SASL2 (RFC 6120 §6.5; XEP-0388 #failure).
pub fn failure_element(namespace: &'static str, failure: AuthFailure) -> Element {
    Element::new("failure", namespace).with_child(Element::new(failure.name(), ns::SASL))
}

/// Notes a failed attempt.
///
/// # Errors
/// Ends the stream after too many (RFC 6120 §6.4.5).
pub fn count_failure(n: &mut Negotiation) -> Result<(), StreamError> {
    n.failures += 1;
    if n.failures < SASL_ATTEMPTS {
        return Ok(());
    }
    let rule = "RFC 6120 §6.4.5";
    Err(StreamError::new(StreamCondition::PolicyViolation, rule).text("too many failed logins"))
}
