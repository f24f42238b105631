//! Listeners for clients over TCP (RFC 6120 §3, XEP-0368).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::edge::{Arrival, Peer};
use crate::metrics::Metrics;
use crate::outside::now;

/// How a listener treats its connections.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// TLS from the first byte.
    pub direct: bool,
    /// Logging in without TLS is allowed.
    pub plaintext: bool,
}

/// Hands accepted connections to the edges in turn, until it is told to stop.
pub struct Acceptor {
    /// Who may come in.
    pub admission: Arc<Admission>,
    /// The edges.
    pub edges: Vec<UnboundedSender<Arrival>>,
    /// Whose turn it is.
    pub turn: Arc<AtomicUsize>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Ends the listener.
    pub stop: CancellationToken,
}

impl Acceptor {
    /// Accepts on one listener.
    pub async fn run(self, listener: TcpListener, kind: Kind) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            match accepted {
                Ok((tcp, address)) => self.admit(tcp, address, kind),
                Err(error) => {
                    // Out of descriptors, most likely: waiting is all that helps.
                    tracing::error!(%error, "cannot accept; raise the limit of open files");
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            }
        }
    }

    fn admit(&self, tcp: tokio::net::TcpStream, address: SocketAddr, kind: Kind) {
        let ticket = match self.admission.admit(address.ip(), now()) {
            Ok(ticket) => ticket,
            Err(setting) => {
                // The peer gets no stream error: writing one to a flood is what the flood wants.
                tracing::debug!(setting, "connection refused");
                self.metrics.refused.inc();
                return;
            }
        };
        let Ok(tcp) = tcp.into_std() else { return };
        self.metrics.accepted.inc();
        let edge = self.turn.fetch_add(1, Ordering::Relaxed) % self.edges.len();
        let peer = Peer { address, plaintext: kind.plaintext };
        let _ = self.edges[edge].send(Arrival::Tcp { tcp, peer, direct: kind.direct, ticket });
    }
}
