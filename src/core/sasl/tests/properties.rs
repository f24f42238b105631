//! Whatever comes in, nothing panics, and nothing but the right proof is right.

use std::str::FromStr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::client::{Gs2, Scram};
use super::super::scram::{decode_name, encode_name};
use super::super::{
    Challenged, ClientFirst, Family, HashedToken, HtHash, Mechanism, Plain, account, check_trace,
};
use super::{password, tls, verifier};
use crate::auth::AuthFailure;

/// Nearly a client's first message, and nearly its last.
const FIRST: &str = "[nyp],(a=[a=,2C3D]{0,9})?,n=[a=,2C3D]{0,9},r=[!-~]{0,9}(,[a-z]=.)?";
const LAST: &str = "c=[a-zA-Z0-9=]{0,9},r=[cs,]{0,4}(,.=.)?,p=[A-Za-z0-9+/=]{0,90}";

fn family() -> impl Strategy<Value = Family> {
    prop::sample::select(Family::ALL.to_vec())
}

/// A server that waits for the proof, and the right proof.
fn challenged(family: Family) -> (Challenged, Vec<u8>) {
    let (first, client) = Scram::begin(family, "a", password("secret"), "c", &Gs2::No);
    let first = ClientFirst::parse(family, false, &first, &tls()).unwrap();
    let (challenge, server) = first.challenge(verifier(family, "secret"), "s", None);
    let (proof, _) = client.respond(&challenge, None).unwrap();
    (server, proof)
}

proptest! {
    #[test]
    fn no_message_panics(
        family in family(),
        plus: bool,
        bytes in prop_oneof![
            vec(any::<u8>(), 0..200),
            FIRST.prop_map(String::into_bytes),
            LAST.prop_map(String::into_bytes),
        ],
    ) {
        if let Ok(first) = ClientFirst::parse(family, plus, &bytes, &tls()) {
            first.challenge(verifier(family, "secret"), "s", None);
        }
        prop_assert!(challenged(family).0.finish(&bytes).is_err());
        let (_, client) = Scram::begin(family, "a", password("secret"), "c", &Gs2::No);
        prop_assert!(client.respond(&bytes, None).is_err());
        let _ = (Plain::parse(&bytes).is_ok(), check_trace(&bytes).is_ok());
        let token = HashedToken::parse(HtHash::Sha256, &bytes);
        prop_assert!(!token.is_ok_and(|token| token.proves(HtHash::Sha256, "t", &[])));
        let text = String::from_utf8_lossy(&bytes);
        let _ = (Mechanism::from_str(&text).is_ok(), account("x", &text, Some(&text)).is_ok());
    }

    #[test]
    fn names_survive_their_escapes(name in ".{0,20}") {
        let encoded = encode_name(&name);
        prop_assert!(!encoded.contains(','));
        prop_assert_eq!(decode_name(&encoded).unwrap(), name);
    }

    #[test]
    fn hashed_token_every_changed_byte_fails(at in 0usize..32, flip in 1u8..=255) {
        let mut message = super::super::ht::initiator(HtHash::Sha256, "a", "token", b"cb");
        message[2 + at] ^= flip;
        let parsed = HashedToken::parse(HtHash::Sha256, &message).unwrap();
        prop_assert!(!parsed.proves(HtHash::Sha256, "token", b"cb"));
    }
}

/// Every byte of the client's last message, changed in every way, is refused.
#[test]
fn rfc5802_3_every_changed_byte_fails() {
    for family in Family::ALL {
        let (server, proof) = challenged(family);
        server.clone().finish(&proof).unwrap();
        for at in 0..proof.len() {
            for flip in 1..=255 {
                let mut changed = proof.clone();
                changed[at] ^= flip;
                let failure = server.clone().finish(&changed).unwrap_err();
                assert!(
                    matches!(
                        failure,
                        AuthFailure::NotAuthorized
                            | AuthFailure::MalformedRequest
                            | AuthFailure::IncorrectEncoding
                    ),
                    "byte {at}"
                );
            }
        }
    }
}
