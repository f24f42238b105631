use oc_core::{Element, ns};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::client::{Socket, Tcp, Wire, body, login, message};
use super::{DOMAIN, Verona};

#[tokio::test(flavor = "multi_thread")]
async fn rfc7395_a_session_beside_one_over_tcp() {
    let verona = Verona::open().await;
    let (mut romeo, mut juliet) = (Socket::connect(&verona).await, Tcp::connect(&verona).await);
    let romeo_jid = login(&mut romeo, "romeo").await;
    let juliet_jid = login(&mut juliet, "juliet").await;
    romeo.send(message(&juliet_jid, "Art thou <there> & 'awake'?")).await;
    assert_eq!(body(&mut juliet).await, "Art thou <there> & 'awake'?");
    juliet.send(message(&romeo_jid, "Ay me.")).await;
    assert_eq!(body(&mut romeo).await, "Ay me.");
    romeo.send(Element::new("close", ns::FRAMING)).await;
    let close = romeo.receive().await;
    assert!(close.is("close", ns::FRAMING), "{close:?}");
    assert_eq!(romeo.next().await, Err(Some(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7395_3_9_no_tls_inside() {
    let verona = Verona::open().await;
    let mut romeo = Socket::connect(&verona).await;
    romeo.open().await;
    let open = romeo.next().await.unwrap();
    assert!(open.is("open", ns::FRAMING) && open.attr("from") == Some(DOMAIN), "{open:?}");
    let features = romeo.receive().await;
    assert!(!features.has_child("starttls", ns::TLS), "{features:?}");
    let mechanisms = features.child("mechanisms", ns::SASL).expect("SASL").children();
    let names: Vec<_> = mechanisms.map(|m| m.text().into_owned()).collect();
    assert!(names.iter().any(|name| name == "SCRAM-SHA-256"), "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with("-PLUS")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7395_3_1_subprotocol_required() {
    let verona = Verona::open().await;
    assert_eq!(Socket::asking_for(&verona, None).await.err(), Some(400));
    assert_eq!(Socket::asking_for(&verona, Some("chat")).await.err(), Some(400));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7395_3_2_text_frames_only() {
    let verona = Verona::open().await;
    let mut romeo = Socket::connect(&verona).await;
    romeo.open().await;
    let binary = Message::Binary(Bytes::from_static(b"<presence/>"));
    futures_util::SinkExt::send(&mut romeo.socket, binary).await.unwrap();
    assert_eq!(romeo.ending().await, ("unsupported-encoding".to_owned(), Some(1003)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7395_3_4_stream_header_is_not_open() {
    let verona = Verona::open().await;
    let mut romeo = Socket::connect(&verona).await;
    let header = format!(
        "<stream:stream xmlns='{}' xmlns:stream='{}' to='{DOMAIN}' version='1.0'>",
        ns::CLIENT,
        ns::STREAM
    );
    romeo.text(&header).await;
    assert_eq!(romeo.ending().await, ("not-well-formed".to_owned(), Some(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7395_3_5_errors_while_opening_follow_an_open() {
    let verona = Verona::open().await;
    let mut romeo = Socket::connect(&verona).await;
    romeo.text("hello").await;
    let open = romeo.next().await.unwrap();
    assert!(open.is("open", ns::FRAMING), "{open:?}");
    assert_eq!(romeo.ending().await, ("bad-format".to_owned(), Some(1000)));

    let mut romeo = Socket::connect(&verona).await;
    let open = Element::new("open", ns::FRAMING).with_attr("to", "mantua.lit");
    romeo.send(open.with_attr("version", "1.0")).await;
    assert_eq!(romeo.ending().await, ("host-unknown".to_owned(), Some(1000)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc6120_13_12_message_too_big() {
    let verona = Verona::open().await;
    let mut romeo = Socket::connect(&verona).await;
    login(&mut romeo, "romeo").await;
    romeo.send(message("juliet@example.org", &"x".repeat(200 * 1024))).await;
    romeo.send(message("juliet@example.org", &"x".repeat(257 * 1024))).await;
    assert_eq!(romeo.ending().await, ("policy-violation".to_owned(), Some(1009)));

    let mut stranger = Socket::connect(&verona).await;
    stranger.open().await;
    stranger.send(message("juliet@example.org", &"x".repeat(9 * 1024))).await;
    assert_eq!(stranger.ending().await, ("policy-violation".to_owned(), Some(1000)));
}

/// A session whose WebSocket broke is resumed on a TCP connection, at whichever edge that one
/// arrives, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn rfc7395_3_10_resumed_across_transports() {
    let verona = Verona::open().await;
    let mut juliet = Tcp::connect(&verona).await;
    let juliet_jid = login(&mut juliet, "juliet").await;
    let mut romeo = Socket::connect(&verona).await;
    let jid = login(&mut romeo, "romeo").await;
    let enable = Element::new("enable", ns::SM).with_attr("resume", "true");
    romeo.send(enable).await;
    let id = romeo.receive().await.attr("id").expect("resumable").to_owned();
    drop(romeo);
    juliet.send(message(&jid, "first")).await;

    let mut romeo = Tcp::connect(&verona).await;
    resume(&mut romeo, &id).await;
    assert_eq!(body(&mut romeo).await, "first");
    drop(romeo);
    juliet.send(message(&jid, "second")).await;

    let mut romeo = Socket::connect(&verona).await;
    resume(&mut romeo, &id).await;
    assert_eq!(body(&mut romeo).await, "first", "it was never acknowledged");
    assert_eq!(body(&mut romeo).await, "second");
    romeo.send(message(&juliet_jid, "third")).await;
    assert_eq!(body(&mut juliet).await, "third");
}

async fn resume(wire: &mut impl Wire, id: &str) {
    super::client::authenticate(wire, "romeo").await;
    let resume = Element::new("resume", ns::SM).with_attr("previd", id).with_attr("h", "0");
    wire.send(resume).await;
    let resumed = wire.receive().await;
    assert!(resumed.is("resumed", ns::SM), "{resumed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc6120_4_9_3_20_told_that_the_server_stops() {
    let verona = Verona::open().await;
    let mut romeo = Socket::connect(&verona).await;
    login(&mut romeo, "romeo").await;
    let close = tokio::spawn(verona.house.close());
    assert_eq!(romeo.ending().await, ("system-shutdown".to_owned(), Some(1000)));
    close.await.unwrap();
}
