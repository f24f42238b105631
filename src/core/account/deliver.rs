//! RFC 6121 §8.5: where a stanza for the account goes.

use super::feature::is_same_bare;
use super::presence::priority;
use super::{Account, AccountEffect, Effects};
use crate::session::SessionId;
use crate::{Condition, Ctx, Jid, Kind, Reject, Stanza, ns};

/// RFC 6121 §5.2.2: what an unknown type means is decided here, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageType {
    Normal,
    Chat,
    Groupchat,
    Headline,
    Error,
}

impl MessageType {
    pub(super) const ALL: [Self; 5] =
        [Self::Normal, Self::Chat, Self::Groupchat, Self::Headline, Self::Error];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Chat => "chat",
            Self::Groupchat => "groupchat",
            Self::Headline => "headline",
            Self::Error => "error",
        }
    }

    /// RFC 6121 §5.2.2: a missing or unknown type is `normal`.
    pub(super) fn of(message: &Stanza) -> Self {
        let name = message.type_().unwrap_or_default();
        Self::ALL.into_iter().find(|t| t.name() == name).unwrap_or(Self::Normal)
    }
}

/// What the `to` address of a stanza is to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The bare JID.
    Account,
    /// A full JID that is bound.
    Resource(SessionId),
    /// A full JID that is not.
    Gone,
}

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// To the resource it names.
    Resource(SessionId),
    /// To every available resource whose priority is not negative.
    Takers,
    /// Nobody can take it now: a feature may keep it, else it is refused.
    Keep,
    /// Back to the sender with `service-unavailable`.
    Refuse,
    /// Nothing, and the sender hears nothing.
    Ignore,
}

/// RFC 6121 §8.5 for messages, whole. `takers`: whether a resource takes messages for the bare JID.
pub(super) const fn fate(message: MessageType, at: At, takers: bool) -> Fate {
    use MessageType as M;
    match (message, at, takers) {
        // RFC 6121 §8.5.3.1
        (_, At::Resource(session), _) => Fate::Resource(session),
        // RFC 6121 §8.5.2.1.1, §8.5.2.2.1, §8.5.3.2.1: errors are never answered, and kept for
        // nobody.
        (M::Error, At::Account | At::Gone, _) => Fate::Ignore,
        // RFC 6121 §8.5.2.1.1, §8.5.2.2.1; for a resource that is gone, RFC 6121 §8.5.3.2.1 (b): a
        // room learns from the error that its occupant is a ghost.
        (M::Groupchat, At::Account | At::Gone, _) => Fate::Refuse,
        // RFC 6121 §8.5.2.1.1: all resources that are not negative.
        (M::Headline, At::Account, true) => Fate::Takers,
        // RFC 6121 §8.5.2.1.1, §8.5.2.2.1; RFC 6121 §8.5.3.2.1 (a).
        (M::Headline, At::Account | At::Gone, _) => Fate::Ignore,
        // RFC 6121 §8.5.3.2.1 (b)
        (M::Normal, At::Gone, _) => Fate::Refuse,
        // RFC 6121 §8.5.2.1.1 (b), and RFC 6121 §8.5.3.2.1 (b) for chat: see note.md.
        (M::Normal | M::Chat, At::Account, true) | (M::Chat, At::Gone, true) => Fate::Takers,
        // RFC 6121 §8.5.2.2.1, §8.5.3.2.1: offline storage or an error.
        (M::Normal | M::Chat, At::Account, false) | (M::Chat, At::Gone, false) => Fate::Keep,
    }
}

/// RFC 6121 §8.5.1: the answer to a stanza for an account that does not exist; `None` for silence.
pub fn no_such_account(stanza: &Stanza) -> Option<Stanza> {
    match stanza.kind() {
        Kind::Message | Kind::Iq => {
            stanza.error(&Reject::new(Condition::ServiceUnavailable, "RFC 6121 §8.5.1"))
        }
        // RFC 6121 §4.3.2: the same answer as a stranger gets from an account that exists.
        Kind::Presence if stanza.type_() == Some("probe") => {
            let (from, to) = (stanza.to()?.to_bare(), stanza.from()?.to_bare());
            let answer = Stanza::with_type(Kind::Presence, "unsubscribed");
            Some(answer.from_jid(from).to_jid(to))
        }
        Kind::Presence => None,
    }
}

/// What is wrong with a stanza by itself, wherever it goes.
pub(super) fn malformed(stanza: &Stanza) -> Option<Reject> {
    let bad = |rule| Some(Reject::new(Condition::BadRequest, rule));
    match (stanza.kind(), stanza.type_()) {
        (Kind::Message, _) => None,
        // RFC 6121 §4.7.1: there are no other types.
        // Our own client's broadcast; what others say of their priority is their server's business.
        (Kind::Presence, None) if stanza.to().is_none() => priority(stanza).err(),
        (Kind::Presence, None) => None,
        (Kind::Presence, Some(type_)) => {
            const TYPES: &[&str] = &[
                "unavailable",
                "subscribe",
                "subscribed",
                "unsubscribe",
                "unsubscribed",
                "probe",
                "error",
            ];
            if TYPES.contains(&type_) { None } else { bad("RFC 6121 §4.7.1") }
        }
        (Kind::Iq, Some("get" | "set")) => {
            let one = stanza.element().children().take(2).count() == 1;
            if one && stanza.id().is_some() { None } else { bad("RFC 6120 §8.2.3") }
        }
        (Kind::Iq, Some("result" | "error")) => None,
        (Kind::Iq, _) => bad("RFC 6120 §8.2.3"),
    }
}

impl Account {
    /// A stanza for the bare JID or a full JID of the account, from anybody.
    pub(super) fn deliver(&mut self, stanza: Stanza, ctx: &mut Ctx<'_>, out: &mut Effects) {
        debug_assert!(stanza.to().is_some_and(|to| is_same_bare(to, &self.jid)));
        if let Some(reject) = malformed(&stanza) {
            return self.refuse_malformed(&stanza, &reject, out);
        }
        let at = self.at(stanza.to());
        match stanza.kind() {
            Kind::Message => self.message_in(stanza, at, ctx, out),
            Kind::Presence => self.presence_in(stanza, at, ctx, out),
            Kind::Iq => self.iq_in(stanza, at, ctx, out),
        }
    }

    /// An IQ without a type known to RFC 6120 §8.2.3 is neither request nor answer, so
    /// [`Stanza::error`] would be silent about it.
    pub(super) fn refuse_malformed(&self, stanza: &Stanza, reject: &Reject, out: &mut Effects) {
        if stanza.kind() != Kind::Iq || stanza.is_request() {
            return self.refuse(stanza, reject, out);
        }
        let mut request = stanza.clone();
        request.element_mut().set_attr("type", "get");
        self.refuse(&request, reject, out);
    }

    fn at(&self, to: Option<&Jid>) -> At {
        let Some(Ok(full)) = to.map(Jid::try_as_full) else { return At::Account };
        self.resources.by_jid(full).map_or(At::Gone, |r| At::Resource(r.session))
    }

    fn message_in(&mut self, message: Stanza, at: At, ctx: &mut Ctx<'_>, out: &mut Effects) {
        let takers = self.resources.takers().next().is_some();
        match fate(MessageType::of(&message), at, takers) {
            Fate::Resource(session) => {
                out.push(AccountEffect::Deliver { session, stanza: message });
            }
            Fate::Takers => {
                self.copies.sent(&message, self.resources.takers().count());
                // RFC 6121 §8.5.2.1.1: `to` stays as it is.
                out.extend(self.resources.takers().map(|r| AccountEffect::Deliver {
                    session: r.session,
                    stanza: message.clone(),
                }));
            }
            Fate::Keep => self.keep(&message, ctx, out),
            Fate::Refuse => {
                let rule = "RFC 6121 §8.5.2.1.1";
                self.refuse(&message, &Reject::new(Condition::ServiceUnavailable, rule), out);
            }
            Fate::Ignore => {}
        }
    }

    fn keep(&mut self, message: &Stanza, ctx: &mut Ctx<'_>, out: &mut Effects) {
        let said = self.each_feature(ctx, out, |feature, turn| match feature.keep(message, turn) {
            Ok(false) => None,
            said => Some(said),
        });
        let rule = "RFC 6121 §8.5.2.2.1";
        match said.unwrap_or_else(|| Err(Reject::new(Condition::ServiceUnavailable, rule))) {
            Ok(_) => {}
            Err(reject) => self.refuse(message, &reject, out),
        }
    }

    /// What a session was sent and never acknowledged, as if it came for the bare JID now.
    pub(super) fn deliver_again(
        &mut self,
        mut stanza: Stanza,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        let own = |jid: Option<&Jid>| jid.is_none_or(|jid| is_same_bare(jid, &self.jid));
        match stanza.kind() {
            Kind::Message if !self.copies.lost(&stanza) => {}
            Kind::Message => {
                // A message to a full JID follows the rules of a resource that is gone, but a
                // `normal` one was accepted already and may not be refused now.
                if MessageType::of(&stanza) == MessageType::Normal {
                    stanza.set_to(Some(self.jid.clone().into()));
                }
                let at = self.at(stanza.to());
                self.message_in(stanza, at, ctx, out);
            }
            // Our own requests (roster pushes) need no answer: the next login asks for the roster.
            Kind::Iq if own(stanza.from()) => {}
            Kind::Iq => {
                let rule = "RFC 6121 §8.5.3.2.3";
                self.refuse(&stanza, &Reject::new(Condition::ServiceUnavailable, rule), out);
            }
            // Presence of the past is of no use; requests for a subscription are kept elsewhere.
            Kind::Presence => {}
        }
    }
}

/// Whether this is a request about a roster (RFC 6121 §2.1).
pub(super) fn is_roster(stanza: &Stanza) -> bool {
    stanza.payload().is_some_and(|payload| payload.is("query", ns::ROSTER))
}
