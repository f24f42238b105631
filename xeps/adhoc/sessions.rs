//! Command sessions of one domain (XEP-0050 #impl-session).

use std::collections::HashMap;
use std::time::Duration;

use oc_core::{Condition, Jid, Reject, Time};

/// How long a form may be filled in.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Sessions of a domain.
const SESSIONS: usize = 1_000;
/// Sessions of one requester; a new one ends the oldest.
const OF_ONE: usize = 8;

struct Session {
    node: &'static str,
    from: Jid,
    began: Time,
    ended: bool,
}

/// Why a session cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// There is none of this name, for this command and requester.
    Unknown,
    /// It was completed, cancelled, or has timed out.
    Ended,
}

/// The sessions. Ended ones are remembered for their lifetime, so that the error can say so.
#[derive(Default)]
pub(super) struct Sessions(HashMap<String, Session>);

impl Sessions {
    pub(super) fn begin(
        &mut self,
        id: &str,
        node: &'static str,
        from: &Jid,
        now: Time,
    ) -> Result<(), Reject> {
        self.0.retain(|_, session| now.since(session.began) < LIFETIME * 2);
        let of_one = self.0.iter().filter(|(_, session)| session.from == *from);
        if of_one.clone().count() >= OF_ONE {
            let oldest = of_one.min_by_key(|(id, s)| (!s.ended, s.began, (*id).clone()));
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.0.remove(&oldest);
            }
        }
        if self.0.len() >= SESSIONS {
            return Err(Reject::new(Condition::ResourceConstraint, "XEP-0050 #impl-session"));
        }
        self.0
            .insert(id.to_owned(), Session { node, from: from.clone(), began: now, ended: false });
        Ok(())
    }

    pub(super) fn check(
        &self,
        id: &str,
        node: &str,
        from: Option<&Jid>,
        now: Time,
    ) -> Result<(), Lost> {
        let session = self.0.get(id).ok_or(Lost::Unknown)?;
        if session.node != node || Some(&session.from) != from {
            return Err(Lost::Unknown);
        }
        if session.ended || now.since(session.began) >= LIFETIME {
            return Err(Lost::Ended);
        }
        Ok(())
    }

    pub(super) fn end(&mut self, id: &str) {
        if let Some(session) = self.0.get_mut(id) {
            session.ended = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::jid;

    #[test]
    fn xep_0050_impl_session_bounded() {
        let mut sessions = Sessions::default();
        let one = jid("a@example.org/r");
        for i in 0..20 {
            sessions.begin(&format!("a{i:02}"), "node", &one, Time(i)).expect("room");
        }
        assert_eq!(sessions.0.len(), OF_ONE);
        assert_eq!(sessions.check("a00", "node", Some(&one), Time(20)), Err(Lost::Unknown));
        assert_eq!(sessions.check("a19", "node", Some(&one), Time(20)), Ok(()));
        for i in 0..SESSIONS - OF_ONE {
            let from = jid(&format!("b{i}@example.org/r"));
            sessions.begin(&format!("b{i}"), "node", &from, Time(20)).expect("room");
        }
        let more = sessions.begin("c", "node", &jid("c@example.org/r"), Time(20));
        assert_eq!(more.expect_err("full").condition, Condition::ResourceConstraint);
        // Time makes room again.
        let later = Time(20).after(LIFETIME * 2);
        assert_eq!(sessions.begin("c", "node", &jid("c@example.org/r"), later), Ok(()));
        assert_eq!(sessions.0.len(), 1);
    }
}
