//! Which messages went to several resources at once, so that one lost copy is not delivered twice.
//!
//! A message for the bare JID goes to every resource that takes messages. When one of their
//! sessions ends with the message unacknowledged, the others have it; only the last copy must be
//! handled again.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{Stanza, limits};

/// The latest messages with several copies, and how many of each are not known to be lost.
#[derive(Debug, Default)]
pub(super) struct Copies {
    left: HashMap<u64, usize>,
    order: VecDeque<u64>,
}

impl Copies {
    /// A message goes to so many resources.
    pub(super) fn sent(&mut self, message: &Stanza, copies: usize) {
        if copies < 2 {
            return;
        }
        let print = fingerprint(message);
        if self.left.insert(print, copies).is_none() {
            self.order.push_back(print);
        }
        if self.order.len() > limits::MESSAGE_COPIES
            && let Some(oldest) = self.order.pop_front()
        {
            self.left.remove(&oldest);
        }
    }

    /// A copy was lost; says whether it was the last.
    pub(super) fn lost(&mut self, message: &Stanza) -> bool {
        if self.left.is_empty() {
            return true;
        }
        match self.left.get_mut(&fingerprint(message)) {
            Some(left) if *left > 1 => {
                *left -= 1;
                false
            }
            _ => true,
        }
    }
}

/// The same for equal stanzas within one process; not for storage.
pub fn fingerprint(stanza: &Stanza) -> u64 {
    let mut hasher = DefaultHasher::new();
    stanza.element().to_bytes().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn message(n: usize) -> Stanza {
        let mut message = Stanza::new(Kind::Message);
        message.element_mut().set_attr("id", n.to_string());
        message
    }

    #[test]
    fn copies_are_bounded_and_the_latest_stay() {
        let mut copies = Copies::default();
        for n in 0..2 * limits::MESSAGE_COPIES {
            copies.sent(&message(n), 2);
            // Only one copy: there is nothing to remember.
            copies.sent(&message(n + 1_000_000), 1);
        }
        assert_eq!(copies.left.len(), limits::MESSAGE_COPIES);
        assert_eq!(copies.order.len(), limits::MESSAGE_COPIES);
        let latest = message(2 * limits::MESSAGE_COPIES - 1);
        assert!(!copies.lost(&latest), "another has it");
        assert!(copies.lost(&latest), "the last copy");
        // One that was forgotten is rather handled twice than not at all.
        assert!(copies.lost(&message(0)));
    }
}
