//! Invitations.

use std::time::Duration;

use oc_core::auth::{IdentityAnswer, IdentityCommand, IdentityRefusal};
use oc_core::{BareJid, Time};

use super::{DOMAIN, House, PASSWORD, jid, secret};
use crate::Registration;

const BAD: IdentityAnswer = IdentityAnswer::Refused(IdentityRefusal::BadInvitation);

async fn invite(house: &House, to: BareJid, inviter: Option<BareJid>) -> String {
    let expires = house.ocms.now().after(Duration::from_secs(3600));
    match house.command(IdentityCommand::Invite { to, inviter, expires }).await {
        IdentityAnswer::Invitation(token) => token,
        other => panic!("no invitation: {other:?}"),
    }
}

async fn register(house: &House, name: &str, token: &str) -> IdentityAnswer {
    house
        .command(IdentityCommand::Create {
            account: jid(name),
            password: secret(PASSWORD),
            invitation: Some(token.to_owned()),
            rate_key: Some("a".to_owned()),
        })
        .await
}

async fn check(house: &House, token: &str, domain: &str) -> IdentityAnswer {
    let (token, domain) = (token.to_owned(), domain.to_owned());
    house.command(IdentityCommand::CheckInvitation { token, domain }).await
}

async fn invite_only() -> House {
    House::with(|s| s.realms[0].registration = Registration::InviteOnly).await
}

#[tokio::test]
async fn xep_0445_invitation_makes_one_account() {
    let house = invite_only().await;
    let token = invite(&house, BareJid::new(DOMAIN).unwrap(), Some(jid("juliet"))).await;
    assert_eq!(check(&house, &token, DOMAIN).await, IdentityAnswer::Done);
    assert_eq!(check(&house, &token, "other.example").await, BAD);
    // a name that exists does not use the invitation up
    let exists = IdentityAnswer::Refused(IdentityRefusal::Exists);
    assert_eq!(register(&house, "romeo", &token).await, exists);
    let made = IdentityAnswer::CreatedFor { inviter: Some(jid("juliet")) };
    assert_eq!(register(&house, "nurse", &token).await, made);
    assert!(house.logs_in("nurse", PASSWORD).await);
    assert_eq!(register(&house, "peter", &token).await, BAD);
    assert_eq!(check(&house, &token, DOMAIN).await, BAD);
    assert!(!house.logs_in("peter", PASSWORD).await);
}

#[tokio::test]
async fn xep_0445_invitation_for_one_name() {
    let house = invite_only().await;
    let token = invite(&house, jid("nurse"), None).await;
    assert_eq!(register(&house, "peter", &token).await, BAD);
    let made = IdentityAnswer::CreatedFor { inviter: None };
    assert_eq!(register(&house, "nurse", &token).await, made);
    let taken =
        IdentityCommand::Invite { to: jid("romeo"), inviter: None, expires: Time(u64::MAX) };
    let exists = IdentityAnswer::Refused(IdentityRefusal::Exists);
    assert_eq!(house.command(taken).await, exists);
}

#[tokio::test]
async fn xep_0445_invitation_ends() {
    let house = invite_only().await;
    let token = invite(&house, BareJid::new(DOMAIN).unwrap(), None).await;
    house.wait(Duration::from_secs(3599));
    assert_eq!(check(&house, &token, DOMAIN).await, IdentityAnswer::Done);
    house.wait(Duration::from_secs(1));
    assert_eq!(check(&house, &token, DOMAIN).await, BAD);
    assert_eq!(register(&house, "nurse", &token).await, BAD);
    assert_eq!(register(&house, "nurse", "made up").await, BAD);
}
