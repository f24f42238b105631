//! Logins by password, and what bad ones get.

use std::time::{Duration, Instant};

use oc_core::auth::{
    AuthChannel, AuthExtras, AuthFailure, AuthReply, AuthStep, IdentityCommand, Secret,
};
use oc_core::sasl::client::{Gs2, Scram, plain};
use oc_core::sasl::{Family, Mechanism, Password};

use super::{Attempt, DOMAIN, House, PASSWORD, begin, failed, fresh_id, jid, secret, tls, who};
use crate::{Backoff, IdentityProvider, Realm};

async fn plain_login(house: &House, message: &[u8], address: &str) -> AuthReply {
    let extras = AuthExtras::default();
    begin(&house.ocms, fresh_id(), "PLAIN", Some(message.to_vec()), tls(address), extras).await
}

#[tokio::test]
async fn rfc5802_login_by_every_family() {
    let house = House::new().await;
    for family in Family::ALL {
        let reply = house.scram(Attempt { family, ..Attempt::default() }).await;
        let identity = who(&reply);
        assert_eq!((identity.local.as_str(), identity.domain.as_str()), ("juliet", DOMAIN));
        assert_eq!(identity.mechanism, family.mechanism());
        assert!(!identity.anonymous && identity.expires.is_none());
        let wrong = Attempt { family, password: "wrong password", ..Attempt::default() };
        assert_eq!(failed(house.scram(wrong).await), AuthFailure::NotAuthorized);
    }
}

#[tokio::test]
async fn rfc9266_login_with_channel_binding() {
    let house = House::new().await;
    for (data, right) in [([7; 32], true), ([8; 32], false)] {
        let gs2 = Gs2::Bound { type_: "tls-exporter", data: &data };
        let password = Password::prepare(PASSWORD).unwrap();
        let (first, client) = Scram::begin(Family::Sha512, "juliet", password, "n", &gs2);
        let (id, extras) = (fresh_id(), AuthExtras::default());
        let name = "SCRAM-SHA-512-PLUS";
        let reply = begin(&house.ocms, id, name, Some(first), tls("a"), extras).await;
        let AuthReply::Challenge(challenge) = reply else { panic!("{reply:?}") };
        let (proof, _) = client.respond(&challenge.0, None).unwrap();
        let reply = house.ocms.auth(id, AuthStep::Respond { data: Secret(proof) }).await;
        assert_eq!(matches!(reply, AuthReply::Success { .. }), right);
    }
}

#[tokio::test]
async fn rfc4616_login_by_plain() {
    let house = House::new().await;
    let right = plain("Juliet", PASSWORD);
    assert_eq!(who(&plain_login(&house, &right, "a").await).local, "juliet");
    let wrong = plain("juliet", "wrong");
    assert_eq!(failed(plain_login(&house, &wrong, "a").await), AuthFailure::NotAuthorized);
    let nobody = plain("nobody", PASSWORD);
    assert_eq!(failed(plain_login(&house, &nobody, "a").await), AuthFailure::NotAuthorized);
    let strange = plain("juliet", "\u{1F600}");
    assert_eq!(failed(plain_login(&house, &strange, "a").await), AuthFailure::NotAuthorized);
}

#[tokio::test]
async fn rfc6120_6_3_8_nobody_acts_for_another() {
    let house = House::new().await;
    let message = [b"romeo@capulet.example".as_slice(), &plain("juliet", PASSWORD)].concat();
    assert_eq!(failed(plain_login(&house, &message, "a").await), AuthFailure::InvalidAuthzid);
    let message = [b"juliet@capulet.example".as_slice(), &plain("juliet", PASSWORD)].concat();
    assert_eq!(who(&plain_login(&house, &message, "a").await).local, "juliet");
}

#[tokio::test]
async fn xep_0388_stream_header_must_fit() {
    let house = House::new().await;
    let login = async |claimed: &str| {
        let step = AuthStep::Begin {
            realm: DOMAIN.to_owned(),
            mechanism: "PLAIN".to_owned(),
            initial: Some(Secret(plain("juliet", PASSWORD))),
            claimed: Some(claimed.to_owned()),
            channel: Box::new(tls("a")),
            extras: AuthExtras::default(),
        };
        house.ocms.auth(fresh_id(), step).await
    };
    assert_eq!(who(&login("JULIET@capulet.example").await).local, "juliet");
    assert_eq!(failed(login("romeo@capulet.example").await), AuthFailure::NotAuthorized);
    assert_eq!(failed(login("@").await), AuthFailure::NotAuthorized);
}

#[tokio::test]
async fn rfc6120_6_4_2_without_initial_response() {
    let house = House::new().await;
    let id = fresh_id();
    let extras = AuthExtras::default();
    let reply = begin(&house.ocms, id, "PLAIN", None, tls("a"), extras).await;
    assert_eq!(reply, AuthReply::Challenge(Secret(Vec::new())));
    let data = Secret(plain("juliet", PASSWORD));
    let reply = house.ocms.auth(id, AuthStep::Respond { data: data.clone() }).await;
    assert_eq!(who(&reply).local, "juliet");
    let reply = house.ocms.auth(id, AuthStep::Respond { data }).await;
    assert_eq!(failed(reply), AuthFailure::TemporaryAuthFailure);
}

#[tokio::test]
async fn rfc6120_6_5_mechanisms_that_may_not_be_used() {
    let house = House::new().await;
    let open = AuthChannel { confidential: false, ..tls("a") };
    let unbound = AuthChannel { bindings: Default::default(), ..tls("a") };
    for (mechanism, channel, failure) in [
        ("PLAIN", open.clone(), AuthFailure::EncryptionRequired),
        ("SCRAM-SHA-1", open, AuthFailure::EncryptionRequired),
        ("ANONYMOUS", tls("a"), AuthFailure::InvalidMechanism),
        ("DIGEST-MD5", tls("a"), AuthFailure::InvalidMechanism),
        ("SCRAM-SHA-1-PLUS", unbound.clone(), AuthFailure::InvalidMechanism),
        ("HT-SHA-256-EXPR", unbound, AuthFailure::InvalidMechanism),
    ] {
        let reply =
            begin(&house.ocms, fresh_id(), mechanism, None, channel, AuthExtras::default()).await;
        assert_eq!(failed(reply), failure, "{mechanism}");
    }
}

#[tokio::test]
async fn rfc4505_guests_get_names_nobody_has() {
    let house = House::with(|s| s.realms[0].anonymous = true).await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let trace = Some(b"trace".to_vec());
        let extras = AuthExtras::default();
        let reply = begin(&house.ocms, fresh_id(), "ANONYMOUS", trace, tls("a"), extras).await;
        assert!(who(&reply).anonymous);
        names.push(who(&reply).local.clone());
    }
    assert_ne!(names[0], names[1]);
    assert_eq!(names[0].len(), 32);
}

#[tokio::test]
async fn advertised_mechanisms_depend_on_the_channel() {
    let house = House::with(|s| {
        s.realms.push(Realm { anonymous: true, ..Realm::new("guest.example") });
        s.families = vec![Family::Sha1, Family::Sha256];
    })
    .await;
    let ocms = &house.ocms;
    let unbound = AuthChannel { bindings: Default::default(), ..tls("a") };
    let open = AuthChannel { confidential: false, ..tls("a") };
    let plus = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"];
    assert_eq!(ocms.mechanisms(DOMAIN, &tls("a")), plus);
    assert_eq!(ocms.mechanisms(DOMAIN, &unbound), plus[2..]);
    assert!(ocms.mechanisms(DOMAIN, &open).is_empty());
    assert!(ocms.mechanisms("other.example", &unbound).is_empty());
    let guest = ["SCRAM-SHA-256", "SCRAM-SHA-1", "ANONYMOUS"];
    assert_eq!(ocms.mechanisms("guest.example", &unbound), guest);
    assert_eq!(ocms.fast_mechanisms(DOMAIN, &unbound), ["HT-SHA-512-NONE", "HT-SHA-256-NONE"]);
    assert_eq!(ocms.fast_mechanisms(DOMAIN, &tls("a")).len(), 6);
    assert!(ocms.fast_mechanisms(DOMAIN, &open).is_empty());
    assert_eq!(ocms.upgrades(DOMAIN), ["UPGR-SCRAM-SHA-256"]);
    for name in ocms.mechanisms(DOMAIN, &tls("a")) {
        name.parse::<Mechanism>().unwrap();
    }
}

/// The first messages of one name, twice: what an observer can compare.
async fn challenges(house: &House, name: &str) -> [String; 2] {
    let mut out = [String::new(), String::new()];
    for challenge in &mut out {
        let first = format!("n,,n={name},r=x").into_bytes();
        let (id, extras) = (fresh_id(), AuthExtras::default());
        let reply = begin(&house.ocms, id, "SCRAM-SHA-256", Some(first), tls("a"), extras).await;
        let AuthReply::Challenge(Secret(bytes)) = reply else { panic!("{reply:?}") };
        let text = String::from_utf8(bytes).unwrap();
        *challenge = text.split_once(',').unwrap().1.to_owned();
    }
    out
}

#[tokio::test]
async fn rfc5802_9_unknown_names_look_like_known_ones() {
    let house = House::new().await;
    let known = challenges(&house, "juliet").await;
    let unknown = challenges(&house, "nobody").await;
    let other = challenges(&house, "nobody2").await;
    assert_eq!(known[0], known[1]);
    assert_eq!(unknown[0], unknown[1]);
    assert_ne!(unknown[0], other[0]);
    assert_eq!(known[0].len(), unknown[0].len());
    let iterations = |text: &str| text.split(',').nth(1).unwrap().to_owned();
    assert_eq!(iterations(&known[0]), iterations(&unknown[0]));
    let attempt = Attempt { name: "nobody", ..Attempt::default() };
    assert_eq!(failed(house.scram(attempt).await), AuthFailure::NotAuthorized);
}

#[tokio::test]
async fn xep_0474_hash_is_sent_unless_switched_off() {
    let house = House::new().await;
    assert!(challenges(&house, "juliet").await[0].contains(",h="));
    let house = House::with(|s| s.downgrade_protection = false).await;
    assert!(!challenges(&house, "juliet").await[0].contains(",h="));
}

#[tokio::test]
async fn exchange_ends_after_a_minute_and_by_abort() {
    let house = House::new().await;
    let begun = async || {
        let id = fresh_id();
        let extras = AuthExtras::default();
        begin(&house.ocms, id, "PLAIN", None, tls("a"), extras).await;
        id
    };
    let data = Secret(plain("juliet", PASSWORD));
    let respond = async |id| house.ocms.auth(id, AuthStep::Respond { data: data.clone() }).await;
    let id = begun().await;
    house.wait(Duration::from_secs(59));
    assert_eq!(who(&respond(id).await).local, "juliet");
    let id = begun().await;
    house.wait(Duration::from_secs(60));
    assert_eq!(failed(respond(id).await), AuthFailure::TemporaryAuthFailure);
    let id = begun().await;
    assert_eq!(failed(house.ocms.auth(id, AuthStep::Abort).await), AuthFailure::Aborted);
    assert_eq!(failed(respond(id).await), AuthFailure::TemporaryAuthFailure);
    assert_eq!(house.ocms.exchanges.len(), 0);
}

#[tokio::test]
async fn new_exchange_ends_the_one_before() {
    let house = House::new().await;
    let (id, extras) = (fresh_id(), AuthExtras::default());
    let first = Some(b"n,,n=juliet,r=x".to_vec());
    begin(&house.ocms, id, "SCRAM-SHA-256", first, tls("a"), extras.clone()).await;
    let wrong = Some(b"not a message".to_vec());
    begin(&house.ocms, id, "PLAIN", wrong, tls("a"), extras).await;
    assert_eq!(house.ocms.exchanges.len(), 0);
}

#[tokio::test]
async fn exchanges_are_bounded() {
    let house = House::with(|s| s.exchanges_max = 2).await;
    let begun = async || {
        let extras = AuthExtras::default();
        begin(&house.ocms, fresh_id(), "PLAIN", None, tls("a"), extras).await
    };
    begun().await;
    begun().await;
    assert_eq!(failed(begun().await), AuthFailure::TemporaryAuthFailure);
    house.wait(Duration::from_secs(60));
    assert_eq!(begun().await, AuthReply::Challenge(Secret(Vec::new())));
}

#[tokio::test]
async fn plain_alone_needs_a_verifier_too() {
    let house = House::with(|s| s.families = Vec::new()).await;
    assert_eq!(house.ocms.mechanisms(DOMAIN, &tls("a")), ["PLAIN"]);
    let right = plain("juliet", PASSWORD);
    assert_eq!(who(&plain_login(&house, &right, "a").await).local, "juliet");
    let wrong = plain("juliet", "wrong");
    assert_eq!(failed(plain_login(&house, &wrong, "a").await), AuthFailure::NotAuthorized);
    let nobody = plain("nobody", PASSWORD);
    assert_eq!(failed(plain_login(&house, &nobody, "a").await), AuthFailure::NotAuthorized);
}

/// What the server spends on a login whose account is in memory: both messages, without the
/// client's work. The budget is 100 us in a release build; without optimisation it is a multiple,
/// so this asks for 1 ms in the best of several rounds, which a query or a slow hash on the way
/// would miss.
#[tokio::test]
async fn warm_login_is_cheap() {
    let house = House::new().await;
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let mut spent = Duration::ZERO;
        for _ in 0..50 {
            let password = Password::prepare(PASSWORD).unwrap();
            let (first, client) =
                Scram::begin(Family::Sha256, "juliet", password, "nonce", &Gs2::No);
            let (id, extras) = (fresh_id(), AuthExtras::default());
            let from = Instant::now();
            let reply =
                begin(&house.ocms, id, "SCRAM-SHA-256", Some(first), tls("a"), extras).await;
            spent += from.elapsed();
            let AuthReply::Challenge(challenge) = reply else { panic!("{reply:?}") };
            let (proof, _) = client.respond(&challenge.0, None).unwrap();
            let from = Instant::now();
            let reply = house.ocms.auth(id, AuthStep::Respond { data: Secret(proof) }).await;
            spent += from.elapsed();
            assert_eq!(who(&reply).local, "juliet");
        }
        best = best.min(spent / 50);
    }
    println!("a warm login by SCRAM-SHA-256: {best:?}");
    assert!(best < Duration::from_millis(1), "{best:?}");
}

/// What the account became between challenge and proof is what counts.
#[tokio::test]
async fn proof_is_judged_by_the_account_of_now() {
    let account = jid("juliet");
    let set =
        IdentityCommand::SetPassword { account: account.clone(), password: secret("a rose by") };
    let disable = IdentityCommand::SetEnabled { account: account.clone(), enabled: false };
    let remove = IdentityCommand::Remove { account };
    for (change, failure) in [
        (set, AuthFailure::NotAuthorized),
        (disable, AuthFailure::AccountDisabled),
        (remove, AuthFailure::NotAuthorized),
    ] {
        let house = House::new().await;
        let password = Password::prepare(PASSWORD).unwrap();
        let (first, client) = Scram::begin(Family::Sha256, "juliet", password, "n", &Gs2::No);
        let (id, extras) = (fresh_id(), AuthExtras::default());
        let reply = begin(&house.ocms, id, "SCRAM-SHA-256", Some(first), tls("a"), extras).await;
        let AuthReply::Challenge(challenge) = reply else { panic!("{reply:?}") };
        let (proof, _) = client.respond(&challenge.0, None).unwrap();
        house.command(change).await;
        let reply = house.ocms.auth(id, AuthStep::Respond { data: Secret(proof) }).await;
        assert_eq!(failed(reply), failure);
    }
}

fn strict() -> Backoff {
    Backoff { free_account: 3, free_address: 6, ..Backoff::default() }
}

/// Guesses by all means count together, and a pause refuses even the right password.
#[tokio::test]
async fn failed_logins_pause_the_account_for_all_mechanisms() {
    let house = House::with(|s| s.backoff = Some(strict())).await;
    let wrong = || Attempt { password: "wrong password", ..Attempt::default() };
    for i in 0..2 {
        assert_eq!(failed(house.scram(wrong()).await), AuthFailure::NotAuthorized);
        let reply = plain_login(&house, &plain("juliet", "wrong"), &format!("b{i}")).await;
        assert_eq!(failed(reply), AuthFailure::NotAuthorized);
    }
    let right = || Attempt { address: "192.0.2.9", ..Attempt::default() };
    assert_eq!(failed(house.scram(right()).await), AuthFailure::TemporaryAuthFailure);
    let reply = plain_login(&house, &plain("juliet", PASSWORD), "c").await;
    assert_eq!(failed(reply), AuthFailure::TemporaryAuthFailure);
    assert!(house.logs_in("romeo", PASSWORD).await);
    house.wait(Duration::from_secs(1));
    assert_eq!(who(&house.scram(right()).await).local, "juliet");
}

#[tokio::test]
async fn failed_logins_pause_the_address_for_unknown_names_too() {
    let house = House::with(|s| s.backoff = Some(strict())).await;
    for i in 0..7 {
        let name = format!("nobody{i}");
        let attempt = Attempt { name: &name, ..Attempt::default() };
        assert_eq!(failed(house.scram(attempt).await), AuthFailure::NotAuthorized);
    }
    assert!(!house.logs_in("juliet", PASSWORD).await);
    let elsewhere = Attempt { address: "192.0.2.9", ..Attempt::default() };
    assert_eq!(who(&house.scram(elsewhere).await).local, "juliet");
    house.wait(Duration::from_secs(1));
    assert!(house.logs_in("juliet", PASSWORD).await);
}

/// Challenges may be collected before the first failure, but not answered in parallel for free.
#[tokio::test]
async fn failed_logins_count_for_exchanges_begun_before() {
    let house = House::with(|s| s.backoff = Some(strict())).await;
    let mut begun = Vec::new();
    for _ in 0..10 {
        let password = Password::prepare("guess").unwrap();
        let (first, client) = Scram::begin(Family::Sha1, "juliet", password, "n", &Gs2::No);
        let (id, extras) = (fresh_id(), AuthExtras::default());
        let reply = begin(&house.ocms, id, "SCRAM-SHA-1", Some(first), tls("a"), extras).await;
        let AuthReply::Challenge(challenge) = reply else { panic!("{reply:?}") };
        begun.push((id, client.respond(&challenge.0, None).unwrap().0));
    }
    let mut failures = Vec::new();
    for (id, proof) in begun {
        let reply = house.ocms.auth(id, AuthStep::Respond { data: Secret(proof) }).await;
        failures.push(failed(reply));
    }
    let judged = failures.iter().filter(|f| **f == AuthFailure::NotAuthorized).count();
    assert_eq!(judged, 4);
    assert_eq!(failures[9], AuthFailure::TemporaryAuthFailure);
}
