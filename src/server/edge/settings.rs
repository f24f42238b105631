//! What an edge needs from the house.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use oc_core::auth::AuthChannel;
use oc_core::limits::StreamLimits;
use oc_core::stream::{Hosts, Offer, StreamFeature};
use oc_ocms::IdentityProvider;

use crate::admission::Admission;
use crate::metrics::Metrics;
use crate::switchboard::Switchboard;
use crate::tls::Tls;

/// What may change while connections live.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// From the first byte to a bound resource.
    pub negotiation: Duration,
    /// Silence after which a client is asked whether it is there.
    pub idle_ping: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
    /// Longest resumption time; zero offers none.
    pub resume: Duration,
    /// Limits of an authenticated stream.
    pub limits: StreamLimits,
    /// Bytes per second that a client may send; `None` for as many as it likes.
    pub bytes_per_second: Option<f64>,
    /// Stanzas per second that a client may send.
    pub stanzas_per_second: Option<f64>,
    /// How much of both may be saved up.
    pub burst: Duration,
}

/// Which domains are served, and what each offers beside authentication.
pub struct Domains {
    /// The offers by domain, without mechanisms.
    pub offers: Vec<(String, Offer)>,
}

/// What all edges share.
pub struct Shared {
    /// Settings; replaced as a whole.
    pub settings: ArcSwap<EdgeSettings>,
    /// Certificates and TLS settings.
    pub tls: Arc<Tls>,
    /// Domains; replaced as a whole.
    pub domains: ArcSwap<Domains>,
    /// Who knows accounts.
    pub identity: Arc<dyn IdentityProvider>,
    /// Stream features in order.
    pub features: &'static [&'static dyn StreamFeature],
    /// The way to the shards.
    pub switchboard: Switchboard,
    /// Counts connections by address.
    pub admission: Arc<Admission>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Hosts for Shared {
    fn host(&self, domain: &str, channel: &AuthChannel) -> Option<Offer> {
        let domains = self.domains.load();
        let (name, offer) = domains.offers.iter().find(|(name, _)| name == domain)?;
        Some(Offer {
            mechanisms: self.identity.mechanisms(name, channel),
            fast: self.identity.fast_mechanisms(name, channel),
            upgrades: self.identity.upgrades(name),
            tls: true,
            tls_required: !channel.confidential,
            ..offer.clone()
        })
    }
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it may go without TLS: a loopback listener of a test profile.
    pub plaintext: bool,
}
