//! Ad-Hoc Commands.
//!
//! The server side for commands of one form: list, form, submission, result. A [`Command`] is a
//! value in the ordered list of `xeps/host.rs`; who may not execute it does not see it. Sessions
//! belong to the full JID that began them, are bounded, and end after ten minutes.

mod account;
mod sessions;
#[cfg(test)]
mod tests;

use oc_core::disco::{DiscoIdentity, DiscoInfo, DiscoItem};
use oc_core::feature::Answer;
use oc_core::host::{Asker, Found, HostFeature, HostSettings, HostView, Turn};
use oc_core::spec::{Status, Xep};
use oc_core::{Condition, Element, ErrorType, Reject, Stanza, ns};

use crate::dataform::{self, Form, Submission};
use sessions::{Lost, Sessions};

pub use account::AtHome;

/// Namespace of the protocol, and the node under which commands are listed.
pub const NS: &str = "http://jabber.org/protocol/commands";

/// XEP-0050
pub static XEP: Xep = Xep {
    number: "0050",
    title: "Ad-Hoc Commands",
    version: "1.3.0",
    status: Status::Partial,
    folder: "adhoc",
    features: &[NS],
    note: "Commands of one form; no stages to go back to.",
};

/// Something that can be executed at a domain.
pub trait Command: Sync {
    /// Its node, unique at the domain.
    fn node(&self) -> &'static str;

    /// What people read in a menu.
    fn name(&self) -> &'static str;

    /// Whether the settings allow it to anybody; otherwise there is no such node.
    fn active(&self, settings: &HostSettings) -> bool;

    /// Who may execute it, at least.
    fn least(&self, settings: &HostSettings) -> Asker;

    /// What must be filled in first; `None`: it runs at once.
    fn form(&self, _view: &HostView<'_>) -> Option<Form> {
        None
    }

    /// Runs; `form` is empty where there was none to fill in. The payload of a result goes into
    /// `<command status='completed'/>`.
    fn run(&self, form: &Submission, turn: &mut Turn<'_, '_>) -> Answer;

    /// Goes on when a question of [`Self::run`] was answered.
    fn found(
        &self,
        _form: &Submission,
        _memo: u64,
        _found: Found,
        _turn: &mut Turn<'_, '_>,
    ) -> Answer {
        Answer::Reject(Reject::new(Condition::InternalServerError, "RFC 6120 §8.3.3.6"))
    }
}

/// Lists and executes commands.
pub struct Adhoc {
    /// The commands, in the order of the menu.
    pub commands: &'static [&'static dyn Command],
}

impl Adhoc {
    fn active<'a>(
        &self,
        settings: &'a HostSettings,
    ) -> impl Iterator<Item = &'static dyn Command> + use<'a> {
        self.commands.iter().copied().filter(|command| command.active(settings))
    }

    /// XEP-0050 #desc-errors: the command of this node, if it is there and `view` may execute it.
    fn command(
        &self,
        node: &str,
        view: &HostView<'_>,
    ) -> Option<Result<&'static dyn Command, Reject>> {
        let command = self.active(view.settings).find(|command| command.node() == node)?;
        if view.asker < command.least(view.settings) {
            let reject = Reject::new(Condition::Forbidden, "XEP-0050 #desc-errors");
            return Some(Err(reject.kind(ErrorType::Cancel)));
        }
        Some(Ok(command))
    }

    fn execute(&self, query: &Stanza, asked: &Element, turn: &mut Turn<'_, '_>) -> Answer {
        let Some(node) = asked.attr("node") else {
            return Answer::Reject(Reject::new(Condition::BadRequest, "XEP-0050 #desc-command"));
        };
        let command = match self.command(node, &turn.view) {
            None => {
                let reject = Reject::new(Condition::ItemNotFound, "XEP-0050 #desc-errors");
                return Answer::Reject(reject);
            }
            Some(Err(reject)) => return Answer::Reject(reject),
            Some(Ok(command)) => command,
        };
        let outcome = match asked.attr("sessionid") {
            None => begin(command, query, asked, turn),
            Some(session) => proceed(command, query, asked, session, turn),
        };
        match outcome {
            Ok(answer) => answer,
            Err(reject) => Answer::Reject(reject),
        }
    }
}

impl HostFeature for Adhoc {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn active(&self, settings: &HostSettings) -> bool {
        self.active(settings).next().is_some()
    }

    fn describe(&self, _view: &HostView<'_>, info: &mut DiscoInfo) {
        info.features.extend(dataform::XEP.features);
    }

    fn node_info(&self, node: &str, view: &HostView<'_>) -> Option<Result<DiscoInfo, Reject>> {
        let (identity, features) = if node == NS {
            (DiscoIdentity::new("automation", "command-list"), vec![ns::DISCO_INFO, NS])
        } else {
            let command = match self.command(node, view)? {
                Ok(command) => command,
                Err(reject) => return Some(Err(reject)),
            };
            let identity = DiscoIdentity::new("automation", "command-node").named(command.name());
            (identity, vec![ns::DISCO_INFO, NS, ns::DATA_FORM])
        };
        Some(Ok(DiscoInfo { identities: vec![identity], features, forms: Vec::new() }))
    }

    fn items(&self, node: Option<&str>, view: &HostView<'_>) -> Option<Vec<DiscoItem>> {
        if node? != NS {
            // XEP-0030 #items-nodes: a command is a node, and a node without items.
            return self.command(node?, view).and_then(Result::ok).map(|_| Vec::new());
        }
        Some(
            self.active(view.settings)
                .filter(|command| view.asker >= command.least(view.settings))
                .map(|command| DiscoItem::node(view.domain, command.node(), command.name()))
                .collect(),
        )
    }

    fn iq(&self, query: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        match query.payload().filter(|p| p.is("command", NS)) {
            Some(asked) if query.type_() == Some("set") => self.execute(query, asked, turn),
            _ => Answer::Pass,
        }
    }

    fn found(&self, query: &Stanza, memo: u64, found: Found, turn: &mut Turn<'_, '_>) -> Answer {
        let Some(asked) = query.payload() else { return Answer::Pass };
        let node = asked.attr("node").unwrap_or_default();
        let Some(command) = self.commands.iter().find(|command| command.node() == node) else {
            return Answer::Pass;
        };
        match submission(asked) {
            Ok(form) => {
                let answer = command.found(&form, memo, found, turn);
                completed(*command, asked.attr("sessionid"), answer, turn)
            }
            Err(reject) => Answer::Reject(reject),
        }
    }
}

/// XEP-0050 #execute-simple: the first request of a session.
fn begin(
    command: &'static dyn Command,
    query: &Stanza,
    asked: &Element,
    turn: &mut Turn<'_, '_>,
) -> Result<Answer, Reject> {
    match asked.attr("action") {
        None | Some("execute") => {}
        Some("cancel" | "complete" | "next" | "prev") => return Err(error("bad-action")),
        Some(_) => return Err(error("malformed-action")),
    }
    let Some(form) = command.form(&turn.view) else {
        let answer = command.run(&Submission::default(), turn);
        return Ok(completed(command, None, answer, turn));
    };
    let id = turn.ctx.id();
    let from = query.from().ok_or_else(|| error("bad-payload"))?;
    turn.slot.of::<Sessions>().begin(&id, command.node(), from, turn.ctx.now)?;
    let actions = Element::new("actions", NS)
        .with_attr("execute", "complete")
        .with_child(Element::new("complete", NS));
    let payload =
        status(command, &id, "executing").with_child(actions).with_child(form.to_element());
    Ok(Answer::Result(Some(payload)))
}

/// The later requests of a session: XEP-0050 #execute-multiple, XEP-0050 #cancel
fn proceed(
    command: &'static dyn Command,
    query: &Stanza,
    asked: &Element,
    id: &str,
    turn: &mut Turn<'_, '_>,
) -> Result<Answer, Reject> {
    let (now, from) = (turn.ctx.now, query.from());
    let sessions = turn.slot.of::<Sessions>();
    sessions.check(id, command.node(), from, now).map_err(|lost| match lost {
        Lost::Unknown => error("bad-sessionid"),
        Lost::Ended => Reject::new(Condition::NotAllowed, "XEP-0050 #desc-errors")
            .more(Element::new("session-expired", NS)),
    })?;
    match asked.attr("action") {
        None | Some("execute" | "complete") => {}
        Some("cancel") => {
            sessions.end(id);
            return Ok(Answer::Result(Some(status(command, id, "canceled"))));
        }
        Some("next" | "prev") => return Err(error("bad-action")),
        Some(_) => return Err(error("malformed-action")),
    }
    let form = submission(asked)?;
    let answer = command.run(&form, turn);
    if !matches!(answer, Answer::Reject(_)) {
        // What was refused may be corrected and submitted again.
        turn.slot.of::<Sessions>().end(id);
    }
    Ok(completed(command, Some(id), answer, turn))
}

/// What was filled in; nothing if there is no form. XEP-0050 #impl-forms lets `cancel` be `submit`.
fn submission(asked: &Element) -> Result<Submission, Reject> {
    let Some(x) = asked.child("x", ns::DATA_FORM) else { return Ok(Submission::default()) };
    if x.attr("type") == Some("cancel") {
        return Submission::read(&x.clone().with_attr("type", "submit"));
    }
    Submission::read(x).map_err(|reject| reject.more(Element::new("bad-payload", NS)))
}

fn completed(
    command: &dyn Command,
    id: Option<&str>,
    answer: Answer,
    turn: &mut Turn<'_, '_>,
) -> Answer {
    match answer {
        Answer::Result(payload) => {
            let id = id.map_or_else(|| turn.ctx.id(), str::to_owned);
            let command = status(command, &id, "completed");
            Answer::Result(Some(command.with_children(payload)))
        }
        other => other,
    }
}

fn status(command: &dyn Command, id: &str, status: &str) -> Element {
    Element::new("command", NS)
        .with_attr("node", command.node())
        .with_attr("sessionid", id)
        .with_attr("status", status)
}

/// `bad-request` with one of the conditions of XEP-0050 #desc-errors.
pub fn error(condition: &str) -> Reject {
    Reject::new(Condition::BadRequest, "XEP-0050 #desc-errors").more(Element::new(condition, NS))
}
