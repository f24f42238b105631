//! How many users there are, and who.

use oc_core::Condition;
use oc_core::Reject;
use oc_core::auth::{IdentityAnswer, IdentityCommand};
use oc_core::feature::Answer;
use oc_core::host::{Asker, Found, HostSettings, HostView, Question, Turn};

use super::{FORM, administered, done};
use crate::adhoc::Command;
use crate::dataform::{Field, FieldType, Form, FormType, Submission};

/// Users that one answer lists at most, whatever was asked: about a quarter of a stanza's limit.
const LIST: usize = 1_000;

fn list(turn: &mut Turn<'_, '_>) -> Answer {
    let domain = turn.view.domain.domain().to_string();
    turn.ask(0, Question::Identity(IdentityCommand::List { domain }))
}

fn number(var: &str, label: &str, number: u64) -> Answer {
    let field = Field::new(FieldType::TextSingle, var).label(label).value(number.to_string());
    Answer::Result(Some(Form::new(FormType::Result, FORM).with(field).to_element()))
}

fn unexpected(found: Found) -> Answer {
    let bug = Reject::new(Condition::InternalServerError, "RFC 6120 §8.3.3.6");
    Answer::Reject(done(found).err().unwrap_or(bug))
}

/// XEP-0133 #get-registered-users-num
pub struct RegisteredCount;

impl Command for RegisteredCount {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#get-registered-users-num"
    }

    fn name(&self) -> &'static str {
        "Number of registered users"
    }

    fn active(&self, settings: &HostSettings) -> bool {
        administered(settings)
    }

    fn least(&self, _settings: &HostSettings) -> Asker {
        Asker::Administrator
    }

    fn run(&self, _form: &Submission, turn: &mut Turn<'_, '_>) -> Answer {
        list(turn)
    }

    fn found(&self, _: &Submission, _: u64, found: Found, _: &mut Turn<'_, '_>) -> Answer {
        match found {
            Found::Identity(IdentityAnswer::Accounts(accounts)) => number(
                "registeredusersnum",
                "The number of registered users",
                accounts.len() as u64,
            ),
            other => unexpected(other),
        }
    }
}

/// XEP-0133 #get-online-users-num
pub struct OnlineCount;

impl Command for OnlineCount {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#get-online-users-num"
    }

    fn name(&self) -> &'static str {
        "Number of online users"
    }

    fn active(&self, settings: &HostSettings) -> bool {
        administered(settings)
    }

    fn least(&self, _settings: &HostSettings) -> Asker {
        Asker::Administrator
    }

    fn run(&self, _form: &Submission, turn: &mut Turn<'_, '_>) -> Answer {
        turn.ask(0, Question::OnlineUsers)
    }

    fn found(&self, _: &Submission, _: u64, found: Found, _: &mut Turn<'_, '_>) -> Answer {
        match found {
            Found::Count(count) => number("onlineusersnum", "The number of online users", count),
            other => unexpected(other),
        }
    }
}

/// XEP-0133 #get-registered-users-list
pub struct RegisteredList;

impl Command for RegisteredList {
    fn node(&self) -> &'static str {
        "http://jabber.org/protocol/admin#get-registered-users-list"
    }

    fn name(&self) -> &'static str {
        "List of registered users"
    }

    fn active(&self, settings: &HostSettings) -> bool {
        administered(settings)
    }

    fn least(&self, _settings: &HostSettings) -> Asker {
        Asker::Administrator
    }

    fn form(&self, _view: &HostView<'_>) -> Option<Form> {
        let options = ["25", "50", "75", "100", "150", "200", "none"];
        let max = Field::new(FieldType::ListSingle, "max_items").options(&options);
        let form = Form::titled(
            FORM,
            "Requesting the list of registered users",
            "Fill out this form to request the registered users of this service.",
        )
        .with(max.label("Maximum number of items to show"));
        Some(form)
    }

    fn run(&self, form: &Submission, turn: &mut Turn<'_, '_>) -> Answer {
        match max(form) {
            Ok(_) => list(turn),
            Err(reject) => Answer::Reject(reject),
        }
    }

    fn found(&self, form: &Submission, _: u64, found: Found, _: &mut Turn<'_, '_>) -> Answer {
        match (found, max(form)) {
            (Found::Identity(IdentityAnswer::Accounts(accounts)), Ok(max)) => {
                let users = Field::new(FieldType::JidMulti, "registereduserjids")
                    .label("The list of all users")
                    .values(accounts.iter().take(max));
                let form = Form::new(FormType::Result, FORM).with(users);
                Answer::Result(Some(form.to_element()))
            }
            (_, Err(reject)) => Answer::Reject(reject),
            (other, _) => unexpected(other),
        }
    }
}

fn max(form: &Submission) -> Result<usize, Reject> {
    const RULE: &str = "XEP-0133 #get-registered-users-list";
    match form.text("max_items")? {
        None | Some("none") => Ok(LIST),
        Some(max) => match max.parse::<usize>() {
            Ok(max @ 1..=LIST) => Ok(max),
            _ => Err(Reject::new(Condition::NotAcceptable, RULE)),
        },
    }
}
