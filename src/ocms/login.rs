//! Logins: from the first message of a mechanism to the identity.

use std::sync::Arc;

use oc_core::auth::{
    AuthChannel, AuthExtras, AuthFailure, AuthId, AuthReply, AuthStep, FastToken, Identity, Secret,
};
use oc_core::sasl::{
    self, Challenged, ClientFirst, Family, Mechanism, Password, Plain, Verifier, advertised_hash,
};
use oc_core::{BareJid, Jid};
use zeroize::Zeroizing;

use crate::accounts::Account;
use crate::embedded::{Embedded, unavailable};
use crate::secret::{guest_name, nonce};
use crate::upgrade::Tasks;

/// What is known of an exchange from its beginning.
pub(crate) struct Login {
    pub(crate) realm: String,
    pub(crate) mechanism: Mechanism,
    claimed: Option<String>,
    pub(crate) channel: AuthChannel,
    pub(crate) extras: AuthExtras,
}

/// Where an exchange stands between two messages.
pub(crate) enum State {
    /// The client began without its first message (RFC 6120 §6.4.2).
    AwaitInitial(Box<Login>),
    /// SCRAM waits for the proof.
    Scram(Box<Scram>),
    /// XEP-0480: logged in but for the upgrade tasks.
    Tasks(Box<Tasks>),
}

/// SCRAM waits for the proof.
pub(crate) struct Scram {
    login: Login,
    jid: BareJid,
    /// The one that the challenge was made of.
    verifier: Arc<Verifier>,
    challenged: Challenged,
}

/// Everybody's account, once proved.
pub(crate) struct Proved {
    pub(crate) login: Login,
    pub(crate) jid: BareJid,
    pub(crate) account: i64,
}

impl Login {
    /// The account of an exchange; it must fit the stream header (XEP-0388 #initiation).
    pub(crate) fn account(
        &self,
        authcid: &str,
        authzid: Option<&str>,
    ) -> Result<BareJid, AuthFailure> {
        let account = sasl::account(&self.realm, authcid, authzid)?;
        match &self.claimed {
            None => Ok(account),
            Some(claimed) => match Jid::new(claimed).map(Jid::into_bare) {
                Ok(claimed) if claimed == account => Ok(account),
                _ if authzid.is_some() => Err(AuthFailure::InvalidAuthzid),
                _ => Err(AuthFailure::NotAuthorized),
            },
        }
    }
}

impl Embedded {
    pub(crate) async fn step(&self, id: AuthId, step: AuthStep) -> AuthReply {
        let reply = match step {
            AuthStep::Begin { realm, mechanism, initial, claimed, channel, extras } => {
                self.exchanges.abort(id);
                let login = self.admit(realm, &mechanism, claimed, *channel, extras);
                match (login, initial) {
                    (Err(failure), _) => Err(failure),
                    (Ok(login), Some(initial)) => self.first(id, login, wiped(initial)).await,
                    (Ok(login), None) => {
                        let state = State::AwaitInitial(Box::new(login));
                        let kept = self.exchanges.begin(self.now(), id, state);
                        kept.map(|()| AuthReply::Challenge(Secret(Vec::new())))
                    }
                }
            }
            AuthStep::Respond { data } => self.respond(id, wiped(data)).await,
            AuthStep::Task { data, task } => self.task(id, &task, data.map(Zeroizing::new)).await,
            AuthStep::Abort => {
                self.exchanges.abort(id);
                Err(AuthFailure::Aborted)
            }
        };
        reply.unwrap_or_else(|failure| {
            tracing::debug!(condition = failure.name(), "login refused");
            AuthReply::Failure(failure)
        })
    }

    /// Whether this mechanism may be used here at all.
    fn admit(
        &self,
        realm: String,
        mechanism: &str,
        claimed: Option<String>,
        channel: AuthChannel,
        extras: AuthExtras,
    ) -> Result<Login, AuthFailure> {
        use crate::IdentityProvider;

        let known: Mechanism = mechanism.parse().map_err(|_| AuthFailure::InvalidMechanism)?;
        if !channel.confidential {
            return Err(AuthFailure::EncryptionRequired);
        }
        let offered = match known {
            Mechanism::Ht { .. } => self.fast_mechanisms(&realm, &channel),
            _ => self.mechanisms(&realm, &channel),
        };
        if !offered.iter().any(|name| name == mechanism) {
            return Err(AuthFailure::InvalidMechanism);
        }
        Ok(Login { realm, mechanism: known, claimed, channel, extras })
    }

    async fn first(
        &self,
        id: AuthId,
        login: Login,
        message: Zeroizing<Vec<u8>>,
    ) -> Result<AuthReply, AuthFailure> {
        match login.mechanism {
            Mechanism::Scram { family, plus } => {
                self.challenge(id, login, family, plus, &message).await
            }
            Mechanism::Plain => self.plain(id, login, &message).await,
            Mechanism::Anonymous => self.guest(&login, &message),
            Mechanism::Ht { hash, binding } => {
                self.hashed_token(login, hash, binding, &message).await
            }
        }
    }

    async fn respond(
        &self,
        id: AuthId,
        message: Zeroizing<Vec<u8>>,
    ) -> Result<AuthReply, AuthFailure> {
        let now = self.now();
        match self.exchanges.take(now, id) {
            Some((_, State::AwaitInitial(login))) => self.first(id, *login, message).await,
            Some((_, State::Scram(scram))) => self.prove(id, *scram, &message).await,
            // a task is not answered by a SASL response
            Some((_, State::Tasks(_))) => Err(AuthFailure::MalformedRequest),
            // unknown, or older than a minute
            None => Err(AuthFailure::TemporaryAuthFailure),
        }
    }

    async fn challenge(
        &self,
        id: AuthId,
        login: Login,
        family: Family,
        plus: bool,
        message: &[u8],
    ) -> Result<AuthReply, AuthFailure> {
        let first = ClientFirst::parse(family, plus, message, &login.channel)?;
        let jid = login.account(first.authcid(), first.authzid())?;
        self.check_pause(&jid, &login.channel)?;
        let verifier = self.account(&jid).await?.verifier(family)?;
        let nonce = nonce().map_err(unavailable)?;
        let channel = &login.channel;
        let downgrade = (self.settings.downgrade_protection && !channel.advertised.is_empty())
            .then(|| {
                let bindings = channel.advertised_bindings.as_deref();
                advertised_hash(family, &channel.advertised, bindings)
            });
        let (challenge, challenged) =
            first.challenge(Arc::clone(&verifier), &nonce, downgrade.as_deref());
        let state = State::Scram(Box::new(Scram { login, jid, verifier, challenged }));
        self.exchanges.begin(self.now(), id, state)?;
        Ok(AuthReply::Challenge(Secret(challenge)))
    }

    async fn prove(
        &self,
        id: AuthId,
        scram: Scram,
        message: &[u8],
    ) -> Result<AuthReply, AuthFailure> {
        let Scram { login, jid, verifier, challenged } = scram;
        self.check_pause(&jid, &login.channel)?;
        let last = match challenged.finish(message) {
            Ok(last) => last,
            Err(failure) => return Err(self.count(failure, &jid, &login.channel)),
        };
        // the password may have been changed since the challenge
        let account = self.account(&jid).await?;
        let same = account.verifier(verifier.family()).is_ok_and(|now| now == verifier);
        let (Some(number), true) = (account.id, same) else {
            return Err(self.count(AuthFailure::NotAuthorized, &jid, &login.channel));
        };
        let proved = Proved { login, jid, account: number };
        self.admit_account(id, proved, &account, Some(last)).await
    }

    async fn plain(
        &self,
        id: AuthId,
        login: Login,
        message: &[u8],
    ) -> Result<AuthReply, AuthFailure> {
        let plain = Plain::parse(message)?;
        let jid = login.account(&plain.authcid, plain.authzid.as_deref())?;
        self.check_pause(&jid, &login.channel)?;
        let account = self.account(&jid).await?;
        let verifier = account.cheapest()?;
        let Ok(password) = Password::prepare(&plain.password) else {
            return Err(self.count(AuthFailure::NotAuthorized, &jid, &login.channel));
        };
        let candidate = password.clone();
        let fits = self.hash(move || verifier.fits(&candidate)).await.map_err(unavailable)?;
        let (Some(number), true) = (account.id, fits) else {
            return Err(self.count(AuthFailure::NotAuthorized, &jid, &login.channel));
        };
        let missing: Vec<_> =
            self.settings.families.iter().copied().filter(|f| !account.has(*f)).collect();
        let account = if missing.is_empty() || account.disabled {
            account
        } else {
            let verifiers = self.derive(missing, password).await.map_err(unavailable)?;
            self.add_verifiers(number, &jid, &verifiers).await.map_err(unavailable)?;
            self.account(&jid).await?
        };
        let proved = Proved { login, jid, account: number };
        self.admit_account(id, proved, &account, None).await
    }

    fn guest(&self, login: &Login, message: &[u8]) -> Result<AuthReply, AuthFailure> {
        sasl::check_trace(message)?;
        let identity = Identity {
            local: guest_name().map_err(unavailable)?,
            domain: login.realm.clone(),
            anonymous: true,
            mechanism: login.mechanism.name().to_owned(),
            expires: None,
        };
        Ok(AuthReply::Success { additional: None, identity, token: None })
    }

    /// The client has proved who it is; what is left are a disabled account and upgrade tasks.
    async fn admit_account(
        &self,
        id: AuthId,
        proved: Proved,
        account: &Account,
        last: Option<Vec<u8>>,
    ) -> Result<AuthReply, AuthFailure> {
        if account.disabled {
            return Err(AuthFailure::AccountDisabled);
        }
        if let Some(throttle) = &self.throttle {
            throttle.succeeded(&proved.jid, &proved.login.channel.rate_key);
        }
        let additional = last.map(Secret);
        match self.upgrade_tasks(account, &proved.login.extras) {
            tasks if tasks.is_empty() => self.welcome(proved, additional).await,
            tasks => self.begin_tasks(id, proved, tasks, additional),
        }
    }

    /// Success, with a token if one was asked for.
    pub(crate) async fn welcome(
        &self,
        proved: Proved,
        additional: Option<Secret>,
    ) -> Result<AuthReply, AuthFailure> {
        let token = self.requested_token(&proved).await.map_err(unavailable)?;
        Ok(proved.success(additional, token))
    }

    /// Whether the account or the address has to wait.
    pub(crate) fn check_pause(
        &self,
        jid: &BareJid,
        channel: &AuthChannel,
    ) -> Result<(), AuthFailure> {
        let Some(throttle) = &self.throttle else { return Ok(()) };
        throttle.check(self.now(), jid, &channel.rate_key)
    }

    /// Counts a failure that was a guess.
    pub(crate) fn count(
        &self,
        failure: AuthFailure,
        jid: &BareJid,
        channel: &AuthChannel,
    ) -> AuthFailure {
        if let (AuthFailure::NotAuthorized, Some(throttle)) = (failure, &self.throttle) {
            throttle.failed(self.now(), jid, &channel.rate_key);
        }
        failure
    }
}

impl Proved {
    pub(crate) fn success(
        &self,
        additional: Option<Secret>,
        token: Option<FastToken>,
    ) -> AuthReply {
        let identity = Identity {
            local: self.jid.node().map_or_else(String::new, |node| node.as_str().to_owned()),
            domain: self.jid.domain().as_str().to_owned(),
            anonymous: false,
            mechanism: self.login.mechanism.name().to_owned(),
            expires: None,
        };
        AuthReply::Success { additional, identity, token }
    }
}

fn wiped(secret: Secret) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(secret.0)
}
