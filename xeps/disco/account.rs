//! What a server says of an account on its behalf (XEP-0030 #info-basic).

use oc_core::account::{AccountFeature, Turn};
use oc_core::disco::{DiscoIdentity, DiscoInfo, DiscoItem};
use oc_core::feature::Answer;
use oc_core::host::hand_on;
use oc_core::spec::Xep;
use oc_core::{Condition, Reject, Stanza};

use super::{Query, XEP, items_element, no_such_node};

/// Answers what an account can, to those who may know that it is there.
pub struct AccountDisco;

impl AccountFeature for AccountDisco {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn iq(&self, request: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let Some(query) = Query::read(request) else { return Answer::Pass };
        let account = turn.account;
        if !request.from().is_some_and(|from| account.sees_presence(from)) {
            // The same as for an account that does not exist (note.md).
            let reject = Reject::new(Condition::ServiceUnavailable, "XEP-0030 #security");
            return Answer::Reject(reject);
        }
        match query {
            Query::Info(None) => {
                let info = DiscoInfo {
                    identities: vec![DiscoIdentity::new("account", "registered")],
                    features: account
                        .features()
                        .iter()
                        .flat_map(|f| f.xep().features)
                        .copied()
                        .collect(),
                    forms: Vec::new(),
                };
                Answer::Result(Some(info.to_element(None)))
            }
            Query::Items(None) => {
                let items = account.available().map(|(jid, _)| DiscoItem {
                    jid: jid.clone().into(),
                    node: None,
                    name: None,
                });
                Answer::Result(Some(items_element(None, items)))
            }
            // The one node there is lists the domain's commands.
            Query::Info(Some(_)) | Query::Items(Some(_)) => match hand_on(request, account.jid()) {
                None => no_such_node(),
                Some(handed_on) => {
                    turn.route(handed_on);
                    Answer::Later
                }
            },
        }
    }
}
