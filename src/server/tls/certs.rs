//! Certificates of the domains: where they come from, and which one a client is shown.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_supported_type;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error as LibraryError, InconsistentKeys};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{end_point, self_signed};
use crate::config::{Config, Domain, Engine};

/// Certificates are expected to be renewed this many days before they end.
const RENEWAL_DAYS: i64 = 14;

/// Why a certificate cannot be used; the server does not start, or a reload changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}, the {what} of {domain}: {source}", path.display())]
    Unreadable {
        /// Whose.
        domain: String,
        /// Certificate or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is not a {what} in PEM form: {reason}", path.display())]
    NotPem {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The two files do not belong together.
    #[error("the key {} does not belong to the certificate {} of {domain}; \
             the certificate of the domain itself must come first in its file",
            key.display(), certificate.display())]
    Mismatch {
        /// Whose.
        domain: String,
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// There is none, and the server may not make one.
    #[error(
        "domain {domain} has no certificate: set certificate and key in its section, or \
             [tls] certificates, or [tls] self_signed = true"
    )]
    Missing {
        /// Whose.
        domain: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a self-signed certificate for {domain}: {source}")]
    SelfSigned {
        /// Whose.
        domain: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A certificate that was made could not be kept.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The TLS library refuses.
    #[error("TLS: {0}")]
    Library(LibraryError),
}

/// What an operator should know of a certificate that is used all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// It has ended.
    Expired {
        /// Whose.
        domain: String,
        /// Days since then.
        days: i64,
    },
    /// It ends soon.
    ExpiresSoon {
        /// Whose.
        domain: String,
        /// Days until then.
        days: i64,
    },
    /// It has not begun; or the clock is wrong.
    NotYetValid {
        /// Whose.
        domain: String,
    },
    /// It is for other names.
    NameMissing {
        /// Whose.
        domain: String,
        /// The names it has.
        names: Vec<String>,
    },
    /// The server made it itself.
    SelfSigned {
        /// Whose.
        domain: String,
    },
}

impl Warning {
    /// Whether clients that verify certificates will refuse it.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Expired { .. } | Self::NotYetValid { .. } | Self::NameMissing { .. } => true,
            Self::ExpiresSoon { .. } | Self::SelfSigned { .. } => false,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { domain, days } => {
                write!(f, "the certificate of {domain} expired {days} days ago: renew it")
            }
            Self::ExpiresSoon { domain, days } => {
                write!(f, "the certificate of {domain} expires in {days} days: renew it")
            }
            Self::NotYetValid { domain } => {
                write!(f, "the certificate of {domain} is not valid yet: check the clock")
            }
            Self::NameMissing { domain, names } => {
                let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
                write!(f, "the certificate of {domain} is for {names} only: get one for {domain}")
            }
            Self::SelfSigned { domain } => write!(
                f,
                "{domain} has a self-signed certificate, which clients refuse or ask about: get \
                 one from an authority and set certificate and key"
            ),
        }
    }
}

/// What a domain shows to its clients.
#[derive(Debug)]
pub struct Certificate {
    /// The chain and the key.
    pub key: Arc<CertifiedKey>,
    /// RFC 5929 §4 `tls-server-end-point`; `None` if the certificate's signature defines none.
    pub end_point: Option<Vec<u8>>,
    /// Whether the server made it itself.
    pub self_signed: bool,
}

/// The certificates of all domains; unchangeable.
#[derive(Debug)]
pub struct Certificates {
    /// Served to clients that name no server (RFC 6066 §3).
    default: String,
    by_name: HashMap<String, Certificate>,
}

impl Certificates {
    /// Loads, or makes, the certificate of each domain.
    pub fn load(config: &Config) -> Result<(Self, Vec<Warning>), TlsError> {
        let now = OffsetDateTime::now_utc();
        let mut by_name = HashMap::new();
        let mut warnings = Vec::new();
        for domain in &config.domains {
            let certificate = load_domain(config, domain, now)?;
            examine(domain, &certificate, now, &mut warnings);
            by_name.insert(ascii(domain.name()), certificate);
        }
        let default = config.domains.first().map(|domain| ascii(domain.name())).unwrap_or_default();
        Ok((Self { default, by_name }, warnings))
    }

    /// The certificate for a server name; that of the first domain if the client named none, and
    /// none for a domain that is not served.
    pub fn find(&self, server_name: Option<&str>) -> Option<&Certificate> {
        match server_name {
            None => self.by_name.get(&self.default),
            Some(name) => self.by_name.get(name).or_else(|| {
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                self.by_name.get(&name)
            }),
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name()).map(|certificate| Arc::clone(&certificate.key))
    }
}

/// A domain as it stands in certificates and in SNI (RFC 5890 §2.3.2.1).
pub(crate) fn ascii(domain: &str) -> String {
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_ascii_lowercase())
}

/// The files in which the operator keeps a domain's certificate and key, if there are any.
pub(crate) fn configured_files(config: &Config, domain: &Domain) -> Option<(PathBuf, PathBuf)> {
    if let (Some(certificate), Some(key)) = (&domain.certificate, &domain.key) {
        return Some((certificate.path().to_owned(), key.path().to_owned()));
    }
    let directory = config.tls.certificates.as_ref()?.path();
    let name = ascii(domain.name());
    let nested = directory.join(&name);
    let pairs = [
        (nested.join("fullchain.pem"), nested.join("privkey.pem")),
        (directory.join(format!("{name}.crt")), directory.join(format!("{name}.key"))),
    ];
    pairs.into_iter().find(|(certificate, _)| certificate.exists())
}

/// Reads a domain's files and says what is wrong with them, without using them.
pub(crate) fn inspect(
    domain: &Domain,
    certificate: &Path,
    key: &Path,
) -> Result<(Certificate, Vec<Warning>), TlsError> {
    let certificate = read(domain.name(), certificate, key, false)?;
    let mut warnings = Vec::new();
    examine(domain, &certificate, OffsetDateTime::now_utc(), &mut warnings);
    Ok((certificate, warnings))
}

fn load_domain(
    config: &Config,
    domain: &Domain,
    now: OffsetDateTime,
) -> Result<Certificate, TlsError> {
    if let Some((certificate, key)) = configured_files(config, domain) {
        return read(domain.name(), &certificate, &key, false);
    }
    if !config.tls.self_signed {
        return Err(TlsError::Missing { domain: domain.name().to_owned() });
    }
    let name = ascii(domain.name());
    if config.store.engine == Engine::Memory {
        let made = self_signed::generate(&name, now)?;
        let (certificate, key) = self_signed::files(Path::new("memory"), &name);
        return build(
            domain.name(),
            (&certificate, made.certificate.as_bytes()),
            (&key, made.key.as_bytes()),
            true,
        );
    }
    let directory = config.store.path.path().join("certificates");
    let (certificate, key) = self_signed::files(&directory, &name);
    if certificate.exists() {
        let kept = read(domain.name(), &certificate, &key, true)?;
        if !expired(&kept, now) {
            return Ok(kept);
        }
    }
    let made = self_signed::generate(&name, now)?;
    self_signed::keep(&directory, &name, &made)?;
    read(domain.name(), &certificate, &key, true)
}

fn read(
    domain: &str,
    certificate: &Path,
    key: &Path,
    self_signed: bool,
) -> Result<Certificate, TlsError> {
    let read = |path: &Path, what| {
        std::fs::read(path).map_err(|source| TlsError::Unreadable {
            domain: domain.to_owned(),
            what,
            path: path.to_owned(),
            source,
        })
    };
    let certificate_pem = read(certificate, "certificate")?;
    let key_pem = read(key, "key")?;
    build(domain, (certificate, &certificate_pem), (key, &key_pem), self_signed)
}

fn build(
    domain: &str,
    certificate: (&Path, &[u8]),
    key: (&Path, &[u8]),
    self_signed: bool,
) -> Result<Certificate, TlsError> {
    let not_pem = |path: &Path, what, reason: String| TlsError::NotPem {
        what,
        path: path.to_owned(),
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(certificate.1)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| not_pem(certificate.0, "certificate", reason(&error)))?;
    let Some(first) = chain.first() else {
        let none = "there is no BEGIN CERTIFICATE in it".to_owned();
        return Err(not_pem(certificate.0, "certificate", none));
    };
    if let Err(error) = X509Certificate::from_der(first) {
        return Err(not_pem(certificate.0, "certificate", error.to_string()));
    }
    let private = PrivateKeyDer::from_pem_slice(key.1)
        .map_err(|error| not_pem(key.0, "private key", reason(&error)))?;
    let signing = any_supported_type(&private)
        .map_err(|error| not_pem(key.0, "usable private key", error.to_string()))?;
    let end_point = end_point::end_point(first);
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(LibraryError::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(LibraryError::InconsistentKeys(_)) => {
            return Err(TlsError::Mismatch {
                domain: domain.to_owned(),
                certificate: certificate.0.to_owned(),
                key: key.0.to_owned(),
            });
        }
        Err(error) => return Err(TlsError::Library(error)),
    }
    Ok(Certificate { key: Arc::new(certified), end_point, self_signed })
}

/// What is wrong with a PEM file, in words.
fn reason(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "there is no such block in it (BEGIN ...)".to_owned(),
        other => other.to_string(),
    }
}

/// Looks at what is not fatal.
fn examine(
    domain: &Domain,
    certificate: &Certificate,
    now: OffsetDateTime,
    out: &mut Vec<Warning>,
) {
    let name = domain.name();
    if certificate.self_signed {
        out.push(Warning::SelfSigned { domain: name.to_owned() });
    }
    let Some(der) = certificate.key.cert.first() else { return };
    let Ok((_, parsed)) = X509Certificate::from_der(der) else { return };
    let validity = parsed.validity();
    let days = (validity.not_after.to_datetime() - now).whole_days();
    if validity.not_after.to_datetime() < now {
        out.push(Warning::Expired { domain: name.to_owned(), days: -days });
    } else if days < RENEWAL_DAYS {
        out.push(Warning::ExpiresSoon { domain: name.to_owned(), days });
    }
    if validity.not_before.to_datetime() > now {
        out.push(Warning::NotYetValid { domain: name.to_owned() });
    }
    let names = names(&parsed);
    if !names.iter().any(|pattern| names_match(pattern, &ascii(name))) {
        out.push(Warning::NameMissing { domain: name.to_owned(), names });
    }
}

fn expired(certificate: &Certificate, now: OffsetDateTime) -> bool {
    certificate.key.cert.first().is_none_or(|der| {
        X509Certificate::from_der(der)
            .is_ok_and(|(_, parsed)| parsed.validity().not_after.to_datetime() < now)
    })
}

/// The DNS names of a certificate; a common name is none (RFC 9525 §2).
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}

/// RFC 9525 §6.3: equal without regard to case, or a wildcard for exactly the first label.
pub(super) fn names_match(pattern: &str, name: &str) -> bool {
    let wild = || {
        let rest = pattern.strip_prefix("*.")?;
        let (_, parent) = name.split_once('.')?;
        Some(parent.eq_ignore_ascii_case(rest))
    };
    pattern.eq_ignore_ascii_case(name) || wild().unwrap_or(false)
}
