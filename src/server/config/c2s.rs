//! `[c2s]`: connections of clients.

use super::address::Listener;
use super::section::section;
use super::value::{DAY, HOUR, MINUTE, Period, SECOND};

section! {
    /// Connections of clients over TCP. Clients over HTTPS have their own section, [http].
    C2s = "c2s" {
        /// Where clients connect and switch to TLS with STARTTLS. [] for nowhere.
        restart listen: Vec<Listener> = Listener::everywhere(5222);
        /// Where clients connect with TLS from the first byte (XEP-0368). [] for nowhere.
        restart listen_tls: Vec<Listener> = Listener::everywhere(5223);
        /// Whether clients of the first kind of listener may log in without TLS. Only for tests,
        /// and only if all those listeners are on loopback addresses.
        restart allow_plaintext: bool = false;
        /// How long a client may take from the first byte until it is logged in and bound.
        live negotiation: Period<{ 2 * SECOND }, { 5 * MINUTE }> = Period::of(30 * SECOND);
        /// After so long without a byte from it, a client is asked whether it is still there.
        live idle_ping: Period<{ 10 * SECOND }, DAY> = Period::of(5 * MINUTE);
        /// How long a client may take to answer that.
        live ping_timeout: Period<{ 2 * SECOND }, HOUR> = Period::of(60 * SECOND);
        /// How long a session that lost its connection waits for its client to come back
        /// (XEP-0198). "0 s" does not offer it.
        live resume: Period<0, DAY> = Period::of(10 * MINUTE);
        /// How long the server waits at shutdown for clients to take what they are still owed.
        live drain: Period<0, { 5 * MINUTE }> = Period::of(5 * SECOND);
    }
}
