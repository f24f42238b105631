use std::collections::VecDeque;
use std::time::{Duration, Instant};

use oc_core::limits::StreamLimits;
use oc_core::stream::websocket;
use oc_core::xml::parse_document;
use oc_core::{Element, ns};
use oc_xeps::bosh::{NS, XMPP_NS};

use super::client::{Tcp, Wire, body, login, message};
use super::host_meta::request;
use super::{DOMAIN, Verona};

/// A client that makes one request at a time, each on a connection of its own.
struct Bosh<'a> {
    verona: &'a Verona,
    sid: Option<String>,
    rid: u64,
    inbox: VecDeque<Element>,
}

impl<'a> Bosh<'a> {
    fn new(verona: &'a Verona) -> Self {
        Self { verona, sid: None, rid: 1_573_741_820, inbox: VecDeque::new() }
    }

    fn body(&mut self) -> Element {
        self.rid += 1;
        Element::new("body", NS)
            .with_attr("rid", self.rid.to_string())
            .with_attr_opt("sid", self.sid.as_ref())
    }

    async fn exchange(&mut self, body: Element) -> Element {
        let answer = post(self.verona, &body.to_document()).await;
        self.inbox.extend(answer.children().cloned());
        answer
    }
}

impl Wire for Bosh<'_> {
    async fn open(&mut self) {
        let fresh = self.sid.is_none();
        let mut body = self.body().with_attr("to", DOMAIN).with_attr_ns(XMPP_NS, "version", "1.0");
        if fresh {
            for (name, value) in [("wait", "5"), ("hold", "1"), ("ver", "1.6")] {
                body.set_attr(name, value);
            }
        } else {
            body.set_attr_ns(XMPP_NS, "restart", "true");
        }
        let answer = self.exchange(body).await;
        if fresh {
            assert_eq!(answer.attr("from"), Some(DOMAIN), "{answer:?}");
            assert!(answer.attr("authid").is_some(), "{answer:?}");
            assert_eq!(answer.attr_ns(XMPP_NS, "restartlogic"), Some("true"));
            self.sid = answer.attr("sid").map(str::to_owned);
        }
    }

    async fn send(&mut self, el: Element) {
        let body = self.body().with_child(el);
        self.exchange(body).await;
    }

    async fn receive(&mut self) -> Element {
        for _ in 0..10 {
            if let Some(el) = self.inbox.pop_front() {
                return el;
            }
            let body = self.body();
            self.exchange(body).await;
        }
        panic!("nothing was said for a long time");
    }
}

async fn post(verona: &Verona, body: &[u8]) -> Element {
    let mut text = format!(
        "POST /http-bind HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Type: text/xml\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    text.push_str(std::str::from_utf8(body).unwrap());
    let response = request(verona, &text).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/xml; charset=utf-8"), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    parse_document(body.as_bytes(), &StreamLimits::CLIENT).unwrap()
}

/// The condition of an answer that ends the session.
fn end(answer: &Element) -> Option<&str> {
    assert_eq!(answer.attr("type"), Some("terminate"), "{answer:?}");
    answer.attr("condition")
}

#[tokio::test(flavor = "multi_thread")]
async fn xep_0206_a_session_beside_one_over_tcp() {
    let verona = Verona::open().await;
    let (mut romeo, mut juliet) = (Bosh::new(&verona), Tcp::connect(&verona).await);
    let romeo_jid = login(&mut romeo, "romeo").await;
    let juliet_jid = login(&mut juliet, "juliet").await;
    juliet.send(message(&romeo_jid, "Ay me.")).await;
    assert_eq!(body(&mut romeo).await, "Ay me.");
    // A message larger than a stranger's; the answer to its request comes with juliet's.
    let long = "Art thou <there>? ".repeat(2_000);
    let (_, heard) = tokio::join!(romeo.send(message(&juliet_jid, &long)), async {
        let heard = body(&mut juliet).await;
        juliet.send(message(&romeo_jid, "I am.")).await;
        heard
    });
    assert_eq!(heard, long);
    assert_eq!(body(&mut romeo).await, "I am.");

    let last = romeo.body().with_attr("type", "terminate");
    assert_eq!(end(&romeo.exchange(last).await), None);
    let late = romeo.body();
    assert_eq!(end(&romeo.exchange(late).await), Some("item-not-found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn xep_0124_rids_broken_answer_is_repeated() {
    let verona = Verona::open().await;
    let mut romeo = Bosh::new(&verona);
    login(&mut romeo, "romeo").await;
    let iq = Element::new("iq", ns::CLIENT)
        .with_attr("type", "get")
        .with_attr("id", "v1")
        .with_child(Element::new("ping", oc_xeps::ping::NS));
    let body = romeo.body().with_child(iq);
    let first = romeo.exchange(body.clone()).await;
    assert!(first.child("iq", ns::CLIENT).is_some(), "{first:?}");
    assert_eq!(romeo.exchange(body).await, first);
    romeo.rid += 50;
    let beyond = romeo.body();
    assert_eq!(end(&romeo.exchange(beyond).await), Some("item-not-found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn xep_0124_payloads_wait_is_kept() {
    let verona = Verona::with(&["http.bosh_wait=1 s"]).await;
    let mut romeo = Bosh::new(&verona);
    login(&mut romeo, "romeo").await;
    let begun = Instant::now();
    let body = romeo.body();
    let answer = romeo.exchange(body).await;
    assert_eq!(answer, Element::new("body", NS));
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn xep_0206_stream_errors_end_the_session() {
    let verona = Verona::open().await;
    let mut romeo = Bosh::new(&verona);
    login(&mut romeo, "romeo").await;
    let body = romeo.body().with_child(Element::new("nonsense", "urn:example:nonsense"));
    let answer = romeo.exchange(body).await;
    assert_eq!(end(&answer), Some("remote-stream-error"));
    let error = answer.child("error", ns::STREAM).expect("the stream's error");
    assert!(error.has_child("unsupported-stanza-type", ns::STREAM_ERROR), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn xep_0124_errorstatus_terminal_requests_that_begin_nothing() {
    let verona = Verona::open().await;
    let create = |to: &str| Element::new("body", NS).with_attr("rid", "1").with_attr("to", to);
    assert_eq!(end(&post(&verona, b"hello").await), Some("bad-request"));
    assert_eq!(end(&post(&verona, b"<body>").await), Some("bad-request"));
    assert_eq!(
        end(&post(&verona, &create("mantua.lit").to_document()).await),
        Some("host-unknown")
    );
    let nobody = create(DOMAIN).with_attr("sid", "nobody");
    assert_eq!(end(&post(&verona, &nobody.to_document()).await), Some("item-not-found"));
    let large = create(DOMAIN).with_text("x".repeat(9 * 1024));
    assert_eq!(end(&post(&verona, &websocket::document(&large)).await), Some("policy-violation"));
    let huge = vec![b'x'; 300 * 1024];
    assert_eq!(end(&post(&verona, &huge).await), Some("policy-violation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bosh_from_other_origins() {
    let verona = Verona::open().await;
    let text = "OPTIONS /http-bind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = request(&verona, text).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    for header in [
        "access-control-allow-origin: *",
        "access-control-allow-headers: Content-Type",
        "access-control-allow-methods: POST, OPTIONS",
    ] {
        assert!(answer.contains(header), "{answer}");
    }
}
