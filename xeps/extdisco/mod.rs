//! External Service Discovery.
//!
//! Tells accounts of the domain where STUN, TURN and other services outside XMPP are. For services
//! with a shared secret it makes credentials that end by themselves: the user name is the end in
//! Unix seconds and a random part, the password an HMAC-SHA-1 over it, as coturn's
//! `use-auth-secret` and the other TURN servers check it. Changes are not pushed: they come with a
//! restart or reload of the operator's.

#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use oc_core::auth::Secret;
use oc_core::feature::Answer;
use oc_core::host::{Access, Asker, ExternalService, HostFeature, HostSettings, Turn};
use oc_core::spec::{Status, Xep};
use oc_core::{Condition, Ctx, Element, Reject, Stanza};
use sha1::Sha1;

/// Namespace of the protocol.
pub const NS: &str = "urn:xmpp:extdisco:2";
/// Its predecessor, which clients still ask with.
pub const NS_1: &str = "urn:xmpp:extdisco:1";

/// XEP-0215
pub static XEP: Xep = Xep {
    number: "0215",
    title: "External Service Discovery",
    version: "1.0.0",
    status: Status::Partial,
    folder: "extdisco",
    features: &[NS, NS_1],
    note: "Changes are not pushed.",
};

/// Tells which services there are outside XMPP.
pub struct ExternalServices;

impl HostFeature for ExternalServices {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn active(&self, settings: &HostSettings) -> bool {
        !settings.external_services.is_empty()
    }

    fn iq(&self, query: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let Some(asked) = query.payload() else { return Answer::Pass };
        let ns = match asked.ns().as_str() {
            NS => NS,
            NS_1 => NS_1,
            _ => return Answer::Pass,
        };
        if query.type_() != Some("get") {
            return Answer::Pass;
        }
        if turn.view.asker < Asker::Account {
            // Relays cost bandwidth: they are for our own accounts.
            return Answer::Reject(Reject::new(Condition::Forbidden, "XEP-0215 #protocol"));
        }
        let services = &turn.view.settings.external_services;
        match asked.name() {
            "services" => Answer::Result(Some(all(services, asked, ns, turn.ctx))),
            "credentials" => match credentials(services, asked, ns, turn.ctx) {
                Ok(found) => Answer::Result(Some(found)),
                Err(reject) => Answer::Reject(reject),
            },
            _ => Answer::Pass,
        }
    }
}

/// XEP-0215 #all and, with a type, XEP-0215 #select
fn all(
    services: &[ExternalService],
    asked: &Element,
    ns: &'static str,
    c: &mut Ctx<'_>,
) -> Element {
    let type_ = asked.attr("type");
    Element::new("services", ns).with_attr_opt("type", type_).with_children(
        services
            .iter()
            .filter(|service| type_.is_none_or(|type_| service.type_ == type_))
            .map(|service| element(service, ns, c)),
    )
}

/// XEP-0215 #credentials
fn credentials(
    services: &[ExternalService],
    asked: &Element,
    ns: &'static str,
    c: &mut Ctx<'_>,
) -> Result<Element, Reject> {
    const RULE: &str = "XEP-0215 #credentials";
    let bad = || Reject::new(Condition::BadRequest, RULE);
    let wanted = asked.child("service", ns).ok_or_else(bad)?;
    let (host, type_) = wanted.attr("host").zip(wanted.attr("type")).ok_or_else(bad)?;
    let port = wanted.attr("port").map(str::parse::<u16>).transpose().map_err(|_| bad())?;
    let found: Vec<_> = services
        .iter()
        .filter(|service| service.host == host && service.type_ == type_)
        .filter(|service| port.is_none_or(|port| service.port == Some(port)))
        .filter(|service| service.access != Access::Open)
        .map(|service| element(service, ns, c))
        .collect();
    if found.is_empty() {
        return Err(Reject::new(Condition::ItemNotFound, RULE));
    }
    Ok(Element::new("credentials", ns).with_children(found))
}

fn element(service: &ExternalService, ns: &'static str, c: &mut Ctx<'_>) -> Element {
    let el = Element::new("service", ns)
        .with_attr("type", &service.type_)
        .with_attr("host", &service.host)
        .with_attr_opt("port", service.port.map(|port| port.to_string()))
        .with_attr_opt("transport", service.transport.as_deref())
        .with_attr_opt("name", service.name.as_deref());
    match &service.access {
        Access::Open => el,
        Access::Fixed { username, password } => el
            .with_attr("restricted", "true")
            .with_attr("username", username)
            .with_attr("password", String::from_utf8_lossy(&password.0)),
        Access::Shared { secret, lifetime } => {
            let (username, password, expires) = timed(secret, *lifetime, c);
            el.with_attr("restricted", "true")
                .with_attr("username", username)
                .with_attr("password", password)
                .with_attr("expires", expires)
        }
    }
}

/// User name, password and end of credentials that a relay with the same secret accepts.
///
/// The random part keeps two users apart, whose quotas the relay counts by user name.
fn timed(secret: &Secret, lifetime: Duration, c: &mut Ctx<'_>) -> (String, String, String) {
    let expires = c.now.after(lifetime);
    let username = format!("{}:{}", expires.0 / 1_000, c.id());
    let password = password(secret, &username);
    (username, password, expires.to_datetime())
}

fn password(secret: &Secret, username: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(&secret.0).expect("HMAC takes keys of every length");
    mac.update(username.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}
