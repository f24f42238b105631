//! The edge: the threads that own connections and sessions.
//!
//! One edge per thread, each on a current-thread runtime. A connection is a task that does nothing
//! but wait, read into the thread's scratch buffer, feed the pure stream machine and carry out its
//! effects. A session outlives its connection for as long as it can be resumed. Everything that one
//! turn of the edge produced for a socket leaves in one write.
//!
//! Architecture invariant: nothing in this folder knows how rooms, accounts or storage work; it
//! talks to shards in the words of [`oc_core::session`].

mod connection;
mod io;
mod line;
mod message;
mod outbox;
mod pace;
mod session;
mod settings;
mod thread;
mod wheel;

pub use message::{Incoming, MessagePeer, MessageStream, Outgoing};
pub use settings::{Domains, EdgeSettings, Peer, Shared};
pub use thread::{Arrival, Edge, Summary};

/// Stanzas of one session that may be on their way through the shards; its socket is not read
/// beyond.
pub const IN_FLIGHT: usize = 256;
