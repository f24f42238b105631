//! One client connection over TCP: reads, feeds the stream machine, carries out its effects,
//! writes.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use oc_core::auth::{AuthChannel, AuthId, AuthStep, ChannelBindings};
use oc_core::limits::{OUTBOX_BYTES, StreamLimits};
use oc_core::session::ToShard;
use oc_core::stream::{Stream, StreamAnswer, StreamEffect, StreamInput};
use oc_core::xml::{Event, Reader};
use oc_core::{BareJid, Element, StreamCondition, StreamError, Time, ns};
use tokio_rustls::rustls::ServerConnection;

use super::io::{Found, Io, Moving};
use super::line::{Framing, Line, LineEvent};
use super::pace::Pace;
use super::session::Session;
use super::settings::Peer;
use super::thread::{Edge, OsIds, ctx};
use crate::admission::Ticket;
use crate::tls::Acceptor;

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
    io: Io,
    reader: Reader,
    stream: Box<Stream>,
    session: Option<Rc<RefCell<Session>>>,
    line: Rc<Line>,
    peer: Peer,
    ticket: Ticket,
    pace: Pace,
    /// Names the authentication exchange of this connection.
    auth: AuthId,
    /// What TLS was begun with, until it is up.
    acceptor: Option<Acceptor>,
    header_sent: bool,
    /// Bytes that came while an answer was awaited.
    pending: Vec<u8>,
    /// When the peer was last heard.
    heard: Time,
    /// When it was asked whether it is there; it has not been heard since.
    asked: Option<Time>,
    ending: Option<Ending>,
}

/// A connection between two edges: everything but what belongs to a thread.
pub struct Migrant {
    io: Moving,
    reader: Reader,
    stream: Box<Stream>,
    out: Vec<u8>,
    pending: Vec<u8>,
    peer: Peer,
    ticket: Ticket,
    pace: Pace,
    auth: AuthId,
    request: Element,
    account: BareJid,
}

impl Connection {
    /// A connection that was just accepted.
    pub(super) fn new(
        edge: Rc<Edge>,
        tcp: tokio::net::TcpStream,
        peer: Peer,
        direct: bool,
        ticket: Ticket,
    ) -> io::Result<Self> {
        // Stanzas leave in one write already; waiting for more would only delay them.
        tcp.set_nodelay(true)?;
        let mut io = Io::new(tcp);
        let acceptor = direct.then(|| edge.shared().tls.c2s_direct());
        if let Some(acceptor) = &acceptor {
            let session = ServerConnection::new(Arc::clone(&acceptor.config));
            io.secure(session.map_err(io::Error::other)?);
        }
        let channel = AuthChannel {
            confidential: peer.plaintext,
            rate_key: crate::admission::rate_key(peer.address.ip()),
            ..AuthChannel::default()
        };
        let (now, line) = (edge.now(), Rc::new(Line::new(Framing::Stream)));
        let settings = edge.shared().settings.load();
        edge.watch(&line, now.after(settings.negotiation));
        edge.register(&line);
        Ok(Self {
            io,
            reader: Reader::new(ns::CLIENT, StreamLimits::UNAUTHENTICATED),
            stream: Box::new(Stream::new(edge.shared().features, channel)),
            session: None,
            line,
            peer,
            ticket,
            pace: Pace::new(&settings, now),
            auth: AuthId(u128::from_le_bytes(OsIds.bytes())),
            acceptor,
            header_sent: false,
            pending: Vec::new(),
            heard: now,
            asked: None,
            ending: None,
            edge,
        })
    }

    /// A connection that comes from another edge to resume a session of this one.
    pub(super) fn arrive(edge: Rc<Edge>, migrant: Migrant) -> io::Result<Self> {
        let (now, line) = (edge.now(), Rc::new(Line::new(Framing::Stream)));
        line.put_raw(&migrant.out);
        edge.watch(&line, now.after(edge.shared().settings.load().negotiation));
        edge.register(&line);
        let mut this = Self {
            io: Io::arrive(migrant.io)?,
            reader: migrant.reader,
            stream: migrant.stream,
            session: None,
            line,
            peer: migrant.peer,
            ticket: migrant.ticket,
            pace: migrant.pace,
            auth: migrant.auth,
            acceptor: None,
            header_sent: true,
            pending: migrant.pending,
            heard: now,
            asked: None,
            ending: None,
            edge,
        };
        this.resume(migrant.account, migrant.request);
        Ok(this)
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
                }
            }
            if matches!(self.ending, Some(Ending::Broken | Ending::Moved { .. })) {
                break;
            }
            let writing = self.line.waiting_bytes() > 0;
            let reading = self.reads();
            tokio::select! {
                ready = self.io.ready(reading, writing) => if ready.is_err() {
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
        let written = self.io.write(&mut out);
        self.edge.shared().metrics.bytes_out.inc_by((before - out.len()) as u64);
        written
    }

    /// Whether the socket is to be read now.
    fn reads(&self) -> bool {
        self.ending.is_none()
            && (self.stream.reads() || self.starting_tls())
            && !self.pace.exhausted()
            && self.line.waiting_bytes() < OUTBOX_BYTES
            && !self.session.as_ref().is_some_and(|s| s.borrow().busy())
    }

    fn read(&mut self) {
        if !self.pending.is_empty() && self.reads() {
            let pending = std::mem::take(&mut self.pending);
            self.take(&pending);
        }
        let edge = Rc::clone(&self.edge);
        let scratch = &mut edge.scratch.borrow_mut()[..];
        // A turn per connection is bounded, so that a fast sender does not hold its edge.
        for _ in 0..8 {
            if !self.reads() {
                return;
            }
            match self.io.read(scratch) {
                Ok(Found::Bytes(n)) => {
                    self.heard(n);
                    self.take(&scratch[..n]);
                }
                Ok(Found::Secured) => self.secured(),
                Ok(Found::Nothing) => break,
                Ok(Found::Closed) => {
                    self.ending.get_or_insert(Ending::Broken);
                    return;
                }
                Err(error) => {
                    if self.starting_tls() {
                        tracing::debug!(%error, "TLS handshake failed");
                        self.edge.shared().metrics.tls_failures.inc();
                    }
                    self.ending.get_or_insert(Ending::Broken);
                    return;
                }
            }
        }
        self.reader.rest();
    }

    fn heard(&mut self, bytes: usize) {
        self.heard = self.edge.now();
        self.asked = None;
        self.pace.spend_bytes(bytes, self.heard);
        self.edge.shared().metrics.bytes_in.inc_by(bytes as u64);
        self.be_woken_when_paced();
    }

    /// Feeds bytes to the reader and its events to the machine; what comes while an answer is
    /// awaited is kept for later.
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.ending.is_none() {
            if !self.stream.reads() {
                if self.starting_tls() {
                    // RFC 6120 §5.4.3.3: what came with the plain text may not count as encrypted.
                    let condition = StreamCondition::PolicyViolation;
                    self.break_off(&StreamError::new(condition, "RFC 6120 §5.4.3.3"));
                } else {
                    self.pending.extend_from_slice(bytes);
                }
                return;
            }
            let input = match self.reader.next(&mut bytes) {
                Ok(Some(Event::Open(header))) => StreamInput::Open(header),
                Ok(Some(Event::Element(el))) => StreamInput::Element(el),
                Ok(Some(Event::Close)) => StreamInput::Closed,
                Ok(Some(Event::Alive) | None) => continue,
                Err(error) => StreamInput::End(error),
            };
            self.feed(input);
        }
    }

    fn starting_tls(&self) -> bool {
        self.io.tls().is_some_and(|tls| tls.is_handshaking())
    }

    /// Ends a connection whose stream can no longer carry an error.
    fn break_off(&mut self, error: &StreamError) {
        tracing::info!(rule = error.rule, "connection broken off");
        self.edge.shared().metrics.stream_error(error.condition);
        self.line.out().borrow_mut().clear();
        self.ending = Some(Ending::Broken);
    }

    fn secured(&mut self) {
        let (Some(tls), Some(acceptor)) = (self.io.tls(), self.acceptor.take()) else { return };
        let mut key = [0u8; 32];
        // RFC 9266 §4: with TLS 1.2 only under the extended master secret, which the
        // configuration requires.
        let exporter = tls.export_keying_material(&mut key, b"EXPORTER-Channel-Binding", Some(b""));
        let bindings = ChannelBindings {
            exporter: exporter.ok().map(|key| *key),
            end_point: acceptor.end_point(tls.server_name()).map(<[u8]>::to_vec),
        };
        self.feed(StreamInput::Secured(bindings));
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
        self.pace.refill(now);
        if self.stream.jid().is_none() {
            if now >= self.ticket.since().after(settings.negotiation) {
                if self.header_sent && !self.starting_tls() {
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
        if self.pace.exhausted() {
            self.edge.watch(&self.line, self.edge.now());
        }
    }

    /// One input to the stream machine.
    fn feed(&mut self, input: StreamInput) {
        let mut effects = Vec::new();
        let shared = Arc::clone(self.edge.shared());
        self.stream.handle(input, &*shared, &mut ctx(&self.edge, &mut OsIds), &mut effects);
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: StreamEffect) {
        match effect {
            StreamEffect::Header(el) => self.header(&el),
            StreamEffect::Write(el) => self.line.put(&el),
            StreamEffect::StartTls => self.start_tls(),
            StreamEffect::Restart => self.restart(),
            StreamEffect::Limits(_) => {
                self.ticket.authenticated();
                self.reader.set_limits(self.edge.shared().settings.load().limits);
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

    fn header(&mut self, el: &Element) {
        let mut open = b"<?xml version='1.0'?>".to_vec();
        el.write(&mut open, ns::CLIENT);
        // The element is written closed; a stream header stays open and declares its namespaces.
        open.truncate(open.len() - 2);
        let namespaces = format!(" xmlns='{}' xmlns:stream='{}'>", ns::CLIENT, ns::STREAM);
        open.extend_from_slice(namespaces.as_bytes());
        self.line.put_raw(&open);
        self.header_sent = true;
    }

    fn start_tls(&mut self) {
        // `<proceed/>` must be out before the first TLS record; it is short, so it fits the socket.
        let proceeded = self.io.write(&mut self.line.out().borrow_mut());
        let acceptor = self.edge.shared().tls.c2s();
        match (proceeded, ServerConnection::new(Arc::clone(&acceptor.config))) {
            (Ok(true), Ok(session)) => self.io.secure(session),
            _ => self.ending = Some(Ending::Broken),
        }
        self.acceptor = Some(acceptor);
        self.restart();
    }

    fn restart(&mut self) {
        let limits = if self.stream.authenticated() {
            self.edge.shared().settings.load().limits
        } else {
            StreamLimits::UNAUTHENTICATED
        };
        self.reader = Reader::new(ns::CLIENT, limits);
        self.header_sent = false;
    }

    fn authenticate(&mut self, step: AuthStep) {
        if matches!(step, AuthStep::Begin { .. }) {
            // A new name for each exchange: nothing late of an old one can reach a new one.
            self.auth = AuthId(u128::from_le_bytes(OsIds.bytes()));
        }
        let abort = matches!(step, AuthStep::Abort);
        let (line, shared, id) = (Rc::clone(&self.line), Arc::clone(self.edge.shared()), self.auth);
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
            self.line.put(&error.to_element());
        }
        if self.header_sent {
            self.line.put_raw(b"</stream:stream>");
        }
        self.ending.get_or_insert(Ending::Closed(error.map(|e| e.condition.name())));
    }

    /// Leaves: tells the shards, or keeps the session for a resumption.
    async fn finish(mut self) {
        let session = self.session.take();
        match self.ending.take().unwrap_or(Ending::Broken) {
            Ending::Moved { edge, request, account } => {
                let out = std::mem::take(&mut *self.line.out().borrow_mut());
                let Ok(io) = self.io.leave() else { return };
                self.edge.send_away(
                    edge,
                    Migrant {
                        io,
                        reader: self.reader,
                        stream: self.stream,
                        out,
                        pending: self.pending,
                        peer: self.peer,
                        ticket: self.ticket,
                        pace: self.pace,
                        auth: self.auth,
                        request,
                        account,
                    },
                );
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
        self.io.close();
        // RFC 6120 §4.4: the peer may still be sending; closing now with unread bytes would reset
        // the connection and take the error with it.
        linger(&mut self.io).await;
    }
}

/// Reads and forgets what the peer still sends, for a moment.
async fn linger(io: &mut Io) {
    let mut rest = [0u8; 1024];
    let deadline = tokio::time::sleep(std::time::Duration::from_millis(500));
    tokio::pin!(deadline);
    let mut allowance = 64;
    while allowance > 0 {
        allowance -= 1;
        tokio::select! {
            () = &mut deadline => return,
            ready = io.ready(true, false) => if ready.is_err() { return },
        }
        match io.read(&mut rest) {
            Ok(Found::Bytes(_) | Found::Nothing | Found::Secured) => {}
            Ok(Found::Closed) | Err(_) => return,
        }
    }
}

mod bound;
