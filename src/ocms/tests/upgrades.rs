//! Verifiers that come later: XEP-0480, and a login by PLAIN.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oc_core::auth::{AuthExtras, AuthFailure, AuthId, AuthReply, AuthStep, Secret};
use oc_core::sasl::client::{Gs2, Scram, plain, salted_password};
use oc_core::sasl::{Family, Password};

use super::{Attempt, House, PASSWORD, begin, failed, fresh_id, scram, settings, tls, who};
use crate::{Embedded, IdentityProvider};

/// An account that has SHA-1 only, on a server that offers more since.
async fn old_account() -> (Embedded, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = Some(dir.path().join("ocms.db"));
    let house = House::with(|s| {
        s.families = vec![Family::Sha1];
        s.path.clone_from(&path);
    })
    .await;
    house.ocms.close().await;
    let (mut settings, _) = settings();
    settings.path = path;
    (Embedded::open(&settings).await.unwrap(), dir)
}

fn wanting(tasks: &[&str]) -> AuthExtras {
    AuthExtras { upgrades: tasks.iter().map(ToString::to_string).collect(), ..Default::default() }
}

/// What the server says to the right proof, by SCRAM-SHA-1, of a client that can do these tasks.
async fn proved(ocms: &Embedded, id: AuthId, tasks: &[&str]) -> AuthReply {
    let password = Password::prepare(PASSWORD).unwrap();
    let (first, client) = Scram::begin(Family::Sha1, "juliet", password, "n", &Gs2::No);
    let reply = begin(ocms, id, "SCRAM-SHA-1", Some(first), tls("a"), wanting(tasks)).await;
    let AuthReply::Challenge(challenge) = reply else { panic!("{reply:?}") };
    let (proof, _) = client.respond(&challenge.0, None).unwrap();
    ocms.auth(id, AuthStep::Respond { data: Secret(proof) }).await
}

async fn task(ocms: &Embedded, id: AuthId, task: &str, data: Option<Vec<u8>>) -> AuthReply {
    ocms.auth(id, AuthStep::Task { data, task: task.to_owned() }).await
}

#[tokio::test]
async fn xep_0480_upgrade_task_by_task() {
    let (ocms, _dir) = old_account().await;
    let (password, id) = (Password::prepare(PASSWORD).unwrap(), fresh_id());
    let wanted = ["UPGR-SCRAM-SHA-512", "UPGR-SCRAM-SHA-256", "UPGR-OTHER"];
    let mut reply = proved(&ocms, id, &wanted).await;
    for (round, (name, family)) in
        [(wanted[0], Family::Sha512), (wanted[1], Family::Sha256)].into_iter().enumerate()
    {
        let AuthReply::Continue { additional, tasks } = reply else { panic!("{reply:?}") };
        assert_eq!(additional.is_some(), round == 0);
        assert_eq!(tasks, [name]);
        let AuthReply::TaskData(salt) = task(&ocms, id, name, None).await else { panic!() };
        assert!(salt.is("salt", "urn:xmpp:scram-upgrade:0"));
        let iterations = salt.attr("iterations").unwrap().parse().unwrap();
        let salt = STANDARD.decode(salt.text().as_bytes()).unwrap();
        let hash = salted_password(family, &password, &salt, iterations);
        reply = task(&ocms, id, name, Some(hash.as_bytes().to_vec())).await;
    }
    assert_eq!(who(&reply).local, "juliet");
    for family in Family::ALL {
        // a login that needs no task, though the client offers them
        let extras = wanting(&wanted);
        let reply = scram(&ocms, Attempt { family, extras, ..Attempt::default() }).await;
        assert_eq!(who(&reply).mechanism, family.mechanism());
    }
}

#[tokio::test]
async fn xep_0480_tasks_out_of_order_are_refused() {
    let (ocms, _dir) = old_account().await;
    let name = "UPGR-SCRAM-SHA-256";
    for (first, second) in [
        ((name, Some(vec![1; 32])), None),
        (("UPGR-SCRAM-SHA-512", None), None),
        ((name, None), Some((name, None))),
        ((name, None), Some((name, Some(vec![1; 31])))),
    ] {
        let id = fresh_id();
        let reply = proved(&ocms, id, &[name]).await;
        assert!(matches!(reply, AuthReply::Continue { .. }), "{reply:?}");
        let mut reply = task(&ocms, id, first.0, first.1).await;
        if let Some((name, data)) = second {
            assert!(matches!(reply, AuthReply::TaskData(_)), "{reply:?}");
            reply = task(&ocms, id, name, data).await;
        }
        assert_eq!(failed(reply), AuthFailure::MalformedRequest);
        let again = task(&ocms, id, name, None).await;
        assert_eq!(failed(again), AuthFailure::TemporaryAuthFailure);
    }
    let reply = scram(&ocms, Attempt::default()).await;
    assert_eq!(failed(reply), AuthFailure::NotAuthorized);
}

#[tokio::test]
async fn plain_login_stores_the_missing_verifiers() {
    let (ocms, _dir) = old_account().await;
    let strong = || Attempt { family: Family::Sha512, ..Attempt::default() };
    assert_eq!(failed(scram(&ocms, strong()).await), AuthFailure::NotAuthorized);
    let wrong = Some(plain("juliet", "wrong"));
    begin(&ocms, fresh_id(), "PLAIN", wrong, tls("a"), AuthExtras::default()).await;
    assert_eq!(failed(scram(&ocms, strong()).await), AuthFailure::NotAuthorized);
    let right = Some(plain("juliet", PASSWORD));
    let reply = begin(&ocms, fresh_id(), "PLAIN", right, tls("a"), AuthExtras::default()).await;
    assert_eq!(who(&reply).mechanism, "PLAIN");
    assert_eq!(who(&scram(&ocms, strong()).await).local, "juliet");
}
