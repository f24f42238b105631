use oc_core::auth::{Identity, IdentityAnswer};
use oc_core::host::{Found, HostInput, HostSettings, Question};
use oc_core::stream::{Negotiation, Offer, StreamAnswer, StreamEffect, StreamFeature, Taken};
use oc_core::{Ctx, Stanza, Time};

use super::*;
use crate::testing::{Client, Counter, Domain, bare, el, heard, jid};

const BILL: &str = "bill@example.org/globe";

fn settings() -> HostSettings {
    HostSettings { administrators: vec![bare("admin@example.org")], ..HostSettings::default() }
}

fn query(children: &str) -> String {
    format!("<query xmlns='jabber:iq:register'>{children}</query>")
}

fn condition(answer: Option<Stanza>) -> Option<Condition> {
    answer.and_then(|answer| answer.error_condition()).map(|(condition, _)| condition)
}

#[test]
fn xep_0077_usecases_register_already_registered() {
    let mut domain = Domain::new(settings());
    assert_eq!(
        domain.ask(BILL, "get", &query("")),
        Some(el(&query("<registered/><username>bill</username><password/>")))
    );
}

#[test]
fn xep_0077_usecases_register_never_from_elsewhere() {
    let mut domain = Domain::new(settings());
    let form = query("<username>eve</username><password>x</password>");
    for (type_, payload) in [("get", query("")), ("set", form)] {
        let refused = domain.refused("eve@elsewhere.example/r", type_, &payload);
        assert_eq!(refused.0, Condition::ServiceUnavailable);
    }
    assert!(domain.asked.is_empty());
}

#[test]
fn xep_0077_usecases_changepw() {
    let mut domain = Domain::new(settings());
    let change = query("<username>bill</username><password>newpass</password>");
    assert_eq!(domain.iq(BILL, "set", &change), None);
    let (_, Question::Identity(IdentityCommand::SetPassword { account, password })) =
        &domain.asked[0]
    else {
        panic!("{:?}", domain.asked)
    };
    assert_eq!((account, password.0.as_slice()), (&bare("bill@example.org"), &b"newpass"[..]));
    let answer = domain.found(Found::Identity(IdentityAnswer::Done)).expect("an answer");
    assert_eq!((answer.type_(), answer.payload()), (Some("result"), None));
    assert!(domain.effects.is_empty());
}

#[test]
fn xep_0077_usecases_changepw_refused() {
    let mut domain = Domain::new(settings());
    for (children, expected) in [
        ("<username>bill</username><password/>", Condition::BadRequest),
        ("<username>bill</username>", Condition::BadRequest),
        ("<password>newpass</password>", Condition::BadRequest),
        ("<username>juliet</username><password>newpass</password>", Condition::NotAllowed),
    ] {
        assert_eq!(domain.refused(BILL, "set", &query(children)).0, expected, "{children}");
    }
    let change = query("<username>bill</username><password>newpass</password>");
    domain.iq(BILL, "set", &change);
    let no = IdentityAnswer::Refused(IdentityRefusal::NotAllowed);
    assert_eq!(condition(domain.found(Found::Identity(no))), Some(Condition::NotAllowed));
}

#[test]
fn xep_0077_usecases_cancel() {
    let mut domain = Domain::new(settings());
    assert_eq!(domain.iq(BILL, "set", &query("<remove/>")), None);
    let answer = domain.found(Found::Identity(IdentityAnswer::Done)).expect("an answer");
    assert_eq!(answer.type_(), Some("result"));
    let [HostEffect::Removed { account, error }] = domain.effects.as_slice() else {
        panic!("{:?}", domain.effects)
    };
    assert_eq!(account, &bare("bill@example.org"));
    assert_eq!(error.condition, StreamCondition::NotAuthorized);
}

#[test]
fn xep_0077_usecases_cancel_refused() {
    let mut domain = Domain::new(settings());
    for (from, children, expected) in [
        (BILL, "<remove/><username>bill</username>", Condition::BadRequest),
        ("eve@elsewhere.example/r", "<remove/>", Condition::RegistrationRequired),
        ("admin@example.org/r", "<remove/>", Condition::NotAllowed),
    ] {
        assert_eq!(domain.refused(from, "set", &query(children)).0, expected, "{children}");
    }
    domain.iq(BILL, "set", &query("<remove/>"));
    let gone = IdentityAnswer::Refused(IdentityRefusal::NotFound);
    assert_eq!(condition(domain.found(Found::Identity(gone))), Some(Condition::ItemNotFound));
    assert!(domain.effects.is_empty(), "what was not removed is not forgotten");
}

#[test]
fn xep_0077_usecases_cancel_without_to() {
    let mut bill = Client::new("bill@example.org");
    bill.send(None, "set", &query("<remove/>"));
    let asked = bill.routed.pop().expect("handed to the domain");
    assert!(bill.delivered.is_empty(), "the domain answers");
    let mut domain = Domain::new(settings());
    domain.handle(HostInput::Stanza { stanza: asked, receipt: None });
    let answer = domain.found(Found::Identity(IdentityAnswer::Done)).expect("an answer");
    assert_eq!(answer.to(), Some(&jid("bill@example.org/balcony")));
    assert_eq!(answer.from(), Some(&jid("bill@example.org")), "in the name of the account");
    assert!(matches!(domain.effects.as_slice(), [HostEffect::Removed { .. }]));
    // Nobody else can ask through the account.
    let refused = bill.hear("eve@example.org/r", "set", &query("<remove/>"));
    assert_eq!(condition(Some(refused)), Some(Condition::ServiceUnavailable));
    assert!(bill.routed.is_empty());
}

/// A stream that has not authenticated.
struct Door {
    n: Negotiation,
}

impl Door {
    fn new(registration: Registration) -> Self {
        let reserved = vec![bare("admin@example.org")];
        let offer = Offer { registration, reserved, ..Offer::default() };
        let mut n = Negotiation { domain: "example.org".into(), offer, ..<_>::default() };
        n.channel.confidential = true;
        n.channel.rate_key = "192.0.2.1".into();
        Self { n }
    }

    fn take(&mut self, type_: &str, payload: &str) -> (Taken, Vec<StreamEffect>) {
        let iq = Element::new("iq", ns::CLIENT)
            .with_attr("type", type_)
            .with_attr("id", "reg1")
            .with_attr("to", "example.org");
        let mut out = Vec::new();
        let mut ids = Counter(0);
        let mut ctx = Ctx { now: Time(0), ids: &mut ids };
        let taken = InBand.take(&mut self.n, &iq.with_child(el(payload)), &mut ctx, &mut out);
        (taken.expect("the stream goes on"), out)
    }

    fn answer(&mut self, answer: IdentityAnswer) -> Element {
        let mut out = Vec::new();
        let mut ids = Counter(0);
        let mut ctx = Ctx { now: Time(0), ids: &mut ids };
        let answer = StreamAnswer::Identity(answer);
        let taken = InBand.answer(&mut self.n, answer, &mut ctx, &mut out);
        assert_eq!(taken, Ok(Taken::Done));
        written(out)
    }

    fn offered(&self) -> Vec<Element> {
        let mut out = Vec::new();
        InBand.offer(&self.n, &mut out);
        out
    }

    fn refused(&mut self, type_: &str, payload: &str) -> Condition {
        let (taken, out) = self.take(type_, payload);
        assert_eq!(taken, Taken::Done);
        error(&written(out))
    }
}

fn written(mut out: Vec<StreamEffect>) -> Element {
    match (out.pop(), out.is_empty()) {
        (Some(StreamEffect::Write(el)), true) => el,
        other => panic!("{other:?}"),
    }
}

fn error(iq: &Element) -> Condition {
    let stanza = Stanza::from_element(iq.clone()).expect("a stanza");
    assert!(!iq.to_string().contains("secret"), "the password is not sent back");
    stanza.error_condition().unwrap_or_else(|| panic!("{iq}")).0
}

fn filled(name: &str) -> String {
    query(&format!("<username>{name}</username><password>secret</password>"))
}

#[test]
fn xep_0077_streamfeature_offered_where_it_works() {
    let offered = Door::new(Registration::Open).offered();
    assert!(offered.contains(&el("<register xmlns='http://jabber.org/features/iq-register'/>")));
    assert!(offered.contains(&el("<register xmlns='urn:xmpp:ibr-token:0'/>")));
    assert!(Door::new(Registration::Closed).offered().is_empty());
    let mut open = Door::new(Registration::Open);
    open.n.channel.confidential = false;
    assert!(open.offered().is_empty(), "no password in the clear");
    assert_eq!(open.refused("set", &filled("bill")), Condition::ServiceUnavailable);
    let mut known = Door::new(Registration::Open);
    known.n.identity = Some(Identity {
        local: "bill".into(),
        domain: "example.org".into(),
        anonymous: false,
        mechanism: "PLAIN".into(),
        expires: None,
    });
    assert!(known.offered().is_empty());
    assert_eq!(known.take("get", &query("")).0, Taken::Pass, "the domain's business now");
}

#[test]
fn xep_0077_usecases_register_server() {
    let mut door = Door::new(Registration::Open);
    let (taken, out) = door.take("get", &query(""));
    assert_eq!(taken, Taken::Done);
    let form = written(out);
    assert_eq!(form.attr("id"), Some("reg1"));
    let fields = form.child("query", NS).expect("a form");
    assert!(fields.has_child("username", NS) && fields.has_child("password", NS));
    let (taken, out) = door.take("set", &filled("Bill"));
    assert_eq!(taken, Taken::Waiting);
    let [StreamEffect::Identity(IdentityCommand::Create { account, rate_key, .. })] =
        out.as_slice()
    else {
        panic!("{out:?}")
    };
    assert_eq!(account, &bare("bill@example.org"));
    assert_eq!(rate_key.as_deref(), Some("192.0.2.1"));
    let done = door.answer(IdentityAnswer::Done);
    assert_eq!(
        heard(&done),
        el("<iq xmlns='jabber:client' type='result' id='reg1' from='example.org'/>")
    );
}

#[test]
fn xep_0077_usecases_register_refused() {
    let mut door = Door::new(Registration::Open);
    for (payload, expected) in [
        (query("<username>bill</username>"), Condition::NotAcceptable),
        (query("<username>bill</username><password/>"), Condition::NotAcceptable),
        (query("<password>secret</password>"), Condition::NotAcceptable),
        (filled("bill@elsewhere.example"), Condition::NotAcceptable),
        (filled("a b"), Condition::NotAcceptable),
        (filled("bill/r"), Condition::NotAcceptable),
        (filled("ADMIN"), Condition::Conflict),
        (filled("admin@example.org"), Condition::Conflict),
    ] {
        assert_eq!(door.refused("set", &payload), expected, "{payload}");
    }
    door.take("set", &filled("bill"));
    let exists = door.answer(IdentityAnswer::Refused(IdentityRefusal::Exists));
    assert_eq!(error(&exists), Condition::Conflict);
    door.take("set", &filled("bill"));
    let many = door.answer(IdentityAnswer::Refused(IdentityRefusal::TooMany));
    assert_eq!(error(&many), Condition::ResourceConstraint);
    let mut closed = Door::new(Registration::Closed);
    assert_eq!(closed.refused("get", &query("")), Condition::ServiceUnavailable);
    assert_eq!(closed.refused("set", &filled("bill")), Condition::ServiceUnavailable);
}

#[test]
fn xep_0077_extensibility_form_is_read() {
    let mut door = Door::new(Registration::Open);
    let form = query(
        "<x xmlns='jabber:x:data' type='submit'>\
         <field var='username'><value>bill</value></field>\
         <field var='password'><value>secret</value></field></x>",
    );
    assert_eq!(door.take("set", &form).0, Taken::Waiting);
}

const PREAUTH: &str = "<preauth xmlns='urn:xmpp:pars:0' token='TOKEN'/>";

#[test]
fn xep_0445_preauth_ibr_opens_the_door() {
    let mut door = Door::new(Registration::Invited);
    assert_eq!(door.refused("set", &filled("bill")), Condition::NotAllowed);
    let (taken, out) = door.take("set", PREAUTH);
    assert_eq!(taken, Taken::Waiting);
    let [StreamEffect::Identity(IdentityCommand::CheckInvitation { token, domain })] =
        out.as_slice()
    else {
        panic!("{out:?}")
    };
    assert_eq!((token.as_str(), domain.as_str()), ("TOKEN", "example.org"));
    let answer = door.answer(IdentityAnswer::Done);
    assert_eq!(
        heard(&answer),
        el("<iq xmlns='jabber:client' type='result' id='reg1' from='example.org'/>")
    );
    let (_, out) = door.take("set", &filled("bill"));
    let [StreamEffect::Identity(IdentityCommand::Create { invitation, .. })] = out.as_slice()
    else {
        panic!("{out:?}")
    };
    assert_eq!(invitation.as_deref(), Some("TOKEN"));
}

#[test]
fn xep_0445_preauth_ibr_bad_token() {
    let mut door = Door::new(Registration::Invited);
    door.take("set", PREAUTH);
    let answer = door.answer(IdentityAnswer::Refused(IdentityRefusal::BadInvitation));
    assert_eq!(error(&answer), Condition::ItemNotFound);
    assert_eq!(door.n.invitation, None);
    assert_eq!(door.refused("set", &filled("bill")), Condition::NotAllowed);
    let mut closed = Door::new(Registration::Closed);
    assert_eq!(closed.refused("set", PREAUTH), Condition::ServiceUnavailable);
}
