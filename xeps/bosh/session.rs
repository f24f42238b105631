//! One BOSH session.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use oc_core::stream::StreamInput;
use oc_core::{Ctx, Element, StreamError, Time};

use super::body::{adopt, ending, header, is_true, recoverable, rid, terminal, write};
use super::{ANSWER_BYTES, Condition, Create, Effect, ExchangeId, NS, POLLING, Settings, XMPP_NS};

/// One client's stream over HTTP requests.
#[derive(Debug)]
pub struct Session {
    sid: String,
    create: Create,
    settings: Settings,
    /// The answer to the first request, until it has been given.
    creation: Option<Element>,
    /// The `rid` that comes next.
    next: u64,
    /// Requests that came before their turn.
    early: BTreeMap<u64, (ExchangeId, Element)>,
    /// Requests that wait for something to say, oldest first.
    held: VecDeque<Held>,
    /// The last answers, for clients that lost them (XEP-0124 #rids-broken).
    answered: VecDeque<(u64, Vec<u8>)>,
    /// Documents that wait for a request.
    pending: VecDeque<Vec<u8>>,
    pending_bytes: usize,
    /// The last words of the stream, for the next request.
    last_words: Option<Vec<u8>>,
    /// How long the session lives without a request, until the next one.
    patience: Duration,
    /// When the last answer was given or the last request came.
    last: Time,
    /// When an empty request was last answered with nothing (XEP-0124 #poll).
    empty_poll: Option<Time>,
    ended: bool,
}

#[derive(Debug)]
struct Held {
    rid: u64,
    exchange: ExchangeId,
    until: Time,
}

impl Session {
    /// Begins a session with its first request, which is answered when the stream offers its
    /// features.
    pub fn new(
        create: Create,
        body: &Element,
        exchange: ExchangeId,
        settings: Settings,
        ctx: &mut Ctx<'_>,
        out: &mut Vec<Effect>,
    ) -> Self {
        let sid = ctx.id();
        let mut this = Self {
            creation: None,
            next: create.rid + 1,
            early: BTreeMap::new(),
            held: VecDeque::new(),
            answered: VecDeque::new(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            last_words: None,
            patience: settings.inactivity,
            last: ctx.now,
            empty_poll: None,
            ended: false,
            sid,
            settings,
            create,
        };
        this.creation = Some(this.create.response(&this.sid, this.window(), &this.settings));
        out.push(Effect::Stream(StreamInput::Open(header(body, &this.create.to))));
        let until = ctx.now.after(this.create.wait.max(CREATION));
        this.held.push_back(Held { rid: this.create.rid, exchange, until });
        this
    }

    /// The session's name: unpredictable, and secret between us and its client.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Whether the stream should say more now; otherwise what is pending waits for a request.
    pub fn wants_more(&self) -> bool {
        self.pending_bytes < ANSWER_BYTES
    }

    /// When [`Self::tick`] is due.
    pub fn due(&self) -> Time {
        match self.held.front() {
            Some(held) => held.until,
            None => self.last.after(self.patience),
        }
    }

    /// XEP-0124 #rids-order: as many requests as may be under way at a time.
    fn window(&self) -> u64 {
        self.create.hold as u64 + 1
    }

    /// A request with this session's `sid`.
    pub fn request(
        &mut self,
        exchange: ExchangeId,
        body: Element,
        now: Time,
        out: &mut Vec<Effect>,
    ) {
        let Some(rid) = rid(&body).filter(|_| body.is("body", NS)) else {
            return self.refuse(exchange, Condition::BadRequest, out);
        };
        if rid < self.next || self.early.contains_key(&rid) {
            return self.again(rid, exchange, out);
        }
        // One more than the window, so that a client whose requests are all held can pause or end.
        if rid > self.next + self.window() {
            return self.refuse(exchange, Condition::ItemNotFound, out);
        }
        self.early.insert(rid, (exchange, body));
        while let Some((exchange, body)) = self.early.remove(&self.next) {
            self.next += 1;
            self.in_turn(exchange, &body, now, out);
            if self.ended {
                return;
            }
        }
    }

    /// XEP-0124 #rids-broken: a request that was already received.
    fn again(&mut self, rid: u64, exchange: ExchangeId, out: &mut Vec<Effect>) {
        let waiting = match self.held.iter_mut().find(|held| held.rid == rid) {
            Some(held) => Some(&mut held.exchange),
            None => self.early.get_mut(&rid).map(|(exchange, _)| exchange),
        };
        if let Some(waiting) = waiting {
            let older = std::mem::replace(waiting, exchange);
            out.push(Effect::Respond { exchange: older, body: recoverable() });
        } else if let Some((_, body)) = self.answered.iter().find(|(answered, _)| *answered == rid)
        {
            out.push(Effect::Respond { exchange, body: body.clone() });
        } else {
            self.refuse(exchange, Condition::ItemNotFound, out);
        }
    }

    fn in_turn(&mut self, exchange: ExchangeId, body: &Element, now: Time, out: &mut Vec<Effect>) {
        (self.last, self.patience) = (now, self.settings.inactivity);
        let terminates = body.attr("type") == Some("terminate");
        let pause =
            body.attr("pause").and_then(|pause| pause.parse().ok()).map(Duration::from_secs);
        let pause = pause.filter(|pause| *pause <= self.settings.max_pause);
        let restart = is_true(body.attr_ns(XMPP_NS, "restart"));
        let empty = body.children().next().is_none() && !restart && !terminates && pause.is_none();
        if self.polled_too_often(empty, now) {
            return self.refuse(exchange, Condition::PolicyViolation, out);
        }
        let rid = self.next - 1;
        self.held.push_back(Held { rid, exchange, until: now.after(self.create.wait) });
        if self.last_words.is_none() {
            if restart {
                let header = header(body, &self.create.to);
                out.push(Effect::Stream(StreamInput::Open(header)));
            } else {
                for mut child in body.children().cloned() {
                    adopt(&mut child);
                    out.push(Effect::Stream(StreamInput::Element(child)));
                }
            }
        }
        if terminates {
            out.push(Effect::Stream(StreamInput::Closed));
            return self.finish(None, out);
        }
        if let Some(pause) = pause {
            return self.pause(pause, now, out);
        }
        self.flush(now, out);
        if self.create.polls() && empty {
            let nothing = self.answered.back().is_some_and(|(_, body)| body.ends_with(b"/>"));
            self.empty_poll = nothing.then_some(now);
        }
    }

    /// XEP-0124 #poll: two empty requests in a row, the first of them answered with nothing.
    fn polled_too_often(&mut self, empty: bool, now: Time) -> bool {
        let before = self.empty_poll.take();
        empty && before.is_some_and(|before| now.since(before) < POLLING)
    }

    /// XEP-0124 #inactive: everything is answered, the pause request itself with nothing in it.
    fn pause(&mut self, pause: Duration, now: Time, out: &mut Vec<Effect>) {
        let own = self.held.pop_back();
        while !self.held.is_empty() {
            self.answer(now, out);
        }
        if let Some(held) = own {
            let body = write(&Element::new("body", NS), "", &[]);
            out.push(Effect::Respond { exchange: held.exchange, body });
        }
        self.patience = pause;
    }

    /// The response header of the stream.
    pub fn header(&mut self, header: &Element) {
        let Some(creation) = &mut self.creation else { return };
        if let Some(from) = header.attr("from") {
            creation.set_attr("from", from);
        }
        if let Some(id) = header.attr("id") {
            creation.set_attr("authid", id);
        }
    }

    /// The stream says something: a document with its namespaces declared.
    pub fn say(&mut self, document: Vec<u8>, now: Time, out: &mut Vec<Effect>) {
        self.pending_bytes += document.len();
        self.pending.push_back(document);
        self.flush(now, out);
    }

    /// The stream has ended. The client is told now or with its next request.
    pub fn end(&mut self, error: Option<&StreamError>, out: &mut Vec<Effect>) {
        self.pending_bytes = 0;
        let documents = std::mem::take(&mut self.pending).into();
        let body = ending(documents, error, self.creation.is_none());
        if self.held.is_empty() {
            self.last_words = Some(body);
        } else {
            self.finish(Some(body), out);
        }
    }

    /// A moment has passed.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Effect>) {
        if self.ended {
            return;
        }
        while self.held.front().is_some_and(|held| held.until <= now) {
            self.answer(now, out);
        }
        if self.held.is_empty() && now >= self.last.after(self.patience) {
            // XEP-0124 #inactive: without informing the client.
            for (_, (exchange, _)) in std::mem::take(&mut self.early) {
                let body = terminal(Some(Condition::ItemNotFound));
                out.push(Effect::Respond { exchange, body });
            }
            self.ended = true;
            out.push(Effect::Ended);
        }
    }

    /// Answers as many requests as there is something to say to, or as may not be held.
    fn flush(&mut self, now: Time, out: &mut Vec<Effect>) {
        if let Some(words) = self.last_words.take_if(|_| !self.held.is_empty()) {
            return self.finish(Some(words), out);
        }
        while !self.held.is_empty() {
            // The first request is held for the features, even for a client that polls.
            let allowed = if self.creation.is_some() { 1 } else { self.create.hold };
            let full = self.held.len() > allowed;
            let polls = self.create.polls() && self.creation.is_none();
            if self.pending.is_empty() && !full && !polls {
                return;
            }
            self.answer(now, out);
        }
    }

    /// Answers the oldest request with what is pending.
    fn answer(&mut self, now: Time, out: &mut Vec<Effect>) {
        let Some(held) = self.held.pop_front() else { return };
        let (mut documents, mut bytes) = (Vec::new(), 0);
        while bytes < ANSWER_BYTES
            && let Some(document) = self.pending.pop_front()
        {
            bytes += document.len();
            documents.push(document);
        }
        self.pending_bytes -= bytes;
        let body = match self.creation.take() {
            Some(creation) => write(&creation, &xmpp_attributes(), &documents),
            None => write(&Element::new("body", NS), "", &documents),
        };
        self.answered.push_back((held.rid, body.clone()));
        if self.answered.len() as u64 > self.window() {
            self.answered.pop_front();
        }
        self.last = now;
        out.push(Effect::Respond { exchange: held.exchange, body });
    }

    /// XEP-0124 #terminate: the oldest request hears of the end, the others get empty bodies.
    fn finish(&mut self, words: Option<Vec<u8>>, out: &mut Vec<Effect>) {
        let mut words = Some(words.unwrap_or_else(|| {
            let documents = std::mem::take(&mut self.pending).into();
            ending(documents, None, true)
        }));
        let held = std::mem::take(&mut self.held).into_iter().map(|held| held.exchange);
        let early = std::mem::take(&mut self.early).into_values().map(|(exchange, _)| exchange);
        for exchange in held.chain(early) {
            let empty = || write(&Element::new("body", NS), "", &[]);
            let body = words.take().unwrap_or_else(empty);
            out.push(Effect::Respond { exchange, body });
        }
        self.ended = true;
        out.push(Effect::Ended);
    }

    /// Ends the session with an error of the binding, told to the request that made it.
    fn refuse(&mut self, exchange: ExchangeId, condition: Condition, out: &mut Vec<Effect>) {
        out.push(Effect::Respond { exchange, body: terminal(Some(condition)) });
        self.finish(None, out);
    }
}

/// The attributes of XEP-0206 #create, with the prefix that clients look for.
fn xmpp_attributes() -> String {
    format!(" xmlns:xmpp='{XMPP_NS}' xmpp:version='1.0' xmpp:restartlogic='true'")
}

/// How long the first request waits for the features, whatever the client asked for.
const CREATION: Duration = Duration::from_secs(2);
