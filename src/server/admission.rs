//! Who may connect: places for connections in all, from one address, and before they have logged
//! in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use oc_core::Time;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// In all.
    pub connections: usize,
    /// From one address.
    pub connections_per_address: usize,
    /// That have not logged in.
    pub half_open: usize,
    /// The same from one address.
    pub half_open_per_address: usize,
}

/// Counts connections.
pub struct Admission {
    places: ArcSwap<Places>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: Count,
    by_address: HashMap<String, Count>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    connections: usize,
    half_open: usize,
}

/// What rate limits count by: an IPv4 address, or the /64 of an IPv6 address (one customer's
/// network).
pub fn rate_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let s = v6.segments();
            format!("{:x}:{:x}:{:x}:{:x}::/64", s[0], s[1], s[2], s[3])
        }
    }
}

impl Admission {
    /// Counts from zero.
    pub fn new(places: Places) -> Arc<Self> {
        Arc::new(Self { places: ArcSwap::from_pointee(places), counts: Mutex::default() })
    }

    /// Changes the bounds; connections that are there stay.
    pub fn set_places(&self, places: Places) {
        self.places.store(Arc::new(places));
    }

    /// A place for a connection, or the name of the limit that is reached.
    ///
    /// # Errors
    /// The setting that says no.
    pub fn admit(self: &Arc<Self>, address: IpAddr, now: Time) -> Result<Ticket, &'static str> {
        let key = rate_key(address);
        let places = self.places.load();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let here = counts.by_address.get(&key).copied().unwrap_or_default();
        let full = [
            (counts.all.connections >= places.connections, "limits.connections"),
            (here.connections >= places.connections_per_address, "limits.connections_per_address"),
            (counts.all.half_open >= places.half_open, "limits.half_open"),
            (here.half_open >= places.half_open_per_address, "limits.half_open_per_address"),
        ];
        if let Some((_, setting)) = full.iter().find(|(full, _)| *full) {
            return Err(setting);
        }
        counts.change(&key, |count| {
            count.connections += 1;
            count.half_open += 1;
        });
        Ok(Ticket { admission: Arc::clone(self), key, half_open: true, since: now })
    }

    /// Connections there are, and how many of them have not logged in.
    pub fn counts(&self) -> (usize, usize) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        (counts.all.connections, counts.all.half_open)
    }
}

impl Counts {
    fn change(&mut self, key: &str, change: impl Fn(&mut Count)) {
        change(&mut self.all);
        let here = self.by_address.entry(key.to_owned()).or_default();
        change(here);
        if here.connections == 0 {
            self.by_address.remove(key);
            if self.by_address.is_empty() {
                self.by_address.shrink_to_fit();
            }
        }
    }
}

/// A connection's place; given back when it is dropped.
pub struct Ticket {
    admission: Arc<Admission>,
    key: String,
    half_open: bool,
    since: Time,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the address.
        f.debug_struct("Ticket").field("half_open", &self.half_open).finish_non_exhaustive()
    }
}

impl Ticket {
    /// When the connection was accepted.
    pub fn since(&self) -> Time {
        self.since
    }

    /// The connection has logged in.
    pub fn authenticated(&mut self) {
        if std::mem::take(&mut self.half_open) {
            let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.change(&self.key, |count| count.half_open -= 1);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let half_open = self.half_open;
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.change(&self.key, |count| {
            count.connections -= 1;
            count.half_open -= usize::from(half_open);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_address_and_given_back() {
        let places = Places {
            connections: 10,
            connections_per_address: 3,
            half_open: 10,
            half_open_per_address: 2,
        };
        let admission = Admission::new(places);
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let mut first = admission.admit(a, Time(0)).expect("a place");
        let _second = admission.admit(a, Time(0)).expect("a place");
        assert_eq!(admission.admit(a, Time(0)).err(), Some("limits.half_open_per_address"));
        assert!(admission.admit(b, Time(0)).is_ok(), "another address is not affected");
        first.authenticated();
        let third = admission.admit(a, Time(0)).expect("a place");
        assert_eq!(admission.admit(a, Time(0)).err(), Some("limits.connections_per_address"));
        drop(third);
        assert_eq!(admission.counts(), (2, 1));
        assert_eq!(admission.counts.lock().expect("not poisoned").by_address.len(), 1);
    }

    #[test]
    fn ipv6_neighbours_share_a_key() {
        let key = |s: &str| rate_key(s.parse().expect("an address"));
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
