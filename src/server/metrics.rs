//! Counters and gauges for the operator, in the text format of `OpenMetrics`.

use std::sync::Mutex;

use oc_core::StreamCondition;
use oc_core::auth::AuthReply;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

type Labels = Vec<(&'static str, &'static str)>;

/// Everything that is counted.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Bytes from clients, after decryption.
    pub bytes_in: Counter,
    /// Stanzas from clients.
    pub stanzas_in: Counter,
    /// Stanzas to clients.
    pub stanzas_out: Counter,
    stream_errors: Family<Labels, Counter>,
    logins: Family<Labels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("open_conference");
        let this = Self {
            registry: Mutex::default(),
            bytes_in: Counter::default(),
            stanzas_in: Counter::default(),
            stanzas_out: Counter::default(),
            stream_errors: Family::default(),
            logins: Family::default(),
        };
        let c2s = registry.sub_registry_with_prefix("c2s");
        c2s.register("bytes_in", "Bytes from clients, decrypted", this.bytes_in.clone());
        c2s.register("stanzas_in", "Stanzas from clients", this.stanzas_in.clone());
        c2s.register("stanzas_out", "Stanzas to clients", this.stanzas_out.clone());
        c2s.register("stream_errors", "Streams ended by error", this.stream_errors.clone());
        c2s.register("logins", "Logins by outcome", this.logins.clone());
        Self { registry: Mutex::new(registry), ..this }
    }
}

impl Metrics {
    /// A stream was ended by us with this condition.
    pub fn stream_error(&self, condition: StreamCondition) {
        self.stream_errors.get_or_create(&vec![("condition", condition.name())]).inc();
    }

    /// The identity service has answered.
    pub fn auth(&self, reply: &AuthReply) {
        let outcome = match reply {
            AuthReply::Success { .. } => "success",
            AuthReply::Failure(failure) => failure.name(),
            _ => return,
        };
        self.logins.get_or_create(&vec![("outcome", outcome)]).inc();
    }

    /// All of it, as text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }
}
