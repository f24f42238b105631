//! TLS for everybody who connects: certificates per domain, and the configurations built on them.
//!
//! An [`Acceptor`] is an unchangeable snapshot of certificates and settings. A reload makes new
//! ones; a connection keeps the one with which it was accepted, so its channel binding is always
//! that of the certificate it was shown. TLS 1.2 and 1.3 by aws-lc-rs, which offers X25519MLKEM768.
//! There is no 0-RTT: what a client sends early could be replayed (RFC 8446 §8).

mod certs;
mod end_point;
mod self_signed;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_rustls::rustls::crypto::{CryptoProvider, GetRandomFailed, aws_lc_rs};
use tokio_rustls::rustls::server::{NoServerSessionStorage, ProducesTickets};
use tokio_rustls::rustls::ticketer::TicketRotator;
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};

use crate::config::{Config, TlsVersion};

pub use certs::{Certificate, Certificates, TlsError, Warning};
pub(crate) use certs::{ascii, configured_files, inspect};

/// What a connection is accepted with.
#[derive(Clone, Debug)]
pub struct Acceptor {
    /// For `tokio_rustls::TlsAcceptor::from`.
    pub config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl Acceptor {
    /// The certificate that was shown to a client which named this server (SNI).
    pub fn certificate(&self, server_name: Option<&str>) -> Option<&Certificate> {
        self.certificates.find(server_name)
    }

    /// RFC 5929 §4 `tls-server-end-point` of a connection whose client named this server (SNI).
    pub fn end_point(&self, server_name: Option<&str>) -> Option<&[u8]> {
        self.certificate(server_name)?.end_point.as_deref()
    }
}

/// The acceptors of every kind of listener, replaced together.
#[derive(Clone, Debug)]
struct Acceptors {
    c2s: Acceptor,
    c2s_direct: Acceptor,
    https: Acceptor,
}

/// TLS of the whole server.
#[derive(Debug)]
pub struct Tls {
    acceptors: ArcSwap<Acceptors>,
}

impl Tls {
    /// Loads the certificates of every domain. What is not fatal comes back as warnings.
    pub fn load(config: &Config) -> Result<(Self, Vec<Warning>), TlsError> {
        let (acceptors, warnings) = Acceptors::load(config)?;
        Ok((Self { acceptors: ArcSwap::from_pointee(acceptors) }, warnings))
    }

    /// Loads everything again, for new connections. On an error everything stays as it was.
    pub fn reload(&self, config: &Config) -> Result<Vec<Warning>, TlsError> {
        let (acceptors, warnings) = Acceptors::load(config)?;
        self.acceptors.store(Arc::new(acceptors));
        Ok(warnings)
    }

    /// For clients that came by STARTTLS.
    pub fn c2s(&self) -> Acceptor {
        self.acceptors.load().c2s.clone()
    }

    /// For clients that begin with TLS: ALPN `xmpp-client` (XEP-0368).
    pub fn c2s_direct(&self) -> Acceptor {
        self.acceptors.load().c2s_direct.clone()
    }

    /// For HTTPS: ALPN `http/1.1`, which WebSocket needs.
    pub fn https(&self) -> Acceptor {
        self.acceptors.load().https.clone()
    }
}

impl Acceptors {
    fn load(config: &Config) -> Result<(Self, Vec<Warning>), TlsError> {
        let (certificates, warnings) = Certificates::load(config)?;
        let certificates = Arc::new(certificates);
        let acceptor = |alpn: &[&str]| {
            let config = server_config(config, Arc::clone(&certificates), alpn)?;
            Ok::<_, TlsError>(Acceptor { config, certificates: Arc::clone(&certificates) })
        };
        let acceptors = Self {
            // A client that follows RFC 6120 §5.4.3.3 offers no protocol; one that does may stay.
            c2s: acceptor(&[])?,
            c2s_direct: acceptor(&["xmpp-client"])?,
            https: acceptor(&["http/1.1"])?,
        };
        Ok((acceptors, warnings))
    }
}

/// Our cryptography: named here and nowhere else, because rustls refuses to guess.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn server_config(
    config: &Config,
    certificates: Arc<Certificates>,
    alpn: &[&str],
) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[&SupportedProtocolVersion] = match config.tls.min_version {
        TlsVersion::V12 => &[&version::TLS13, &version::TLS12],
        TlsVersion::V13 => &[&version::TLS13],
    };
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(TlsError::Library)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    server.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    // RFC 7627 §5.1: without the extended master secret, TLS 1.2 channel bindings prove nothing.
    server.require_ems = true;
    // Resumption is stateless: a table of sessions would cost memory per client.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.max_early_data_size = 0;
    // One is enough: a client has one connection here, and each ticket is bytes in every login.
    server.send_tls13_tickets = 1;
    let lifetime = config.tls.ticket_lifetime.get();
    if lifetime.is_zero() {
        server.send_tls13_tickets = 0;
    } else {
        server.ticketer = tickets(lifetime)?;
    }
    Ok(Arc::new(server))
}

/// Tickets that are good for at most `lifetime`. Keys are new with every reload, so a ticket never
/// outlives the certificate with which it was issued.
fn tickets(lifetime: Duration) -> Result<Arc<dyn ProducesTickets>, TlsError> {
    // A rotator uses a key for one period and accepts it for another.
    let period_s = u32::try_from(lifetime.as_secs() / 2).unwrap_or(u32::MAX).max(1);
    let rotator = TicketRotator::new(period_s, || {
        let keys = aws_lc_rs::Ticketer::new().map_err(|_| GetRandomFailed)?;
        Ok(Box::new(TicketKeys(keys)))
    });
    Ok(Arc::new(rotator.map_err(TlsError::Library)?))
}

/// Keys of tickets, as something a rotator can own.
#[derive(Debug)]
struct TicketKeys(Arc<dyn ProducesTickets>);

impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(cipher)
    }
}

#[cfg(test)]
mod tests;
