//! The identity service as a server uses it, with a clock turned by hand.

mod accounts;
mod fast;
mod invitations;
mod logins;
mod storage;
mod threads;
mod upgrades;
mod walks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oc_core::auth::{
    AuthChannel, AuthExtras, AuthFailure, AuthId, AuthReply, AuthStep, ChannelBindings, Identity,
    IdentityAnswer, IdentityCommand, Secret,
};
use oc_core::sasl::client::{Advertised, Gs2, Scram};
use oc_core::sasl::{Family, Mechanism, Password};
use oc_core::{BareJid, Time};

use crate::{Clock, Embedded, IdentityProvider, Iterations, Realm, Registration, Settings};

pub(super) const DOMAIN: &str = "capulet.example";
pub(super) const PASSWORD: &str = "wherefore art thou";

/// A service with juliet and romeo, and its clock.
pub(super) struct House {
    pub(super) ocms: Embedded,
    millis: Arc<AtomicU64>,
}

pub(super) fn settings() -> (Settings, Arc<AtomicU64>) {
    let millis = Arc::new(AtomicU64::new(1_000_000_000));
    let shown = Arc::clone(&millis);
    let realm = Realm { plain: true, registration: Registration::Open, ..Realm::new(DOMAIN) };
    let settings = Settings {
        realms: vec![realm],
        iterations: Iterations { sha1: 2, sha256: 3, sha512: 4 },
        clock: Clock::new(move || Time(shown.load(Ordering::Relaxed))),
        ..Settings::default()
    };
    (settings, millis)
}

impl House {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (mut settings, millis) = settings();
        change(&mut settings);
        let ocms = Embedded::open(&settings).await.unwrap();
        let house = Self { ocms, millis };
        for name in ["juliet", "romeo"] {
            assert_eq!(house.create(name, PASSWORD).await, IdentityAnswer::Done);
        }
        house
    }

    pub(super) fn wait(&self, time: Duration) {
        self.millis.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    pub(super) async fn command(&self, command: IdentityCommand) -> IdentityAnswer {
        self.ocms.command(command).await
    }

    pub(super) async fn create(&self, name: &str, password: &str) -> IdentityAnswer {
        self.command(IdentityCommand::Create {
            account: jid(name),
            password: secret(password),
            invitation: None,
            rate_key: None,
        })
        .await
    }

    /// Logs in by SCRAM without channel binding.
    pub(super) async fn scram(&self, login: Attempt<'_>) -> AuthReply {
        scram(&self.ocms, login).await
    }

    pub(super) async fn logs_in(&self, name: &str, password: &str) -> bool {
        let attempt = Attempt { name, password, ..Attempt::default() };
        matches!(self.scram(attempt).await, AuthReply::Success { .. })
    }
}

/// What a test logs in with.
#[derive(Clone)]
pub(super) struct Attempt<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a str,
    pub(super) family: Family,
    pub(super) address: &'a str,
    pub(super) extras: AuthExtras,
}

impl Default for Attempt<'_> {
    fn default() -> Self {
        Self {
            name: "juliet",
            password: PASSWORD,
            family: Family::Sha256,
            address: "192.0.2.1",
            extras: AuthExtras::default(),
        }
    }
}

pub(super) async fn scram(ocms: &Embedded, attempt: Attempt<'_>) -> AuthReply {
    let channel = tls(attempt.address);
    let password = Password::prepare(attempt.password).unwrap();
    let (first, client) = Scram::begin(attempt.family, attempt.name, password, "nonce", &Gs2::No);
    let id = fresh_id();
    let mechanism = Mechanism::Scram { family: attempt.family, plus: false };
    let advertised = channel.advertised.clone();
    let begun = begin(ocms, id, mechanism.name(), Some(first), channel, attempt.extras).await;
    let AuthReply::Challenge(challenge) = begun else { return begun };
    let seen = Advertised { mechanisms: &advertised, bindings: None };
    let (proof, client) = client.respond(&challenge.0, Some(seen)).unwrap();
    let reply = ocms.auth(id, AuthStep::Respond { data: Secret(proof) }).await;
    if let AuthReply::Success { additional: Some(last), .. }
    | AuthReply::Continue { additional: Some(last), .. } = &reply
    {
        client.finish(&last.0).unwrap();
    }
    reply
}

pub(super) async fn begin(
    ocms: &Embedded,
    id: AuthId,
    mechanism: &str,
    initial: Option<Vec<u8>>,
    channel: AuthChannel,
    extras: AuthExtras,
) -> AuthReply {
    let step = AuthStep::Begin {
        realm: DOMAIN.to_owned(),
        mechanism: mechanism.to_owned(),
        initial: initial.map(Secret),
        claimed: None,
        channel: Box::new(channel),
        extras,
    };
    ocms.auth(id, step).await
}

pub(super) fn fresh_id() -> AuthId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    AuthId(u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A TLS connection with both bindings; mechanisms as if -PLUS had not been offered.
pub(super) fn tls(address: &str) -> AuthChannel {
    AuthChannel {
        confidential: true,
        bindings: ChannelBindings { exporter: Some([7; 32]), end_point: Some(vec![9; 32]) },
        rate_key: address.to_owned(),
        advertised: vec!["SCRAM-SHA-256".to_owned(), "SCRAM-SHA-1".to_owned()],
        advertised_bindings: None,
    }
}

pub(super) fn jid(name: &str) -> BareJid {
    BareJid::new(&format!("{name}@{DOMAIN}")).unwrap()
}

pub(super) fn secret(text: &str) -> Secret {
    Secret(text.as_bytes().to_vec())
}

pub(super) fn who(reply: &AuthReply) -> &Identity {
    match reply {
        AuthReply::Success { identity, .. } => identity,
        other => panic!("no success: {other:?}"),
    }
}

pub(super) fn failed(reply: AuthReply) -> AuthFailure {
    match reply {
        AuthReply::Failure(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}
