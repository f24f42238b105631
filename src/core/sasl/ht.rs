//! The Hashed Token SASL Mechanism (draft-schmaus-kitten-sasl-ht-09), as XEP-0484 uses it.
//!
//! One round trip: the client proves that it holds a token, the server that it does, both bound to
//! the TLS channel if the mechanism says so. Left out: `UNIQ`, because `tls-unique` does not exist
//! in TLS 1.3.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{Binding, HtHash};
use crate::auth::{AuthFailure, ChannelBindings};
use crate::limits;

/// What the client sends: `authcid NUL initiator-hashed-token`.
#[derive(Clone, Debug)]
pub struct HashedToken {
    /// The simple user name.
    pub authcid: String,
    hashed: Vec<u8>,
}

impl HashedToken {
    /// Reads the message of a mechanism with this hash.
    pub fn parse(hash: HtHash, message: &[u8]) -> Result<Self, AuthFailure> {
        let malformed = AuthFailure::MalformedRequest;
        if message.len() > limits::SASL_MESSAGE_BYTES {
            return Err(malformed);
        }
        let end = message.iter().position(|b| *b == 0).ok_or(malformed)?;
        let authcid = str::from_utf8(&message[..end]).map_err(|_| malformed)?;
        let hashed = &message[end + 1..];
        if authcid.is_empty() || hashed.len() != hash.bytes() {
            return Err(malformed);
        }
        Ok(Self { authcid: authcid.to_owned(), hashed: hashed.to_vec() })
    }

    /// Whether the client holds this token, in constant time (XEP-0484 #security).
    pub fn proves(&self, hash: HtHash, token: &str, binding: &[u8]) -> bool {
        hashed(hash, token, b"Initiator", binding).ct_eq(&self.hashed).into()
    }
}

/// The server's answer: that it holds the token too.
pub fn responder(hash: HtHash, token: &str, binding: &[u8]) -> Vec<u8> {
    hashed(hash, token, b"Responder", binding)
}

/// The client's message.
pub fn initiator(hash: HtHash, authcid: &str, token: &str, binding: &[u8]) -> Vec<u8> {
    let mut out = authcid.as_bytes().to_vec();
    out.push(0);
    out.extend(hashed(hash, token, b"Initiator", binding));
    out
}

/// The data that a mechanism binds to; `None` if the connection has none of that type.
pub fn binding_data(binding: Binding, channel: &ChannelBindings) -> Option<&[u8]> {
    match binding {
        Binding::None => Some(&[]),
        Binding::EndPoint => channel.data("tls-server-end-point"),
        Binding::Exporter => channel.data("tls-exporter"),
    }
}

fn hashed(hash: HtHash, token: &str, who: &[u8], binding: &[u8]) -> Vec<u8> {
    match hash {
        HtHash::Sha256 => mac::<Hmac<Sha256>>(token, who, binding),
        HtHash::Sha512 => mac::<Hmac<Sha512>>(token, who, binding),
    }
}

fn mac<M: Mac + KeyInit>(token: &str, who: &[u8], binding: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(token.as_bytes())
        .expect("RFC 2104 §3: HMAC takes a key of any length");
    mac.update(who);
    mac.update(binding);
    mac.finalize().into_bytes().to_vec()
}
