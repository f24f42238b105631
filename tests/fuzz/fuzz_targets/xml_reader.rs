//! `oc_core::xml::Reader` with whatever a peer sends, in whatever pieces.
//!
//! The first byte of the input chooses limits and content namespace, the second the pieces, the
//! third whether the stream header comes first so that the fuzzer need not invent it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oc_core::{
    Element, Node, StreamError,
    limits::StreamLimits,
    ns,
    xml::{Event, Frame, Reader, parse_document},
};

const HEADER: &[u8] = b"<stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>";
const SERVER_HEADER: &[u8] = b"<stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>";
/// Small enough for a fuzzer to reach each of them.
const NARROW: StreamLimits =
    StreamLimits { stanza_bytes: 256, depth: 3, elements: 8, attributes: 4, token_bytes: 64 };

fuzz_target!(|data: &[u8]| {
    let [choice, pieces, with_header, rest @ ..] = data else { return };
    let limits = match choice & 3 {
        0 => StreamLimits::UNAUTHENTICATED,
        1 => StreamLimits::CLIENT,
        2 => StreamLimits::SERVER,
        _ => NARROW,
    };
    let (content_ns, header) = match choice & 4 {
        0 => (ns::CLIENT, HEADER),
        _ => (ns::SERVER, SERVER_HEADER),
    };
    let stream = match with_header & 1 {
        0 => [header, rest].concat(),
        _ => rest.to_vec(),
    };
    let whole = read(content_ns, limits, &stream, |_| usize::MAX);
    let pieces = usize::from(*pieces);
    let torn = read(content_ns, limits, &stream, |i| 1 + (i * 7 + pieces) % (1 + pieces));
    compare(&whole, &torn);
    for event in &whole.0 {
        if let Event::Element(el) = event {
            within(el, &limits, 1);
            assert!(count(el) <= limits.elements);
            written_again(el);
        }
    }
    if let Ok(el) = parse_document(rest, &limits) {
        written_again(&el);
    }
});

type Reading = (Vec<Event>, Option<StreamError>);

/// What stands in `stream` if it comes in pieces of these lengths.
fn read(
    content_ns: &'static str,
    limits: StreamLimits,
    mut stream: &[u8],
    length: impl Fn(usize) -> usize,
) -> Reading {
    let mut reader = Reader::new(content_ns, limits);
    let (mut events, mut i) = (Vec::new(), 0);
    // Bytes taken since the last event that ended an element: all that may be held.
    let mut held = 0;
    while !stream.is_empty() {
        let (piece, rest) = stream.split_at(length(i).min(stream.len()));
        (stream, i) = (rest, i + 1);
        let mut input = piece;
        loop {
            let before = input.len();
            let next = reader.next(&mut input);
            held += before - input.len();
            match next {
                Ok(Some(event)) => {
                    held = 0;
                    events.push(event);
                }
                Ok(None) => {
                    assert!(input.is_empty(), "it asks for more and has not taken all");
                    break;
                }
                Err(error) => return (events, Some(error)),
            }
            // Nothing may follow the end of a stream.
            if let Some(Event::Close) = events.last() {
                return (events, None);
            }
        }
        if reader.in_element() {
            // White space before the header is not held.
            let white = events.is_empty() && piece.iter().all(u8::is_ascii_whitespace);
            assert!(white || held <= limits.stanza_bytes + 1, "{held} bytes without an element");
        } else {
            reader.rest();
        }
    }
    (events, None)
}

/// How a stream is torn changes nothing but how often white space shows that somebody is alive.
fn compare(whole: &Reading, torn: &Reading) {
    let content = |events: &[Event]| -> Vec<Event> {
        events.iter().filter(|e| **e != Event::Alive).cloned().collect()
    };
    assert_eq!(content(&whole.0), content(&torn.0));
    // Not compared: with which condition a broken stream ends, and whether it has ended when the
    // input does. Both depend on how much the lexer holds back.
}

fn within(el: &Element, limits: &StreamLimits, depth: usize) {
    assert!(depth <= limits.depth, "depth {depth}");
    assert!(el.attrs().len() <= limits.attributes);
    let mut text = false;
    for node in el.nodes() {
        match node {
            Node::Element(child) => {
                within(child, limits, depth + 1);
                text = false;
            }
            Node::Text(_) => {
                assert!(!text, "one text in two nodes");
                text = true;
            }
        }
    }
}

fn count(el: &Element) -> usize {
    1 + el.children().map(count).sum::<usize>()
}

/// What was read and written is read again as the same, and written as the same bytes.
fn written_again(el: &Element) {
    if has_stream_namespace(el) {
        // Never in a stand-alone document (`Element::write`).
        return;
    }
    // Canonical writing may be longer than what was read, by the escapes and namespaces.
    let wide = StreamLimits {
        stanza_bytes: 1 << 24,
        depth: 1 << 10,
        elements: 1 << 16,
        attributes: 1 << 10,
        token_bytes: 1 << 20,
    };
    let document = el.to_document();
    let again = parse_document(&document, &wide);
    let again = again.unwrap_or_else(|e| panic!("{e:?}: {}", String::from_utf8_lossy(&document)));
    assert_eq!(again, *el, "{}", String::from_utf8_lossy(&document));
    assert_eq!(again.to_document(), document);
    framed(el, &wide);
}

/// A frame is the element with its recipient in place.
fn framed(el: &Element, wide: &StreamLimits) {
    let to = "o'neill@example.org/a&b<c";
    let mut out = HEADER.to_vec();
    Frame::new(el).write_to(to, &mut out);
    let mut input = &out[..];
    let mut reader = Reader::new(ns::CLIENT, *wide);
    assert!(matches!(reader.next(&mut input), Ok(Some(Event::Open(_)))));
    let Ok(Some(Event::Element(framed))) = reader.next(&mut input) else {
        panic!("no element in {}", String::from_utf8_lossy(&out))
    };
    assert_eq!(framed.attr("to"), Some(to));
    assert_eq!((framed.name(), framed.ns(), framed.nodes()), (el.name(), el.ns(), el.nodes()));
}

fn has_stream_namespace(el: &Element) -> bool {
    el.ns() == &ns::STREAM || el.children().any(has_stream_namespace)
}
