//! The task that owns one thread's machines.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use oc_core::account::{AccountEffect, AccountFeature, FoundPage, Look};
use oc_core::auth::IdentityAnswer;
use oc_core::host::{Found, Token};
use oc_core::record::Saved;
use oc_core::session::{Receipt, ToEdge, ToShard};
use oc_core::{BareJid, Condition, Reject, Stanza, Time};
use oc_ocms::IdentityProvider;
use oc_store::{Store, StoreError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::accounts::Accounts;
use super::hosts::{DomainHost, Hosts};
use crate::metrics::Metrics;
use crate::switchboard::Switchboard;

/// Inputs taken from the queue at once.
const BATCH: usize = 256;
/// How often machines are told that time has passed, and idle ones are let go.
const TICK: Duration = Duration::from_secs(10);

/// What all shard threads share.
pub struct ShardShared {
    /// Where records go.
    pub store: Store,
    /// Who knows accounts.
    pub identity: Arc<dyn IdentityProvider>,
    /// The way to edges and other shards.
    pub switchboard: Switchboard,
    /// The domains of this server by name; replaced as a whole.
    pub domains: ArcSwap<HashMap<String, Arc<DomainHost>>>,
    /// Features of accounts in order.
    pub account_features: &'static [&'static dyn AccountFeature],
    /// Features of accounts that end with their session, in order.
    pub guest_features: &'static [&'static dyn AccountFeature],
    /// Accounts with a session, by domain.
    pub online: ArcSwap<HashMap<String, Arc<AtomicU64>>>,
    /// When the server was started.
    pub started: Time,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// What comes back from something that took time.
pub(super) enum Later {
    /// An account's state was read; `exists` is what the identity service says.
    Loaded { owner: BareJid, exists: Result<bool, ()>, saved: Result<Saved, StoreError> },
    /// An account's records are on disk, or not.
    Committed { owner: BareJid, outcome: Result<(), StoreError>, effects: Vec<AccountEffect> },
    /// A page of a log.
    Found { owner: BareJid, look: Look, page: Option<FoundPage> },
    /// An answer for a domain.
    Answered { domain: BareJid, token: Token, found: Found },
}

/// The part of the world that handlers need.
pub(super) struct Desk {
    pub(super) shared: Arc<ShardShared>,
    pub(super) later: UnboundedSender<Later>,
}

/// Serves the machines of one thread until the queue is closed.
pub async fn run(shared: Arc<ShardShared>, mut mail: UnboundedReceiver<(BareJid, ToShard)>) {
    let (later, mut back) = unbounded_channel();
    let desk = Desk { shared, later };
    let mut accounts = Accounts::default();
    let mut hosts = Hosts::default();
    let mut batch = Vec::with_capacity(BATCH);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            n = mail.recv_many(&mut batch, BATCH) => {
                if n == 0 {
                    return;
                }
                for (owner, input) in batch.drain(..) {
                    if owner.node().is_none() {
                        hosts.input(&desk, &owner, input);
                    } else {
                        accounts.input(&desk, owner, input);
                    }
                }
            }
            Some(later) = back.recv() => match later {
                Later::Loaded { owner, exists, saved } => {
                    accounts.loaded(&desk, owner, exists, saved);
                }
                Later::Committed { owner, outcome, effects } => {
                    accounts.committed(&desk, owner, outcome, effects);
                }
                Later::Found { owner, look, page } => accounts.found(&desk, owner, look, page),
                Later::Answered { domain, token, found } => {
                    hosts.answered(&desk, &domain, token, found);
                }
            },
            _ = tick.tick() => {
                accounts.tick(&desk);
                hosts.tick(&desk);
            }
        }
    }
}

impl Desk {
    /// Says an edge something.
    pub(super) fn say(&self, edge: oc_core::session::EdgeId, what: ToEdge) {
        self.shared.switchboard.to_edge(edge, what);
    }

    /// A stanza is safe.
    pub(super) fn handled(&self, receipt: Option<Receipt>) {
        if let Some(receipt) = receipt {
            self.say(receipt.session.edge, ToEdge::Handled { receipt });
        }
    }

    /// RFC 6120 §10.4: a stanza with `to` and `from` goes to whoever owns `to`.
    pub(super) fn route(&self, stanza: Stanza, receipt: Option<Receipt>) {
        let Some(to) = stanza.to() else {
            debug_assert!(false, "machines address what they route");
            return self.handled(receipt);
        };
        if self.shared.domains.load().contains_key(to.domain().as_str()) {
            let owner = to.to_bare();
            self.shared.switchboard.to_shard(owner, ToShard::Routed { stanza, receipt });
            return;
        }
        self.handled(receipt);
        // There is no federation yet: nobody there can be reached.
        let reject = Reject::new(Condition::RemoteServerNotFound, "RFC 6120 §10.4")
            .text("This server does not reach other domains yet.");
        let Some(answer) = stanza.error(&reject) else { return };
        let Some(sender) = answer.to().map(oc_core::Jid::to_bare) else { return };
        if self.shared.domains.load().contains_key(sender.domain().as_str()) {
            let back = ToShard::Routed { stanza: answer, receipt: None };
            self.shared.switchboard.to_shard(sender, back);
        }
    }

    /// Asks the identity service whether an account exists, and reads what is stored of it.
    pub(super) fn load(&self, owner: BareJid) {
        let (shared, later) = (Arc::clone(&self.shared), self.later.clone());
        tokio::task::spawn_local(async move {
            let command = oc_core::auth::IdentityCommand::Exists { account: owner.clone() };
            let exists = match shared.identity.command(command).await {
                IdentityAnswer::Refused(oc_core::auth::IdentityRefusal::Temporary) => Err(()),
                IdentityAnswer::Refused(_) => Ok(false),
                _ => Ok(true),
            };
            let saved = shared.store.load(&owner).await;
            let _ = later.send(Later::Loaded { owner, exists, saved });
        });
    }

    pub(super) fn look(&self, owner: BareJid, look: Look) {
        let (shared, later) = (Arc::clone(&self.shared), self.later.clone());
        tokio::task::spawn_local(async move {
            let limit = look.entries_max as usize;
            let page = match shared.store.page(&owner, look.log, look.after, limit + 1).await {
                Ok(mut entries) => {
                    let complete = entries.len() <= limit;
                    entries.truncate(limit);
                    Some(FoundPage { entries, complete })
                }
                Err(error) => {
                    tracing::error!(%error, log = look.log.0, "a page could not be read");
                    None
                }
            };
            let _ = later.send(Later::Found { owner, look, page });
        });
    }

    /// Counts an account in or out.
    pub(super) fn online(&self, owner: &BareJid, came: bool) {
        if let Some(count) = self.shared.online.load().get(owner.domain().as_str()) {
            if came {
                count.fetch_add(1, Ordering::Relaxed);
            } else {
                count.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}
