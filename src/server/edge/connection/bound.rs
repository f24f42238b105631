//! What a connection does once it has, or wants, a session.

use std::rc::Rc;
use std::time::Duration;

use oc_core::session::ToShard;
use oc_core::stream::{StreamAnswer, StreamInput};
use oc_core::{BareJid, Element, FullJid, Stanza};
use oc_xeps::sm::{self, Nonza, Resume, ResumeToken};

use super::{Connection, Ending};
use crate::edge::line::LineEvent;
use crate::edge::thread::Edge;
use crate::outside::{OsIds, ctx};

/// How long a resumption waits for stanzas that the shards still have.
const RESUME_PATIENCE: Duration = Duration::from_secs(5);

impl Connection {
    /// The client knows its resource.
    pub(super) fn bound(&mut self, jid: FullJid) {
        self.stream.settle();
        let now = self.edge.now();
        if let Some(session) = &self.session {
            let mut session = session.borrow_mut();
            session.jid = Some(jid);
            session.open(now);
        }
        self.edge.watch(&self.line, now.after(self.edge.shared().settings.load().idle_ping));
    }

    /// A request inside Bind 2's `<bind/>`, before the session opens.
    pub(super) fn inline(&self, el: &Element) -> Option<Element> {
        let session = self.session.as_ref()?;
        let mut session = session.borrow_mut();
        match Nonza::read(el) {
            Some(Ok(Nonza::Enable(enable))) if session.sm.is_none() => {
                let max = self.edge.shared().settings.load().resume;
                let (sm, enabled) =
                    sm::Session::enable(enable, session.id, max, &mut ctx(&mut OsIds));
                session.sm = Some(sm);
                Some(enabled)
            }
            Some(Ok(_)) => Some(sm::unexpected()),
            Some(Err(sm::Misuse::Failed(failed))) => Some(failed),
            Some(Err(sm::Misuse::Stream(_))) => None,
            None => {
                session.client_state(el, self.edge.now());
                None
            }
        }
    }

    /// An element that is not a stanza, from a client with a resource.
    pub(super) fn nonza(&mut self, el: &Element) {
        let Some(session) = self.session.clone() else { return };
        let Some(nonza) = Nonza::read(el) else {
            if session.borrow_mut().client_state(el, self.edge.now()) {
                return;
            }
            self.feed(StreamInput::End(oc_core::StreamError::new(
                oc_core::StreamCondition::UnsupportedStanzaType,
                "RFC 6120 §4.9.3.24",
            )));
            return;
        };
        let outcome = match nonza {
            Ok(Nonza::Enable(_)) => {
                let answer = self.inline(el);
                answer.into_iter().for_each(|el| self.line.put(&el));
                Ok(())
            }
            Ok(Nonza::Resume(_)) | Err(sm::Misuse::Failed(_)) => {
                self.line.put(&sm::unexpected());
                Ok(())
            }
            Ok(Nonza::Request) => {
                let session = session.borrow();
                // XEP-0198 #acking: answered at once, whatever is still under way.
                match &session.sm {
                    Some(sm) => session.put(&sm.answer()),
                    None => session.put(&sm::unexpected()),
                }
                Ok(())
            }
            Ok(Nonza::Ack(h)) => match &mut session.borrow_mut().sm {
                Some(sm) => sm.outbound.acknowledge(h).map(drop),
                None => Ok(()),
            },
            Err(sm::Misuse::Stream(error)) => Err(error),
        };
        if let Err(error) = outcome {
            self.feed(StreamInput::End(error));
        }
    }

    /// A stanza from the client goes to the shard of its account.
    pub(super) fn stanza(&mut self, stanza: Stanza) {
        let Some(session) = &self.session else { return };
        let now = self.edge.now();
        self.origin.pace.spend_stanza(now);
        self.be_woken_when_paced();
        self.edge.shared().metrics.stanzas_in.inc();
        let mut session = session.borrow_mut();
        let receipt = session.received(now);
        let Some(jid) = &session.jid else { return };
        let input = ToShard::FromClient { session: session.id, stanza, receipt: Some(receipt) };
        self.edge.shared().switchboard.to_shard(jid.to_bare(), input);
    }

    /// XEP-0198 #resumption: here, or at the edge that owns the session.
    pub(super) fn resume(&mut self, account: BareJid, request: Element) {
        let resume = match Resume::read(&request) {
            Ok(resume) => resume,
            Err(failed) => return self.line.tell(answer(Err(failed))),
        };
        let Some(token) = ResumeToken::parse(&resume.previd) else {
            return self.line.tell(answer(Err(sm::unknown_session(None))));
        };
        let owner = token.session().edge;
        if owner != self.edge.id() && self.edge.has_neighbour(owner) {
            let edge = usize::from(owner.0);
            self.ending = Some(Ending::Moved { edge, request, account });
            return;
        }
        let (edge, line) = (Rc::clone(&self.edge), Rc::clone(&self.line));
        tokio::task::spawn_local(async move {
            let outcome = take_over(&edge, &line, &account, &token, resume.h).await;
            line.tell(outcome);
        });
    }

    /// The session is this connection's now.
    pub(super) fn resumed(&mut self) {
        self.stream.settle();
        self.edge.shared().metrics.resumed.inc();
        let now = self.edge.now();
        if let Some(session) = self.edge.session_of(&self.line) {
            let again = std::mem::take(&mut session.borrow_mut().again);
            for bytes in again {
                self.line.put_stanza(&bytes);
            }
            session.borrow_mut().awake(now);
            self.session = Some(session);
        }
        self.edge.watch(&self.line, now.after(self.edge.shared().settings.load().idle_ping));
    }

    /// The session was found: this stream speaks for its address.
    pub(super) fn takes_address(&mut self) {
        if let Some(session) = self.edge.session_of(&self.line)
            && let Some(jid) = &session.borrow().jid
        {
            self.stream.resume_as(jid.clone());
        }
    }
}

fn answer(outcome: Result<Element, Element>) -> LineEvent {
    LineEvent::Answer(StreamAnswer::Resumed(outcome))
}

/// Finds the session, waits until nothing of it is under way, and ties it to the new line.
async fn take_over(
    edge: &Rc<Edge>,
    line: &Rc<crate::edge::line::Line>,
    account: &BareJid,
    token: &ResumeToken,
    h: u32,
) -> LineEvent {
    let unknown = || answer(Err(sm::unknown_session(None)));
    let Some(session) = edge.find(token.session().key) else { return unknown() };
    let fits = |session: &crate::edge::session::Session| {
        session.jid.as_ref().is_some_and(|jid| jid.to_bare() == *account)
            && session.sm.as_ref().is_some_and(|sm| sm.may_resume(token))
    };
    if !fits(&session.borrow()) {
        return unknown();
    }
    // The old connection is over, even if its socket does not know it yet.
    if let Some(old) = session.borrow_mut().line.take() {
        old.tell(LineEvent::Replaced);
    }
    let patience = tokio::time::Instant::now() + RESUME_PATIENCE;
    while session.borrow().sm.as_ref().is_some_and(|sm| sm.inbound.waiting() > 0)
        && tokio::time::Instant::now() < patience
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut session = session.borrow_mut();
    // It may have ended while we waited, or another connection may have been faster.
    if !fits(&session) || session.line.is_some() || edge.find(token.session().key).is_none() {
        return unknown();
    }
    let domain = account.domain().as_str();
    let outcome = session.sm.as_mut().map(|sm| sm.resume(h, domain));
    match outcome {
        Some(Ok((resumed, again))) => {
            line.session.set(Some(session.id.key));
            session.line = Some(Rc::clone(line));
            session.again = again;
            session.ends = None;
            answer(Ok(resumed))
        }
        Some(Err(error)) => {
            session.ends = Some(edge.now());
            LineEvent::Close(error)
        }
        None => unknown(),
    }
}
