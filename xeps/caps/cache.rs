//! What clients can, as far as it was proved.
//!
//! A claim (`<c/>` in presence) is only a question: the first client that makes it is asked, its
//! answer is hashed, and only an answer that hashes to the claim is kept, under hash function and
//! full hash. A client whose answer did not fit is not asked again about the same claim; another
//! one is.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use oc_core::{Ctx, Element, Jid, Kind, Stanza, ns};

use super::hash::{Algorithm, hash};

/// Capabilities that are kept.
const ENTRIES: usize = 2_000;
/// Questions that may be open.
const OPEN: usize = 1_000;
/// Clients remembered for an answer that did not fit.
const LIARS: usize = 1_000;
/// Features and identities of one entry.
const PARTS: usize = 512;
/// Bytes of a claim's node and hash.
const CLAIM_BYTES: usize = 1_024;

/// What an entity says it can: hash function and hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The function.
    pub algorithm: Algorithm,
    /// The whole hash, base64.
    pub ver: Box<str>,
}

impl Claim {
    /// The claim in a presence stanza, and the node to ask for it; `None` for the legacy format and
    /// for functions that we do not have (XEP-0115 #ver-proc, 1 and 2).
    pub fn read(presence: &Stanza) -> Option<(Self, String)> {
        let c = presence.element().child("c", ns::CAPS)?;
        let algorithm = Algorithm::from_name(c.attr("hash")?)?;
        let (node, ver) = (c.attr("node")?, c.attr("ver")?);
        if node.len() + ver.len() > CLAIM_BYTES {
            return None;
        }
        Some((Self { algorithm, ver: ver.into() }, format!("{node}#{ver}")))
    }
}

/// What an entity can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Category and type of its identities.
    pub identities: Vec<(Box<str>, Box<str>)>,
    features: Vec<Box<str>>,
}

impl Capabilities {
    fn read(query: &Element) -> Option<Self> {
        if query.children().count() > PARTS {
            return None;
        }
        let attr = |el: &Element, name| el.attr(name).unwrap_or_default().into();
        let mut features: Vec<Box<str>> = query
            .children()
            .filter(|c| c.is("feature", ns::DISCO_INFO))
            .map(|c| attr(c, "var"))
            .collect();
        features.sort_unstable();
        let identities = query
            .children()
            .filter(|c| c.is("identity", ns::DISCO_INFO))
            .map(|c| (attr(c, "category"), attr(c, "type")))
            .collect();
        Some(Self { identities, features })
    }

    /// Whether it can this.
    pub fn has(&self, feature: &str) -> bool {
        self.features.binary_search_by(|known| (**known).cmp(feature)).is_ok()
    }
}

/// A question that was sent.
struct Open {
    id: String,
    to: Jid,
    claim: Claim,
}

/// Proved capabilities, bounded in every direction; the oldest entries go first.
#[derive(Default)]
pub struct Cache {
    entries: HashMap<Claim, Arc<Capabilities>>,
    order: VecDeque<Claim>,
    open: VecDeque<Open>,
    liars: VecDeque<(Jid, Claim)>,
}

impl Cache {
    /// What an entity with this claim can, if it was proved.
    pub fn get(&self, claim: &Claim) -> Option<Arc<Capabilities>> {
        self.entries.get(claim).cloned()
    }

    /// Hears a presence stanza; the question to send if its claim is new (XEP-0115 #discover).
    ///
    /// `us` is the address that asks, and to which the answer comes.
    pub fn heard(&mut self, presence: &Stanza, us: &Jid, c: &mut Ctx<'_>) -> Option<Stanza> {
        let from = presence.from()?;
        let (claim, node) = Claim::read(presence)?;
        let known = self.entries.contains_key(&claim)
            || self.open.iter().any(|open| open.claim == claim)
            || self.liars.iter().any(|(liar, said)| liar == from && *said == claim);
        if known {
            return None;
        }
        let id = c.id();
        let mut ask = Stanza::with_type(Kind::Iq, "get").from_jid(us.clone()).to_jid(from.clone());
        ask.element_mut().set_attr("id", &id);
        ask.element_mut().push(Element::new("query", ns::DISCO_INFO).with_attr("node", node));
        push(&mut self.open, OPEN, Open { id, to: from.clone(), claim });
        Some(ask)
    }

    /// Hears the answer to a question of [`Self::heard`]; whether it was one.
    pub fn answered(&mut self, answer: &Stanza) -> bool {
        let index = self
            .open
            .iter()
            .position(|open| answer.id() == Some(&open.id) && answer.from() == Some(&open.to));
        let Some(Open { to, claim, .. }) = index.and_then(|index| self.open.remove(index)) else {
            return false;
        };
        let query = answer.payload().filter(|_| answer.type_() == Some("result"));
        let proved = query
            .filter(|query| hash(query, claim.algorithm).is_ok_and(|sum| *sum == *claim.ver))
            .and_then(Capabilities::read);
        match proved {
            Some(capabilities) => self.keep(claim, capabilities),
            None => push(&mut self.liars, LIARS, (to, claim)),
        }
        true
    }

    fn keep(&mut self, claim: Claim, capabilities: Capabilities) {
        if self.entries.insert(claim.clone(), Arc::new(capabilities)).is_some() {
            return;
        }
        self.order.push_back(claim);
        if self.order.len() > ENTRIES
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }

    /// Entries that are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn push<T>(queue: &mut VecDeque<T>, max: usize, item: T) {
    if queue.len() >= max {
        queue.pop_front();
    }
    queue.push_back(item);
}
