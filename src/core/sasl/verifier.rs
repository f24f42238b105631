//! What a server keeps of a password: `StoredKey` and `ServerKey` (RFC 5802 §3).

use super::key::Key;
use super::{Family, Password, key};

/// Fewest iterations that a verifier may have (RFC 7677 §4).
pub const ITERATIONS_MIN: u32 = 4096;
/// Most iterations that we make a client or ourselves compute.
pub const ITERATIONS_MAX: u32 = 10_000_000;
/// Bytes of the salt of new verifiers.
pub const SALT_BYTES: usize = 16;

/// Proves a password without telling it: what leaks here logs nobody in by SCRAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// Random bytes, different for each verifier.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2 between the password and the keys.
    pub iterations: u32,
    /// `H(ClientKey)`
    pub stored_key: Key,
    /// `HMAC(SaltedPassword, "Server Key")`
    pub server_key: Key,
}

impl Verifier {
    /// Derives a verifier; takes as long as `iterations` say, so not on a thread that serves
    /// others.
    pub fn derive(family: Family, password: &Password, salt: Vec<u8>, iterations: u32) -> Self {
        let salted = key::salted(family, password.as_bytes(), &salt, iterations);
        Self::from_salted_password(&salted, salt, iterations)
    }

    /// Makes a verifier of a `SaltedPassword` that a client has computed (XEP-0480 #scram).
    pub fn from_salted_password(salted: &Key, salt: Vec<u8>, iterations: u32) -> Self {
        let (client_key, server_key) = keys(salted);
        let stored_key = key::hash(salted.family(), client_key.as_bytes());
        Self { salt, iterations, stored_key, server_key }
    }

    /// The verifier of an account that does not exist: the same for the same name, so that it
    /// cannot be told from a real one by asking twice. No password fits it.
    pub fn fake(family: Family, secret: &[u8], account: &str, iterations: u32) -> Self {
        let name = family.mechanism().as_bytes();
        let derived = |what: &[u8], family| {
            key::hmac(family, secret, &[what, b"\0", name, b"\0", account.as_bytes()])
        };
        Self {
            salt: derived(b"salt", Family::Sha256).as_bytes()[..SALT_BYTES].to_vec(),
            iterations,
            stored_key: derived(b"stored key", family),
            server_key: derived(b"server key", family),
        }
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.stored_key.family()
    }

    /// Whether this is the password, in constant time; takes as long as [`Verifier::derive`].
    pub fn fits(&self, password: &Password) -> bool {
        let candidate = Self::derive(self.family(), password, self.salt.clone(), self.iterations);
        candidate.stored_key == self.stored_key
    }
}

/// `ClientKey` and `ServerKey` (RFC 5802 §3).
pub(super) fn keys(salted: &Key) -> (Key, Key) {
    let of = |label: &[u8]| key::hmac(salted.family(), salted.as_bytes(), &[label]);
    (of(b"Client Key"), of(b"Server Key"))
}
