//! Figures for monitoring, in the text format of Prometheus (OpenMetrics 1.0).
//!
//! Names begin with `open_conference_` and the section of `server.toml` that owns them. Counters
//! are single atomics, written where the thing happens; what somebody else already counts is asked
//! at the moment of the scrape ([`Metrics::watch`]), so that it cannot drift. No figure carries a
//! name of a user or an address.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oc_core::StreamCondition;
use oc_core::auth::{AuthFailure, AuthReply};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds: from a commit to memory up to a disk in distress.
const COMMIT_SECONDS: [f64; 10] =
    [0.000_1, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0];
/// Records that one commit made durable together.
const COMMIT_RECORDS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Mechanism {
    mechanism: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Condition {
    condition: &'static str,
}

/// Every figure of the server.
pub struct Metrics {
    /// Bytes that clients sent, before decryption.
    pub bytes_in: Counter,
    /// Bytes that were sent to clients.
    pub bytes_out: Counter,
    /// Stanzas from clients.
    pub stanzas_in: Counter,
    /// Stanzas to clients.
    pub stanzas_out: Counter,
    /// Connections that were accepted.
    pub accepted: Counter,
    /// Connections that were turned away by `[limits]`.
    pub refused: Counter,
    /// Sessions that came back (XEP-0198).
    pub resumed: Counter,
    /// TLS handshakes that failed.
    pub tls_failures: Counter,
    stream_errors: Family<Condition, Counter>,
    logins: Family<Mechanism, Counter>,
    login_failures: Family<Condition, Counter>,
    commits: Histogram,
    commit_records: Histogram,
    commit_failures: Counter,
    registry: Mutex<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All figures at zero.
    pub fn new() -> Self {
        let metrics = Self {
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            stanzas_in: Counter::default(),
            stanzas_out: Counter::default(),
            accepted: Counter::default(),
            refused: Counter::default(),
            resumed: Counter::default(),
            tls_failures: Counter::default(),
            stream_errors: Family::default(),
            logins: Family::default(),
            login_failures: Family::default(),
            commits: Histogram::new(COMMIT_SECONDS),
            commit_records: Histogram::new(COMMIT_RECORDS),
            commit_failures: Counter::default(),
            registry: Mutex::new(Registry::with_prefix("open_conference")),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = [
            ("c2s_bytes_in", "Bytes that clients sent", &self.bytes_in),
            ("c2s_bytes_out", "Bytes that were sent to clients", &self.bytes_out),
            ("c2s_stanzas_in", "Stanzas from clients", &self.stanzas_in),
            ("c2s_stanzas_out", "Stanzas to clients", &self.stanzas_out),
            ("c2s_accepted", "Connections that were accepted", &self.accepted),
            ("c2s_refused", "Connections that were turned away by [limits]", &self.refused),
            ("c2s_resumed", "Sessions that came back (XEP-0198)", &self.resumed),
            ("tls_failures", "TLS handshakes that failed", &self.tls_failures),
            ("store_commit_failures", "Commits that failed", &self.commit_failures),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "c2s_stream_errors",
            "Streams that ended with an error, by condition (RFC 6120 §4.9.3)",
            self.stream_errors.clone(),
        );
        registry.register("auth_logins", "Logins, by mechanism", self.logins.clone());
        registry.register(
            "auth_failures",
            "Logins that failed, by condition (RFC 6120 §6.5)",
            self.login_failures.clone(),
        );
        registry.register(
            "store_commit_seconds",
            "Time until a commit was durable",
            self.commits.clone(),
        );
        registry.register(
            "store_commit_records",
            "Records that one commit made durable",
            self.commit_records.clone(),
        );
    }

    /// A figure that is asked at each scrape: connections, sessions, lengths of queues. The name
    /// begins with the section that owns it.
    pub fn watch(
        &self,
        name: &'static str,
        help: &'static str,
        ask: impl Fn() -> i64 + Send + Sync + 'static,
    ) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(Watched { name, help, ask: Box::new(ask) }));
    }

    /// Counts a stream that ended with an error.
    pub fn stream_error(&self, condition: StreamCondition) {
        let label = Condition { condition: condition.name() };
        self.stream_errors.get_or_create(&label).inc();
    }

    /// Counts a login or its failure; other replies are steps on the way.
    pub fn auth(&self, reply: &AuthReply) {
        match reply {
            AuthReply::Success { identity, .. } => {
                let label = Mechanism { mechanism: identity.mechanism.clone() };
                self.logins.get_or_create(&label).inc();
            }
            AuthReply::Failure(failure) => self.auth_failure(*failure),
            _ => {}
        }
    }

    /// Counts a login that failed.
    pub fn auth_failure(&self, failure: AuthFailure) {
        let label = Condition { condition: failure.name() };
        self.login_failures.get_or_create(&label).inc();
    }

    /// Counts a commit: how many records it had, and how long until they were durable.
    pub fn commit(&self, records: usize, took: Duration) {
        self.commits.observe(took.as_secs_f64());
        self.commit_records.observe(u32::try_from(records).map_or(f64::MAX, f64::from));
    }

    /// Counts a commit that failed.
    pub fn commit_failed(&self) {
        self.commit_failures.inc();
    }

    /// All figures as text, of type [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        if text::encode(&mut out, &registry).is_err() {
            debug_assert!(false, "writing to a string does not fail");
        }
        out
    }
}

/// A figure that is asked at each scrape.
struct Watched {
    name: &'static str,
    help: &'static str,
    ask: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Collector for Watched {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = ConstGauge::new((self.ask)());
        let kind = gauge.metric_type();
        gauge.encode(encoder.encode_descriptor(self.name, self.help, None, kind)?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use oc_core::auth::Identity;

    use super::*;

    #[test]
    fn figures_are_grouped_by_their_owner() {
        let metrics = Metrics::new();
        metrics.stanzas_in.inc_by(3);
        metrics.stream_error(StreamCondition::PolicyViolation);
        metrics.commit(5, Duration::from_micros(300));
        metrics.auth(&AuthReply::Failure(AuthFailure::NotAuthorized));
        let identity = Identity {
            local: "juliet".to_owned(),
            domain: "example.org".to_owned(),
            anonymous: false,
            mechanism: "SCRAM-SHA-256".to_owned(),
            expires: None,
        };
        metrics.auth(&AuthReply::Success { additional: None, identity, token: None });
        let text = metrics.encode();
        for line in [
            "open_conference_c2s_stanzas_in_total 3",
            "open_conference_c2s_stream_errors_total{condition=\"policy-violation\"} 1",
            "open_conference_auth_failures_total{condition=\"not-authorized\"} 1",
            "open_conference_auth_logins_total{mechanism=\"SCRAM-SHA-256\"} 1",
            "open_conference_store_commit_seconds_bucket{le=\"0.0005\"} 1",
            "open_conference_store_commit_records_sum 5.0",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert!(!text.contains("juliet"), "no names of users");
    }

    #[test]
    fn watched_figures_are_asked_at_each_scrape() {
        let metrics = Metrics::new();
        let sessions = Arc::new(AtomicI64::new(7));
        let asked = Arc::clone(&sessions);
        metrics.watch("c2s_sessions", "Sessions", move || asked.load(Ordering::Relaxed));
        assert!(metrics.encode().contains("\nopen_conference_c2s_sessions 7\n"));
        sessions.store(8, Ordering::Relaxed);
        assert!(metrics.encode().contains("\nopen_conference_c2s_sessions 8\n"));
    }
}
