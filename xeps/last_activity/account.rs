//! How long the user of an account has been gone (XEP-0012 #offline, #online).

use oc_core::account::{AccountFeature, LoadError, RECORD_LIMITS, Slot, Turn};
use oc_core::feature::Answer;
use oc_core::record::{Record, Saved, Table};
use oc_core::spec::Xep;
use oc_core::xml::parse_document;
use oc_core::{BareJid, Condition, Element, Reject, Stanza, Time, ns};

use super::{NS, XEP};

/// One key: the last goodbye, as `<gone at='…'>status</gone>`.
const TABLE: Table = Table("last-activity");
const KEY: &[u8] = b"gone";
/// Bytes of the status text that are kept.
const STATUS_BYTES: usize = 1024;

/// Remembers when the last resource of an account became unavailable, and tells those who may know.
pub struct LastGone;

#[derive(Debug, Default, PartialEq)]
struct Gone(Option<(Time, String)>);

impl AccountFeature for LastGone {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn load(&self, _jid: &BareJid, saved: &Saved) -> Result<Slot, LoadError> {
        let Some((_, value)) = saved.table(TABLE).find(|(key, _)| *key == KEY) else {
            return Ok(Slot::none());
        };
        let read = || {
            let el = parse_document(value, &RECORD_LIMITS).ok()?;
            Some((Time::from_datetime(el.attr("at")?)?, el.text().into_owned()))
        };
        let gone = read().ok_or(LoadError::Unreadable { table: TABLE })?;
        Ok(Slot::new(Gone(Some(gone))))
    }

    fn iq(&self, request: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        if !is_query(request) || request.type_() != Some("get") {
            return Answer::Pass;
        }
        if let Err(reject) = may_know(request, turn) {
            return Answer::Reject(reject);
        }
        let answer =
            |seconds: u64| Element::new("query", NS).with_attr("seconds", seconds.to_string());
        // XEP-0012 #offline: somebody is there.
        if turn.account.is_connected() {
            return Answer::Result(Some(answer(0)));
        }
        let now = turn.ctx.now;
        match &turn.slot.state::<Gone>().0 {
            Some((at, status)) => {
                Answer::Result(Some(answer(now.since(*at).as_secs()).with_text(status)))
            }
            // Never seen: there is nothing to tell.
            None => Answer::Reject(Reject::new(Condition::ServiceUnavailable, "XEP-0012 #offline")),
        }
    }

    fn pass_iq(&self, request: &Stanza, turn: &mut Turn<'_, '_>) -> Result<(), Reject> {
        // XEP-0012 #online: a stranger's question is not delivered.
        if is_query(request) { may_know(request, turn) } else { Ok(()) }
    }

    fn unavailable(&self, presence: &Stanza, turn: &mut Turn<'_, '_>) {
        if turn.account.available().next().is_some() {
            return;
        }
        let (now, owner) = (turn.ctx.now, turn.account.jid().clone());
        let status = presence.element().child("status", ns::CLIENT).map(Element::text);
        let mut status = status.unwrap_or_default().into_owned();
        status.truncate(status.floor_char_boundary(STATUS_BYTES));
        let value = Element::new("gone", NS)
            .with_attr("at", now.to_datetime())
            .with_text(&status)
            .to_document();
        turn.slot.state::<Gone>().0 = Some((now, status));
        turn.store(Record::Put { owner, table: TABLE, key: KEY.to_vec(), value });
    }
}

fn is_query(request: &Stanza) -> bool {
    request.payload().is_some_and(|payload| payload.is("query", NS))
}

/// XEP-0012 #security: only who may see the user's presence.
fn may_know(request: &Stanza, turn: &Turn<'_, '_>) -> Result<(), Reject> {
    if request.from().is_some_and(|from| turn.account.sees_presence(from)) {
        return Ok(());
    }
    Err(Reject::new(Condition::Forbidden, "XEP-0012 #offline"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use oc_core::account::AccountEffect;
    use oc_core::{Condition, ErrorType};

    use crate::account::FEATURES;
    use crate::testing::account::{JULIET, Juliet, routes};
    use crate::testing::el;

    fn ask(juliet: &mut Juliet, from: &str, to: &str) -> Vec<AccountEffect> {
        juliet.routed(&format!(
            "<iq from='{from}' to='{to}' type='get' id='1'><query xmlns='jabber:iq:last'/></iq>"
        ))
    }

    /// The only answer: its payload, or the condition of its error.
    fn answer(effects: &[AccountEffect]) -> Result<oc_core::Element, Condition> {
        let routes = routes(effects);
        assert_eq!(routes.len(), 1, "{routes:?}");
        match routes[0].error_condition() {
            Some((Condition::Forbidden, kind)) => {
                assert_eq!(kind, ErrorType::Auth);
                Err(Condition::Forbidden)
            }
            Some((condition, _)) => Err(condition),
            None => Ok(routes[0].payload().expect("a payload").clone()),
        }
    }

    #[test]
    fn xep_0012_offline_tells_subscribers_only() {
        let mut juliet = Juliet::new(FEATURES);
        juliet.subscriber("romeo@montague.net");
        let romeo = "romeo@montague.net/orchard";
        assert_eq!(answer(&ask(&mut juliet, romeo, JULIET)), Err(Condition::ServiceUnavailable));
        juliet.online(1);
        juliet.client(1, "<presence type='unavailable'><status>Heading Home</status></presence>");
        // Connected still.
        let now = el("<query xmlns='jabber:iq:last' seconds='0'/>");
        assert_eq!(answer(&ask(&mut juliet, romeo, JULIET)), Ok(now));
        juliet.detach(1, vec![]);
        for crashed in [false, true] {
            juliet.wait(Duration::from_secs(903));
            if crashed {
                juliet.crash();
            }
            let seconds = if crashed { 1806 } else { 903 };
            let told =
                format!("<query xmlns='jabber:iq:last' seconds='{seconds}'>Heading Home</query>");
            assert_eq!(answer(&ask(&mut juliet, romeo, JULIET)), Ok(el(&told)));
            let tybalt = "tybalt@capulet.com/x";
            assert_eq!(answer(&ask(&mut juliet, tybalt, JULIET)), Err(Condition::Forbidden));
        }
    }

    #[test]
    fn xep_0012_offline_counts_from_the_last_resource() {
        let mut juliet = Juliet::new(FEATURES);
        juliet.online(1);
        juliet.online(2);
        juliet.detach(1, vec![]);
        assert_eq!(juliet.row("last-activity", "gone"), None);
        juliet.detach(2, vec![]);
        let row = "<gone xmlns='jabber:iq:last' at='2026-11-21T10:20:30Z'/>";
        assert_eq!(juliet.row("last-activity", "gone").as_deref(), Some(row));
    }

    /// A stranger gets the same answer for a resource that is there and for one that is not.
    #[test]
    fn xep_0012_online_stranger_is_refused() {
        let mut juliet = Juliet::new(FEATURES);
        juliet.subscriber("romeo@montague.net");
        juliet.online(1);
        for resource in ["juliet@capulet.com/r1", "juliet@capulet.com/gone"] {
            let effects = ask(&mut juliet, "tybalt@capulet.com/x", resource);
            assert_eq!(answer(&effects), Err(Condition::Forbidden), "{resource}");
            assert_eq!(effects.len(), 1, "nothing is delivered");
        }
        let effects = ask(&mut juliet, "romeo@montague.net/orchard", "juliet@capulet.com/r1");
        assert!(matches!(effects.as_slice(), [AccountEffect::Deliver { .. }]), "{effects:?}");
    }

    #[test]
    fn xep_0012_offline_long_status_is_cut() {
        let mut juliet = Juliet::new(FEATURES);
        juliet.online(1);
        let long = "é".repeat(super::STATUS_BYTES);
        juliet
            .client(1, &format!("<presence type='unavailable'><status>{long}</status></presence>"));
        let row = juliet.row("last-activity", "gone").expect("stored");
        assert_eq!(row.matches('é').count(), super::STATUS_BYTES / 2);
    }
}
