//! What a domain says of itself.

use oc_core::Stanza;
use oc_core::disco::{DiscoIdentity, DiscoInfo, DiscoItem};
use oc_core::feature::Answer;
use oc_core::host::{HostFeature, HostView, Turn};
use oc_core::spec::Xep;

use super::{Query, XEP, items_element, no_such_node};

/// Answers what a domain is, can do and contains.
pub struct Disco;

impl HostFeature for Disco {
    fn xep(&self) -> &'static Xep {
        &XEP
    }

    fn describe(&self, view: &HostView<'_>, info: &mut DiscoInfo) {
        let name = view.settings.software.name.as_str();
        info.identities.push(DiscoIdentity::new("server", "im").named(name));
    }

    fn items(&self, node: Option<&str>, view: &HostView<'_>) -> Option<Vec<DiscoItem>> {
        if node.is_some() {
            return None;
        }
        let services = view.settings.services.iter();
        Some(
            services
                .map(|s| DiscoItem { jid: s.jid.clone(), node: None, name: s.name.clone() })
                .collect(),
        )
    }

    fn iq(&self, query: &Stanza, turn: &mut Turn<'_, '_>) -> Answer {
        let view = &turn.view;
        match Query::read(query) {
            None => Answer::Pass,
            Some(Query::Info(None)) => Answer::Result(Some(view.info().to_element(None))),
            Some(Query::Info(Some(node))) => {
                match view.features().find_map(|f| f.node_info(node, view)) {
                    None => no_such_node(),
                    Some(Err(reject)) => Answer::Reject(reject),
                    Some(Ok(info)) => Answer::Result(Some(info.to_element(Some(node)))),
                }
            }
            Some(Query::Items(None)) => {
                let items = view.features().filter_map(|f| f.items(None, view)).flatten();
                Answer::Result(Some(items_element(None, items)))
            }
            Some(Query::Items(Some(node))) => {
                match view.features().find_map(|f| f.items(Some(node), view)) {
                    None => no_such_node(),
                    Some(items) => Answer::Result(Some(items_element(Some(node), items))),
                }
            }
        }
    }
}
