//! One edge: its sessions, its mail, its clock.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use oc_core::session::{EdgeId, SessionId, ToEdge, ToShard};
use oc_core::stream::StreamAnswer;
use oc_core::{FullJid, StreamCondition, StreamError, Time};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::connection::{Connection, Migrant};
use super::line::{Line, LineEvent};
use super::message::MessageStream;
use super::outbox::Outbox;
use super::session::Session;
use super::settings::{Peer, Shared};
use super::wheel::{Entry, Wheel};
use crate::admission::Ticket;

/// Bytes that one read may take; shared by all connections of an edge.
const SCRATCH_BYTES: usize = 16 * 1024;
/// Mail handled before what it produced is written.
const TURN: usize = 1024;

/// What comes to an edge from outside the shards.
pub enum Arrival {
    /// A connection was accepted.
    Tcp {
        /// The socket.
        tcp: std::net::TcpStream,
        /// Where it comes from.
        peer: Peer,
        /// TLS from the first byte.
        direct: bool,
        /// Its place among the connections.
        ticket: Ticket,
    },
    /// A client has come to the HTTP listener.
    Messages {
        /// What it sends and gets.
        stream: MessageStream,
        /// Where it comes from.
        peer: Peer,
        /// Its place among the connections.
        ticket: Ticket,
    },
    /// A connection comes to resume a session.
    Migrant(Box<Migrant>),
    /// Tell every client that the server stops; answer when all are gone.
    Drain(tokio::sync::oneshot::Sender<()>),
    /// How many sessions there are.
    Count(tokio::sync::oneshot::Sender<Summary>),
    /// Which sessions there are, and whether each has a connection.
    List(tokio::sync::oneshot::Sender<Vec<(FullJid, bool)>>),
}

/// How busy an edge is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Sessions with a connection.
    pub connected: usize,
    /// Sessions that wait for their client.
    pub waiting: usize,
}

/// An edge, on its own thread.
pub struct Edge {
    id: EdgeId,
    shared: Arc<Shared>,
    neighbours: Vec<UnboundedSender<Arrival>>,
    sessions: RefCell<HashMap<u64, Rc<RefCell<Session>>>>,
    next_key: Cell<u64>,
    wheel: RefCell<Wheel>,
    /// Connections that are alive, for a drain.
    lines: RefCell<HashMap<u64, std::rc::Weak<Line>>>,
    next_line: Cell<u64>,
    draining: Cell<bool>,
    pub(super) scratch: RefCell<Box<[u8]>>,
}

impl Edge {
    /// An edge with its queues; [`Edge::run`] is to be called on a local task set.
    pub fn new(
        id: EdgeId,
        shared: Arc<Shared>,
        neighbours: Vec<UnboundedSender<Arrival>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            id,
            shared,
            neighbours,
            sessions: RefCell::default(),
            next_key: Cell::new(1),
            wheel: RefCell::default(),
            lines: RefCell::default(),
            next_line: Cell::new(0),
            draining: Cell::new(false),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
        })
    }

    /// Serves until both queues are closed.
    pub async fn run(
        self: Rc<Self>,
        mut mail: UnboundedReceiver<ToEdge>,
        mut arrivals: UnboundedReceiver<Arrival>,
    ) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                first = mail.recv() => match first {
                    Some(first) => self.turn(first, &mut mail),
                    None => return,
                },
                arrival = arrivals.recv() => match arrival {
                    Some(arrival) => self.arrival(arrival),
                    None => return,
                },
                _ = second.tick() => self.tick(),
            }
        }
    }

    /// Handles what has queued up; the sockets it concerns are written to once, afterwards.
    fn turn(&self, first: ToEdge, mail: &mut UnboundedReceiver<ToEdge>) {
        let mut touched: Vec<Rc<Line>> = Vec::new();
        let mut next = Some(first);
        let mut left = TURN;
        while let Some(input) = next {
            touched.extend(self.mail(input));
            left -= 1;
            next = if left > 0 { mail.try_recv().ok() } else { None };
        }
        for line in touched {
            line.wake();
        }
    }

    fn mail(&self, input: ToEdge) -> Option<Rc<Line>> {
        match input {
            ToEdge::Attached { session: id, outcome } => {
                let Some(session) = self.find(id.key) else {
                    // The client left while it was being attached.
                    if let Ok(jid) = outcome {
                        let account = jid.to_bare();
                        let gone = ToShard::Detach {
                            session: id,
                            jid,
                            reason: None,
                            undelivered: Vec::new(),
                        };
                        self.shared.switchboard.to_shard(account, gone);
                    }
                    return None;
                };
                let mut session = session.borrow_mut();
                session.jid = outcome.as_ref().ok().cloned();
                let line = session.line.clone()?;
                line.tell(LineEvent::Answer(StreamAnswer::Attached(outcome)));
                None
            }
            ToEdge::Deliver { session: id, stanza } => {
                let session = self.find(id.key)?;
                let mut session = session.borrow_mut();
                self.shared.metrics.stanzas_out.inc();
                session.deliver(stanza, self.now());
                session.line.clone()
            }
            ToEdge::Handled { receipt } => {
                let session = self.find(receipt.session.key)?;
                let mut session = session.borrow_mut();
                let resumes = session.handled(receipt, self.now());
                resumes.then(|| session.line.clone()).flatten()
            }
            ToEdge::Close { session: id, error } => {
                let session = self.find(id.key)?;
                let line = session.borrow().line.clone();
                match line {
                    Some(line) => line.tell(LineEvent::Close(error)),
                    None => self.end_session(&session, Some(error.condition.name())),
                }
                None
            }
        }
    }

    fn arrival(self: &Rc<Self>, arrival: Arrival) {
        let connection = match arrival {
            Arrival::Tcp { tcp, peer, direct, ticket } => tokio::net::TcpStream::from_std(tcp)
                .and_then(|tcp| Connection::over_tcp(Rc::clone(self), tcp, peer, direct, ticket)),
            Arrival::Messages { stream, peer, ticket } => {
                Ok(Connection::over_messages(Rc::clone(self), stream, peer, ticket))
            }
            Arrival::Migrant(migrant) => Connection::arrive(Rc::clone(self), *migrant),
            Arrival::Drain(done) => return self.drain(done),
            Arrival::Count(answer) => {
                let _ = answer.send(self.summary());
                return;
            }
            Arrival::List(answer) => {
                let sessions = self.sessions.borrow();
                let list = sessions.values().filter_map(|session| {
                    let session = session.borrow();
                    session.jid.clone().map(|jid| (jid, session.line.is_some()))
                });
                let _ = answer.send(list.collect());
                return;
            }
        };
        match connection {
            Ok(connection) => self.serve(connection),
            Err(error) => tracing::debug!(%error, "connection was gone before it was served"),
        }
    }

    /// Runs a connection on a task of its own; a bug of ours in it ends only itself.
    fn serve(self: &Rc<Self>, connection: Connection) {
        let (edge, line) = (Rc::clone(self), Rc::clone(connection.line()));
        tokio::task::spawn_local(async move {
            if AssertUnwindSafe(connection.run()).catch_unwind().await.is_err() {
                tracing::error!("the task of a connection panicked; only this connection ends");
                edge.lost(&line);
            }
            edge.forget(&line);
        });
    }

    /// A connection is gone without having said so.
    fn lost(&self, line: &Rc<Line>) {
        let of_line = |session: &Rc<RefCell<Session>>| {
            let session = session.try_borrow().ok()?;
            Rc::ptr_eq(session.line.as_ref()?, line).then_some(())
        };
        let session = self.sessions.borrow().values().find(|s| of_line(s).is_some()).cloned();
        if let Some(session) = session {
            self.disconnected(&session);
        }
    }

    /// Once a second: deadlines.
    fn tick(&self) {
        let now = self.now();
        let passed = self.wheel.borrow_mut().passed(now);
        for entry in passed {
            match entry {
                Entry::Line(key) => {
                    let line = self.lines.borrow().get(&key).and_then(std::rc::Weak::upgrade);
                    let Some(line) = line else { continue };
                    if line.due() <= now {
                        line.tell(LineEvent::Due);
                    } else {
                        self.wheel.borrow_mut().add(line.due(), Entry::Line(key));
                    }
                }
                Entry::Session(key) => {
                    let Some(session) = self.find(key) else { continue };
                    if session.borrow().ends.is_some_and(|ends| ends <= now) {
                        self.end_session(&session, Some("connection-timeout"));
                    }
                }
            }
        }
    }

    /// Wakes a connection at `due`, which replaces what was set before if that was later or has
    /// passed.
    pub(super) fn watch(&self, line: &Rc<Line>, due: Time) {
        let now = self.now();
        let earlier = line.due() > now && line.due() <= due;
        if !earlier {
            line.set_due(due);
            self.wheel.borrow_mut().add(due, Entry::Line(line.key));
        } else if due > line.due() {
            // The entry that stands wakes up, sees the later moment and moves on.
            line.set_due(due);
        }
    }

    pub(super) fn attach(&self, line: &Rc<Line>) -> Rc<RefCell<Session>> {
        let key = self.next_key.get();
        self.next_key.set(key + 1);
        let id = SessionId { edge: self.id, key };
        let session = Rc::new(RefCell::new(Session::new(id, Rc::clone(line))));
        self.sessions.borrow_mut().insert(key, Rc::clone(&session));
        session
    }

    pub(super) fn find(&self, key: u64) -> Option<Rc<RefCell<Session>>> {
        self.sessions.borrow().get(&key).cloned()
    }

    pub(super) fn session_of(&self, line: &Rc<Line>) -> Option<Rc<RefCell<Session>>> {
        let key = line.session.get()?;
        self.find(key)
    }

    /// The session is over: its shard learns of it, and of what the client never got.
    pub(super) fn end_session(&self, session: &Rc<RefCell<Session>>, reason: Option<&'static str>) {
        let mut session = session.borrow_mut();
        if self.sessions.borrow_mut().remove(&session.id.key).is_none() {
            return;
        }
        session.line = None;
        let Some(jid) = session.jid.clone() else { return };
        let undelivered = session.undelivered(jid.domain().as_str());
        let account = jid.to_bare();
        let gone = ToShard::Detach { session: session.id, jid, reason, undelivered };
        self.shared.switchboard.to_shard(account, gone);
    }

    /// The connection broke: the session waits for its client, if it may.
    pub(super) fn disconnected(&self, session: &Rc<RefCell<Session>>) {
        let kept = {
            let mut session = session.borrow_mut();
            session.line = None;
            let resumable = session.sm.as_ref().and_then(oc_xeps::sm::Session::resumable_for);
            match resumable.filter(|_| session.jid.is_some() && !self.draining.get()) {
                Some(time) => {
                    let ends = self.now().after(time);
                    session.ends = Some(ends);
                    self.wheel.borrow_mut().add(ends, Entry::Session(session.id.key));
                    true
                }
                None => false,
            }
        };
        if !kept {
            self.end_session(session, Some("connection broken"));
        }
    }

    pub(super) fn send_away(&self, edge: usize, migrant: Migrant) {
        if let Some(neighbour) = self.neighbours.get(edge) {
            let _ = neighbour.send(Arrival::Migrant(Box::new(migrant)));
        }
    }

    /// A line for a new connection; [`Self::forget`] is its end.
    pub(super) fn line(&self, out: Outbox) -> Rc<Line> {
        let key = self.next_line.get();
        self.next_line.set(key + 1);
        let line = Rc::new(Line::new(key, out));
        self.lines.borrow_mut().insert(key, Rc::downgrade(&line));
        line
    }

    /// A connection is over. What the wheel still has of it is a number only.
    pub(super) fn forget(&self, line: &Line) {
        let mut lines = self.lines.borrow_mut();
        lines.remove(&line.key);
        if lines.is_empty() {
            lines.shrink_to_fit();
        }
    }

    fn drain(self: &Rc<Self>, done: tokio::sync::oneshot::Sender<()>) {
        self.draining.set(true);
        let lines: Vec<_> =
            self.lines.borrow().values().filter_map(std::rc::Weak::upgrade).collect();
        let gone: Vec<_> = lines.iter().map(Rc::downgrade).collect();
        for line in lines {
            let condition = StreamCondition::SystemShutdown;
            line.tell(LineEvent::Close(StreamError::new(condition, "RFC 6120 §4.9.3.20")));
        }
        let waiting: Vec<_> = self.sessions.borrow().values().cloned().collect();
        for session in waiting {
            if session.borrow().line.is_none() {
                self.end_session(&session, Some("system-shutdown"));
            }
        }
        tokio::task::spawn_local(async move {
            while gone.iter().any(|line| line.strong_count() > 0) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let _ = done.send(());
        });
    }

    fn summary(&self) -> Summary {
        let sessions = self.sessions.borrow();
        let connected = sessions.values().filter(|s| s.borrow().line.is_some()).count();
        Summary { connected, waiting: sessions.len() - connected }
    }

    pub(super) fn id(&self) -> EdgeId {
        self.id
    }

    pub(super) fn has_neighbour(&self, edge: EdgeId) -> bool {
        usize::from(edge.0) < self.neighbours.len()
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    #[allow(
        clippy::unused_self,
        reason = "the clock is the edge's, and a test edge may have its own"
    )]
    pub(super) fn now(&self) -> Time {
        crate::outside::now()
    }
}
