//! Shards: the threads' parts of the bare JIDs, and the machines that live there.
//!
//! Each machine (an account, a domain) handles one input at a time. While something of it is being
//! read or written, what comes for it queues up behind; everybody else goes on. What a machine
//! wants said is said after its records are on disk, never before.
//!
//! Architecture invariant: nothing in this folder knows sockets or streams; it hears
//! [`oc_core::session::ToShard`] and says [`oc_core::session::ToEdge`].

mod accounts;
mod hosts;
mod task;

pub use hosts::DomainHost;
pub use task::{ShardShared, run};
