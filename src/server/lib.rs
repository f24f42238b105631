//! The server: sockets, tasks and time around the machines of `oc-core` and `oc-xeps`.

pub mod admin;
pub mod admission;
pub mod c2s;
mod check;
pub mod cli;
pub mod config;
mod demo;
pub mod edge;
pub mod house;
pub mod http;
pub mod log;
pub mod metrics;
pub mod outside;
pub mod serve;
pub mod shard;
pub mod signals;
pub mod switchboard;
pub mod tls;
