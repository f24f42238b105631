use oc_core::auth::IdentityRefusal;
use oc_core::host::HostEffect;
use oc_core::{Element, ErrorType, Stanza, StreamCondition, ns};

use super::*;
use crate::testing::{Domain, bare, heard};

const BARD: &str = "bard@example.org/globe";

fn domain() -> Domain {
    let administrators = vec![bare("bard@example.org")];
    Domain::new(HostSettings { administrators, ..HostSettings::default() })
}

/// Executes a command, fills in its form, and hands back the answer if it came at once.
fn execute(domain: &mut Domain, name: &str, fields: &[(&str, &[&str])]) -> Option<Stanza> {
    let node = format!("http://jabber.org/protocol/admin#{name}");
    let begin = format!("<command xmlns='{}' node='{node}'/>", adhoc::NS);
    if fields.is_empty() {
        return domain.iq(BARD, "set", &begin);
    }
    let form = domain.ask(BARD, "set", &begin).expect("a form");
    let x = form.child("x", ns::DATA_FORM).expect("a form");
    for (var, _) in fields {
        assert!(x.children().any(|f| f.attr("var") == Some(var)), "{var} is asked for");
    }
    let fields: String = fields
        .iter()
        .map(|(var, values)| {
            let values: String = values.iter().map(|v| format!("<value>{v}</value>")).collect();
            format!("<field var='{var}'>{values}</field>")
        })
        .collect();
    let id = form.attr("sessionid").expect("a session");
    let submit = format!(
        "<command xmlns='{}' node='{node}' sessionid='{id}'>\
         <x xmlns='jabber:x:data' type='submit'>{fields}</x></command>",
        adhoc::NS
    );
    domain.iq(BARD, "set", &submit)
}

fn add(domain: &mut Domain, jid: &str, password: &str, again: &str) -> Option<Stanza> {
    let fields: [(&str, &[&str]); 3] =
        [("accountjid", &[jid]), ("password", &[password]), ("password-verify", &[again])];
    execute(domain, "add-user", &fields)
}

fn identity(answer: IdentityAnswer) -> Found {
    Found::Identity(answer)
}

fn refused(answer: Option<Stanza>) -> Option<(Condition, ErrorType)> {
    answer.and_then(|answer| answer.error_condition())
}

fn is_completed(answer: Option<Stanza>) -> bool {
    let answer = answer.expect("an answer");
    answer.payload().and_then(|p| p.attr("status")) == Some("completed")
}

/// The values of a field in a completed command.
fn values(answer: Option<Stanza>, var: &str) -> Vec<String> {
    let answer = heard(answer.expect("an answer").element());
    let command = answer.child("command", adhoc::NS).expect("a command");
    let x = command.child("x", ns::DATA_FORM).expect("a form");
    let field = x.children().find(|f| f.attr("var") == Some(var)).expect("the field");
    field.children().map(|v: &Element| v.text().into_owned()).collect()
}

#[test]
fn xep_0133_add_user() {
    let mut domain = domain();
    assert_eq!(add(&mut domain, "juliet@example.org", "R0m30", "R0m30"), None);
    let (_, Question::Identity(IdentityCommand::Create { account, password, .. })) =
        &domain.asked[0]
    else {
        panic!("{:?}", domain.asked)
    };
    assert_eq!((account, password.0.as_slice()), (&bare("juliet@example.org"), &b"R0m30"[..]));
    assert!(is_completed(domain.found(identity(IdentityAnswer::Done))));
}

#[test]
fn xep_0133_add_user_refused() {
    let mut domain = domain();
    add(&mut domain, "juliet@example.org", "R0m30", "R0m30");
    let exists = identity(IdentityAnswer::Refused(IdentityRefusal::Exists));
    let conflict = Some((Condition::Conflict, ErrorType::Cancel));
    assert_eq!(refused(domain.found(exists)), conflict);
    for (jid, password, again, condition) in [
        ("juliet@elsewhere.example", "R0m30", "R0m30", Condition::NotAcceptable),
        ("example.org", "R0m30", "R0m30", Condition::NotAcceptable),
        ("@", "R0m30", "R0m30", Condition::JidMalformed),
        ("juliet@example.org", "R0m30", "Romeo", Condition::BadRequest),
        ("juliet@example.org", "", "", Condition::BadRequest),
    ] {
        let answer = add(&mut domain, jid, password, again);
        assert_eq!(refused(answer).map(|(c, _)| c), Some(condition), "{jid} {password}");
    }
    assert!(domain.asked.is_empty());
}

#[test]
fn xep_0133_delete_user_ends_sessions_and_forgets() {
    let mut domain = domain();
    let jids: [(&str, &[&str]); 1] = [("accountjids", &["a@example.org", "b@example.org"])];
    assert_eq!(execute(&mut domain, "delete-user", &jids), None);
    assert_eq!(domain.found(identity(IdentityAnswer::Done)), None, "the second is asked for");
    assert!(is_completed(domain.found(identity(IdentityAnswer::Done))));
    let removed: Vec<_> = domain
        .effects
        .iter()
        .map(|effect| match effect {
            HostEffect::Removed { account, error } => (account.to_string(), error.condition),
            other => panic!("{other:?}"),
        })
        .collect();
    let gone = StreamCondition::NotAuthorized;
    assert_eq!(removed, [("a@example.org".to_owned(), gone), ("b@example.org".to_owned(), gone)]);
}

#[test]
fn xep_0133_delete_user_stops_at_a_refusal() {
    let mut domain = domain();
    let jids: [(&str, &[&str]); 1] = [("accountjids", &["a@example.org", "nobody@example.org"])];
    execute(&mut domain, "delete-user", &jids);
    domain.found(identity(IdentityAnswer::Done));
    let answer = domain.found(identity(IdentityAnswer::Refused(IdentityRefusal::NotFound)));
    assert_eq!(refused(answer), Some((Condition::ItemNotFound, ErrorType::Cancel)));
    assert_eq!(domain.effects.len(), 1, "the first is gone");
    let elsewhere: [(&str, &[&str]); 1] = [("accountjids", &["a@elsewhere.example"])];
    let answer = execute(&mut domain, "delete-user", &elsewhere);
    assert_eq!(refused(answer), Some((Condition::NotAcceptable, ErrorType::Modify)));
}

#[test]
fn xep_0133_change_user_password() {
    let mut domain = domain();
    let fields: [(&str, &[&str]); 2] =
        [("accountjid", &["juliet@example.org"]), ("password", &["V3r0n4"])];
    assert_eq!(execute(&mut domain, "change-user-password", &fields), None);
    let (_, Question::Identity(IdentityCommand::SetPassword { account, password })) =
        &domain.asked[0]
    else {
        panic!("{:?}", domain.asked)
    };
    assert_eq!((account, password.0.as_slice()), (&bare("juliet@example.org"), &b"V3r0n4"[..]));
    assert!(is_completed(domain.found(identity(IdentityAnswer::Done))));
}

#[test]
fn xep_0133_get_registered_users() {
    let mut domain = domain();
    let accounts = || {
        let jids = ["a@example.org", "b@example.org", "c@example.org"];
        identity(IdentityAnswer::Accounts(jids.map(bare).to_vec()))
    };
    assert_eq!(execute(&mut domain, "get-registered-users-num", &[]), None);
    assert_eq!(values(domain.found(accounts()), "registeredusersnum"), ["3"]);
    let two: [(&str, &[&str]); 1] = [("max_items", &["2"])];
    assert_eq!(execute(&mut domain, "get-registered-users-list", &two), None);
    let listed = values(domain.found(accounts()), "registereduserjids");
    assert_eq!(listed, ["a@example.org", "b@example.org"]);
    let much: [(&str, &[&str]); 1] = [("max_items", &["1000000"])];
    let answer = execute(&mut domain, "get-registered-users-list", &much);
    assert_eq!(refused(answer), Some((Condition::NotAcceptable, ErrorType::Modify)));
}

#[test]
fn xep_0133_get_online_users_num() {
    let mut domain = domain();
    assert_eq!(execute(&mut domain, "get-online-users-num", &[]), None);
    assert_eq!(values(domain.found(Found::Count(79)), "onlineusersnum"), ["79"]);
}

#[test]
fn xep_0133_errors_forbidden_to_others() {
    let mut domain = domain();
    for command in crate::host::COMMANDS.iter().filter(|c| {
        c.active(&HostSettings {
            administrators: vec![bare("bard@example.org")],
            ..HostSettings::default()
        })
    }) {
        let begin = format!("<command xmlns='{}' node='{}'/>", adhoc::NS, command.node());
        for from in ["juliet@example.org/r", "bard@elsewhere.example/r", "example.org"] {
            let refused = domain.refused(from, "set", &begin);
            assert_eq!(refused, (Condition::Forbidden, ErrorType::Cancel), "{from}");
        }
    }
}
