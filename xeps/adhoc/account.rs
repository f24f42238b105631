//! Commands at an administrator's own address: the same as at the domain.
//!
//! Clients look for administration at either place (XEP-0133 #usecases).

use oc_core::Stanza;
use oc_core::account::{AccountFeature, Turn};
use oc_core::feature::Answer;
use oc_core::host::hand_on;
use oc_core::spec::Xep;

use super::{NS, XEP};

/// The same document; what an account announces does not depend on the settings of its domain, so
/// it announces nothing.
static AT_HOME: Xep = Xep { features: &[], ..XEP };

/// Hands an account's own commands on to its domain, which knows what the account may.
pub struct AtHome;

impl AccountFeature for AtHome {
    fn xep(&self) -> &'static Xep {
        &AT_HOME
    }

    fn iq(&self, request: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let asked = request.payload().is_some_and(|p| p.is("command", NS));
        match hand_on(request, turn.account.jid()).filter(|_| asked) {
            None => Answer::Pass,
            Some(handed_on) => {
                turn.route(handed_on);
                Answer::Later
            }
        }
    }
}
