//! One test per rule.

use std::sync::Arc;

use super::super::client::{Advertised, ClientError, Gs2, Scram, plain};
use super::super::{
    BadPassword, Binding, ClientFirst, Family, HashedToken, HtHash, Mechanism, Password, Plain,
    Verifier, account, advertised_hash, check_trace, ht,
};
use super::{FEW, exchange, password, tls, verifier};
use crate::auth::{AuthChannel, AuthFailure};
use crate::limits;

const EXPORTER: Gs2<'static> = Gs2::Bound { type_: "tls-exporter", data: &[7; 32] };
const END_POINT: Gs2<'static> = Gs2::Bound { type_: "tls-server-end-point", data: &[9; 32] };

fn refused(message: &str, plus: bool) -> AuthFailure {
    ClientFirst::parse(Family::Sha256, plus, message.as_bytes(), &tls()).unwrap_err()
}

#[test]
fn rfc5802_3_right_and_wrong_password() {
    for family in Family::ALL {
        assert_eq!(exchange(family, &Gs2::No, &tls(), "secret", "secret"), Ok(()));
        assert_eq!(
            exchange(family, &Gs2::No, &tls(), "secret", "Secret"),
            Err(AuthFailure::NotAuthorized)
        );
    }
}

#[test]
fn rfc9266_2_tls_exporter_binds() {
    for family in Family::ALL {
        assert_eq!(exchange(family, &EXPORTER, &tls(), "secret", "secret"), Ok(()));
    }
    let relayed = Gs2::Bound { type_: "tls-exporter", data: &[8; 32] };
    assert_eq!(
        exchange(Family::Sha256, &relayed, &tls(), "secret", "secret"),
        Err(AuthFailure::NotAuthorized)
    );
}

#[test]
fn rfc5929_4_tls_server_end_point_binds() {
    assert_eq!(exchange(Family::Sha256, &END_POINT, &tls(), "secret", "secret"), Ok(()));
    let other = Gs2::Bound { type_: "tls-server-end-point", data: &[7; 32] };
    assert_eq!(
        exchange(Family::Sha256, &other, &tls(), "secret", "secret"),
        Err(AuthFailure::NotAuthorized)
    );
}

#[test]
fn rfc5802_6_unknown_binding_type_refused() {
    assert_eq!(refused("p=tls-unique,,n=a,r=x", true), AuthFailure::MalformedRequest);
}

#[test]
fn rfc5802_6_plus_needs_binding_and_binding_needs_plus() {
    assert_eq!(refused("n,,n=a,r=x", true), AuthFailure::MalformedRequest);
    assert_eq!(refused("y,,n=a,r=x", true), AuthFailure::MalformedRequest);
    assert_eq!(refused("p=tls-exporter,,n=a,r=x", false), AuthFailure::MalformedRequest);
}

#[test]
fn rfc5802_6_y_refused_if_plus_was_offered() {
    let mut channel = tls();
    channel.advertised = vec!["SCRAM-SHA-1".into(), "SCRAM-SHA-1-PLUS".into()];
    let run = |gs2: &Gs2<'_>, channel: &AuthChannel| {
        exchange(Family::Sha1, gs2, channel, "secret", "secret")
    };
    assert_eq!(run(&Gs2::Unoffered, &channel), Err(AuthFailure::NotAuthorized));
    assert_eq!(run(&Gs2::No, &channel), Ok(()));
    channel.advertised.pop();
    assert_eq!(run(&Gs2::Unoffered, &channel), Ok(()));
}

#[test]
fn rfc5802_7_malformed_first_messages() {
    for message in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=a",
        "n,,n=,r=x",
        "n,,n=a,r=",
        "n,,r=x,n=a",
        "n,,n=a,x=1,r=x",
        "n,,m=1,n=a,r=x",
        "n,,n=a,r=x,m=1",
        "n,,n=a,r=x,",
        "n,,n=a,r=x,a",
        "n,,n=a=2c,r=x",
        "n,,n=a=,r=x",
        "n,,n=a=3,r=x",
        "n,,n=a\0,r=x",
        "n,,n=a,r=x y",
        "n,,n=a,r=\u{e9}",
        "n,b=x,n=a,r=x",
        "n,a=,n=a,r=x",
        "n,a==41,n=a,r=x",
        "q,,n=a,r=x",
        "p,,n=a,r=x",
    ] {
        assert_eq!(refused(message, false), AuthFailure::MalformedRequest, "{message:?}");
    }
    let first = ClientFirst::parse(Family::Sha256, false, b"n,,n=\xFF,r=x", &tls());
    assert_eq!(first.unwrap_err(), AuthFailure::MalformedRequest);
}

#[test]
fn rfc5802_7_sizes_are_bounded() {
    let nonce = |n| format!("n,,n=a,r={}", "x".repeat(n));
    let parse =
        |message: &str| ClientFirst::parse(Family::Sha256, false, message.as_bytes(), &tls()).err();
    assert_eq!(parse(&nonce(512)), None);
    assert_eq!(parse(&nonce(513)), Some(AuthFailure::MalformedRequest));
    let long = format!("n,,n={},r=x", "a".repeat(limits::SASL_MESSAGE_BYTES));
    assert_eq!(parse(&long), Some(AuthFailure::MalformedRequest));
}

#[test]
fn rfc5802_5_1_names_are_unescaped() {
    let message = b"n,a=a=3D=2Cb@x,n=a=2Cb=3D,r=x,e=1";
    let first = ClientFirst::parse(Family::Sha256, false, message, &tls()).unwrap();
    assert_eq!(first.authcid(), "a,b=");
    assert_eq!(first.authzid(), Some("a=,b@x"));
}

#[test]
fn rfc5802_7_malformed_last_messages() {
    let server = || {
        let first = ClientFirst::parse(Family::Sha1, false, b"n,,n=a,r=x", &tls()).unwrap();
        first.challenge(verifier(Family::Sha1, "secret"), "y", None).1
    };
    let proof = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for (message, failure) in [
        (format!("c=biws,r=xy,p={proof}"), AuthFailure::NotAuthorized),
        (format!("c=eSws,r=xy,p={proof}"), AuthFailure::NotAuthorized),
        (format!("c=biws,r=xz,p={proof}"), AuthFailure::NotAuthorized),
        (format!("r=xy,c=biws,p={proof}"), AuthFailure::MalformedRequest),
        (format!("c=biws,p={proof}"), AuthFailure::MalformedRequest),
        ("c=biws,r=xy".to_owned(), AuthFailure::MalformedRequest),
        (format!("c=biws,r=xy,m=1,p={proof}"), AuthFailure::MalformedRequest),
        (format!("c=biws,r=xy,p={proof},p={proof}"), AuthFailure::MalformedRequest),
        ("c=biws,r=xy,p=AAAA".to_owned(), AuthFailure::MalformedRequest),
        ("c=biws,r=xy,p=****".to_owned(), AuthFailure::IncorrectEncoding),
        (String::new(), AuthFailure::MalformedRequest),
    ] {
        assert_eq!(server().finish(message.as_bytes()).unwrap_err(), failure, "{message:?}");
    }
}

#[test]
fn rfc5802_5_1_client_refuses_another_nonce() {
    let (_, client) = Scram::begin(Family::Sha1, "a", password("secret"), "mine", &Gs2::No);
    for challenge in ["r=other,s=QSXC,i=1", "r=mine,s=QSXC,i=1"] {
        let answer = client.clone().respond(challenge.as_bytes(), None);
        assert_eq!(answer.unwrap_err(), ClientError::Nonce);
    }
    let answer = client.clone().respond(b"r=mine1,s=QSXC,i=4000000000", None);
    assert_eq!(answer.unwrap_err(), ClientError::Iterations);
    for challenge in
        ["", "r=mine1", "r=mine1,s=QSXC,i=0", "r=mine1,s=QSXC,i=1,m=1", "r=mine1,s=Q,i=1"]
    {
        let answer = client.clone().respond(challenge.as_bytes(), None);
        assert_eq!(answer.unwrap_err(), ClientError::Malformed, "{challenge}");
    }
}

#[test]
fn rfc5802_3_client_finds_an_impostor() {
    let (first, client) = Scram::begin(Family::Sha1, "a", password("secret"), "c", &Gs2::No);
    let first = ClientFirst::parse(Family::Sha1, false, &first, &tls()).unwrap();
    let (challenge, server) = first.challenge(verifier(Family::Sha1, "secret"), "s", None);
    let (proof, client) = client.respond(&challenge, None).unwrap();
    let mut last = server.finish(&proof).unwrap();
    client.clone().finish(&last).unwrap();
    last[3] ^= 1;
    assert!(client.clone().finish(&last).is_err());
    assert_eq!(client.finish(b"e=other-error"), Err(ClientError::Malformed));
}

#[test]
fn xep_0474_client_finds_a_changed_list() {
    let offered = vec!["SCRAM-SHA-1".to_owned(), "SCRAM-SHA-512".to_owned()];
    let types = vec!["tls-exporter".to_owned()];
    let respond = |mechanisms: &[String], bindings: Option<&[String]>| {
        let (first, client) = Scram::begin(Family::Sha1, "a", password("secret"), "c", &Gs2::No);
        let first = ClientFirst::parse(Family::Sha1, false, &first, &tls()).unwrap();
        let hash = advertised_hash(Family::Sha1, &offered, Some(&types));
        let verifier = verifier(Family::Sha1, "secret");
        let (challenge, server) = first.challenge(verifier, "s", Some(&hash));
        let seen = Advertised { mechanisms, bindings };
        let (proof, _) = client.respond(&challenge, Some(seen))?;
        server.finish(&proof).unwrap();
        Ok(())
    };
    let other_order: Vec<String> = offered.iter().rev().cloned().collect();
    assert_eq!(respond(&offered, Some(&types)), Ok(()));
    assert_eq!(respond(&other_order, Some(&types)), Ok(()));
    assert_eq!(respond(&offered[..1], Some(&types)), Err(ClientError::Downgrade));
    assert_eq!(respond(&offered, Some(&[])), Err(ClientError::Downgrade));
    assert_eq!(respond(&offered, None), Err(ClientError::Downgrade));
}

/// XEP-0474 #security: the hash is under the signature, so changing it in flight fails the login.
#[test]
fn xep_0474_changed_hash_fails_the_proof() {
    let (first, client) = Scram::begin(Family::Sha1, "a", password("secret"), "c", &Gs2::No);
    let first = ClientFirst::parse(Family::Sha1, false, &first, &tls()).unwrap();
    let real = advertised_hash(Family::Sha1, &["SCRAM-SHA-512".into(), "SCRAM-SHA-1".into()], None);
    let forged = advertised_hash(Family::Sha1, &["SCRAM-SHA-1".into()], None);
    let (challenge, server) = first.challenge(verifier(Family::Sha1, "secret"), "s", Some(&real));
    let challenge = String::from_utf8(challenge).unwrap().replace(&real, &forged);
    let seen = ["SCRAM-SHA-1".to_owned()];
    let seen = Advertised { mechanisms: &seen, bindings: None };
    let (proof, _) = client.respond(challenge.as_bytes(), Some(seen)).unwrap();
    assert_eq!(server.finish(&proof), Err(AuthFailure::NotAuthorized));
}

#[test]
fn rfc5802_9_fake_verifier_is_stable_and_fits_nothing() {
    let fake = |secret: &[u8], name: &str| Verifier::fake(Family::Sha256, secret, name, FEW);
    assert_eq!(fake(b"s", "a@x"), fake(b"s", "a@x"));
    assert_ne!(fake(b"s", "a@x").salt, fake(b"s", "b@x").salt);
    assert_ne!(fake(b"s", "a@x").salt, fake(b"t", "a@x").salt);
    let sha1 = Verifier::fake(Family::Sha1, b"s", "a@x", FEW);
    assert_ne!(sha1.salt, fake(b"s", "a@x").salt);
    assert_eq!(sha1.salt.len(), 16);
    let (first, client) = Scram::begin(Family::Sha1, "a", password("secret"), "c", &Gs2::No);
    let first = ClientFirst::parse(Family::Sha1, false, &first, &tls()).unwrap();
    let (challenge, server) = first.challenge(Arc::new(sha1), "s", None);
    let (proof, _) = client.respond(&challenge, None).unwrap();
    assert_eq!(server.finish(&proof), Err(AuthFailure::NotAuthorized));
}

#[test]
fn rfc4616_2_message() {
    let plain_of = |message: &[u8]| Plain::parse(message).map(|p| (p.authzid, p.authcid));
    assert_eq!(plain_of(b"\0tim\0tanstaaftanstaaf"), Ok((None, "tim".into())));
    assert_eq!(plain_of(&plain("tim", "x")), Ok((None, "tim".into())));
    assert_eq!(plain_of(b"Ursel\0Kurt\0xipj3plmq"), Ok((Some("Ursel".into()), "Kurt".into())));
    for message in
        [b"".as_slice(), b"a", b"\0a", b"\0\0x", b"\0a\0", b"\0a\0b\0c", b"\0a\0\xFF", b"\0\xC0\0x"]
    {
        assert_eq!(plain_of(message), Err(AuthFailure::MalformedRequest), "{message:?}");
    }
    let long = [b"\0a\0".as_slice(), &[b'x'; limits::SASL_MESSAGE_BYTES]].concat();
    assert_eq!(plain_of(&long), Err(AuthFailure::MalformedRequest));
}

#[test]
fn rfc4505_2_trace() {
    assert_eq!(check_trace(b""), Ok(()));
    assert_eq!(check_trace(b"sirhc"), Ok(()));
    assert_eq!(check_trace("\u{1F600}".repeat(255).as_bytes()), Ok(()));
    for bad in ["a".repeat(256).as_bytes(), b"\xFF", b"a\0b"] {
        assert_eq!(check_trace(bad), Err(AuthFailure::MalformedRequest));
    }
}

#[test]
fn xep_0484_mechanism_and_channel_bind_the_token() {
    let bindings = tls().bindings;
    let data = |binding| ht::binding_data(binding, &bindings).unwrap();
    let sent = ht::initiator(HtHash::Sha256, "a", "token", data(Binding::Exporter));
    let parsed = HashedToken::parse(HtHash::Sha256, &sent).unwrap();
    assert!(parsed.proves(HtHash::Sha256, "token", data(Binding::Exporter)));
    assert!(!parsed.proves(HtHash::Sha256, "token", data(Binding::EndPoint)));
    assert!(!parsed.proves(HtHash::Sha256, "token", data(Binding::None)));
    assert_eq!(
        HashedToken::parse(HtHash::Sha512, &sent).unwrap_err(),
        AuthFailure::MalformedRequest
    );
    for bad in [b"".as_slice(), b"a", b"a\0", &[b"\0".as_slice(), &[1; 32]].concat()] {
        assert!(HashedToken::parse(HtHash::Sha256, bad).is_err());
    }
}

#[test]
fn rfc6120_6_3_8_authzid_is_the_account_itself() {
    let ok = account("Capulet.example", "Juliet", None).unwrap();
    assert_eq!(ok.as_str(), "juliet@capulet.example");
    let with = |authzid| account("capulet.example", "juliet", Some(authzid));
    assert_eq!(with(""), Ok(ok.clone()));
    assert_eq!(with("JULIET@capulet.example"), Ok(ok));
    for other in
        ["romeo@capulet.example", "juliet@x.example", "juliet@capulet.example/r", "@", "juliet"]
    {
        assert_eq!(with(other), Err(AuthFailure::InvalidAuthzid), "{other}");
    }
}

#[test]
fn rfc7622_3_3_names_that_are_no_local_part() {
    for bad in ["", "a b", "a@b", "a/b", "a:b", "a\u{0}b", "a<b", &"x".repeat(1024)] {
        assert_eq!(account("x.example", bad, None), Err(AuthFailure::NotAuthorized), "{bad}");
    }
}

#[test]
fn rfc4013_3_passwords_are_prepared() {
    let same = |a: &str, b: &str| assert_eq!(password(a), password(b));
    same("I\u{AD}X", "IX");
    same("user", "user");
    same("\u{AA}", "a");
    same("\u{2168}", "IX");
    assert_ne!(password("USER"), password("user"));
    assert_eq!(Password::prepare("\u{7}"), Err(BadPassword::Prohibited));
    assert_eq!(Password::prepare("\u{627}1"), Err(BadPassword::Prohibited));
    assert_eq!(Password::prepare("pass\u{1F600}word"), Err(BadPassword::Prohibited));
    assert_eq!(Password::prepare(""), Err(BadPassword::Empty));
    assert_eq!(Password::prepare("\u{AD}"), Err(BadPassword::Empty));
    assert_eq!(Password::prepare(&"x".repeat(1025)), Err(BadPassword::TooLong));
    // one character that NFKC makes eighteen of
    assert_eq!(Password::prepare(&"\u{FDFA}".repeat(300)), Err(BadPassword::TooLong));
}

#[test]
fn secrets_have_no_debug_output() {
    let password = password("tops3cret");
    let stored = verifier(Family::Sha1, "tops3cret");
    let (_, client) = Scram::begin(Family::Sha1, "a", password.clone(), "c", &Gs2::No);
    let key = format!("{:?}", stored.stored_key.as_bytes());
    for text in [format!("{password:?}"), format!("{stored:?}"), format!("{client:?}")] {
        assert!(!text.contains("tops3cret") && !text.contains(&key), "{text}");
    }
}

#[test]
fn rfc4422_3_1_mechanism_names_round_trip() {
    for mechanism in Mechanism::ALL.into_iter().chain(Mechanism::FAST) {
        assert_eq!(mechanism.name().parse(), Ok(mechanism));
    }
    assert!("scram-sha-1".parse::<Mechanism>().is_err());
    assert!("DIGEST-MD5".parse::<Mechanism>().is_err());
}
