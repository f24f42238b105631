//! In-Band Registration, and its form with invitations.
//!
//! Before authentication the stream feature [`InBand`] creates accounts, if the operator lets
//! anybody or the invited do so (XEP-0445); afterwards a domain answers what is registered, changes
//! passwords and removes accounts. The names of administrators can neither be registered nor be
//! given up in band: who took the name would take the rights.

mod account;
mod host;
mod stream;
#[cfg(test)]
mod tests;

use oc_core::auth::{IdentityCommand, IdentityRefusal, Secret};
use oc_core::host::HostEffect;
use oc_core::jid::NodeRef;
use oc_core::spec::{Status, Xep};
use oc_core::stream::Registration;
use oc_core::{BareJid, Condition, Element, ErrorType, Reject, StreamCondition, StreamError, ns};

use crate::dataform::Submission;

pub use account::AtHome;
pub use host::Registered;
pub use stream::InBand;

/// Namespace of the protocol.
pub const NS: &str = "jabber:iq:register";
/// Namespace of the stream feature.
pub const NS_FEATURE: &str = "http://jabber.org/features/iq-register";
/// Namespace of the stream feature of registration with an invitation.
pub const NS_TOKEN: &str = "urn:xmpp:ibr-token:0";
/// Namespace in which an invitation is shown.
pub const NS_PREAUTH: &str = "urn:xmpp:pars:0";

/// XEP-0077
pub static XEP: Xep = Xep {
    number: "0077",
    title: "In-Band Registration",
    version: "2.4",
    status: Status::Partial,
    folder: "register",
    features: &[NS],
    note: "User name and password only; no redirection.",
};

/// XEP-0445
pub static XEP_PREAUTH: Xep = Xep {
    number: "0445",
    title: "Pre-Authenticated In-Band Registration",
    version: "0.2.0",
    status: Status::Complete,
    folder: "register",
    features: &[],
    note: "",
};

/// What a domain allows to those who have not authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// The domain.
    pub domain: &'a str,
    /// Who may register.
    pub registration: Registration,
    /// Accounts that cannot be registered in band.
    pub reserved: &'a [BareJid],
}

/// The stream features (XEP-0077 #streamfeature, XEP-0445 #discover).
pub fn features(registration: Registration) -> Vec<Element> {
    if registration == Registration::Closed {
        return Vec::new();
    }
    vec![Element::new("register", NS_TOKEN), Element::new("register", NS_FEATURE)]
}

/// The fields to fill in (XEP-0077 #usecases-register).
///
/// # Errors
/// `service-unavailable` where nobody may register.
pub fn form(registration: Registration) -> Result<Element, Reject> {
    let instructions = match registration {
        Registration::Closed => return Err(unavailable()),
        Registration::Invited => "Registration needs an invitation. Choose a name and a password.",
        Registration::Open => "Choose a name and a password.",
    };
    Ok(Element::new("query", NS)
        .with_child(Element::new("instructions", NS).with_text(instructions))
        .with_child(Element::new("username", NS))
        .with_child(Element::new("password", NS)))
}

/// Reads what was filled in. `invitation` is the one shown on this stream.
///
/// # Errors
/// What the peer is to be told.
pub fn submit(
    query: &Element,
    policy: &Policy<'_>,
    invitation: Option<&str>,
    rate_key: &str,
) -> Result<IdentityCommand, Reject> {
    const RULE: &str = "XEP-0077 #usecases-register";
    match policy.registration {
        Registration::Closed => return Err(unavailable()),
        Registration::Invited if invitation.is_none() => {
            return Err(Reject::new(Condition::NotAllowed, "XEP-0445 #preauth-ibr")
                .text("Registration needs an invitation."));
        }
        Registration::Invited | Registration::Open => {}
    }
    let (username, password) = credentials(query)?;
    let missing =
        || Reject::new(Condition::NotAcceptable, RULE).text("Both name and password are needed.");
    let (username, password) = (username.ok_or_else(missing)?, password.ok_or_else(missing)?);
    let account = account_of(&username, policy.domain)
        .ok_or_else(|| Reject::new(Condition::NotAcceptable, RULE).text("This is no name."))?;
    if policy.reserved.contains(&account) {
        return Err(Reject::new(Condition::Conflict, RULE));
    }
    Ok(IdentityCommand::Create {
        account,
        password,
        invitation: invitation.map(str::to_owned),
        rate_key: Some(rate_key.to_owned()),
    })
}

/// The invitation that a client shows (XEP-0445 #preauth-ibr): an `<iq type='set'/>` payload.
pub fn preauth(payload: &Element) -> Option<&str> {
    payload.attr("token").filter(|token| payload.is("preauth", NS_PREAUTH) && !token.is_empty())
}

/// What a peer is told when the identity service refuses.
pub fn refusal(why: &IdentityRefusal) -> Reject {
    const RULE: &str = "XEP-0077 #usecases-register";
    match why {
        IdentityRefusal::Exists => Reject::new(Condition::Conflict, RULE),
        IdentityRefusal::NotFound => Reject::new(Condition::ItemNotFound, RULE),
        IdentityRefusal::Unacceptable(text) => {
            Reject::new(Condition::NotAcceptable, RULE).text(*text)
        }
        IdentityRefusal::NotAllowed => Reject::new(Condition::NotAllowed, RULE),
        IdentityRefusal::BadInvitation => {
            Reject::new(Condition::ItemNotFound, "XEP-0445 #preauth-ibr")
                .text("The provided token is invalid or expired")
        }
        IdentityRefusal::TooMany => {
            Reject::new(Condition::ResourceConstraint, "XEP-0077 #usecases-register-server")
                .text("Too many registrations; try again later.")
        }
        IdentityRefusal::Temporary => {
            Reject::new(Condition::InternalServerError, RULE).kind(ErrorType::Wait)
        }
    }
}

/// What happens to an account that was removed (XEP-0077 #usecases-cancel).
pub fn removed(account: BareJid) -> HostEffect {
    const RULE: &str = "XEP-0077 #usecases-cancel";
    let error =
        StreamError::new(StreamCondition::NotAuthorized, RULE).text("This account was removed.");
    HostEffect::Removed { account, error }
}

fn unavailable() -> Reject {
    Reject::new(Condition::ServiceUnavailable, "XEP-0077 #usecases-register")
}

/// The bare JID of a user name at a domain; some clients send the whole address.
fn account_of(username: &str, domain: &str) -> Option<BareJid> {
    let local = username.strip_suffix(domain).and_then(|u| u.strip_suffix('@')).unwrap_or(username);
    let local = oc_core::jid::NodePart::new(local).ok()?;
    let local: &NodeRef = &local;
    BareJid::new(&format!("{local}@{domain}")).ok()
}

/// User name and password of a query, as elements or as a form; empty ones count as missing.
fn credentials(query: &Element) -> Result<(Option<String>, Option<Secret>), Reject> {
    let (username, password) = if let Some(x) = query.child("x", ns::DATA_FORM) {
        let form = Submission::read(x)?;
        let text = |var| form.text(var).map(|text| text.map(str::to_owned));
        (text("username")?, text("password")?)
    } else {
        let text = |name| query.child(name, NS).map(|el| el.text().into_owned());
        (text("username"), text("password"))
    };
    let password = password.filter(|p| !p.is_empty()).map(|p| Secret(p.into_bytes()));
    Ok((username.filter(|u| !u.is_empty()), password))
}
