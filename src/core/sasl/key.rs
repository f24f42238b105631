//! Hashes of SCRAM and of hashed tokens, over any of the families.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::Family;

/// A hash, key or proof of one family; compares in constant time and has no `Debug` output.
#[derive(Clone)]
pub struct Key {
    bytes: [u8; 64],
    family: Family,
}

impl Key {
    /// Takes bytes over; `None` if they are not as many as the family's hash has.
    pub fn new(family: Family, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == family.bytes()).then(|| Self::filled(family, bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.family.bytes()]
    }

    /// The family.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// `self XOR other`, where both are of one family.
    pub(super) fn xor(&self, other: &Self) -> Self {
        debug_assert_eq!(self.family, other.family);
        let mut out = self.clone();
        for (byte, other) in out.bytes.iter_mut().zip(other.bytes) {
            *byte ^= other;
        }
        out
    }

    fn filled(family: Family, bytes: &[u8]) -> Self {
        let mut out = Self { bytes: [0; 64], family };
        out.bytes[..bytes.len()].copy_from_slice(bytes);
        out
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.family)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// `H(data)` of RFC 5802 §2.2.
pub(super) fn hash(family: Family, data: &[u8]) -> Key {
    match family {
        Family::Sha1 => Key::filled(family, &Sha1::digest(data)),
        Family::Sha256 => Key::filled(family, &Sha256::digest(data)),
        Family::Sha512 => Key::filled(family, &Sha512::digest(data)),
    }
}

/// `HMAC(key, parts joined)` of RFC 5802 §2.2.
pub(super) fn hmac(family: Family, key: &[u8], parts: &[&[u8]]) -> Key {
    match family {
        Family::Sha1 => Key::filled(family, &mac::<Hmac<Sha1>>(key, parts)),
        Family::Sha256 => Key::filled(family, &mac::<Hmac<Sha256>>(key, parts)),
        Family::Sha512 => Key::filled(family, &mac::<Hmac<Sha512>>(key, parts)),
    }
}

/// `Hi(password, salt, iterations)` of RFC 5802 §2.2.
pub(super) fn salted(family: Family, password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let mut out = Key::filled(family, &[]);
    let bytes = &mut out.bytes[..family.bytes()];
    match family {
        Family::Sha1 => pbkdf2_hmac::<Sha1>(password, salt, iterations, bytes),
        Family::Sha256 => pbkdf2_hmac::<Sha256>(password, salt, iterations, bytes),
        Family::Sha512 => pbkdf2_hmac::<Sha512>(password, salt, iterations, bytes),
    }
    out
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> hmac::digest::Output<M> {
    let mut mac =
        <M as KeyInit>::new_from_slice(key).expect("RFC 2104 §3: HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes()
}
