//! RFC 6120 §4.9.3: each stream error at its occasion.

use crate::{
    case::World,
    cases,
    client::{Done, ensure, header},
    subject::DOMAIN,
};

/// RFC 6120 §4.9.3.2: a prefix that was not declared.
async fn s4_9_3_2_bad_namespace_prefix(w: World) -> Done {
    let mut c = w.user().await?;
    c.throw("<foo:message to='example.org'/>").await;
    c.stream_error(&["bad-namespace-prefix", "not-well-formed", "invalid-xml"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.6
async fn s4_9_3_6_host_unknown(w: World) -> Done {
    let mut c = w.raw().await?;
    c.send(header("nobody.invalid")).await?;
    c.stream_error(&["host-unknown"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.9, §8.1.2.1: a stanza in somebody else's name.
async fn s4_9_3_9_invalid_from(w: World) -> Done {
    let mut c = w.user().await?;
    c.throw("<message from='someone.else@example.org' to='example.org'/>").await;
    c.stream_error(&["invalid-from"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.10: the stream namespace is wrong.
async fn s4_9_3_10_invalid_stream_namespace(w: World) -> Done {
    let mut c = w.raw().await?;
    c.send(header(DOMAIN).replace("http://etherx.jabber.org/streams", "urn:wrong")).await?;
    c.stream_error(&["invalid-namespace", "bad-namespace-prefix", "bad-format"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.10, §4.8.3: the content namespace is none that the server speaks.
async fn s4_9_3_10_invalid_content_namespace(w: World) -> Done {
    let mut c = w.raw().await?;
    c.send(header(DOMAIN).replace("jabber:client", "jabber:foo")).await?;
    c.stream_error(&["invalid-namespace"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.12: a stanza before authentication.
async fn s4_9_3_12_not_authorized(w: World) -> Done {
    let mut c = w.stream().await?;
    c.throw("<message to='example.org'><body>hi</body></message>").await;
    c.stream_error(&["not-authorized"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.13: tags do not match, before and after authentication.
async fn s4_9_3_13_not_well_formed(w: World) -> Done {
    let mut c = w.stream().await?;
    c.throw("<a><b></a>").await;
    c.stream_error(&["not-well-formed", "invalid-xml"]).await?;
    let mut c = w.user().await?;
    c.throw("<message><body></message>").await;
    c.stream_error(&["not-well-formed", "invalid-xml"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.22: another encoding than UTF-8.
async fn s4_9_3_22_unsupported_encoding(w: World) -> Done {
    let mut c = w.raw().await?;
    let utf16: Vec<u8> = header(DOMAIN).encode_utf16().flat_map(u16::to_be_bytes).collect();
    c.send_bytes(&[&[0xFE, 0xFF], utf16.as_slice()].concat()).await?;
    c.stream_error(&["unsupported-encoding", "not-well-formed", "bad-format", "invalid-xml"])
        .await?;
    Ok(())
}

/// RFC 6120 §4.9.3.22: another encoding is only declared.
async fn s4_9_3_22_declared_encoding(w: World) -> Done {
    let mut c = w.raw().await?;
    c.send(
        header(DOMAIN)
            .replace("<?xml version='1.0'?>", "<?xml version='1.0' encoding='iso-8859-1'?>"),
    )
    .await?;
    c.stream_error(&["unsupported-encoding", "not-well-formed", "invalid-xml"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.24: a top-level element that is no stanza.
async fn s4_9_3_24_unsupported_stanza_type(w: World) -> Done {
    let mut c = w.user().await?;
    c.throw("<pubsub><x/></pubsub>").await;
    c.stream_error(&["unsupported-stanza-type"]).await?;
    Ok(())
}

/// RFC 6120 §4.8.3: a stanza of the server namespace on a client stream.
async fn s4_8_3_foreign_content_namespace(w: World) -> Done {
    let mut c = w.user().await?;
    c.throw("<message xmlns='jabber:server' to='example.org'><body>x</body></message>").await;
    c.stream_error(&["invalid-namespace", "unsupported-stanza-type"]).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.1: a second root inside the stream.
async fn s4_9_3_1_header_in_stream(w: World) -> Done {
    let mut c = w.user().await?;
    let inner = header(DOMAIN).replace("<?xml version='1.0'?>", "");
    c.throw(format!("{inner}</stream:stream><presence/>")).await;
    c.stream_error(&[
        "bad-format",
        "not-well-formed",
        "invalid-xml",
        "unsupported-stanza-type",
        "policy-violation",
        "undefined-condition",
        "not-authorized",
        "invalid-namespace",
    ])
    .await?;
    Ok(())
}

/// RFC 6120 §4.9.1.1: a stream error ends that stream, and no other.
async fn s4_9_1_1_others_live_on(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.throw("<a><b></a>").await;
    a.stream_error(&["not-well-formed", "invalid-xml"]).await?;
    let rest = b.so_far().await?;
    ensure(rest.iter().all(|el| el.name != "error"), || "the other stream got it too".into())?;
    Ok(())
}

cases![
    s4_9_3_2_bad_namespace_prefix,
    s4_9_3_6_host_unknown,
    s4_9_3_9_invalid_from,
    s4_9_3_10_invalid_stream_namespace,
    s4_9_3_10_invalid_content_namespace,
    s4_9_3_12_not_authorized,
    s4_9_3_13_not_well_formed,
    s4_9_3_22_unsupported_encoding,
    s4_9_3_22_declared_encoding,
    s4_9_3_24_unsupported_stanza_type,
    s4_8_3_foreign_content_namespace,
    s4_9_3_1_header_in_stream,
    s4_9_1_1_others_live_on,
];
