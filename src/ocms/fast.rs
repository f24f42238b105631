//! XEP-0484: Fast Authentication Streamlining Tokens.
//!
//! A token is derived from the server secret, account, device, mechanism, counter and expiry; only
//! the last two are stored, in two slots per device (XEP-0484 #impl-tokens). So the database lists
//! no token, and a token fits one device, one mechanism and one life. Failures count like those of
//! passwords.

use oc_core::auth::{AuthFailure, AuthReply, FastToken, Secret};
use oc_core::sasl::{Binding, HashedToken, HtHash, Mechanism, ht};

use crate::db::{self, StoredToken};
use crate::embedded::{Embedded, unavailable};
use crate::login::{Login, Proved};
use crate::secret::TokenParts;
use crate::settings::Fast;
use crate::{IdentityProvider, OcmsError};

/// Bytes of a device's name (XEP-0388 recommends a UUID).
const CLIENT_ID_BYTES: usize = 256;
/// The account of tokens for names that do not exist; numbers of accounts are positive.
const NOBODY: i64 = -1;

/// A token that a client has proved to hold.
struct Held {
    token: StoredToken,
    /// The server's own proof.
    answer: Vec<u8>,
}

impl Embedded {
    pub(crate) async fn hashed_token(
        &self,
        login: Login,
        hash: HtHash,
        binding: Binding,
        message: &[u8],
    ) -> Result<AuthReply, AuthFailure> {
        let message = HashedToken::parse(hash, message)?;
        let client = login.client()?.to_owned();
        let Some(fast_use) = login.extras.fast else { return Err(AuthFailure::MalformedRequest) };
        let count = match fast_use.count.map(i64::try_from) {
            None => None,
            Some(Ok(count)) if count > 0 => Some(count),
            Some(_) => return Err(AuthFailure::MalformedRequest),
        };
        let jid = login.account(&message.authcid, None)?;
        self.check_pause(&jid, &login.channel)?;

        let account = self.account(&jid).await?;
        let number = account.id.unwrap_or(NOBODY);
        let tokens = self.db.tokens(number, &client).await.map_err(unavailable)?;
        let data = ht::binding_data(binding, &login.channel.bindings)
            .ok_or(AuthFailure::InvalidMechanism)?;
        let guess = Guess { message: &message, hash, data, mechanism: login.mechanism };
        let Some(held) = self.held(number, &client, &tokens, &guess) else {
            return Err(self.count(AuthFailure::NotAuthorized, &jid, &login.channel));
        };
        if account.disabled {
            return Err(AuthFailure::AccountDisabled);
        }
        if db::time(held.token.expiry) <= self.now() {
            return Err(AuthFailure::CredentialsExpired);
        }
        let proved = Proved { login, jid, account: number };
        let used = self.use_token(&proved, &client, &held.token, count).await;
        let Some(token) = used.map_err(unavailable)? else {
            // somebody has seen this count before: a replay
            return Err(self.count(AuthFailure::NotAuthorized, &proved.jid, &proved.login.channel));
        };
        if let Some(throttle) = &self.throttle {
            throttle.succeeded(&proved.jid, &proved.login.channel.rate_key);
        }
        Ok(proved.success(Some(Secret(held.answer)), token))
    }

    /// Which token the client holds: the new one is tried first, and always two, so that the time
    /// says nothing.
    fn held(
        &self,
        account: i64,
        client: &str,
        tokens: &[StoredToken],
        guess: &Guess<'_>,
    ) -> Option<Held> {
        let nothing = StoredToken::nothing();
        let mut held = None;
        for at in 0..2 {
            let stored = tokens.get(at);
            let token = self.db.secret.token(stored.unwrap_or(&nothing).parts(account, client));
            let fits = guess.message.proves(guess.hash, &token, guess.data);
            if let Some(stored) = stored
                && fits
                && held.is_none()
                && stored.mechanism == guess.mechanism.name()
            {
                let answer = ht::responder(guess.hash, &token, guess.data);
                held = Some(Held { token: stored.clone(), answer });
            }
        }
        held
    }

    /// Counts, promotes, invalidates and renews as XEP-0484 says; `None` if the count is not new.
    async fn use_token(
        &self,
        proved: &Proved,
        client: &str,
        token: &StoredToken,
        count: Option<i64>,
    ) -> Result<Option<Option<FastToken>>, OcmsError> {
        let fast = self.settings.fast.unwrap_or_default();
        let extras = &proved.login.extras;
        let invalidate = extras.fast.is_some_and(|fast| fast.invalidate);
        let age = self.now().since(db::time(token.issued));
        let renewed = match self.requested_mechanism(&proved.login) {
            Some(mechanism) => Some(mechanism),
            // XEP-0484 #invalidation: no new token unless asked for
            None if invalidate => None,
            // XEP-0484 #token-rotation
            None => (age >= fast.rotate_after).then_some(proved.login.mechanism),
        };
        if count.is_none() && token.slot == 0 && !invalidate && renewed.is_none() {
            return Ok(Some(None));
        }
        let mut change = self.db.change().await?;
        if !db::count_use(&mut change, proved.account, client, token, count).await? {
            return Ok(None);
        }
        if invalidate {
            db::remove_client(&mut change, proved.account, client).await?;
        } else if token.slot == 1 {
            db::promote_token(&mut change, proved.account, client).await?;
        }
        let issued = match renewed {
            Some(mechanism) => {
                Some(self.issue(&mut change, proved.account, client, mechanism, fast).await?)
            }
            None => None,
        };
        change.commit().await?;
        Ok(Some(issued))
    }

    /// The token that a client asked for at a login by other means.
    pub(crate) async fn requested_token(
        &self,
        proved: &Proved,
    ) -> Result<Option<FastToken>, OcmsError> {
        let (Some(fast), Some(mechanism), Ok(client)) =
            (self.settings.fast, self.requested_mechanism(&proved.login), proved.login.client())
        else {
            return Ok(None);
        };
        let mut change = self.db.change().await?;
        let token = self.issue(&mut change, proved.account, client, mechanism, fast).await?;
        change.commit().await?;
        Ok(Some(token))
    }

    fn requested_mechanism(&self, login: &Login) -> Option<Mechanism> {
        let wanted = login.extras.token_request.as_ref()?;
        let offered = self.fast_mechanisms(&login.realm, &login.channel);
        offered.contains(wanted).then(|| wanted.parse().ok())?
    }

    async fn issue(
        &self,
        change: &mut db::Change,
        account: i64,
        client: &str,
        mechanism: Mechanism,
        fast: Fast,
    ) -> Result<FastToken, OcmsError> {
        let now = self.now();
        let expiry = now.after(fast.ttl);
        let lifetime = (now, expiry);
        let counter =
            db::insert_token(change, account, client, mechanism, lifetime, fast.devices_max)
                .await?;
        let parts = TokenParts {
            account,
            client,
            mechanism: mechanism.name(),
            counter,
            expiry: db::millis(expiry),
        };
        let token = self.db.secret.token(parts).as_str().to_owned();
        Ok(FastToken { token, expiry })
    }
}

/// What a client says it can prove, and how.
struct Guess<'a> {
    message: &'a HashedToken,
    hash: HtHash,
    data: &'a [u8],
    mechanism: Mechanism,
}

impl Login {
    /// The device (XEP-0484 #rules-clients: a client that uses tokens names it).
    fn client(&self) -> Result<&str, AuthFailure> {
        let named = |id: &&str| (1..=CLIENT_ID_BYTES).contains(&id.len());
        self.extras.client_id.as_deref().filter(named).ok_or(AuthFailure::MalformedRequest)
    }
}

impl StoredToken {
    /// Stands for an empty slot.
    fn nothing() -> Self {
        Self { slot: 0, mechanism: String::new(), counter: 0, issued: 0, expiry: 0 }
    }
}
