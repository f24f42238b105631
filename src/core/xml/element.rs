//! An XML element with resolved namespaces, and its canonical serialisation.
//!
//! One quoting (`'`), one escaping, no prefixes but `xml` and `stream`, empty elements as `<a/>`,
//! every attribute kept: what two peers exchange through us is written by this file and nowhere
//! else.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use compact_str::CompactString;

use crate::ns;

/// A namespace name: static where the core knows it, shared otherwise.
#[derive(Clone)]
pub enum Ns {
    /// A namespace that this program knows by name.
    Known(&'static str),
    /// Any other.
    Other(Arc<str>),
}

impl Ns {
    /// The namespace of this name; no allocation if the core knows it.
    pub fn new(name: &str) -> Self {
        match ns::KNOWN.iter().find(|known| **known == name) {
            Some(known) => Self::Known(known),
            None if name.is_empty() => Self::Known(""),
            None => Self::Other(name.into()),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Other(name) => name,
        }
    }
}

impl PartialEq for Ns {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Ns {}

impl PartialEq<str> for Ns {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Ns {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl From<&'static str> for Ns {
    fn from(name: &'static str) -> Self {
        Self::Known(name)
    }
}

impl fmt::Debug for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// An attribute; `ns` is empty for all but namespaced ones such as `xml:lang`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attr {
    ns: Ns,
    name: CompactString,
    value: CompactString,
}

impl Attr {
    /// Namespace; empty for an attribute without prefix.
    pub fn ns(&self) -> &Ns {
        &self.ns
    }

    /// Local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Value, unescaped.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// What stands inside an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Character data, unescaped.
    Text(String),
}

/// An element. Its depth is bounded by the reader, so recursion over it is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: CompactString,
    ns: Ns,
    attrs: Vec<Attr>,
    nodes: Vec<Node>,
}

impl Element {
    /// An empty element.
    pub fn new(name: &str, ns: impl Into<Ns>) -> Self {
        Self { name: name.into(), ns: ns.into(), attrs: Vec::new(), nodes: Vec::new() }
    }

    /// Sets an attribute and hands the element on.
    #[must_use]
    pub fn with_attr(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.set_attr(name, value);
        self
    }

    /// Sets an attribute if there is a value, and hands the element on.
    #[must_use]
    pub fn with_attr_opt(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with_attr(name, value),
            None => self,
        }
    }

    /// Sets a namespaced attribute and hands the element on.
    #[must_use]
    pub fn with_attr_ns(mut self, ns: impl Into<Ns>, name: &str, value: impl AsRef<str>) -> Self {
        self.set_attr_ns(ns, name, value);
        self
    }

    /// Appends a child and hands the element on.
    #[must_use]
    pub fn with_child(mut self, child: Self) -> Self {
        self.push(child);
        self
    }

    /// Appends children and hands the element on.
    #[must_use]
    pub fn with_children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.nodes.extend(children.into_iter().map(Node::Element));
        self
    }

    /// Appends text and hands the element on.
    #[must_use]
    pub fn with_text(mut self, text: impl AsRef<str>) -> Self {
        self.push_text(text.as_ref());
        self
    }

    /// Local name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Namespace.
    pub fn ns(&self) -> &Ns {
        &self.ns
    }

    /// Puts the element into another namespace; its children stay where they are.
    pub fn set_ns(&mut self, ns: impl Into<Ns>) {
        self.ns = ns.into();
    }

    /// Whether name and namespace are these.
    pub fn is(&self, name: &str, ns: &str) -> bool {
        self.name == name && self.ns == ns
    }

    /// Value of an attribute without namespace.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attr_ns("", name)
    }

    /// Value of a namespaced attribute.
    pub fn attr_ns(&self, ns: &str, name: &str) -> Option<&str> {
        self.attrs.iter().find(|a| a.name == name && a.ns == ns).map(Attr::value)
    }

    /// All attributes in document order.
    pub fn attrs(&self) -> &[Attr] {
        &self.attrs
    }

    /// Sets an attribute without namespace.
    pub fn set_attr(&mut self, name: &str, value: impl AsRef<str>) {
        self.set_attr_ns("", name, value);
    }

    /// Sets a namespaced attribute.
    pub fn set_attr_ns(&mut self, ns: impl Into<Ns>, name: &str, value: impl AsRef<str>) {
        let (ns, value) = (ns.into(), CompactString::from(value.as_ref()));
        match self.attrs.iter_mut().find(|a| a.name == name && a.ns == ns) {
            Some(attr) => attr.value = value,
            None => self.attrs.push(Attr { ns, name: name.into(), value }),
        }
    }

    /// Removes an attribute without namespace.
    pub fn remove_attr(&mut self, name: &str) {
        self.attrs.retain(|a| !(a.name == name && a.ns == ""));
    }

    /// Children and text in document order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Child elements in document order.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = &Self> {
        self.nodes.iter().filter_map(|n| match n {
            Node::Element(el) => Some(el),
            Node::Text(_) => None,
        })
    }

    /// Child elements in document order, to be changed.
    pub fn children_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Self> {
        self.nodes.iter_mut().filter_map(|n| match n {
            Node::Element(el) => Some(el),
            Node::Text(_) => None,
        })
    }

    /// First child of this name and namespace.
    pub fn child(&self, name: &str, ns: &str) -> Option<&Self> {
        self.children().find(|c| c.is(name, ns))
    }

    /// First child of this name and namespace, to be changed.
    pub fn child_mut(&mut self, name: &str, ns: &str) -> Option<&mut Self> {
        self.children_mut().find(|c| c.is(name, ns))
    }

    /// Whether there is such a child.
    pub fn has_child(&self, name: &str, ns: &str) -> bool {
        self.child(name, ns).is_some()
    }

    /// Keeps only the child elements for which `keep` says so; text stays.
    pub fn retain_children(&mut self, mut keep: impl FnMut(&Self) -> bool) {
        self.nodes.retain(|n| match n {
            Node::Element(el) => keep(el),
            Node::Text(_) => true,
        });
    }

    /// Appends a child element.
    pub fn push(&mut self, child: Self) {
        self.nodes.push(Node::Element(child));
    }

    /// Appends text; joins it to text that stands last.
    pub fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.nodes.last_mut() {
            Some(Node::Text(last)) => last.push_str(text),
            _ => self.nodes.push(Node::Text(text.to_owned())),
        }
    }

    /// The element's own text, without that of its children.
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.nodes.iter().filter_map(|n| match n {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        match (texts.next(), texts.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(only), None) => Cow::Borrowed(only),
            (Some(first), Some(second)) => {
                let mut all = String::from(first);
                all.push_str(second);
                all.extend(texts);
                Cow::Owned(all)
            }
        }
    }

    /// Writes the element where `inherited` is the default namespace in scope.
    ///
    /// Elements of the stream namespace get the prefix `stream`, which every stream header
    /// declares.
    pub fn write(&self, out: &mut Vec<u8>, inherited: &str) {
        self.write_scoped(out, inherited, true);
    }

    /// `stream` says whether the prefix of that name is declared where this is written.
    fn write_scoped(&self, out: &mut Vec<u8>, inherited: &str, stream: bool) {
        out.push(b'<');
        let prefixed = stream && self.ns == ns::STREAM;
        let scope = if prefixed { inherited } else { self.ns.as_str() };
        self.write_name(out, prefixed);
        if !prefixed && scope != inherited {
            out.extend_from_slice(b" xmlns='");
            escape_attr(scope, out);
            out.push(b'\'');
        }
        self.write_attrs(out);
        if self.nodes.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        for node in &self.nodes {
            match node {
                Node::Element(child) => child.write_scoped(out, scope, stream),
                Node::Text(text) => escape_text(text, out),
            }
        }
        out.extend_from_slice(b"</");
        self.write_name(out, prefixed);
        out.push(b'>');
    }

    /// The element as bytes, on a stream whose content namespace is `jabber:client`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out, ns::CLIENT);
        out
    }

    /// The element as a stand-alone document with its namespace declared: for storage, WebSocket
    /// and BOSH.
    pub fn to_document(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write_scoped(&mut out, "", false);
        out
    }

    pub(super) fn write_name(&self, out: &mut Vec<u8>, prefixed: bool) {
        if prefixed {
            out.extend_from_slice(b"stream:");
        }
        out.extend_from_slice(self.name.as_bytes());
    }

    pub(super) fn write_attrs(&self, out: &mut Vec<u8>) {
        for (i, attr) in self.attrs.iter().enumerate() {
            if attr.ns == "" {
                out.push(b' ');
            } else if attr.ns == ns::XML {
                out.extend_from_slice(b" xml:");
            } else {
                let prefix = format!("n{i}");
                out.extend_from_slice(format!(" xmlns:{prefix}='").as_bytes());
                escape_attr(attr.ns.as_str(), out);
                out.extend_from_slice(format!("' {prefix}:").as_bytes());
            }
            out.extend_from_slice(attr.name.as_bytes());
            out.extend_from_slice(b"='");
            escape_attr(&attr.value, out);
            out.push(b'\'');
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

/// Escapes character data; a carriage return would not survive a parser unescaped.
fn escape_text(text: &str, out: &mut Vec<u8>) {
    escape(text, out, |byte| match byte {
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'&' => Some(b"&amp;"),
        b'\r' => Some(b"&#xd;"),
        _ => None,
    });
}

/// Escapes an attribute value in single quotes, and the white space that normalisation would
/// change.
pub(super) fn escape_attr(text: &str, out: &mut Vec<u8>) {
    escape(text, out, |byte| match byte {
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'&' => Some(b"&amp;"),
        b'\'' => Some(b"&apos;"),
        b'\r' => Some(b"&#xd;"),
        b'\t' => Some(b"&#x9;"),
        b'\n' => Some(b"&#xa;"),
        _ => None,
    });
}

fn escape(text: &str, out: &mut Vec<u8>, entity: impl Fn(u8) -> Option<&'static [u8]>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (i, byte) in bytes.iter().enumerate() {
        if let Some(entity) = entity(*byte) {
            out.extend_from_slice(&bytes[from..i]);
            out.extend_from_slice(entity);
            from = i + 1;
        }
    }
    out.extend_from_slice(&bytes[from..]);
}
