//! XEP-0474: SASL SCRAM Downgrade Protection.
//!
//! The server signs, inside SCRAM, what it had advertised; whoever took the stronger mechanisms off
//! the list on the way is found out by the client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Family, key};

/// The value of the attribute `h` (XEP-0474 #hash): what was advertised by the SASL profile in use,
/// and, if XEP-0440 was sent, the channel-binding types; each sorted by octets.
pub fn advertised_hash(
    family: Family,
    mechanisms: &[String],
    bindings: Option<&[String]>,
) -> String {
    let mut text = joined(mechanisms);
    if let Some(bindings) = bindings {
        text.push('\x1F');
        text.push_str(&joined(bindings));
    }
    STANDARD.encode(key::hash(family, text.as_bytes()).as_bytes())
}

fn joined(names: &[String]) -> String {
    let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.join("\x1E")
}
