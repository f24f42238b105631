//! An XMPP Subprotocol for WebSocket (RFC 7395): the socket's side.
//!
//! The framing is `oc_core::stream::websocket`'s and the stream the edge's; here is what WebSocket
//! itself asks for. No compression: it would let a peer learn what stands beside its own text.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::SinkExt;
use oc_core::stream::StreamInput;
use oc_core::stream::websocket::{SUBPROTOCOL, close, document};
use oc_core::{StreamCondition, StreamError};
use tokio::sync::mpsc::Receiver;

use super::Http;
use super::seat::Seat;
use crate::edge::{Incoming, MessagePeer, Outgoing};

/// Bytes that one read may take. An idle connection keeps this much.
const READ_BYTES: usize = 4 * 1024;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 16 * 1024;
/// How long the peer may take for what was written in one turn.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to close after us.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// `GET /xmpp-websocket`.
pub(super) async fn upgrade(
    State(http): State<Arc<Http>>,
    Extension(seat): Extension<Seat>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade.protocols([SUBPROTOCOL]),
        Err(rejection) => return rejection.into_response(),
    };
    if upgrade.selected_protocol().is_none() {
        // RFC 7395 §3.1: without it the connection would not be XMPP.
        let why = "This WebSocket speaks the subprotocol \"xmpp\" (RFC 7395) only.\n";
        return (StatusCode::BAD_REQUEST, why).into_response();
    }
    let peer = seat.peer(&headers);
    let ticket = match seat.take(&http.admission, &peer) {
        Ok(ticket) => ticket,
        Err(setting) => {
            tracing::debug!(setting, "WebSocket refused");
            http.metrics.refused.inc();
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let largest = http.config.load().limits.stanza_size.bytes();
    let largest = usize::try_from(largest).unwrap_or(usize::MAX);
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_message_size(largest)
        .max_frame_size(largest)
        .on_upgrade(move |socket| async move { carry(socket, http.arrive(peer, ticket)).await })
}

/// Carries messages between a socket and its edge until one of them ends.
async fn carry(mut socket: WebSocket, edge: MessagePeer) {
    let MessagePeer { inbound, mut outbound } = edge;
    // A message that the edge has no room for yet; the socket is not read meanwhile.
    let mut waiting = None;
    let mut reading = true;
    let mut code = close_code::NORMAL;
    loop {
        tokio::select! {
            room = inbound.reserve(), if waiting.is_some() => match (room, waiting.take()) {
                (Ok(room), Some(message)) => room.send(message),
                // The edge listens no more; what it has to say is still to come.
                _ => reading = false,
            },
            message = socket.recv(), if reading && waiting.is_none() => match read(message) {
                Read::Message(message) => waiting = Some(message),
                Read::Nothing => {}
                Read::Refused(why, error) => {
                    code = why;
                    reading = false;
                    waiting = Some(Incoming::Input(StreamInput::End(error), 0));
                }
                Read::Gone => return,
            },
            message = outbound.recv() => {
                let Some(message) = message else { break };
                let turn = write(&mut socket, &mut outbound, message);
                match tokio::time::timeout(WRITE_PATIENCE, turn).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return,
                }
            }
        }
    }
    // RFC 7395 §3.6: the streams are closed, the WebSocket follows.
    let goodbye = async {
        let frame = CloseFrame { code, reason: "".into() };
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _ = tokio::time::timeout(CLOSE_PATIENCE, goodbye).await;
}

/// What a frame of the peer means.
enum Read {
    Message(Incoming),
    Nothing,
    Refused(u16, StreamError),
    Gone,
}

fn read(message: Option<Result<Message, axum::Error>>) -> Read {
    match message {
        Some(Ok(Message::Text(text))) => {
            Read::Message(Incoming::Document(text.as_str().as_bytes().to_vec()))
        }
        Some(Ok(Message::Binary(_))) => {
            let error = StreamError::new(StreamCondition::UnsupportedEncoding, "RFC 7395 §3.2");
            Read::Refused(close_code::UNSUPPORTED, error.text("text messages only"))
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Read::Nothing,
        Some(Err(error)) if too_long(&error) => {
            let error = StreamError::new(StreamCondition::PolicyViolation, "RFC 6120 §13.12");
            Read::Refused(close_code::SIZE, error.text("message too big"))
        }
        // A WebSocket that ends without `<close/>` leaves a session that can be resumed.
        Some(Ok(Message::Close(_)) | Err(_)) | None => Read::Gone,
    }
}

/// Whether the peer sent more than it may. The type that says so is not one we depend on.
fn too_long(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.to_string().starts_with("Space limit exceeded") {
            return true;
        }
        source = error.source();
    }
    false
}

/// Writes a message, and all that are there with it, at once.
async fn write(
    socket: &mut WebSocket,
    outbound: &mut Receiver<Outgoing>,
    first: Outgoing,
) -> Result<(), axum::Error> {
    let mut next = Some(first);
    while let Some(message) = next {
        let bytes = match message {
            Outgoing::Open(open) => document(&open),
            Outgoing::Document(bytes) => bytes,
            Outgoing::Error(error) => document(&error.to_element()),
            Outgoing::Close => document(&close()),
            Outgoing::Limits(_) => Vec::new(),
        };
        // What we serialise is UTF-8.
        if let Ok(text) = String::from_utf8(bytes)
            && !text.is_empty()
        {
            socket.feed(Message::Text(text.into())).await?;
        }
        next = outbound.try_recv().ok();
    }
    socket.flush().await
}
