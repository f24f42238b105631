//! The queues between edges and shards: who is reached where.
//!
//! Only [`oc_core::session`] values pass, so that one day a bus can stand here. The queues have no
//! bound of their own: an edge lets each session have [`crate::edge::IN_FLIGHT`] stanzas under way
//! and stops reading its socket beyond that, and what a shard sends to an edge is bounded by each
//! session's outbox.

use oc_core::BareJid;
use oc_core::session::{EdgeId, ToEdge, ToShard};
use oc_core::shard::{owner_of, shard_of};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Sends to every edge and every shard thread of this process.
#[derive(Clone)]
pub struct Switchboard {
    shards: Vec<UnboundedSender<(BareJid, ToShard)>>,
    edges: Vec<UnboundedSender<ToEdge>>,
}

/// The receiving ends, one per thread.
pub struct Ends {
    /// What the shards of the n-th thread hear, with the owner it is for.
    pub shards: Vec<UnboundedReceiver<(BareJid, ToShard)>>,
    /// What the n-th edge hears.
    pub edges: Vec<UnboundedReceiver<ToEdge>>,
}

impl Switchboard {
    /// Queues for a number of threads, each with an edge and its part of the shards.
    pub fn new(threads: usize) -> (Self, Ends) {
        let (shard_senders, shards) = (0..threads).map(|_| unbounded_channel()).unzip();
        let (edge_senders, edges) = (0..threads).map(|_| unbounded_channel()).unzip();
        (Self { shards: shard_senders, edges: edge_senders }, Ends { shards, edges })
    }

    /// Sends to the shard that owns `address`.
    pub fn to_shard(&self, address: BareJid, what: ToShard) {
        let owner = owner_of(&address);
        let thread = usize::from(shard_of(owner).0) % self.shards.len();
        let owner = owner.clone();
        // A closed queue means that the process is ending; then nobody is there to be told.
        let _ = self.shards[thread].send((owner, what));
    }

    /// Sends to an edge.
    pub fn to_edge(&self, edge: EdgeId, what: ToEdge) {
        if let Some(sender) = self.edges.get(usize::from(edge.0)) {
            let _ = sender.send(what);
        }
    }
}
