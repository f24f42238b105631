//! The log: text or JSON lines on standard error, filtered by `[log]`.
//!
//! A level counts for our own code; libraries speak only when something is wrong, unless they are
//! named, because they do not know our rule: no message, password or address above trace.
//! [`LeakWatch`] lets tests hold everybody to it. Targets in `[log]` are the sections of
//! `server.toml`.

mod leaks;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{Log, LogFormat};

pub use leaks::LeakWatch;

/// Our own crates.
const OURS: [&str; 5] = ["open_conference", "oc_core", "oc_xeps", "oc_store", "oc_ocms"];

/// Sections of `server.toml` and the code that is theirs.
const SECTIONS: &[(&str, &[&str])] = &[
    ("domain", &["oc_core", "oc_xeps", "open_conference::shard"]),
    ("tls", &["open_conference::tls", "rustls"]),
    ("c2s", &["open_conference::c2s", "open_conference::edge"]),
    ("http", &["open_conference::http"]),
    ("auth", &["oc_ocms"]),
    ("ocms", &["oc_ocms", "sqlx"]),
    ("store", &["oc_store"]),
    ("limits", &["open_conference::admission"]),
    ("admin", &["open_conference::admin"]),
    ("dns", &["hickory_resolver"]),
];

/// A log that writes; its level can be changed.
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

/// Starts the log of the process.
///
/// # Errors
/// There is one already.
pub fn start(config: &Log) -> Result<LogHandle, TryInitError> {
    let (filter, handle) = reload::Layer::new(filter(config.level.text()));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(LogHandle(handle))
}

impl LogHandle {
    /// Applies `[log] level` anew.
    pub fn reload(&self, config: &Log) {
        // It fails only when the subscriber is gone, and then nobody is there to write to.
        let _ = self.0.reload(filter(config.level.text()));
    }
}

/// Turns `"info,c2s=debug"` into directives for targets.
fn filter(levels: &str) -> EnvFilter {
    EnvFilter::builder().parse_lossy(directives(levels))
}

fn directives(levels: &str) -> String {
    let mut out = vec!["warn".to_owned()];
    for part in levels.split(',').map(str::trim) {
        match part.split_once('=') {
            None if matches!(part, "off" | "error" | "warn") => {
                out[0] = part.to_owned();
                out.extend(OURS.map(|target| format!("{target}={part}")));
            }
            None => out.extend(OURS.map(|target| format!("{target}={part}"))),
            Some((name, level)) => {
                let section = SECTIONS.iter().find(|(section, _)| *section == name.trim());
                match section {
                    Some((_, targets)) => {
                        out.extend(targets.iter().map(|target| format!("{target}={level}")));
                    }
                    None => out.push(part.to_owned()),
                }
            }
        }
    }
    out.join(",")
}

#[cfg(test)]
mod tests {
    use tracing::Level;
    use tracing::subscriber::with_default;

    use super::*;

    /// Whether an event passes the filter.
    macro_rules! passes {
        ($levels:literal, $target:literal, $level:ident) => {
            with_default(tracing_subscriber::registry().with(filter($levels)), || {
                tracing::enabled!(target: $target, Level::$level)
            })
        };
    }

    #[test]
    fn levels_count_for_our_code_and_sections_are_targets() {
        assert!(passes!("info", "open_conference::edge", INFO));
        assert!(!passes!("info", "open_conference::edge", DEBUG));
        assert!(!passes!("debug", "hyper::proto", INFO), "libraries only warn");
        assert!(passes!("debug", "hyper::proto", WARN));
        assert!(passes!("debug,hyper=trace", "hyper::proto", TRACE));
        assert!(passes!("info,c2s=debug", "open_conference::edge::connection", DEBUG));
        assert!(!passes!("info,c2s=debug", "open_conference::http", DEBUG));
        assert!(!passes!("error", "hyper::proto", WARN));
        assert!(!passes!("off", "open_conference", ERROR));
    }
}
