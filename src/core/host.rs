//! What a domain of ours answers: RFC 6120 §10.5.1 as a pure machine with a list of features.
//!
//! A [`Host`] takes every stanza that is addressed to the domain itself, with or without a
//! resource. It enforces the rules of IQ stanzas, hands requests down its ordered list of
//! [`HostFeature`]s, and keeps requests that wait for somebody else (the identity service, the
//! count of sessions). What a feature declares is announced by XEP-0030 only while the feature is
//! active, so advertisement and behaviour cannot part. Accounts and rooms are other machines.

mod feature;
mod rules;
mod settings;

use std::collections::HashMap;
use std::sync::Arc;

use crate::feature::Answer;
use crate::limits::{HOST_CONTACT_INTERVAL, HOST_CONTACTS, HOST_PATIENCE, HOST_WAITING};
use crate::session::Receipt;
use crate::spec::Xep;
use crate::{
    BareJid, Condition, Ctx, Element, ErrorType, Kind, Reject, Stanza, StreamError, Time, ns,
};
use rules::handed_on_by;

pub use feature::{Asker, Found, HostFeature, HostView, Question, Slot, Turn};
pub use rules::{asker, check_iq, hand_on, refusal};
pub use settings::{
    Access, Contacts, ExternalService, HostSettings, Invitations, Service, Software,
};

/// What a domain hears.
#[derive(Clone, Debug)]
pub enum HostInput {
    /// A stanza for the domain; `from` and `to` are set and `from` has been checked.
    Stanza {
        /// The stanza.
        stanza: Stanza,
        /// Whom to tell that it was handled.
        receipt: Option<Receipt>,
    },
    /// The answer to a question.
    Found {
        /// Which question.
        token: Token,
        /// The answer.
        found: Found,
    },
    /// The operator has changed the settings.
    Settings(Arc<HostSettings>),
    /// Some time has passed; at least every ten seconds while something waits.
    Tick,
}

/// What a domain wants done; carried out in order.
#[derive(Clone, Debug)]
pub enum HostEffect {
    /// Route a stanza, complete with `from` and `to`.
    Send(Stanza),
    /// Ask somebody; the answer comes back as [`HostInput::Found`].
    Ask {
        /// Comes back with the answer.
        token: Token,
        /// What is asked.
        question: Question,
    },
    /// An account is gone: its shard forgets what it has of it and ends its sessions with this
    /// error.
    Removed {
        /// The account.
        account: BareJid,
        /// What its sessions are told.
        error: StreamError,
    },
    /// The stanza of this receipt was handled.
    Handled(Receipt),
}

/// Names a question until it is answered; never used twice by one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A request that waits for an answer.
struct Waiting {
    feature: usize,
    query: Stanza,
    memo: u64,
    since: Time,
    /// The peer was told that it took too long; what is found is still acted upon.
    given_up: bool,
}

/// The machine of one domain.
pub struct Host {
    domain: BareJid,
    settings: Arc<HostSettings>,
    started: Time,
    features: &'static [&'static dyn HostFeature],
    others: Vec<&'static Xep>,
    slots: Vec<Slot>,
    waiting: HashMap<Token, Waiting>,
    next_token: u64,
    /// Messages to administrators that may still be passed on, and since when.
    contacts_left: u32,
    contacts_since: Time,
}

impl Host {
    /// A domain with its ordered list of features; `others` are heads of the other plug points
    /// whose features the domain announces.
    pub fn new(
        domain: BareJid,
        settings: Arc<HostSettings>,
        features: &'static [&'static dyn HostFeature],
        others: Vec<&'static Xep>,
        started: Time,
    ) -> Self {
        debug_assert!(domain.node().is_none(), "a host is a domain");
        Self {
            domain,
            settings,
            started,
            features,
            others,
            slots: features.iter().map(|_| Slot::default()).collect(),
            waiting: HashMap::new(),
            next_token: 0,
            contacts_left: HOST_CONTACTS,
            contacts_since: started,
        }
    }

    /// The domain.
    pub fn domain(&self) -> &BareJid {
        &self.domain
    }

    /// Whether something waits, so that [`HostInput::Tick`] is needed.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The host as features see it when `asker` asks; also what the stream features advertise from.
    pub fn view(&self, asker: Asker) -> HostView<'_> {
        HostView {
            domain: &self.domain,
            settings: &self.settings,
            started: self.started,
            asker,
            from: None,
            others: &self.others,
            features: self.features,
        }
    }

    /// Handles one input.
    pub fn handle(&mut self, input: HostInput, c: &mut Ctx<'_>, out: &mut Vec<HostEffect>) {
        match input {
            HostInput::Stanza { stanza, receipt } => {
                self.stanza(stanza, c, out);
                out.extend(receipt.map(HostEffect::Handled));
            }
            HostInput::Found { token, found } => self.found(token, found, c, out),
            HostInput::Settings(settings) => self.settings = settings,
            HostInput::Tick => self.tick(c.now, out),
        }
    }

    fn stanza(&mut self, mut stanza: Stanza, c: &mut Ctx<'_>, out: &mut Vec<HostEffect>) {
        if let Some(account) = handed_on_by(&stanza, &self.domain) {
            stanza.set_to(Some(account.into()));
        }
        let refused = match stanza.kind() {
            // RFC 6120 §10.5.1: nothing here has presence, and an error would only make noise.
            Kind::Presence => Ok(()),
            Kind::Message => self.message(&stanza, c.now, out),
            Kind::Iq => match check_iq(&stanza) {
                Ok(()) if stanza.is_request() => {
                    self.request(stanza, c, out);
                    return;
                }
                // RFC 6120 §8.2.3: results and errors are never answered; nobody here had asked.
                checked => checked,
            },
        };
        if let Err(reject) = refused {
            out.extend(refusal(&stanza, &reject).map(HostEffect::Send));
        }
    }

    /// RFC 6120 §10.5.1: a message to the domain is for its administrators, if it has any.
    fn message(
        &mut self,
        stanza: &Stanza,
        now: Time,
        out: &mut Vec<HostEffect>,
    ) -> Result<(), Reject> {
        const RULE: &str = "RFC 6120 §10.5.1";
        let Some(from) = stanza.from().filter(|from| from.node().is_some()) else {
            return Ok(()); // another server; two hosts must not talk to each other for ever
        };
        let Some(body) = stanza.element().child("body", ns::CLIENT) else { return Ok(()) };
        match stanza.type_() {
            Some("error") => return Ok(()),
            Some("groupchat") => return Err(Reject::new(Condition::ServiceUnavailable, RULE)),
            _ if self.settings.administrators.is_empty() => {
                return Err(Reject::new(Condition::ServiceUnavailable, RULE));
            }
            _ => {}
        }
        if !self.may_contact(now) {
            return Err(Reject::new(Condition::ResourceConstraint, RULE)
                .text("Too many messages for the administrators; try again later."));
        }
        let text = format!("Message to {} from {from}:\n{}", self.domain, body.text());
        let subject = stanza.element().child("subject", ns::CLIENT);
        for administrator in &self.settings.administrators {
            let mut copy = Stanza::with_type(Kind::Message, "chat")
                .from_jid(self.domain.clone())
                .to_jid(administrator.clone());
            if let Some(subject) = subject {
                copy.element_mut().push(subject.clone());
            }
            copy.element_mut().push(Element::new("body", ns::CLIENT).with_text(&text));
            out.push(HostEffect::Send(copy));
        }
        Ok(())
    }

    fn may_contact(&mut self, now: Time) -> bool {
        let interval = HOST_CONTACT_INTERVAL.as_millis().max(1) as u64;
        let gained = now.since(self.contacts_since).as_millis() as u64 / interval;
        if gained > 0 {
            let gained = u32::try_from(gained).unwrap_or(HOST_CONTACTS);
            self.contacts_left = self.contacts_left.saturating_add(gained).min(HOST_CONTACTS);
            self.contacts_since = now;
        }
        let may = self.contacts_left > 0;
        self.contacts_left = self.contacts_left.saturating_sub(1);
        may
    }

    fn request(&mut self, query: Stanza, c: &mut Ctx<'_>, out: &mut Vec<HostEffect>) {
        for index in 0..self.features.len() {
            if !self.features[index].active(&self.settings) {
                continue;
            }
            let said = self.call(index, &query, c, |feature, turn| feature.iq(&query, turn));
            if said.answer != Answer::Pass {
                return self.conclude(index, query, false, said, c.now, out);
            }
            debug_assert!(said.effects.is_empty(), "who passes has no effects");
        }
        // RFC 6120 §8.3.3.19: nobody serves this namespace here.
        let reject = Reject::new(Condition::ServiceUnavailable, "RFC 6120 §8.3.3.19");
        out.extend(query.error(&reject).map(HostEffect::Send));
    }

    fn found(&mut self, token: Token, found: Found, c: &mut Ctx<'_>, out: &mut Vec<HostEffect>) {
        let Some(waiting) = self.waiting.remove(&token) else { return };
        let Waiting { feature, query, memo, given_up, .. } = waiting;
        let said = self.call(feature, &query, c, |f, turn| f.found(&query, memo, found, turn));
        self.conclude(feature, query, given_up, said, c.now, out);
    }

    fn call(
        &mut self,
        index: usize,
        query: &Stanza,
        c: &mut Ctx<'_>,
        run: impl FnOnce(&dyn HostFeature, &mut Turn<'_, '_>) -> Answer,
    ) -> Said {
        let asker = asker(&self.domain, &self.settings, query.from());
        let view = HostView {
            domain: &self.domain,
            settings: &self.settings,
            started: self.started,
            asker,
            from: query.from(),
            others: &self.others,
            features: self.features,
        };
        let mut effects = Vec::new();
        let slot = &mut self.slots[index];
        let mut turn = Turn { view, slot, ctx: c, effects: &mut effects, asked: None };
        let answer = run(self.features[index], &mut turn);
        let asked = turn.asked.take();
        Said { answer, asked, effects }
    }

    fn conclude(
        &mut self,
        feature: usize,
        query: Stanza,
        given_up: bool,
        said: Said,
        now: Time,
        out: &mut Vec<HostEffect>,
    ) {
        let answer = match (said.answer, said.asked) {
            (Answer::Later, Some(_)) if self.waiting.len() >= HOST_WAITING => {
                let reject = Reject::new(Condition::ResourceConstraint, "RFC 6120 §8.3.3.18");
                query.error(&reject)
            }
            (Answer::Later, Some((memo, question))) => {
                let token = Token(self.next_token);
                self.next_token += 1;
                out.push(HostEffect::Ask { token, question });
                let waiting = Waiting { feature, query, memo, since: now, given_up };
                self.waiting.insert(token, waiting);
                None
            }
            (Answer::Result(payload), _) => Some(query.result(payload)),
            (Answer::Reject(reject), _) => query.error(&reject),
            (Answer::Pass | Answer::Later, _) => {
                debug_assert!(false, "nobody would ever answer this request");
                query.error(&Reject::new(Condition::InternalServerError, "RFC 6120 §8.3.3.6"))
            }
        };
        // The answer goes first: what is done besides may end the session that waits for it.
        out.extend(answer.filter(|_| !given_up).map(HostEffect::Send));
        out.extend(said.effects);
    }

    /// Tells peers whose request nobody has answered in time; forgets what is beyond hope.
    fn tick(&mut self, now: Time, out: &mut Vec<HostEffect>) {
        let reject = Reject::new(Condition::InternalServerError, "RFC 6120 §8.2.3")
            .kind(ErrorType::Wait)
            .text("This takes too long; try again later.");
        let mut late: Vec<_> = self
            .waiting
            .iter_mut()
            .filter(|(_, w)| !w.given_up && now.since(w.since) >= HOST_PATIENCE)
            .collect();
        late.sort_unstable_by_key(|(token, _)| **token);
        for (_, waiting) in late {
            waiting.given_up = true;
            out.extend(waiting.query.error(&reject).map(HostEffect::Send));
        }
        self.waiting.retain(|_, w| now.since(w.since) < HOST_PATIENCE * 20);
    }
}

/// What a feature has said in one call.
struct Said {
    answer: Answer,
    asked: Option<(u64, Question)>,
    effects: Vec<HostEffect>,
}

#[cfg(test)]
mod tests;
