use oc_core::ErrorType;

use super::*;
use crate::testing::{Domain, el};

fn service(type_: &str, port: u16, access: Access) -> ExternalService {
    ExternalService {
        type_: type_.to_owned(),
        host: "relay.example.org".to_owned(),
        port: Some(port),
        transport: Some("udp".to_owned()),
        name: None,
        access,
    }
}

fn domain() -> Domain {
    let secret = Secret(b"north".to_vec());
    let shared = Access::Shared { secret, lifetime: Duration::from_secs(86_400) };
    let fixed =
        Access::Fixed { username: "guest".to_owned(), password: Secret(b"welcome".to_vec()) };
    let external_services = vec![
        service("stun", 3478, Access::Open),
        service("turn", 3478, shared),
        service("ftp", 20, fixed),
    ];
    Domain::new(HostSettings { external_services, ..HostSettings::default() })
}

const ALL: &str = "<services xmlns='urn:xmpp:extdisco:2'/>";

#[test]
fn xep_0215_all_services_with_credentials() {
    let services = domain().ask("bard@example.org/globe", "get", ALL).expect("a payload");
    let all: Vec<_> = services.children().collect();
    assert_eq!(
        all[0],
        &el("<service xmlns='urn:xmpp:extdisco:2' type='stun' host='relay.example.org' \
             port='3478' transport='udp'/>")
    );
    assert_eq!(all[1].attr("expires"), Some("2026-11-22T10:20:30Z"));
    assert_eq!(all[1].attr("restricted"), Some("true"));
    let username = all[1].attr("username").expect("a name");
    assert!(username.starts_with("1795342830:"), "{username}");
    assert_eq!(
        all[1].attr("password"),
        Some(password(&Secret(b"north".to_vec()), username).as_str())
    );
    assert_eq!(all[2].attr("password"), Some("welcome"));
}

#[test]
fn xep_0215_protocol_shared_secret_vector() {
    // RFC 2202, test case 2: what every implementation of HMAC-SHA-1 computes.
    let secret = Secret(b"Jefe".to_vec());
    let sum = BASE64.decode(password(&secret, "what do ya want for nothing?")).expect("base64");
    assert_eq!(sum[..4], [0xef, 0xfc, 0xdf, 0x6a]);
    assert_eq!(sum[16..], [0x25, 0x9a, 0x7c, 0x79]);
}

#[test]
fn xep_0215_select_by_type() {
    let select = "<services xmlns='urn:xmpp:extdisco:2' type='stun'/>";
    let services = domain().ask("bard@example.org/globe", "get", select).expect("a payload");
    assert_eq!(services.attr("type"), Some("stun"));
    assert_eq!(services.children().count(), 1);
    // Clients of the predecessor hear its namespace.
    let old = "<services xmlns='urn:xmpp:extdisco:1'/>";
    let services = domain().ask("bard@example.org/globe", "get", old).expect("a payload");
    assert!(services.children().all(|c| c.is("service", NS_1)) && services.is("services", NS_1));
}

#[test]
fn xep_0215_credentials() {
    let ask = |attrs: &str| {
        format!("<credentials xmlns='urn:xmpp:extdisco:2'><service {attrs}/></credentials>")
    };
    let mut domain = domain();
    let turn = ask("host='relay.example.org' type='turn'");
    let found = domain.ask("bard@example.org/globe", "get", &turn).expect("a payload");
    assert_eq!(found.children().count(), 1);
    let (not_found, bad) = (Condition::ItemNotFound, Condition::BadRequest);
    for (attrs, condition) in [
        ("host='relay.example.org' type='turn' port='1'", not_found),
        ("host='elsewhere.example' type='turn'", not_found),
        ("host='relay.example.org' type='stun'", not_found),
        ("host='relay.example.org'", bad),
        ("host='relay.example.org' type='turn' port='x'", bad),
    ] {
        let refused = domain.refused("bard@example.org/globe", "get", &ask(attrs));
        assert_eq!(refused.0, condition, "{attrs}");
    }
}

#[test]
fn xep_0215_protocol_only_for_accounts() {
    let refused = domain().refused("bard@elsewhere.example/globe", "get", ALL);
    assert_eq!(refused, (Condition::Forbidden, ErrorType::Auth));
}

#[test]
fn xep_0215_disco_only_with_services() {
    assert!(domain().features().contains(&NS));
    let mut empty = Domain::new(HostSettings::default());
    assert!(!empty.features().contains(&NS));
    let refused = empty.refused("bard@example.org/globe", "get", ALL);
    assert_eq!(refused, (Condition::ServiceUnavailable, ErrorType::Cancel));
}
