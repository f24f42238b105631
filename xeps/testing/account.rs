//! An account for tests, with the store that its records make.

use std::collections::BTreeMap;
use std::time::Duration;

use oc_core::account::{
    Account, AccountEffect, AccountFeature, AccountInput, FoundPage, Look, RECORD_LIMITS,
};
use oc_core::record::{Entry, Log, Record, Saved, Seq};
use oc_core::session::{EdgeId, SessionId};
use oc_core::xml::parse_document;
use oc_core::{Ctx, Jid, Stanza, Time, ns};

use super::{Counter, START, bare};

/// `juliet@capulet.com`, her store, and the questions that nobody has answered yet.
pub(crate) struct Juliet {
    account: Account,
    features: &'static [&'static dyn AccountFeature],
    ids: Counter,
    pub(crate) now: Time,
    saved: Saved,
    logs: BTreeMap<Log, Vec<Entry>>,
    next: u64,
    looks: Vec<Look>,
    /// Whether the store answers at once; otherwise [`Juliet::answer`] does.
    pub(crate) prompt: bool,
}

pub(crate) const JULIET: &str = "juliet@capulet.com";

/// A stanza without a namespace declaration.
pub(crate) fn stanza(text: &str) -> Stanza {
    let document = format!("<x xmlns='{}'>{text}</x>", ns::CLIENT);
    let parent = parse_document(document.as_bytes(), &RECORD_LIMITS).expect("XML");
    let el = parent.children().next().expect("an element").clone();
    Stanza::from_element(el).expect("a stanza")
}

pub(crate) fn session(key: u64) -> SessionId {
    SessionId { edge: EdgeId(0), key }
}

impl Juliet {
    pub(crate) fn new(features: &'static [&'static dyn AccountFeature]) -> Self {
        let saved = Saved::default();
        let account = Account::load(bare(JULIET), &saved, features).expect("nothing to read");
        Self {
            account,
            features,
            ids: Counter(0),
            now: START,
            saved,
            logs: BTreeMap::new(),
            next: 0,
            looks: Vec::new(),
            prompt: true,
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    pub(crate) fn handle(&mut self, input: AccountInput) -> Vec<AccountEffect> {
        let mut out = Vec::new();
        let mut ctx = Ctx { now: self.now, ids: &mut self.ids };
        self.account.handle(input, &mut ctx, &mut out);
        for effect in &out {
            match effect {
                AccountEffect::Store(record) => self.store(record),
                AccountEffect::Look(look) => self.looks.push(*look),
                _ => {}
            }
        }
        while self.prompt && !self.looks.is_empty() {
            out.extend(self.answer());
        }
        out
    }

    /// The store answers its oldest question.
    pub(crate) fn answer(&mut self) -> Vec<AccountEffect> {
        let look = self.looks.remove(0);
        let entries = self.logs.get(&look.log).map_or(&[][..], Vec::as_slice);
        let behind: Vec<_> = entries.iter().filter(|e| e.seq > look.after).cloned().collect();
        let most = usize::try_from(look.entries_max).expect("small");
        let complete = behind.len() <= most;
        let entries = behind.into_iter().take(most).collect();
        self.handle(AccountInput::Found { look, page: Some(FoundPage { entries, complete }) })
    }

    /// The store answers its oldest question, if there is one.
    pub(crate) fn answer_any(&mut self) -> Vec<AccountEffect> {
        if self.looks.is_empty() { Vec::new() } else { self.answer() }
    }

    /// The store cannot answer its oldest question.
    pub(crate) fn fail(&mut self) -> Vec<AccountEffect> {
        let look = self.looks.remove(0);
        self.handle(AccountInput::Found { look, page: None })
    }

    fn store(&mut self, record: &Record) {
        match record {
            Record::Put { table, key, value, .. } => {
                self.saved.rows.retain(|(t, k, _)| (t.as_str(), k) != (table.0, key));
                self.saved.rows.push((table.0.to_owned(), key.clone(), value.clone()));
            }
            Record::Delete { table, key, .. } => {
                self.saved.rows.retain(|(t, k, _)| (t.as_str(), k) != (table.0, key));
            }
            Record::Append { log, at, label, value, .. } => {
                self.next += 1;
                let entry =
                    Entry { seq: Seq(self.next), at: *at, label: *label, value: value.clone() };
                self.logs.entry(*log).or_default().push(entry);
            }
            Record::Trim { log, through, .. } => {
                self.logs.entry(*log).or_default().retain(|e| e.seq > *through);
            }
            Record::Forget { .. } | Record::Event { .. } => {}
        }
    }

    /// How many entries the account's logs have.
    pub(crate) fn entries(&self) -> usize {
        self.logs.values().map(Vec::len).sum()
    }

    /// What is stored under a key of a table, as text.
    pub(crate) fn row(&self, table: &str, key: &str) -> Option<String> {
        let (.., value) =
            self.saved.rows.iter().find(|(t, k, _)| t == table && k == key.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The process has crashed: what was stored is all there is.
    pub(crate) fn crash(&mut self) {
        self.looks.clear();
        self.account =
            Account::load(bare(JULIET), &self.saved, self.features).expect("readable rows");
    }

    pub(crate) fn bind(&mut self, key: u64, resource: &str) {
        let resource = Some(resource.to_owned());
        self.handle(AccountInput::Attach { session: session(key), resource });
    }

    /// Session `key` binds the resource `r{key}` and becomes available.
    pub(crate) fn online(&mut self, key: u64) -> Vec<AccountEffect> {
        self.bind(key, &format!("r{key}"));
        self.client(key, "<presence/>")
    }

    pub(crate) fn client(&mut self, key: u64, text: &str) -> Vec<AccountEffect> {
        let mut stanza = stanza(text);
        stanza.set_from(Jid::new(&format!("{JULIET}/r{key}")).ok());
        self.handle(AccountInput::FromClient { session: session(key), stanza, receipt: None })
    }

    pub(crate) fn routed(&mut self, text: &str) -> Vec<AccountEffect> {
        self.handle(AccountInput::Routed { stanza: stanza(text), receipt: None })
    }

    pub(crate) fn detach(&mut self, key: u64, undelivered: Vec<Stanza>) -> Vec<AccountEffect> {
        self.handle(AccountInput::Detach { session: session(key), reason: None, undelivered })
    }

    /// A contact that may see Juliet's presence.
    pub(crate) fn subscriber(&mut self, jid: &str) {
        self.bind(90, "r90");
        self.routed(&format!("<presence from='{jid}' to='{JULIET}' type='subscribe'/>"));
        self.client(90, &format!("<presence to='{jid}' type='subscribed'/>"));
        self.detach(90, vec![]);
    }
}

/// The messages that a session was sent.
pub(crate) fn messages(effects: &[AccountEffect], key: u64) -> Vec<Stanza> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            AccountEffect::Deliver { session: to, stanza }
                if *to == session(key) && stanza.element().name() == "message" =>
            {
                Some(stanza.clone())
            }
            _ => None,
        })
        .collect()
}

/// What was sent to others.
pub(crate) fn routes(effects: &[AccountEffect]) -> Vec<Stanza> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            AccountEffect::Route { stanza, .. } => Some(stanza.clone()),
            _ => None,
        })
        .collect()
}
