//! What the specifications print.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::client::{Gs2, Scram, salted_password};
use super::super::{ClientFirst, Family, Password, Verifier, advertised_hash, ht};
use super::super::{HashedToken, HtHash, Key};
use crate::auth::{AuthChannel, ChannelBindings};

struct Vector {
    family: Family,
    client_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    messages: [&'static str; 4],
}

impl Vector {
    fn check(&self) {
        let password = Password::prepare("pencil").unwrap();
        let salt = STANDARD.decode(self.salt).unwrap();
        let verifier = Verifier::derive(self.family, &password, salt, 4096);
        assert!(verifier.fits(&password));
        let (first, client) =
            Scram::begin(self.family, "user", password, self.client_nonce, &Gs2::No);
        assert_eq!(String::from_utf8_lossy(&first), self.messages[0]);
        let first =
            ClientFirst::parse(self.family, false, &first, &AuthChannel::default()).unwrap();
        let (challenge, server) = first.challenge(Arc::new(verifier), self.server_nonce, None);
        assert_eq!(String::from_utf8_lossy(&challenge), self.messages[1]);
        let (proof, client) = client.respond(&challenge, None).unwrap();
        assert_eq!(String::from_utf8_lossy(&proof), self.messages[2]);
        let last = server.finish(&proof).unwrap();
        assert_eq!(String::from_utf8_lossy(&last), self.messages[3]);
        client.finish(&last).unwrap();
    }
}

#[test]
fn rfc5802_5_scram_sha_1_exchange() {
    Vector {
        family: Family::Sha1,
        client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: "QSXCR+Q6sek8bf92",
        messages: [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ],
    }
    .check();
}

#[test]
fn rfc7677_3_scram_sha_256_exchange() {
    Vector {
        family: Family::Sha256,
        client_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        messages: [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ],
    }
    .check();
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn xep_0474_hash_of_the_example() {
    let hash = advertised_hash(
        Family::Sha1,
        &names(&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"]),
        Some(&names(&["tls-server-end-point", "tls-exporter"])),
    );
    assert_eq!(hash, "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
}

/// XEP-0474 #example; its channel-binding data is the text "THIS IS FAKE CB DATA", which no
/// exporter gives, so it goes in as an end point of that name would.
#[test]
fn xep_0474_example_proof_and_unknown_extension() {
    let channel = AuthChannel {
        bindings: ChannelBindings {
            exporter: None,
            end_point: Some(b"THIS IS FAKE CB DATA".to_vec()),
        },
        ..AuthChannel::default()
    };
    let first = ClientFirst::parse(
        Family::Sha1,
        true,
        b"p=tls-server-end-point,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6",
        &channel,
    )
    .unwrap();
    let first = first.bound_as("p=tls-exporter,,THIS IS FAKE CB DATA");
    let salt = STANDARD.decode("QSXCR+Q6sek8bf92").unwrap();
    let password = Password::prepare("pencil").unwrap();
    let verifier = Arc::new(Verifier::derive(Family::Sha1, &password, salt, 4096));
    let (challenge, server) = first.challenge(
        verifier,
        "a09117a6-ac50-4f2f-93f1-93799c2bddf6",
        Some("G6k/rBLDqgOhRRaCuuatSDFkJ08="),
    );
    assert_eq!(
        String::from_utf8_lossy(&challenge),
        "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
         s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08="
    );
    let last = server
        .finish(
            b"c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,\
              r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,\
              x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=",
        )
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&last), "v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=");
}

#[test]
fn xep_0480_scram_upgrade_makes_the_same_verifier() {
    let password = Password::prepare("pencil").unwrap();
    let salt = STANDARD.decode("QV9TWENSWFE2c2VrOGJmX1o=").unwrap();
    for family in Family::ALL {
        let salted = salted_password(family, &password, &salt, 4096);
        let sent = Key::new(family, salted.as_bytes()).unwrap();
        let upgraded = Verifier::from_salted_password(&sent, salt.clone(), 4096);
        assert_eq!(upgraded, Verifier::derive(family, &password, salt.clone(), 4096));
    }
}

/// draft-schmaus-kitten-sasl-ht-09 §3.1 and §3.2 with HMAC-SHA-256, computed with another
/// implementation: `printf Initiator | openssl dgst -sha256 -hmac secret-token` and the same for
/// `Responder`.
#[test]
fn xep_0484_hashed_token_none() {
    let initiator = hex(INITIATOR);
    let message = [b"juliet\0".as_slice(), &initiator].concat();
    assert_eq!(ht::initiator(HtHash::Sha256, "juliet", "secret-token", &[]), message);
    let parsed = HashedToken::parse(HtHash::Sha256, &message).unwrap();
    assert_eq!(parsed.authcid, "juliet");
    assert!(parsed.proves(HtHash::Sha256, "secret-token", &[]));
    assert!(!parsed.proves(HtHash::Sha256, "secret-tokem", &[]));
    assert!(!parsed.proves(HtHash::Sha256, "secret-token", &[0]));
    assert_eq!(ht::responder(HtHash::Sha256, "secret-token", &[]), hex(RESPONDER));
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

const INITIATOR: &str = "3f6de92b45cddc50c601ad166458f7b5874565e399f3006b1afb03f0bb03ff88";
const RESPONDER: &str = "5572a63e0496195609273c23be8a50b9bee64e0369324079e73245bf4472a5b1";
