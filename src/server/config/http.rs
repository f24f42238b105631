//! `[http]`: clients in browsers and behind firewalls.

use super::address::{Listener, PublicUrl};
use super::section::section;
use super::value::{MINUTE, Period, SECOND};

section! {
    /// HTTPS: WebSocket (RFC 7395) and BOSH (XEP-0124) for clients in browsers, and the documents
    /// by which clients find them (XEP-0156).
    Http = "http" {
        /// Where HTTPS is served. [] for nowhere.
        restart listen: Vec<Listener> = Listener::everywhere(5281);
        /// Where the same is served without TLS, for a proxy on this machine: loopback addresses
        /// only.
        restart listen_plaintext: Vec<Listener> = Vec::new(), eg "[\"127.0.0.1:5282\"]";
        /// Whether there is a WebSocket, at /xmpp-websocket.
        restart websocket: bool = true;
        /// Whether there is BOSH, at /http-bind.
        restart bosh: bool = true;
        /// Under which URL the world reaches this listener, if not under https://DOMAIN:PORT with
        /// the port of the first address of `listen`; {domain} stands for the domain.
        live public_url: Option<PublicUrl> = None, eg "\"https://chat.example.org\"";
        /// How long a BOSH client may wait between two requests before its session ends.
        live bosh_inactivity: Period<{ 10 * SECOND }, { 10 * MINUTE }> = Period::of(60 * SECOND);
        /// The longest time that a BOSH request is held open when there is nothing to say.
        live bosh_wait: Period<SECOND, { 5 * MINUTE }> = Period::of(60 * SECOND);
    }
}
