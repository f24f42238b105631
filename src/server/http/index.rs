//! The page at `/`: which domains are here, and how a person connects.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::{Http, links};
use crate::config::{Config, Registration};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.05rem/1.5 system-ui,sans-serif;max-width:42rem;margin:0 auto;padding:1.5rem 1rem}\
h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.25rem;margin-top:2rem;overflow-wrap:anywhere}\
dt{font-weight:600;margin-top:.5rem}dd{margin:0;overflow-wrap:anywhere}\
code{font-family:ui-monospace,monospace;user-select:all}\
a:focus-visible{outline:3px solid;outline-offset:2px}";

/// Nothing is loaded and nothing runs; only this style is applied.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// `GET /`.
pub(super) async fn page(State(http): State<Arc<Http>>) -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, POLICY.as_str())];
    (policy, Html(render(&http.config.load()))).into_response()
}

fn render(config: &Config) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Open Conference</title><style>{STYLE}</style></head><body><main>\
         <h1>Open Conference</h1>\
         <p>This is an <a href=\"https://xmpp.org/about/\">XMPP</a> server. Choose an \
         <a href=\"https://xmpp.org/software/\">app</a>, and log in with your address and \
         password; the app finds the rest by itself.</p>"
    );
    for domain in &config.domains {
        let links = links(config, domain);
        let name = escape(domain.name());
        let account = match domain.registration {
            Registration::Open => "You can make an account in most apps.",
            Registration::Invite => "To get an account, ask somebody here for an invitation.",
            Registration::Closed => "Accounts are given by the people who run this server.",
        };
        let _ = write!(
            out,
            "<section><h2>{name}</h2><p>Addresses look like <code>you@{name}</code>. {account}</p>\
             <dl>"
        );
        let urls = [("WebSocket", links.websocket), ("BOSH", links.bosh)];
        for (what, url) in urls.iter().filter_map(|(what, url)| Some((what, url.as_ref()?))) {
            let _ = write!(out, "<dt>{what}</dt><dd><code>{}</code></dd>", escape(url));
        }
        out.push_str("</dl></section>");
    }
    out.push_str("</main></body></html>\n");
    out
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
