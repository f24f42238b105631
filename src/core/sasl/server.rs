//! Salted Challenge Response Authentication Mechanism (RFC 5802 §5): the server's side.
//!
//! Two states, each used up by the message that leads on: [`ClientFirst`] (who claims to be whom)
//! takes a verifier and becomes [`Challenged`], which takes the proof.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::scram::{attribute, decode_name, is_nonce, is_optional_extension, text};
use super::{Family, Key, Verifier, key};
use crate::auth::{AuthChannel, AuthFailure};

/// The client's first message, understood and found permissible on its channel.
#[derive(Clone, Debug)]
pub struct ClientFirst {
    family: Family,
    authcid: String,
    authzid: Option<String>,
    /// What `c=` must be in the client's last message, in base64.
    channel_binding: String,
    nonce: String,
    bare: String,
}

impl ClientFirst {
    /// Reads the message of `SCRAM-...` (or `SCRAM-...-PLUS` if `plus`).
    pub fn parse(
        family: Family,
        plus: bool,
        message: &[u8],
        channel: &AuthChannel,
    ) -> Result<Self, AuthFailure> {
        let malformed = AuthFailure::MalformedRequest;
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(malformed)?;
        let (authzid, bare) = rest.split_once(',').ok_or(malformed)?;
        let data = binding_data(flag, plus, channel)?;
        let authzid = match authzid {
            "" => None,
            _ => Some(attribute(authzid, 'a').and_then(decode_name).ok_or(malformed)?.into_owned()),
        };
        let mut parts = bare.split(',');
        let authcid = parts.next().and_then(|p| attribute(p, 'n')).and_then(decode_name);
        let nonce = parts.next().and_then(|p| attribute(p, 'r')).filter(|nonce| is_nonce(nonce));
        let (Some(authcid), Some(nonce)) = (authcid, nonce) else { return Err(malformed) };
        if !parts.all(is_optional_extension) {
            return Err(malformed);
        }
        let gs2_header = &message[..message.len() - bare.len()];
        Ok(Self {
            family,
            authcid: authcid.into_owned(),
            authzid,
            channel_binding: STANDARD.encode([gs2_header.as_bytes(), data].concat()),
            nonce: nonce.to_owned(),
            bare: bare.to_owned(),
        })
    }

    /// The simple user name, without escapes and as it came.
    pub fn authcid(&self) -> &str {
        &self.authcid
    }

    /// The identity that the client wants to act as, if it names one.
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// The server's first message. `nonce` is ours: printable, fresh and unpredictable; `downgrade`
    /// is the value of [`advertised_hash`](super::advertised_hash) for this connection (XEP-0474
    /// #hash).
    pub fn challenge(
        self,
        verifier: Arc<Verifier>,
        nonce: &str,
        downgrade: Option<&str>,
    ) -> (Vec<u8>, Challenged) {
        debug_assert_eq!(verifier.family(), self.family);
        debug_assert!(is_nonce(nonce));
        let nonce = self.nonce + nonce;
        let salt = STANDARD.encode(&verifier.salt);
        let mut challenge = format!("r={nonce},s={salt},i={}", verifier.iterations);
        if let Some(hash) = downgrade {
            challenge.push_str(",h=");
            challenge.push_str(hash);
        }
        let signed = format!("{},{challenge},", self.bare);
        let state = Challenged { signed, nonce, channel_binding: self.channel_binding, verifier };
        (challenge.into_bytes(), state)
    }
}

#[cfg(test)]
impl ClientFirst {
    /// Binds to any data, for vectors whose data no TLS connection has.
    pub(super) fn bound_as(mut self, text: &str) -> Self {
        self.channel_binding = STANDARD.encode(text);
        self
    }
}

/// The server has sent its challenge and waits for the proof.
#[derive(Clone, Debug)]
pub struct Challenged {
    /// The part of `AuthMessage` that is known.
    signed: String,
    nonce: String,
    channel_binding: String,
    verifier: Arc<Verifier>,
}

impl Challenged {
    /// Judges the client's last message; gives the server's last one if the proof is right.
    pub fn finish(self, message: &[u8]) -> Result<Vec<u8>, AuthFailure> {
        let malformed = AuthFailure::MalformedRequest;
        let message = text(message)?;
        let (unproved, proof) = message.rsplit_once(",p=").ok_or(malformed)?;
        let mut parts = unproved.split(',');
        let binding = parts.next().and_then(|p| attribute(p, 'c')).ok_or(malformed)?;
        let nonce = parts.next().and_then(|p| attribute(p, 'r')).ok_or(malformed)?;
        if !parts.all(|p| is_optional_extension(p) && !p.starts_with('p')) {
            return Err(malformed);
        }
        let proof = STANDARD.decode(proof).map_err(|_| AuthFailure::IncorrectEncoding)?;
        let family = self.verifier.family();
        let proof = Key::new(family, &proof).ok_or(malformed)?;

        let signed: [&[u8]; 2] = [self.signed.as_bytes(), unproved.as_bytes()];
        let signature = key::hmac(family, self.verifier.stored_key.as_bytes(), &signed);
        let client_key = proof.xor(&signature);
        let proved = key::hash(family, client_key.as_bytes());
        let right = proved.as_bytes().ct_eq(self.verifier.stored_key.as_bytes())
            & binding.as_bytes().ct_eq(self.channel_binding.as_bytes())
            & nonce.as_bytes().ct_eq(self.nonce.as_bytes());
        if !bool::from(right) {
            return Err(AuthFailure::NotAuthorized);
        }
        let signature = key::hmac(family, self.verifier.server_key.as_bytes(), &signed);
        Ok(format!("v={}", STANDARD.encode(signature.as_bytes())).into_bytes())
    }
}

/// Channel-binding data for the flag of a GS2 header (RFC 5802 §6).
fn binding_data<'a>(
    flag: &str,
    plus: bool,
    channel: &'a AuthChannel,
) -> Result<&'a [u8], AuthFailure> {
    match (flag, plus) {
        // The client does not do channel binding: what most clients send, over TLS as well.
        ("n", false) => Ok(&[]),
        // The client does, and saw no -PLUS; if we had offered one, somebody took it off the list.
        ("y", false) => {
            let offered = |name: &String| name.starts_with("SCRAM-") && name.ends_with("-PLUS");
            if channel.advertised.iter().any(offered) {
                return Err(AuthFailure::NotAuthorized);
            }
            Ok(&[])
        }
        (_, true) => {
            let type_ = flag.strip_prefix("p=").ok_or(AuthFailure::MalformedRequest)?;
            channel.bindings.data(type_).ok_or(AuthFailure::MalformedRequest)
        }
        (_, false) => Err(AuthFailure::MalformedRequest),
    }
}
