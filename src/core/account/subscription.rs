//! RFC 6121 Appendix A: the states of a subscription between the account and one contact, and what
//! each of the four subscription stanzas does to them. This table decides; nobody else does.

/// What a subscription stanza says (RFC 6121 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `subscribe`: may I see your presence?
    Subscribe,
    /// `subscribed`: you may see mine.
    Subscribed,
    /// `unsubscribe`: I do not want to see yours any more.
    Unsubscribe,
    /// `unsubscribed`: you may not see mine (any more).
    Unsubscribed,
}

impl Ask {
    /// All four.
    pub const ALL: [Self; 4] =
        [Self::Subscribe, Self::Subscribed, Self::Unsubscribe, Self::Unsubscribed];

    /// The value of the presence stanza's `type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribe => "unsubscribe",
            Self::Unsubscribed => "unsubscribed",
        }
    }

    /// The stanza type of this name, if it is one of the four.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ask| ask.name() == name)
    }
}

/// The state between the account and one contact, as four facts (RFC 6121 §A.1).
///
/// The nine states of the RFC are the combinations with neither `to` and `pending_out` nor `from`
/// and `pending_in` together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// The account sees the contact's presence.
    pub to: bool,
    /// The contact sees the account's presence.
    pub from: bool,
    /// The account has asked and has no answer.
    pub pending_out: bool,
    /// The contact has asked and has no answer.
    pub pending_in: bool,
}

/// What a server does with a subscription stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether the stanza goes on: outbound to the contact, inbound to the account's resources.
    pub pass: bool,
    /// The state from now on.
    pub state: State,
}

impl State {
    /// The value of a roster item's `subscription` attribute (RFC 6121 §2.1.2.5).
    pub const fn name(self) -> &'static str {
        match (self.to, self.from) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }

    /// The state in which a roster item with these attributes is; `None` for values never written.
    pub fn from_names(subscription: &str, ask: Option<&str>) -> Option<Self> {
        let (to, from) = match subscription {
            "none" => (false, false),
            "to" => (true, false),
            "from" => (false, true),
            "both" => (true, true),
            _ => return None,
        };
        Some(Self { to, from, pending_out: !to && ask == Some("subscribe"), pending_in: false })
    }

    /// The account sends a subscription stanza (RFC 6121 §A.2).
    #[must_use]
    pub fn outbound(self, ask: Ask) -> Step {
        match ask {
            // RFC 6121 §A.2.1: always goes on.
            Ask::Subscribe => Step { pass: true, state: Self { pending_out: !self.to, ..self } },
            // RFC 6121 §A.2.2: always goes on.
            Ask::Unsubscribe => {
                Step { pass: true, state: Self { to: false, pending_out: false, ..self } }
            }
            // RFC 6121 §A.2.3: only as an answer.
            Ask::Subscribed if self.pending_in => {
                Step { pass: true, state: Self { from: true, pending_in: false, ..self } }
            }
            Ask::Subscribed => Step { pass: false, state: self },
            // RFC 6121 §A.2.4: only if there is something to refuse or to cancel.
            Ask::Unsubscribed => Step {
                pass: self.from || self.pending_in,
                state: Self { from: false, pending_in: false, ..self },
            },
        }
    }

    /// The contact has sent a subscription stanza (RFC 6121 §A.3).
    #[must_use]
    pub fn inbound(self, ask: Ask) -> Step {
        match ask {
            // RFC 6121 §A.3.1: once, and not if the answer is known already.
            Ask::Subscribe => Step {
                pass: !self.from && !self.pending_in,
                state: Self { pending_in: !self.from, ..self },
            },
            // RFC 6121 §A.3.2
            Ask::Unsubscribe => Step {
                pass: self.from || self.pending_in,
                state: Self { from: false, pending_in: false, ..self },
            },
            // RFC 6121 §A.3.3: only as an answer, or anybody could push themselves into a roster.
            Ask::Subscribed if self.pending_out => {
                Step { pass: true, state: Self { to: true, pending_out: false, ..self } }
            }
            Ask::Subscribed => Step { pass: false, state: self },
            // RFC 6121 §A.3.4
            Ask::Unsubscribed => Step {
                pass: self.to || self.pending_out,
                state: Self { to: false, pending_out: false, ..self },
            },
        }
    }
}
