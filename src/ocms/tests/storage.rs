//! The database file, what is in it, and what other processes and time do to it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use oc_core::auth::{AuthExtras, AuthFailure, AuthReply, FastUse, IdentityAnswer, IdentityCommand};
use oc_core::sasl::{Family, HtHash, ht};
use oc_core::{BareJid, Time};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::{Attempt, House, PASSWORD, begin, failed, fresh_id, jid, scram, secret, settings, tls};
use crate::{Embedded, IdentityProvider, OcmsError};

async fn sql(path: &Path, statement: &'static str) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
}

async fn on_disk(dir: &tempfile::TempDir) -> (House, std::path::PathBuf) {
    let path = dir.path().join("ocms.db");
    let house = House::with(|s| s.path = Some(path.clone())).await;
    (house, path)
}

async fn reopened(path: &Path) -> Result<Embedded, OcmsError> {
    let (mut settings, _) = settings();
    settings.path = Some(path.to_owned());
    Embedded::open(&settings).await
}

#[tokio::test]
async fn file_is_private_and_keeps_accounts() {
    let dir = tempfile::tempdir().unwrap();
    let (house, path) = on_disk(&dir).await;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    house.ocms.close().await;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let ocms = reopened(&path).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    super::who(&scram(&ocms, Attempt::default()).await);
}

#[tokio::test]
async fn file_holds_no_password_and_no_token() {
    let dir = tempfile::tempdir().unwrap();
    let (house, path) = on_disk(&dir).await;
    let extras = AuthExtras {
        client_id: Some("phone".to_owned()),
        token_request: Some("HT-SHA-256-NONE".to_owned()),
        ..AuthExtras::default()
    };
    let reply = house.scram(Attempt { extras, ..Attempt::default() }).await;
    let AuthReply::Success { token: Some(token), .. } = reply else { panic!() };
    house.ocms.close().await;
    let bytes = std::fs::read(&path).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("juliet") && holds("HT-SHA-256-NONE"));
    assert!(!holds(PASSWORD));
    assert!(!holds(token.token.trim_start_matches("secret-token:")));
}

#[tokio::test]
async fn other_processes_are_noticed_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let (house, path) = on_disk(&dir).await;
    assert!(house.logs_in("juliet", PASSWORD).await);
    assert!(!house.logs_in("nurse", PASSWORD).await);
    let other = reopened(&path).await.unwrap();
    let password = secret("a rose by any");
    other.command(IdentityCommand::SetPassword { account: jid("juliet"), password }).await;
    let create = IdentityCommand::Create {
        account: jid("nurse"),
        password: secret(PASSWORD),
        invitation: None,
        rate_key: None,
    };
    other.command(create).await;
    house.wait(Duration::from_secs(1));
    assert!(!house.logs_in("juliet", PASSWORD).await);
    assert!(house.logs_in("juliet", "a rose by any").await);
    assert!(house.logs_in("nurse", PASSWORD).await);
}

#[tokio::test]
async fn damaged_verifier_is_noticed() {
    for damage in [
        "UPDATE verifier SET iterations = iterations + 1 WHERE family = 'SCRAM-SHA-256'",
        "UPDATE verifier SET stored_key = zeroblob(32) WHERE family = 'SCRAM-SHA-256'",
        "UPDATE verifier SET server_key = zeroblob(31) WHERE family = 'SCRAM-SHA-256'",
        "UPDATE verifier SET salt = zeroblob(16) WHERE family = 'SCRAM-SHA-256'",
        "UPDATE verifier SET mac = zeroblob(16) WHERE family = 'SCRAM-SHA-256'",
        "UPDATE account SET local = 'x' || local",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (house, path) = on_disk(&dir).await;
        house.ocms.close().await;
        sql(&path, damage).await;
        let ocms = reopened(&path).await.unwrap();
        let name = if damage.contains("local") { "xjuliet" } else { "juliet" };
        let reply = scram(&ocms, Attempt { name, ..Attempt::default() }).await;
        assert_eq!(failed(reply), AuthFailure::TemporaryAuthFailure, "{damage}");
        if name == "juliet" {
            let family = Family::Sha512;
            super::who(&scram(&ocms, Attempt { family, ..Attempt::default() }).await);
        }
    }
}

#[tokio::test]
async fn damaged_secret_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (house, path) = on_disk(&dir).await;
    house.ocms.close().await;
    sql(&path, "UPDATE server SET secret = randomblob(32)").await;
    let error = reopened(&path).await.unwrap_err();
    assert!(matches!(error, OcmsError::Damaged(_)), "{error}");
}

#[tokio::test]
async fn closed_database_is_a_temporary_failure() {
    let house = House::new().await;
    house.ocms.close().await;
    let attempt = Attempt { name: "cold", ..Attempt::default() };
    assert_eq!(failed(house.scram(attempt).await), AuthFailure::TemporaryAuthFailure);
}

#[tokio::test]
async fn warm_logins_need_no_database() {
    let house = House::new().await;
    assert!(house.logs_in("juliet", PASSWORD).await);
    house.ocms.close().await;
    assert!(house.logs_in("juliet", PASSWORD).await);
}

#[tokio::test]
async fn file_that_cannot_be_opened_is_named() {
    let error = reopened(Path::new("/nonexistent/ocms.db")).await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/ocms.db"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text");
    std::fs::write(&path, "this is not a database, but long enough to look like one".repeat(9))
        .unwrap();
    assert!(reopened(&path).await.is_err());
}

/// The database that the first step of this project has written; it must open in every later one.
const GOLDEN: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/upgrade/step-01-ocms/ocms.db");

#[tokio::test]
async fn golden_database_of_step_01_opens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ocms.db");
    std::fs::copy(GOLDEN, &path).unwrap();
    let ocms = reopened(&path).await.unwrap();
    for family in Family::ALL {
        super::who(&scram(&ocms, Attempt { family, ..Attempt::default() }).await);
    }
    let romeo = scram(&ocms, Attempt { name: "romeo", ..Attempt::default() }).await;
    assert_eq!(failed(romeo), AuthFailure::AccountDisabled);
    let token = "secret-token:gEIEXUXC9--UIn7pD9-IgpdLpx4UzjvKWh0mgrlALuI";
    let extras = AuthExtras { client_id: Some("phone".to_owned()), ..AuthExtras::default() };
    let login = async |count| {
        let message = Some(ht::initiator(HtHash::Sha256, "juliet", token, &[]));
        let fast = Some(FastUse { count: Some(count), invalidate: false });
        let extras = AuthExtras { fast, ..extras.clone() };
        begin(&ocms, fresh_id(), "HT-SHA-256-NONE", message, tls("a"), extras).await
    };
    assert_eq!(failed(login(1).await), AuthFailure::NotAuthorized);
    super::who(&login(2).await);
    let (token, domain) = ("pzmTdRZKjJ476s1F_JWGMy7F".to_owned(), super::DOMAIN.to_owned());
    let check = IdentityCommand::CheckInvitation { token, domain };
    assert_eq!(ocms.command(check).await, IdentityAnswer::Done);
}

/// Writes what the test above opens: with `UPDATE=1` in its place, where the two tokens that are
/// printed belong into the test, otherwise into a folder that is removed.
#[tokio::test]
async fn golden_database_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = match std::env::var_os("UPDATE") {
        Some(_) => Path::new(GOLDEN).to_owned(),
        None => folder.path().join("ocms.db"),
    };
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let house = House::with(|s| s.path = Some(path.clone())).await;
    let extras = AuthExtras {
        client_id: Some("phone".to_owned()),
        token_request: Some("HT-SHA-256-NONE".to_owned()),
        ..AuthExtras::default()
    };
    let reply = house.scram(Attempt { extras: extras.clone(), ..Attempt::default() }).await;
    let AuthReply::Success { token: Some(token), .. } = reply else { panic!("{reply:?}") };
    let message = Some(ht::initiator(HtHash::Sha256, "juliet", &token.token, &[]));
    let fast = Some(FastUse { count: Some(1), invalidate: false });
    let extras = AuthExtras { fast, token_request: None, ..extras };
    let reply = begin(&house.ocms, fresh_id(), "HT-SHA-256-NONE", message, tls("a"), extras).await;
    super::who(&reply);
    let off = IdentityCommand::SetEnabled { account: jid("romeo"), enabled: false };
    assert_eq!(house.command(off).await, IdentityAnswer::Done);
    let to = BareJid::new(super::DOMAIN).unwrap();
    let expires = Time(u64::MAX);
    let invite = IdentityCommand::Invite { to, inviter: Some(jid("juliet")), expires };
    println!("{} {:?}", token.token, house.command(invite).await);
    house.ocms.close().await;
    assert!(path.metadata().unwrap().len() > 0);
}
