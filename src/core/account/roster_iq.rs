//! Roster requests of the account's own clients (RFC 6121 §2.1 to §2.6).

use std::collections::BTreeSet;

use super::roster::{Item, Update};
use super::subscription::{Ask, State};
use super::{Account, AccountEffect, Effects};
use crate::{BareJid, Condition, Ctx, Element, Jid, Kind, Reject, Stanza, limits, ns};

impl Account {
    /// `get` and `set` of the roster at the bare JID; `own`: from a client of the account.
    pub(super) fn roster_request(
        &mut self,
        request: &Stanza,
        own: bool,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        if !own {
            // RFC 6121 §2.1.5, §2.3.3
            let reject = Reject::new(Condition::Forbidden, "RFC 6121 §2.1.5");
            return self.refuse(request, &reject, out);
        }
        if request.type_() == Some("get") {
            return self.roster_get(request, ctx, out);
        }
        if let Err(reject) = self.roster_set(request, ctx, out) {
            self.refuse(request, &reject, out);
        }
    }

    /// RFC 6121 §2.2, §2.6.3
    fn roster_get(&mut self, request: &Stanza, ctx: &mut Ctx<'_>, out: &mut Effects) {
        let asker = request.from().and_then(|from| from.try_as_full().ok());
        let session = asker.and_then(|asker| self.resources.by_jid_mut(asker)).map(|resource| {
            resource.interested = true;
            (resource.session, resource.jid.clone())
        });
        let known = request.payload().and_then(|query| query.attr("ver"));
        let Update::Changes(changes) = self.roster.since(known) else {
            let items = self.roster.iter().map(|(jid, item)| item.to_element(jid));
            let query = Element::new("query", ns::ROSTER)
                .with_attr("ver", self.roster.ver())
                .with_children(items);
            return self.answer(request.result(Some(query)), out);
        };
        self.answer(request.result(None), out);
        let Some((session, to)) = session else { return };
        for (jid, item) in changes {
            let push = self.push(item.to_element(jid), &item.ver.to_string(), ctx);
            out.push(AccountEffect::Deliver { session, stanza: push.to_jid(to.clone()) });
        }
    }

    /// RFC 6121 §2.3, §2.4, §2.5
    fn roster_set(
        &mut self,
        request: &Stanza,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) -> Result<(), Reject> {
        let bad = || Reject::new(Condition::BadRequest, "RFC 6121 §2.3.3");
        let mut items = request.payload().into_iter().flat_map(Element::children);
        let (Some(el), None) = (items.next(), items.next()) else { return Err(bad()) };
        if !el.is("item", ns::ROSTER) {
            return Err(bad());
        }
        let contact = el.attr("jid").and_then(|jid| Jid::new(jid).ok()).ok_or_else(bad)?;
        let contact: BareJid = contact.try_into_full().err().ok_or_else(bad)?;
        if contact == self.jid {
            return Err(Reject::new(Condition::NotAllowed, "RFC 6121 §2.3.3"));
        }
        // RFC 6121 §2.1.5: any value but `remove` is ignored.
        if el.attr("subscription") == Some("remove") {
            return self.roster_remove(request, &contact, ctx, out);
        }
        let (name, groups) = read_item(el)?;
        let old = self.roster.item(&contact);
        if old.is_none() && self.roster.len() >= limits::ROSTER_ITEMS {
            return Err(Reject::new(Condition::ResourceConstraint, "RFC 6121 §2.3.3")
                .text("the roster is full"));
        }
        let item = Item { name, groups, ..old.cloned().unwrap_or_default() };
        self.put_item(&contact, item, ctx, out);
        // RFC 6121 §2.3.2: pushes may come before the result; here they do.
        self.answer(request.result(None), out);
        Ok(())
    }

    /// RFC 6121 §2.5.2: the item goes, and with it every subscription.
    fn roster_remove(
        &mut self,
        request: &Stanza,
        contact: &BareJid,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) -> Result<(), Reject> {
        let Some(state) = self.roster.item(contact).map(|item| item.state) else {
            return Err(Reject::new(Condition::ItemNotFound, "RFC 6121 §2.5.3"));
        };
        let records = self.roster.remove(&self.jid, contact, ctx.now);
        out.extend(records.map(AccountEffect::Store));
        let el = Element::new("item", ns::ROSTER)
            .with_attr("jid", contact.as_str())
            .with_attr("subscription", "remove");
        self.push_to_all(&el, ctx, out);
        self.answer(request.result(None), out);
        self.cancel_subscriptions(contact, state, out);
        Ok(())
    }

    /// RFC 6121 §2.5.2: tells a contact that both directions have ended.
    pub(super) fn cancel_subscriptions(&self, contact: &BareJid, state: State, out: &mut Effects) {
        let mut tell = |ask: Ask| {
            let stanza = Stanza::with_type(Kind::Presence, ask.name());
            let stanza = stanza.from_jid(self.jid.clone()).to_jid(contact.clone());
            out.push(AccountEffect::Route { stanza, receipt: None });
        };
        if state.to || state.pending_out {
            tell(Ask::Unsubscribe);
        }
        if state.from {
            tell(Ask::Unsubscribed);
            self.share_presence(contact, false, out);
        }
    }

    /// Changes an item: durable first, then told to every interested resource.
    pub(super) fn put_item(
        &mut self,
        contact: &BareJid,
        item: Item,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        let el = item.to_element(contact);
        let record = self.roster.put(&self.jid, contact, item, ctx.now);
        out.push(AccountEffect::Store(record));
        self.push_to_all(&el, ctx, out);
    }

    /// RFC 6121 §2.1.6, §2.2: to every resource that has asked for the roster.
    fn push_to_all(&self, item: &Element, ctx: &mut Ctx<'_>, out: &mut Effects) {
        let ver = self.roster.ver();
        for resource in self.resources.interested() {
            let stanza = self.push(item.clone(), &ver, ctx).to_jid(resource.jid.clone());
            out.push(AccountEffect::Deliver { session: resource.session, stanza });
        }
    }

    fn push(&self, item: Element, ver: &str, ctx: &mut Ctx<'_>) -> Stanza {
        let query = Element::new("query", ns::ROSTER).with_attr("ver", ver).with_child(item);
        let mut push = Stanza::with_type(Kind::Iq, "set").from_jid(self.jid.clone());
        push.element_mut().set_attr("id", ctx.id());
        push.with_child(query)
    }
}

/// Name and groups of a roster set (RFC 6121 §2.3.3).
fn read_item(el: &Element) -> Result<(Option<String>, Vec<String>), Reject> {
    let rule = "RFC 6121 §2.3.3";
    let too_long = |what| Err(Reject::new(Condition::NotAcceptable, rule).text(what));
    let name = el.attr("name").filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.len() > limits::ROSTER_TEXT_BYTES) {
        return too_long("the name is too long");
    }
    let (mut groups, mut seen) = (Vec::new(), BTreeSet::new());
    for child in el.children().filter(|child| child.is("group", ns::ROSTER)) {
        let group = child.text().into_owned();
        if group.is_empty() || group.len() > limits::ROSTER_TEXT_BYTES {
            return too_long("a group is empty or too long");
        }
        if !seen.insert(group.clone()) {
            return Err(Reject::new(Condition::BadRequest, rule).text("a group is named twice"));
        }
        groups.push(group);
    }
    if groups.len() > limits::ROSTER_GROUPS {
        return too_long("too many groups");
    }
    Ok((name.map(str::to_owned), groups))
}
