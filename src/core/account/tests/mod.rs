//! Tests of the account machine, by section of RFC 6121.

mod delivery;
mod handshakes;
mod presence;
mod random;
mod roster;
mod sessions;

use super::roster::Item;
use super::*;
use crate::record::Saved;
use crate::session::EdgeId;
use crate::{Element, Ids, Time, xml};

/// Identifiers that a replay repeats.
#[derive(Default)]
pub(super) struct Counter(u64);

impl Ids for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 += 1;
        out.fill(0);
        for (to, from) in out.iter_mut().zip(self.0.to_be_bytes()) {
            *to = from;
        }
    }
}

/// One account on a desk: with a clock, identifiers and the tables that its records make.
pub(super) struct Desk {
    pub(super) account: Account,
    pub(super) now: Time,
    pub(super) saved: Saved,
    ids: Counter,
}

pub(super) fn bare(jid: &str) -> BareJid {
    BareJid::new(jid).unwrap()
}

pub(super) fn id(key: u64) -> SessionId {
    SessionId { edge: EdgeId(0), key }
}

pub(super) fn receipt(nth: u32) -> Receipt {
    Receipt { session: id(99), nth }
}

/// A stanza from XML without a namespace declaration.
pub(super) fn stanza(text: &str) -> Stanza {
    let document = format!("<x xmlns='jabber:client'>{text}</x>");
    let parent = xml::parse_document(document.as_bytes(), &RECORD_LIMITS).expect("XML");
    let el: Element = parent.children().next().expect("an element").clone();
    Stanza::from_element(el).expect("a stanza")
}

impl Desk {
    pub(super) fn new(jid: &str) -> Self {
        Self::with_features(jid, &[])
    }

    pub(super) fn with_features(
        jid: &str,
        features: &'static [&'static dyn AccountFeature],
    ) -> Self {
        let saved = Saved::default();
        let account = Account::load(bare(jid), &saved, features).unwrap();
        Self { account, now: Time(1_795_000_000_000), saved, ids: Counter::default() }
    }

    pub(super) fn handle(&mut self, input: AccountInput) -> Vec<AccountEffect> {
        let mut out = Vec::new();
        let mut ctx = Ctx { now: self.now, ids: &mut self.ids };
        self.account.handle(input, &mut ctx, &mut out);
        for effect in &out {
            if let AccountEffect::Store(record) = effect {
                apply(&mut self.saved, record);
            }
        }
        out
    }

    /// Binds session `key` to a resource.
    pub(super) fn bind(&mut self, key: u64, resource: &str) -> Vec<AccountEffect> {
        self.handle(AccountInput::Attach { session: id(key), resource: Some(resource.into()) })
    }

    /// Binds and becomes available with this priority.
    pub(super) fn online(&mut self, key: u64, resource: &str, priority: i8) {
        self.bind(key, resource);
        self.client(key, &format!("<presence><priority>{priority}</priority></presence>"));
    }

    /// A stanza from the client of a session, `from` set as the edge does.
    pub(super) fn client(&mut self, key: u64, text: &str) -> Vec<AccountEffect> {
        self.client_stanza(key, stanza(text), None)
    }

    pub(super) fn client_stanza(
        &mut self,
        key: u64,
        mut stanza: Stanza,
        receipt: Option<Receipt>,
    ) -> Vec<AccountEffect> {
        let session = id(key);
        let jid = self.account.resources.by_session(session).map(|r| r.jid.clone());
        stanza.set_from(jid.map(Jid::from));
        self.handle(AccountInput::FromClient { session, stanza, receipt })
    }

    /// A stanza from anybody else.
    pub(super) fn routed(&mut self, text: &str) -> Vec<AccountEffect> {
        self.handle(AccountInput::Routed { stanza: stanza(text), receipt: None })
    }

    pub(super) fn detach(&mut self, key: u64, undelivered: &[&str]) -> Vec<AccountEffect> {
        let undelivered = undelivered.iter().map(|text| stanza(text)).collect();
        self.handle(AccountInput::Detach { session: id(key), reason: None, undelivered })
    }

    /// A roster item by a roster set, and its state by hand: where a test begins.
    pub(super) fn contact(&mut self, jid: &str, subscription: &str, ask: Option<&str>) {
        let state = subscription::State::from_names(subscription, ask).unwrap();
        let item = Item { state, ..Item::default() };
        let owner = self.account.jid.clone();
        let record = self.account.roster.put(&owner, &bare(jid), item, self.now);
        apply(&mut self.saved, &record);
    }

    pub(super) fn state(&self, jid: &str) -> subscription::State {
        self.account.state_of(&bare(jid))
    }

    /// The same account, loaded from what was stored.
    pub(super) fn reload(&mut self) {
        let (jid, features) = (self.account.jid.clone(), self.account.features);
        self.account = Account::load(jid, &self.saved, features).unwrap();
    }
}

/// What a store does to tables.
pub(super) fn apply(saved: &mut Saved, record: &Record) {
    match record {
        Record::Put { table, key, value, .. } => {
            saved.rows.retain(|(t, k, _)| (t.as_str(), k) != (table.0, key));
            saved.rows.push((table.0.to_owned(), key.clone(), value.clone()));
            saved.rows.sort();
        }
        Record::Delete { table, key, .. } => {
            saved.rows.retain(|(t, k, _)| (t.as_str(), k) != (table.0, key));
        }
        Record::Forget { .. } => saved.rows.clear(),
        Record::Append { .. } | Record::Trim { .. } | Record::Event { .. } => {}
    }
}

/// What session `key` was sent, as XML.
pub(super) fn to(effects: &[AccountEffect], key: u64) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            AccountEffect::Deliver { session, stanza } if *session == id(key) => {
                Some(stanza.element().to_string())
            }
            _ => None,
        })
        .collect()
}

/// What was routed to others, as XML.
pub(super) fn routes(effects: &[AccountEffect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            AccountEffect::Route { stanza, .. } => Some(stanza.element().to_string()),
            _ => None,
        })
        .collect()
}

/// What was routed to others.
pub(super) fn routed_stanzas(effects: &[AccountEffect]) -> Vec<Stanza> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            AccountEffect::Route { stanza, .. } => Some(stanza.clone()),
            _ => None,
        })
        .collect()
}

/// `type from->to` of every stanza said, for tests about who hears what.
pub(super) fn brief(effects: &[AccountEffect]) -> Vec<String> {
    let line = |door: &str, stanza: &Stanza| {
        let type_ = stanza.type_().unwrap_or("-");
        let jid = |jid: Option<&Jid>| jid.map_or("-".to_owned(), |jid| jid.as_str().to_owned());
        format!("{door} {type_} {}->{}", jid(stanza.from()), jid(stanza.to()))
    };
    effects
        .iter()
        .filter_map(|effect| match effect {
            AccountEffect::Deliver { session, stanza } => {
                Some(line(&session.key.to_string(), stanza))
            }
            AccountEffect::Route { stanza, .. } => Some(line("out", stanza)),
            _ => None,
        })
        .collect()
}

/// The condition of the only error among the stanzas, with its type.
pub(super) fn refused(effects: &[AccountEffect]) -> Option<(crate::Condition, crate::ErrorType)> {
    let errors: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            AccountEffect::Deliver { stanza, .. } | AccountEffect::Route { stanza, .. } => {
                stanza.error_condition()
            }
            _ => None,
        })
        .collect();
    assert!(errors.len() <= 1, "one refusal at most: {errors:?}");
    errors.first().copied()
}
