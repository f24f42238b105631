//! A client that does what it is told, right or wrong, and reads what comes back.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

pub mod scram;
pub mod xml;

pub use xml::{El, Item, escape};

use crate::subject::Place;

/// How long anything may take before a test calls it missing.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What a case returns: why it failed, or nothing.
pub type Done<T = ()> = Result<T, String>;

/// A connection, encrypted or not.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// One stream to the subject.
pub struct Client {
    io: Option<Box<dyn Io>>,
    buf: Vec<u8>,
    scope: Vec<(String, String)>,
    /// Elements read while something else was awaited.
    inbox: VecDeque<El>,
    /// The domain that the stream is opened to.
    pub domain: String,
    /// The last stream header of the server.
    pub header: El,
    /// The last stream features.
    pub features: El,
    /// The full JID once bound.
    pub jid: String,
    /// tls-exporter data (RFC 9266) once encrypted.
    pub exporter: Option<[u8; 32]>,
    /// The ALPN protocol the server chose.
    pub alpn: Option<Vec<u8>>,
    next_id: u32,
}

/// Random letters.
pub fn random_text(n: usize) -> String {
    let mut bytes = vec![0; n];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes.iter().map(|b| char::from(b'a' + b % 26)).collect()
}

impl Client {
    /// Connects without sending anything.
    pub async fn connect(place: &Place, domain: &str) -> Done<Self> {
        let tcp = timeout(PATIENCE, TcpStream::connect(place.starttls)).await;
        let tcp = tcp.map_err(|_| "connect: timeout")?.map_err(|e| format!("connect: {e}"))?;
        tcp.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(Self::over(Box::new(tcp), domain))
    }

    /// Connects by direct TLS (XEP-0368).
    pub async fn connect_tls(place: &Place, domain: &str) -> Done<Self> {
        let tcp = TcpStream::connect(place.tls).await.map_err(|e| format!("connect: {e}"))?;
        tcp.set_nodelay(true).map_err(|e| e.to_string())?;
        let mut client = Self::over(Box::new(tcp), domain);
        client.handshake(place).await?;
        Ok(client)
    }

    fn over(io: Box<dyn Io>, domain: &str) -> Self {
        Self {
            io: Some(io),
            buf: vec![],
            scope: vec![],
            inbox: VecDeque::new(),
            domain: domain.to_owned(),
            header: El::default(),
            features: El::default(),
            jid: String::new(),
            exporter: None,
            alpn: None,
            next_id: 0,
        }
    }

    /// The TLS handshake over the present connection; what was read in the clear is kept, so that a
    /// test sees it if the server wrongly sent something.
    pub async fn handshake(&mut self, place: &Place) -> Done {
        let mut roots = RootCertStore::empty();
        roots.add(place.ca.clone()).map_err(|e| e.to_string())?;
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"xmpp-client".to_vec()];
        let name = ServerName::try_from(self.domain.clone()).map_err(|e| e.to_string())?;
        let io = self.io.take().ok_or("no connection")?;
        let tls = TlsConnector::from(Arc::new(config)).connect(name, io);
        let tls = timeout(PATIENCE, tls).await.map_err(|_| "TLS: timeout")?;
        let tls = tls.map_err(|e| format!("TLS: {e}"))?;
        let (_, session) = tls.get_ref();
        let label = b"EXPORTER-Channel-Binding";
        self.exporter = session.export_keying_material([0; 32], label, Some(b"")).ok();
        self.alpn = session.alpn_protocol().map(<[u8]>::to_vec);
        self.io = Some(Box::new(tls));
        Ok(())
    }

    /// Sends bytes as they are.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Done {
        let io = self.io.as_mut().ok_or("no connection")?;
        let write = async {
            io.write_all(bytes).await?;
            io.flush().await
        };
        let done = timeout(PATIENCE, write).await.map_err(|_| "send: timeout")?;
        done.map_err(|e| format!("send: {e}"))
    }

    /// Sends text as it is.
    pub async fn send(&mut self, text: impl AsRef<str>) -> Done {
        self.send_bytes(text.as_ref().as_bytes()).await
    }

    /// Sends what the server may already refuse to take: a lost connection is no error here,
    /// because its reason is read next.
    pub async fn throw(&mut self, text: impl AsRef<str>) {
        let _ = self.send(text).await;
    }

    /// Drops the connection without a word.
    pub fn cut(&mut self) {
        self.io = None;
    }

    /// Opens a stream and reads header and features.
    pub async fn open(&mut self) -> Done {
        let header = header(&self.domain);
        self.send(header).await?;
        self.read_header().await?;
        self.features = self.element().await?;
        ensure(self.features.name == "features", || format!("no features: {:?}", self.features))
    }

    pub async fn read_header(&mut self) -> Done {
        match self.item().await? {
            Some(Item::Open(el)) => self.header = el,
            other => return Err(format!("instead of a stream header: {other:?}")),
        }
        Ok(())
    }

    /// The next thing on the stream; `None` when the connection has ended.
    pub async fn item(&mut self) -> Done<Option<Item>> {
        timeout(PATIENCE, self.item_forever())
            .await
            .map_err(|_| format!("nothing came within {PATIENCE:?}"))?
    }

    async fn item_forever(&mut self) -> Done<Option<Item>> {
        loop {
            match xml::take(&mut self.buf, &mut self.scope) {
                Ok(item) => return Ok(Some(item)),
                Err(xml::Stop::Broken(why)) => return Err(why),
                Err(xml::Stop::Incomplete) => {}
            }
            let Some(io) = self.io.as_mut() else { return Ok(None) };
            let mut chunk = [0; 16 * 1024];
            match io.read(&mut chunk).await {
                Ok(0) | Err(_) => {
                    self.io = None;
                    return Ok(None);
                }
                Ok(n) => self.buf.extend_from_slice(&chunk[..n]),
            }
        }
    }

    /// The next element; one that was put aside first. Requests for an ack are answered by nobody.
    pub async fn element(&mut self) -> Done<El> {
        if let Some(el) = self.inbox.pop_front() {
            return Ok(el);
        }
        self.fresh().await
    }

    async fn fresh(&mut self) -> Done<El> {
        match self.item().await? {
            Some(Item::Element(el)) => Ok(el),
            Some(Item::Open(el)) => {
                self.header = el;
                Box::pin(self.fresh()).await
            }
            Some(Item::Close) => Err("the stream was closed".into()),
            None => Err("the connection was closed".into()),
        }
    }

    /// Waits for an element; others are put aside in their order.
    pub async fn want(&mut self, what: &str, is: impl Fn(&El) -> bool) -> Done<El> {
        if let Some(i) = self.inbox.iter().position(&is) {
            return self.inbox.remove(i).ok_or_else(String::new);
        }
        loop {
            let el = self.fresh().await.map_err(|e| format!("waiting for {what}: {e}"))?;
            if is(&el) {
                return Ok(el);
            }
            self.inbox.push_back(el);
        }
    }

    /// The next message (other stanzas are put aside).
    pub async fn message(&mut self) -> Done<El> {
        self.want("a message", |el| el.name == "message").await
    }

    /// The next presence of this type ("" for available) from this bare or full JID.
    pub async fn presence(&mut self, kind: &str, from: &str) -> Done<El> {
        let what = format!("presence {kind:?} from {from}");
        self.want(&what, |el| {
            el.name == "presence"
                && el.attr("type").unwrap_or("") == kind
                && el.attr("from").is_some_and(|f| f == from || bare(f) == from)
        })
        .await
    }

    /// The next roster push: its item.
    pub async fn push(&mut self) -> Done<El> {
        let is = |el: &El| el.attr("type") == Some("set") && el.find("item").is_some();
        let push = self.want("a roster push", is).await?;
        push.find("item").cloned().ok_or_else(|| "push without item".into())
    }

    pub fn id(&mut self) -> String {
        self.next_id += 1;
        format!("q{}", self.next_id)
    }

    /// Sends an IQ and waits for its answer.
    pub async fn iq(&mut self, kind: &str, to: &str, payload: &str) -> Done<El> {
        let id = self.id();
        let to = if to.is_empty() { String::new() } else { format!(" to='{}'", escape(to)) };
        self.send(format!("<iq type='{kind}' id='{id}'{to}>{payload}</iq>")).await?;
        let is = |el: &El| el.name == "iq" && el.attr("id") == Some(&id) && is_answer(el);
        self.want(&format!("the answer to {payload:.60}"), is).await
    }

    /// Sends an IQ that must succeed.
    pub async fn ask(&mut self, kind: &str, to: &str, payload: &str) -> Done<El> {
        let answer = self.iq(kind, to, payload).await?;
        ensure(answer.attr("type") == Some("result"), || format!("refused: {answer:?}"))?;
        Ok(answer)
    }

    /// Sends an IQ that must fail with one of these conditions.
    pub async fn refused(&mut self, kind: &str, to: &str, payload: &str, with: &[&str]) -> Done {
        is_error(&self.iq(kind, to, payload).await?, with)
    }

    /// Everything the server had to say until now: a ping goes round, and what came before it is
    /// returned.
    pub async fn so_far(&mut self) -> Done<Vec<El>> {
        let domain = self.domain.clone();
        self.iq("get", &domain, "<ping xmlns='urn:xmpp:ping'/>").await?;
        Ok(self.inbox.drain(..).collect())
    }

    /// The messages that came until now; see [`Self::so_far`].
    pub async fn messages_so_far(&mut self) -> Done<Vec<El>> {
        let all = self.so_far().await?;
        Ok(all.into_iter().filter(|el| el.name == "message").collect())
    }

    /// The stream must end with an error of one of these conditions, then be closed (RFC 6120
    /// §4.9.1.1).
    pub async fn stream_error(&mut self, with: &[&str]) -> Done {
        self.inbox.clear();
        loop {
            match self.item().await? {
                Some(Item::Element(el)) if el.name == "error" => {
                    let is = el.condition().unwrap_or("nothing").to_owned();
                    ensure(with.contains(&is.as_str()), || {
                        format!("stream error {is}, not {with:?}")
                    })?;
                    return self.ended().await;
                }
                Some(Item::Open(el)) => self.header = el,
                Some(_) => {}
                None => return Err(format!("closed without a stream error (one of {with:?})")),
            }
        }
    }

    /// The server closes the stream and the connection.
    pub async fn ended(&mut self) -> Done {
        while let Some(item) = self.item().await? {
            if let Item::Close = item {
                self.throw("</stream:stream>").await;
            }
        }
        Ok(())
    }

    /// One SASL step: sends an element of the SASL namespace and reads the answer.
    pub async fn sasl(&mut self, element: &str) -> Done<El> {
        self.send(element).await?;
        let el = self.element().await?;
        ensure(el.ns == SASL, || format!("not SASL: {el:?}"))?;
        Ok(el)
    }

    /// Starts a SASL exchange.
    pub async fn auth(&mut self, mechanism: &str, data: &str) -> Done<El> {
        self.sasl(&format!("<auth xmlns='{SASL}' mechanism='{mechanism}'>{data}</auth>")).await
    }

    /// Logs in by PLAIN and restarts the stream.
    pub async fn login(&mut self, user: &str, password: &str) -> Done {
        let answer = self.auth("PLAIN", &plain("", user, password)).await?;
        ensure(answer.name == "success", || format!("login failed: {answer:?}"))?;
        self.open().await
    }

    /// A whole SCRAM exchange; gives the last answer of the server.
    pub async fn scram(
        &mut self,
        mechanism: &str,
        (user, password): (&str, &str),
        gs2: &str,
        binding: &[u8],
    ) -> Done<El> {
        let mut scram = scram::Scram::new(scram::Hash::of(mechanism), user, gs2, binding);
        let answer = self.auth(mechanism, &scram.first()).await?;
        if answer.name != "challenge" {
            return Ok(answer);
        }
        let last = scram.last(&answer.text, password)?;
        let answer = self.sasl(&format!("<response xmlns='{SASL}'>{last}</response>")).await?;
        if answer.name == "success" {
            scram.verify(&answer.text)?;
        }
        Ok(answer)
    }

    /// Binds a resource; "" lets the server choose.
    pub async fn bind(&mut self, resource: &str) -> Done {
        let wish = match resource {
            "" => String::new(),
            r => format!("<resource>{}</resource>", escape(r)),
        };
        let answer = self.ask("set", "", &format!("<bind xmlns='{BIND}'>{wish}</bind>")).await?;
        self.jid = answer.find("jid").map(|j| j.text.clone()).ok_or("no JID bound")?;
        if let Some(session) = self.features.child("session", "")
            && session.child("optional", "").is_none()
        {
            self.ask("set", "", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>").await?;
        }
        Ok(())
    }

    pub fn bare(&self) -> String {
        bare(&self.jid).to_owned()
    }

    /// The mechanisms of the last features.
    pub fn mechanisms(&self) -> Vec<String> {
        let list = self.features.child("mechanisms", SASL);
        list.map(|m| m.children.iter().map(|c| c.text.clone()).collect()).unwrap_or_default()
    }
}

pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";

/// A stream header to a domain.
pub fn header(domain: &str) -> String {
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' xml:lang='en' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"
    )
}

/// The initial response of PLAIN.
pub fn plain(authzid: &str, user: &str, password: &str) -> String {
    B64.encode(format!("{authzid}\0{user}\0{password}"))
}

pub fn bare(jid: &str) -> &str {
    jid.split('/').next().unwrap_or_default()
}

fn is_answer(el: &El) -> bool {
    matches!(el.attr("type"), Some("result" | "error"))
}

/// Fails with a text unless something holds.
pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Done {
    if holds { Ok(()) } else { Err(why()) }
}

/// The stanza is an error of one of these conditions.
pub fn is_error(el: &El, with: &[&str]) -> Done {
    let is = el.condition().unwrap_or("none");
    ensure(el.attr("type") == Some("error") && with.contains(&is), || {
        format!("error is {is} in {:?} {}, not {with:?}", el.attr("type"), el.name)
    })
}
