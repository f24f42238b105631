//! Who asks, which requests are well-formed, and what the others hear.

use crate::{BareJid, Condition, Jid, Kind, Reject, Stanza};

use super::{Asker, HostSettings};

/// Who somebody is to a domain. `from` has been checked by the stream it came over.
pub fn asker(domain: &BareJid, settings: &HostSettings, from: Option<&Jid>) -> Asker {
    let Some(from) = from else { return Asker::Stranger };
    let bare = from.to_bare();
    if settings.administrators.contains(&bare) {
        Asker::Administrator
    } else if bare.node().is_some() && bare.domain() == domain.domain() {
        Asker::Account
    } else {
        Asker::Stranger
    }
}

/// A request of an account's own client to that account which only its domain can answer: the form
/// in which the account hands it on, so that the answer comes in the account's name.
///
/// `None` if the request is not the account's own.
pub fn hand_on(request: &Stanza, account: &BareJid) -> Option<Stanza> {
    request.from().filter(|from| from.to_bare() == *account)?;
    let domain = BareJid::new(account.domain().as_str()).ok()?;
    let to = domain.with_resource_str(account.as_str()).ok()?;
    Some(request.clone().to_jid(to))
}

/// The account of this domain that has handed a request on. Nobody else can make the domain answer
/// in another's name: the answer goes to the account itself, and never has a foreign `from`.
pub(super) fn handed_on_by(stanza: &Stanza, domain: &BareJid) -> Option<BareJid> {
    let from = stanza.from()?.to_bare();
    let resource = stanza.to()?.resource()?;
    let own = resource.as_str() == from.as_str() && from.domain() == domain.domain();
    (own && stanza.is_request()).then_some(from)
}

/// The rules every IQ stanza must keep: an `id`, one of four types, and exactly one child in a
/// request.
///
/// # Errors
/// `bad-request`, as RFC 6120 §8.2.3 asks.
pub fn check_iq(iq: &Stanza) -> Result<(), Reject> {
    let bad = |text| Reject::new(Condition::BadRequest, "RFC 6120 §8.2.3").text(text);
    if iq.id().is_none() {
        return Err(bad("an IQ stanza needs an id"));
    }
    match iq.type_() {
        Some("get" | "set") if iq.element().children().count() == 1 => Ok(()),
        Some("get" | "set") => Err(bad("an IQ request has exactly one child element")),
        Some("result" | "error") => Ok(()),
        _ => Err(bad("the type of an IQ stanza is get, set, result or error")),
    }
}

/// The error for a stanza that broke a rule; `None` where RFC 6120 §8.3.1 forbids an answer.
///
/// Other than [`Stanza::error`] it also answers an IQ whose type is none of the four.
pub fn refusal(stanza: &Stanza, reject: &Reject) -> Option<Stanza> {
    let stray = stanza.kind() == Kind::Iq && !matches!(stanza.type_(), Some("result" | "error"));
    if !stray || stanza.is_request() {
        return stanza.error(reject);
    }
    let mut request = stanza.clone();
    request.element_mut().set_attr("type", "get");
    request.error(reject)
}
