//! `[admin]`: the operator's own doors.

use super::address::Listener;
use super::section::section;
use super::value::Location;

section! {
    /// The operator's own doors: figures for monitoring, and the commands of this machine.
    Admin = "admin" {
        /// Where /metrics (Prometheus), /health and /ready are served, without TLS and without
        /// passwords: keep it on loopback or a private network. [] for nowhere.
        restart listen: Vec<Listener> = vec![Listener::loopback(5280)];
        /// The socket by which commands such as `open-conference user add` reach the running
        /// server. Without it: admin.sock in the data directory. Only the server's own user may
        /// open it.
        restart socket: Option<Location> = None, eg "\"/run/open-conference/admin.sock\"";
    }
}
