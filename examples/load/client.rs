//! A client that does only what a measurement needs, and looks for marks instead of reading XML.

use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use memchr::memmem;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::{Done, scram};

/// The server, and how to trust it.
pub(crate) struct Place {
    /// Process of the server.
    pub(crate) pid: u32,
    plain: SocketAddr,
    tls: SocketAddr,
    domain: String,
    password: String,
    config: Arc<ClientConfig>,
}

impl Place {
    /// Reads the variables that the harness sets.
    pub(crate) fn from_env() -> Done<Self> {
        let var = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
        let address = |port: &str| {
            let text = format!("{}:{}", var("OC_HOST")?, var(port)?);
            text.parse().map_err(|_| format!("{text} is no address"))
        };
        let ca = fs::read(var("OC_CA")?).map_err(|e| e.to_string())?;
        let mut roots = RootCertStore::empty();
        let cert = CertificateDer::from_pem_slice(&ca).map_err(|e| e.to_string())?;
        roots.add(cert).map_err(|e| e.to_string())?;
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"xmpp-client".to_vec()];
        // Every login pays for a whole handshake.
        config.resumption = tokio_rustls::rustls::client::Resumption::disabled();
        Ok(Self {
            pid: var("OC_PID")?.parse().map_err(|_| "OC_PID is no number")?,
            plain: address("OC_STARTTLS")?,
            tls: address("OC_TLS")?,
            domain: var("OC_DOMAIN")?,
            password: var("OC_PASSWORD")?,
            config: Arc::new(config),
        })
    }

    fn header(&self) -> String {
        format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' to='{}' \
             xmlns:stream='http://etherx.jabber.org/streams'>",
            self.domain
        )
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// One connection.
pub(crate) struct Conn {
    io: Box<dyn Io>,
    buf: Vec<u8>,
    jid: String,
}

/// Nothing takes longer than this unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// The n-th connection's own loopback address: one address has too few ports.
async fn tcp(to: SocketAddr, nth: usize) -> Done<TcpStream> {
    let from = Ipv4Addr::new(127, 0, 34, (1 + nth % 200) as u8);
    let socket = TcpSocket::new_v4().map_err(|e| e.to_string())?;
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0)).map_err(|e| format!("bind: {e}"))?;
    let stream = timeout(PATIENCE, socket.connect(to)).await.map_err(|_| "connect: timeout")?;
    let stream = stream.map_err(|e| format!("connect: {e}"))?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    Ok(stream)
}

impl Conn {
    fn over(io: Box<dyn Io>) -> Self {
        Self { io, buf: Vec::new(), jid: String::new() }
    }

    /// A connection in the clear.
    pub(crate) async fn plain(place: &Place, nth: usize) -> Done<Self> {
        Ok(Self::over(Box::new(tcp(place.plain, nth).await?)))
    }

    /// A connection with TLS from its first byte.
    pub(crate) async fn tls(place: &Place, nth: usize) -> Done<Self> {
        let tcp = tcp(place.tls, nth).await?;
        let name = ServerName::try_from(place.domain.clone()).map_err(|e| e.to_string())?;
        let tls = TlsConnector::from(Arc::clone(&place.config)).connect(name, tcp);
        let tls = timeout(PATIENCE, tls).await.map_err(|_| "TLS: timeout")?;
        Ok(Self::over(Box::new(tls.map_err(|e| format!("TLS: {e}"))?)))
    }

    /// Sends text.
    pub(crate) async fn send(&mut self, text: &str) -> Done {
        self.io.write_all(text.as_bytes()).await.map_err(|e| format!("send: {e}"))?;
        self.io.flush().await.map_err(|e| format!("send: {e}"))
    }

    async fn more(&mut self) -> Done {
        let mut chunk = [0; 16 * 1024];
        let read = timeout(PATIENCE, self.io.read(&mut chunk)).await;
        let n = read.map_err(|_| "nothing came")?.map_err(|e| format!("read: {e}"))?;
        if n == 0 {
            let tail = String::from_utf8_lossy(&self.buf);
            return Err(format!("closed by the server after {tail:.300}"));
        }
        self.buf.extend_from_slice(&chunk[..n]);
        Ok(())
    }

    /// Reads up to and including a mark, and gives what came before it with it.
    pub(crate) async fn until(&mut self, mark: &[u8]) -> Done<String> {
        loop {
            if let Some(at) = memmem::find(&self.buf, mark) {
                let taken: Vec<u8> = self.buf.drain(..at + mark.len()).collect();
                return Ok(String::from_utf8_lossy(&taken).into_owned());
            }
            self.more().await?;
        }
    }

    /// Opens a stream and reads its features.
    pub(crate) async fn open(&mut self, place: &Place) -> Done {
        self.send(&place.header()).await?;
        self.until(b"</stream:features>").await.map(drop)
    }

    /// SCRAM-SHA-256 where it is offered, else SCRAM-SHA-1; a new stream afterwards.
    pub(crate) async fn login(&mut self, place: &Place, user: &str) -> Done {
        self.send(&place.header()).await?;
        let features = self.until(b"</stream:features>").await?;
        let sha256 = features.contains(">SCRAM-SHA-256<");
        let mechanism = if sha256 { "SCRAM-SHA-256" } else { "SCRAM-SHA-1" };
        let nonce = format!("{user}{:x}", std::ptr::from_ref(self).addr());
        let (bare, first) = scram::first(user, &nonce);
        let ns = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
        self.send(&format!("<auth {ns} mechanism='{mechanism}'>{first}</auth>")).await?;
        let challenge = self.until(b"</challenge>").await?;
        let challenge = challenge.trim_end_matches("</challenge>");
        let challenge = challenge.rsplit('>').next().unwrap_or_default().to_owned();
        let last = scram::last(sha256, &bare, &challenge, &place.password)?;
        self.send(&format!("<response {ns}>{last}</response>")).await?;
        let end = self.until(b">").await?;
        if !end.contains("<success") {
            return Err(format!("login of {user}: {end}"));
        }
        if !end.ends_with("/>") {
            self.until(b"</success>").await?;
        }
        self.open(place).await
    }

    /// Binds a resource.
    pub(crate) async fn bind(&mut self, resource: &str) -> Done {
        self.send(&format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <resource>{resource}</resource></bind></iq>"
        ))
        .await?;
        let answer = self.until(b"</iq>").await?;
        let jid = answer.split("<jid>").nth(1).and_then(|r| r.split("</jid>").next());
        jid.ok_or(format!("bind: {answer}"))?.clone_into(&mut self.jid);
        Ok(())
    }
}

/// Makes an account; one that exists is as good.
pub(crate) async fn register(place: &Place, name: &str) -> Done {
    let mut conn = Conn::plain(place, 0).await?;
    conn.open(place).await?;
    conn.send(&format!(
        "<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>{name}</username>\
         <password>{}</password></query></iq>",
        place.password
    ))
    .await?;
    let answer = conn.until(b">").await?;
    if answer.contains("result") || conn.until(b"</iq>").await?.contains("conflict") {
        return Ok(());
    }
    Err(format!("registration of {name} was refused"))
}

/// What became of the messages of one pair.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Never came.
    pub(crate) lost: usize,
    /// Came more than once.
    pub(crate) twice: usize,
    /// Came before one that was sent earlier.
    pub(crate) disorder: usize,
}

/// Messages that one sender has on the way at most: with more, they share packets and look cheaper
/// than those of people who type.
const WINDOW: usize = 1;

/// Sends numbered messages from one session to another, some at a time, and accounts for each.
pub(crate) async fn converse(mut from: Conn, mut to: Conn, n: usize) -> Done<Tally> {
    let mut seen = vec![0_u8; n];
    let (mut tally, mut newest, mut got, mut sent) = (Tally::default(), None, 0, 0);
    let body = "The quality of mercy is not strained; it droppeth as the gentle rain from heaven";
    while got < n {
        let burst = WINDOW.saturating_sub(sent - got).min(n - sent);
        if burst >= WINDOW.div_ceil(2) || (burst > 0 && sent + burst == n) {
            let mut text = String::new();
            for k in sent..sent + burst {
                text.push_str(&format!(
                    "<message to='{}' type='chat' id='m{k}'><body>{body} #{k}#</body></message>",
                    to.jid
                ));
            }
            sent += burst;
            from.send(&text).await?;
        }
        if to.until(b"</message>").await.is_ok_and(|m| {
            let k = m.split('#').nth(1).and_then(|k| k.parse::<usize>().ok()).filter(|k| *k < n);
            if let Some(k) = k {
                seen[k] = seen[k].saturating_add(1);
                tally.disorder += usize::from(newest.is_some_and(|last| k < last));
                newest = newest.max(Some(k));
            }
            k.is_some()
        }) {
            got += 1;
        } else {
            break;
        }
    }
    tally.lost = seen.iter().filter(|s| **s == 0).count();
    tally.twice = seen.iter().filter(|s| **s > 1).count();
    Ok(tally)
}
