//! The `<body/>` element, read and written.

use std::time::Duration;

use oc_core::{Element, StreamError, ns};

use super::{HOLD, NS, POLLING, Settings, XMPP_NS};

/// Why a session ends: the conditions of XEP-0124 #errorstatus-terminal that we have reason for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The body cannot be read.
    BadRequest,
    /// The domain is not served here.
    HostUnknown,
    /// No domain was named.
    ImproperAddressing,
    /// No such session, or a `rid` beyond the window or no longer remembered.
    ItemNotFound,
    /// The session's rules were broken, or a limit was reached.
    PolicyViolation,
    /// The stream itself ended with an error, which follows.
    RemoteStreamError,
    /// The server is ending.
    SystemShutdown,
}

impl Condition {
    /// The value of the attribute.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::HostUnknown => "host-unknown",
            Self::ImproperAddressing => "improper-addressing",
            Self::ItemNotFound => "item-not-found",
            Self::PolicyViolation => "policy-violation",
            Self::RemoteStreamError => "remote-stream-error",
            Self::SystemShutdown => "system-shutdown",
        }
    }
}

/// The answer that ends a session, or that refuses to begin one.
pub fn terminal(condition: Option<Condition>) -> Vec<u8> {
    let body = Element::new("body", NS)
        .with_attr("type", "terminate")
        .with_attr_opt("condition", condition.map(Condition::name));
    write(&body, "", &[])
}

/// The answer that asks the client to send its last requests again (XEP-0124 #errorstatus-recover).
pub(super) fn recoverable() -> Vec<u8> {
    write(&Element::new("body", NS).with_attr("type", "error"), "", &[])
}

/// Writes a body with more attributes and with documents inside. XEP-0206 #wrapper: the body
/// declares the stream prefix if anything in it uses it.
pub(super) fn write(body: &Element, attributes: &str, documents: &[Vec<u8>]) -> Vec<u8> {
    let inside: usize = documents.iter().map(Vec::len).sum();
    let mut out = Vec::with_capacity(inside + 256);
    body.write(&mut out, "");
    out.truncate(out.len() - 2);
    out.extend_from_slice(attributes.as_bytes());
    if documents.iter().any(|document| document.starts_with(b"<stream:")) {
        out.extend_from_slice(format!(" xmlns:stream='{}'", ns::STREAM).as_bytes());
    }
    if documents.is_empty() {
        out.extend_from_slice(b"/>");
        return out;
    }
    out.push(b'>');
    for document in documents {
        out.extend_from_slice(document);
    }
    out.extend_from_slice(b"</body>");
    out
}

/// The final answer of a stream that ended: what was still to be said, and why.
pub(super) fn ending(
    mut documents: Vec<Vec<u8>>,
    error: Option<&StreamError>,
    begun: bool,
) -> Vec<u8> {
    use oc_core::StreamCondition as C;
    let Some(error) = error else {
        let body = Element::new("body", NS).with_attr("type", "terminate");
        return write(&body, "", &documents);
    };
    // XEP-0124 #errorstatus-terminal has its own word for a domain that was never reached.
    if error.condition == C::HostUnknown && !begun {
        return terminal(Some(Condition::HostUnknown));
    }
    documents.push(oc_core::stream::websocket::document(&error.to_element()));
    let body = Element::new("body", NS)
        .with_attr("type", "terminate")
        .with_attr("condition", Condition::RemoteStreamError.name());
    write(&body, "", &documents)
}

/// A session creation request (XEP-0124 #session-request), within what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    pub(super) to: String,
    pub(super) rid: u64,
    pub(super) wait: Duration,
    pub(super) hold: usize,
    pub(super) version: String,
}

impl Create {
    /// Reads the first request of a client.
    ///
    /// # Errors
    /// What to answer with [`terminal`].
    pub fn read(body: &Element, settings: &Settings) -> Result<Self, Condition> {
        if !body.is("body", NS) || body.attr("sid").is_some() {
            return Err(Condition::BadRequest);
        }
        let rid = rid(body).ok_or(Condition::BadRequest)?;
        let to = body.attr("to").filter(|to| !to.is_empty());
        let number = |name| match body.attr(name) {
            None => Ok(None),
            Some(text) => text.trim().parse::<u64>().map(Some).map_err(|_| Condition::BadRequest),
        };
        let wait = number("wait")?.map_or(settings.wait, Duration::from_secs);
        let hold = number("hold")?.map_or(1, |hold| usize::try_from(hold).unwrap_or(HOLD));
        Ok(Self {
            to: to.ok_or(Condition::ImproperAddressing)?.to_owned(),
            rid,
            wait: wait.min(settings.wait),
            hold: hold.min(HOLD),
            version: common_version(body.attr("ver")),
        })
    }

    /// XEP-0124 #poll: whether the client asks us never to hold a request.
    pub(super) fn polls(&self) -> bool {
        self.hold == 0 || self.wait.is_zero()
    }

    /// The attributes of the session creation response (XEP-0124 #session-response).
    pub(super) fn response(&self, sid: &str, requests: u64, settings: &Settings) -> Element {
        let polling = self.polls().then(|| POLLING.as_secs().to_string());
        Element::new("body", NS)
            .with_attr("sid", sid)
            .with_attr("wait", self.wait.as_secs().to_string())
            .with_attr("hold", self.hold.to_string())
            .with_attr("requests", requests.to_string())
            .with_attr("inactivity", settings.inactivity.as_secs().to_string())
            .with_attr("maxpause", settings.max_pause.as_secs().to_string())
            .with_attr_opt("polling", polling)
            .with_attr("ver", &self.version)
    }
}

/// A request's number (XEP-0124 #rids-syntax).
pub(super) fn rid(body: &Element) -> Option<u64> {
    body.attr("rid")?.parse().ok().filter(|rid| (1..=RID_MAX).contains(rid))
}

/// The header of the stream that a creation or restart request opens (XEP-0206 #initiate).
pub(super) fn header(body: &Element, to: &str) -> Element {
    let version = body.attr_ns(XMPP_NS, "version").unwrap_or("1.0");
    let mut open = Element::new("open", ns::FRAMING)
        .with_attr("to", body.attr("to").unwrap_or(to))
        .with_attr_opt("from", body.attr("from"))
        .with_attr("version", version);
    if let Some(lang) = body.attr_ns(ns::XML, "lang") {
        open.set_attr_ns(ns::XML, "lang", lang);
    }
    open
}

/// Whether a boolean attribute is set.
pub(super) fn is_true(value: Option<&str>) -> bool {
    matches!(value.map(str::trim), Some("true" | "1"))
}

/// XEP-0206 #wrapper: stanzas without a namespace of their own inherit the body's, and mean
/// `jabber:client`.
pub(super) fn adopt(el: &mut Element) {
    if el.ns() == NS {
        el.set_ns(ns::CLIENT);
    }
    el.children_mut().for_each(adopt);
}

/// The lower of the client's version and ours.
fn common_version(theirs: Option<&str>) -> String {
    let read = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let (major, minor) = theirs.and_then(read).map_or(VERSION, |theirs| theirs.min(VERSION));
    format!("{major}.{minor}")
}

const VERSION: (u32, u32) = (1, 11);
/// XEP-0124 #rids-syntax: what a double can count.
const RID_MAX: u64 = 9_007_199_254_740_991;
