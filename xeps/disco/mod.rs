//! Service Discovery.
//!
//! What a domain or an account is, can do and contains. Nothing is listed here: identities,
//! features, forms, nodes and items come from the features that are active, so that what is
//! announced is what is answered.

mod account;
mod host;
#[cfg(test)]
mod tests;

use oc_core::feature::Answer;
use oc_core::spec::{Status, Xep};
use oc_core::{Condition, Element, Reject, Stanza, ns};

pub use account::AccountDisco;
pub use host::Disco;

/// XEP-0030
pub static XEP: Xep = Xep {
    number: "0030",
    title: "Service Discovery",
    version: "2.5.0",
    status: Status::Complete,
    folder: "disco",
    features: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
    note: "",
};

/// One of the two queries.
enum Query<'a> {
    Info(Option<&'a str>),
    Items(Option<&'a str>),
}

impl<'a> Query<'a> {
    fn read(query: &'a Stanza) -> Option<Self> {
        let payload = query.payload().filter(|p| p.name() == "query")?;
        match (payload.ns().as_str(), query.type_()) {
            (ns::DISCO_INFO, Some("get")) => Some(Self::Info(payload.attr("node"))),
            (ns::DISCO_ITEMS, Some("get")) => Some(Self::Items(payload.attr("node"))),
            _ => None,
        }
    }
}

/// XEP-0030 #errors: there is no such node.
fn no_such_node() -> Answer {
    Answer::Reject(Reject::new(Condition::ItemNotFound, "XEP-0030 #errors"))
}

/// The answer to an items query; `node` is mirrored (XEP-0030 #items-nodes).
fn items_element(
    node: Option<&str>,
    items: impl IntoIterator<Item = oc_core::disco::DiscoItem>,
) -> Element {
    Element::new("query", ns::DISCO_ITEMS)
        .with_attr_opt("node", node)
        .with_children(items.into_iter().map(|item| item.to_element()))
}
