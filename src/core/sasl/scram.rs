//! Salted Challenge Response Authentication Mechanism (RFC 5802, RFC 7677): the messages.
//!
//! What client and server share: attributes, names with their two escapes, and the text that both
//! sign.

use std::borrow::Cow;

use crate::auth::AuthFailure;
use crate::limits;

/// Characters of a nonce that we take from a peer.
pub(super) const NONCE_CHARS_MAX: usize = 512;

/// A message as text: within limits, UTF-8, no NUL (RFC 5802 §7 `value-char`).
pub(super) fn text(message: &[u8]) -> Result<&str, AuthFailure> {
    if message.len() > limits::SASL_MESSAGE_BYTES || message.contains(&0) {
        return Err(AuthFailure::MalformedRequest);
    }
    str::from_utf8(message).map_err(|_| AuthFailure::MalformedRequest)
}

/// The value of `text` if it is the attribute `name`, and has one.
pub(super) fn attribute(text: &str, name: char) -> Option<&str> {
    text.strip_prefix(name)?.strip_prefix('=').filter(|value| !value.is_empty())
}

/// RFC 5802 §7: `attr-val`s that we do not know are passed over, `m=` is not (§5.1).
pub(super) fn is_optional_extension(text: &str) -> bool {
    let name = text.chars().next().filter(|c| c.is_ascii_alphabetic() && *c != 'm');
    name.is_some_and(|name| attribute(text, name).is_some())
}

/// RFC 5802 §7 `c-nonce`: printable ASCII without comma, of bounded length.
pub(super) fn is_nonce(text: &str) -> bool {
    let printable = |b: u8| b.is_ascii_graphic() && b != b',';
    (1..=NONCE_CHARS_MAX).contains(&text.len()) && text.bytes().all(printable)
}

/// RFC 5802 §5.1: `=2C` and `=3D` are the only escapes, and a bare `=` is an error.
pub(super) fn decode_name(name: &str) -> Option<Cow<'_, str>> {
    if !name.contains('=') {
        return Some(name.into());
    }
    let mut parts = name.split('=');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escaped, rest) = match part.split_at_checked(2)? {
            ("2C", rest) => (',', rest),
            ("3D", rest) => ('=', rest),
            _ => return None,
        };
        out.push(escaped);
        out.push_str(rest);
    }
    Some(out.into())
}

/// The inverse of [`decode_name`].
pub(super) fn encode_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}
