//! Anonymous Simple Authentication and Security Layer Mechanism (RFC 4505).

use crate::auth::AuthFailure;

/// Checks the trace that a guest may send (RFC 4505 §2: up to 255 characters of UTF-8); it is not
/// kept, for it says nothing that could be trusted.
pub fn check_trace(message: &[u8]) -> Result<(), AuthFailure> {
    // 255 characters of at most four bytes
    if message.len() > 4 * 255 {
        return Err(AuthFailure::MalformedRequest);
    }
    let trace = str::from_utf8(message).map_err(|_| AuthFailure::MalformedRequest)?;
    if trace.chars().count() > 255 || trace.chars().any(char::is_control) {
        return Err(AuthFailure::MalformedRequest);
    }
    Ok(())
}
