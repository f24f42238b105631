//! One client connection: reads, feeds the stream machine, carries out its effects, writes.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use oc_core::auth::{AuthChannel, AuthId, AuthStep, ChannelBindings};
use oc_core::limits::OUTBOX_BYTES;
use oc_core::session::ToShard;
use oc_core::stream::{Stream, StreamAnswer, StreamEffect, StreamInput};
use oc_core::{BareJid, Element, StreamCondition, StreamError, Time, ns};

use super::line::{Line, LineEvent};
use super::message::{MessageStream, Outgoing};
use super::outbox::Outbox;
use super::pace::Pace;
use super::session::Session;
use super::settings::Peer;
use super::thread::Edge;
use crate::admission::Ticket;
use crate::outside::{OsIds, ctx};
use transport::{Journey, Messages, Tcp, Transport};

mod bound;
mod reading;
mod transport;

/// How a connection ends.
enum Ending {
    /// The stream was closed by agreement or by an error: the session ends too.
    Closed(Option<&'static str>),
    /// The bytes stopped: the session waits for its client if it can.
    Broken,
    /// A newer connection has the session.
    Replaced,
    /// The connection goes on at the edge that owns its session.
    Moved { edge: usize, request: Element, account: BareJid },
}

/// A client's connection on its edge.
pub(super) struct Connection {
    edge: Rc<Edge>,
    transport: Transport,
    stream: Box<Stream>,
    session: Option<Rc<RefCell<Session>>>,
    line: Rc<Line>,
    origin: Origin,
    header_sent: bool,
    /// When the peer was last heard.
    heard: Time,
    /// When it was asked whether it is there; it has not been heard since.
    asked: Option<Time>,
    ending: Option<Ending>,
}

/// What is counted of a connection, wherever it goes.
struct Origin {
    ticket: Ticket,
    pace: Pace,
    /// Names the authentication exchange of this connection.
    auth: AuthId,
}

/// A connection between two edges: everything but what belongs to a thread.
pub struct Migrant {
    transport: Journey,
    stream: Box<Stream>,
    out: Outbox,
    origin: Origin,
    request: Element,
    account: BareJid,
}

impl Connection {
    /// A TCP connection that was just accepted.
    pub(super) fn over_tcp(
        edge: Rc<Edge>,
        tcp: tokio::net::TcpStream,
        peer: Peer,
        direct: bool,
        ticket: Ticket,
    ) -> io::Result<Self> {
        let acceptor = direct.then(|| edge.shared().tls.c2s_direct());
        let transport = Transport::Tcp(Tcp::new(tcp, acceptor)?);
        Ok(Self::new(edge, transport, Outbox::bytes(), peer, ticket))
    }

    /// Messages from a client that has just come to the HTTP listener.
    pub(super) fn over_messages(
        edge: Rc<Edge>,
        stream: MessageStream,
        peer: Peer,
        ticket: Ticket,
    ) -> Self {
        let transport = Transport::Messages(Messages::new(stream));
        let mut this = Self::new(edge, transport, Outbox::messages(), peer, ticket);
        // RFC 7395 §3.9: TLS is the transport's business, and its bindings are not ours to know.
        this.feed(StreamInput::Secured(ChannelBindings::default()));
        this
    }

    fn new(edge: Rc<Edge>, transport: Transport, out: Outbox, peer: Peer, ticket: Ticket) -> Self {
        let channel = AuthChannel {
            confidential: peer.plaintext,
            rate_key: crate::admission::rate_key(peer.address.ip()),
            ..AuthChannel::default()
        };
        let stream = Box::new(Stream::new(edge.shared().features, channel));
        let settings = edge.shared().settings.load_full();
        let pace = Pace::new(&settings, edge.now());
        let auth = AuthId(u128::from_le_bytes(OsIds.bytes()));
        Self::on_edge(edge, transport, stream, out, Origin { ticket, pace, auth })
    }

    /// A connection that comes from another edge to resume a session of this one.
    pub(super) fn arrive(edge: Rc<Edge>, migrant: Migrant) -> io::Result<Self> {
        let transport = Transport::arrive(migrant.transport)?;
        let mut this = Self::on_edge(edge, transport, migrant.stream, migrant.out, migrant.origin);
        this.header_sent = true;
        this.resume(migrant.account, migrant.request);
        Ok(this)
    }

    fn on_edge(
        edge: Rc<Edge>,
        transport: Transport,
        stream: Box<Stream>,
        out: Outbox,
        origin: Origin,
    ) -> Self {
        let (now, line) = (edge.now(), edge.line(out));
        edge.watch(&line, now.after(edge.shared().settings.load().negotiation));
        Self {
            transport,
            stream,
            session: None,
            line,
            origin,
            header_sent: false,
            heard: now,
            asked: None,
            ending: None,
            edge,
        }
    }

    /// What the connection shares with its edge.
    pub(super) fn line(&self) -> &Rc<Line> {
        &self.line
    }

    /// Runs until the connection is over.
    pub(super) async fn run(mut self) {
        loop {
            while let Some(event) = self.line.event() {
                self.event(event);
            }
            if self.ending.is_none() {
                self.read();
            }
            if let Some(session) = &self.session {
                session.borrow_mut().ask(self.edge.now());
            }
            match self.write() {
                Ok(true) if self.ending.is_some() => break,
                Ok(_) => {}
                Err(_) => {
                    self.ending.get_or_insert(Ending::Broken);
                    break;
                }
            }
            if matches!(self.ending, Some(Ending::Broken | Ending::Moved { .. })) {
                break;
            }
            let writing = !self.line.out().borrow().is_empty();
            let reading = self.reads();
            tokio::select! {
                ready = self.transport.ready(reading, writing) => if ready.is_err() {
                    self.ending.get_or_insert(Ending::Broken);
                },
                () = self.line.woken() => {}
            }
        }
        // Boxed, so that a live connection does not carry the room that only its end needs.
        Box::pin(self.finish()).await;
    }

    /// Writes what the turn has produced; true when all of it has left.
    fn write(&mut self) -> io::Result<bool> {
        let mut out = self.line.out().borrow_mut();
        let before = out.len();
        let written = self.transport.write(&mut out);
        self.edge.shared().metrics.bytes_out.inc_by((before - out.len()) as u64);
        written
    }

    /// Whether the socket is to be read now.
    fn reads(&self) -> bool {
        self.ending.is_none()
            && (self.stream.reads() || self.transport.starting_tls())
            && !self.origin.pace.exhausted()
            && self.line.waiting_bytes() < OUTBOX_BYTES
            && !self.session.as_ref().is_some_and(|s| s.borrow().busy())
    }

    fn heard(&mut self, bytes: usize) {
        self.heard = self.edge.now();
        self.asked = None;
        self.origin.pace.spend_bytes(bytes, self.heard);
        self.edge.shared().metrics.bytes_in.inc_by(bytes as u64);
        self.be_woken_when_paced();
    }

    /// Ends a connection whose stream can no longer carry an error.
    fn break_off(&mut self, error: &StreamError) {
        tracing::info!(rule = error.rule, "connection broken off");
        self.edge.shared().metrics.stream_error(error.condition);
        self.line.out().borrow_mut().clear();
        self.ending = Some(Ending::Broken);
    }

    fn event(&mut self, event: LineEvent) {
        match event {
            LineEvent::Answer(answer) => {
                if matches!(answer, StreamAnswer::Resumed(Ok(_))) {
                    self.takes_address();
                }
                self.feed(StreamInput::Answer(answer));
            }
            LineEvent::Close(error) => self.feed(StreamInput::End(error)),
            LineEvent::Replaced => {
                self.session = None;
                let condition = StreamCondition::Conflict;
                let error = StreamError::new(condition, "XEP-0198 #resumption")
                    .text("resumed on another connection");
                self.feed(StreamInput::End(error));
                self.ending = Some(Ending::Replaced);
            }
            LineEvent::Stalled => {
                self.line.out().borrow_mut().clear();
                self.ending.get_or_insert(Ending::Broken);
            }
            LineEvent::Due => self.due(),
        }
    }

    /// The deadline has come that was set last: login, pause, silence or an unanswered question.
    fn due(&mut self) {
        let (now, settings) = (self.edge.now(), self.edge.shared().settings.load_full());
        self.origin.pace.refill(now);
        if self.stream.jid().is_none() {
            if now >= self.origin.ticket.since().after(settings.negotiation) {
                if self.header_sent && !self.transport.starting_tls() {
                    self.feed(StreamInput::Overdue);
                } else {
                    self.ending.get_or_insert(Ending::Broken);
                }
            }
            return self.edge.watch(&self.line, now.after(settings.negotiation));
        }
        let quiet_until = self.heard.after(settings.idle_ping);
        match self.asked {
            Some(asked) if now >= asked.after(settings.ping_timeout) => {
                tracing::debug!(rule = "RFC 6120 §4.6.4", "silent client");
                self.ending.get_or_insert(Ending::Broken);
            }
            Some(asked) => self.edge.watch(&self.line, asked.after(settings.ping_timeout)),
            None if now >= quiet_until => {
                self.asked = Some(now);
                self.ask_whether_there();
                self.edge.watch(&self.line, now.after(settings.ping_timeout));
            }
            None => self.edge.watch(&self.line, quiet_until),
        }
    }

    /// RFC 6120 §4.6.1: an `<r/>` where stream management is on, a ping (XEP-0199) elsewhere.
    fn ask_whether_there(&self) {
        let Some(session) = &self.session else { return };
        let session = session.borrow();
        if session.sm.is_some() {
            session.put(&oc_xeps::sm::request());
        } else if let Some(jid) = &session.jid {
            let domain = jid.domain().as_str();
            let id = oc_core::Ctx { now: self.heard, ids: &mut OsIds }.id();
            let ping = Element::new("iq", ns::CLIENT)
                .with_attr("type", "get")
                .with_attr("from", domain)
                .with_attr("to", jid.as_str())
                .with_attr("id", id)
                .with_child(Element::new("ping", oc_xeps::ping::NS));
            session.put(&ping);
        }
    }

    fn be_woken_when_paced(&self) {
        if self.origin.pace.exhausted() {
            self.edge.watch(&self.line, self.edge.now());
        }
    }

    /// One input to the stream machine.
    fn feed(&mut self, input: StreamInput) {
        let mut effects = Vec::new();
        let shared = Arc::clone(self.edge.shared());
        self.stream.handle(input, &*shared, &mut ctx(&mut OsIds), &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: StreamEffect) {
        match effect {
            StreamEffect::Header(el) => {
                self.line.out().borrow_mut().open(&el);
                self.header_sent = true;
            }
            StreamEffect::Write(el) => self.line.put(&el),
            StreamEffect::StartTls => self.start_tls(),
            StreamEffect::Restart => self.restart(),
            StreamEffect::Limits(_) => {
                self.origin.ticket.authenticated();
                let limits = self.edge.shared().settings.load().limits;
                self.transport.set_limits(limits);
                self.line.out().borrow_mut().push(Outgoing::Limits(limits));
            }
            StreamEffect::Auth(step) => self.authenticate(step),
            StreamEffect::Identity(command) => {
                let (line, shared) = (Rc::clone(&self.line), Arc::clone(self.edge.shared()));
                tokio::task::spawn_local(async move {
                    let answer = shared.identity.command(command).await;
                    line.tell(LineEvent::Answer(StreamAnswer::Identity(answer)));
                });
            }
            StreamEffect::Attach { account, resource } => {
                let session = self.edge.attach(&self.line);
                let id = session.borrow().id;
                self.session = Some(session);
                let attach = ToShard::Attach { session: id, account: account.clone(), resource };
                self.edge.shared().switchboard.to_shard(account, attach);
            }
            StreamEffect::Inline(requests) => {
                let answers = requests.iter().filter_map(|el| self.inline(el)).collect();
                self.feed(StreamInput::Answer(StreamAnswer::Inline(answers)));
            }
            StreamEffect::Resume { account, request } => self.resume(account, request),
            StreamEffect::Bound(jid) => self.bound(jid),
            StreamEffect::Resumed => self.resumed(),
            StreamEffect::Stanza(stanza) => self.stanza(stanza),
            StreamEffect::Nonza(el) => self.nonza(&el),
            StreamEffect::End(error) => self.end(error),
        }
    }

    fn authenticate(&mut self, step: AuthStep) {
        if matches!(step, AuthStep::Begin { .. }) {
            // A new name for each exchange: nothing late of an old one can reach a new one.
            self.origin.auth = AuthId(u128::from_le_bytes(OsIds.bytes()));
        }
        let abort = matches!(step, AuthStep::Abort);
        let (line, shared, id) =
            (Rc::clone(&self.line), Arc::clone(self.edge.shared()), self.origin.auth);
        tokio::task::spawn_local(async move {
            let reply = shared.identity.auth(id, step).await;
            if !abort {
                shared.metrics.auth(&reply);
                line.tell(LineEvent::Answer(StreamAnswer::Auth(reply)));
            }
        });
    }

    fn end(&mut self, error: Option<StreamError>) {
        if let Some(error) = &error {
            tracing::info!(
                condition = error.condition.name(),
                rule = error.rule,
                text = error.text.as_deref(),
                "stream ended by error"
            );
            self.edge.shared().metrics.stream_error(error.condition);
            self.line.out().borrow_mut().put_error(error);
        }
        if self.header_sent {
            self.line.out().borrow_mut().close();
        }
        self.ending.get_or_insert(Ending::Closed(error.map(|e| e.condition.name())));
    }

    /// Leaves: tells the shards, or keeps the session for a resumption.
    async fn finish(mut self) {
        let session = self.session.take();
        match self.ending.take().unwrap_or(Ending::Broken) {
            Ending::Moved { edge, request, account } => {
                let out = self.line.take_out();
                let Ok(transport) = self.transport.leave() else { return };
                let (stream, origin) = (self.stream, self.origin);
                let migrant = Migrant { transport, stream, out, origin, request, account };
                self.edge.send_away(edge, migrant);
                return;
            }
            Ending::Closed(reason) => {
                if let Some(session) = session {
                    self.edge.end_session(&session, reason);
                }
            }
            Ending::Broken => {
                if let Some(session) = session {
                    self.edge.disconnected(&session);
                }
            }
            Ending::Replaced => {}
        }
        self.transport.close().await;
    }
}
