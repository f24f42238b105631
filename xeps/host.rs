//! The ordered list of what a domain answers.
//!
//! Requests go down the list until somebody answers. No two features share a namespace, so the
//! order matters only for who is asked first; the most frequent come first.

use oc_core::host::HostFeature;
use oc_core::spec::Xep;

use crate::adhoc::{Adhoc, Command};
use crate::{
    account, caps, contact, disco, extdisco, invite, last_activity, ping, register, service_admin,
    sm, time, version,
};

/// What a domain can be asked, in order.
pub static FEATURES: &[&dyn HostFeature] = &[
    &ping::Ping,
    &disco::Disco,
    &caps::Caps,
    &extdisco::ExternalServices,
    &version::Version,
    &time::EntityTime,
    &last_activity::Uptime,
    &contact::ContactAddresses,
    &register::Registered,
    &Adhoc { commands: COMMANDS },
];

/// Heads of the other plug points, for what makes a domain announce them: what its accounts can,
/// clients look for at their server (XEP-0030 #info-basic).
pub fn others() -> Vec<&'static Xep> {
    let accounts = account::FEATURES.iter().map(|feature| feature.xep());
    accounts.chain([&sm::XEP]).collect()
}

/// What can be executed at a domain, in the order of the menu.
pub static COMMANDS: &[&dyn Command] = &[
    &invite::InviteContact,
    &invite::CreateAccount,
    &service_admin::AddUser,
    &service_admin::DeleteUser,
    &service_admin::ChangeUserPassword,
    &service_admin::RegisteredCount,
    &service_admin::RegisteredList,
    &service_admin::OnlineCount,
];

#[cfg(test)]
mod tests {
    use oc_core::auth::{IdentityAnswer, IdentityRefusal};
    use oc_core::host::{Access, ExternalService, Found, HostInput, HostSettings};
    use oc_core::stream::Registration;
    use oc_core::{Element, Kind, Stanza, ns};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Domain, bare, jid};
    use crate::{adhoc, dataform, register};

    fn all_on() -> HostSettings {
        HostSettings {
            administrators: vec![bare("a@example.org")],
            registration: Registration::Open,
            external_services: vec![ExternalService {
                type_: "stun".into(),
                host: "h".into(),
                port: None,
                transport: None,
                name: None,
                access: Access::Open,
            }],
            ..HostSettings::default()
        }
    }

    /// Names that somebody here reads, so that what is made up gets far.
    const NAMES: &str = "query|command|ping|services|credentials|service|x|field|value|remove|\
                         username|password|preauth|time|actions";
    const VALUES: &str = "|a@example[.]org|submit|execute|complete|cancel|accountjid|password|\
                          accountjids|max_items|username|urn:xmpp:invite#create-account|stun|h|\
                          http://jabber[.]org/protocol/admin#(add|delete)-user|[a-z@/<&]{0,9}";

    fn namespace() -> impl Strategy<Value = &'static str> {
        let mut known = vec![adhoc::NS, register::NS, ns::DATA_FORM, ns::DISCO_INFO, "urn:x"];
        known.extend(dataform::XEP.features);
        known.extend(FEATURES.iter().flat_map(|feature| feature.xep().features));
        prop::sample::select(known)
    }

    fn element() -> impl Strategy<Value = Element> {
        let attrs = vec(("node|sessionid|action|type|var|host|port", VALUES), 0..4);
        let leaf = (NAMES, namespace(), attrs, VALUES).prop_map(|(name, ns, attrs, text)| {
            let el = Element::new(&name, ns).with_text(text);
            attrs.into_iter().fold(el, |el, (name, value)| el.with_attr(&name, value))
        });
        leaf.prop_recursive(4, 24, 6, |inner| {
            (inner.clone(), vec(inner, 0..6)).prop_map(|(el, more)| el.with_children(more))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn rfc6120_8_2_3_every_request_gets_one_answer(
            payloads in vec((element(), "[ab]@example[.]org/r|a@x[.]example/r|x[.]example"), 1..6),
            set: bool,
            refused: bool,
        ) {
            let mut domain = Domain::new(all_on());
            for (payload, from) in payloads {
                let mut iq = Stanza::with_type(Kind::Iq, if set { "set" } else { "get" })
                    .from_jid(jid(&from))
                    .to_jid(bare("example.org"))
                    .with_child(payload);
                iq.element_mut().set_attr("id", "1");
                let mut answer = domain.handle(HostInput::Stanza { stanza: iq, receipt: None });
                while answer.is_none() {
                    prop_assert_eq!(domain.asked.len(), 1, "asked or answered");
                    answer = domain.found(Found::Identity(if refused {
                        IdentityAnswer::Refused(IdentityRefusal::NotFound)
                    } else {
                        IdentityAnswer::Done
                    }));
                }
                prop_assert!(domain.asked.is_empty());
                let answer = answer.expect("there is one");
                prop_assert_eq!(answer.id(), Some("1"));
                prop_assert_eq!(answer.to(), Some(&jid(&from)));
            }
        }
    }
}
