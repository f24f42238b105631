use std::time::Duration;

use oc_core::Condition;
use oc_core::host::{Found, HostInput, HostSettings};

use super::*;
use crate::testing::{Client, Domain, START, bare, el, jid};

const BARD: &str = "bard@example.org/globe";
const ADD: &str = "http://jabber.org/protocol/admin#add-user";
const ONLINE: &str = "http://jabber.org/protocol/admin#get-online-users-num";

fn domain() -> Domain {
    let administrators = vec![bare("bard@example.org")];
    Domain::new(HostSettings { administrators, ..HostSettings::default() })
}

fn command(attrs: &str, payload: &str) -> String {
    format!("<command xmlns='http://jabber.org/protocol/commands' {attrs}>{payload}</command>")
}

/// Begins add-user; hands back the id of the session.
fn begin(domain: &mut Domain) -> String {
    let form = domain
        .ask(BARD, "set", &command(&format!("node='{ADD}' action='execute'"), ""))
        .expect("a form");
    form.attr("sessionid").expect("a session").to_owned()
}

fn go_on(id: &str, action: &str, payload: &str) -> String {
    command(&format!("node='{ADD}' sessionid='{id}' {action}"), payload)
}

const FILLED: &str = "<x xmlns='jabber:x:data' type='submit'>\
    <field var='accountjid'><value>juliet@example.org</value></field>\
    <field var='password'><value>R0m30</value></field>\
    <field var='password-verify'><value>R0m30</value></field></x>";

/// The application condition of a refusal.
fn why(domain: &mut Domain, from: &str, payload: &str) -> (Condition, Option<String>) {
    let answer = domain.iq(from, "set", payload).expect("an answer");
    let error = answer.element().child("error", ns::CLIENT).expect("an error");
    let more = error.children().find(|c| *c.ns() == *NS).map(|c| c.name().to_owned());
    (answer.error_condition().expect("a condition").0, more)
}

#[test]
fn xep_0050_retrieve_lists_what_the_asker_may() {
    let mut domain = domain();
    let list = format!("<query xmlns='{}' node='{NS}'/>", ns::DISCO_ITEMS);
    let items = domain.ask(BARD, "get", &list).expect("a list");
    assert_eq!(items.attr("node"), Some(NS));
    assert!(items.children().any(|item| item.attr("node") == Some(ADD)));
    assert!(items.children().all(|item| item.attr("jid") == Some("example.org")));
    let items = domain.ask("juliet@example.org/r", "get", &list).expect("a list");
    assert_eq!(items.children().count(), 0);
    let list = format!("<query xmlns='{}' node='{NS}'/>", ns::DISCO_INFO);
    let info = domain.ask(BARD, "get", &list).expect("a payload");
    let identity = info.child("identity", ns::DISCO_INFO).expect("an identity");
    assert_eq!(identity.attr("type"), Some("command-list"));
}

#[test]
fn xep_0050_retrieve_information_on_a_command() {
    let mut domain = domain();
    let node = format!("<query xmlns='{}' node='{ADD}'/>", ns::DISCO_INFO);
    assert_eq!(
        domain.ask(BARD, "get", &node),
        Some(el(&format!(
            "<query xmlns='http://jabber.org/protocol/disco#info' node='{ADD}'>
                <identity category='automation' type='command-node' name='Add a user'/>
                <feature var='http://jabber.org/protocol/commands'/>
                <feature var='http://jabber.org/protocol/disco#info'/>
                <feature var='jabber:x:data'/>
            </query>"
        )))
    );
    let refused = domain.refused("juliet@example.org/r", "get", &node);
    assert_eq!(refused, (Condition::Forbidden, ErrorType::Cancel));
}

#[test]
fn xep_0050_discover_only_with_commands() {
    assert!(domain().features().contains(&NS));
    assert!(domain().features().contains(&ns::DATA_FORM));
    let mut nobody = Domain::new(HostSettings::default());
    assert!(!nobody.features().contains(&NS));
    let refused = nobody.refused(BARD, "set", &command(&format!("node='{ADD}'"), ""));
    assert_eq!(refused, (Condition::ServiceUnavailable, ErrorType::Cancel));
}

#[test]
fn xep_0050_execute_simple() {
    let mut domain = domain();
    assert_eq!(domain.iq(BARD, "set", &command(&format!("node='{ONLINE}'"), "")), None);
    let answer = domain.found(Found::Count(79)).expect("an answer");
    let done = answer.payload().expect("a payload");
    assert_eq!(done.attr("status"), Some("completed"));
    assert_eq!(done.attr("node"), Some(ONLINE));
    assert!(done.attr("sessionid").is_some_and(|id| !id.is_empty()));
    assert!(done.has_child("x", ns::DATA_FORM));
}

#[test]
fn xep_0050_execute_multiple_form_and_submission() {
    let mut domain = domain();
    let form = domain
        .ask(BARD, "set", &command(&format!("node='{ADD}'"), ""))
        .expect("the action is optional");
    assert_eq!(form.attr("status"), Some("executing"));
    let actions = form.child("actions", NS).expect("what can be done");
    assert_eq!(actions.attr("execute"), Some("complete"));
    assert!(actions.has_child("complete", NS));
    let id = form.attr("sessionid").expect("a session").to_owned();
    assert_eq!(domain.iq(BARD, "set", &go_on(&id, "", FILLED)), None);
    assert_eq!(domain.asked.len(), 1);
    // A second submission is too late, even while the first is being worked on.
    let ended = (Condition::NotAllowed, Some("session-expired".to_owned()));
    assert_eq!(why(&mut domain, BARD, &go_on(&id, "action='complete'", FILLED)), ended);
    let answer = domain.found(Found::Identity(oc_core::auth::IdentityAnswer::Done));
    let answer = answer.expect("an answer");
    let done = answer.payload().expect("a payload");
    assert_eq!(done.attr("status"), Some("completed"));
    assert_eq!(done.attr("sessionid"), Some(id.as_str()));
}

#[test]
fn xep_0050_execute_multiple_may_be_corrected() {
    let mut domain = domain();
    let id = begin(&mut domain);
    let wrong = FILLED.replacen("R0m30", "Romeo", 1);
    let bad = (Condition::BadRequest, Some("bad-payload".to_owned()));
    assert_eq!(why(&mut domain, BARD, &go_on(&id, "", &wrong)), bad);
    assert_eq!(domain.iq(BARD, "set", &go_on(&id, "", FILLED)), None);
    assert_eq!(domain.asked.len(), 1);
}

#[test]
fn xep_0050_cancel() {
    let mut domain = domain();
    let id = begin(&mut domain);
    let done = domain.ask(BARD, "set", &go_on(&id, "action='cancel'", "")).expect("a payload");
    assert_eq!(done.attr("status"), Some("canceled"));
    let ended = (Condition::NotAllowed, Some("session-expired".to_owned()));
    assert_eq!(why(&mut domain, BARD, &go_on(&id, "", FILLED)), ended);
    assert!(domain.asked.is_empty());
}

#[test]
fn xep_0050_impl_session_expires() {
    let mut domain = domain();
    let id = begin(&mut domain);
    domain.now = START.after(Duration::from_secs(601));
    let ended = (Condition::NotAllowed, Some("session-expired".to_owned()));
    assert_eq!(why(&mut domain, BARD, &go_on(&id, "", FILLED)), ended);
}

#[test]
fn xep_0050_impl_session_belongs_to_its_requester() {
    let mut domain = domain();
    let id = begin(&mut domain);
    let unknown = (Condition::BadRequest, Some("bad-sessionid".to_owned()));
    assert_eq!(why(&mut domain, "bard@example.org/other", &go_on(&id, "", FILLED)), unknown);
    assert_eq!(why(&mut domain, BARD, &go_on("nobody", "", FILLED)), unknown);
    let other = "http://jabber.org/protocol/admin#delete-user";
    let other = command(&format!("node='{other}' sessionid='{id}'"), FILLED);
    assert_eq!(why(&mut domain, BARD, &other), unknown);
}

#[test]
fn xep_0050_desc_errors() {
    let mut domain = domain();
    let id = begin(&mut domain);
    let bad = |more: &str| (Condition::BadRequest, Some(more.to_owned()));
    for (payload, expected) in [
        (go_on(&id, "action='prev'", ""), bad("bad-action")),
        (go_on(&id, "action='next'", FILLED), bad("bad-action")),
        (go_on(&id, "action='dance'", ""), bad("malformed-action")),
        (command(&format!("node='{ADD}' action='dance'"), ""), bad("malformed-action")),
        (command(&format!("node='{ADD}' action='complete'"), ""), bad("bad-action")),
        (command("node='nobody'", ""), (Condition::ItemNotFound, None)),
        (command("", ""), (Condition::BadRequest, None)),
        (go_on(&id, "", "<x xmlns='jabber:x:data' type='form'/>"), bad("bad-payload")),
    ] {
        assert_eq!(why(&mut domain, BARD, &payload), expected, "{payload}");
    }
    let other = command(&format!("node='{ADD}'"), "");
    let forbidden = domain.refused("juliet@example.org/r", "set", &other);
    assert_eq!(forbidden, (Condition::Forbidden, ErrorType::Cancel));
}

#[test]
fn xep_0050_impl_nodes_are_unique() {
    let commands = crate::host::COMMANDS;
    for (i, command) in commands.iter().enumerate() {
        assert!(commands[..i].iter().all(|other| other.node() != command.node()));
    }
}

#[test]
fn xep_0050_retrieve_at_the_own_account() {
    let (mut domain, mut bard) = (domain(), Client::new("bard@example.org"));
    let list = format!("<query xmlns='{}' node='{NS}'/>", ns::DISCO_ITEMS);
    for (payload, type_) in [(list, "get"), (command(&format!("node='{ADD}'"), ""), "set")] {
        for to in [None, Some("bard@example.org")] {
            bard.send(to, type_, &payload);
            let stanza = bard.routed.pop().expect("handed on");
            let answer = domain.handle(HostInput::Stanza { stanza, receipt: None });
            let answer = answer.expect("an answer");
            assert_eq!(answer.type_(), Some("result"));
            assert_eq!(answer.from(), Some(&jid("bard@example.org")));
            assert!(answer.payload().is_some_and(|p| p.children().next().is_some()));
        }
    }
    let begin = command(&format!("node='{ADD}'"), "");
    let refused = bard.hear("eve@example.org/r", "set", &begin);
    let expected = Some((Condition::ServiceUnavailable, ErrorType::Cancel));
    assert_eq!(refused.error_condition(), expected);
}
