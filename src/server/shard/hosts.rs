//! The domains of one thread.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use oc_core::BareJid;
use oc_core::host::{
    Found, Host, HostEffect, HostFeature, HostInput, HostSettings, Question, Token,
};
use oc_core::session::ToShard;
use oc_core::spec::Xep;

use super::task::{Desk, Later};
use crate::outside::{OsIds, ctx};

/// What a domain is made of.
pub struct DomainHost {
    /// Its settings.
    pub settings: Arc<HostSettings>,
    /// What it answers, in order.
    pub features: &'static [&'static dyn HostFeature],
    /// Heads of the other plug points, which it announces too.
    pub others: Vec<&'static Xep>,
}

/// The domains in memory.
#[derive(Default)]
pub(super) struct Hosts {
    hosts: HashMap<BareJid, (Arc<DomainHost>, Host)>,
}

impl Hosts {
    /// Something for a domain.
    pub(super) fn input(&mut self, desk: &Desk, domain: &BareJid, input: ToShard) {
        if let ToShard::Routed { stanza, receipt } = input {
            self.handle(desk, domain, HostInput::Stanza { stanza, receipt });
        }
    }

    /// What was asked for is here.
    pub(super) fn answered(&mut self, desk: &Desk, domain: &BareJid, token: Token, found: Found) {
        self.handle(desk, domain, HostInput::Found { token, found });
    }

    pub(super) fn tick(&mut self, desk: &Desk) {
        let waiting: Vec<_> = self
            .hosts
            .iter()
            .filter(|(_, (_, host))| host.is_waiting())
            .map(|(domain, _)| domain.clone())
            .collect();
        for domain in waiting {
            self.handle(desk, &domain, HostInput::Tick);
        }
    }

    fn handle(&mut self, desk: &Desk, domain: &BareJid, input: HostInput) {
        let mut effects = Vec::new();
        let Some(host) = self.host(desk, domain, &mut effects) else { return };
        let handled = catch_unwind(AssertUnwindSafe(|| {
            host.handle(input, &mut ctx(&mut OsIds), &mut effects);
        }));
        if handled.is_err() {
            tracing::error!("the machine of a domain panicked; it starts anew");
            self.hosts.remove(domain);
            return;
        }
        for effect in effects {
            match effect {
                HostEffect::Send(stanza) => desk.route(stanza, None),
                HostEffect::Ask { token, question } => ask(desk, domain, token, question),
                HostEffect::Removed { account, error } => {
                    desk.shared.switchboard.to_shard(account, ToShard::Removed { error });
                }
                HostEffect::Handled(receipt) => desk.handled(Some(receipt)),
            }
        }
    }

    /// The machine of a domain, with the settings in force.
    fn host(
        &mut self,
        desk: &Desk,
        domain: &BareJid,
        effects: &mut Vec<HostEffect>,
    ) -> Option<&mut Host> {
        let domains = desk.shared.domains.load();
        let current = domains.get(domain.as_str())?;
        let (known, host) = self.hosts.entry(domain.clone()).or_insert_with(|| {
            let host = Host::new(
                domain.clone(),
                Arc::clone(&current.settings),
                current.features,
                current.others.clone(),
                desk.shared.started,
            );
            (Arc::clone(current), host)
        });
        if !Arc::ptr_eq(known, current) {
            *known = Arc::clone(current);
            let settings = HostInput::Settings(Arc::clone(&current.settings));
            host.handle(settings, &mut ctx(&mut OsIds), effects);
        }
        Some(host)
    }
}

fn ask(desk: &Desk, domain: &BareJid, token: Token, question: Question) {
    let (shared, later, domain) = (Arc::clone(&desk.shared), desk.later.clone(), domain.clone());
    match question {
        Question::OnlineUsers => {
            let online = shared.online.load();
            let count = online.get(domain.as_str()).map_or(0, |n| n.load(Ordering::Relaxed));
            let _ = later.send(Later::Answered { domain, token, found: Found::Count(count) });
        }
        Question::Identity(command) => {
            tokio::task::spawn_local(async move {
                let found = Found::Identity(shared.identity.command(command).await);
                let _ = later.send(Later::Answered { domain, token, found });
            });
        }
    }
}
