//! XEP-0124 and XEP-0206 over HTTP: which request belongs to which session, and each session's
//! task.
//!
//! The rules are `oc_xeps::bosh`. A session is a task that owns the machine; requests come to it
//! by their `sid` through a short queue, so a session that waits for its edge makes its client
//! wait. The task ends with its session, at the latest when the client has been silent for too
//! long.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use oc_core::Element;
use oc_core::limits::StreamLimits;
use oc_core::stream::StreamInput;
use oc_core::xml::parse_document;
use oc_xeps::bosh::{Condition, Create, Effect, ExchangeId, Session, Settings, terminal};
use tokio::sync::{mpsc, oneshot};

use super::Http;
use super::seat::Seat;
use crate::edge::{Incoming, MessagePeer, Outgoing};
use crate::outside::{OsIds, ctx, now};

/// Bytes that `<body/>` itself may add to a stanza.
const WRAPPER_BYTES: usize = 2 * 1024;
/// Requests of a session that wait for its task.
const EXCHANGES: usize = 4;
/// How long the body of a request may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The sessions of all listeners, by `sid`.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<String, Door>>);

/// The way to a session.
#[derive(Clone)]
struct Door {
    requests: mpsc::Sender<Exchange>,
    /// Bytes of a stanza that the client may send; more once it has logged in.
    stanza_bytes: Arc<AtomicUsize>,
}

/// A request that waits for its answer.
struct Exchange {
    body: Element,
    bytes: usize,
    answer: oneshot::Sender<Vec<u8>>,
}

impl Sessions {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Door>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `GET /http-bind`: an operator who tries the URL in a browser learns that it works.
pub(super) async fn somebody_looks() -> &'static str {
    "This is a door for XMPP clients in browsers (BOSH, XEP-0206). It is open.\n"
}

/// `POST /http-bind`: a request for a session by its `sid`, or for a new one.
pub(super) async fn request(
    State(http): State<Arc<Http>>,
    Extension(seat): Extension<Seat>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = match read(&http, body).await {
        Ok((body, bytes)) => answered(&http, &seat, &headers, body, bytes).await,
        Err(condition) => Err(condition),
    };
    let body = answer.unwrap_or_else(|condition| terminal(Some(condition)));
    let headers = [
        (header::CONTENT_TYPE, "text/xml; charset=utf-8"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

/// Reads a `<body/>` within what a client who has logged in may send.
async fn read(http: &Http, body: Body) -> Result<(Element, usize), Condition> {
    let stanza_bytes = http.config.load().limits.stanza_size.bytes();
    let bound = usize::try_from(stanza_bytes).unwrap_or(usize::MAX).saturating_add(WRAPPER_BYTES);
    let bytes = tokio::time::timeout(PATIENCE, axum::body::to_bytes(body, bound)).await;
    let Ok(Ok(bytes)) = bytes else { return Err(Condition::PolicyViolation) };
    let limits = StreamLimits {
        stanza_bytes: bound,
        depth: StreamLimits::CLIENT.depth + 1,
        ..StreamLimits::CLIENT
    };
    let body = parse_document(&bytes, &limits).map_err(|_| Condition::BadRequest)?;
    Ok((body, bytes.len()))
}

async fn answered(
    http: &Arc<Http>,
    seat: &Seat,
    headers: &HeaderMap,
    body: Element,
    bytes: usize,
) -> Result<Vec<u8>, Condition> {
    let stranger = StreamLimits::UNAUTHENTICATED.stanza_bytes;
    let (answer, answered) = oneshot::channel();
    let exchange = Exchange { body, bytes, answer };
    match exchange.body.attr("sid") {
        None if bytes > stranger => return Err(Condition::PolicyViolation),
        None => begin(http, seat, headers, exchange)?,
        Some(sid) => {
            let door = http.bosh.with(|sessions| sessions.get(sid).cloned());
            let door = door.ok_or(Condition::ItemNotFound)?;
            let stanza_bytes = door.stanza_bytes.load(Ordering::Relaxed);
            if bytes > stanza_bytes.saturating_add(WRAPPER_BYTES) {
                return Err(Condition::PolicyViolation);
            }
            if stanza_bytes > stranger {
                seat.authenticated();
            }
            let sent = door.requests.send(exchange).await;
            sent.map_err(|_| Condition::ItemNotFound)?;
        }
    }
    // A session that ends while the request waits is one that does not exist.
    answered.await.map_err(|_| Condition::ItemNotFound)
}

/// Begins a session: a place for it, its stream to an edge, and its task.
fn begin(
    http: &Arc<Http>,
    seat: &Seat,
    headers: &HeaderMap,
    first: Exchange,
) -> Result<(), Condition> {
    if http.stop.is_cancelled() {
        return Err(Condition::SystemShutdown);
    }
    let config = http.config.load();
    let inactivity = config.http.bosh_inactivity.get();
    let settings =
        Settings { wait: config.http.bosh_wait.get(), inactivity, max_pause: 2 * inactivity };
    let create = Create::read(&first.body, &settings)?;
    let most = usize::try_from(config.limits.connections.get()).unwrap_or(usize::MAX);
    let peer = seat.peer(headers);
    let ticket = http.admission.admit(peer.address.ip(), now());
    let ticket = ticket.ok().filter(|_| http.bosh.with(|sessions| sessions.len()) < most);
    let Some(ticket) = ticket else {
        tracing::debug!("BOSH session refused");
        http.metrics.refused.inc();
        return Err(Condition::PolicyViolation);
    };
    let mut effects = Vec::new();
    let mut ids = OsIds;
    let mut ctx = ctx(&mut ids);
    let session = Session::new(create, &first.body, 0, settings, &mut ctx, &mut effects);
    let (requests, exchanges) = mpsc::channel(EXCHANGES);
    let stanza_bytes = Arc::new(AtomicUsize::new(StreamLimits::UNAUTHENTICATED.stanza_bytes));
    let door = Door { requests, stanza_bytes: Arc::clone(&stanza_bytes) };
    let sid = session.sid().to_owned();
    http.bosh.with(|sessions| sessions.insert(sid.clone(), door));
    let mut task = Task {
        session,
        stanza_bytes,
        answers: HashMap::from([(0, first.answer)]),
        heard: VecDeque::new(),
        next: 1,
        ended: false,
    };
    task.carry_out(effects, first.bytes);
    let (edge, http) = (http.arrive(peer, ticket), Arc::clone(http));
    tokio::spawn(async move {
        task.run(exchanges, edge).await;
        http.bosh.with(|sessions| sessions.remove(&sid));
    });
    Ok(())
}

/// One session and the requests that wait for it.
struct Task {
    session: Session,
    stanza_bytes: Arc<AtomicUsize>,
    answers: HashMap<ExchangeId, oneshot::Sender<Vec<u8>>>,
    /// What the stream is still to be told, and the bytes it came in.
    heard: VecDeque<(StreamInput, usize)>,
    next: ExchangeId,
    ended: bool,
}

impl Task {
    async fn run(&mut self, mut exchanges: mpsc::Receiver<Exchange>, edge: MessagePeer) {
        let MessagePeer { inbound, mut outbound } = edge;
        let mut speaking = true;
        while !(self.ended && self.heard.is_empty()) {
            let (mut effects, mut bytes) = (Vec::new(), 0);
            let due = Duration::from_millis(self.session.due().0.saturating_sub(now().0));
            let (busy, ended) = (!self.heard.is_empty(), self.ended);
            tokio::select! {
                // What a client said reaches its session before more of it is taken.
                room = inbound.reserve(), if busy => match (room, self.heard.pop_front()) {
                    (Ok(room), Some((input, bytes))) => room.send(Incoming::Input(input, bytes)),
                    _ => self.heard.clear(),
                },
                exchange = exchanges.recv(), if !busy && !ended => {
                    let Some(exchange) = exchange else { return };
                    bytes = exchange.bytes;
                    let id = self.next;
                    self.next += 1;
                    self.answers.insert(id, exchange.answer);
                    self.session.request(id, exchange.body, now(), &mut effects);
                }
                outgoing = outbound.recv(), if speaking && !ended && self.session.wants_more() => {
                    // Without a last word the session has let go of this connection.
                    let Some(outgoing) = outgoing else { return };
                    speaking = self.say(outgoing, &mut effects);
                }
                () = tokio::time::sleep(due), if !ended => self.session.tick(now(), &mut effects),
            }
            self.carry_out(effects, bytes);
        }
    }

    /// The stream says something; false if it was the last.
    fn say(&mut self, outgoing: Outgoing, effects: &mut Vec<Effect>) -> bool {
        match outgoing {
            Outgoing::Open(open) => self.session.header(&open),
            Outgoing::Document(document) => self.session.say(document, now(), effects),
            Outgoing::Limits(limits) => {
                self.stanza_bytes.store(limits.stanza_bytes, Ordering::Relaxed);
            }
            Outgoing::Error(error) => {
                self.session.end(Some(&error), effects);
                return false;
            }
            Outgoing::Close => {
                self.session.end(None, effects);
                return false;
            }
        }
        true
    }

    /// Carries out what a request of so many bytes, or something else, has led to.
    fn carry_out(&mut self, effects: Vec<Effect>, mut bytes: usize) {
        for effect in effects {
            match effect {
                Effect::Respond { exchange, body } => {
                    // Whoever asked may be gone; the machine remembers the answer.
                    let _ = self.answers.remove(&exchange).map(|answer| answer.send(body));
                }
                Effect::Stream(input) => self.heard.push_back((input, std::mem::take(&mut bytes))),
                Effect::Ended => self.ended = true,
            }
        }
    }
}
