//! The PLAIN Simple Authentication and Security Layer Mechanism (RFC 4616).

use zeroize::Zeroizing;

use crate::auth::AuthFailure;
use crate::limits;

/// A name and a password in the clear; only inside TLS (RFC 6120 §13.8.3). No `Debug` output.
pub struct Plain {
    /// The simple user name.
    pub authcid: String,
    /// The identity that the client wants to act as, if it names one.
    pub authzid: Option<String>,
    /// The password as it came.
    pub password: Zeroizing<String>,
}

impl Plain {
    /// Reads `[authzid] NUL authcid NUL passwd` (RFC 4616 §2); names and password are not empty.
    pub fn parse(message: &[u8]) -> Result<Self, AuthFailure> {
        let malformed = AuthFailure::MalformedRequest;
        if message.len() > limits::SASL_MESSAGE_BYTES {
            return Err(malformed);
        }
        let text = str::from_utf8(message).map_err(|_| malformed)?;
        let mut parts = text.split('\0');
        let (Some(authzid), Some(authcid), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        if authcid.is_empty() || password.is_empty() {
            return Err(malformed);
        }
        Ok(Self {
            authcid: authcid.to_owned(),
            authzid: (!authzid.is_empty()).then(|| authzid.to_owned()),
            password: Zeroizing::new(password.to_owned()),
        })
    }
}
