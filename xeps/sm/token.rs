//! The identifier of a stream management session (XEP-0198 #resumption).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oc_core::Ctx;
use oc_core::session::{EdgeId, SessionId};
use subtle::ConstantTimeEq;

/// Names the edge that owns the session, the session on it, and proves by 128 random bits that
/// whoever shows it was told it. 35 characters on the wire, opaque to the client.
///
/// It is a bearer secret only within an account: resumption also demands that the client has
/// authenticated as the same one (XEP-0198 #security), which the edge checks.
#[derive(Clone)]
pub struct ResumeToken {
    session: SessionId,
    secret: [u8; SECRET_BYTES],
}

impl ResumeToken {
    /// A fresh token for a session.
    pub fn new(session: SessionId, ctx: &mut Ctx<'_>) -> Self {
        let mut secret = [0; SECRET_BYTES];
        ctx.ids.fill(&mut secret);
        Self { session, secret }
    }

    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        // Checked first, so that a long text is not decoded only to be refused.
        if text.len() != TEXT_BYTES {
            return None;
        }
        let raw: [u8; RAW_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (edge, rest) = raw.split_first_chunk::<2>()?;
        let (key, secret) = rest.split_first_chunk::<8>()?;
        Some(Self {
            session: SessionId {
                edge: EdgeId(u16::from_be_bytes(*edge)),
                key: u64::from_be_bytes(*key),
            },
            secret: secret.try_into().ok()?,
        })
    }

    /// The session that this token claims to be for; the edge in it is where to look.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Whether a token shown by a client is this one; takes the same time wherever they differ.
    pub fn matches(&self, shown: &Self) -> bool {
        self.session == shown.session && bool::from(self.secret.ct_eq(&shown.secret))
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut raw = [0; RAW_BYTES];
        raw[..2].copy_from_slice(&self.session.edge.0.to_be_bytes());
        raw[2..10].copy_from_slice(&self.session.key.to_be_bytes());
        raw[10..].copy_from_slice(&self.secret);
        f.write_str(&URL_SAFE_NO_PAD.encode(raw))
    }
}

/// The secret never reaches a log.
impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResumeToken({:?})", self.session)
    }
}

const SECRET_BYTES: usize = 16;
const RAW_BYTES: usize = 2 + 8 + SECRET_BYTES;
const TEXT_BYTES: usize = (RAW_BYTES * 4).div_ceil(3);
