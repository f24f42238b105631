//! Whether clients will accept the certificates.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

use super::Finding;
use crate::config::{Config, Domain};
use crate::tls::{self, Certificate};

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let authorities = authorities(config.tls.trust.path());
    if let Err(reason) = &authorities {
        findings.push(Finding::warning(
            format!("cannot tell whether clients trust the certificates: {reason}"),
            "install the package ca-certificates, or set [tls] trust",
        ));
    }
    let authorities = authorities.ok();
    for domain in &config.domains {
        findings.extend(domain_certificate(config, domain, authorities.as_ref()));
    }
    findings
}

/// The certificates that clients of this machine would trust.
fn authorities(file: &Path) -> Result<Arc<RootCertStore>, String> {
    let shown = file.display();
    let certificates = CertificateDer::pem_file_iter(file)
        .map_err(|error| format!("cannot read {shown}: {error}"))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    if roots.is_empty() {
        return Err(format!("there is no certificate in {shown}"));
    }
    Ok(Arc::new(roots))
}

fn domain_certificate(
    config: &Config,
    domain: &Domain,
    authorities: Option<&Arc<RootCertStore>>,
) -> Vec<Finding> {
    let name = domain.name();
    let Some((file, key)) = tls::configured_files(config, domain) else {
        let what = format!("domain {name} has no certificate");
        let fix = "get one for it and set certificate and key, or set [tls] certificates";
        return vec![if config.tls.self_signed {
            Finding::warning(format!("{what} but a self-signed one, which clients refuse"), fix)
        } else {
            Finding::error(what, fix)
        }];
    };
    let (certificate, warnings) = match tls::inspect(domain, &file, &key) {
        Ok(found) => found,
        Err(error) => {
            return vec![Finding::error(error.to_string(), "correct the files, or their names")];
        }
    };
    let mut findings = Vec::new();
    for warning in warnings {
        let what = warning.to_string();
        let (what, fix) = what.split_once(": ").unwrap_or((&what, "get another certificate"));
        findings.push(if warning.is_fatal() {
            Finding::error(what, fix)
        } else {
            Finding::warning(what, fix)
        });
    }
    if let Some(authorities) = authorities {
        findings.extend(chain(name, &certificate, authorities));
    }
    let open = std::fs::metadata(&key).is_ok_and(|found| found.permissions().mode() & 0o044 != 0);
    if open {
        let what = format!("others on this machine may read the key {}", key.display());
        findings.push(Finding::warning(what, format!("chmod 600 {}", key.display())));
    }
    if findings.is_empty() {
        findings.push(Finding::fine(format!("certificate of {name}")));
    }
    findings
}

/// Whether the chain that is served leads to an authority.
fn chain(
    name: &str,
    certificate: &Certificate,
    authorities: &Arc<RootCertStore>,
) -> Option<Finding> {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(authorities), tls::provider());
    let verifier = verifier.build().ok()?;
    let (first, rest) = certificate.key.cert.split_first()?;
    let server = ServerName::try_from(tls::ascii(name)).ok()?;
    let verdict = verifier.verify_server_cert(first, rest, &server, &[], UnixTime::now());
    match verdict {
        Ok(_) => None,
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Some(Finding::error(
            format!("clients do not know who issued the certificate of {name}"),
            "put the whole chain into the certificate's file (fullchain.pem), or set [tls] trust \
             to your own authority",
        )),
        // What the examination of the certificate itself has told already.
        Err(Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
            | CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. },
        )) => None,
        Err(error) => Some(Finding::error(
            format!("clients refuse the certificate of {name}: {error}"),
            "get another one",
        )),
    }
}
