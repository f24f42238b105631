//! HTTP: clients in browsers and behind firewalls, and the documents by which they find us.
//!
//! One small router behind each listener: a WebSocket (RFC 7395), host metadata (XEP-0156) and a
//! page for people. What is XMPP of it becomes messages of an edge ([`MessageStream`]); nothing
//! here reads a stanza. The plain listener is for a proxy on the same machine, which speaks TLS to
//! the world and says in `X-Forwarded-For` who is there.

mod bosh;
mod index;
mod listener;
mod seat;
mod websocket;
mod well_known;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use oc_xeps::alt_connections::Links;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Ticket};
use crate::config::{self, Config, Domain};
use crate::edge::{Arrival, MessagePeer, MessageStream, Peer};
use crate::metrics::Metrics;
use crate::tls::Tls;

pub use bosh::Sessions;

/// Where the WebSocket is.
const WEBSOCKET_PATH: &str = "/xmpp-websocket";
/// Where BOSH is.
const BOSH_PATH: &str = "/http-bind";

/// What every request may need.
pub struct Http {
    /// The configuration in force.
    pub config: config::Shared,
    /// Certificates.
    pub tls: Arc<Tls>,
    /// Who may connect.
    pub admission: Arc<Admission>,
    /// The edges.
    pub edges: Vec<UnboundedSender<Arrival>>,
    /// Whose turn it is.
    pub turn: Arc<AtomicUsize>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// BOSH sessions of all listeners.
    pub bosh: Sessions,
    /// Ends listeners and connections.
    pub stop: CancellationToken,
}

impl Http {
    /// Serves one listener until it is told to stop.
    pub async fn serve(self: Arc<Self>, listener: tokio::net::TcpListener, secure: bool) {
        let router = self.router();
        listener::run(self, listener, secure, router).await;
    }

    fn router(self: &Arc<Self>) -> Router {
        let http = &self.config.load().http;
        let mut router = Router::new()
            .route("/", get(index::page))
            .route("/.well-known/host-meta", well_known::xrd())
            .route("/.well-known/host-meta.json", well_known::jrd());
        if http.websocket {
            router = router.route(WEBSOCKET_PATH, get(websocket::upgrade));
        }
        if http.bosh {
            let route = post(bosh::request)
                .get(bosh::somebody_looks)
                .options(|| preflight("POST, OPTIONS"));
            router = router.route(BOSH_PATH, route);
        }
        router.layer(axum::middleware::from_fn(guard)).with_state(Arc::clone(self))
    }

    /// A new stream of messages on the edge whose turn it is.
    fn arrive(&self, peer: Peer, ticket: Ticket) -> MessagePeer {
        let (stream, other) = MessageStream::new();
        let edge = self.turn.fetch_add(1, Ordering::Relaxed) % self.edges.len();
        // An edge that is gone drops its half, and the client hears the end at once.
        let _ = self.edges[edge].send(Arrival::Messages { stream, peer, ticket });
        other
    }
}

/// The URLs of a domain.
pub(crate) fn links(config: &Config, domain: &Domain) -> Links {
    let Some(base) = config.public_url(domain) else { return Links::default() };
    let base = ascii_host(&base);
    let socket = base.replacen("http", "ws", 1);
    Links {
        websocket: config.http.websocket.then(|| format!("{socket}{WEBSOCKET_PATH}")),
        bosh: config.http.bosh.then(|| format!("{base}{BOSH_PATH}")),
    }
}

/// RFC 3986: a URL spells an international name in ASCII.
fn ascii_host(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', ':']).unwrap_or(rest.len());
    match idna::domain_to_ascii(&rest[..end]) {
        Ok(host) if !rest.starts_with('[') => format!("{scheme}://{host}{}", &rest[end..]),
        _ => url.to_owned(),
    }
}

/// Headers that keep a browser from doing more with an answer than it is for.
async fn guard(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// What a browser asks before a page of another origin may use this.
async fn preflight(methods: &'static str) -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, "7200"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests;
