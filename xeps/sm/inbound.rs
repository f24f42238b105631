//! What the peer sends us: how much we have taken responsibility for (XEP-0198 #acking).

use std::collections::VecDeque;

use oc_core::Time;

/// Counts the peer's stanzas. `h` advances over the longest unbroken run of stanzas that somebody
/// has called handled, in whatever order they did.
#[derive(Debug, Default)]
pub struct Inbound {
    /// Number of the last stanza up to which all are handled, modulo 2^32.
    h: u32,
    /// The stanzas behind `h`, oldest first: handled or not. The first is never handled.
    waiting: VecDeque<bool>,
    /// Since when the oldest waiting stanza has been holding `h`.
    since: Time,
}

impl Inbound {
    /// Unhandled stanzas beyond which the edge should stop reading the socket until some are
    /// handled.
    pub const WAITING_MAX: usize = 1024;

    /// A stream whose next stanza is number 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a stanza and gives its number: from 1, modulo 2^32.
    pub fn received(&mut self, now: Time) -> u32 {
        if self.waiting.is_empty() {
            self.since = now;
        }
        self.waiting.push_back(false);
        self.h.wrapping_add(self.waiting.len() as u32)
    }

    /// Somebody has taken responsibility for a stanza. A number that is not waiting (said twice, or
    /// of an older stream) changes nothing.
    pub fn handled(&mut self, nth: u32, now: Time) {
        let index = nth.wrapping_sub(self.h).wrapping_sub(1) as usize;
        let Some(done) = self.waiting.get_mut(index) else { return };
        *done = true;
        if index > 0 {
            return;
        }
        while self.waiting.front() == Some(&true) {
            self.waiting.pop_front();
            self.h = self.h.wrapping_add(1);
        }
        self.since = now;
        if self.waiting.is_empty() {
            self.waiting.shrink_to(IDLE_SLOTS);
        }
    }

    /// What we may claim now.
    pub fn h(&self) -> u32 {
        self.h
    }

    /// Stanzas received beyond `h`.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The stanza that holds `h`, and since when it has been the one that does.
    ///
    /// How long that may last is for the edge to bound: XEP-0198 #acking lets an answer wait for "a
    /// timeout" only, and one slow room must not make the whole stream look unheard.
    pub fn oldest_unhandled(&self) -> Option<(u32, Time)> {
        (!self.waiting.is_empty()).then(|| (self.h.wrapping_add(1), self.since))
    }

    /// The stream goes on over another connection: the client sends everything behind `h` again,
    /// under the same numbers, so what still waits is forgotten. Gives the `h` for `<resumed/>`.
    pub(super) fn resume(&mut self) -> u32 {
        self.waiting.clear();
        self.h
    }

    #[cfg(test)]
    pub(super) fn starting_at(h: u32) -> Self {
        Self { h, ..Self::default() }
    }
}

/// Slots kept for an idle stream; more are given back.
const IDLE_SLOTS: usize = 16;
