//! A stanza: an element of RFC 6120 §8 with its addresses read and checked.

use crate::{Condition, Element, ErrorType, Jid, Reject, ns};

/// The three kinds of stanza.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RFC 6120 §8.2.1
    Message,
    /// RFC 6120 §8.2.2
    Presence,
    /// RFC 6120 §8.2.3
    Iq,
}

impl Kind {
    /// Name of the element.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }
}

/// A message, presence or IQ in the inner namespace `jabber:client`.
///
/// `to` and `from` are kept parsed beside the element; the setters keep both the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Stanza {
    kind: Kind,
    to: Option<Jid>,
    from: Option<Jid>,
    el: Element,
}

/// Why an element is no stanza.
#[derive(Clone, Debug, PartialEq)]
pub enum Malformed {
    /// The element is none of the three: the stream ends with `unsupported-stanza-type`
    /// (RFC 6120 §4.9.3.24).
    NotAStanza,
    /// An address is not a JID (RFC 6120 §8.3.3.8). The stanza is handed back without the bad
    /// address, so that its sender can be told.
    Address(Box<Stanza>),
}

impl Stanza {
    /// Reads the header of an element.
    ///
    /// # Errors
    /// [`Malformed`] says whether the stream or only the stanza is at fault.
    pub fn from_element(mut el: Element) -> Result<Self, Malformed> {
        let kind = match (el.ns().as_str(), el.name()) {
            (ns::CLIENT, "message") => Kind::Message,
            (ns::CLIENT, "presence") => Kind::Presence,
            (ns::CLIENT, "iq") => Kind::Iq,
            _ => return Err(Malformed::NotAStanza),
        };
        let read = |el: &Element, name| el.attr(name).map(Jid::new).transpose();
        let (to, from) = (read(&el, "to"), read(&el, "from"));
        if let (Ok(to), Ok(from)) = (&to, &from) {
            let (to, from) = (to.clone(), from.clone());
            return Ok(Self { kind, to, from, el });
        }
        if to.is_err() {
            el.remove_attr("to");
        }
        if from.is_err() {
            el.remove_attr("from");
        }
        let (to, from) = (to.unwrap_or_default(), from.unwrap_or_default());
        Err(Malformed::Address(Box::new(Self { kind, to, from, el })))
    }

    /// An empty stanza of a kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, to: None, from: None, el: Element::new(kind.name(), ns::CLIENT) }
    }

    /// A stanza with a type.
    pub fn with_type(kind: Kind, type_: &str) -> Self {
        let mut stanza = Self::new(kind);
        stanza.el.set_attr("type", type_);
        stanza
    }

    /// Sets `to` and hands the stanza on.
    #[must_use]
    pub fn to_jid(mut self, to: impl Into<Jid>) -> Self {
        self.set_to(Some(to.into()));
        self
    }

    /// Sets `from` and hands the stanza on.
    #[must_use]
    pub fn from_jid(mut self, from: impl Into<Jid>) -> Self {
        self.set_from(Some(from.into()));
        self
    }

    /// Adds a child and hands the stanza on.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Self {
        self.el.push(child);
        self
    }

    /// Message, presence or IQ.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The recipient.
    pub fn to(&self) -> Option<&Jid> {
        self.to.as_ref()
    }

    /// The sender.
    pub fn from(&self) -> Option<&Jid> {
        self.from.as_ref()
    }

    /// Changes the recipient.
    pub fn set_to(&mut self, to: Option<Jid>) {
        match &to {
            Some(jid) => self.el.set_attr("to", jid.as_str()),
            None => self.el.remove_attr("to"),
        }
        self.to = to;
    }

    /// Changes the sender.
    pub fn set_from(&mut self, from: Option<Jid>) {
        match &from {
            Some(jid) => self.el.set_attr("from", jid.as_str()),
            None => self.el.remove_attr("from"),
        }
        self.from = from;
    }

    /// The `id` attribute.
    pub fn id(&self) -> Option<&str> {
        self.el.attr("id")
    }

    /// The `type` attribute as it was sent; see RFC 6121 §5.2.2 and §4.7.1 for what an unknown one
    /// means.
    pub fn type_(&self) -> Option<&str> {
        self.el.attr("type")
    }

    /// The element; its `to` and `from` are those of the stanza.
    pub fn element(&self) -> &Element {
        &self.el
    }

    /// The element's children, attributes and so on; addresses are changed by the setters only.
    pub fn element_mut(&mut self) -> &mut Element {
        &mut self.el
    }

    /// The element itself.
    pub fn into_element(self) -> Element {
        self.el
    }

    /// The payload of an IQ: its first child element.
    pub fn payload(&self) -> Option<&Element> {
        self.el.children().next()
    }

    /// Whether this is an IQ of type `get` or `set`, which must be answered (RFC 6120 §8.2.3).
    pub fn is_request(&self) -> bool {
        self.kind == Kind::Iq && matches!(self.type_(), Some("get" | "set"))
    }

    /// Whether this carries an error, and so must never be answered by one (RFC 6120 §8.3.1).
    pub fn is_error(&self) -> bool {
        self.type_() == Some("error")
    }

    /// The answer to an IQ request, addressed back to its sender (RFC 6120 §8.2.3).
    #[must_use]
    pub fn result(&self, payload: Option<Element>) -> Self {
        let mut answer = self.reply_header("result");
        if let Some(payload) = payload {
            answer.el.push(payload);
        }
        answer
    }

    /// The error to send back, or `None` where RFC 6120 §8.3.1 forbids an answer (errors and IQ
    /// results).
    #[must_use]
    pub fn error(&self, reject: &Reject) -> Option<Self> {
        if self.is_error() || (self.kind == Kind::Iq && !self.is_request()) {
            return None;
        }
        let mut answer = self.reply_header("error");
        answer.el.push(reject.to_element());
        Some(answer)
    }

    fn reply_header(&self, type_: &str) -> Self {
        let mut answer = Self::with_type(self.kind, type_);
        if let Some(id) = self.id() {
            answer.el.set_attr("id", id);
        }
        answer.set_to(self.from.clone());
        answer.set_from(self.to.clone());
        answer
    }

    /// The condition and type of an error stanza, as its sender said it.
    pub fn error_condition(&self) -> Option<(Condition, ErrorType)> {
        let error = self.el.child("error", ns::CLIENT)?;
        let condition = error
            .children()
            .filter(|c| c.ns() == ns::STANZA_ERROR)
            .find_map(|c| Condition::from_name(c.name()))?;
        let kind = error.attr("type").and_then(ErrorType::from_name);
        Some((condition, kind.unwrap_or_else(|| condition.usual_type())))
    }
}
