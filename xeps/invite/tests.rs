use std::time::Duration;

use oc_core::auth::IdentityRefusal;
use oc_core::host::Invitations;
use oc_core::{Element, ErrorType, Stanza, ns};

use super::*;
use crate::adhoc;
use crate::testing::{Domain, START, bare, heard};

const ROMEO: &str = "romeo@example.org/orchard";
const BARD: &str = "bard@example.org/globe";

fn domain(registration: Registration, by_accounts: bool) -> Domain {
    Domain::new(HostSettings {
        administrators: vec![bare("bard@example.org")],
        registration,
        invitations: Invitations { by_accounts, lifetime: Duration::from_secs(3_600) },
        ..HostSettings::default()
    })
}

fn execute(name: &str, session: &str, payload: &str) -> String {
    let (ns, node) = (adhoc::NS, format!("urn:xmpp:invite#{name}"));
    format!("<command xmlns='{ns}' node='{node}' {session}>{payload}</command>")
}

/// Fills in the form of create-account.
fn create(domain: &mut Domain, fields: &[(&str, &str)]) -> Option<Stanza> {
    let form = domain.ask(BARD, "set", &execute("create-account", "", "")).expect("a form");
    let id = form.attr("sessionid").expect("a session");
    let fields: String = fields
        .iter()
        .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
        .collect();
    let x = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    domain.iq(BARD, "set", &execute("create-account", &format!("sessionid='{id}'"), &x))
}

fn field(answer: Option<Stanza>, var: &str) -> String {
    let answer = heard(answer.expect("an answer").element());
    let command = answer.child("command", adhoc::NS).expect("a command");
    assert_eq!(command.attr("status"), Some("completed"));
    let x = command.child("x", ns::DATA_FORM).expect("a form");
    let field = x.children().find(|f| f.attr("var") == Some(var)).expect("the field");
    field.children().next().map(|v: &Element| v.text().into_owned()).expect("a value")
}

fn token() -> Found {
    Found::Identity(IdentityAnswer::Invitation("TOKEN".into()))
}

#[test]
fn xep_0401_create_invitation() {
    let mut domain = domain(Registration::Invited, true);
    assert_eq!(domain.iq(ROMEO, "set", &execute("invite", "", "")), None);
    let (_, Question::Identity(IdentityCommand::Invite { to, inviter, expires })) =
        &domain.asked[0]
    else {
        panic!("{:?}", domain.asked)
    };
    assert_eq!((to, inviter.as_ref()), (&bare("example.org"), Some(&bare("romeo@example.org"))));
    assert_eq!(*expires, START.after(Duration::from_secs(3_600)));
    // However long the answer takes, the form tells the end that was asked for.
    domain.now = START.after(Duration::from_secs(5));
    let answer = domain.found(token());
    assert_eq!(field(answer.clone(), "uri"), "xmpp:romeo@example.org?roster;preauth=TOKEN;ibr=y");
    assert_eq!(field(answer, "expire"), "2026-11-21T11:20:30Z");
}

#[test]
fn xep_0401_account_creation() {
    let mut domain = domain(Registration::Invited, false);
    assert_eq!(create(&mut domain, &[("username", "juliet"), ("roster-subscription", "1")]), None);
    let (_, Question::Identity(IdentityCommand::Invite { to, inviter, .. })) = &domain.asked[0]
    else {
        panic!("{:?}", domain.asked)
    };
    assert_eq!(to, &bare("juliet@example.org"));
    assert_eq!(inviter.as_ref(), Some(&bare("bard@example.org")));
    let uri = field(domain.found(token()), "uri");
    assert_eq!(uri, "xmpp:juliet@example.org?register;preauth=TOKEN");
    // Without a name the invited choose one; without the wish nobody becomes a contact.
    assert_eq!(create(&mut domain, &[("username", "")]), None);
    assert!(matches!(
        &domain.asked[0].1,
        Question::Identity(IdentityCommand::Invite { inviter: None, .. })
    ));
    let uri = field(domain.found(token()), "uri");
    assert_eq!(uri, "xmpp:example.org?register;preauth=TOKEN");
}

#[test]
fn xep_0401_account_creation_refused() {
    let mut domain = domain(Registration::Invited, false);
    let condition = |answer: Option<Stanza>| answer.and_then(|a| a.error_condition());
    for name in ["a b", "a@b", "a/b"] {
        let refused = condition(create(&mut domain, &[("username", name)]));
        assert_eq!(refused, Some((Condition::NotAcceptable, ErrorType::Modify)), "{name}");
    }
    create(&mut domain, &[("username", "juliet")]);
    let exists = Found::Identity(IdentityAnswer::Refused(IdentityRefusal::Exists));
    let refused = condition(domain.found(exists));
    assert_eq!(refused, Some((Condition::Conflict, ErrorType::Cancel)));
}

#[test]
fn xep_0401_discover_who_may() {
    let listed = |domain: &mut Domain, from: &str| {
        let query = format!("<query xmlns='{}' node='{}'/>", ns::DISCO_ITEMS, adhoc::NS);
        let items = domain.ask(from, "get", &query).expect("a list");
        let invite =
            |i: &&Element| i.attr("node").is_some_and(|node| node.starts_with("urn:xmpp:invite#"));
        items.children().filter(invite).count()
    };
    let mut all = domain(Registration::Invited, true);
    assert_eq!(listed(&mut all, BARD), 2);
    assert_eq!(listed(&mut all, ROMEO), 1);
    assert_eq!(listed(&mut all, "romeo@elsewhere.example/r"), 0);
    let mut admins = domain(Registration::Open, false);
    assert_eq!(listed(&mut admins, BARD), 2);
    assert_eq!(listed(&mut admins, ROMEO), 0);
    let refused = admins.refused(ROMEO, "set", &execute("invite", "", ""));
    assert_eq!(refused, (Condition::Forbidden, ErrorType::Cancel));
    // Where nobody can register, an invitation would lead nowhere.
    let mut closed = domain(Registration::Closed, true);
    assert_eq!(listed(&mut closed, BARD), 0);
    let refused = closed.refused(BARD, "set", &execute("invite", "", ""));
    assert_eq!(refused, (Condition::ItemNotFound, ErrorType::Cancel));
}

#[test]
fn xep_0401_create_invitation_escapes_uris() {
    assert_eq!(uri(&bare("a+b%c@example.org")), "xmpp:a%2Bb%25c@example.org");
    assert_eq!(uri(&bare("ü@example.org")), "xmpp:%C3%BC@example.org");
}
