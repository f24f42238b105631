//! STARTTLS with a certificate authority of our choice.
//!
//! tokio-xmpp's own connector takes its roots from the system (or has none, as it is built here)
//! and cannot be given others; everything else of the stream stays tokio-xmpp's.

use std::{io, net::SocketAddr, path::Path, sync::Arc};

use futures::{SinkExt, StreamExt};
use sasl::common::ChannelBinding;
use tokio::{io::BufStream, net::TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio_xmpp::{
    Error,
    connect::ServerConnector,
    error::ProtocolError,
    jid::Jid,
    parsers::starttls::{Nonza, Request},
    xmlstream::{
        PendingFeaturesRecv, StreamHeader, Timeouts, XmppStream, XmppStreamElement, initiate_stream,
    },
};

type Tcp = BufStream<TcpStream>;

/// Connects to one address, whatever the domain.
#[derive(Clone, Debug)]
pub(crate) struct Starttls {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
    /// Whether SCRAM is bound to the TLS channel (RFC 9266).
    pub(crate) bound: bool,
}

impl ServerConnector for Starttls {
    type Stream = BufStream<TlsStream<TcpStream>>;

    async fn connect(
        &self,
        jid: &Jid,
        ns: &'static str,
        timeouts: Timeouts,
    ) -> Result<(PendingFeaturesRecv<Self::Stream>, ChannelBinding), Error> {
        let domain = jid.domain().as_str();
        let tcp = BufStream::new(TcpStream::connect(self.address).await?);
        let plain = initiate_stream(tcp, ns, header(domain), timeouts).await?;
        let (features, plain) = plain.recv_features().await?;
        if !features.can_starttls() {
            return Err(ProtocolError::NoTls.into());
        }
        let tcp = proceed(plain).await?;
        let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await?;
        let binding = match self.bound {
            true => ChannelBinding::TlsExporter(exporter(&tls)?),
            false => ChannelBinding::None,
        };
        let stream = initiate_stream(BufStream::new(tls), ns, header(domain), timeouts).await?;
        Ok((stream, binding))
    }
}

/// Asks for TLS, and gives the connection on which its handshake begins.
async fn proceed(mut stream: XmppStream<Tcp>) -> Result<TcpStream, Error> {
    stream.send(&XmppStreamElement::Starttls(Nonza::Request(Request))).await?;
    match stream.next().await {
        Some(Ok(element)) => match element.into_read_error() {
            Ok(XmppStreamElement::Starttls(Nonza::Proceed(_))) => {
                Ok(stream.into_inner().into_inner())
            }
            other => Err(io::Error::other(format!("not <proceed/>: {other:?}")).into()),
        },
        other => Err(io::Error::other(format!("not <proceed/>: {other:?}")).into()),
    }
}

/// RFC 9266 §2
fn exporter(tls: &TlsStream<TcpStream>) -> io::Result<Vec<u8>> {
    let (_, connection) = tls.get_ref();
    connection
        .export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", None)
        .map_err(io::Error::other)
}

fn header(domain: &str) -> StreamHeader<'_> {
    StreamHeader { to: Some(domain.into()), from: None, id: None }
}

/// A client that trusts the authority in this file, and nobody else.
pub(crate) fn trusting(ca: &Path) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(ca).map_err(|e| format!("{}: {e}", ca.display()))?;
    for certificate in found {
        let certificate = certificate.map_err(|e| format!("{}: {e}", ca.display()))?;
        roots.add(certificate).map_err(|e| format!("{}: {e}", ca.display()))?;
    }
    if roots.is_empty() {
        return Err(format!("{}: no certificate in it", ca.display()));
    }
    Ok(client(roots))
}

/// A client that trusts nobody.
pub(crate) fn distrusting() -> Arc<ClientConfig> {
    client(RootCertStore::empty())
}

fn client(roots: RootCertStore) -> Arc<ClientConfig> {
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
