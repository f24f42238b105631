//! Service Administration.
//!
//! The commands by which administrators of a domain keep its accounts, with the nodes and fields of
//! the XEP. Personal fields of the add-user form (name, address) are not asked for: nobody would
//! keep them.

#[cfg(test)]
mod tests;
mod users;

use oc_core::auth::{IdentityAnswer, IdentityCommand, Secret};
use oc_core::feature::Answer;
use oc_core::host::{Asker, Found, HostSettings, HostView, Question, Turn};
use oc_core::spec::{Status, Xep};
use oc_core::{BareJid, Condition, Reject};

use crate::adhoc::{self, Command};
use crate::dataform::{Field, FieldType, Form, Submission};
use crate::register;

pub use users::{OnlineCount, RegisteredCount, RegisteredList};

/// Type of the forms.
pub const FORM: &str = "http://jabber.org/protocol/admin";
/// Accounts that one submission may delete.
const DELETE: usize = 100;

/// XEP-0133
pub static XEP: Xep = Xep {
    number: "0133",
    title: "Service Administration",
    version: "1.3.1",
    status: Status::Partial,
    folder: "service_admin",
    features: &[],
    note: "Add, delete, change password, count and list users.",
};

/// Whether there is an administrator at all.
fn administered(settings: &HostSettings) -> bool {
    !settings.administrators.is_empty()
}

/// An account of this domain, named in a form.
fn account(jid: BareJid, view: &HostView<'_>) -> Result<BareJid, Reject> {
    if jid.node().is_none() || jid.domain() != view.domain.domain() {
        return Err(Reject::new(Condition::NotAcceptable, "XEP-0133 #errors")
            .text("The account must belong to this domain."));
    }
    Ok(jid)
}

/// What became of a command of the identity service.
fn done(found: Found) -> Result<(), Reject> {
    match found {
        Found::Identity(IdentityAnswer::Refused(why)) => Err(register::refusal(&why)),
        Found::Identity(_) => Ok(()),
        Found::Count(_) => Err(Reject::new(Condition::InternalServerError, "RFC 6120 §8.3.3.6")),
    }
}

fn answer(outcome: Result<Answer, Reject>) -> Answer {
    outcome.unwrap_or_else(Answer::Reject)
}

/// XEP-0133 #add-user
pub struct AddUser;

impl Command for AddUser {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#add-user"
    }

    fn name(&self) -> &'static str {
        "Add a user"
    }

    fn active(&self, settings: &HostSettings) -> bool {
        administered(settings)
    }

    fn least(&self, _settings: &HostSettings) -> Asker {
        Asker::Administrator
    }

    fn form(&self, _view: &HostView<'_>) -> Option<Form> {
        let jid = Field::new(FieldType::JidSingle, "accountjid");
        let password = Field::new(FieldType::TextPrivate, "password");
        let verify = Field::new(FieldType::TextPrivate, "password-verify");
        let form = Form::titled(FORM, "Adding a user", "Fill out this form to add a user.")
            .with(jid.label("The address of the account to be added").required())
            .with(password.label("The password for this account").required())
            .with(verify.label("The password again").required());
        Some(form)
    }

    fn run(&self, form: &Submission, turn: &mut Turn<'_, '_>) -> Answer {
        let read = || {
            let account = account(form.jid("accountjid")?, &turn.view)?;
            let password = form.required("password")?;
            if form.required("password-verify")? != password {
                return Err(adhoc::error("bad-payload").text("The two passwords differ."));
            }
            Ok((account, Secret(password.as_bytes().to_vec())))
        };
        match read() {
            Ok((account, password)) => {
                let (invitation, rate_key) = (None, None);
                let command = IdentityCommand::Create { account, password, invitation, rate_key };
                turn.ask(0, Question::Identity(command))
            }
            Err(reject) => Answer::Reject(reject),
        }
    }

    fn found(&self, _: &Submission, _: u64, found: Found, _: &mut Turn<'_, '_>) -> Answer {
        answer(done(found).map(|()| Answer::Result(None)))
    }
}

/// XEP-0133 #delete-user
pub struct DeleteUser;

impl DeleteUser {
    fn accounts(form: &Submission, view: &HostView<'_>) -> Result<Vec<BareJid>, Reject> {
        let jids = form.jids("accountjids")?;
        if jids.is_empty() || jids.len() > DELETE {
            return Err(adhoc::error("bad-payload"));
        }
        jids.into_iter().map(|jid| account(jid, view)).collect()
    }

    /// Asks for the removal of the `memo`-th account, or says that all are gone.
    fn next(accounts: &[BareJid], memo: u64, turn: &mut Turn<'_, '_>) -> Answer {
        match usize::try_from(memo).ok().and_then(|memo| accounts.get(memo)) {
            Some(account) => {
                let account = account.clone();
                turn.ask(memo, Question::Identity(IdentityCommand::Remove { account }))
            }
            None => Answer::Result(None),
        }
    }
}

impl Command for DeleteUser {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#delete-user"
    }

    fn name(&self) -> &'static str {
        "Delete users"
    }

    fn active(&self, settings: &HostSettings) -> bool {
        administered(settings)
    }

    fn least(&self, _settings: &HostSettings) -> Asker {
        Asker::Administrator
    }

    fn form(&self, _view: &HostView<'_>) -> Option<Form> {
        let jids = Field::new(FieldType::JidMulti, "accountjids");
        let form = Form::titled(FORM, "Deleting users", "Fill out this form to delete users.")
            .with(jids.label("The addresses to delete").required());
        Some(form)
    }

    fn run(&self, form: &Submission, turn: &mut Turn<'_, '_>) -> Answer {
        match Self::accounts(form, &turn.view) {
            Ok(accounts) => Self::next(&accounts, 0, turn),
            Err(reject) => Answer::Reject(reject),
        }
    }

    fn found(&self, form: &Submission, memo: u64, found: Found, turn: &mut Turn<'_, '_>) -> Answer {
        let accounts = match Self::accounts(form, &turn.view) {
            Ok(accounts) => accounts,
            Err(reject) => return Answer::Reject(reject),
        };
        if let Err(reject) = done(found) {
            // Those before are gone; say where it stopped.
            let of = accounts.len();
            let text = format!("{memo} of {of} users were deleted; the next one was refused.");
            return Answer::Reject(reject.text(text));
        }
        if let Some(account) = usize::try_from(memo).ok().and_then(|memo| accounts.get(memo)) {
            turn.effects.push(register::removed(account.clone()));
        }
        Self::next(&accounts, memo + 1, turn)
    }
}

/// XEP-0133 #change-user-password
pub struct ChangeUserPassword;

impl Command for ChangeUserPassword {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#change-user-password"
    }

    fn name(&self) -> &'static str {
        "Change the password of a user"
    }

    fn active(&self, settings: &HostSettings) -> bool {
        administered(settings)
    }

    fn least(&self, _settings: &HostSettings) -> Asker {
        Asker::Administrator
    }

    fn form(&self, _view: &HostView<'_>) -> Option<Form> {
        let jid = Field::new(FieldType::JidSingle, "accountjid");
        let password = Field::new(FieldType::TextPrivate, "password");
        let form = Form::titled(
            FORM,
            "Changing the password of a user",
            "Fill out this form to change a password.",
        )
        .with(jid.label("The address of the account").required())
        .with(password.label("The new password").required());
        Some(form)
    }

    fn run(&self, form: &Submission, turn: &mut Turn<'_, '_>) -> Answer {
        let read = || {
            let account = account(form.jid("accountjid")?, &turn.view)?;
            let password = Secret(form.required("password")?.as_bytes().to_vec());
            Ok(IdentityCommand::SetPassword { account, password })
        };
        match read() {
            Ok(command) => turn.ask(0, Question::Identity(command)),
            Err(reject) => Answer::Reject(reject),
        }
    }

    fn found(&self, _: &Submission, _: u64, found: Found, _: &mut Turn<'_, '_>) -> Answer {
        answer(done(found).map(|()| Answer::Result(None)))
    }
}
