//! What the reader refuses, and that what it reads is written again unchanged.

use super::*;
use crate::limits::StreamLimits;
use crate::{StreamCondition, ns};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>";

fn reader(limits: StreamLimits) -> Reader {
    let mut reader = Reader::new(ns::CLIENT, StreamLimits::UNAUTHENTICATED);
    let mut input = HEADER.as_bytes();
    let event = reader.next(&mut input).expect("a header");
    assert!(matches!(event, Some(Event::Open(el)) if el.attr("to") == Some("example.org")));
    reader.set_limits(limits);
    reader
}

fn refusal(limits: StreamLimits, text: &[u8]) -> Option<StreamCondition> {
    let mut reader = reader(limits);
    let mut input = text;
    loop {
        match reader.next(&mut input) {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return Some(error.condition),
        }
    }
}

#[test]
fn rfc6120_11_1_restricted_xml() {
    use StreamCondition as C;
    let cases: &[(&[u8], C)] = &[
        (b"<!-- hidden -->", C::RestrictedXml),
        (b"<?php run ?>", C::RestrictedXml),
        (b"<message>&lol;</message>", C::RestrictedXml),
        (b"<message><body>\xff\xfe</body></message>", C::UnsupportedEncoding),
        (b"<message><body>\x01</body></message>", C::NotWellFormed),
        (b"<message></presence>", C::NotWellFormed),
        (b"<message to='a' to='b'/>", C::NotWellFormed),
        (b"<x:message/>", C::NotWellFormed),
        (b"hello", C::BadFormat),
    ];
    for (text, condition) in cases {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(refusal(StreamLimits::CLIENT, text), Some(*condition), "{shown}");
    }
}

#[test]
fn rfc6120_4_8_2_header_tells_its_content_namespace() {
    let cases = [
        ("<s:stream to=\"a='b'\" xmlns:s='urn:s' xmlns = \"urn:content\">", Some("urn:content")),
        ("<?xml version='1.0'?>\n<s:stream xmlns:s='urn:s' x='&gt; xmlns=\"urn:no\"'>", None),
        ("<stream xmlns='urn:first'>", Some("urn:first")),
    ];
    for (text, content) in cases {
        let mut reader = Reader::new(ns::CLIENT, StreamLimits::UNAUTHENTICATED);
        let mut header = None;
        for byte in text.bytes() {
            header = header.or(reader.next(&mut &[byte][..]).expect("well-formed"));
        }
        let Some(Event::Open(header)) = header else { panic!("no header in {text}") };
        assert_eq!(header.attr("xmlns"), content, "{text}");
    }
}

#[test]
fn rfc6120_4_9_3_1_no_stream_inside_a_stream() {
    let again = "<stream:stream to='example.org'>".as_bytes();
    assert_eq!(refusal(StreamLimits::CLIENT, again), Some(StreamCondition::BadFormat));
}

#[test]
fn rfc6120_4_9_3_13_other_protocols_are_refused_at_once() {
    for text in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01"] {
        let mut reader = Reader::new(ns::CLIENT, StreamLimits::UNAUTHENTICATED);
        let error = reader.next(&mut &text[..]).expect_err("not XML");
        assert_eq!(error.condition, StreamCondition::NotWellFormed);
    }
}

#[test]
fn rfc6120_11_1_document_type_before_the_root() {
    let mut reader = Reader::new(ns::CLIENT, StreamLimits::UNAUTHENTICATED);
    let mut input: &[u8] = b"<!DOCTYPE lolz [<!ENTITY lol 'lol'>]><stream:stream>";
    assert!(reader.next(&mut input).is_err());
}

#[test]
fn rfc6120_13_12_limits_are_exact() {
    let limits = StreamLimits {
        stanza_bytes: 100,
        depth: 3,
        elements: 4,
        attributes: 2,
        ..StreamLimits::UNAUTHENTICATED
    };
    let policy = Some(StreamCondition::PolicyViolation);
    let sized = |n: usize| format!("<a>{}</a>", "x".repeat(n - 7));
    assert_eq!(refusal(limits, sized(100).as_bytes()), None);
    assert_eq!(refusal(limits, sized(101).as_bytes()), policy);
    assert_eq!(refusal(limits, b"<a><b><c/></b></a>"), None);
    assert_eq!(refusal(limits, b"<a><b><c><d/></c></b></a>"), policy);
    assert_eq!(refusal(limits, b"<a><b/><c/><d/></a>"), None);
    assert_eq!(refusal(limits, b"<a><b/><c/><d/><e/></a>"), policy);
    assert_eq!(refusal(limits, b"<a b='' c=''/>"), None);
    assert_eq!(refusal(limits, b"<a b='' c='' d=''/>"), policy);
    // White space between stanzas costs nothing, however much of it there is.
    assert_eq!(refusal(limits, " ".repeat(10_000).as_bytes()), None);
}

#[test]
fn rfc6120_13_12_unfinished_stanza_is_counted_as_it_comes() {
    let mut reader = reader(StreamLimits::UNAUTHENTICATED);
    let mut sent = 0;
    let refused = std::iter::repeat_n(b"<message id='1'><body>aaaaaaaaaaaaaaaa", 1)
        .chain(std::iter::repeat(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    for chunk in refused {
        let mut input: &[u8] = chunk;
        if reader.next(&mut input).is_err() {
            break;
        }
        sent += chunk.len();
    }
    assert!(sent <= StreamLimits::UNAUTHENTICATED.stanza_bytes, "{sent}");
}

#[test]
fn regression_deep_nesting_costs_no_stack() {
    let deep = "<a>".repeat(100_000);
    let limits = StreamLimits { stanza_bytes: 1 << 20, elements: 1 << 20, ..StreamLimits::CLIENT };
    assert_eq!(refusal(limits, deep.as_bytes()), Some(StreamCondition::PolicyViolation));
    assert!(parse_document(deep.as_bytes(), &limits).is_err());
}

#[test]
fn read_and_written_again_byte_by_byte() {
    let text = "<message xml:lang='de' id='&apos;&lt;' type='chat'><body>a &amp; b\n&#xd;</body>\
                <x xmlns='urn:example:x' xmlns:y='urn:example:y' y:z='1'><y:deep/></x></message>";
    let mut reader = reader(StreamLimits::CLIENT);
    let mut found = None;
    for byte in text.bytes() {
        if let Some(Event::Element(el)) = reader.next(&mut &[byte][..]).expect("well-formed") {
            found = Some(el);
        }
    }
    let el = found.expect("an element");
    assert_eq!(el.child("body", ns::CLIENT).expect("a body").text(), "a & b\n\r");
    let again = parse_document(&el.to_document(), &StreamLimits::CLIENT).expect("well-formed");
    assert_eq!(again, el);
    let x = el.child("x", "urn:example:x").expect("x");
    assert_eq!(x.attr_ns("urn:example:y", "z"), Some("1"));
    assert!(x.has_child("deep", "urn:example:y"));
}

#[test]
fn regression_stand_alone_document_declares_the_stream_namespace() {
    let el = Element::new("message", ns::CLIENT)
        .with_child(Element::new("features", ns::STREAM).with_child(Element::new("x", "urn:x")));
    let read = parse_document(&el.to_document(), &StreamLimits::CLIENT).expect("well-formed");
    assert_eq!(read, el);
}

#[test]
fn rfc6120_4_8_3_server_streams_become_the_inner_namespace() {
    let mut reader = Reader::new(ns::SERVER, StreamLimits::SERVER);
    let mut input: &[u8] = b"<s:stream xmlns='jabber:server' \
        xmlns:s='http://etherx.jabber.org/streams'><message><body>x</body></message></s:stream>";
    reader.next(&mut input).expect("a header");
    let Ok(Some(Event::Element(el))) = reader.next(&mut input) else { panic!("no element") };
    assert!(el.is("message", ns::CLIENT) && el.has_child("body", ns::CLIENT));
    assert_eq!(reader.next(&mut input), Ok(Some(Event::Close)));
}
