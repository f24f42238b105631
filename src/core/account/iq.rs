//! IQs for the account: answered on its behalf at the bare JID, handed on at a full one (RFC 6121
//! §8.5.2.1.3, §8.5.3).

use super::deliver::{At, is_roster};
use super::feature::is_same_bare;
use super::{Account, AccountEffect, Effects};
use crate::feature::Answer;
use crate::{Condition, Ctx, Reject, Stanza, ns};

impl Account {
    pub(super) fn iq_in(&mut self, iq: Stanza, at: At, ctx: &mut Ctx<'_>, out: &mut Effects) {
        let unavailable = |rule| Reject::new(Condition::ServiceUnavailable, rule);
        let own = iq.from().is_some_and(|from| is_same_bare(from, &self.jid));
        match at {
            At::Account if iq.is_request() => self.iq_for_account(&iq, own, ctx, out),
            // An answer to a roster push or to nothing: RFC 6121 §2.1.6 expects no reaction.
            At::Account => {}
            // RFC 6121 §2.1.6: a push comes from the server itself; nobody may make one up.
            At::Resource(_) if iq.is_request() && is_roster(&iq) && !own => {
                self.refuse(&iq, &unavailable("RFC 6121 §2.1.6"), out);
            }
            At::Resource(_) | At::Gone => {
                // Asked also for a resource that is gone, so that a refusal tells nobody which it
                // is.
                let refused = if iq.is_request() && !own {
                    self.each_feature(ctx, out, |feature, turn| feature.pass_iq(&iq, turn).err())
                } else {
                    None
                };
                match (refused, at) {
                    (Some(reject), _) => self.refuse(&iq, &reject, out),
                    (None, At::Resource(session)) => {
                        out.push(AccountEffect::Deliver { session, stanza: iq });
                    }
                    // RFC 6121 §8.5.3.2.3: a request is refused; an answer has nowhere to go.
                    (None, _) => self.refuse(&iq, &unavailable("RFC 6121 §8.5.3.2.3"), out),
                }
            }
        }
    }

    /// RFC 6121 §8.5.2.1.3: the server itself answers, never a resource.
    fn iq_for_account(
        &mut self,
        request: &Stanza,
        own: bool,
        ctx: &mut Ctx<'_>,
        out: &mut Effects,
    ) {
        if is_roster(request) {
            return self.roster_request(request, own, ctx, out);
        }
        // RFC 3921 §3: old clients open a session; it is open already.
        if own && request.payload().is_some_and(|p| p.is("session", ns::SESSION)) {
            return self.answer(request.result(None), out);
        }
        let said = self.each_feature(ctx, out, |feature, turn| match feature.iq(request, turn) {
            Answer::Pass => None,
            said => Some(said),
        });
        match said {
            Some(Answer::Result(payload)) => self.answer(request.result(payload), out),
            Some(Answer::Reject(reject)) => self.refuse(request, &reject, out),
            Some(Answer::Later) => {}
            Some(Answer::Pass) | None => {
                let rule = "RFC 6121 §8.5.2.1.3";
                self.refuse(request, &Reject::new(Condition::ServiceUnavailable, rule), out);
            }
        }
    }
}
