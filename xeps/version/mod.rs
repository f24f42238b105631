//! Software Version.
//!
//! Tells name and version of the program, and the operating system only where the operator says so
//! (XEP-0092 #security).

use oc_core::feature::Answer;
use oc_core::host::{HostFeature, Turn};
use oc_core::spec::{Status, Xep};
use oc_core::{Element, Stanza};

/// Namespace of the protocol.
pub const NS: &str = "jabber:iq:version";

/// XEP-0092
pub static XEP: Xep = Xep {
    number: "0092",
    title: "Software Version",
    version: "1.1",
    status: Status::Complete,
    folder: "version",
    features: &[NS],
    note: "",
};

/// Answers what runs at a domain.
pub struct Version;

impl HostFeature for Version {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, query: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let asked = query.payload().is_some_and(|p| p.is("query", NS));
        if !asked || query.type_() != Some("get") {
            return Answer::Pass;
        }
        let software = &turn.view.settings.software;
        let text = |name, value: &str| Element::new(name, NS).with_text(value);
        let query = Element::new("query", NS)
            .with_child(text("name", &software.name))
            .with_child(text("version", &software.version))
            .with_children(software.os.as_deref().map(|os| text("os", os)));
        Answer::Result(Some(query))
    }
}

#[cfg(test)]
mod tests {
    use oc_core::host::{HostSettings, Software};

    use crate::testing::{Domain, el};

    fn software(os: Option<&str>) -> HostSettings {
        let software = Software {
            name: "Exodus".to_owned(),
            version: "0.7.0.4".to_owned(),
            os: os.map(str::to_owned),
        };
        HostSettings { software, ..HostSettings::default() }
    }

    #[test]
    fn xep_0092_examples_version() {
        let mut domain = Domain::new(software(Some("Windows-XP 5.01.2600")));
        assert_eq!(
            domain.ask("romeo@montague.net/orchard", "get", "<query xmlns='jabber:iq:version'/>"),
            Some(el("<query xmlns='jabber:iq:version'>
                <name>Exodus</name>
                <version>0.7.0.4</version>
                <os>Windows-XP 5.01.2600</os>
            </query>"))
        );
    }

    #[test]
    fn xep_0092_security_os_is_kept_back() {
        let mut domain = Domain::new(software(None));
        let query = domain.ask("a@example.org/r", "get", "<query xmlns='jabber:iq:version'/>");
        assert!(!query.expect("a payload").has_child("os", super::NS));
    }
}
