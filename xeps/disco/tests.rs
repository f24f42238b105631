use oc_core::host::{HostInput, HostSettings, Service};
use oc_core::{Condition, ErrorType, ns};

use crate::testing::{Client, Domain, el, heard, jid};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

#[test]
fn xep_0030_info_basic_of_a_domain() {
    let mut domain = Domain::new(HostSettings::default());
    let query = domain.ask("romeo@montague.net/orchard", "get", INFO).expect("a payload");
    let identity = query.child("identity", ns::DISCO_INFO).expect("at least one identity");
    assert_eq!(identity.attr("category"), Some("server"));
    assert_eq!(identity.attr("type"), Some("im"));
    let features: Vec<_> = query
        .children()
        .filter(|c| c.is("feature", ns::DISCO_INFO))
        .filter_map(|c| c.attr("var"))
        .collect();
    assert!(features.contains(&ns::DISCO_INFO), "the one feature everybody must have");
    assert!(features.is_sorted_by(|a, b| a < b), "sorted, and each once: {features:?}");
}

#[test]
fn xep_0030_info_follows_the_list() {
    // Whatever a head declares is announced, and whatever is announced comes from a head that is
    // active.
    let settings = HostSettings::default();
    let domain = Domain::new(settings.clone());
    let mut announced = domain.features();
    let mut declared: Vec<_> = crate::host::FEATURES
        .iter()
        .filter(|f| f.active(&settings))
        .map(|f| f.xep())
        .chain(crate::host::others())
        .flat_map(|xep| xep.features)
        .copied()
        .collect();
    announced.sort_unstable();
    announced.dedup();
    declared.sort_unstable();
    declared.dedup();
    assert_eq!(announced, declared);
}

#[test]
fn xep_0030_info_nodes_unknown() {
    let mut domain = Domain::new(HostSettings::default());
    for xmlns in [ns::DISCO_INFO, ns::DISCO_ITEMS] {
        let query = format!("<query xmlns='{xmlns}' node='nobody'/>");
        let refused = domain.refused("a@example.org/r", "get", &query);
        assert_eq!(refused, (Condition::ItemNotFound, ErrorType::Cancel));
    }
}

#[test]
fn xep_0030_items_basic_services() {
    let mut domain = Domain::new(HostSettings::default());
    assert_eq!(domain.ask("a@example.org/r", "get", ITEMS), Some(el(ITEMS)));
    let services = vec![Service { jid: jid("conference.example.org"), name: Some("Rooms".into()) }];
    let mut domain = Domain::new(HostSettings { services, ..HostSettings::default() });
    assert_eq!(
        domain.ask("a@example.org/r", "get", ITEMS),
        Some(el("<query xmlns='http://jabber.org/protocol/disco#items'>
            <item jid='conference.example.org' name='Rooms'/>
        </query>"))
    );
}

#[test]
fn xep_0030_info_basic_only_get() {
    let mut domain = Domain::new(HostSettings::default());
    let refused = domain.refused("a@example.org/r", "set", INFO);
    assert_eq!(refused, (Condition::ServiceUnavailable, ErrorType::Cancel));
}

#[test]
fn xep_0030_info_basic_of_an_account() {
    let mut juliet = Client::new("juliet@example.org");
    let answer = juliet.iq(Some("juliet@example.org"), "get", INFO);
    let query = heard(answer.payload().expect("a payload"));
    let identity = query.child("identity", ns::DISCO_INFO).expect("an identity");
    assert_eq!(identity.attr("category"), Some("account"));
    assert_eq!(identity.attr("type"), Some("registered"));
    let mut declared: Vec<_> = crate::account::FEATURES
        .iter()
        .flat_map(|feature| feature.xep().features)
        .copied()
        .collect();
    declared.sort_unstable();
    declared.dedup();
    let announced: Vec<_> = query.children().filter_map(|c| c.attr("var")).collect();
    assert_eq!(announced, declared);
    let items = juliet.iq(None, "get", ITEMS);
    assert_eq!(items.payload().map(heard), Some(el(ITEMS)), "no resource is available yet");
    juliet.send(None, "get", &INFO.replace("/>", " node='nobody'/>"));
    let stanza = juliet.routed.pop().expect("handed on to who knows the nodes");
    let unknown = Domain::new(HostSettings::default())
        .handle(HostInput::Stanza { stanza, receipt: None })
        .expect("an answer");
    let expected = Some((Condition::ItemNotFound, ErrorType::Cancel));
    assert_eq!(unknown.error_condition(), expected);
}

#[test]
fn xep_0030_security_strangers_learn_nothing() {
    let mut juliet = Client::new("juliet@example.org");
    for query in [INFO, ITEMS] {
        for from in ["eve@evil.example/r", "eve@example.org/r", "evil.example"] {
            let refused = juliet.hear(from, "get", query);
            let expected = Some((Condition::ServiceUnavailable, ErrorType::Cancel));
            assert_eq!(refused.error_condition(), expected, "{from}");
        }
    }
}
