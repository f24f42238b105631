use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::soon;
use super::{DOMAIN, Verona};

/// One request on a connection of its own; the whole response.
pub(super) async fn request(verona: &Verona, text: &str) -> String {
    let mut tcp = TcpStream::connect(("127.0.0.1", verona.http)).await.unwrap();
    tcp.write_all(text.as_bytes()).await.unwrap();
    let mut response = String::new();
    soon(tcp.read_to_string(&mut response)).await.unwrap();
    response
}

async fn get(verona: &Verona, path: &str, host: &str) -> String {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    request(verona, &text).await
}

#[tokio::test(flavor = "multi_thread")]
async fn xep_0156_host_meta_for_a_domain() {
    let verona = Verona::open().await;
    let https = verona.https;
    let xrd = get(&verona, "/.well-known/host-meta", DOMAIN).await;
    assert!(xrd.starts_with("HTTP/1.1 200"), "{xrd}");
    assert!(xrd.contains("content-type: application/xrd+xml"), "{xrd}");
    assert!(xrd.contains("access-control-allow-origin: *"), "{xrd}");
    assert!(xrd.contains(&format!("href='wss://{DOMAIN}:{https}/xmpp-websocket'")), "{xrd}");
    let jrd = get(&verona, "/.well-known/host-meta.json", "EXAMPLE.org:5281").await;
    assert!(jrd.contains(&format!("\"wss://{DOMAIN}:{https}/xmpp-websocket\"")), "{jrd}");
}

#[tokio::test(flavor = "multi_thread")]
async fn xep_0156_impl_preflight() {
    let verona = Verona::open().await;
    let text = "OPTIONS /.well-known/host-meta.json HTTP/1.1\r\nHost: example.org\r\n\
        Origin: https://web.example\r\nAccess-Control-Request-Method: GET\r\n\
        Connection: close\r\n\r\n";
    let response = request(&verona, text).await;
    assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    assert!(response.contains("access-control-allow-origin: *"), "{response}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_domains_and_runs_nothing() {
    let verona = Verona::open().await;
    let page = get(&verona, "/", "127.0.0.1").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("<h2>example.org</h2>"), "{page}");
    assert!(page.contains("name=\"viewport\""), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none'; style-src 'sha256-"));
    assert!(!page.contains("<script") && !page.contains("access-control-allow-origin"), "{page}");
    let nothing = get(&verona, "/nothing", "127.0.0.1").await;
    assert!(nothing.starts_with("HTTP/1.1 404"), "{nothing}");
    assert!(nothing.contains("x-content-type-options: nosniff"), "{nothing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_bounded_in_bytes_and_time() {
    let verona = Verona::open().await;
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(17 * 1024));
    let response = request(&verona, &large).await;
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");

    let mut slow = TcpStream::connect(("127.0.0.1", verona.http)).await.unwrap();
    let begun = Instant::now();
    let mut rest = Vec::new();
    slow.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let _ = tokio::time::timeout(Duration::from_secs(40), slow.read_to_end(&mut rest))
        .await
        .expect("the server gives up");
    assert!(begun.elapsed() >= Duration::from_secs(15), "not at once: {:?}", begun.elapsed());
}
