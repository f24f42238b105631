//! Subscription requests that the account has not answered: kept whole, and delivered again to
//! every resource that becomes available until somebody answers (RFC 6121 §3.1.3).

use std::collections::BTreeMap;

use super::{LoadError, RECORD_LIMITS};
use crate::record::{Record, Saved, Table};
use crate::{BareJid, Kind, Stanza, limits, xml};

/// Key = who asks (bare JID), value = the `<presence type='subscribe'/>` as it came.
pub(super) const PENDING: Table = Table("pending");

/// The requests, one per asker.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pending(BTreeMap<BareJid, Stanza>);

impl Pending {
    pub(super) fn load(saved: &Saved) -> Result<Self, LoadError> {
        let unreadable = || LoadError::Unreadable { table: PENDING };
        let mut pending = Self::default();
        for (key, value) in saved.table(PENDING) {
            let jid = std::str::from_utf8(key).ok().and_then(|key| BareJid::new(key).ok());
            let el = xml::parse_document(value, &RECORD_LIMITS).map_err(|_| unreadable())?;
            let stanza = Stanza::from_element(el).map_err(|_| unreadable())?;
            pending.0.insert(jid.ok_or_else(unreadable)?, stanza);
        }
        Ok(pending)
    }

    pub(super) fn contains(&self, jid: &BareJid) -> bool {
        self.0.contains_key(jid)
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= limits::PENDING_SUBSCRIPTIONS
    }

    pub(super) fn stanzas(&self) -> impl Iterator<Item = &Stanza> {
        self.0.values()
    }

    /// Keeps a request. Of one that is too long only the question is kept.
    pub(super) fn put(&mut self, owner: &BareJid, jid: &BareJid, mut stanza: Stanza) -> Record {
        let mut value = stanza.element().to_document();
        if value.len() > limits::PENDING_SUBSCRIPTION_BYTES {
            let bare = Stanza::with_type(Kind::Presence, "subscribe");
            stanza = bare.from_jid(jid.clone()).to_jid(owner.clone());
            value = stanza.element().to_document();
        }
        self.0.insert(jid.clone(), stanza);
        let key = jid.as_str().as_bytes().to_vec();
        Record::Put { owner: owner.clone(), table: PENDING, key, value }
    }

    /// Forgets a request that was answered or taken back; `None` if there is none.
    pub(super) fn remove(&mut self, owner: &BareJid, jid: &BareJid) -> Option<Record> {
        self.0.remove(jid)?;
        let key = jid.as_str().as_bytes().to_vec();
        Some(Record::Delete { owner: owner.clone(), table: PENDING, key })
    }
}
