//! RFC 6121: Instant Messaging and Presence, for one local account with several resources.
//!
//! [`Account`] is a pure machine: the shell that owns the account's shard feeds [`AccountInput`]s
//! and carries out [`AccountEffect`]s. It answers for the roster and its versions (§2),
//! subscriptions with pre-approval (§3, Appendix A), presence (§4), and for where a message, a
//! presence or an IQ to the bare or a full JID goes (§8). Extensions plug in as
//! [`AccountFeature`]s (offline storage, last activity, disco of the account). Not here: who may
//! log in, streams and their acknowledgements, other domains, the server's own address, privacy
//! lists and blocking.
//!
//! # What the shell promises
//! - An account is loaded when something is addressed to it or one of its users logs in, provided
//!   that it exists at the identity service; otherwise [`no_such_account`] answers. Inputs of one
//!   account come one after the other.
//! - Effects of one call are carried out in order, and a [`AccountEffect::Store`] is durable
//!   before any effect behind it is carried out; the records of one call become durable together
//!   or not at all. A shell that commits a whole batch first keeps both. When the commit fails, no
//!   effect behind it is carried out and the account is loaded anew.
//! - Each stanza with a receipt leads to exactly one [`AccountEffect::Handled`] with it, or to one
//!   [`AccountEffect::Route`] that carries it on.
//! - [`AccountEffect::Look`] is answered by [`AccountInput::Found`] with the same [`Look`], also
//!   when the store fails.
//! - When [`Account::is_idle`], the account may be dropped; [`Account::load`] brings it back equal.
//!
//! A session that is closed by a takeover still gets its [`AccountInput::Detach`], with the
//! stanzas that its client never acknowledged.

mod copies;
mod deliver;
mod feature;
mod forged;
mod handshake;
mod iq;
mod pending;
mod presence;
mod resources;
mod roster;
mod roster_iq;
pub mod subscription;
#[cfg(test)]
mod tests;

pub use copies::fingerprint;
pub use deliver::no_such_account;
pub use feature::{AccountFeature, Slot, Turn, View};

use copies::Copies;
use feature::is_same_bare;
use pending::Pending;
use resources::Resources;
use roster::Roster;

use crate::limits::StreamLimits;
use crate::record::{Entry, Log, Record, Saved, Seq, Table};
use crate::session::{Receipt, SessionId};
use crate::{BareJid, Ctx, FullJid, Jid, Kind, Reject, Stanza, StreamCondition, StreamError};

/// What our own stored values may contain: they were written by us, after the reader had checked
/// them.
pub const RECORD_LIMITS: StreamLimits =
    StreamLimits { stanza_bytes: 1024 * 1024, ..StreamLimits::SERVER };

/// Something happened to an account.
#[derive(Clone, Debug)]
pub enum AccountInput {
    /// A client has authenticated and asks for a resource; answered by [`AccountEffect::Attached`].
    Attach {
        /// The new session.
        session: SessionId,
        /// The resource asked for; `None` lets the server choose.
        resource: Option<String>,
    },
    /// A stanza from a client of this account, with `from` set to its full JID.
    FromClient {
        /// The session.
        session: SessionId,
        /// The stanza.
        stanza: Stanza,
        /// Whom to tell when it is safe.
        receipt: Option<Receipt>,
    },
    /// A stanza from anybody else to this account's bare JID or to a full JID of it.
    Routed {
        /// The stanza; `from` and `to` are set.
        stanza: Stanza,
        /// Whom to tell when it is safe.
        receipt: Option<Receipt>,
    },
    /// A session has ended.
    Detach {
        /// The session.
        session: SessionId,
        /// Why, for the unavailable presence that others see; `None` after an orderly goodbye.
        reason: Option<&'static str>,
        /// What was sent to it and never acknowledged, oldest first.
        undelivered: Vec<Stanza>,
    },
    /// The answer to [`AccountEffect::Look`].
    Found {
        /// The question.
        look: Look,
        /// The answer; `None` when the store could not give one.
        page: Option<FoundPage>,
    },
    /// The account was removed at the identity service; the machine is of no use afterwards.
    Removed {
        /// What its sessions are told.
        error: StreamError,
    },
}

/// A question to the store about one of the account's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which feature asked: its place in the list.
    pub feature: u16,
    /// Which log.
    pub log: Log,
    /// Entries behind this one.
    pub after: Seq,
    /// At most so many.
    pub entries_max: u32,
}

/// Entries of a log, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundPage {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether there is nothing behind them.
    pub complete: bool,
}

/// What the shell has to do; the module's head says in which order.
#[derive(Clone, Debug, PartialEq)]
pub enum AccountEffect {
    /// Answer to [`AccountInput::Attach`].
    Attached {
        /// The session.
        session: SessionId,
        /// Its full JID, or why it gets none.
        outcome: Result<FullJid, Reject>,
    },
    /// A stanza for a client of this account, with `from`, and with `to` if it was addressed.
    Deliver {
        /// The session.
        session: SessionId,
        /// The stanza.
        stanza: Stanza,
    },
    /// A stanza for somebody else: another account, the server, a service, a remote domain.
    Route {
        /// The stanza; `from` and `to` are set.
        stanza: Stanza,
        /// To be passed on with it.
        receipt: Option<Receipt>,
    },
    /// A change of durable state.
    Store(Record),
    /// The stanza with this receipt is safe.
    Handled(Receipt),
    /// End a session.
    Close {
        /// The session.
        session: SessionId,
        /// What to tell its client.
        error: StreamError,
    },
    /// Ask the store.
    Look(Look),
}

/// Why an account cannot be served: its stored state does not read back. An operator must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A value that this version cannot read.
    #[error("unreadable value in table {}", .table.0)]
    Unreadable {
        /// Where it stands.
        table: Table,
    },
}

type Effects = Vec<AccountEffect>;

/// One local account.
pub struct Account {
    jid: BareJid,
    resources: Resources,
    roster: Roster,
    pending: Pending,
    copies: Copies,
    features: &'static [&'static dyn AccountFeature],
    slots: Vec<Slot>,
}

impl Account {
    /// An account that exists at the identity service; `saved` may be empty.
    ///
    /// # Errors
    /// [`LoadError`] when something stored cannot be read.
    pub fn load(
        jid: BareJid,
        saved: &Saved,
        features: &'static [&'static dyn AccountFeature],
    ) -> Result<Self, LoadError> {
        let slots = features.iter().map(|f| f.load(&jid, saved)).collect::<Result<_, _>>()?;
        Ok(Self {
            resources: Resources::default(),
            roster: Roster::load(saved)?,
            pending: Pending::load(saved)?,
            copies: Copies::default(),
            jid,
            features,
            slots,
        })
    }

    /// Whether no session is bound: the account may be dropped from memory.
    pub fn is_idle(&self) -> bool {
        self.resources.is_empty()
    }

    /// The one way in.
    pub fn handle(&mut self, input: AccountInput, ctx: &mut Ctx<'_>, out: &mut Effects) {
        match input {
            AccountInput::Attach { session, resource } => {
                self.attach(session, resource.as_deref(), ctx, out);
            }
            AccountInput::FromClient { session, stanza, receipt } => {
                let receipt = self.sent_by_client(session, stanza, receipt, ctx, out);
                out.extend(receipt.map(AccountEffect::Handled));
            }
            AccountInput::Routed { mut stanza, receipt } => {
                forged::strip(&mut stanza, &self.jid, forged::Door::Router);
                self.deliver(stanza, ctx, out);
                out.extend(receipt.map(AccountEffect::Handled));
            }
            AccountInput::Detach { session, reason, undelivered } => {
                self.detach(session, reason, undelivered, ctx, out);
            }
            AccountInput::Found { look, page } => {
                let at = usize::from(look.feature);
                self.features_from(at, ctx, out, |feature, turn| {
                    feature.found(&look, page.clone(), turn);
                    Some(())
                });
            }
            AccountInput::Removed { error } => self.removed(&error, out),
        }
    }

    /// RFC 6120 §7.7.2.2: the newcomer takes over an address that is in use.
    fn attach(
        &mut self,
        session: SessionId,
        asked: Option<&str>,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        let outcome = self.resources.address(&self.jid, asked, ctx);
        if let Ok(jid) = &outcome {
            if let Some(old) = self.resources.by_jid(jid).map(|r| r.session) {
                self.leave(old, Some("Replaced by new connection"), ctx, out);
                let error = StreamError::new(StreamCondition::Conflict, "RFC 6120 §7.7.2.2")
                    .text("Replaced by new connection");
                out.push(AccountEffect::Close { session: old, error });
            }
            self.resources.bind(session, jid.clone());
        }
        out.push(AccountEffect::Attached { session, outcome });
    }

    /// A stanza from a client; what is left of the receipt comes back.
    fn sent_by_client(
        &mut self,
        session: SessionId,
        mut stanza: Stanza,
        receipt: Option<Receipt>,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) -> Option<Receipt> {
        let bound = self.resources.by_session(session).is_some();
        if !bound && stanza.kind() != Kind::Message {
            // A stanza of a session that was just replaced: only what people wrote still counts.
            return receipt;
        }
        forged::strip(&mut stanza, &self.jid, forged::Door::Client);
        self.each_feature(ctx, out, |feature, turn| {
            feature.heard(session, turn);
            None::<()>
        });
        if let Some(reject) = deliver::malformed(&stanza) {
            self.refuse_malformed(&stanza, &reject, out);
            return receipt;
        }
        if stanza.kind() == Kind::Presence {
            return self.presence_out(session, stanza, receipt, ctx, out);
        }
        // RFC 6120 §10.3.1, §10.3.3: without `to` it is meant for the account itself.
        if stanza.to().is_none() {
            stanza.set_to(Some(self.jid.clone().into()));
        }
        if stanza.to().is_some_and(|to| is_same_bare(to, &self.jid)) {
            self.deliver(stanza, ctx, out);
            return receipt;
        }
        out.push(AccountEffect::Route { stanza, receipt });
        None
    }

    fn detach(
        &mut self,
        session: SessionId,
        reason: Option<&'static str>,
        mut undelivered: Vec<Stanza>,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        self.leave(session, reason, ctx, out);
        self.each_feature(ctx, out, |feature, turn| {
            feature.detached(session, &mut undelivered, turn);
            None::<()>
        });
        for stanza in undelivered {
            self.deliver_again(stanza, ctx, out);
        }
    }

    /// A session leaves: everybody who knew of it is told (RFC 6121 §4.5.2).
    fn leave(
        &mut self,
        session: SessionId,
        reason: Option<&str>,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        let Some(resource) = self.resources.by_session(session) else { return };
        let presence = presence::unavailable(&resource.jid, reason);
        self.presence_unavailable(session, &presence, ctx, out);
        self.resources.remove(session);
    }

    /// The account is gone: contacts are told, sessions end, nothing stays stored.
    fn removed(&mut self, error: &StreamError, out: &mut Effects) {
        out.push(AccountEffect::Store(Record::Forget { owner: self.jid.clone() }));
        let sessions: Vec<_> = self.resources.iter().map(|r| r.session).collect();
        for session in sessions {
            let Some(resource) = self.resources.by_session(session) else { continue };
            let presence = presence::unavailable(&resource.jid, None);
            self.tell_unavailable(session, &presence, out);
            self.resources.remove(session);
            out.push(AccountEffect::Close { session, error: error.clone() });
        }
        let contacts: Vec<_> =
            self.roster.iter().map(|(jid, item)| (jid.clone(), item.state)).collect();
        for (contact, state) in contacts {
            self.cancel_subscriptions(&contact, state, out);
        }
        self.roster = Roster::default();
        self.pending = Pending::default();
    }

    /// Sends an answer to whoever asked: a client of ours or somebody else.
    fn answer(&self, stanza: Stanza, out: &mut Effects) {
        match stanza.to() {
            Some(to) if is_same_bare(to, &self.jid) => {
                let found = to.try_as_full().ok().and_then(|to| self.resources.by_jid(to));
                if let Some(resource) = found {
                    out.push(AccountEffect::Deliver { session: resource.session, stanza });
                }
            }
            Some(_) => out.push(AccountEffect::Route { stanza, receipt: None }),
            None => {}
        }
    }

    /// Refuses a stanza, unless it may not be answered (RFC 6120 §8.3.1).
    fn refuse(&self, stanza: &Stanza, reject: &Reject, out: &mut Effects) {
        if let Some(error) = stanza.error(reject) {
            self.answer(error, out);
        }
    }

    /// Asks the features in order until one has something to say.
    fn each_feature<T>(
        &mut self,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
        ask: impl FnMut(&dyn AccountFeature, &mut Turn<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        self.features_from(0, ctx, out, ask)
    }

    fn features_from<T>(
        &mut self,
        first: usize,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
        mut ask: impl FnMut(&dyn AccountFeature, &mut Turn<'_, '_>) -> Option<T>,
    ) -> Option<T> {
        let Self { jid, resources, roster, features, slots, .. } = self;
        let account = View { jid, resources, roster, features };
        let all = features.iter().zip(slots.iter_mut()).enumerate().skip(first);
        for (index, (feature, slot)) in all {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            let mut turn = Turn { account, slot, ctx: &mut *ctx, index, out: &mut *out };
            if let Some(said) = ask(*feature, &mut turn) {
                return Some(said);
            }
        }
        None
    }
}

/// The domain's own address.
fn domain_of(jid: &BareJid) -> Jid {
    BareJid::from_parts(None, jid.domain()).into()
}
