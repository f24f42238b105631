//! The uptime of a domain (XEP-0012 #server).

use oc_core::feature::Answer;
use oc_core::host::{HostFeature, Turn};
use oc_core::spec::Xep;
use oc_core::{Element, Stanza};

use super::{NS, XEP};

/// Answers how long the server has been running.
pub struct Uptime;

impl HostFeature for Uptime {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, query: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let asked = query.payload().is_some_and(|p| p.is("query", NS));
        if !asked || query.type_() != Some("get") {
            return Answer::Pass;
        }
        let seconds = turn.ctx.now.since(turn.view.started).as_secs();
        let query = Element::new("query", NS).with_attr("seconds", seconds.to_string());
        Answer::Result(Some(query))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use oc_core::host::HostSettings;

    use crate::testing::{Domain, START, el};

    #[test]
    fn xep_0012_server_tells_uptime() {
        let mut domain = Domain::new(HostSettings::default());
        domain.now = START.after(Duration::from_millis(123_456_789));
        assert_eq!(
            domain.ask("romeo@montague.net/orchard", "get", "<query xmlns='jabber:iq:last'/>"),
            Some(el("<query xmlns='jabber:iq:last' seconds='123456'/>"))
        );
        assert!(domain.features().contains(&"jabber:iq:last"));
    }
}
