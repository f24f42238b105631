//! Who is on the other side of an HTTP connection, and the place that it takes.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;

use crate::admission::{Admission, Ticket};
use crate::edge::Peer;
use crate::outside::now;

/// One HTTP connection, as its requests see it.
#[derive(Clone)]
pub(super) struct Seat {
    address: SocketAddr,
    /// The connection comes from a proxy; its clients are counted one by one, not it.
    proxied: bool,
    ticket: Arc<Mutex<Option<Ticket>>>,
}

impl Seat {
    /// A connection straight from a client.
    pub(super) fn direct(address: SocketAddr, ticket: Ticket) -> Self {
        Self { address, proxied: false, ticket: Arc::new(Mutex::new(Some(ticket))) }
    }

    /// A connection from a proxy on this machine.
    pub(super) fn proxied(address: SocketAddr) -> Self {
        Self { address, proxied: true, ticket: Arc::default() }
    }

    /// The client. Only the last address counts that a proxy names: it has seen that one itself.
    pub(super) fn peer(&self, headers: &HeaderMap) -> Peer {
        let forwarded = || {
            let last = headers.get_all("x-forwarded-for").iter().next_back()?;
            last.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
        };
        let address = match self.proxied.then(forwarded).flatten() {
            Some(ip) => SocketAddr::new(ip, 0),
            None => self.address,
        };
        Peer { address, plaintext: false }
    }

    /// The connection belongs to somebody who has logged in.
    pub(super) fn authenticated(&self) {
        if let Some(ticket) = &mut *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) {
            ticket.authenticated();
        }
    }

    /// The place of the connection for a stream that takes it over, or a new one.
    ///
    /// # Errors
    /// The setting that says no.
    pub(super) fn take(
        &self,
        admission: &Arc<Admission>,
        peer: &Peer,
    ) -> Result<Ticket, &'static str> {
        let own = self.ticket.lock().unwrap_or_else(PoisonError::into_inner).take();
        own.map_or_else(|| admission.admit(peer.address.ip(), now()), Ok)
    }
}
