//! What reaches the log: a process of its own, because the subscriber listens to all threads.

#![expect(clippy::unwrap_used, reason = "a test; clippy knows only the functions marked so")]

use std::io;
use std::sync::{Arc, Mutex};

use oc_core::BareJid;
use oc_core::auth::{
    AuthChannel, AuthExtras, AuthId, AuthStep, IdentityAnswer, IdentityCommand, Secret,
};
use oc_core::sasl::client::plain;
use oc_ocms::{Embedded, IdentityProvider, Iterations, Realm, Settings};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn create(name: &str, password: &str) -> IdentityCommand {
    IdentityCommand::Create {
        account: BareJid::new(&format!("{name}@capulet.example")).unwrap(),
        password: Secret(password.as_bytes().to_vec()),
        invitation: None,
        rate_key: None,
    }
}

/// A login that asks for a token.
fn login(password: &str) -> AuthStep {
    AuthStep::Begin {
        realm: "capulet.example".to_owned(),
        mechanism: "PLAIN".to_owned(),
        initial: Some(Secret(plain("juliet", password))),
        claimed: None,
        channel: Box::new(AuthChannel {
            confidential: true,
            rate_key: "192.0.2.77".to_owned(),
            ..AuthChannel::default()
        }),
        extras: AuthExtras {
            client_id: Some("phone".to_owned()),
            token_request: Some("HT-SHA-256-NONE".to_owned()),
            ..AuthExtras::default()
        },
    }
}

/// Everything at trace level, from everybody: no password, token or address; names not from us.
#[tokio::test]
async fn nothing_secret_is_logged() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();
    let settings = Settings {
        realms: vec![Realm { plain: true, ..Realm::new("capulet.example") }],
        iterations: Iterations { sha1: 2, sha256: 2, sha512: 2 },
        ..Settings::default()
    };
    let ocms = Embedded::open(&settings).await.unwrap();
    assert_eq!(ocms.command(create("juliet", "right-password")).await, IdentityAnswer::Done);
    let refused = create("nurse", "short");
    tracing::info!(?refused, "as a careless server would");
    ocms.command(refused).await;
    for (id, password) in [(1, "right-password"), (2, "wrong-password")] {
        let step = login(password);
        tracing::info!(?step, "as a careless server would");
        let reply = ocms.auth(AuthId(id), step).await;
        tracing::info!(?reply, "as a careless server would");
    }
    let task = AuthStep::Task { data: Some(b"salted password".to_vec()), task: "UPGR".to_owned() };
    tracing::info!(?task, "as a careless server would");
    ocms.close().await;
    let list = IdentityCommand::List { domain: "capulet.example".to_owned() };
    let refused = ocms.command(list).await;
    tracing::info!(?refused, "as a careless server would");

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for word in ["login refused", "FastToken(", "an account operation failed"] {
        assert!(text.contains(word), "{word} is not in the log:\n{text}");
    }
    let bytes = |word: &str| format!("{:?}", word.as_bytes());
    for word in [
        "right-password",
        "wrong-password",
        "short\"",
        "salted password",
        "secret-token:",
        "192.0.2.77",
        &bytes("salted password"),
        &bytes("right-password"),
    ] {
        assert!(!text.contains(word), "{word} is in the log");
    }
    let of_ours = text.lines().filter(|line| line.contains(" oc_ocms"));
    for line in of_ours {
        assert!(!line.contains("juliet"), "{line}");
    }
}
