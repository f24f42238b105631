//! The accounts of one thread.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use oc_core::account::{Account, AccountEffect, AccountInput, FoundPage, Look, no_such_account};
use oc_core::record::{Record, Saved};
use oc_core::session::{SessionId, ToEdge, ToShard};
use oc_core::shard::{owner_of, shard_of};
use oc_core::{BareJid, Condition, Reject, StreamCondition, StreamError, Time};
use oc_store::StoreError;

use super::task::{Desk, Later};
use crate::outside::{OsIds, ctx, now};

/// How long an account without sessions stays in memory after it was last used.
const IDLE: Duration = Duration::from_secs(120);
/// Inputs that may queue up behind one account while it waits for the disk.
const BEHIND: usize = 20_000;

/// The accounts in memory.
#[derive(Default)]
pub(super) struct Accounts {
    slots: HashMap<BareJid, Slot>,
}

struct Slot {
    /// `None` while it is loaded or while its records are written.
    account: Option<Account>,
    /// Where the machine is while its records are written.
    parked: Option<Account>,
    /// What came meanwhile.
    behind: VecDeque<Behind>,
    /// Its sessions, to be ended if the machine fails.
    sessions: Vec<SessionId>,
    /// Nobody stored it: an anonymous login; nothing of it is written.
    ephemeral: bool,
    used: Time,
}

enum Behind {
    Mail(ToShard),
    Found(Look, Option<FoundPage>),
}

impl Slot {
    fn new() -> Self {
        Self {
            account: None,
            parked: None,
            behind: VecDeque::new(),
            sessions: Vec::new(),
            ephemeral: false,
            used: now(),
        }
    }
}

impl Accounts {
    /// Something for an account.
    pub(super) fn input(&mut self, desk: &Desk, owner: BareJid, input: ToShard) {
        let slot = self.slots.entry(owner.clone()).or_insert_with(|| {
            desk.load(owner.clone());
            Slot::new()
        });
        if slot.account.is_some() && slot.behind.is_empty() {
            self.handle(desk, &owner, Behind::Mail(input));
        } else if slot.behind.len() < BEHIND {
            slot.behind.push_back(Behind::Mail(input));
        } else {
            refuse(desk, input, Condition::ResourceConstraint, "RFC 6120 §8.3.3.18");
        }
    }

    pub(super) fn found(
        &mut self,
        desk: &Desk,
        owner: BareJid,
        look: Look,
        page: Option<FoundPage>,
    ) {
        let Some(slot) = self.slots.get_mut(&owner) else { return };
        slot.behind.push_back(Behind::Found(look, page));
        self.catch_up(desk, &owner);
    }

    /// What was stored is here.
    pub(super) fn loaded(
        &mut self,
        desk: &Desk,
        owner: BareJid,
        exists: Result<bool, ()>,
        saved: Result<Saved, StoreError>,
    ) {
        let Some(slot) = self.slots.get_mut(&owner) else { return };
        let attaches =
            slot.behind.iter().any(|b| matches!(b, Behind::Mail(ToShard::Attach { .. })));
        let outcome = match (exists, saved) {
            (Ok(true), Ok(saved)) => {
                Account::load(owner.clone(), &saved, desk.shared.account_features)
                    .map_err(|error| error.to_string())
            }
            // The identity service vouched for a name that it does not keep: SASL ANONYMOUS.
            (Ok(false), Ok(_)) if attaches => {
                slot.ephemeral = true;
                Account::load(owner.clone(), &Saved::default(), desk.shared.guest_features)
                    .map_err(|error| error.to_string())
            }
            (Ok(false), Ok(_)) => return self.does_not_exist(desk, &owner),
            (Err(()), _) => Err("the identity service does not answer".to_owned()),
            (_, Err(error)) => Err(error.to_string()),
        };
        match outcome {
            Ok(account) => {
                slot.account = Some(account);
                self.catch_up(desk, &owner);
            }
            Err(error) => {
                tracing::error!(%error, "an account could not be loaded");
                self.fail(desk, &owner);
            }
        }
    }

    /// The records of an account were written.
    pub(super) fn committed(
        &mut self,
        desk: &Desk,
        owner: BareJid,
        outcome: Result<(), StoreError>,
        effects: Vec<AccountEffect>,
    ) {
        let Some(slot) = self.slots.get_mut(&owner) else { return };
        match outcome {
            Ok(()) => {
                slot.account = slot.parked.take();
                self.carry_out(desk, &owner, effects);
                self.catch_up(desk, &owner);
            }
            Err(error) => {
                tracing::error!(%error, "an account's changes could not be written");
                self.fail(desk, &owner);
            }
        }
    }

    /// Lets go of accounts that nobody uses.
    pub(super) fn tick(&mut self, _: &Desk) {
        let now = now();
        self.slots.retain(|_, slot| {
            let idle = slot.behind.is_empty()
                && slot.account.as_ref().is_some_and(Account::is_idle)
                && now.since(slot.used) >= IDLE;
            !idle
        });
        self.slots.shrink_to(self.slots.len() * 2);
    }

    fn catch_up(&mut self, desk: &Desk, owner: &BareJid) {
        while let Some(slot) = self.slots.get_mut(owner)
            && slot.account.is_some()
            && let Some(next) = slot.behind.pop_front()
        {
            self.handle(desk, owner, next);
        }
    }

    fn handle(&mut self, desk: &Desk, owner: &BareJid, input: Behind) {
        let Some(slot) = self.slots.get_mut(owner) else { return };
        let Some(account) = &mut slot.account else { return };
        slot.used = now();
        let input = match input {
            Behind::Found(look, page) => AccountInput::Found { look, page },
            Behind::Mail(ToShard::Attach { session, resource, .. }) => {
                if slot.sessions.is_empty() {
                    desk.online(owner, true);
                }
                slot.sessions.push(session);
                AccountInput::Attach { session, resource }
            }
            Behind::Mail(ToShard::Detach { session, reason, undelivered, .. }) => {
                slot.sessions.retain(|s| *s != session);
                if slot.sessions.is_empty() {
                    desk.online(owner, false);
                }
                AccountInput::Detach { session, reason, undelivered }
            }
            Behind::Mail(ToShard::FromClient { session, stanza, receipt }) => {
                AccountInput::FromClient { session, stanza, receipt }
            }
            Behind::Mail(ToShard::Routed { stanza, receipt }) => {
                AccountInput::Routed { stanza, receipt }
            }
            Behind::Mail(ToShard::Removed { error }) => AccountInput::Removed { error },
        };
        let mut effects = Vec::new();
        let handled = catch_unwind(AssertUnwindSafe(|| {
            account.handle(input, &mut ctx(&mut OsIds), &mut effects);
        }));
        if handled.is_err() {
            // A bug of ours: this account starts anew from what is on disk; nobody else notices.
            tracing::error!("the machine of an account panicked; it is loaded anew");
            return self.fail(desk, owner);
        }
        let records: Vec<Record> = effects
            .iter()
            .filter_map(|effect| match effect {
                AccountEffect::Store(record) => Some(record.clone()),
                _ => None,
            })
            .collect();
        if records.is_empty() || slot.ephemeral {
            return self.carry_out(desk, owner, effects);
        }
        slot.parked = slot.account.take();
        let (shared, later, owner) = (Arc::clone(&desk.shared), desk.later.clone(), owner.clone());
        tokio::task::spawn_local(async move {
            let (shard, count) = (shard_of(owner_of(&owner)), records.len());
            let begun = std::time::Instant::now();
            let outcome = match shared.store.claim(shard).await {
                Ok(epoch) => shared.store.commit(shard, epoch, records).await.map(drop),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(()) => shared.metrics.commit(count, begun.elapsed()),
                Err(_) => shared.metrics.commit_failed(),
            }
            let _ = later.send(Later::Committed { owner, outcome, effects });
        });
    }

    fn carry_out(&mut self, desk: &Desk, owner: &BareJid, effects: Vec<AccountEffect>) {
        for effect in effects {
            match effect {
                AccountEffect::Attached { session, outcome } => {
                    if outcome.is_err()
                        && let Some(slot) = self.slots.get_mut(owner)
                    {
                        slot.sessions.retain(|s| *s != session);
                        if slot.sessions.is_empty() {
                            desk.online(owner, false);
                        }
                    }
                    desk.say(session.edge, ToEdge::Attached { session, outcome });
                }
                AccountEffect::Deliver { session, stanza } => {
                    desk.say(session.edge, ToEdge::Deliver { session, stanza });
                }
                AccountEffect::Route { stanza, receipt } => desk.route(stanza, receipt),
                AccountEffect::Store(_) => {}
                AccountEffect::Handled(receipt) => desk.handled(Some(receipt)),
                AccountEffect::Close { session, error } => {
                    desk.say(session.edge, ToEdge::Close { session, error });
                }
                AccountEffect::Look(look) => desk.look(owner.clone(), look),
            }
        }
    }

    fn does_not_exist(&mut self, desk: &Desk, owner: &BareJid) {
        let Some(slot) = self.slots.remove(owner) else { return };
        for behind in slot.behind {
            if let Behind::Mail(ToShard::Routed { stanza, receipt }) = behind {
                desk.handled(receipt);
                if let Some(answer) = no_such_account(&stanza)
                    && answer.to().is_some()
                {
                    desk.route(answer, None);
                }
            }
        }
    }

    /// The account cannot be served now: its sessions end, what waits for it is told so.
    fn fail(&mut self, desk: &Desk, owner: &BareJid) {
        let Some(slot) = self.slots.remove(owner) else { return };
        if !slot.sessions.is_empty() {
            desk.online(owner, false);
        }
        for session in slot.sessions {
            let condition = StreamCondition::InternalServerError;
            let error = StreamError::new(condition, "RFC 6120 §4.9.3.8");
            desk.say(session.edge, ToEdge::Close { session, error });
        }
        for behind in slot.behind {
            if let Behind::Mail(input) = behind {
                refuse(desk, input, Condition::InternalServerError, "RFC 6120 §8.3.3.6");
            }
        }
    }
}

/// Tells a sender, or a client that wanted in, that it cannot be done now.
fn refuse(desk: &Desk, input: ToShard, condition: Condition, rule: &'static str) {
    let reject = Reject::new(condition, rule).kind(oc_core::ErrorType::Wait);
    match input {
        ToShard::Attach { session, .. } => {
            desk.say(session.edge, ToEdge::Attached { session, outcome: Err(reject) });
        }
        // Not handled: without its receipt the sender may send it again after a resumption.
        ToShard::FromClient { session, stanza, .. } => {
            if let Some(stanza) = stanza.error(&reject) {
                desk.say(session.edge, ToEdge::Deliver { session, stanza });
            }
        }
        ToShard::Routed { stanza, receipt } => {
            desk.handled(receipt);
            if let Some(answer) = stanza.error(&reject).filter(|answer| answer.to().is_some()) {
                desk.route(answer, None);
            }
        }
        ToShard::Detach { .. } | ToShard::Removed { .. } => {}
    }
}
