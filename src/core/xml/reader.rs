//! Bytes to elements, push-driven, with every limit enforced before a tree exists.
//!
//! The lexer is rxml (XML 1.0 + namespaces, no DTD, no entities but the predefined five). This file
//! counts bytes, depth, elements and attributes per top-level element, refuses what RFC 6120 §11.1
//! forbids, and maps the content namespace of the stream kind to the inner one (`jabber:client`).

use rxml::error::EndOrError;
use rxml::{Parse, WithOptions};

use super::element::{Element, Ns};
use crate::limits::StreamLimits;
use crate::{StreamCondition, StreamError, ns};

/// What stands on a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The root element's start tag: the stream header (RFC 6120 §4.2). Attributes only, with the
    /// default namespace that it declares as the attribute `xmlns`.
    Open(Element),
    /// A complete top-level element.
    Element(Element),
    /// White space between elements (RFC 6120 §4.6.1): somebody is alive.
    Alive,
    /// The root element's end tag (RFC 6120 §4.4).
    Close,
}

/// Reads one XML stream.
pub struct Reader {
    parser: rxml::Parser,
    content_ns: &'static str,
    limits: StreamLimits,
    /// Open elements below the root, outermost first.
    open: Vec<Element>,
    /// Whether the root element is open.
    root: bool,
    /// Bytes since the current top-level element (or header) began.
    bytes: usize,
    /// Elements since then.
    elements: usize,
    /// The header as it was written, until it is complete.
    header: Vec<u8>,
}

impl Reader {
    /// A reader for a stream with this content namespace.
    pub fn new(content_ns: &'static str, limits: StreamLimits) -> Self {
        // The token bound stands for the life of a parser, and SASL2 raises the limits without a
        // new one; before that the stanza bound, which is smaller, holds.
        let options = rxml::Options {
            max_token_length: StreamLimits::SERVER.token_bytes.max(limits.token_bytes),
            ..rxml::Options::default()
        };
        Self {
            parser: rxml::Parser::with_options(options),
            content_ns,
            limits,
            open: Vec::new(),
            root: false,
            bytes: 0,
            elements: 0,
            header: Vec::new(),
        }
    }

    /// Changes the limits from the next top-level element on.
    pub fn set_limits(&mut self, limits: StreamLimits) {
        self.limits = limits;
    }

    /// Whether a top-level element (or the header) has begun and is not complete.
    pub fn in_element(&self) -> bool {
        !self.root || !self.open.is_empty()
    }

    /// Gives back memory that an idle stream does not need.
    pub fn rest(&mut self) {
        if self.open.is_empty() {
            self.parser.release_temporaries();
            self.open.shrink_to_fit();
        }
    }

    /// Takes bytes from `input` until an event is complete; `None` when all of it is consumed.
    ///
    /// # Errors
    /// The stream error with which the stream must end. The reader must not be used again.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, StreamError> {
        if !self.root && self.bytes == 0 {
            // Some clients end each line they send with a newline, the one before a restart too.
            *input = input.trim_ascii_start();
            if input.first().is_some_and(|byte| *byte != b'<') {
                // Somebody speaks another protocol, or TLS to a port that wants STARTTLS.
                return Err(not_well_formed().text("not an XML stream"));
            }
        }
        loop {
            // One byte over the limit may be looked at, so that the limit itself is still allowed.
            let allowance = (self.limits.stanza_bytes - self.bytes).saturating_add(1);
            let mut chunk = &input[..input.len().min(allowance)];
            let before = chunk.len();
            let lexed = self.parser.parse(&mut chunk, false);
            let used = before - chunk.len();
            if !self.root {
                self.header.extend_from_slice(&input[..used]);
            }
            *input = &input[used..];
            self.bytes += used;
            let between = matches!(&lexed, Ok(Some(rxml::Event::Text(..)))) && self.open.is_empty();
            if self.bytes > self.limits.stanza_bytes && !between {
                return Err(too_big("stanza too big"));
            }
            match lexed {
                Ok(Some(event)) => {
                    if let Some(event) = self.event(event)? {
                        return Ok(Some(event));
                    }
                }
                Ok(None) => return Ok(None),
                Err(EndOrError::NeedMoreData) if input.is_empty() => return Ok(None),
                Err(EndOrError::NeedMoreData) => {}
                Err(EndOrError::Error(error)) => return Err(lexer_error(&error)),
            }
        }
    }

    fn event(&mut self, event: rxml::Event) -> Result<Option<Event>, StreamError> {
        match event {
            rxml::Event::XmlDeclaration(..) => Ok(None),
            rxml::Event::StartElement(_, name, attrs) => self.start(&name, &attrs),
            rxml::Event::EndElement(_) => Ok(Some(match self.end() {
                Some(Some(el)) => Event::Element(el),
                Some(None) => Event::Close,
                None => return Ok(None),
            })),
            rxml::Event::Text(_, text) => self.text(&text),
        }
    }

    fn start(
        &mut self,
        (ns, name): &(rxml::Namespace<'static>, rxml::NcName),
        attrs: &rxml::AttrMap,
    ) -> Result<Option<Event>, StreamError> {
        if attrs.len() > self.limits.attributes {
            return Err(too_big("too many attributes"));
        }
        let ns = self.resolve(ns);
        let mut el = Element::new(name, ns);
        for ((ns, name), value) in attrs {
            el.set_attr_ns(if ns.is_empty() { Ns::Known("") } else { Ns::new(ns) }, name, value);
        }
        if !self.root {
            self.root = true;
            self.bytes = 0;
            if let Some(content_ns) = default_namespace(&std::mem::take(&mut self.header)) {
                el.set_attr("xmlns", content_ns);
            }
            // White space between stanzas is to be seen at once, not with the next tag.
            self.parser.set_text_buffering(false);
            return Ok(Some(Event::Open(el)));
        }
        if self.open.is_empty() && el.is("stream", ns::STREAM) {
            // A header inside a stream would hide everything behind it from us.
            return Err(StreamError::new(StreamCondition::BadFormat, "RFC 6120 §4.9.3.1")
                .text("a stream inside a stream"));
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(too_big("too many elements"));
        }
        if self.open.len() >= self.limits.depth {
            return Err(too_big("nested too deeply"));
        }
        if self.open.is_empty() {
            self.parser.set_text_buffering(true);
        }
        self.open.push(el);
        Ok(None)
    }

    /// Neighbours mostly share a namespace, so the parent's is tried first.
    fn resolve(&self, ns: &str) -> Ns {
        if ns == self.content_ns {
            return Ns::Known(ns::CLIENT);
        }
        match self.open.last() {
            Some(parent) if *parent.ns() == *ns => parent.ns().clone(),
            _ => Ns::new(ns),
        }
    }

    /// The complete top-level element, or `Some(None)` at the end of the stream.
    fn end(&mut self) -> Option<Option<Element>> {
        let Some(el) = self.open.pop() else { return Some(None) };
        if let Some(parent) = self.open.last_mut() {
            parent.push(el);
            return None;
        }
        self.bytes = 0;
        self.elements = 0;
        self.parser.set_text_buffering(false);
        Some(Some(el))
    }

    fn text(&mut self, text: &str) -> Result<Option<Event>, StreamError> {
        if let Some(el) = self.open.last_mut() {
            el.push_text(text);
            return Ok(None);
        }
        self.bytes = 0;
        if text.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
            return Ok(Some(Event::Alive));
        }
        Err(StreamError::new(StreamCondition::BadFormat, "RFC 6120 §4.9.3.1")
            .text("text between stanzas"))
    }
}

/// The default namespace that a well-formed start tag declares: the lexer resolves it and does not
/// tell.
fn default_namespace(header: &[u8]) -> Option<String> {
    let header = std::str::from_utf8(header).ok()?;
    let tag = header.rfind('<').map(|at| &header[at..])?;
    let mut rest = tag;
    while let Some(equals) = rest.find('=') {
        let name = rest[..equals].trim_end().rsplit([' ', '\t', '\r', '\n']).next()?;
        let value = rest[equals + 1..].trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let end = value[1..].find(quote)?;
        if name == "xmlns" {
            return Some(value[1..=end].to_owned());
        }
        rest = &value[end + 2..];
    }
    None
}

/// Reads one stand-alone document: a WebSocket message (RFC 7395 §3.3.3), a BOSH body, a stored
/// value.
///
/// # Errors
/// The stream error with which a stream that carried it must end.
pub fn parse_document(bytes: &[u8], limits: &StreamLimits) -> Result<Element, StreamError> {
    if bytes.len() > limits.stanza_bytes {
        return Err(too_big("document too big"));
    }
    let mut parser = rxml::Parser::with_options(rxml::Options {
        max_token_length: limits.token_bytes,
        ..rxml::Options::default()
    });
    let (mut input, mut open, mut elements, mut root) = (bytes, Vec::<Element>::new(), 0, None);
    loop {
        let event = match parser.parse(&mut input, true) {
            Ok(Some(event)) => event,
            Ok(None) => break,
            Err(EndOrError::Error(error)) => return Err(lexer_error(&error)),
            Err(EndOrError::NeedMoreData) => return Err(not_well_formed()),
        };
        match event {
            rxml::Event::XmlDeclaration(..) => {}
            rxml::Event::StartElement(_, (ns, name), attrs) => {
                elements += 1;
                if elements > limits.elements
                    || open.len() > limits.depth
                    || attrs.len() > limits.attributes
                {
                    return Err(too_big("too many elements or attributes, or nested too deeply"));
                }
                let mut el = Element::new(&name, Ns::new(&ns));
                for ((ns, name), value) in &attrs {
                    el.set_attr_ns(Ns::new(ns), name, value);
                }
                open.push(el);
            }
            rxml::Event::Text(_, text) => {
                if let Some(el) = open.last_mut() {
                    el.push_text(&text);
                }
            }
            rxml::Event::EndElement(_) => match (open.pop(), open.last_mut()) {
                (Some(el), Some(parent)) => parent.push(el),
                (el, _) => root = el,
            },
        }
    }
    root.ok_or_else(not_well_formed)
}

fn not_well_formed() -> StreamError {
    StreamError::new(StreamCondition::NotWellFormed, "RFC 6120 §4.9.3.13")
}

fn too_big(text: &'static str) -> StreamError {
    StreamError::new(StreamCondition::PolicyViolation, "RFC 6120 §13.12").text(text)
}

fn lexer_error(error: &rxml::Error) -> StreamError {
    use rxml::Error as E;
    match error {
        E::RestrictedXml("long name or reference" | "event too long") => too_big("token too long"),
        E::RestrictedXml("only utf-8 encoding is allowed") => {
            StreamError::new(StreamCondition::UnsupportedEncoding, "RFC 6120 §11.6")
        }
        E::RestrictedXml(_) | E::UndeclaredEntity => {
            StreamError::new(StreamCondition::RestrictedXml, "RFC 6120 §11.1")
        }
        E::InvalidUtf8Byte(_) => {
            StreamError::new(StreamCondition::UnsupportedEncoding, "RFC 6120 §11.6")
        }
        E::UndeclaredNamespacePrefix(_) => not_well_formed().text("undeclared namespace prefix"),
        other => not_well_formed().text(other.to_string()),
    }
}
