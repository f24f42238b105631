//! `[dns]`: who is asked for names.

use super::address::NameServer;
use super::section::section;
use super::value::{MINUTE, Period, SECOND};

section! {
    /// Who is asked for names of other machines.
    Dns = "dns" {
        /// Name servers. [] asks those of the system (/etc/resolv.conf).
        restart servers: Vec<NameServer> = Vec::new(), eg "[\"127.0.0.1\", \"[::1]:5353\"]";
        /// How long one question may take.
        restart timeout: Period<{ SECOND / 10 }, MINUTE> = Period::of(5 * SECOND);
    }
}
