//! An Extensible Messaging and Presence Protocol (XMPP) Subprotocol for WebSocket (RFC 7395):
//! framing.
//!
//! A framed stream has no root element: each message is one complete document, and `<open/>` and
//! `<close/>` stand for the start and the end tag of the stream. This file turns messages into
//! inputs of [`Stream`](super::Stream) and its effects into messages; BOSH uses the same spelling
//! inside its `<body/>`. What the WebSocket itself asks for (subprotocol, text frames, pings) is
//! the server's.

use super::StreamInput;
use crate::limits::StreamLimits;
use crate::xml::parse_document;
use crate::{Element, StreamCondition, StreamError, ns};

/// RFC 7395 §3.1: the name to be agreed on in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "xmpp";

/// Reads one message.
///
/// # Errors
/// The stream error with which the stream must end.
pub fn read(message: &[u8], limits: &StreamLimits) -> Result<StreamInput, StreamError> {
    if message.first() != Some(&b'<') {
        // RFC 7395 §3.8: white space is no keep-alive here.
        return Err(StreamError::new(StreamCondition::BadFormat, "RFC 7395 §3.3.3")
            .text("a message begins with '<'"));
    }
    parse_document(message, limits).map(input)
}

/// What an element says to the stream machine.
pub fn input(el: Element) -> StreamInput {
    if el.is("open", ns::FRAMING) {
        StreamInput::Open(el)
    } else if el.is("close", ns::FRAMING) {
        StreamInput::Closed
    } else if *el.ns() == *ns::FRAMING {
        let condition = StreamCondition::UnsupportedStanzaType;
        StreamInput::End(StreamError::new(condition, "RFC 7395 §3.3.2"))
    } else {
        StreamInput::Element(el)
    }
}

/// RFC 7395 §3.4: the `<open/>` that says what a response header says.
pub fn open(header: &Element) -> Element {
    let mut open = Element::new("open", ns::FRAMING);
    for attr in header.attrs() {
        open.set_attr_ns(attr.ns().clone(), attr.name(), attr.value());
    }
    open
}

/// RFC 7395 §3.6: the end of our direction.
pub fn close() -> Element {
    Element::new("close", ns::FRAMING)
}

/// RFC 7395 §3.3.3: an element as a document that declares all it needs.
pub fn document(el: &Element) -> Vec<u8> {
    // With the prefix that browser clients look for, which a stored document would do without.
    let mut bytes = Vec::with_capacity(256);
    el.write(&mut bytes, "");
    if !needs_stream_prefix(&bytes) {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len() + 64);
    insert(&bytes, None, &mut out);
    out
}

/// Appends what [`Element::to_bytes`] made of a stanza as a document that declares all it needs.
pub fn declare(bytes: &[u8], out: &mut Vec<u8>) {
    insert(bytes, Some(ns::CLIENT), out);
}

/// Whether a `<stream:…>` stands in canonical bytes; elsewhere than in a tag, `<` is escaped
/// there.
fn needs_stream_prefix(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"<stream:").is_some()
}

/// Copies an element with declarations behind the name of its root.
fn insert(bytes: &[u8], default: Option<&str>, out: &mut Vec<u8>) {
    let name = bytes.iter().position(|b| matches!(b, b' ' | b'/' | b'>')).unwrap_or(bytes.len());
    out.reserve(bytes.len() + 96);
    out.extend_from_slice(&bytes[..name]);
    for (name, value) in
        [("xmlns", default), ("xmlns:stream", needs_stream_prefix(bytes).then_some(ns::STREAM))]
    {
        if let Some(value) = value {
            for part in [" ", name, "='", value, "'"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
    }
    out.extend_from_slice(&bytes[name..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::StreamLimits;

    const LIMITS: StreamLimits = StreamLimits::UNAUTHENTICATED;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn rfc7395_3_4_open_is_a_header() {
        let message =
            b"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.org' version='1.0'/>";
        let StreamInput::Open(header) = read(message, &LIMITS).unwrap() else {
            panic!("no header")
        };
        assert_eq!(header.attr("to"), Some("example.org"));
    }

    #[test]
    fn rfc7395_3_6_close_ends_the_stream() {
        let message = document(&close());
        assert_eq!(text(&message), "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
        assert!(matches!(read(&message, &LIMITS), Ok(StreamInput::Closed)));
    }

    #[test]
    fn rfc7395_3_3_3_one_complete_document_per_message() {
        let condition = |message: &[u8]| read(message, &LIMITS).err().map(|e| e.condition);
        let stream = b"<stream:stream xmlns='jabber:client' \
            xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>";
        assert_eq!(condition(stream), Some(StreamCondition::NotWellFormed));
        assert_eq!(condition(b"<a/><b/>"), Some(StreamCondition::NotWellFormed));
        assert_eq!(condition(b"<a>"), Some(StreamCondition::NotWellFormed));
        assert_eq!(condition(b" <a/>"), Some(StreamCondition::BadFormat));
        assert_eq!(condition(b""), Some(StreamCondition::BadFormat));
        assert_eq!(condition(b"hello"), Some(StreamCondition::BadFormat));
        let large = vec![b'<'; LIMITS.stanza_bytes + 1];
        assert_eq!(condition(&large), Some(StreamCondition::PolicyViolation));
    }

    #[test]
    fn rfc7395_3_3_2_nothing_else_in_the_framing_namespace() {
        let message = b"<stream xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
        let Ok(StreamInput::End(error)) = read(message, &LIMITS) else { panic!("accepted") };
        assert_eq!(error.condition, StreamCondition::UnsupportedStanzaType);
    }

    #[test]
    fn rfc7395_3_3_3_stanzas_declare_their_namespace() {
        let stanza = Element::new("message", ns::CLIENT)
            .with_attr("to", "romeo@example.org")
            .with_child(Element::new("body", ns::CLIENT).with_text("a <stream: b"));
        let mut out = Vec::new();
        declare(&stanza.to_bytes(), &mut out);
        let expected = "<message xmlns='jabber:client' to='romeo@example.org'>\
            <body>a &lt;stream: b</body></message>";
        assert_eq!(text(&out), expected);
        assert_eq!(parse_document(&out, &LIMITS).unwrap(), stanza);
        let mut empty = Vec::new();
        declare(&Element::new("presence", ns::CLIENT).to_bytes(), &mut empty);
        assert_eq!(text(&empty), "<presence xmlns='jabber:client'/>");
    }

    #[test]
    fn rfc7395_3_3_3_features_and_errors_declare_the_stream_prefix() {
        let features =
            Element::new("features", ns::STREAM).with_child(Element::new("bind", ns::BIND));
        let bytes = document(&features);
        assert!(
            text(&bytes).starts_with("<stream:features xmlns:stream='http://etherx.jabber.org/")
        );
        assert_eq!(parse_document(&bytes, &LIMITS).unwrap(), features);
        let error = StreamError::new(StreamCondition::Conflict, "RFC 6120 §4.9.3.3").to_element();
        assert_eq!(parse_document(&document(&error), &LIMITS).unwrap(), error);
    }

    /// A stanza of one client that carries an element of the stream namespace must not make the
    /// document that another client gets unreadable.
    #[test]
    fn rfc7395_3_3_3_a_stanza_with_a_stream_element_stays_readable() {
        let stanza = Element::new("message", ns::CLIENT).with_child(
            Element::new("x", "urn:example:x").with_child(Element::new("error", ns::STREAM)),
        );
        let mut out = Vec::new();
        declare(&stanza.to_bytes(), &mut out);
        assert_eq!(parse_document(&out, &LIMITS).unwrap(), stanza);
        assert_eq!(parse_document(&document(&stanza), &LIMITS).unwrap(), stanza);
    }

    #[test]
    fn rfc7395_3_4_response_header_becomes_open() {
        let header = Element::new("stream", ns::STREAM).with_attr("id", "x1").with_attr_ns(
            ns::XML,
            "lang",
            "en",
        );
        assert_eq!(
            text(&document(&open(&header))),
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='x1' xml:lang='en'/>"
        );
    }
}
