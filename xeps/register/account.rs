//! Requests that a client sends to nobody in particular (XEP-0077 #usecases-cancel).

use oc_core::Stanza;
use oc_core::account::{AccountFeature, Turn};
use oc_core::feature::Answer;
use oc_core::host::hand_on;
use oc_core::spec::Xep;

use super::{NS, XEP};

/// Hands an account's own request on to its domain, which answers it.
pub struct AtHome;

impl AccountFeature for AtHome {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, request: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let asked = request.payload().is_some_and(|p| p.is("query", NS));
        match hand_on(request, turn.account.jid()).filter(|_| asked) {
            None => Answer::Pass,
            Some(handed_on) => {
                turn.route(handed_on);
                Answer::Later
            }
        }
    }
}
