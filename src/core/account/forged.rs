//! What nobody may say in the server's or the account's name: taken out of stanzas as they come in.
//!
//! One row per payload. A payload that only ever comes from the server is dropped, not refused: a
//! stanza forwarded in good faith may carry a stale one.

use super::domain_of;
use super::feature::is_same_bare;
use crate::{BareJid, Element, Jid, Kind, Stanza, ns};

/// Where a stanza comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// From a client of the account.
    Client,
    /// From anybody else, for the account.
    Router,
}

struct Row {
    kinds: &'static [Kind],
    doors: &'static [Door],
    ns: &'static str,
    /// Whether this element claims what is not true; asked for elements of the namespace only.
    forged: fn(&Element, &BareJid) -> bool,
}

const BOTH: &[Door] = &[Door::Client, Door::Router];

const ROWS: &[Row] = &[
    // XEP-0203 #security: only the server itself stamps in the server's name.
    Row { kinds: &[Kind::Message, Kind::Presence], doors: BOTH, ns: ns::DELAY, forged: by_server },
    // XEP-0280 #security: carbons come from the user's own server, which makes them behind this
    // door.
    Row { kinds: &[Kind::Message], doors: BOTH, ns: ns::CARBONS, forged: carbon },
    // XEP-0359 #security: an id `by` the account is given by its archive only.
    Row { kinds: &[Kind::Message], doors: BOTH, ns: ns::STANZA_ID, forged: by_account },
    // XEP-0313 #security: results of the account's archive come from the server, never from a
    // client.
    Row { kinds: &[Kind::Message], doors: &[Door::Client], ns: ns::MAM, forged: archive_result },
];

/// Takes out every payload that is forged.
pub(super) fn strip(stanza: &mut Stanza, account: &BareJid, door: Door) {
    let kind = stanza.kind();
    let forged = |el: &Element| {
        ROWS.iter().any(|row| {
            *el.ns() == *row.ns
                && row.kinds.contains(&kind)
                && row.doors.contains(&door)
                && (row.forged)(el, account)
        })
    };
    // Most stanzas carry nothing of the kind; they are not touched.
    if stanza.element().children().any(forged) {
        stanza.element_mut().retain_children(|el| !forged(el));
    }
}

fn by_server(el: &Element, account: &BareJid) -> bool {
    el.attr("from").and_then(|from| Jid::new(from).ok()).is_some_and(|from| {
        is_same_bare(&from, account) || from.to_bare() == domain_of(account).to_bare()
    })
}

fn carbon(el: &Element, _account: &BareJid) -> bool {
    matches!(el.name(), "sent" | "received")
}

fn by_account(el: &Element, account: &BareJid) -> bool {
    el.attr("by").and_then(|by| Jid::new(by).ok()).is_some_and(|by| is_same_bare(&by, account))
}

fn archive_result(el: &Element, _account: &BareJid) -> bool {
    matches!(el.name(), "result" | "fin")
}
