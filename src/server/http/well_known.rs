//! Web host metadata (RFC 6415, XEP-0156).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use oc_xeps::alt_connections::Links;

use super::{Http, links, preflight};
use crate::config::Config;

/// How long a client may keep the answer, in seconds.
const MAX_AGE: &str = "max-age=3600";

/// `/.well-known/host-meta`.
pub(super) fn xrd() -> MethodRouter<Arc<Http>> {
    get(|State(http): State<Arc<Http>>, headers: HeaderMap| async move {
        answer(&http, &headers, "application/xrd+xml", |links| links.xrd())
    })
    .options(|| preflight("GET, OPTIONS"))
}

/// `/.well-known/host-meta.json`.
pub(super) fn jrd() -> MethodRouter<Arc<Http>> {
    get(|State(http): State<Arc<Http>>, headers: HeaderMap| async move {
        answer(&http, &headers, "application/json", |links| links.jrd().into_bytes())
    })
    .options(|| preflight("GET, OPTIONS"))
}

fn answer(
    http: &Http,
    headers: &HeaderMap,
    content_type: &'static str,
    spell: impl Fn(&Links) -> Vec<u8>,
) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Some(links) = of_host(&http.config.load(), host) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, MAX_AGE),
        // XEP-0156 #impl: any page may read this document.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, spell(&links)).into_response()
}

/// The links of the domain that a `Host` header names; of all of them if they do not differ.
fn of_host(config: &Config, host: &str) -> Option<Links> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let unicode = idna::domain_to_unicode(name).0;
    if let Some(domain) = config.domain(&unicode) {
        return Some(links(config, domain));
    }
    let mut all = config.domains.iter().map(|domain| links(config, domain));
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}
