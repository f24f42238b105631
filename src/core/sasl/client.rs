//! The client's side of SCRAM (RFC 5802 §5) and PLAIN (RFC 4616): for tests, load tools and peers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key::{self, Key};
use super::scram::{attribute, encode_name, is_nonce, is_optional_extension, text};
use super::verifier::{ITERATIONS_MAX, keys};
use super::{Family, Password};

/// Why a client does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server's message is not what RFC 5802 §7 says.
    #[error("the server's SCRAM message is malformed")]
    Malformed,
    /// RFC 5802 §5.1: the server's nonce does not begin with ours.
    #[error("the server answers another exchange")]
    Nonce,
    /// More iterations than [`ITERATIONS_MAX`].
    #[error("the server asks for too many iterations")]
    Iterations,
    /// XEP-0474 #verification: somebody changed the lists on the way.
    #[error("the list of mechanisms was changed on the way")]
    Downgrade,
    /// RFC 5802 §3: the server does not know the password.
    #[error("the server could not prove that it knows the password")]
    Impostor,
}

/// The GS2 flag of a client (RFC 5802 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gs2<'a> {
    /// `n`: does not do channel binding.
    No,
    /// `y`: would, but the server does not.
    Unoffered,
    /// `p=TYPE`: binds to this data.
    Bound {
        /// Type of channel binding.
        type_: &'a str,
        /// Its data.
        data: &'a [u8],
    },
}

/// What a client saw on offer: mechanisms and, if XEP-0440 was there, channel-binding types.
#[derive(Clone, Copy, Debug)]
pub struct Advertised<'a> {
    /// Of the SASL profile in use.
    pub mechanisms: &'a [String],
    /// XEP-0440.
    pub bindings: Option<&'a [String]>,
}

/// A SCRAM client that has sent its first message.
#[derive(Clone, Debug)]
pub struct Scram {
    family: Family,
    password: Password,
    channel_binding: String,
    nonce: String,
    bare: String,
}

impl Scram {
    /// Begins: the first message, and the state that waits for the challenge. `nonce` is printable,
    /// without comma, fresh and unpredictable.
    pub fn begin(
        family: Family,
        authcid: &str,
        password: Password,
        nonce: &str,
        gs2: &Gs2<'_>,
    ) -> (Vec<u8>, Self) {
        debug_assert!(is_nonce(nonce));
        let (header, data): (String, &[u8]) = match gs2 {
            Gs2::No => ("n,,".to_owned(), &[]),
            Gs2::Unoffered => ("y,,".to_owned(), &[]),
            Gs2::Bound { type_, data } => (format!("p={type_},,"), data),
        };
        let bare = format!("n={},r={nonce}", encode_name(authcid));
        let message = format!("{header}{bare}").into_bytes();
        let channel_binding = STANDARD.encode([header.as_bytes(), data].concat());
        (message, Self { family, password, channel_binding, nonce: nonce.to_owned(), bare })
    }

    /// Answers the challenge; with `advertised` it checks the server's downgrade protection, if
    /// there is one. Takes as long as the server's iterations say.
    pub fn respond(
        self,
        challenge: &[u8],
        advertised: Option<Advertised<'_>>,
    ) -> Result<(Vec<u8>, AwaitServer), ClientError> {
        let challenge = text(challenge).map_err(|_| ClientError::Malformed)?;
        let first = ServerFirst::parse(challenge)?;
        if !first.nonce.starts_with(&self.nonce) || first.nonce.len() == self.nonce.len() {
            return Err(ClientError::Nonce);
        }
        if let (Some(hash), Some(seen)) = (first.downgrade, advertised)
            && hash != super::advertised_hash(self.family, seen.mechanisms, seen.bindings)
        {
            return Err(ClientError::Downgrade);
        }
        let unproved = format!("c={},r={}", self.channel_binding, first.nonce);
        let signed = format!("{},{challenge},{unproved}", self.bare);
        let salted =
            key::salted(self.family, self.password.as_bytes(), &first.salt, first.iterations);
        let (client_key, server_key) = keys(&salted);
        let stored_key = key::hash(self.family, client_key.as_bytes());
        let sign = |by: &Key| key::hmac(self.family, by.as_bytes(), &[signed.as_bytes()]);
        let proof = client_key.xor(&sign(&stored_key));
        let message = format!("{unproved},p={}", STANDARD.encode(proof.as_bytes()));
        Ok((message.into_bytes(), AwaitServer { signature: sign(&server_key) }))
    }
}

/// A SCRAM client that has sent its proof and waits for the server's.
#[derive(Clone, Debug)]
pub struct AwaitServer {
    signature: Key,
}

impl AwaitServer {
    /// Judges the server's last message.
    pub fn finish(self, message: &[u8]) -> Result<(), ClientError> {
        let message = text(message).map_err(|_| ClientError::Malformed)?;
        let value = message.split(',').next().and_then(|p| attribute(p, 'v'));
        let signature = value.and_then(|value| STANDARD.decode(value).ok());
        let signature = signature.ok_or(ClientError::Malformed)?;
        match Key::new(self.signature.family(), &signature) {
            Some(signature) if signature == self.signature => Ok(()),
            _ => Err(ClientError::Impostor),
        }
    }
}

/// PLAIN's only message.
pub fn plain(authcid: &str, password: &str) -> Vec<u8> {
    format!("\0{authcid}\0{password}").into_bytes()
}

/// What a client computes for an upgrade task (XEP-0480 #scram): the `SaltedPassword`.
pub fn salted_password(family: Family, password: &Password, salt: &[u8], iterations: u32) -> Key {
    key::salted(family, password.as_bytes(), salt, iterations)
}

struct ServerFirst<'a> {
    nonce: &'a str,
    salt: Vec<u8>,
    iterations: u32,
    downgrade: Option<&'a str>,
}

impl<'a> ServerFirst<'a> {
    fn parse(challenge: &'a str) -> Result<Self, ClientError> {
        let mut parts = challenge.split(',');
        let mut next = |name| parts.next().and_then(|p| attribute(p, name));
        let (Some(nonce), Some(salt), Some(iterations)) = (next('r'), next('s'), next('i')) else {
            return Err(ClientError::Malformed);
        };
        let salt = STANDARD.decode(salt).map_err(|_| ClientError::Malformed)?;
        let iterations: u32 = iterations.parse().map_err(|_| ClientError::Malformed)?;
        if !is_nonce(nonce) || iterations == 0 {
            return Err(ClientError::Malformed);
        }
        if iterations > ITERATIONS_MAX {
            return Err(ClientError::Iterations);
        }
        let mut downgrade = None;
        for part in parts {
            if !is_optional_extension(part) {
                return Err(ClientError::Malformed);
            }
            downgrade = downgrade.or(attribute(part, 'h'));
        }
        Ok(Self { nonce, salt, iterations, downgrade })
    }
}
