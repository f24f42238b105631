//! The client's half of SCRAM (RFC 5802), with every knob a test wants to turn the wrong way.

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use hmac::{Hmac, KeyInit, Mac};

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    pub fn of(mechanism: &str) -> Self {
        match mechanism.trim_end_matches("-PLUS") {
            "SCRAM-SHA-1" => Self::Sha1,
            "SCRAM-SHA-512" => Self::Sha512,
            _ => Self::Sha256,
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
            let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
            mac.update(data);
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha1 => run::<Hmac<sha1::Sha1>>(key, data),
            Self::Sha256 => run::<Hmac<sha2::Sha256>>(key, data),
            Self::Sha512 => run::<Hmac<sha2::Sha512>>(key, data),
        }
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        use sha2::Digest;
        match self {
            Self::Sha1 => sha1::Sha1::digest(data).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(data).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(data).to_vec(),
        }
    }

    fn salted(self, password: &str, salt: &[u8], n: u32) -> Vec<u8> {
        let mut out = vec![0; self.hash(b"").len()];
        let p = password.as_bytes();
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<sha1::Sha1>(p, salt, n, &mut out),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<sha2::Sha256>(p, salt, n, &mut out),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<sha2::Sha512>(p, salt, n, &mut out),
        }
        out
    }
}

/// One exchange.
pub struct Scram {
    hash: Hash,
    gs2: String,
    binding: Vec<u8>,
    bare: String,
    nonce: String,
    server_signature: Vec<u8>,
}

impl Scram {
    /// `gs2` is the whole header, such as `n,,` or `p=tls-exporter,,`.
    pub fn new(hash: Hash, user: &str, gs2: &str, binding: &[u8]) -> Self {
        let nonce = super::random_text(24);
        let bare = format!("n={user},r={nonce}");
        let (gs2, binding) = (gs2.to_owned(), binding.to_vec());
        Self { hash, gs2, binding, bare, nonce, server_signature: vec![] }
    }

    pub fn first(&self) -> String {
        B64.encode(format!("{}{}", self.gs2, self.bare))
    }

    /// Reads the challenge and gives the final message.
    pub fn last(&mut self, challenge: &str, password: &str) -> Result<String, String> {
        let server = B64.decode(challenge).map_err(|e| e.to_string())?;
        let server = String::from_utf8(server).map_err(|e| e.to_string())?;
        let (nonce, salt, n) = parse(&server)?;
        if !nonce.starts_with(&self.nonce) || nonce == self.nonce {
            return Err("the server's nonce does not extend ours".into());
        }
        let mut c = self.gs2.clone().into_bytes();
        c.extend(&self.binding);
        let without = format!("c={},r={nonce}", B64.encode(c));
        let auth = format!("{},{server},{without}", self.bare);
        let salted = self.hash.salted(password, &salt, n);
        let key = self.hash.hmac(&salted, b"Client Key");
        let signature = self.hash.hmac(&self.hash.hash(&key), auth.as_bytes());
        let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server_key = self.hash.hmac(&salted, b"Server Key");
        self.server_signature = self.hash.hmac(&server_key, auth.as_bytes());
        Ok(B64.encode(format!("{without},p={}", B64.encode(proof))))
    }

    /// Whether the server has proved that it knows the account (RFC 5802 §3).
    pub fn verify(&self, last: &str) -> Result<(), String> {
        let want = format!("v={}", B64.encode(&self.server_signature));
        let got = B64.decode(last.trim()).unwrap_or_default();
        let got = String::from_utf8_lossy(&got).into_owned();
        if got == want { Ok(()) } else { Err(format!("server signature {got:?}")) }
    }
}

/// Nonce, salt and iterations of a server's first message.
pub fn parse(server: &str) -> Result<(String, Vec<u8>, u32), String> {
    let field = |k: &str| {
        let found = server.split(',').find_map(|f| f.strip_prefix(k));
        found.ok_or_else(|| format!("challenge without {k}: {server}"))
    };
    let salt = B64.decode(field("s=")?).map_err(|e| e.to_string())?;
    let n = field("i=")?.parse().map_err(|_| "iterations are no number".to_owned())?;
    Ok((field("r=")?.to_owned(), salt, n))
}
