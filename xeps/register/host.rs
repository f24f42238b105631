//! What accounts do with their registration at a domain.

use oc_core::auth::{IdentityAnswer, IdentityCommand};
use oc_core::feature::Answer;
use oc_core::host::{Found, HostFeature, Question, Turn};
use oc_core::spec::Xep;
use oc_core::{BareJid, Condition, Element, Reject, Stanza};

use super::{NS, XEP, account_of, credentials, refusal, removed};

const CHANGE: u64 = 0;
const REMOVE: u64 = 1;

/// Tells, changes and removes registrations of those who have authenticated.
pub struct Registered;

impl HostFeature for Registered {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, query: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let Some(asked) = query.payload().filter(|p| p.is("query", NS)) else {
            return Answer::Pass;
        };
        let domain = turn.view.domain;
        let own = query
            .from()
            .map(|from| from.to_bare())
            .filter(|from| from.node().is_some() && from.domain() == domain.domain());
        match (query.type_(), own) {
            (Some("get"), Some(own)) => Answer::Result(Some(registration(&own))),
            (Some("set"), Some(own)) if asked.has_child("remove", NS) => remove(asked, own, turn),
            (Some("set"), Some(own)) => change(asked, own, turn),
            (Some("set"), None) if asked.has_child("remove", NS) => Answer::Reject(Reject::new(
                Condition::RegistrationRequired,
                "XEP-0077 #usecases-cancel",
            )),
            // Accounts are created before authentication, never from another server.
            _ => Answer::Pass,
        }
    }

    fn found(&self, query: &Stanza, memo: u64, found: Found, turn: &mut Turn<'_, '_>) -> Answer {
        if let Found::Identity(IdentityAnswer::Refused(why)) = &found {
            return Answer::Reject(refusal(why));
        }
        if memo == REMOVE
            && let Some(own) = query.from()
        {
            turn.effects.push(removed(own.to_bare()));
        }
        Answer::Result(None)
    }
}

/// XEP-0077 #usecases-register: the entity is registered already.
fn registration(own: &BareJid) -> Element {
    let local = own.node().map(ToString::to_string).unwrap_or_default();
    Element::new("query", NS)
        .with_child(Element::new("registered", NS))
        .with_child(Element::new("username", NS).with_text(local))
        .with_child(Element::new("password", NS))
}

/// XEP-0077 #usecases-cancel
fn remove(asked: &Element, own: BareJid, turn: &mut Turn<'_, '_>) -> Answer {
    const RULE: &str = "XEP-0077 #usecases-cancel";
    if asked.children().count() != 1 {
        return Answer::Reject(Reject::new(Condition::BadRequest, RULE));
    }
    if turn.view.settings.administrators.contains(&own) {
        let text = "An administrator's account is removed by the operator.";
        return Answer::Reject(Reject::new(Condition::NotAllowed, RULE).text(text));
    }
    turn.ask(REMOVE, Question::Identity(IdentityCommand::Remove { account: own }))
}

/// XEP-0077 #usecases-changepw
fn change(asked: &Element, own: BareJid, turn: &mut Turn<'_, '_>) -> Answer {
    const RULE: &str = "XEP-0077 #usecases-changepw";
    let (username, password) = match credentials(asked) {
        Ok(read) => read,
        Err(reject) => return Answer::Reject(reject),
    };
    let (Some(username), Some(password)) = (username, password) else {
        let text = "Both name and new password are needed.";
        return Answer::Reject(Reject::new(Condition::BadRequest, RULE).text(text));
    };
    if account_of(&username, turn.view.domain.as_str()).as_ref() != Some(&own) {
        let text = "Only the password of the own account can be changed.";
        return Answer::Reject(Reject::new(Condition::NotAllowed, RULE).text(text));
    }
    turn.ask(CHANGE, Question::Identity(IdentityCommand::SetPassword { account: own, password }))
}
