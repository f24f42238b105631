//! Presence: broadcasts of the account's resources, directed presence, and probes (RFC 6121 §4).

use super::deliver::At;
use super::feature::is_same_bare;
use super::resources::Presence;
use super::subscription::Ask;
use super::{Account, AccountEffect, Effects};
use crate::session::{Receipt, SessionId};
use crate::{BareJid, Condition, Ctx, Element, FullJid, Jid, Kind, Reject, Stanza, limits, ns};

/// The presence with which a session leaves that did not say goodbye (RFC 6121 §4.5.2).
pub(super) fn unavailable(jid: &FullJid, reason: Option<&str>) -> Stanza {
    let mut stanza = Stanza::with_type(Kind::Presence, "unavailable").from_jid(jid.clone());
    if let Some(reason) = reason {
        stanza.element_mut().push(Element::new("status", ns::CLIENT).with_text(reason));
    }
    stanza
}

/// RFC 6121 §4.7.2.3: an integer from -128 to 127, 0 if it is missing.
pub(super) fn priority(presence: &Stanza) -> Result<i8, Reject> {
    let Some(priority) = presence.element().child("priority", ns::CLIENT) else { return Ok(0) };
    let reject = |_| Reject::new(Condition::BadRequest, "RFC 6121 §4.7.2.3");
    priority.text().trim().parse().map_err(reject)
}

impl Account {
    /// A presence from a client of the account; what is left of the receipt comes back.
    pub(super) fn presence_out(
        &mut self,
        session: SessionId,
        mut stanza: Stanza,
        receipt: Option<Receipt>,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) -> Option<Receipt> {
        let Some(to) = stanza.to() else {
            match stanza.type_() {
                None => self.presence_available(session, stanza, ctx, out),
                Some("unavailable") => self.presence_unavailable(session, &stanza, ctx, out),
                // RFC 6121 §3.1.1 and its sisters: a subscription names a contact.
                Some(_) => {
                    let reject = Reject::new(Condition::BadRequest, "RFC 6121 §4.7.1");
                    self.refuse(&stanza, &reject, out);
                }
            }
            return receipt;
        };
        if let Some(ask) = stanza.type_().and_then(Ask::from_name) {
            return self.subscription_out(stanza, ask, receipt, ctx, out);
        }
        if is_same_bare(to, &self.jid) {
            self.deliver(stanza, ctx, out);
            return receipt;
        }
        match stanza.type_() {
            // RFC 6121 §4.6.3
            None => {
                if let Err(reject) = self.directed(session, to.clone()) {
                    self.refuse(&stanza, &reject, out);
                    return receipt;
                }
            }
            Some("unavailable") => {
                let to = to.clone();
                if let Some(resource) = self.resources.by_session_mut(session) {
                    resource.directed.remove(&to);
                }
            }
            // RFC 6121 §4.3: probes are the server's; a client gets the answer a probe of ours
            // would get.
            Some("probe") => stanza.set_to(Some(to.clone())),
            _ => {}
        }
        out.push(AccountEffect::Route { stanza, receipt });
        None
    }

    /// Remembers who must hear when this resource leaves.
    fn directed(&mut self, session: SessionId, to: Jid) -> Result<(), Reject> {
        let Some(resource) = self.resources.by_session_mut(session) else { return Ok(()) };
        if resource.directed.len() >= limits::DIRECTED_PRESENCE && !resource.directed.contains(&to)
        {
            return Err(Reject::new(Condition::ResourceConstraint, "RFC 6121 §4.6.3"));
        }
        resource.directed.insert(to);
        Ok(())
    }

    /// Initial presence (RFC 6121 §4.2.2) and every later one (RFC 6121 §4.4.2).
    fn presence_available(
        &mut self,
        session: SessionId,
        stanza: Stanza,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        let priority = priority(&stanza).unwrap_or(0);
        let Some(resource) = self.resources.by_session_mut(session) else { return };
        let (initial, took) = (resource.presence.is_none(), resource.takes_messages());
        let jid = resource.jid.clone();
        resource.presence = Some(Presence { stanza: stanza.clone(), priority });
        self.broadcast(&stanza, out);
        if initial {
            self.initial_presence(session, &jid, out);
        }
        if priority >= 0 && !took {
            self.each_feature(ctx, out, |feature, turn| {
                feature.available(session, turn);
                None::<()>
            });
        }
    }

    /// RFC 6121 §4.2.2: what a resource that has just become available hears and asks.
    fn initial_presence(&self, session: SessionId, jid: &FullJid, out: &mut Effects) {
        // The account's other resources, which it would learn by probing its own bare JID.
        out.extend(self.resources.available().filter(|(r, _)| r.session != session).map(
            |(_, presence)| AccountEffect::Deliver {
                session,
                stanza: presence.stanza.clone().to_jid(jid.clone()),
            },
        ));
        // RFC 6121 §3.1.3: until somebody answers.
        out.extend(
            self.pending
                .stanzas()
                .map(|stanza| AccountEffect::Deliver { session, stanza: stanza.clone() }),
        );
        // RFC 6121 §4.3.1
        out.extend(self.roster.subscriptions().map(|contact| {
            let probe = Stanza::with_type(Kind::Presence, "probe");
            let stanza = probe.from_jid(jid.clone()).to_jid(contact.clone());
            AccountEffect::Route { stanza, receipt: None }
        }));
    }

    /// RFC 6121 §4.5.2: the resource leaves, by its own word or because its session has ended.
    pub(super) fn presence_unavailable(
        &mut self,
        session: SessionId,
        stanza: &Stanza,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        if self.tell_unavailable(session, stanza, out) {
            self.each_feature(ctx, out, |feature, turn| {
                feature.unavailable(stanza, turn);
                None::<()>
            });
        }
    }

    /// Tells everybody who knows this resource that it leaves; says whether it was available.
    pub(super) fn tell_unavailable(
        &mut self,
        session: SessionId,
        stanza: &Stanza,
        out: &mut Effects,
    ) -> bool {
        let Some(resource) = self.resources.by_session_mut(session) else { return false };
        let directed = std::mem::take(&mut resource.directed);
        let was_available = resource.presence.is_some();
        if was_available {
            self.broadcast(stanza, out);
        }
        if let Some(resource) = self.resources.by_session_mut(session) {
            resource.presence = None;
        }
        // RFC 6121 §4.6.3: whoever knew of it by directed presence, unless the broadcast has told
        // them.
        out.extend(
            directed
                .into_iter()
                .filter(|to| !(was_available && self.roster.is_subscriber(&to.to_bare())))
                .map(|to| AccountEffect::Route {
                    stanza: stanza.clone().to_jid(to),
                    receipt: None,
                }),
        );
        was_available
    }

    /// RFC 6121 §4.2.2, §4.4.2, §4.5.2: to subscribers, and to every available resource of the
    /// account, the one that spoke included.
    fn broadcast(&self, stanza: &Stanza, out: &mut Effects) {
        out.extend(self.resources.available().map(|(r, _)| AccountEffect::Deliver {
            session: r.session,
            stanza: stanza.clone().to_jid(r.jid.clone()),
        }));
        out.extend(self.roster.subscribers().map(|contact| AccountEffect::Route {
            stanza: stanza.clone().to_jid(contact.clone()),
            receipt: None,
        }));
    }

    /// Tells a contact the presence of every available resource, or that all are gone for them
    /// (RFC 6121 §3.1.5, §3.2.2, §3.3.3).
    pub(super) fn share_presence(&self, contact: &BareJid, see: bool, out: &mut Effects) {
        out.extend(self.resources.available().map(|(resource, presence)| {
            let stanza =
                if see { presence.stanza.clone() } else { unavailable(&resource.jid, None) };
            AccountEffect::Route { stanza: stanza.to_jid(contact.clone()), receipt: None }
        }));
    }

    /// A presence for the account (RFC 6121 §8.5.2.1.2, §8.5.2.2.2, §8.5.3.1, §8.5.3.2.2).
    pub(super) fn presence_in(
        &mut self,
        stanza: Stanza,
        at: At,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        let type_ = stanza.type_();
        if let Some(ask) = type_.and_then(Ask::from_name) {
            // RFC 6121 §8.5.3.2.2: only a request may name a resource that is gone.
            if at != At::Gone || ask == Ask::Subscribe {
                self.subscription_in(stanza, ask, ctx, out);
            }
            return;
        }
        match (type_, at) {
            (Some("probe"), _) => self.probe_in(&stanza, at, out),
            (Some("error"), At::Resource(session)) => {
                if let (Some(resource), Some(from)) =
                    (self.resources.by_session_mut(session), stanza.from())
                {
                    resource.directed.remove(from);
                }
                out.push(AccountEffect::Deliver { session, stanza });
            }
            (Some("error"), _) => {}
            (_, At::Resource(session)) => out.push(AccountEffect::Deliver { session, stanza }),
            // RFC 6121 §8.5.2.1.2: to all available resources, whatever their priority.
            (_, At::Account) => {
                out.extend(self.resources.available().map(|(r, _)| AccountEffect::Deliver {
                    session: r.session,
                    stanza: stanza.clone(),
                }));
            }
            (_, At::Gone) => {}
        }
    }

    /// RFC 6121 §4.3.2: who may see gets every available resource; anybody else the same answer as
    /// for an account that does not exist.
    fn probe_in(&self, probe: &Stanza, at: At, out: &mut Effects) {
        let Some(from) = probe.from() else { return };
        let bare = from.to_bare();
        if bare != self.jid && !self.roster.is_subscriber(&bare) {
            return self.probe_by_stranger(from, &bare, at, out);
        }
        let before = out.len();
        for (resource, presence) in self.resources.available() {
            // RFC 6121 §4.3.2: a probe for a full JID is about that resource.
            if at == At::Account || at == At::Resource(resource.session) {
                self.answer(presence.stanza.clone().to_jid(from.clone()), out);
            }
        }
        if out.len() == before {
            let mut gone = Stanza::with_type(Kind::Presence, "unavailable");
            gone.set_from(probe.to().cloned());
            self.answer(gone.to_jid(from.clone()), out);
        }
    }

    /// RFC 6121 §4.6.6: whoever was told by directed presence may ask whether that still holds, and
    /// learns no more than that; RFC 6121 §4.3.2 for all others.
    fn probe_by_stranger(&self, from: &Jid, bare: &BareJid, at: At, out: &mut Effects) {
        if let At::Resource(session) = at {
            let told = self.resources.by_session(session).filter(|resource| {
                resource.directed.iter().any(|to| to == from || is_same_bare(to, bare))
            });
            if let Some(resource) = told {
                let here = Stanza::new(Kind::Presence).from_jid(resource.jid.clone());
                return self.answer(here.to_jid(from.clone()), out);
            }
        }
        let stanza = Stanza::with_type(Kind::Presence, Ask::Unsubscribed.name());
        self.answer(stanza.from_jid(self.jid.clone()).to_jid(bare.clone()), out);
    }
}
