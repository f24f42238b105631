//! XEP-0160: Best Practices for Handling Offline Messages.
//!
//! A message that no resource can take is kept in a log of the account and delivered, in order and
//! with the moment of its arrival, to the next resource that becomes available with a priority
//! that is not negative. An entry leaves the log only when its client has it for all we can know:
//! when the session ended and the message was not among the unacknowledged ones, or when a stanza
//! came from the client a while after the delivery. So a crash repeats a message rather than
//! losing one.
//!
//! Left out: XEP-0013 (flexible retrieval).

mod log;
#[cfg(test)]
mod tests;

use oc_core::account::{
    AccountFeature, FoundPage, LoadError, Look, RECORD_LIMITS, Slot, Turn, fingerprint,
};
use oc_core::record::Saved;
use oc_core::session::SessionId;
use oc_core::spec::{Status, Xep};
use oc_core::xml::parse_document;
use oc_core::{BareJid, Condition, Element, Reject, Stanza, Time, limits, ns};

use log::Kept;

/// Head.
pub static XEP: Xep = Xep {
    number: "0160",
    title: "Best Practices for Handling Offline Messages",
    version: "1.0.1",
    status: Status::Complete,
    folder: "offline",
    features: &["msgoffline"],
    note: "",
};

/// Entries of the log read at once.
const PAGE_ENTRIES: u32 = 50;

/// The feature.
pub struct Offline;

impl AccountFeature for Offline {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn load(&self, _jid: &BareJid, saved: &Saved) -> Result<Slot, LoadError> {
        Ok(Slot::new(Kept::load(saved)?))
    }

    fn keep(&self, message: &Stanza, turn: &mut Turn<'_, '_>) -> Result<bool, Reject> {
        if is_fleeting(message) {
            // Taken, to be forgotten: nobody wants an error for having typed (note.md).
            return Ok(true);
        }
        let owner = turn.account.jid().clone();
        let value = message.element().to_document();
        let kept = turn.slot.state::<Kept>();
        if !kept.has_room(value.len()) {
            return Err(Reject::new(Condition::ServiceUnavailable, "XEP-0160 #flow")
                .text("too many messages are waiting"));
        }
        let records = kept.append(&owner, value, turn.ctx.now);
        records.into_iter().for_each(|record| turn.store(record));
        Ok(true)
    }

    fn available(&self, session: SessionId, turn: &mut Turn<'_, '_>) {
        if let Some(after) = turn.slot.state::<Kept>().begin(session) {
            turn.look(log::LOG, after, PAGE_ENTRIES);
        }
    }

    fn found(&self, look: &Look, page: Option<FoundPage>, turn: &mut Turn<'_, '_>) {
        let reading = turn.slot.state::<Kept>().end_reading(look.after);
        let Some(mut session) = reading else { return };
        if !turn.account.is_taker(session) {
            let Some(other) = turn.account.takers().next() else { return };
            session = other;
        }
        // A store that cannot answer is asked again when the next resource becomes available.
        let Some(page) = page else { return };
        for entry in page.entries {
            let bytes = entry.value.len();
            let message = read(&entry.value).map(|m| delayed(m, turn.account.jid(), entry.at));
            let print = message.as_ref().map_or(0, fingerprint);
            let now = turn.ctx.now;
            turn.slot.state::<Kept>().sent(entry.seq, bytes, print, session, now);
            if let Some(message) = message {
                turn.deliver(session, message);
            }
        }
        if !page.complete {
            self.available(session, turn);
        }
    }

    fn heard(&self, session: SessionId, turn: &mut Turn<'_, '_>) {
        let owner = turn.account.jid();
        let records = turn.slot.state::<Kept>().settle_old(owner, session, turn.ctx.now);
        records.into_iter().for_each(|record| turn.store(record));
    }

    fn detached(&self, session: SessionId, undelivered: &mut Vec<Stanza>, turn: &mut Turn<'_, '_>) {
        let owner = turn.account.jid();
        let kept = turn.slot.state::<Kept>();
        kept.take_back(session, undelivered);
        let records = kept.settle(owner, session);
        records.into_iter().for_each(|record| turn.store(record));
        let next = turn.account.takers().next();
        if let Some(next) = next {
            self.available(next, turn);
        }
    }
}

/// XEP-0160 #types: only chat states; XEP-0334 #no-store: the sender says so.
fn is_fleeting(message: &Stanza) -> bool {
    let el = message.element();
    if el.has_child("no-store", ns::HINTS) || el.has_child("no-permanent-store", ns::HINTS) {
        return true;
    }
    let mut states = false;
    for child in el.children() {
        if *child.ns() == ns::CHAT_STATES {
            states = true;
        } else if !child.is("thread", ns::CLIENT) && *child.ns() != ns::HINTS {
            return false;
        }
    }
    states
}

fn read(value: &[u8]) -> Option<Stanza> {
    let message = parse_document(value, &RECORD_LIMITS).ok().map(Stanza::from_element)?.ok();
    debug_assert!(message.is_some(), "an entry was written by this feature");
    message
}

/// XEP-0203 #protocol: when the message came. One that was kept before keeps its first moment.
fn delayed(mut message: Stanza, account: &BareJid, at: Time) -> Stanza {
    let domain = account.domain().as_str();
    let stamped = |el: &Element| el.is("delay", ns::DELAY) && el.attr("from") == Some(domain);
    if !message.element().children().any(stamped) {
        let delay = Element::new("delay", ns::DELAY)
            .with_attr("from", domain)
            .with_attr("stamp", at.to_datetime())
            .with_text("Offline Storage");
        message.element_mut().push(delay);
    }
    message
}

const _: () = assert!(limits::OFFLINE_BYTES < limits::OUTBOX_BYTES);
