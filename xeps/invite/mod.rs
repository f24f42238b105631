//! Ad-hoc Account Invitation Generation.
//!
//! Two commands that make an address to hand out: one brings a contact, with an account here if
//! there is none elsewhere; the other an account. They exist only where the invited can register.

#[cfg(test)]
mod tests;

use oc_core::auth::{IdentityAnswer, IdentityCommand};
use oc_core::feature::Answer;
use oc_core::host::{Asker, Found, HostSettings, HostView, Question, Turn};
use oc_core::spec::{Status, Xep};
use oc_core::stream::Registration;
use oc_core::{BareJid, Condition, Reject, Time};

use crate::adhoc::Command;
use crate::dataform::{Field, FieldType, Form, FormType, Submission};
use crate::register;

/// Type of the form that is handed out.
pub const FORM: &str = "urn:xmpp:invite#invitation";

/// XEP-0401
pub static XEP: Xep = Xep {
    number: "0401",
    title: "Ad-hoc Account Invitation Generation",
    version: "0.6.0",
    status: Status::Partial,
    folder: "invite",
    features: &[],
    note: "No landing page; a contact by invitation is asked for like any other.",
};

fn active(settings: &HostSettings) -> bool {
    let somebody = settings.invitations.by_accounts || !settings.administrators.is_empty();
    settings.registration != Registration::Closed && somebody
}

/// XEP-0401 #create-invitation
pub struct InviteContact;

impl Command for InviteContact {
    fn node(&self) -> &'static str {
        "urn:xmpp:invite#invite"
    }

    fn name(&self) -> &'static str {
        "Invite a contact"
    }

    fn active(&self, settings: &HostSettings) -> bool {
        active(settings)
    }

    fn least(&self, settings: &HostSettings) -> Asker {
        if settings.invitations.by_accounts { Asker::Account } else { Asker::Administrator }
    }

    fn run(&self, _form: &Submission, turn: &mut Turn<'_, '_>) -> Answer {
        let inviter = turn.view.from.map(|from| from.to_bare());
        invite(turn.view.domain.clone(), inviter, turn)
    }

    fn found(
        &self,
        _form: &Submission,
        memo: u64,
        found: Found,
        turn: &mut Turn<'_, '_>,
    ) -> Answer {
        let Some(inviter) = turn.view.from.map(|from| from.to_bare()) else {
            return Answer::Reject(bug());
        };
        invitation(found, memo, |token| format!("{}?roster;preauth={token};ibr=y", uri(&inviter)))
    }
}

/// XEP-0401 #account-creation
pub struct CreateAccount;

impl CreateAccount {
    fn to(form: &Submission, view: &HostView<'_>) -> Result<BareJid, Reject> {
        const RULE: &str = "XEP-0401 #account-creation";
        let Some(username) = form.text("username")? else { return Ok(view.domain.clone()) };
        let jid = BareJid::new(&format!("{username}@{}", view.domain));
        jid.ok()
            .filter(|jid| jid.domain() == view.domain.domain())
            .ok_or_else(|| Reject::new(Condition::NotAcceptable, RULE).text("This is no name."))
    }
}

impl Command for CreateAccount {
    fn node(&self) -> &'static str {
        "urn:xmpp:invite#create-account"
    }

    fn name(&self) -> &'static str {
        "Invite to an account"
    }

    fn active(&self, settings: &HostSettings) -> bool {
        active(settings) && !settings.administrators.is_empty()
    }

    fn least(&self, _settings: &HostSettings) -> Asker {
        Asker::Administrator
    }

    fn form(&self, _view: &HostView<'_>) -> Option<Form> {
        let username = Field::new(FieldType::TextSingle, "username");
        let contact = Field::new(FieldType::Boolean, "roster-subscription");
        let form = Form::titled(
            FORM,
            "Inviting to an account",
            "Without a name, the invited choose one themselves.",
        )
        .with(username.label("Name of the account"))
        .with(contact.label("Become a contact of the account").value("0"));
        Some(form)
    }

    fn run(&self, form: &Submission, turn: &mut Turn<'_, '_>) -> Answer {
        let read = || {
            let to = Self::to(form, &turn.view)?;
            let contact = form.boolean("roster-subscription")?.unwrap_or(false);
            Ok((to, turn.view.from.filter(|_| contact).map(|from| from.to_bare())))
        };
        match read() {
            Ok((to, inviter)) => invite(to, inviter, turn),
            Err(reject) => Answer::Reject(reject),
        }
    }

    fn found(&self, form: &Submission, memo: u64, found: Found, turn: &mut Turn<'_, '_>) -> Answer {
        match Self::to(form, &turn.view) {
            Ok(to) => {
                invitation(found, memo, |token| format!("{}?register;preauth={token}", uri(&to)))
            }
            Err(reject) => Answer::Reject(reject),
        }
    }
}

/// Asks for an invitation; the memo is its end.
fn invite(to: BareJid, inviter: Option<BareJid>, turn: &mut Turn<'_, '_>) -> Answer {
    let expires = turn.ctx.now.after(turn.view.settings.invitations.lifetime);
    let command = IdentityCommand::Invite { to, inviter, expires };
    turn.ask(expires.0, Question::Identity(command))
}

/// The form with the address to hand out.
fn invitation(found: Found, expires: u64, address: impl FnOnce(&str) -> String) -> Answer {
    let token = match found {
        Found::Identity(IdentityAnswer::Invitation(token)) => token,
        Found::Identity(IdentityAnswer::Refused(why)) => {
            return Answer::Reject(register::refusal(&why));
        }
        _ => return Answer::Reject(bug()),
    };
    let text = |var, value: String| Field::new(FieldType::TextSingle, var).value(value);
    let form = Form::new(FormType::Result, FORM)
        .with(text("uri", address(&escape(&token))))
        .with(text("expire", Time(expires).to_datetime()));
    Answer::Result(Some(form.to_element()))
}

/// `xmpp:user@domain`, escaped as a URI.
fn uri(jid: &BareJid) -> String {
    match jid.node() {
        Some(local) => format!("xmpp:{}@{}", escape(local.as_str()), escape(jid.domain().as_str())),
        None => format!("xmpp:{}", escape(jid.domain().as_str())),
    }
}

/// Percent-encodes everything but the unreserved characters of URIs.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn bug() -> Reject {
    Reject::new(Condition::InternalServerError, "RFC 6120 §8.3.3.6")
}
