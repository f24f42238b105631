//! Names and passwords in the one form that is hashed and compared.

use std::fmt;

use jid::{BareJid, DomainPart, Jid, NodePart};
use zeroize::Zeroizing;

use crate::auth::AuthFailure;

/// Bytes of a password, before and after preparation.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// A password as SASLprep (RFC 4013) leaves it; wiped from memory, and without `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

/// Why a string cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub enum BadPassword {
    /// Nothing is left after preparation.
    Empty,
    /// More than [`PASSWORD_BYTES_MAX`].
    TooLong,
    /// RFC 4013 §2.3 to §2.5: control characters, unassigned code points, mixed direction.
    Prohibited,
}

impl BadPassword {
    /// What to tell who chose it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "The password is empty.",
            Self::TooLong => "The password is longer than 1024 bytes.",
            Self::Prohibited => {
                "The password has a character that not every client can type the same way \
                 (RFC 4013): a control character, an emoji, or mixed writing directions."
            }
        }
    }
}

impl Password {
    /// Prepares a password. RFC 5802 §2.2 treats it as a stored string, so code points that Unicode
    /// 3.2 had not assigned are refused rather than hashed in a form that another client would not
    /// reach.
    pub fn prepare(raw: &str) -> Result<Self, BadPassword> {
        if raw.len() > PASSWORD_BYTES_MAX {
            return Err(BadPassword::TooLong);
        }
        let prepared = stringprep::saslprep(raw).map_err(|_| BadPassword::Prohibited)?;
        let prepared = Zeroizing::new(prepared.into_owned());
        match prepared.len() {
            0 => Err(BadPassword::Empty),
            1..=PASSWORD_BYTES_MAX => Ok(Self(prepared)),
            _ => Err(BadPassword::TooLong),
        }
    }

    /// Characters of the prepared password.
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// The account that an exchange is about, from what the client sent.
///
/// RFC 6120 §6.3.7: the simple user name of a mechanism is the local part of the account; RFC 7622
/// §3.3 says in which form it is compared. §6.3.8: an authorization identity is a bare JID; XMPP
/// lets one account act for another, we do not, so anything but the account itself is refused.
pub fn account(realm: &str, authcid: &str, authzid: Option<&str>) -> Result<BareJid, AuthFailure> {
    let node = NodePart::new(authcid).map_err(|_| AuthFailure::NotAuthorized)?;
    let domain = DomainPart::new(realm).map_err(|_| AuthFailure::NotAuthorized)?;
    let account = BareJid::from_parts(Some(&node), &domain);
    match authzid {
        None | Some("") => Ok(account),
        Some(other) => match Jid::new(other).map(Jid::try_into_full) {
            Ok(Err(bare)) if bare == account => Ok(account),
            _ => Err(AuthFailure::InvalidAuthzid),
        },
    }
}
