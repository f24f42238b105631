//! `server.toml`: what an operator may decide, one file per section.
//!
//! A setting is declared once, in its section's file, with its documentation, type (which knows
//! unit and bounds) and default; from that come the reader, the annotated file (`open-conference
//! config default`) and the errors. The file is optional, except for the name of the domain.
//! `--set` goes through the same readers. What several settings must agree on stands in `rules.rs`.

use std::path::PathBuf;
use std::sync::Arc;

pub mod address;
mod document;
mod error;
mod load;
mod rules;
mod section;
pub mod value;

mod admin;
mod auth;
mod c2s;
mod dns;
mod domain;
mod extdisco;
mod http;
mod limits;
mod log;
mod ocms;
mod store;
mod tls;

pub use admin::Admin;
pub use auth::{Auth, Mechanism};
pub use c2s::C2s;
pub use dns::Dns;
pub use document::{default_file, manual_page};
pub use domain::{Domain, Registration};
pub use error::{ConfigError, Fault, Place, Wrong};
pub use extdisco::{Extdisco, ServiceType, Transport};
pub use http::Http;
pub use limits::Limits;
pub use load::Sources;
pub use log::{Log, LogFormat, LogLevel};
pub use ocms::Ocms;
pub use store::{Engine, Store};
pub use tls::{Tls, TlsVersion};

use section::{Described, Section, Shape};

/// Declares [`Config`] and finds its sections by name.
macro_rules! sections {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// Everything an operator may decide; complete and consistent once it is loaded.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Config {
            /// The sections in the order of the file: name, documentation, whether there may be
            /// several.
            const SECTIONS: &[(&str, &[&str], bool)] =
                &[$((<$type as Shape>::NAME, <$type as Shape>::DOC, <$type as Shape>::MANY),)*];

            /// The n-th section of a name, made if it is the next one.
            fn section(&mut self, name: &str, nth: usize) -> Option<&mut dyn Section> {
                $(if name == <$type as Shape>::NAME {
                    return self.$field.nth(nth);
                })*
                None
            }

            /// Takes over from `new` what may change while the server runs; see
            /// [`Self::restart_needed`] for the rest.
            pub fn adopt(&mut self, new: &Self) {
                $(Shape::adopt(&mut self.$field, &new.$field);)*
            }

            /// All settings of all sections of a name.
            fn describe(&self, name: &str) -> Vec<Vec<Described>> {
                $(if name == <$type as Shape>::NAME {
                    return self.$field.describe_all();
                })*
                Vec::new()
            }
        }
    };
}

sections! {
    /// `[domain]`, at least one; the first is the default.
    domains: Vec<Domain>,
    /// `[tls]`
    tls: Tls,
    /// `[c2s]`
    c2s: C2s,
    /// `[http]`
    http: Http,
    /// `[auth]`
    auth: Auth,
    /// `[ocms]`
    ocms: Ocms,
    /// `[store]`
    store: Store,
    /// `[limits]`
    limits: Limits,
    /// `[admin]`
    admin: Admin,
    /// `[extdisco]`
    extdisco: Vec<Extdisco>,
    /// `[dns]`
    dns: Dns,
    /// `[log]`
    log: Log,
}

/// The configuration in force; replaced as a whole at SIGHUP.
pub type Shared = Arc<arc_swap::ArcSwap<Config>>;

impl Config {
    /// All defaults; not yet a valid configuration, because the domain has no name.
    fn defaults() -> Self {
        Self {
            domains: vec![Domain::default()],
            tls: Tls::default(),
            c2s: C2s::default(),
            http: Http::default(),
            auth: Auth::default(),
            ocms: Ocms::default(),
            store: Store::default(),
            limits: Limits::default(),
            admin: Admin::default(),
            extdisco: Vec::new(),
            dns: Dns::default(),
            log: Log::default(),
        }
    }

    /// A domain by its name, in any spelling that RFC 7622 §3.2 makes equal.
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name() == name).or_else(|| {
            let name = address::DomainName::new(name)?;
            self.domains.iter().find(|domain| domain.name.as_ref() == Some(&name))
        })
    }

    /// The command socket; none if the data directory is not used and no path is set.
    pub fn admin_socket(&self) -> Option<PathBuf> {
        match &self.admin.socket {
            Some(socket) => Some(socket.path().to_owned()),
            None if self.store.engine == Engine::Memory => None,
            None => Some(self.store.path.path().join("admin.sock")),
        }
    }

    /// The identity service's database; `None` for one in memory.
    pub fn ocms_database(&self) -> Option<PathBuf> {
        match &self.ocms.database {
            Some(database) => Some(database.path().to_owned()),
            None if self.store.engine == Engine::Memory => None,
            None => Some(self.store.path.path().join("ocms.sqlite")),
        }
    }

    /// The URL under which the HTTPS listener of a domain is reached, without a slash at the end;
    /// `None` if HTTPS is not served and no URL is set.
    pub fn public_url(&self, domain: &Domain) -> Option<String> {
        let name = domain.name.as_ref()?;
        if let Some(url) = &self.http.public_url {
            return Some(url.of(name));
        }
        self.http.listen.first().map(|listener| match listener.0.port() {
            443 => format!("https://{name}"),
            port => format!("https://{name}:{port}"),
        })
    }

    /// Names the settings of `new` that differ from these and wait for the next start.
    pub fn restart_needed(&self, new: &Self) -> Vec<String> {
        let mut names = Vec::new();
        for (section, _, _) in Self::SECTIONS {
            let (old, new) = (self.describe(section), new.describe(section));
            if old.len() != new.len() && old.iter().chain(&new).flatten().any(|s| s.restart) {
                names.push(format!("[{section}]"));
            }
            for (old, new) in old.iter().flatten().zip(new.iter().flatten()) {
                if old.restart && old.value != new.value {
                    names.push(format!("[{section}] {}", old.name));
                }
            }
        }
        names
    }
}

#[cfg(test)]
mod tests;
