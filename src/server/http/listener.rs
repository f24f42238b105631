//! Accepts HTTP connections, with TLS and without, and bounds what each may cost.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::Http;
use super::seat::Seat;
use crate::outside::now;

/// From the first byte to a TLS session.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// From the first byte, or the end of the last answer, to the end of a request's headers.
const HEADERS: Duration = Duration::from_secs(20);
/// Bytes of a request's headers.
const HEADER_BYTES: usize = 16 * 1024;
/// Headers of a request.
const HEADER_COUNT: usize = 64;
/// Connections that a proxy on this machine may have at the same time.
const PROXY_CONNECTIONS: usize = 16 * 1024;
/// How long requests may go on that were being answered when the server stops.
const DRAIN: Duration = Duration::from_secs(2);

/// Accepts until the server stops.
pub(super) async fn run(http: Arc<Http>, listener: TcpListener, secure: bool, router: Router) {
    let proxies = Arc::new(Semaphore::new(PROXY_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = http.stop.cancelled() => return,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: waiting is all that helps.
                tracing::error!(%error, "cannot accept; raise the limit of open files");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let (http, router) = (Arc::clone(&http), router.clone());
        if secure {
            match http.admission.admit(address.ip(), now()) {
                Ok(ticket) => {
                    http.metrics.accepted.inc();
                    tokio::spawn(secured(http, router, tcp, Seat::direct(address, ticket)));
                }
                Err(setting) => {
                    tracing::debug!(setting, "connection refused");
                    http.metrics.refused.inc();
                }
            }
        } else if let Ok(permit) = Arc::clone(&proxies).try_acquire_owned() {
            tokio::spawn(async move {
                plain(http, router, tcp, address).await;
                drop(permit);
            });
        } else {
            http.metrics.refused.inc();
        }
    }
}

async fn secured(http: Arc<Http>, router: Router, tcp: TcpStream, seat: Seat) {
    let _ = tcp.set_nodelay(true);
    let acceptor = TlsAcceptor::from(http.tls.https().config);
    match tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp)).await {
        Ok(Ok(tls)) => converse(http, router, tls, seat).await,
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            http.metrics.tls_failures.inc();
        }
        Err(_) => {
            http.metrics.tls_failures.inc();
        }
    }
}

async fn plain(http: Arc<Http>, router: Router, tcp: TcpStream, address: SocketAddr) {
    let _ = tcp.set_nodelay(true);
    converse(http, router, tcp, Seat::proxied(address)).await;
}

async fn converse<S>(http: Arc<Http>, router: Router, stream: S, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = Seated { router: TowerToHyperService::new(router), seat };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADER_COUNT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = http.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(DRAIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP connection ended");
    }
}

/// The router, with what is known of the connection put into each request.
struct Seated {
    router: TowerToHyperService<Router>,
    seat: Seat,
}

impl Service<Request<Incoming>> for Seated {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.seat.clone());
        Box::pin(self.router.call(request))
    }
}
