//! A stock client library, tokio-xmpp, against a running server.
//!
//! The server and its two accounts are found by the variables that `oc-conformance with PROGRAM`
//! sets. Left out: whatever tokio-xmpp does not do (SASL2, direct TLS without DNS, resumption at a
//! moment of our choice).

use std::{
    env,
    fmt::Display,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use sasl::common::Credentials;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;
use tokio_xmpp::{
    Client, Event, IqRequest, IqResponse, Stanza, client_login,
    connect::ServerConnector,
    jid::{BareJid, FullJid, Jid},
    minidom::Element,
    parsers::{
        disco::{DiscoInfoQuery, DiscoInfoResult},
        iq::Iq,
        message::{Lang, Message, MessageType},
        ns,
        presence::{Presence, Type},
        roster::{Roster, Subscription},
    },
    xmlstream::Timeouts,
};

mod connector;

use connector::Starttls;

/// The whole run may not take longer.
const RUN: Duration = Duration::from_secs(60);
/// No single answer may take longer.
const ANSWER: Duration = Duration::from_secs(15);
/// Messages each way.
const MESSAGES: usize = 20;

type Done<T = ()> = Result<T, String>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = timeout(RUN, run()).await;
    match done.unwrap_or_else(|_| Err(format!("not done after {RUN:?}"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tokio-xmpp: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Done {
    let place = Place::from_env()?;
    step("a certificate of nobody's is refused", place.certificate_refused().await)?;
    step("SCRAM with and without channel binding is offered", place.scram_offered().await)?;
    let mut juliet = step("juliet logs in, bound to TLS", place.login("juliet", true).await)?;
    let mut romeo = step("romeo logs in, not bound", place.login("romeo", false).await)?;
    step("disco#info of the domain", disco_info(&mut juliet, &place.domain).await)?;
    step("subscription", subscribe(&mut juliet, &mut romeo).await)?;
    step("directed presence", directed_presence(&mut juliet, &mut romeo).await)?;
    step("chat, one after the other", chat(&mut juliet, &mut romeo).await)?;
    step("chat, both at once", chat_at_once(&mut juliet, &mut romeo).await)?;
    for session in [juliet, romeo] {
        let ended = timeout(ANSWER, session.client.send_end()).await;
        let ended = ended.map_err(|e| e.to_string()).and_then(|ended| ended.map_err(said));
        step("the stream is closed", ended)?;
    }
    Ok(())
}

fn step<T>(what: &str, done: Done<T>) -> Done<T> {
    if done.is_ok() {
        println!("ok  {what}");
    }
    done.map_err(|why| format!("{what}: {why}"))
}

fn said(error: impl Display) -> String {
    error.to_string()
}

/// Where the server is, and who may log in.
struct Place {
    address: SocketAddr,
    domain: String,
    password: String,
    tls: Arc<ClientConfig>,
}

impl Place {
    fn from_env() -> Done<Self> {
        let var = |name: &str| env::var(name).map_err(|e| format!("{name}: {e}"));
        let ip: IpAddr = var("OC_HOST")?.parse().map_err(said)?;
        let port = var("OC_STARTTLS")?.parse().map_err(said)?;
        Ok(Self {
            address: SocketAddr::new(ip, port),
            domain: var("OC_DOMAIN")?,
            password: var("OC_PASSWORD")?,
            tls: connector::trusting(Path::new(&var("OC_CA")?))?,
        })
    }

    fn jid(&self, local: &str) -> Done<Jid> {
        Jid::new(&format!("{local}@{}", self.domain)).map_err(said)
    }

    fn connector(&self, bound: bool) -> Starttls {
        Starttls { address: self.address, tls: Arc::clone(&self.tls), bound }
    }

    /// That the certificate is looked at: without the authority, the same connection fails.
    async fn certificate_refused(&self) -> Done {
        let connector = Starttls { tls: connector::distrusting(), ..self.connector(false) };
        let jid = self.jid("juliet")?;
        let connected = connector.connect(&jid, ns::JABBER_CLIENT, Timeouts::tight()).await;
        match connected.map(|_| ()) {
            Err(error) if error.to_string().contains("UnknownIssuer") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// tokio-xmpp takes SCRAM-SHA-256 where it is offered, and does not fall back.
    async fn scram_offered(&self) -> Done {
        let jid = self.jid("juliet")?;
        let connector = self.connector(false);
        let (stream, _) =
            connector.connect(&jid, ns::JABBER_CLIENT, Timeouts::tight()).await.map_err(said)?;
        let (features, _) = stream.recv_features::<Stanza>().await.map_err(|e| format!("{e:?}"))?;
        for name in ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] {
            if !features.sasl_mechanisms.contains(name) {
                return Err(format!("no {name} in {:?}", features.sasl_mechanisms));
            }
        }
        Ok(())
    }

    /// What is wrong with a login: the client only tries again, and does not say why.
    async fn authenticated(&self, jid: &Jid, bound: bool) -> Done {
        let connector = self.connector(bound);
        let (stream, binding) =
            connector.connect(jid, ns::JABBER_CLIENT, Timeouts::tight()).await.map_err(said)?;
        let (features, stream) = stream.recv_features().await.map_err(|e| format!("{e:?}"))?;
        let local = jid.node().ok_or("no local part")?.as_str();
        let credentials = Credentials::default()
            .with_username(local)
            .with_password(self.password.clone())
            .with_channel_binding(binding);
        let stream = client_login(stream, features.sasl_mechanisms, credentials).await;
        stream.map(|_| ()).map_err(said)
    }

    /// A session with its roster read and its presence sent.
    async fn login(&self, local: &str, bound: bool) -> Done<Session> {
        let jid = self.jid(local)?;
        let account = jid.to_bare();
        self.authenticated(&jid, bound).await?;
        let connector = self.connector(bound);
        let password = self.password.clone();
        let client = Client::new_with_connector(jid, password, connector, Timeouts::tight());
        let mut session = Session { client, account };
        let resumed = session
            .wait("a bound resource", |event| match event {
                Event::Online { resumed, .. } => Some(resumed),
                _ => None,
            })
            .await?;
        if resumed || session.jid()?.to_bare() != session.account {
            return Err(format!("bound as {:?}", session.client.bound_jid()));
        }
        let roster = session.roster().await?;
        if !roster.items.is_empty() {
            return Err(format!("a new account has the roster {roster:?}"));
        }
        session.send(Presence::available()).await?;
        let own = Jid::from(session.jid()?);
        session
            .wait_presence("its own presence", |p| {
                p.type_ == Type::None && p.from.as_ref() == Some(&own)
            })
            .await?;
        Ok(session)
    }
}

/// A logged-in client.
struct Session {
    client: Client,
    account: BareJid,
}

impl Session {
    fn jid(&self) -> Done<FullJid> {
        self.client.bound_jid().cloned().ok_or_else(|| "not bound".to_owned())
    }

    async fn send(&mut self, stanza: impl Into<Stanza>) -> Done {
        self.client.send_stanza(stanza.into()).await.map(|_| ()).map_err(said)
    }

    async fn event(&mut self, what: &str) -> Done<Event> {
        let event = timeout(ANSWER, self.client.next()).await;
        let event = event.map_err(|_| format!("{}: no {what} in {ANSWER:?}", self.account))?;
        event.ok_or_else(|| format!("{}: the client stopped before {what}", self.account))
    }

    /// The first event that is wanted; those before it are passed over, but a message never is.
    async fn wait<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> Done<T> {
        loop {
            let event = self.event(what).await?;
            if let Event::Stanza(Stanza::Message(message)) = &event {
                return Err(format!("{message:?} while waiting for {what}"));
            }
            if let Some(found) = wanted(event) {
                return Ok(found);
            }
        }
    }

    async fn wait_presence(&mut self, what: &str, wanted: impl Fn(&Presence) -> bool) -> Done {
        self.wait(what, |event| match event {
            Event::Stanza(Stanza::Presence(presence)) => wanted(&presence).then_some(()),
            _ => None,
        })
        .await
    }

    async fn ask(&mut self, to: Option<Jid>, payload: Element) -> Done<Element> {
        let answer = self.client.send_iq(to, IqRequest::Get(payload)).await;
        match timeout(ANSWER, answer).await.map_err(|_| format!("no answer in {ANSWER:?}"))? {
            Ok(IqResponse::Result(Some(payload))) => Ok(payload),
            other => Err(format!("{other:?}")),
        }
    }

    async fn roster(&mut self) -> Done<Roster> {
        let answer = self.ask(None, Roster { ver: None, items: Vec::new() }.into()).await?;
        Roster::try_from(answer).map_err(said)
    }
}

async fn disco_info(session: &mut Session, domain: &str) -> Done {
    let to = Jid::new(domain).map_err(said)?;
    let answer = session.ask(Some(to), DiscoInfoQuery { node: None }.into()).await?;
    let info = DiscoInfoResult::try_from(answer).map_err(said)?;
    let server = info.identities.iter().any(|i| i.category == "server" && i.type_ == "im");
    match server && info.features.contains(ns::DISCO_INFO) {
        true => Ok(()),
        false => Err(format!("{info:?}")),
    }
}

/// RFC 6121 §3.1: juliet asks, romeo agrees, and she sees him.
async fn subscribe(juliet: &mut Session, romeo: &mut Session) -> Done {
    let (asker, asked) = (Jid::from(juliet.account.clone()), Jid::from(romeo.account.clone()));
    juliet.send(Presence::subscribe().with_to(asked.clone())).await?;
    romeo
        .wait_presence("a request", |p| {
            p.type_ == Type::Subscribe && p.from.as_ref() == Some(&asker)
        })
        .await?;
    romeo.send(Presence::subscribed().with_to(asker)).await?;
    // The roster push, the approval and the presence come in this order (RFC 6121 §3.1.6).
    let (mut pushed, mut approved) = (false, false);
    let (romeo_bare, romeo_full) = (romeo.account.clone(), Jid::from(romeo.jid()?));
    let order = juliet
        .wait("romeo's presence", |event| match event {
            Event::Stanza(Stanza::Iq(Iq::Set { payload, .. })) => {
                let roster = Roster::try_from(payload).ok()?;
                pushed |= roster
                    .items
                    .iter()
                    .any(|i| i.jid == romeo_bare && i.subscription == Subscription::To);
                None
            }
            Event::Stanza(Stanza::Presence(p)) if p.type_ == Type::Subscribed => {
                approved = p.from.as_ref() == Some(&asked);
                None
            }
            Event::Stanza(Stanza::Presence(p)) if p.type_ == Type::None => {
                (p.from.as_ref() == Some(&romeo_full)).then_some(approved)
            }
            _ => None,
        })
        .await?;
    if !order || !pushed {
        return Err(format!("romeo's presence came; approved: {order}, pushed: {pushed}"));
    }
    let roster = juliet.roster().await?;
    match &roster.items[..] {
        [item] if item.jid == romeo.account && item.subscription == Subscription::To => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

async fn directed_presence(juliet: &mut Session, romeo: &mut Session) -> Done {
    let (from, to) = (Jid::from(juliet.jid()?), Jid::from(romeo.jid()?));
    let mut presence = Presence::available().with_to(to);
    presence.set_status("en", "only for <romeo> & nobody else");
    juliet.send(presence).await?;
    romeo
        .wait_presence("directed presence", |p| {
            p.from.as_ref() == Some(&from)
                && p.statuses.get("en").map(String::as_str)
                    == Some("only for <romeo> & nobody else")
        })
        .await
}

fn body(way: &str, i: usize) -> String {
    format!("{way} {i}: <a b='c'> & \"d\" ]]\u{3e} \u{e4}\u{1f422}\n\ttwo lines")
}

async fn send_all(from: &mut Session, to: &FullJid, way: &str) -> Done {
    for i in 0..MESSAGES {
        let message = Message::chat(Jid::from(to.clone()));
        from.send(message.with_body(Lang::default(), body(way, i))).await?;
    }
    Ok(())
}

/// RFC 6120 §10.1: what one entity sends to another arrives in the order it was sent.
async fn receive_all(to: &mut Session, from: &FullJid, way: &str) -> Done {
    let from = Jid::from(from.clone());
    for i in 0..MESSAGES {
        let message = loop {
            if let Event::Stanza(Stanza::Message(message)) = to.event("message").await? {
                break message;
            }
        };
        // A body without a language has that of the stream (RFC 6120 §8.1.5).
        let text = message.bodies.values().next().map(String::as_str);
        if message.type_ != MessageType::Chat
            || message.from.as_ref() != Some(&from)
            || text != Some(&body(way, i))
        {
            return Err(format!("message {i} ({way}) is {message:?}"));
        }
    }
    Ok(())
}

async fn chat(juliet: &mut Session, romeo: &mut Session) -> Done {
    let (a, b) = (juliet.jid()?, romeo.jid()?);
    send_all(juliet, &b, "there").await?;
    receive_all(romeo, &a, "there").await?;
    send_all(romeo, &a, "back").await?;
    receive_all(juliet, &b, "back").await
}

async fn chat_at_once(juliet: &mut Session, romeo: &mut Session) -> Done {
    let (a, b) = (juliet.jid()?, romeo.jid()?);
    let juliet = async {
        send_all(juliet, &b, "from juliet").await?;
        receive_all(juliet, &b, "from romeo").await
    };
    let romeo = async {
        send_all(romeo, &a, "from romeo").await?;
        receive_all(romeo, &a, "from juliet").await
    };
    tokio::try_join!(juliet, romeo).map(|_| ())
}
