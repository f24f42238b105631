//! XEP-0484: what tokens do, and what stolen or replayed ones do not.

use std::time::Duration;

use oc_core::auth::{AuthExtras, AuthFailure, AuthReply, FastToken, FastUse, IdentityCommand};
use oc_core::sasl::{HtHash, ht};

use super::{Attempt, House, PASSWORD, begin, failed, fresh_id, jid, secret, tls, who};
use crate::{Backoff, Fast};

const PHONE: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A login by token.
#[derive(Clone)]
struct Use<'a> {
    token: &'a str,
    name: &'a str,
    client: &'a str,
    mechanism: &'a str,
    request: Option<&'a str>,
    fast: Option<FastUse>,
}

impl<'a> Use<'a> {
    fn of(token: &'a FastToken) -> Self {
        Self {
            token: &token.token,
            name: "juliet",
            client: PHONE,
            mechanism: "HT-SHA-256-EXPR",
            request: None,
            fast: Some(FastUse::default()),
        }
    }
}

impl House {
    async fn token(&self, client: &str) -> FastToken {
        let extras = AuthExtras {
            client_id: Some(client.to_owned()),
            token_request: Some("HT-SHA-256-EXPR".to_owned()),
            ..AuthExtras::default()
        };
        given(self.scram(Attempt { extras, ..Attempt::default() }).await).expect("asked for it")
    }

    async fn by_token(&self, attempt: Use<'_>) -> AuthReply {
        let channel = tls("192.0.2.1");
        let data: &[u8] = match attempt.mechanism {
            "HT-SHA-256-EXPR" => channel.bindings.data("tls-exporter").unwrap(),
            "HT-SHA-256-ENDP" => channel.bindings.data("tls-server-end-point").unwrap(),
            _ => &[],
        };
        let message = ht::initiator(HtHash::Sha256, attempt.name, attempt.token, data);
        let extras = AuthExtras {
            client_id: Some(attempt.client.to_owned()),
            fast: attempt.fast,
            token_request: attempt.request.map(str::to_owned),
            ..AuthExtras::default()
        };
        let answer = ht::responder(HtHash::Sha256, attempt.token, data);
        let mechanism = attempt.mechanism;
        let reply =
            begin(&self.ocms, fresh_id(), mechanism, Some(message), channel.clone(), extras).await;
        if let AuthReply::Success { additional, .. } = &reply {
            assert_eq!(additional.as_ref().map(|a| a.0.clone()), Some(answer));
        }
        reply
    }

    async fn works(&self, token: &FastToken) -> bool {
        matches!(self.by_token(Use::of(token)).await, AuthReply::Success { .. })
    }
}

fn given(reply: AuthReply) -> Option<FastToken> {
    match reply {
        AuthReply::Success { token, .. } => token,
        other => panic!("no success: {other:?}"),
    }
}

#[tokio::test]
async fn xep_0484_login_by_token() {
    let house = House::new().await;
    let token = house.token(PHONE).await;
    let reply = house.by_token(Use::of(&token)).await;
    assert_eq!(who(&reply).local, "juliet");
    assert_eq!(who(&reply).mechanism, "HT-SHA-256-EXPR");
    assert_eq!(given(reply), None);
    assert!(house.works(&token).await);
}

#[tokio::test]
async fn xep_0484_no_token_without_a_device_or_an_offered_mechanism() {
    let house = House::new().await;
    for (client, mechanism) in [
        (None, "HT-SHA-256-NONE"),
        (Some(""), "HT-SHA-256-NONE"),
        (Some(PHONE), "HT-SHA-256-UNIQ"),
        (Some(PHONE), "PLAIN"),
    ] {
        let extras = AuthExtras {
            client_id: client.map(str::to_owned),
            token_request: Some(mechanism.to_owned()),
            ..AuthExtras::default()
        };
        let reply = house.scram(Attempt { extras, ..Attempt::default() }).await;
        assert_eq!(given(reply), None, "{client:?} {mechanism}");
    }
}

#[tokio::test]
async fn xep_0484_stolen_token_is_useless_elsewhere() {
    let house = House::new().await;
    let token = house.token(PHONE).await;
    let right = Use::of(&token);
    for wrong in [
        Use { name: "romeo", ..right.clone() },
        Use { name: "nobody", ..right.clone() },
        Use { client: "another device", ..right.clone() },
        // XEP-0484 #fast-auth: bound to its mechanism
        Use { mechanism: "HT-SHA-256-NONE", ..right.clone() },
        Use { mechanism: "HT-SHA-256-ENDP", ..right.clone() },
        Use { token: "secret-token:AAAA", ..right.clone() },
    ] {
        assert_eq!(failed(house.by_token(wrong).await), AuthFailure::NotAuthorized);
    }
    let unmarked = Use { fast: None, ..right };
    assert_eq!(failed(house.by_token(unmarked).await), AuthFailure::MalformedRequest);
    // a password is no token
    let password = Use { token: PASSWORD, ..Use::of(&token) };
    assert_eq!(failed(house.by_token(password).await), AuthFailure::NotAuthorized);
}

#[tokio::test]
async fn xep_0484_replayed_count_is_refused() {
    let house = House::new().await;
    let token = house.token(PHONE).await;
    let with = |count| Use {
        fast: Some(FastUse { count: Some(count), invalidate: false }),
        ..Use::of(&token)
    };
    assert_eq!(who(&house.by_token(with(1)).await).local, "juliet");
    assert_eq!(failed(house.by_token(with(1)).await), AuthFailure::NotAuthorized);
    assert_eq!(who(&house.by_token(with(7)).await).local, "juliet");
    for replay in [1, 6, 7] {
        assert_eq!(failed(house.by_token(with(replay)).await), AuthFailure::NotAuthorized);
    }
    for odd in [0, u64::MAX] {
        assert_eq!(failed(house.by_token(with(odd)).await), AuthFailure::MalformedRequest);
    }
    assert_eq!(who(&house.by_token(with(8)).await).local, "juliet");
}

#[tokio::test]
async fn xep_0484_token_expires() {
    let house = House::new().await;
    let token = house.token(PHONE).await;
    house.wait(Fast::default().ttl - Duration::from_millis(1));
    assert!(house.works(&token).await);
    house.wait(Duration::from_millis(1));
    let reply = house.by_token(Use::of(&token)).await;
    assert_eq!(failed(reply), AuthFailure::CredentialsExpired);
}

#[tokio::test]
async fn xep_0484_old_token_lives_until_the_new_one_is_used() {
    let house = House::new().await;
    let old = house.token(PHONE).await;
    assert!(house.works(&old).await);
    house.wait(DAY);
    let new = given(house.by_token(Use::of(&old)).await).expect("due for rotation");
    assert_ne!(old, new);
    // the answer got lost: another new token, and the one nobody has used is gone
    let newer = given(house.by_token(Use::of(&old)).await).expect("due for rotation");
    assert_eq!(failed(house.by_token(Use::of(&new)).await), AuthFailure::NotAuthorized);
    assert_eq!(given(house.by_token(Use::of(&newer)).await), None);
    assert_eq!(failed(house.by_token(Use::of(&old)).await), AuthFailure::NotAuthorized);
    assert!(house.works(&newer).await);
}

#[tokio::test]
async fn xep_0484_invalidation() {
    let house = House::new().await;
    let token = house.token(PHONE).await;
    let tablet = house.token("tablet").await;
    house.wait(DAY);
    let end = Some(FastUse { count: None, invalidate: true });
    // no new token, though one is due
    assert_eq!(given(house.by_token(Use { fast: end, ..Use::of(&token) }).await), None);
    assert_eq!(failed(house.by_token(Use::of(&token)).await), AuthFailure::NotAuthorized);
    let other = Use { client: "tablet", ..Use::of(&tablet) };
    assert_eq!(who(&house.by_token(other.clone()).await).local, "juliet");
    // unless the client asks for one, perhaps for another mechanism
    let asked = Use { fast: end, request: Some("HT-SHA-256-NONE"), ..other };
    let new = given(house.by_token(asked).await).expect("asked for it");
    let by_new = Use { client: "tablet", mechanism: "HT-SHA-256-NONE", ..Use::of(&new) };
    assert_eq!(who(&house.by_token(by_new).await).local, "juliet");
}

#[tokio::test]
async fn tokens_end_with_password_account_and_permission() {
    let house = House::new().await;
    let account = jid("juliet");
    let password = || secret(PASSWORD);
    let again = IdentityCommand::Create {
        account: account.clone(),
        password: password(),
        invitation: None,
        rate_key: None,
    };
    for (command, undo) in [
        (IdentityCommand::SetPassword { account: account.clone(), password: password() }, None),
        (
            IdentityCommand::SetEnabled { account: account.clone(), enabled: false },
            Some(IdentityCommand::SetEnabled { account: account.clone(), enabled: true }),
        ),
        (IdentityCommand::Remove { account: account.clone() }, Some(again)),
    ] {
        let token = house.token(PHONE).await;
        assert!(house.works(&token).await);
        house.command(command).await;
        assert!(!house.works(&token).await);
        if let Some(undo) = undo {
            house.command(undo).await;
        }
        let newer = house.token(PHONE).await;
        assert!(!house.works(&token).await);
        assert!(house.works(&newer).await);
    }
}

#[tokio::test]
async fn devices_with_tokens_are_bounded() {
    let fast = Fast { devices_max: 2, ..Fast::default() };
    let house = House::with(|s| s.fast = Some(fast)).await;
    let first = house.token("first").await;
    let second = house.token("second").await;
    let third = house.token("third").await;
    let by = |client, token| Use { client, ..Use::of(token) };
    assert_eq!(failed(house.by_token(by("first", &first)).await), AuthFailure::NotAuthorized);
    assert_eq!(who(&house.by_token(by("second", &second)).await).local, "juliet");
    assert_eq!(who(&house.by_token(by("third", &third)).await).local, "juliet");
}

#[tokio::test]
async fn failed_tokens_count_like_passwords() {
    let backoff = Backoff { free_account: 2, ..Backoff::default() };
    let house = House::with(|s| s.backoff = Some(backoff)).await;
    for _ in 0..3 {
        let guess = FastToken { token: "guess".to_owned(), expiry: house.ocms.now() };
        let reply = house.by_token(Use::of(&guess)).await;
        assert_eq!(failed(reply), AuthFailure::NotAuthorized);
    }
    let elsewhere = Attempt { address: "198.51.100.1", ..Attempt::default() };
    assert_eq!(failed(house.scram(elsewhere).await), AuthFailure::TemporaryAuthFailure);
}

#[tokio::test]
async fn tokens_can_be_switched_off() {
    let house = House::with(|s| s.fast = None).await;
    let extras = AuthExtras {
        client_id: Some(PHONE.to_owned()),
        token_request: Some("HT-SHA-256-NONE".to_owned()),
        ..AuthExtras::default()
    };
    let reply = house.scram(Attempt { extras, ..Attempt::default() }).await;
    assert_eq!(given(reply), None);
}
