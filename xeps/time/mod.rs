//! Entity Time.
//!
//! A domain lives in UTC: its offset is always `Z`.

use oc_core::feature::Answer;
use oc_core::host::{HostFeature, Turn};
use oc_core::spec::{Status, Xep};
use oc_core::{Element, Stanza};

/// Namespace of the protocol.
pub const NS: &str = "urn:xmpp:time";

/// XEP-0202
pub static XEP: Xep = Xep {
    number: "0202",
    title: "Entity Time",
    version: "2.0",
    status: Status::Complete,
    folder: "time",
    features: &[NS],
    note: "The offset is always UTC.",
};

/// Answers what time it is.
pub struct EntityTime;

impl HostFeature for EntityTime {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, query: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let asked = query.payload().is_some_and(|p| p.is("time", NS));
        if !asked || query.type_() != Some("get") {
            return Answer::Pass;
        }
        let time = Element::new("time", NS)
            .with_child(Element::new("tzo", NS).with_text("Z"))
            .with_child(Element::new("utc", NS).with_text(turn.ctx.now.to_datetime()));
        Answer::Result(Some(time))
    }
}

#[cfg(test)]
mod tests {
    use oc_core::host::HostSettings;

    use crate::testing::{Domain, el};

    #[test]
    fn xep_0202_format_of_the_answer() {
        let mut domain = Domain::new(HostSettings::default());
        assert_eq!(
            domain.ask("romeo@montague.net/orchard", "get", "<time xmlns='urn:xmpp:time'/>"),
            Some(el("<time xmlns='urn:xmpp:time'>
                <tzo>Z</tzo>
                <utc>2026-11-21T10:20:30Z</utc>
            </time>"))
        );
    }
}
