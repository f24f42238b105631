//! RFC 6120 §4: headers, features, closing.

use crate::{
    case::World,
    cases,
    client::{Done, ensure, header},
    subject::DOMAIN,
};

/// RFC 6120 §4.7: the answer names the domain, an id and version 1.0.
async fn s4_7_header_is_answered(w: World) -> Done {
    let c = w.stream().await?;
    ensure(c.header.attr("from") == Some(DOMAIN), || format!("from: {:?}", c.header))?;
    ensure(c.header.attr("id").is_some_and(|i| i.len() >= 8), || "a short id".into())?;
    ensure(c.header.attr("version") == Some("1.0"), || "version is not 1.0".into())?;
    ensure(c.header.ns == "http://etherx.jabber.org/streams", || "namespace".into())?;
    Ok(())
}

/// RFC 6120 §4.7.3: a stream id is never used twice.
async fn s4_7_3_ids_differ(w: World) -> Done {
    let (a, b) = (w.stream().await?, w.stream().await?);
    ensure(a.header.attr("id") != b.header.attr("id"), || "the same id twice".into())?;
    Ok(())
}

/// RFC 6120 §4.7.5: a higher version is answered with the highest that the server knows.
async fn s4_7_5_higher_version(w: World) -> Done {
    let mut c = w.raw().await?;
    c.send(
        header(DOMAIN)
            .replace("version='1.0'", "version='1.9'")
            .replace("<?xml version='1.9'", "<?xml version='1.0'"),
    )
    .await?;
    c.read_header().await?;
    ensure(c.header.attr("version") == Some("1.0"), || format!("{:?}", c.header))?;
    Ok(())
}

/// RFC 6120 §4.3.2: features of an unsecured stream offer TLS.
async fn s4_3_2_features(w: World) -> Done {
    let c = w.stream().await?;
    ensure(c.features.child("starttls", "urn:ietf:params:xml:ns:xmpp-tls").is_some(), || {
        format!("no starttls in {:?}", c.features)
    })?;
    Ok(())
}

/// RFC 6120 §4.4: a closing tag is answered by a closing tag.
async fn s4_4_close_is_answered(w: World) -> Done {
    let mut c = w.stream().await?;
    c.send("</stream:stream>").await?;
    match c.item().await? {
        Some(crate::client::Item::Close) => {}
        other => return Err(format!("instead of a close: {other:?}")),
    }
    c.ended().await?;
    Ok(())
}

/// RFC 6120 §4.4: what was sent before the closing tag is still handled.
async fn s4_4_last_stanza_counts(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.send(format!(
        "<message to='{}' type='chat'><body>last</body></message></stream:stream>",
        b.jid
    ))
    .await?;
    let m = b.message().await?;
    ensure(m.child("body", "").is_some_and(|x| x.text == "last"), || format!("{m:?}"))?;
    Ok(())
}

/// RFC 6120 §4.6.1: white space between stanzas is a keepalive.
async fn s4_6_1_white_space(w: World) -> Done {
    let mut c = w.user().await?;
    c.send(" \n\t ").await?;
    c.so_far().await?;
    Ok(())
}

/// RFC 6120 §4.2: bytes may arrive one by one.
async fn s4_2_slow_sender(w: World) -> Done {
    let mut c = w.raw().await?;
    for byte in header(DOMAIN).bytes() {
        c.send_bytes(&[byte]).await?;
    }
    c.read_header().await?;
    c.element().await?;
    Ok(())
}

/// RFC 6120 §4.9.1.2: an error in the header is told within a stream.
async fn s4_9_1_2_error_before_header(w: World) -> Done {
    let mut c = w.raw().await?;
    c.send("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").await?;
    c.stream_error(&["not-well-formed", "invalid-namespace", "bad-format", "invalid-xml"]).await?;
    ensure(c.header.name == "stream", || "the error came without a stream header".into())?;
    Ok(())
}

cases![
    s4_7_header_is_answered,
    s4_7_3_ids_differ,
    s4_7_5_higher_version,
    s4_3_2_features,
    s4_4_close_is_answered,
    s4_4_last_stanza_counts,
    s4_6_1_white_space,
    s4_2_slow_sender,
    s4_9_1_2_error_before_header,
];
