//! The server secret and what is derived from it, and random bytes.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use oc_core::BareJid;
use oc_core::sasl::Verifier;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::OcmsError;

/// 256 bits that only this identity service knows; no `Debug` output.
pub(crate) struct ServerSecret(Zeroizing<[u8; 32]>);

/// What a FAST token is derived from; none of it is secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenParts<'a> {
    pub(crate) account: i64,
    pub(crate) client: &'a str,
    pub(crate) mechanism: &'a str,
    pub(crate) counter: i64,
    pub(crate) expiry: i64,
}

impl ServerSecret {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// By this the secret itself is found damaged.
    pub(crate) fn check(&self) -> Vec<u8> {
        Sha256::digest(self.bytes())[..8].to_vec()
    }

    /// Key of the salts that accounts have which do not exist.
    pub(crate) fn fake_salt_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive(b"fake salt", &[])
    }

    /// The check of a verifier's row, so that bit rot and mixed-up rows are noticed.
    pub(crate) fn verifier_mac(&self, account: i64, jid: &BareJid, verifier: &Verifier) -> Vec<u8> {
        let parts = [
            &account.to_be_bytes()[..],
            jid.as_str().as_bytes(),
            verifier.family().mechanism().as_bytes(),
            &verifier.salt,
            &verifier.iterations.to_be_bytes(),
            verifier.stored_key.as_bytes(),
            verifier.server_key.as_bytes(),
        ];
        self.derive(b"verifier", &parts)[..16].to_vec()
    }

    /// A XEP-0484 token; the prefix (RFC 8959) lets tools find tokens where they should not be.
    pub(crate) fn token(&self, parts: TokenParts<'_>) -> Zeroizing<String> {
        let derived = self.derive(
            b"fast token",
            &[
                &parts.account.to_be_bytes(),
                parts.client.as_bytes(),
                parts.mechanism.as_bytes(),
                &parts.counter.to_be_bytes(),
                &parts.expiry.to_be_bytes(),
            ],
        );
        Zeroizing::new(format!("secret-token:{}", URL_SAFE_NO_PAD.encode(derived.as_slice())))
    }

    /// HMAC over the purpose and the parts, each with its length before it.
    fn derive(&self, purpose: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.bytes())
            .expect("RFC 2104 §3: HMAC takes a key of any length");
        for part in std::iter::once(&purpose).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// Unpredictable bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], OcmsError> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(OcmsError::Random)?;
    Ok(out)
}

/// A SCRAM nonce: 144 bits, printable and without comma.
pub(crate) fn nonce() -> Result<String, OcmsError> {
    Ok(STANDARD_NO_PAD.encode(random::<18>()?))
}

/// A token for an invitation: 144 bits.
pub(crate) fn invitation() -> Result<String, OcmsError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<18>()?))
}

/// A local part for a guest: 128 bits, lower-case hexadecimal.
pub(crate) fn guest_name() -> Result<String, OcmsError> {
    Ok(format!("{:032x}", u128::from_be_bytes(random()?)))
}

/// A password that nobody has chosen: 100 bits in four groups, without letters that look alike.
pub fn generate_password() -> Result<String, OcmsError> {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
    let mut bits = u128::from_be_bytes(random()?);
    let mut out = String::with_capacity(23);
    for at in 0..20 {
        if at > 0 && at % 5 == 0 {
            out.push('-');
        }
        out.push(char::from(ALPHABET[(bits & 31) as usize]));
        bits >>= 5;
    }
    Ok(out)
}

/// What is kept of an invitation's token.
pub(crate) fn invitation_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
