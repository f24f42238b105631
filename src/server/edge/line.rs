//! What a connection's task shares with the rest of its edge thread: its outbox, its wake-up, its
//! inbox.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use oc_core::stream::StreamAnswer;
use oc_core::{Element, StreamError, Time};
use tokio::sync::Notify;

/// How a transport spells elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One XML document for the whole stream (RFC 6120 §4).
    Stream,
    /// Each element a document of its own (RFC 7395 §3.3.3, XEP-0206).
    Messages,
}

/// What happens to a connection from outside its socket.
#[derive(Debug)]
pub(super) enum LineEvent {
    /// The answer to something that the stream asked for.
    Answer(StreamAnswer),
    /// The stream must end with this error; the session ends with it.
    Close(StreamError),
    /// The session has moved to a newer connection; only this one ends.
    Replaced,
    /// The outbox was not taken in time: break the connection, keep the session if it can be
    /// resumed.
    Stalled,
    /// The moment in `due` has come.
    Due,
}

/// One connection, as its edge sees it.
pub(super) struct Line {
    pub(super) framing: Framing,
    wake: Notify,
    events: RefCell<VecDeque<LineEvent>>,
    /// What waits for the socket; for [`Framing::Messages`] with the end of each message in `ends`.
    out: RefCell<Vec<u8>>,
    ends: RefCell<VecDeque<usize>>,
    /// Key of the session that was resumed on this connection.
    pub(super) session: Cell<Option<u64>>,
    /// When the connection wants to be woken next.
    due: Cell<Time>,
}

impl Line {
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            framing,
            wake: Notify::new(),
            events: RefCell::default(),
            out: RefCell::default(),
            ends: RefCell::default(),
            session: Cell::new(None),
            due: Cell::default(),
        }
    }

    /// Tells the connection's task, now.
    pub(super) fn tell(&self, event: LineEvent) {
        self.events.borrow_mut().push_back(event);
        self.wake.notify_one();
    }

    pub(super) fn event(&self) -> Option<LineEvent> {
        let mut events = self.events.borrow_mut();
        let event = events.pop_front();
        if event.is_none() && events.capacity() > 0 {
            *events = VecDeque::new();
        }
        event
    }

    /// Wakes the task, to write what has been put into the outbox.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Puts an element into the outbox.
    pub(super) fn put(&self, el: &Element) {
        let mut out = self.out.borrow_mut();
        match self.framing {
            Framing::Stream => el.write(&mut out, oc_core::ns::CLIENT),
            Framing::Messages => {
                out.extend_from_slice(&document(el));
                self.ends.borrow_mut().push_back(out.len());
            }
        }
    }

    /// Puts a stanza's canonical bytes into the outbox.
    pub(super) fn put_stanza(&self, bytes: &[u8]) {
        let mut out = self.out.borrow_mut();
        match self.framing {
            Framing::Stream => out.extend_from_slice(bytes),
            Framing::Messages => {
                declare(bytes, &mut out);
                self.ends.borrow_mut().push_back(out.len());
            }
        }
    }

    /// Puts text that is not an element: a stream header or end on TCP.
    pub(super) fn put_raw(&self, bytes: &[u8]) {
        self.out.borrow_mut().extend_from_slice(bytes);
        if self.framing == Framing::Messages {
            self.ends.borrow_mut().push_back(self.out.borrow().len());
        }
    }

    pub(super) fn out(&self) -> &RefCell<Vec<u8>> {
        &self.out
    }

    /// The oldest whole message in the outbox.
    pub(super) fn next_message(&self) -> Option<Vec<u8>> {
        let mut ends = self.ends.borrow_mut();
        let end = ends.pop_front()?;
        let message = self.out.borrow_mut().drain(..end).collect();
        for later in ends.iter_mut() {
            *later -= end;
        }
        Some(message)
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.out.borrow().len()
    }

    pub(super) fn due(&self) -> Time {
        self.due.get()
    }

    pub(super) fn set_due(&self, due: Time) {
        self.due.set(due);
    }
}

fn document(el: &Element) -> Vec<u8> {
    el.to_document()
}

fn declare(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(bytes);
}
