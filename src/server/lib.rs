//! The server: sockets, tasks and time around the machines of `oc-core` and `oc-xeps`.

pub mod config;
pub mod tls;
