//! `/metrics`, `/health` and `/ready` for monitoring.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::{CONTENT_TYPE, Metrics};

/// In which part of its life the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Not every listener is open yet.
    Starting = 0,
    /// Clients can log in.
    Ready = 1,
    /// It is ending.
    Draining = 2,
}

impl Phase {
    /// The word that is served.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// What monitoring may know of the server.
#[derive(Clone)]
pub struct Monitor {
    metrics: Arc<Metrics>,
    phase: Arc<AtomicU8>,
}

impl Monitor {
    /// For a server that is starting.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, phase: Arc::new(AtomicU8::new(Phase::Starting as u8)) }
    }

    /// The server has come to another part of its life.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Where it is.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// The pages.
    pub fn router(self) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            // Whoever can answer at all is alive.
            .route("/health", get(|| async { "alive\n" }))
            .route("/ready", get(ready))
            .with_state(self)
    }

    /// Serves them until it is cancelled.
    ///
    /// # Errors
    /// The listener broke.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router()).await
    }
}

async fn metrics(State(monitor): State<Monitor>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], monitor.metrics.encode())
}

async fn ready(State(monitor): State<Monitor>) -> impl IntoResponse {
    let phase = monitor.phase();
    let status = match phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("{}\n", phase.name()))
}
