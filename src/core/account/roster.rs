//! The roster: items, their versions, and how they are stored (RFC 6121 §2).
//!
//! Every change gets a version of its own, larger than all before; an item remembers its last
//! change and the roster its last removal, so a client that missed only changes gets just those
//! (RFC 6121 §2.6, XEP-0237 #impl-addonly).

use std::collections::BTreeMap;

use super::subscription::State;
use super::{LoadError, RECORD_LIMITS};
use crate::record::{Record, Saved, Table};
use crate::{BareJid, Element, Time, ns, xml};

/// Items: key = the contact's bare JID, value = `<item/>` of `jabber:iq:roster` with our `ver`.
pub(super) const ITEMS: Table = Table("roster");
/// Facts about the roster as a whole: one key, `removed`.
pub(super) const FACTS: Table = Table("roster-facts");
const REMOVED: &[u8] = b"removed";

/// One contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    /// The handle (RFC 6121 §2.1.2.4).
    pub(super) name: Option<String>,
    /// RFC 6121 §2.1.2.6
    pub(super) groups: Vec<String>,
    /// The subscription; `pending_in` is never set here: it lives in `pending.rs`, because a
    /// request alone makes no roster item (RFC 6121 §A.1).
    pub(super) state: State,
    /// The contact's request, should it come, is granted already (RFC 6121 §3.4).
    pub(super) approved: bool,
    /// The roster's version when this item changed last.
    pub(super) ver: u64,
}

impl Item {
    /// The item as a client sees it (RFC 6121 §2.1.2).
    pub(super) fn to_element(&self, jid: &BareJid) -> Element {
        Element::new("item", ns::ROSTER)
            .with_attr("jid", jid.as_str())
            .with_attr_opt("name", self.name.as_deref())
            .with_attr("subscription", self.state.name())
            .with_attr_opt("ask", self.state.pending_out.then_some("subscribe"))
            .with_attr_opt("approved", self.approved.then_some("true"))
            .with_children(
                self.groups.iter().map(|g| Element::new("group", ns::ROSTER).with_text(g)),
            )
    }

    fn from_stored(el: &Element) -> Option<Self> {
        Some(Self {
            name: el.attr("name").map(str::to_owned),
            groups: el.children().map(|g| g.text().into_owned()).collect(),
            state: State::from_names(el.attr("subscription")?, el.attr("ask"))?,
            approved: el.attr("approved") == Some("true"),
            ver: el.attr("ver")?.parse().ok()?,
        })
    }
}

/// What a client that knows some version needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Update<'a> {
    /// The whole roster.
    Full,
    /// Only these, in the order of their changes; possibly none.
    Changes(Vec<(&'a BareJid, &'a Item)>),
}

/// All items of one account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Roster {
    items: BTreeMap<BareJid, Item>,
    /// The version of the last change.
    ver: u64,
    /// The version of the last removal: whoever knows less gets the whole roster.
    removed: u64,
}

impl Roster {
    pub(super) fn load(saved: &Saved) -> Result<Self, LoadError> {
        let unreadable = || LoadError::Unreadable { table: ITEMS };
        let mut roster = Self::default();
        for (key, value) in saved.table(ITEMS) {
            let jid = std::str::from_utf8(key).ok().and_then(|key| BareJid::new(key).ok());
            let el = xml::parse_document(value, &RECORD_LIMITS).map_err(|_| unreadable())?;
            let item = Item::from_stored(&el).ok_or_else(unreadable)?;
            roster.ver = roster.ver.max(item.ver);
            roster.items.insert(jid.ok_or_else(unreadable)?, item);
        }
        if let Some((_, value)) = saved.table(FACTS).find(|(key, _)| *key == REMOVED) {
            let ver = std::str::from_utf8(value).ok().and_then(|ver| ver.parse().ok());
            roster.removed = ver.ok_or(LoadError::Unreadable { table: FACTS })?;
            roster.ver = roster.ver.max(roster.removed);
        }
        Ok(roster)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn item(&self, jid: &BareJid) -> Option<&Item> {
        self.items.get(jid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&BareJid, &Item)> {
        self.items.iter()
    }

    /// The current version, as clients see it: opaque to them (RFC 6121 §2.6.1).
    pub(super) fn ver(&self) -> String {
        self.ver.to_string()
    }

    /// Whether this contact gets the account's presence.
    pub(super) fn is_subscriber(&self, jid: &BareJid) -> bool {
        self.items.get(jid).is_some_and(|item| item.state.from)
    }

    /// The contacts that get the account's presence (`from` and `both`).
    pub(super) fn subscribers(&self) -> impl Iterator<Item = &BareJid> {
        self.items.iter().filter(|(_, item)| item.state.from).map(|(jid, _)| jid)
    }

    /// The contacts whose presence the account gets (`to` and `both`).
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = &BareJid> {
        self.items.iter().filter(|(_, item)| item.state.to).map(|(jid, _)| jid)
    }

    /// What changed since a version that a client knows (RFC 6121 §2.6.3).
    pub(super) fn since(&self, known: Option<&str>) -> Update<'_> {
        let known = match known.and_then(|known| known.parse::<u64>().ok()) {
            Some(known) if known >= self.removed && known <= self.ver => known,
            _ => return Update::Full,
        };
        let mut changes: Vec<_> = self.items.iter().filter(|(_, i)| i.ver > known).collect();
        // One push is about as long as two items of a result.
        if changes.len() * 2 > self.items.len().max(4) {
            return Update::Full;
        }
        changes.sort_by_key(|(_, item)| item.ver);
        Update::Changes(changes)
    }

    /// Sets an item; the record makes it durable.
    pub(super) fn put(
        &mut self,
        owner: &BareJid,
        jid: &BareJid,
        mut item: Item,
        now: Time,
    ) -> Record {
        debug_assert!(!item.state.pending_in);
        item.ver = self.next_ver(now);
        let value = item.to_element(jid).with_attr("ver", item.ver.to_string()).to_document();
        self.items.insert(jid.clone(), item);
        let key = jid.as_str().as_bytes().to_vec();
        Record::Put { owner: owner.clone(), table: ITEMS, key, value }
    }

    /// Removes an item; the records make it durable.
    pub(super) fn remove(&mut self, owner: &BareJid, jid: &BareJid, now: Time) -> [Record; 2] {
        self.items.remove(jid);
        self.removed = self.next_ver(now);
        let (value, key) = (self.removed.to_string().into_bytes(), jid.as_str().as_bytes());
        [
            Record::Delete { owner: owner.clone(), table: ITEMS, key: key.to_vec() },
            Record::Put { owner: owner.clone(), table: FACTS, key: REMOVED.to_vec(), value },
        ]
    }

    /// Versions grow strictly. They follow the clock where it allows, so that the roster of an
    /// account removed and made anew, or put back from an old copy, does not repeat versions that
    /// clients know.
    fn next_ver(&mut self, now: Time) -> u64 {
        self.ver = self.ver.saturating_add(1).max(now.0);
        self.ver
    }
}
