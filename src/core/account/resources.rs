//! The bound sessions of an account: what each has said of its presence, and what it wants to hear.

use std::collections::BTreeSet;

use crate::session::SessionId;
use crate::{BareJid, Condition, limits};
use crate::{Ctx, FullJid, Jid, Reject, Stanza};

/// A bound session: a *connected resource* of RFC 6121; with a presence an *available resource*.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) session: SessionId,
    pub(super) jid: FullJid,
    /// The last presence broadcast; `None` before the initial one and after an unavailable one.
    pub(super) presence: Option<Presence>,
    /// It has asked for the roster, so it gets pushes (RFC 6121 §2.2).
    pub(super) interested: bool,
    /// Who was told by directed presence that it is available (RFC 6121 §4.6.3).
    pub(super) directed: BTreeSet<Jid>,
}

/// What an available resource has said of itself.
#[derive(Debug)]
pub(super) struct Presence {
    /// As it was sent, `from` set, without `to`.
    pub(super) stanza: Stanza,
    /// RFC 6121 §4.7.2.3: -128 to 127.
    pub(super) priority: i8,
}

impl Resource {
    /// Whether messages for the bare JID come here: available, and the priority is not negative
    /// (RFC 6121 §4.7.2.3).
    pub(super) fn takes_messages(&self) -> bool {
        self.presence.as_ref().is_some_and(|p| p.priority >= 0)
    }
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(super) struct Resources(Vec<Resource>);

impl Resources {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.0.iter()
    }

    pub(super) fn by_session(&self, session: SessionId) -> Option<&Resource> {
        self.0.iter().find(|r| r.session == session)
    }

    pub(super) fn by_session_mut(&mut self, session: SessionId) -> Option<&mut Resource> {
        self.0.iter_mut().find(|r| r.session == session)
    }

    pub(super) fn by_jid(&self, jid: &FullJid) -> Option<&Resource> {
        self.0.iter().find(|r| r.jid == *jid)
    }

    pub(super) fn by_jid_mut(&mut self, jid: &FullJid) -> Option<&mut Resource> {
        self.0.iter_mut().find(|r| r.jid == *jid)
    }

    pub(super) fn available(&self) -> impl Iterator<Item = (&Resource, &Presence)> {
        self.0.iter().filter_map(|r| r.presence.as_ref().map(|p| (r, p)))
    }

    pub(super) fn interested(&self) -> impl Iterator<Item = &Resource> {
        self.0.iter().filter(|r| r.interested)
    }

    pub(super) fn takers(&self) -> impl Iterator<Item = &Resource> {
        self.0.iter().filter(|r| r.takes_messages())
    }

    pub(super) fn remove(&mut self, session: SessionId) -> Option<Resource> {
        let at = self.0.iter().position(|r| r.session == session)?;
        Some(self.0.remove(at))
    }

    /// The address a new session gets (RFC 6120 §7.6, §7.7).
    ///
    /// # Errors
    /// RFC 6120 §7.7.2.1: the resource is none; RFC 6120 §7.6.2.1: there are too many.
    pub(super) fn address(
        &self,
        account: &BareJid,
        asked: Option<&str>,
        ctx: &mut Ctx<'_>,
    ) -> Result<FullJid, Reject> {
        let jid = match asked.filter(|asked| !asked.is_empty()) {
            Some(asked) => account.with_resource_str(asked),
            None => account.with_resource_str(&ctx.id()),
        }
        .map_err(|_| Reject::new(Condition::BadRequest, "RFC 6120 §7.7.2.1"))?;
        if self.by_jid(&jid).is_none() && self.0.len() >= limits::RESOURCES_PER_ACCOUNT {
            return Err(Reject::new(Condition::ResourceConstraint, "RFC 6120 §7.6.2.1"));
        }
        Ok(jid)
    }

    /// A new session; an older one of the same address was removed before.
    pub(super) fn bind(&mut self, session: SessionId, jid: FullJid) {
        debug_assert!(self.by_jid(&jid).is_none() && self.by_session(session).is_none());
        self.0.push(Resource {
            session,
            jid,
            presence: None,
            interested: false,
            directed: BTreeSet::new(),
        });
    }
}
