//! The server: sockets, tasks and time around the machines of `oc-core` and `oc-xeps`.

pub mod config;
pub mod log;
pub mod metrics;
pub mod signals;
pub mod tls;
