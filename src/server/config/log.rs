//! `[log]`: what the server says about itself.

use toml::de::DeValue;
use tracing_subscriber::EnvFilter;

use super::error::Wrong;
use super::section::section;
use super::value::{Base, Setting, choice, parsed, quoted};

choice! {
    /// How a line of the log looks.
    LogFormat {
        /// For people.
        Text = "text",
        /// For machines: one JSON object a line.
        Json = "json",
    }
}

/// Levels: one for all, or one for each target, such as `"info,c2s=debug"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Setting for LogLevel {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let fix =
            "write error, warn, info, debug or trace, or levels of targets: \"info,c2s=debug\"";
        parsed(value, "a log level", fix, |text| {
            let known = |level: &str| {
                ["error", "warn", "info", "debug", "trace", "off"].contains(&level.trim())
            };
            let valid = text.split(',').all(|part| match part.split_once('=') {
                Some((target, level)) => !target.trim().is_empty() && known(level),
                None => known(part),
            });
            (valid && EnvFilter::builder().parse(text).is_ok()).then(|| Self(text.to_owned()))
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0))
    }

    fn range() -> String {
        String::new()
    }
}

section! {
    /// What the server says about itself, on standard error. Nothing above trace contains messages,
    /// passwords or addresses.
    Log = "log" {
        /// How much: error, warn, info, debug, trace; also for single parts: "info,c2s=debug".
        live level: LogLevel = LogLevel("info".to_owned());
        /// How a line looks.
        restart format: LogFormat = LogFormat::Text;
    }
}
