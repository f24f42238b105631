//! Requests that a client sends to nobody in particular (XEP-0077 #usecases-cancel).

use oc_core::account::{AccountFeature, Turn};
use oc_core::feature::Answer;
use oc_core::spec::Xep;
use oc_core::{BareJid, Stanza};

use super::{NS, XEP};

/// Hands an account's own request on to its domain, which answers it.
pub struct AtHome;

impl AccountFeature for AtHome {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, request: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let asked = request.payload().is_some_and(|p| p.is("query", NS));
        if !asked || !request.from().is_some_and(|from| turn.account.is_own(from)) {
            return Answer::Pass;
        }
        let Ok(domain) = BareJid::new(turn.account.jid().domain().as_str()) else {
            return Answer::Pass;
        };
        turn.route(request.clone().to_jid(domain));
        Answer::Later
    }
}
