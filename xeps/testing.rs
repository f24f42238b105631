//! A domain for tests: stanzas in and out as text, in the manner of the examples of the XEPs.

pub(crate) mod account;

use std::sync::Arc;

use oc_core::account::{Account, AccountEffect, AccountInput};
use oc_core::host::{Asker, Found, Host, HostEffect, HostInput, HostSettings, Question, Token};
use oc_core::limits::StreamLimits;
use oc_core::record::Saved;
use oc_core::session::{EdgeId, SessionId};
use oc_core::xml::parse_document;
use oc_core::{BareJid, Condition, Ctx, Element, ErrorType, Ids, Jid, Kind, Stanza, Time, ns};

use crate::host::{FEATURES, others};

/// 2026-11-21T10:20:30Z: when the test servers were started.
pub(crate) const START: Time = Time(1_795_256_430_000);

/// Ids that are the same in every run.
pub(crate) struct Counter(pub(crate) u8);

impl Ids for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 = self.0.wrapping_add(1);
        out.fill(self.0);
    }
}

/// Reads an element; white space between elements is for the reader of the test only.
pub(crate) fn el(xml: &str) -> Element {
    let xml: String = xml.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    let xml = xml.replace(">\n", ">").replace('\n', " ");
    parse_document(xml.as_bytes(), &StreamLimits::CLIENT).expect("well-formed test XML")
}

/// What a peer would read: attributes in the order of a reader.
pub(crate) fn heard(el: &Element) -> Element {
    parse_document(&el.to_document(), &StreamLimits::CLIENT).expect("we write well-formed XML")
}

pub(crate) fn jid(jid: &str) -> Jid {
    Jid::new(jid).expect("a JID")
}

pub(crate) fn bare(jid: &str) -> BareJid {
    BareJid::new(jid).expect("a bare JID")
}

/// The domain `example.org` with the list that the server uses.
pub(crate) struct Domain {
    host: Host,
    ids: Counter,
    pub(crate) now: Time,
    /// What is waiting to be answered, oldest first.
    pub(crate) asked: Vec<(Token, Question)>,
    /// What else was to be done.
    pub(crate) effects: Vec<HostEffect>,
}

impl Domain {
    pub(crate) fn new(settings: HostSettings) -> Self {
        let host = Host::new(bare("example.org"), Arc::new(settings), FEATURES, others(), START);
        let (asked, effects) = (Vec::new(), Vec::new());
        Self { host, ids: Counter(0), now: START, asked, effects }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Sends `<iq type=... id='1'>payload</iq>`; hands back the answer if there is one at once.
    pub(crate) fn iq(&mut self, from: &str, type_: &str, payload: &str) -> Option<Stanza> {
        let iq = Element::new("iq", ns::CLIENT)
            .with_attr("type", type_)
            .with_attr("id", "1")
            .with_attr("from", from)
            .with_attr("to", "example.org")
            .with_child(el(payload));
        let stanza = Stanza::from_element(iq).expect("a stanza");
        self.handle(HostInput::Stanza { stanza, receipt: None })
    }

    /// Sends a request that succeeds; hands back the payload of the result.
    pub(crate) fn ask(&mut self, from: &str, type_: &str, payload: &str) -> Option<Element> {
        let answer = self.iq(from, type_, payload).expect("an answer");
        assert_eq!(answer.type_(), Some("result"), "{}", answer.element());
        assert_eq!(answer.to(), Some(&jid(from)));
        answer.payload().map(heard)
    }

    /// Sends a request that is refused.
    pub(crate) fn refused(
        &mut self,
        from: &str,
        type_: &str,
        payload: &str,
    ) -> (Condition, ErrorType) {
        let answer = self.iq(from, type_, payload).expect("an answer");
        answer.error_condition().expect("a refusal")
    }

    /// Answers the oldest question.
    pub(crate) fn found(&mut self, found: Found) -> Option<Stanza> {
        let (token, _) = self.asked.remove(0);
        self.handle(HostInput::Found { token, found })
    }

    pub(crate) fn handle(&mut self, input: HostInput) -> Option<Stanza> {
        let mut out = Vec::new();
        let mut ctx = Ctx { now: self.now, ids: &mut self.ids };
        self.host.handle(input, &mut ctx, &mut out);
        let mut sent = None;
        for effect in out {
            match effect {
                HostEffect::Send(stanza) => {
                    assert!(sent.is_none(), "one answer to one request");
                    sent = Some(stanza);
                }
                HostEffect::Ask { token, question } => self.asked.push((token, question)),
                other => self.effects.push(other),
            }
        }
        sent
    }

    /// The features that the domain announces.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        self.host.view(Asker::Stranger).info().features
    }
}

/// An account with one bound session and the list that the server uses.
pub(crate) struct Client {
    account: Account,
    address: BareJid,
    ids: Counter,
    /// What the client was sent.
    pub(crate) delivered: Vec<Stanza>,
    /// What was sent to others.
    pub(crate) routed: Vec<Stanza>,
}

impl Client {
    const SESSION: SessionId = SessionId { edge: EdgeId(0), key: 1 };

    pub(crate) fn new(address: &str) -> Self {
        let address = bare(address);
        let account = Account::load(address.clone(), &Saved::default(), crate::account::FEATURES);
        let account = account.expect("nothing was saved");
        let (delivered, routed) = (Vec::new(), Vec::new());
        let mut client = Self { account, address, ids: Counter(0), delivered, routed };
        let resource = Some("balcony".to_owned());
        client.handle(AccountInput::Attach { session: Self::SESSION, resource });
        client
    }

    fn handle(&mut self, input: AccountInput) {
        let mut out = Vec::new();
        let mut ctx = Ctx { now: START, ids: &mut self.ids };
        self.account.handle(input, &mut ctx, &mut out);
        for effect in out {
            match effect {
                AccountEffect::Deliver { stanza, .. } => self.delivered.push(stanza),
                AccountEffect::Route { stanza, .. } => self.routed.push(stanza),
                _ => {}
            }
        }
    }

    fn stanza(from: Jid, to: Option<&str>, type_: &str, payload: &str) -> Stanza {
        let mut iq = Stanza::with_type(Kind::Iq, type_).from_jid(from).with_child(el(payload));
        iq.set_to(to.map(jid));
        iq.element_mut().set_attr("id", "1");
        iq
    }

    /// The client sends a request.
    pub(crate) fn send(&mut self, to: Option<&str>, type_: &str, payload: &str) {
        let from = jid(&format!("{}/balcony", self.address));
        let stanza = Self::stanza(from, to, type_, payload);
        self.handle(AccountInput::FromClient { session: Self::SESSION, stanza, receipt: None });
    }

    /// The client sends a request and is answered by its account.
    pub(crate) fn iq(&mut self, to: Option<&str>, type_: &str, payload: &str) -> Stanza {
        self.send(to, type_, payload);
        self.delivered.pop().expect("an answer")
    }

    /// Somebody else asks the account; hands back what is sent to them.
    pub(crate) fn hear(&mut self, from: &str, type_: &str, payload: &str) -> Stanza {
        let to = self.address.to_string();
        let stanza = Self::stanza(jid(from), Some(&to), type_, payload);
        self.handle(AccountInput::Routed { stanza, receipt: None });
        self.routed.pop().expect("an answer")
    }
}
