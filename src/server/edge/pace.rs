//! How fast one client may send: a bucket of bytes and one of stanzas.

use oc_core::Time;

use super::settings::EdgeSettings;

/// Two buckets that fill with time. An empty one means: read no more until it has something again.
pub(super) struct Pace {
    bytes: Option<Bucket>,
    stanzas: Option<Bucket>,
}

struct Bucket {
    per_second: f64,
    capacity: f64,
    left: f64,
    at: Time,
}

impl Bucket {
    fn new(per_second: Option<f64>, settings: &EdgeSettings, now: Time) -> Option<Self> {
        let per_second = per_second?;
        let capacity = per_second * settings.burst.as_secs_f64().max(1.0);
        Some(Self { per_second, capacity, left: capacity, at: now })
    }

    fn refill(&mut self, now: Time) {
        let gained = now.since(self.at).as_secs_f64() * self.per_second;
        self.left = (self.left + gained).min(self.capacity);
        self.at = now;
    }
}

impl Pace {
    pub(super) fn new(settings: &EdgeSettings, now: Time) -> Self {
        Self {
            bytes: Bucket::new(settings.bytes_per_second, settings, now),
            stanzas: Bucket::new(settings.stanzas_per_second, settings, now),
        }
    }

    pub(super) fn spend_bytes(&mut self, bytes: usize, now: Time) {
        if let Some(bucket) = &mut self.bytes {
            bucket.refill(now);
            bucket.left -= bytes as f64;
        }
    }

    pub(super) fn spend_stanza(&mut self, now: Time) {
        if let Some(bucket) = &mut self.stanzas {
            bucket.refill(now);
            bucket.left -= 1.0;
        }
    }

    pub(super) fn refill(&mut self, now: Time) {
        for bucket in [&mut self.bytes, &mut self.stanzas].into_iter().flatten() {
            bucket.refill(now);
        }
    }

    /// Whether reading must wait.
    pub(super) fn exhausted(&self) -> bool {
        [&self.bytes, &self.stanzas].into_iter().flatten().any(|bucket| bucket.left <= 0.0)
    }
}
