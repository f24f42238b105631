use super::*;
use crate::session::{EdgeId, SessionId};
use crate::spec::Status;
use crate::{Ids, Jid};

struct Counter(u8);

impl Ids for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 += 1;
        out.fill(self.0);
    }
}

static XEP: Xep = Xep {
    number: "",
    title: "Test",
    version: "0",
    status: Status::Complete,
    folder: "test",
    features: &["urn:test"],
    note: "",
};

/// Answers `now`, refuses `no`, asks for `later`, asks twice for `twice`, and counts in its slot.
struct Probe;

impl HostFeature for Probe {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn active(&self, settings: &HostSettings) -> bool {
        settings.software.name != "off"
    }

    fn iq(&self, query: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let Some(child) = query.payload().filter(|p| *p.ns() == "urn:test") else {
            return Answer::Pass;
        };
        let count = turn.slot.of::<u32>();
        *count += 1;
        match child.name() {
            "now" => Answer::Result(Some(
                Element::new("now", "urn:test")
                    .with_attr("count", count.to_string())
                    .with_attr("asker", format!("{:?}", turn.view.asker)),
            )),
            "no" => Answer::Reject(Reject::new(Condition::NotAllowed, "test")),
            _ => turn.ask(0, Question::OnlineUsers),
        }
    }

    fn found(&self, query: &Stanza, memo: u64, found: Found, turn: &mut Turn<'_, '_>) -> Answer {
        if memo == 0 && query.payload().is_some_and(|p| p.name() == "twice") {
            return turn.ask(1, Question::OnlineUsers);
        }
        turn.effects.push(HostEffect::Removed {
            account: BareJid::new("gone@example.org").expect("a JID"),
            error: StreamError::new(crate::StreamCondition::NotAuthorized, "test"),
        });
        assert_eq!(found, Found::Count(7));
        Answer::Result(None)
    }
}

static FEATURES: &[&dyn HostFeature] = &[&Probe];

fn jid(s: &str) -> Jid {
    Jid::new(s).expect("a JID")
}

fn host(settings: HostSettings) -> Host {
    let domain = BareJid::new("example.org").expect("a JID");
    Host::new(domain, Arc::new(settings), FEATURES, Vec::new(), Time(1_000))
}

fn run_at(host: &mut Host, at: Time, input: HostInput) -> Vec<HostEffect> {
    let mut ids = Counter(0);
    let mut out = Vec::new();
    host.handle(input, &mut Ctx { now: at, ids: &mut ids }, &mut out);
    out
}

fn hear(host: &mut Host, stanza: Stanza) -> Vec<HostEffect> {
    run_at(host, Time(2_000), HostInput::Stanza { stanza, receipt: None })
}

fn iq(from: &str, type_: &str, child: &str) -> Stanza {
    let mut iq = Stanza::with_type(Kind::Iq, type_)
        .from_jid(jid(from))
        .to_jid(jid("example.org"))
        .with_child(Element::new(child.split(' ').next().unwrap_or(child), "urn:test"));
    iq.element_mut().set_attr("id", "1");
    iq
}

fn sent(effects: &[HostEffect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|e| match e {
            HostEffect::Send(stanza) => Some(stanza.element().to_string()),
            _ => None,
        })
        .collect()
}

fn condition(effects: &[HostEffect]) -> Option<(Condition, ErrorType)> {
    effects.iter().find_map(|e| match e {
        HostEffect::Send(stanza) => stanza.error_condition(),
        _ => None,
    })
}

#[test]
fn rfc6120_8_2_3_request_answered_once() {
    let mut host = host(HostSettings::default());
    let out = hear(&mut host, iq("a@example.org/r", "get", "now"));
    assert_eq!(
        sent(&out),
        ["<iq type='result' id='1' to='a@example.org/r' from='example.org'>\
          <now xmlns='urn:test' count='1' asker='Account'/></iq>"]
    );
    let again = hear(&mut host, iq("b@other.example/r", "get", "now"));
    assert!(sent(&again)[0].contains("count='2' asker='Stranger'"), "the slot lives with the host");
}

#[test]
fn rfc6120_8_2_3_malformed_requests_are_bad() {
    let mut host = host(HostSettings::default());
    let bad = Some((Condition::BadRequest, ErrorType::Modify));
    let mut none = iq("a@example.org/r", "get", "now");
    none.element_mut().retain_children(|_| false);
    assert_eq!(condition(&hear(&mut host, none)), bad);
    let two = iq("a@example.org/r", "get", "now").with_child(Element::new("now", "urn:test"));
    assert_eq!(condition(&hear(&mut host, two)), bad);
    let mut no_id = iq("a@example.org/r", "set", "now");
    no_id.element_mut().remove_attr("id");
    assert_eq!(condition(&hear(&mut host, no_id)), bad);
    let mut no_type = iq("a@example.org/r", "set", "now");
    no_type.element_mut().remove_attr("type");
    let out = hear(&mut host, no_type);
    assert_eq!(condition(&out), bad);
    assert!(sent(&out)[0].starts_with("<iq type='error' id='1' to='a@example.org/r'"));
    let odd = iq("a@example.org/r", "fetch", "now");
    assert_eq!(condition(&hear(&mut host, odd)), bad);
}

#[test]
fn rfc6120_8_2_3_results_are_not_answered() {
    let mut host = host(HostSettings::default());
    assert!(hear(&mut host, iq("a@example.org/r", "result", "now")).is_empty());
    assert!(hear(&mut host, iq("a@example.org/r", "error", "now")).is_empty());
    // Not even a malformed one.
    let mut no_id = iq("a@example.org/r", "error", "now");
    no_id.element_mut().remove_attr("id");
    assert!(hear(&mut host, no_id).is_empty());
}

#[test]
fn rfc6120_8_3_3_19_unknown_namespace() {
    let mut host = host(HostSettings::default());
    let mut unknown = iq("a@example.org/r", "get", "now");
    unknown.element_mut().retain_children(|_| false);
    let unknown = unknown.with_child(Element::new("now", "urn:nobody"));
    let refused = Some((Condition::ServiceUnavailable, ErrorType::Cancel));
    assert_eq!(condition(&hear(&mut host, unknown)), refused);
    // A feature that is switched off is as unknown as one that never was.
    let off = Software { name: "off".to_owned(), ..Software::default() };
    let settings = HostSettings { software: off, ..HostSettings::default() };
    run_at(&mut host, Time(2_000), HostInput::Settings(Arc::new(settings)));
    assert_eq!(condition(&hear(&mut host, iq("a@example.org/r", "get", "now"))), refused);
    assert!(!host.view(Asker::Stranger).info().features.contains(&"urn:test"));
}

#[test]
fn rfc6120_10_5_1_presence_is_dropped() {
    let mut host = host(HostSettings::default());
    for type_ in ["subscribe", "probe", "unavailable", "error"] {
        let presence = Stanza::with_type(Kind::Presence, type_)
            .from_jid(jid("a@example.org/r"))
            .to_jid(jid("example.org"));
        assert!(hear(&mut host, presence).is_empty());
    }
}

fn message(from: &str, body: Option<&str>) -> Stanza {
    let message = Stanza::new(Kind::Message).from_jid(jid(from)).to_jid(jid("example.org"));
    match body {
        Some(body) => message.with_child(Element::new("body", ns::CLIENT).with_text(body)),
        None => message,
    }
}

#[test]
fn rfc6120_10_5_1_message_without_administrators() {
    let mut host = host(HostSettings::default());
    let out = hear(&mut host, message("a@x.example/r", Some("help")));
    assert_eq!(condition(&out), Some((Condition::ServiceUnavailable, ErrorType::Cancel)));
    // Chat states, receipts and the like are not worth an error.
    assert!(hear(&mut host, message("a@x.example/r", None)).is_empty());
    let mut error = message("a@x.example/r", Some("help"));
    error.element_mut().set_attr("type", "error");
    assert!(hear(&mut host, error).is_empty());
}

#[test]
fn rfc6120_10_5_1_message_reaches_administrators() {
    let admin = BareJid::new("root@example.org").expect("a JID");
    let settings = HostSettings { administrators: vec![admin], ..HostSettings::default() };
    let mut host = host(settings);
    let out = hear(&mut host, message("a@x.example/r", Some("<help>")));
    assert_eq!(
        sent(&out),
        ["<message type='chat' from='example.org' to='root@example.org'>\
          <body>Message to example.org from a@x.example/r:\n&lt;help&gt;</body></message>"]
    );
    // Two servers whose administrators are each other's domain must not loop.
    assert!(hear(&mut host, message("x.example", Some("help"))).is_empty());
    // A flood is refused, and time heals it.
    let mut refused = 0;
    for _ in 0..HOST_CONTACTS {
        let out = hear(&mut host, message("a@x.example/r", Some("spam")));
        refused += usize::from(condition(&out).is_some());
    }
    assert_eq!(refused, 1);
    let later = Time(2_000).after(HOST_CONTACT_INTERVAL);
    let stanza = message("a@x.example/r", Some("late"));
    let out = run_at(&mut host, later, HostInput::Stanza { stanza, receipt: None });
    assert_eq!(condition(&out), None);
}

#[test]
fn host_waits_for_answers_and_orders_effects() {
    let mut host = host(HostSettings::default());
    let receipt = Receipt { session: SessionId { edge: EdgeId(0), key: 1 }, nth: 5 };
    let stanza = iq("a@example.org/r", "set", "twice");
    let input = HostInput::Stanza { stanza, receipt: Some(receipt) };
    let out = run_at(&mut host, Time(2_000), input);
    let [HostEffect::Ask { token, .. }, HostEffect::Handled(handled)] = out.as_slice() else {
        panic!("{out:?}")
    };
    assert_eq!(*handled, receipt);
    let found = |token| HostInput::Found { token, found: Found::Count(7) };
    let out = run_at(&mut host, Time(2_000), found(*token));
    let [HostEffect::Ask { token: second, .. }] = out.as_slice() else { panic!("{out:?}") };
    assert_ne!(token, second);
    let out = run_at(&mut host, Time(2_000), found(*second));
    // The result reaches the client before its session may be ended.
    assert!(matches!(out.as_slice(), [HostEffect::Send(_), HostEffect::Removed { .. }]));
    assert!(!host.is_waiting());
    assert!(run_at(&mut host, Time(2_000), found(*second)).is_empty(), "answered once");
}

#[test]
fn host_gives_up_but_acts_on_late_answers() {
    let mut host = host(HostSettings::default());
    let out = hear(&mut host, iq("a@example.org/r", "set", "later"));
    let [HostEffect::Ask { token, .. }] = out.as_slice() else { panic!("{out:?}") };
    let (token, late) = (*token, Time(2_000).after(HOST_PATIENCE));
    assert!(run_at(&mut host, Time(2_001), HostInput::Tick).is_empty());
    let out = run_at(&mut host, late, HostInput::Tick);
    assert_eq!(condition(&out), Some((Condition::InternalServerError, ErrorType::Wait)));
    assert!(run_at(&mut host, late, HostInput::Tick).is_empty(), "told once");
    let out = run_at(&mut host, late, HostInput::Found { token, found: Found::Count(7) });
    assert!(matches!(out.as_slice(), [HostEffect::Removed { .. }]), "no second answer");
}

#[test]
fn host_bounds_what_waits() {
    let mut host = host(HostSettings::default());
    for _ in 0..HOST_WAITING {
        assert_eq!(condition(&hear(&mut host, iq("a@example.org/r", "set", "later"))), None);
    }
    let out = hear(&mut host, iq("a@example.org/r", "set", "later"));
    assert_eq!(condition(&out), Some((Condition::ResourceConstraint, ErrorType::Wait)));
}

#[test]
fn host_knows_who_asks() {
    let admin = BareJid::new("root@elsewhere.example").expect("a JID");
    let settings = HostSettings { administrators: vec![admin], ..HostSettings::default() };
    let domain = BareJid::new("example.org").expect("a JID");
    let who = |from: &str| asker(&domain, &settings, Some(&jid(from)));
    assert_eq!(who("root@elsewhere.example/r"), Asker::Administrator);
    assert_eq!(who("a@example.org/r"), Asker::Account);
    assert_eq!(who("example.org"), Asker::Stranger);
    assert_eq!(who("a@sub.example.org"), Asker::Stranger);
    assert!(Asker::Stranger < Asker::Account && Asker::Account < Asker::Administrator);
}

#[test]
fn host_answers_in_the_name_of_an_account() {
    let account = BareJid::new("a@example.org").expect("a JID");
    let mut host = host(HostSettings::default());
    let own = iq("a@example.org/r", "get", "now").to_jid(account.clone());
    let out = hear(&mut host, hand_on(&own, &account).expect("its own"));
    assert!(sent(&out)[0].contains("to='a@example.org/r' from='a@example.org'"));
    let out = hear(&mut host, hand_on(&own, &account).expect("its own"));
    assert!(sent(&out)[0].contains("asker='Account'"));
    // Neither through the account nor with its address can anybody else do so.
    assert_eq!(hand_on(&iq("b@example.org/r", "get", "now"), &account), None);
    let forged = iq("b@example.org/r", "get", "now").to_jid(jid("example.org/a@example.org"));
    assert!(sent(&hear(&mut host, forged))[0].contains("from='example.org/a@example.org'"));
    // A stranger's own name is not ours to speak in.
    let foreign = iq("c@x.example/r", "get", "now").to_jid(jid("example.org/c@x.example"));
    assert!(sent(&hear(&mut host, foreign))[0].contains("from='example.org/c@x.example'"));
}
