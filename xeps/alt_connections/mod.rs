//! Discovering Alternative XMPP Connection Methods (XEP-0156).
//!
//! The two documents by which a browser finds the WebSocket and BOSH of a domain (RFC 6415 calls
//! them XRD and JRD). Serving them, and which URLs they name, is the server's.

use oc_core::Element;
use oc_core::spec::{Status, Xep};

/// Head.
pub static XEP: Xep = Xep {
    number: "0156",
    title: "Discovering Alternative XMPP Connection Methods",
    version: "1.4.0",
    status: Status::Complete,
    folder: "alt_connections",
    features: &[],
    note: "",
};

/// Host metadata (RFC 6415).
const XRD: &str = "http://docs.oasis-open.org/ns/xri/xrd-1.0";
/// XEP-0156 #httpformat
const WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
/// XEP-0156 #httpformat
const BOSH: &str = "urn:xmpp:alt-connections:xbosh";

/// How a domain can be reached beside TCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// URL of the WebSocket.
    pub websocket: Option<String>,
    /// URL of BOSH.
    pub bosh: Option<String>,
}

impl Links {
    /// XEP-0156 #httpbizrules: only URLs that say TLS are listed.
    fn listed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let links = [(BOSH, &self.bosh), (WEBSOCKET, &self.websocket)];
        links
            .into_iter()
            .filter_map(|(rel, href)| Some((rel, href.as_deref()?)))
            .filter(|(_, href)| href.starts_with("https://") || href.starts_with("wss://"))
    }

    /// The document at `/.well-known/host-meta`.
    pub fn xrd(&self) -> Vec<u8> {
        let link = |(rel, href): (&str, &str)| {
            Element::new("Link", XRD).with_attr("rel", rel).with_attr("href", href)
        };
        let mut out = b"<?xml version='1.0' encoding='utf-8'?>\n".to_vec();
        let xrd = Element::new("XRD", XRD).with_children(self.listed().map(link));
        out.extend_from_slice(&xrd.to_document());
        out
    }

    /// The document at `/.well-known/host-meta.json`.
    pub fn jrd(&self) -> String {
        let link = |(rel, href): (&str, &str)| {
            format!("{{\"rel\":{},\"href\":{}}}", quoted(rel), quoted(href))
        };
        let links: Vec<_> = self.listed().map(link).collect();
        format!("{{\"links\":[{}]}}", links.join(","))
    }
}

/// A JSON string (RFC 8259).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links {
            websocket: Some("wss://web.example.com:443/ws".to_owned()),
            bosh: Some("https://web.example.com:5280/bosh".to_owned()),
        }
    }

    #[test]
    fn xep_0156_httpexamples_xrd() {
        let expected = "<?xml version='1.0' encoding='utf-8'?>\n\
            <XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\
            <Link rel='urn:xmpp:alt-connections:xbosh' href='https://web.example.com:5280/bosh'/>\
            <Link rel='urn:xmpp:alt-connections:websocket' href='wss://web.example.com:443/ws'/>\
            </XRD>";
        assert_eq!(String::from_utf8(links().xrd()).unwrap(), expected);
    }

    #[test]
    fn xep_0156_httpexamples_jrd() {
        let expected = "{\"links\":[\
            {\"rel\":\"urn:xmpp:alt-connections:xbosh\",\
            \"href\":\"https://web.example.com:5280/bosh\"},\
            {\"rel\":\"urn:xmpp:alt-connections:websocket\",\
            \"href\":\"wss://web.example.com:443/ws\"}]}";
        assert_eq!(links().jrd(), expected);
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }

    #[test]
    fn xep_0156_httpbizrules_nothing_without_tls() {
        let plain = Links {
            websocket: Some("ws://127.0.0.1:5282/xmpp-websocket".to_owned()),
            bosh: Some("http://127.0.0.1:5282/http-bind".to_owned()),
        };
        assert_eq!(plain.jrd(), "{\"links\":[]}");
    }
}
