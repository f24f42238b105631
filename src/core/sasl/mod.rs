//! Simple Authentication and Security Layer: the mechanisms, as pure machines.
//!
//! The server side knows SCRAM (RFC 5802, RFC 7677) with and without channel binding (RFC 9266, RFC
//! 5929), PLAIN (RFC 4616), ANONYMOUS (RFC 4505) and the hashed tokens of XEP-0484; the client side
//! ([`client`]) knows SCRAM and PLAIN. Random bytes, verifiers and the moment come in as values;
//! the identity service owns them. Left out: security layers (XMPP uses none inside TLS), and every
//! mechanism that would need the password to be kept.

mod anonymous;
pub mod client;
mod downgrade;
pub mod ht;
mod key;
mod mechanism;
mod plain;
mod prep;
mod scram;
mod server;
#[cfg(test)]
mod tests;
mod verifier;

pub use anonymous::check_trace;
pub use downgrade::advertised_hash;
pub use ht::HashedToken;
pub use key::Key;
pub use mechanism::{Binding, Family, HtHash, Mechanism, UnknownMechanism};
pub use plain::Plain;
pub use prep::{BadPassword, PASSWORD_BYTES_MAX, Password, account};
pub use server::{Challenged, ClientFirst};
pub use verifier::{ITERATIONS_MAX, ITERATIONS_MIN, SALT_BYTES, Verifier};
