//! The plug point for extensions that belong to an account: they see all of its resources.
//!
//! A feature is a value without state of its own; what it remembers of one account lives in a
//! [`Slot`] that only it can read. The order of the list in `xeps/account.rs` is the order of the
//! calls.

use std::any::Any;

use super::resources::Resources;
use super::roster::Roster;
use super::{AccountEffect, FoundPage, LoadError, Look};
use crate::feature::Answer;
use crate::record::{Log, Record, Saved, Seq};
use crate::session::SessionId;
use crate::spec::Xep;
use crate::{BareJid, Ctx, FullJid, Jid, Reject, Stanza};

/// An extension of accounts; every hook has a default that does nothing.
pub trait AccountFeature: Sync {
    /// What it implements; disco announces the namespaces.
    fn xep(&self) -> &'static Xep;

    /// Reads what it remembers of one account.
    ///
    /// # Errors
    /// [`LoadError`] when a stored value cannot be read: the account is then not served at all.
    fn load(&self, _jid: &BareJid, _saved: &Saved) -> Result<Slot, LoadError> {
        Ok(Slot::none())
    }

    /// An IQ `get` or `set` for the account's bare JID, from anybody (RFC 6121 §8.5.2.1.3):
    /// whoever may not ask must be refused by the feature. The first answer that is not
    /// [`Answer::Pass`] counts.
    fn iq(&self, _request: &Stanza, _turn: &mut Turn<'_, '_>) -> Answer {
        Answer::Pass
    }

    /// An IQ `get` or `set` from somebody else to a full JID of the account, bound or not: whether
    /// it may be delivered.
    ///
    /// # Errors
    /// The refusal to send instead.
    fn pass_iq(&self, _request: &Stanza, _turn: &mut Turn<'_, '_>) -> Result<(), Reject> {
        Ok(())
    }

    /// A message that no resource can take now. `Ok(true)`: it is kept; `Ok(false)`: ask the next.
    ///
    /// # Errors
    /// The refusal to send back; nobody else is asked.
    fn keep(&self, _message: &Stanza, _turn: &mut Turn<'_, '_>) -> Result<bool, Reject> {
        Ok(false)
    }

    /// A resource can take messages for the bare JID from now on: it is available with a priority
    /// that is not negative, and was not before.
    fn available(&self, _session: SessionId, _turn: &mut Turn<'_, '_>) {}

    /// A resource is no longer available. `presence` is what others were told, with its
    /// `<status/>`.
    fn unavailable(&self, _presence: &Stanza, _turn: &mut Turn<'_, '_>) {}

    /// A stanza came from this session, so its client is alive.
    fn heard(&self, _session: SessionId, _turn: &mut Turn<'_, '_>) {}

    /// A session has ended, and these stanzas never reached its client. What the feature removes
    /// from the list is its own business; the account handles the rest again.
    fn detached(
        &self,
        _session: SessionId,
        _undelivered: &mut Vec<Stanza>,
        _turn: &mut Turn<'_, '_>,
    ) {
    }

    /// The answer to [`Turn::look`]; `None` when the store could not give one. It may be the
    /// answer to a question of this account's life before it was loaded anew.
    fn found(&self, _look: &Look, _page: Option<FoundPage>, _turn: &mut Turn<'_, '_>) {}
}

/// What a feature remembers of one account.
pub struct Slot(Option<Box<dyn Any + Send>>);

impl Slot {
    /// Nothing to remember.
    pub fn none() -> Self {
        Self(None)
    }

    /// State of the feature's own type.
    pub fn new<T: Send + 'static>(state: T) -> Self {
        Self(Some(Box::new(state)))
    }

    /// The state; a fresh one if there is none of this type.
    pub fn state<T: Default + Send + 'static>(&mut self) -> &mut T {
        if !self.0.as_ref().is_some_and(|state| state.is::<T>()) {
            self.0 = Some(Box::<T>::default());
        }
        self.0.as_mut().and_then(|state| state.downcast_mut()).expect("was set to a T just above")
    }
}

/// What a feature may see and do while one input is handled.
pub struct Turn<'a, 'c> {
    /// The account, read-only.
    pub account: View<'a>,
    /// What the feature remembers of it.
    pub slot: &'a mut Slot,
    /// Time and identifiers.
    pub ctx: &'a mut Ctx<'c>,
    pub(super) index: u16,
    pub(super) out: &'a mut Vec<AccountEffect>,
}

impl Turn<'_, '_> {
    /// Writes a record before any later effect is carried out.
    pub fn store(&mut self, record: Record) {
        debug_assert_eq!(record.owner(), self.account.jid());
        self.out.push(AccountEffect::Store(record));
    }

    /// Sends a stanza to a client of the account.
    pub fn deliver(&mut self, session: SessionId, stanza: Stanza) {
        self.out.push(AccountEffect::Deliver { session, stanza });
    }

    /// Sends a stanza to somebody else.
    pub fn route(&mut self, stanza: Stanza) {
        self.out.push(AccountEffect::Route { stanza, receipt: None });
    }

    /// Asks for entries of one of the account's logs behind `after`; they come to
    /// [`AccountFeature::found`].
    pub fn look(&mut self, log: Log, after: Seq, entries_max: u32) {
        self.out.push(AccountEffect::Look(Look { feature: self.index, log, after, entries_max }));
    }
}

/// What everybody in the account's shard may read of an account.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(super) jid: &'a BareJid,
    pub(super) resources: &'a Resources,
    pub(super) roster: &'a Roster,
    pub(super) features: &'static [&'static dyn AccountFeature],
}

impl<'a> View<'a> {
    /// The account's address.
    pub fn jid(&self) -> &'a BareJid {
        self.jid
    }

    /// The extensions that this account offers, for disco.
    pub fn features(&self) -> &'static [&'static dyn AccountFeature] {
        self.features
    }

    /// Whether this is an address of the account itself.
    pub fn is_own(&self, jid: &Jid) -> bool {
        is_same_bare(jid, self.jid)
    }

    /// Whether this entity may know the account's presence: the account itself, or a contact with a
    /// subscription (`from` or `both`).
    pub fn sees_presence(&self, jid: &Jid) -> bool {
        self.is_own(jid) || self.roster.is_subscriber(&jid.to_bare())
    }

    /// Whether a session is bound, available or not.
    pub fn is_connected(&self) -> bool {
        !self.resources.is_empty()
    }

    /// The sessions that take messages for the bare JID (RFC 6121 §8.5.2.1.1).
    pub fn takers(&self) -> impl Iterator<Item = SessionId> {
        self.resources.takers().map(|r| r.session)
    }

    /// Whether this session takes messages for the bare JID.
    pub fn is_taker(&self, session: SessionId) -> bool {
        self.resources.by_session(session).is_some_and(|r| r.takes_messages())
    }

    /// The available resources and the presence of each.
    pub fn available(&self) -> impl Iterator<Item = (&'a FullJid, &'a Stanza)> {
        self.resources.available().map(|(r, presence)| (&r.jid, &presence.stanza))
    }
}

/// Compares without building a bare JID.
pub(super) fn is_same_bare(jid: &Jid, bare: &BareJid) -> bool {
    jid.node() == bare.node() && jid.domain() == bare.domain()
}
