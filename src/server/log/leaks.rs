//! For tests: a subscriber that notices secrets in the log.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// Reads every event and span at every level and remembers those above trace in which one of the
/// markers stands: words that a test has put into bodies, passwords and addresses.
#[derive(Clone)]
pub struct LeakWatch(Arc<Watched>);

struct Watched {
    markers: Vec<String>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    seen: usize,
    leaks: Vec<String>,
}

impl LeakWatch {
    /// Watches for these words.
    pub fn new<S: Into<String>>(markers: impl IntoIterator<Item = S>) -> Self {
        let markers = markers.into_iter().map(Into::into).collect();
        Self(Arc::new(Watched { markers, found: Mutex::default() }))
    }

    /// As a subscriber: for `tracing::subscriber::set_default` on this thread, or
    /// `set_global_default` for a test process with a whole server in it.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + 'static {
        tracing_subscriber::registry().with(Lines(Arc::clone(&self.0)))
    }

    /// Events and spans that were read, so that a test can tell silence from innocence.
    pub fn seen(&self) -> usize {
        self.0.found().seen
    }

    /// What was written and must not be, line by line.
    pub fn leaks(&self) -> Vec<String> {
        self.0.found().leaks.clone()
    }
}

impl Watched {
    fn found(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Text)) {
        let mut text = Text(String::new());
        record(&mut text);
        let mut found = self.found();
        found.seen += 1;
        let marked = self.markers.iter().any(|marker| text.0.contains(marker.as_str()));
        if marked && *metadata.level() < Level::TRACE {
            let line = format!("{} {}: {}", metadata.level(), metadata.target(), text.0);
            found.leaks.push(line);
        }
    }
}

struct Lines(Arc<Watched>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.read(event.metadata(), |text| event.record(text));
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.0.read(attributes.metadata(), |text| attributes.record(text));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(metadata) = context.metadata(id) {
            self.0.read(metadata, |text| values.record(text));
        }
    }
}

/// All fields of an event, one behind the other.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }

    // The debug form of a string would escape quotes and letters in which a marker may stand.
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{}={value} ", field.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_above_trace_are_found_in_events_spans_and_late_fields() {
        let watch = LeakWatch::new(["my \"body\"", "192.0.2.7"]);
        tracing::subscriber::with_default(watch.subscriber(), || {
            tracing::info!("nothing to see");
            tracing::trace!(body = "my \"body\"", "allowed at trace");
            assert_eq!((watch.seen(), watch.leaks().len()), (2, 0));

            tracing::debug!(body = "it is my \"body\"", "a field");
            assert_eq!(watch.leaks().len(), 1);
            tracing::error!("from {}", std::net::Ipv4Addr::new(192, 0, 2, 7));
            assert_eq!(watch.leaks().len(), 2);
            let _span = tracing::info_span!("session", peer = "192.0.2.7:5222");
            assert_eq!(watch.leaks().len(), 3);
            let span = tracing::info_span!("session", peer = tracing::field::Empty);
            span.record("peer", "192.0.2.7:5222");
            assert_eq!(watch.leaks().len(), 4);
            tracing::warn!(address = ?std::net::Ipv4Addr::new(192, 0, 2, 8), "another");
            assert_eq!(watch.leaks().len(), 4);
        });
        assert!(watch.leaks()[0].starts_with("DEBUG open_conference::log::leaks"));
    }
}
