//! Moments, as milliseconds since the Unix epoch, and their XEP-0082 form.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The moment `after` this one; stops at the end of time instead of wrapping.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `2026-11-21T10:20:30.123Z` (the DateTime profile of XEP-0082, in UTC).
    pub fn to_datetime(self) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|t| t.format(&Rfc3339).ok())
            .unwrap_or_else(|| "9999-12-31T23:59:59Z".to_owned())
    }

    /// Reads the XEP-0082 DateTime profile; `None` for anything else or for a moment before 1970.
    pub fn from_datetime(text: &str) -> Option<Self> {
        let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
        u64::try_from(nanos / 1_000_000).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xep_0082_datetime_round_trip() {
        let t = Time(1_795_256_430_123);
        assert_eq!(Time::from_datetime(&t.to_datetime()), Some(t));
        assert_eq!(Time::from_datetime("2006-12-19T17:58:35Z"), Some(Time(1_166_551_115_000)));
        assert_eq!(Time::from_datetime("2006-12-19T12:58:35-05:00"), Some(Time(1_166_551_115_000)));
        assert_eq!(Time::from_datetime("yesterday"), None);
    }
}
