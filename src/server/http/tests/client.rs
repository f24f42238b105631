//! Clients over TCP and WebSocket that log in with SCRAM.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use oc_core::limits::StreamLimits;
use oc_core::sasl::client::Scram;
use oc_core::sasl::{Family, Password};
use oc_core::stream::websocket;
use oc_core::xml::{Event, Reader, parse_document};
use oc_core::{Element, ns};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{DOMAIN, PASSWORD, Verona};

/// One way of carrying a stream.
pub(super) trait Wire {
    /// Opens the stream, or opens it again after authentication.
    async fn open(&mut self);
    async fn send(&mut self, el: Element);
    /// The next element that is not a header.
    async fn receive(&mut self) -> Element;
}

/// Waits, but not for ever.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("an answer in time")
}

/// Opens, authenticates, opens again and takes the features.
pub(super) async fn authenticate(wire: &mut impl Wire, name: &str) {
    wire.open().await;
    let features = wire.receive().await;
    assert!(features.is("features", ns::STREAM), "{features:?}");
    let password = Password::prepare(PASSWORD).unwrap();
    let nonce = "rOprNGfwEbeRWgbNEkqO";
    let gs2 = oc_core::sasl::client::Gs2::No;
    let (first, scram) = Scram::begin(Family::Sha256, name, password, nonce, &gs2);
    let auth = Element::new("auth", ns::SASL)
        .with_attr("mechanism", Family::Sha256.mechanism())
        .with_text(STANDARD.encode(first));
    wire.send(auth).await;
    let challenge = wire.receive().await;
    assert!(challenge.is("challenge", ns::SASL), "{challenge:?}");
    let challenge = STANDARD.decode(challenge.text().as_bytes()).unwrap();
    let (proof, server) = scram.respond(&challenge, None).unwrap();
    wire.send(Element::new("response", ns::SASL).with_text(STANDARD.encode(proof))).await;
    let success = wire.receive().await;
    assert!(success.is("success", ns::SASL), "{success:?}");
    server.finish(&STANDARD.decode(success.text().as_bytes()).unwrap()).unwrap();
    wire.open().await;
    let features = wire.receive().await;
    assert!(features.has_child("bind", ns::BIND), "{features:?}");
}

/// Opens, authenticates and binds; gives back the full JID.
pub(super) async fn login(wire: &mut impl Wire, name: &str) -> String {
    authenticate(wire, name).await;
    let bind = Element::new("iq", ns::CLIENT)
        .with_attr("type", "set")
        .with_attr("id", "bind")
        .with_child(Element::new("bind", ns::BIND));
    wire.send(bind).await;
    let bound = wire.receive().await;
    let jid = bound.child("bind", ns::BIND).and_then(|bind| bind.child("jid", ns::BIND));
    jid.unwrap_or_else(|| panic!("not bound: {bound:?}")).text().into_owned()
}

/// A chat message.
pub(super) fn message(to: &str, body: &str) -> Element {
    Element::new("message", ns::CLIENT)
        .with_attr("to", to)
        .with_attr("type", "chat")
        .with_child(Element::new("body", ns::CLIENT).with_text(body))
}

/// The body of the next message.
pub(super) async fn body(wire: &mut impl Wire) -> String {
    loop {
        let el = wire.receive().await;
        if let Some(body) = el.child("body", ns::CLIENT) {
            return body.text().into_owned();
        }
    }
}

/// Plain TCP.
pub(super) struct Tcp {
    tcp: TcpStream,
    reader: Reader,
    bytes: Vec<u8>,
}

impl Tcp {
    pub(super) async fn connect(verona: &Verona) -> Self {
        let tcp = TcpStream::connect(("127.0.0.1", verona.tcp)).await.unwrap();
        let reader = Reader::new(ns::CLIENT, StreamLimits::CLIENT);
        Self { tcp, reader, bytes: Vec::new() }
    }
}

impl Wire for Tcp {
    async fn open(&mut self) {
        self.reader = Reader::new(ns::CLIENT, StreamLimits::CLIENT);
        self.bytes.clear();
        let header = format!(
            "<stream:stream xmlns='{}' xmlns:stream='{}' to='{DOMAIN}' version='1.0'>",
            ns::CLIENT,
            ns::STREAM
        );
        self.tcp.write_all(header.as_bytes()).await.unwrap();
    }

    async fn send(&mut self, el: Element) {
        self.tcp.write_all(&el.to_bytes()).await.unwrap();
    }

    async fn receive(&mut self) -> Element {
        loop {
            let mut input = &self.bytes[..];
            let event = self.reader.next(&mut input).unwrap();
            self.bytes = input.to_vec();
            match event {
                Some(Event::Element(el)) => return el,
                Some(_) => {}
                None => {
                    let mut more = [0; 4096];
                    let n = soon(self.tcp.read(&mut more)).await.unwrap();
                    assert!(n > 0, "the server closed");
                    self.bytes.extend_from_slice(&more[..n]);
                }
            }
        }
    }
}

/// WebSocket, by another implementation.
pub(super) struct Socket {
    pub(super) socket: WebSocketStream<TcpStream>,
}

impl Socket {
    pub(super) async fn connect(verona: &Verona) -> Self {
        Self::asking_for(verona, Some("xmpp")).await.unwrap()
    }

    /// Asks for a subprotocol; gives the status of a refusal.
    pub(super) async fn asking_for(verona: &Verona, protocol: Option<&str>) -> Result<Self, u16> {
        use tokio_tungstenite::tungstenite::Error;
        let tcp = TcpStream::connect(("127.0.0.1", verona.http)).await.unwrap();
        let url = format!("ws://127.0.0.1:{}/xmpp-websocket", verona.http);
        let mut request = url.into_client_request().unwrap();
        if let Some(protocol) = protocol {
            let value = protocol.parse().unwrap();
            request.headers_mut().insert("sec-websocket-protocol", value);
        }
        match soon(tokio_tungstenite::client_async(request, tcp)).await {
            Ok((socket, response)) => {
                assert_eq!(response.headers()["sec-websocket-protocol"], "xmpp");
                assert!(!response.headers().contains_key("sec-websocket-extensions"));
                Ok(Self { socket })
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    pub(super) async fn text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message as it is: an element, or the code with which the WebSocket was closed.
    pub(super) async fn next(&mut self) -> Result<Element, Option<u16>> {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(parse_document(text.as_bytes(), &StreamLimits::CLIENT).unwrap());
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|f| f.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The condition of the stream error that comes next, and the code with which the WebSocket is
    /// closed behind it and `<close/>`.
    pub(super) async fn ending(&mut self) -> (String, Option<u16>) {
        let error = loop {
            let el = self.next().await.expect("a stream error before the end");
            if !el.is("open", ns::FRAMING) && !el.is("features", ns::STREAM) {
                break el;
            }
        };
        assert!(error.is("error", ns::STREAM), "{error:?}");
        let close = self.next().await.expect("<close/>");
        assert!(close.is("close", ns::FRAMING), "{close:?}");
        let condition = error.children().next().expect("a condition").name().to_owned();
        (condition, self.next().await.expect_err("the end"))
    }
}

impl Wire for Socket {
    async fn open(&mut self) {
        let header =
            Element::new("open", ns::FRAMING).with_attr("to", DOMAIN).with_attr("version", "1.0");
        self.send(header).await;
    }

    async fn send(&mut self, el: Element) {
        let document = websocket::document(&el);
        self.text(std::str::from_utf8(&document).unwrap()).await;
    }

    async fn receive(&mut self) -> Element {
        loop {
            let el = self.next().await.expect("an element");
            if !el.is("open", ns::FRAMING) {
                return el;
            }
        }
    }
}
