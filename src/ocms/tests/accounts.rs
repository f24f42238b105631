//! Operations on accounts.

use std::time::Duration;

use oc_core::BareJid;
use oc_core::auth::{AuthFailure, IdentityAnswer, IdentityCommand, IdentityRefusal};

use super::{Attempt, DOMAIN, House, PASSWORD, failed, jid, secret};
use crate::{Quota, Registration};

fn refused(answer: IdentityAnswer) -> IdentityRefusal {
    match answer {
        IdentityAnswer::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

async fn register(house: &House, name: &str, address: &str) -> IdentityAnswer {
    house
        .command(IdentityCommand::Create {
            account: jid(name),
            password: secret(PASSWORD),
            invitation: None,
            rate_key: Some(address.to_owned()),
        })
        .await
}

#[tokio::test]
async fn life_of_an_account() {
    let house = House::new().await;
    let exists = async || house.command(IdentityCommand::Exists { account: jid("tybalt") }).await;
    assert_eq!(refused(exists().await), IdentityRefusal::NotFound);
    assert_eq!(house.create("tybalt", PASSWORD).await, IdentityAnswer::Done);
    assert_eq!(exists().await, IdentityAnswer::Done);
    assert_eq!(refused(house.create("tybalt", PASSWORD).await), IdentityRefusal::Exists);
    assert!(house.logs_in("tybalt", PASSWORD).await);
    let list = IdentityCommand::List { domain: DOMAIN.to_owned() };
    let all = IdentityAnswer::Accounts(vec![jid("juliet"), jid("romeo"), jid("tybalt")]);
    assert_eq!(house.command(list.clone()).await, all);
    let remove = || house.command(IdentityCommand::Remove { account: jid("tybalt") });
    assert_eq!(remove().await, IdentityAnswer::Done);
    assert_eq!(refused(remove().await), IdentityRefusal::NotFound);
    assert_eq!(refused(exists().await), IdentityRefusal::NotFound);
    assert!(!house.logs_in("tybalt", PASSWORD).await);
    let rest = IdentityAnswer::Accounts(vec![jid("juliet"), jid("romeo")]);
    assert_eq!(house.command(list).await, rest);
}

#[tokio::test]
async fn changed_password_is_the_only_one() {
    let house = House::new().await;
    assert!(house.logs_in("juliet", PASSWORD).await);
    let set = async |name, password| {
        let command =
            IdentityCommand::SetPassword { account: jid(name), password: secret(password) };
        house.command(command).await
    };
    assert_eq!(set("juliet", "a rose by any").await, IdentityAnswer::Done);
    assert!(!house.logs_in("juliet", PASSWORD).await);
    assert!(house.logs_in("juliet", "a rose by any").await);
    assert_eq!(refused(set("nobody", "a rose by any").await), IdentityRefusal::NotFound);
    assert!(matches!(refused(set("juliet", "short").await), IdentityRefusal::Unacceptable(_)));
}

#[tokio::test]
async fn rfc6120_6_5_2_disabled_account() {
    let house = House::new().await;
    let set = async |enabled| {
        house.command(IdentityCommand::SetEnabled { account: jid("juliet"), enabled }).await
    };
    assert_eq!(set(false).await, IdentityAnswer::Done);
    let reply = house.scram(Attempt::default()).await;
    assert_eq!(failed(reply), AuthFailure::AccountDisabled);
    // only who knows the password is told so
    let reply = house.scram(Attempt { password: "wrong password", ..Attempt::default() }).await;
    assert_eq!(failed(reply), AuthFailure::NotAuthorized);
    assert_eq!(set(true).await, IdentityAnswer::Done);
    assert!(house.logs_in("juliet", PASSWORD).await);
    let entries = house.ocms.accounts(DOMAIN).await.unwrap();
    assert!(entries.iter().all(|entry| !entry.disabled && entry.created.0 > 0));
}

#[tokio::test]
async fn unacceptable_names_and_passwords() {
    let house = House::new().await;
    for password in ["", "1234567", "\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}\u{7}", &"x".repeat(1025)] {
        let refusal = refused(house.create("tybalt", password).await);
        assert!(matches!(refusal, IdentityRefusal::Unacceptable(_)), "{password:?}");
    }
    for own in ["mercutio", "Mercutio", "mercutio@capulet.example"] {
        let refusal = refused(house.create("mercutio", own).await);
        assert!(matches!(refusal, IdentityRefusal::Unacceptable(_)), "{own}");
    }
    let refusal = refused(house.create("a\\20b", PASSWORD).await);
    assert!(matches!(refusal, IdentityRefusal::Unacceptable(_)));
    let nobody = IdentityCommand::Create {
        account: BareJid::new(DOMAIN).unwrap(),
        password: secret(PASSWORD),
        invitation: None,
        rate_key: None,
    };
    assert!(matches!(refused(house.command(nobody).await), IdentityRefusal::Unacceptable(_)));
    let elsewhere = IdentityCommand::Create {
        account: BareJid::new("juliet@montague.example").unwrap(),
        password: secret(PASSWORD),
        invitation: None,
        rate_key: None,
    };
    assert_eq!(refused(house.command(elsewhere).await), IdentityRefusal::NotAllowed);
}

#[tokio::test]
async fn reserved_names_are_for_administrators() {
    let house = House::new().await;
    let refusal = refused(register(&house, "admin", "a").await);
    assert!(matches!(refusal, IdentityRefusal::Unacceptable(_)));
    assert_eq!(house.create("admin", PASSWORD).await, IdentityAnswer::Done);
}

#[tokio::test]
async fn xep_0077_registration_is_open_or_not() {
    for (registration, open) in [
        (Registration::Open, true),
        (Registration::InviteOnly, false),
        (Registration::Closed, false),
    ] {
        let house = House::with(|s| s.realms[0].registration = registration).await;
        let answer = register(&house, "tybalt", "a").await;
        let closed = IdentityAnswer::Refused(IdentityRefusal::NotAllowed);
        assert_eq!(answer, if open { IdentityAnswer::Done } else { closed });
    }
}

#[tokio::test]
async fn registrations_are_limited_by_address() {
    let quota = Quota { count: 2, period: Duration::from_secs(60) };
    let house = House::with(|s| s.registrations = Some(quota)).await;
    assert_eq!(register(&house, "a1", "a").await, IdentityAnswer::Done);
    assert_eq!(register(&house, "a2", "a").await, IdentityAnswer::Done);
    assert_eq!(refused(register(&house, "a3", "a").await), IdentityRefusal::TooMany);
    assert_eq!(register(&house, "b1", "b").await, IdentityAnswer::Done);
    assert_eq!(house.create("a4", PASSWORD).await, IdentityAnswer::Done);
    house.wait(Duration::from_secs(30));
    assert_eq!(register(&house, "a3", "a").await, IdentityAnswer::Done);
}
