//! RFC 6120 §5, RFC 7590 and XEP-0368: TLS from the middle of a stream or from its first byte.

use crate::{
    case::World,
    cases,
    client::{Client, Done, ensure, header},
    subject::DOMAIN,
};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// RFC 6120 §5.4.3.3: a new stream over TLS, with a new id and without STARTTLS.
async fn s5_4_3_3_new_stream(w: World) -> Done {
    let mut c = w.stream().await?;
    let before = c.header.attr("id").map(str::to_owned);
    c.send(STARTTLS).await?;
    ensure(c.element().await?.name == "proceed", || "no proceed".into())?;
    c.handshake(&w.place).await?;
    c.open().await?;
    ensure(c.header.attr("id").map(str::to_owned) != before, || "the same stream id".into())?;
    ensure(c.features.child("starttls", "").is_none(), || "TLS is offered again".into())?;
    ensure(!c.mechanisms().is_empty(), || "no mechanisms".into())?;
    Ok(())
}

/// RFC 6120 §5.3.3 and CVE-2011-0411: what follows STARTTLS in the clear is not executed after it.
async fn s5_3_injected_command(w: World) -> Done {
    let mut c = w.stream().await?;
    let evil = format!(
        "{STARTTLS}{}<iq type='get' id='evil'><query xmlns='jabber:iq:register'/></iq>",
        header(DOMAIN)
    );
    c.send(evil).await?;
    loop {
        match c.item().await? {
            None => return Ok(()),
            Some(crate::client::Item::Element(el)) if el.name == "proceed" => break,
            Some(crate::client::Item::Element(el)) if el.name == "error" => return Ok(()),
            other => ensure(!format!("{other:?}").contains("evil"), || "executed".into())?,
        }
    }
    if c.handshake(&w.place).await.is_err() {
        return Ok(());
    }
    if c.open().await.is_err() {
        return Ok(());
    }
    c.send("<iq type='get' id='good'><query xmlns='jabber:iq:register'/></iq>").await?;
    let el = c.element().await?;
    ensure(el.attr("id") != Some("evil"), || "the injected request was answered".into())?;
    Ok(())
}

/// RFC 6120 §5.4.3.1: bytes that are no TLS end the connection.
async fn s5_4_3_1_no_tls_after_proceed(w: World) -> Done {
    let mut c = w.stream().await?;
    c.send(STARTTLS).await?;
    ensure(c.element().await?.name == "proceed", || "no proceed".into())?;
    c.throw(header(DOMAIN)).await;
    match c.item().await {
        Ok(None) | Err(_) => {}
        Ok(Some(item)) => return Err(format!("answered in the clear: {item:?}")),
    }
    Ok(())
}

/// RFC 6120 §5.4.2.3: TLS inside TLS is refused.
async fn s5_4_2_3_twice(w: World) -> Done {
    let mut c = w.secure().await?;
    c.send(STARTTLS).await?;
    match c.item().await? {
        Some(crate::client::Item::Element(el)) => {
            ensure(el.name == "failure" || el.name == "error", || format!("{el:?}"))?;
        }
        Some(crate::client::Item::Close) | None => {}
        Some(other) => return Err(format!("{other:?}")),
    }
    Ok(())
}

/// RFC 6120 §4.7.2 and CVE-2018-10847: the domain may not change with the new stream.
async fn s4_7_2_to_changed(w: World) -> Done {
    let mut c = w.stream().await?;
    c.send(STARTTLS).await?;
    c.element().await?;
    c.handshake(&w.place).await?;
    c.send(header("localhost")).await?;
    c.stream_error(&[
        "host-unknown",
        "invalid-from",
        "improper-addressing",
        "not-authorized",
        "policy-violation",
        "undefined-condition",
    ])
    .await?;
    Ok(())
}

/// The same after SASL: authenticated for one domain, continued for another.
async fn s4_7_2_to_changed_after_sasl(w: World) -> Done {
    let mut c = w.stream().await?;
    let user = w.account().await?;
    let done = c.auth("PLAIN", &crate::client::plain("", &user, crate::case::PASSWORD)).await?;
    ensure(done.name == "success", || format!("{done:?}"))?;
    c.send(header("localhost")).await?;
    c.stream_error(&[
        "host-unknown",
        "invalid-from",
        "improper-addressing",
        "not-authorized",
        "policy-violation",
        "undefined-condition",
    ])
    .await?;
    Ok(())
}

/// XEP-0368 #usecases: direct TLS with the ALPN protocol of clients.
async fn xep_0368_direct_tls(w: World) -> Done {
    let mut c = Client::connect_tls(&w.place, DOMAIN).await?;
    c.open().await?;
    ensure(c.features.child("starttls", "").is_none(), || "TLS is offered inside TLS".into())?;
    ensure(c.alpn.as_deref() == Some(b"xmpp-client"), || format!("ALPN: {:?}", c.alpn))?;
    Ok(())
}

cases![
    s5_4_3_3_new_stream,
    s5_3_injected_command,
    s5_4_3_1_no_tls_after_proceed,
    s5_4_2_3_twice,
    s4_7_2_to_changed,
    s4_7_2_to_changed_after_sasl,
    xep_0368_direct_tls,
];
