//! The subscription handshake in both directions (RFC 6121 §3); `subscription.rs` decides, this
//! acts.

use super::feature::is_same_bare;
use super::roster::Item;
use super::subscription::{Ask, State};
use super::{Account, AccountEffect, Effects};
use crate::session::Receipt;
use crate::{BareJid, Condition, Ctx, Kind, Reject, Stanza, limits};

impl Account {
    /// The state between the account and a contact: the roster's and the pending request's.
    pub(super) fn state_of(&self, contact: &BareJid) -> State {
        let state = self.roster.item(contact).map(|item| item.state).unwrap_or_default();
        State { pending_in: self.pending.contains(contact), ..state }
    }

    /// A client of the account speaks to a contact (RFC 6121 §3.1.2, §3.1.5, §3.2.2, §3.3.2,
    /// §3.4.2).
    pub(super) fn subscription_out(
        &mut self,
        mut stanza: Stanza,
        ask: Ask,
        receipt: Option<Receipt>,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) -> Option<Receipt> {
        let contact = stanza.to()?.to_bare();
        if contact == self.jid {
            let reject = Reject::new(Condition::NotAllowed, "RFC 6121 §3.1.1");
            self.refuse(&stanza, &reject, out);
            return receipt;
        }
        let known = self.roster.item(&contact).is_some();
        let adds = matches!(ask, Ask::Subscribe | Ask::Subscribed);
        if adds && !known && self.roster.len() >= limits::ROSTER_ITEMS {
            let reject = Reject::new(Condition::ResourceConstraint, "RFC 6121 §3.1.2");
            self.refuse(&stanza, &reject.text("the roster is full"), out);
            return receipt;
        }
        let before = self.state_of(&contact);
        let step = before.outbound(ask);
        self.settle_request(&contact, step.state, out);
        self.change(&contact, step.state, approval(ask, before), ctx, out);
        if before.from && !step.state.from {
            self.share_presence(&contact, false, out);
        }
        if !step.pass {
            return receipt;
        }
        // RFC 6121 §3.1.2 and its sisters: from bare to bare, so that no resource is revealed.
        stanza.set_from(Some(self.jid.clone().into()));
        stanza.set_to(Some(contact.clone().into()));
        out.push(AccountEffect::Route { stanza, receipt });
        if !before.from && step.state.from {
            self.share_presence(&contact, true, out);
        }
        None
    }

    /// A contact speaks to the account (RFC 6121 §3.1.3, §3.1.6, §3.2.3, §3.3.3, §3.4.2).
    pub(super) fn subscription_in(
        &mut self,
        mut stanza: Stanza,
        ask: Ask,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        let Some(contact) = stanza.from().map(crate::Jid::to_bare) else { return };
        if is_same_bare(&contact, &self.jid) {
            return;
        }
        stanza.set_from(Some(contact.clone().into()));
        stanza.set_to(Some(self.jid.clone().into()));
        let before = self.state_of(&contact);
        if ask == Ask::Subscribe && self.granted(&contact, before, ctx, out) {
            return;
        }
        let step = before.inbound(ask);
        if !step.pass {
            return;
        }
        if ask == Ask::Subscribe {
            return self.request_in(&contact, stanza, out);
        }
        self.settle_request(&contact, step.state, out);
        // RFC 6121 §3.1.6, §3.2.3, §3.3.3: the interested resources hear of it before the push.
        let interested: Vec<_> = self.resources.interested().map(|r| r.session).collect();
        let heard = interested
            .into_iter()
            .map(|session| AccountEffect::Deliver { session, stanza: stanza.clone() })
            .collect::<Vec<_>>();
        let mut effects = Effects::new();
        self.change(&contact, step.state, None, ctx, &mut effects);
        // What is stored comes before anything is said.
        let at = effects.iter().take_while(|e| matches!(e, AccountEffect::Store(_))).count();
        let said = effects.split_off(at);
        out.extend(effects.into_iter().chain(heard).chain(said));
        if before.from && !step.state.from {
            self.share_presence(&contact, false, out);
        }
    }

    /// RFC 6121 §3.1.3, §3.4.2: a request whose answer is known is answered without asking anybody.
    fn granted(
        &mut self,
        contact: &BareJid,
        before: State,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) -> bool {
        let approved = self.roster.item(contact).is_some_and(|item| item.approved);
        if !before.from && !approved {
            return false;
        }
        if !before.from {
            // A pre-approval is good for one request.
            self.change(contact, State { from: true, ..before }, Some(false), ctx, out);
        }
        let stanza = Stanza::with_type(Kind::Presence, Ask::Subscribed.name());
        let stanza = stanza.from_jid(self.jid.clone()).to_jid(contact.clone());
        out.push(AccountEffect::Route { stanza, receipt: None });
        self.share_presence(contact, true, out);
        true
    }

    /// RFC 6121 §3.1.3: kept until it is answered, and delivered to every available resource.
    fn request_in(&mut self, contact: &BareJid, stanza: Stanza, out: &mut Effects) {
        if self.pending.is_full() {
            let rule = "RFC 6121 §3.1.3";
            return self.refuse(&stanza, &Reject::new(Condition::ResourceConstraint, rule), out);
        }
        let record = self.pending.put(&self.jid, contact, stanza.clone());
        out.push(AccountEffect::Store(record));
        out.extend(
            self.resources.available().map(|(r, _)| AccountEffect::Deliver {
                session: r.session,
                stanza: stanza.clone(),
            }),
        );
    }

    /// Forgets a kept request that the new state no longer contains.
    fn settle_request(&mut self, contact: &BareJid, state: State, out: &mut Effects) {
        if !state.pending_in {
            out.extend(self.pending.remove(&self.jid, contact).map(AccountEffect::Store));
        }
    }

    /// Brings the roster item to a state, if that changes anything that clients see. A request of
    /// the contact alone makes no item (RFC 6121 §A.1).
    fn change(
        &mut self,
        contact: &BareJid,
        state: State,
        approved: Option<bool>,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        let state = State { pending_in: false, ..state };
        let old = self.roster.item(contact);
        let mut item = old.cloned().unwrap_or_default();
        item.state = state;
        item.approved = approved.unwrap_or(item.approved);
        let same = match old {
            Some(old) => *old == item,
            None => item == Item::default(),
        };
        if !same {
            self.put_item(contact, item, ctx, out);
        }
    }
}

/// RFC 6121 §3.4.2: `subscribed` before any request is an approval in advance, `unsubscribed`
/// takes it back; once the contact sees the presence there is nothing to approve.
fn approval(ask: Ask, before: State) -> Option<bool> {
    match ask {
        Ask::Subscribed => Some(!before.from && !before.pending_in),
        Ask::Unsubscribed => Some(false),
        Ask::Subscribe | Ask::Unsubscribe => None,
    }
}
