//! What an entity says of itself: the words of XEP-0030 that the plug points gather.
//!
//! The protocol around them (queries, nodes, errors) is `xeps/disco`; these values are here because
//! every plug point hands them in.

use crate::{BareJid, Element, Jid, ns};

/// What an entity is (XEP-0030 #info-basic).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoIdentity {
    /// Category of the registry, such as `server`.
    pub category: &'static str,
    /// Type within the category, such as `im`.
    pub type_: &'static str,
    /// Name for people.
    pub name: Option<String>,
}

impl DiscoIdentity {
    /// An identity without a name.
    pub const fn new(category: &'static str, type_: &'static str) -> Self {
        Self { category, type_, name: None }
    }

    /// Gives it a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// Everything an entity or one of its nodes says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiscoInfo {
    /// What it is; at least one when it is sent.
    pub identities: Vec<DiscoIdentity>,
    /// What it can; sorted and without doubles when it is sent.
    pub features: Vec<&'static str>,
    /// XEP-0128 forms, each with a `FORM_TYPE` of its own.
    pub forms: Vec<Element>,
}

impl DiscoInfo {
    /// The `<query/>` that says it, in the order that XEP-0115 hashes; `node` is mirrored.
    pub fn to_element(&self, node: Option<&str>) -> Element {
        let mut identities = self.identities.clone();
        identities.sort_by_key(|i| (i.category, i.type_));
        let mut features = self.features.clone();
        features.sort_unstable();
        features.dedup();
        Element::new("query", ns::DISCO_INFO)
            .with_attr_opt("node", node)
            .with_children(identities.iter().map(|i| {
                Element::new("identity", ns::DISCO_INFO)
                    .with_attr("category", i.category)
                    .with_attr("type", i.type_)
                    .with_attr_opt("name", i.name.as_deref())
            }))
            .with_children(
                features
                    .iter()
                    .map(|f| Element::new("feature", ns::DISCO_INFO).with_attr("var", f)),
            )
            .with_children(self.forms.iter().cloned())
    }
}

/// Something that belongs to an entity (XEP-0030 #items-basic).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoItem {
    /// Where it is.
    pub jid: Jid,
    /// Which node there, if it is one.
    pub node: Option<String>,
    /// Name for people.
    pub name: Option<String>,
}

impl DiscoItem {
    /// A node of an entity.
    pub fn node(jid: &BareJid, node: &str, name: &str) -> Self {
        Self { jid: jid.clone().into(), node: Some(node.to_owned()), name: Some(name.to_owned()) }
    }

    /// The `<item/>`.
    pub fn to_element(&self) -> Element {
        Element::new("item", ns::DISCO_ITEMS)
            .with_attr("jid", self.jid.as_str())
            .with_attr_opt("node", self.node.as_deref())
            .with_attr_opt("name", self.name.as_deref())
    }
}
