//! SIGHUP: configuration, certificates and log level are read again while everything runs.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::{Config, ConfigError, Shared, Sources};
use crate::log::LogHandle;
use crate::tls::{Tls, TlsError};

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What can change while the server runs.
pub struct Live {
    sources: Sources,
    config: Shared,
    tls: Arc<Tls>,
    log: Option<LogHandle>,
}

impl Live {
    /// Remembers where the configuration in force came from.
    pub fn new(sources: Sources, config: Config, tls: Arc<Tls>, log: Option<LogHandle>) -> Self {
        Self { sources, config: Arc::new(ArcSwap::from_pointee(config)), tls, log }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Shared {
        &self.config
    }

    /// TLS in force.
    pub fn tls(&self) -> &Arc<Tls> {
        &self.tls
    }

    /// Reads everything again and puts it in force: all of it, or on an error nothing. Comes back
    /// with sentences for the operator: settings that wait for a restart, and warnings about
    /// certificates. Live sessions are not touched; what needs a restart stays as it is, also in
    /// [`Self::config`].
    ///
    /// # Errors What is wrong with the configuration or with a certificate.
    pub fn reload(&self) -> Result<Vec<String>, ReloadError> {
        let new = self.sources.load()?;
        let old = self.config.load();
        let waiting = old.restart_needed(&new);
        let mut next = Config::clone(&old);
        next.adopt(&new);
        let warnings = self.tls.reload(&next)?;
        if let Some(log) = &self.log {
            log.reload(&next.log);
        }
        self.config.store(Arc::new(next));
        let mut notes = Vec::new();
        if !waiting.is_empty() {
            notes.push(format!("these settings wait for a restart: {}", waiting.join(", ")));
        }
        notes.extend(warnings.iter().map(ToString::to_string));
        Ok(notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reload_takes_what_may_change_and_names_what_waits() {
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("server.toml");
        let write = |domains: &[&str], resume: &str, listen: &str| {
            let domains = domains.iter().map(|name| format!("[[domain]]\nname = \"{name}\"\n"));
            let domains = domains.collect::<String>();
            let text = format!(
                "{domains}[c2s]\nresume = \"{resume}\"\nlisten = [\"{listen}\"]\n\
                 [store]\nengine = \"memory\"\n"
            );
            std::fs::write(&file, text).unwrap();
        };
        write(&["a.example", "b.example"], "1 min", "127.0.0.1:5222");
        let sources = Sources { file: Some(file.clone()), set: Vec::new() };
        let config = sources.load().unwrap();
        let (tls, _) = Tls::load(&config).unwrap();
        let live = Live::new(sources, config, Arc::new(tls), None);

        write(&["b.example", "c.example"], "2 min", "127.0.0.1:5322");
        let notes = live.reload().unwrap();
        assert!(notes[0].contains("wait for a restart: [domain] name"), "{}", notes[0]);
        assert!(notes[0].contains("[c2s] listen"), "{}", notes[0]);
        let config = live.config().load();
        assert_eq!(config.c2s.resume.get().as_secs(), 120, "changed");
        assert_eq!(config.c2s.listen[0].0.port(), 5222, "waits");
        let names = config.domains.iter().map(|domain| domain.name()).collect::<Vec<_>>();
        assert_eq!(names, ["a.example", "b.example"], "wait");
        assert!(live.tls().c2s().certificate(Some("a.example")).is_some(), "is still served");

        std::fs::write(&file, "[c2s]\nresume = 5\n").unwrap();
        assert!(matches!(live.reload(), Err(ReloadError::Config(_))));
        assert_eq!(
            live.config().load().c2s.resume.get().as_secs(),
            120,
            "an error changes nothing"
        );
    }
}
