//! XML streams (RFC 6120 §4-§7) as a machine, and the plug point of stream features.
//!
//! A shell feeds [`Stream`] with what the reader found and carries out what comes back; the same
//! machine serves TCP, WebSocket (RFC 7395) and BOSH (XEP-0206), because headers, elements and ends
//! are effects and only the shell knows how its transport spells them.

mod bind;
mod feature;
mod machine;
pub mod sasl;
mod starttls;
#[cfg(test)]
mod tests;
pub mod websocket;

pub use bind::{Bind, RosterVersioning};
pub use feature::{
    Hosts, Negotiation, Offer, Registration, StreamAnswer, StreamEffect, StreamFeature,
    StreamInput, Taken,
};
pub use machine::Stream;
pub use sasl::Sasl;
pub use starttls::StartTls;
