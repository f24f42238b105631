//! What a connection's task shares with the rest of its edge thread: its outbox, its wake-up, its
//! inbox.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use oc_core::stream::StreamAnswer;
use oc_core::{Element, StreamError, Time};
use tokio::sync::Notify;

use super::outbox::Outbox;

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
    /// Its number on its edge, never used twice.
    pub(super) key: u64,
    wake: Notify,
    events: RefCell<VecDeque<LineEvent>>,
    /// What waits for the transport.
    out: RefCell<Outbox>,
    /// Key of the session that was resumed on this connection.
    pub(super) session: Cell<Option<u64>>,
    /// When the connection wants to be woken next.
    due: Cell<Time>,
}

impl Line {
    pub(super) fn new(key: u64, out: Outbox) -> Self {
        Self {
            key,
            wake: Notify::new(),
            events: RefCell::default(),
            out: RefCell::new(out),
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
        self.out.borrow_mut().put(el);
    }

    /// Puts a stanza's canonical bytes into the outbox.
    pub(super) fn put_stanza(&self, bytes: &[u8]) {
        self.out.borrow_mut().put_stanza(bytes);
    }

    pub(super) fn out(&self) -> &RefCell<Outbox> {
        &self.out
    }

    /// What waits, taken out; the line must not be used after.
    pub(super) fn take_out(&self) -> Outbox {
        self.out.replace(Outbox::bytes())
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
