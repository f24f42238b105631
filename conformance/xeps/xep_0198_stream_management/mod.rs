//! XEP-0198: acknowledging and resuming.

use crate::{
    case::World,
    cases,
    client::{Client, Done, El, ensure},
};

const NS: &str = "urn:xmpp:sm:3";

/// A bound session with stream management; the `<enabled/>` it got.
async fn managed(w: &World, user: &str) -> Done<(Client, El)> {
    let mut c = w.session(user, "managed").await?;
    c.send(format!("<enable xmlns='{NS}' resume='true'/>")).await?;
    let el = c.element().await?;
    ensure(el.is("enabled", NS), || format!("{el:?}"))?;
    c.send("<presence/>").await?;
    let jid = c.jid.clone();
    c.presence("", &jid).await?;
    Ok((c, el))
}

/// What the server has counted.
async fn handled(c: &mut Client) -> Done<u32> {
    c.send(format!("<r xmlns='{NS}'/>")).await?;
    let el = c.want("an ack", |el| el.is("a", NS)).await?;
    el.attr("h").and_then(|h| h.parse().ok()).ok_or_else(|| format!("{el:?}"))
}

/// Waits until the server has counted so many (an ack may be behind, never ahead).
async fn handled_becomes(c: &mut Client, n: u32) -> Done {
    for _ in 0..100 {
        let h = handled(c).await?;
        ensure(h <= n, || format!("h={h} is ahead of {n}"))?;
        if h == n {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Err(format!("h never became {n}"))
}

fn resume(id: &str, h: u32) -> String {
    format!("<resume xmlns='{NS}' previd='{id}' h='{h}'/>")
}

async fn failed(c: &mut Client, request: &str) -> Done {
    c.send(request).await?;
    let el = c.want("an answer", |el| el.ns == NS).await?;
    ensure(el.name == "failed", || format!("{el:?}"))
}

/// XEP-0198 #feature: offered once one is authenticated.
async fn feature_is_offered(w: World) -> Done {
    let c = w.user().await?;
    ensure(c.features.child("sm", NS).is_some(), || format!("{:?}", c.features))?;
    Ok(())
}

/// XEP-0198 #acking: stanzas are counted, other elements are not.
async fn h_counts_stanzas(w: World) -> Done {
    let user = w.account().await?;
    let (mut c, _) = managed(&w, &user).await?;
    handled_becomes(&mut c, 1).await?;
    c.send("<iq type='get' id='1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>").await?;
    handled_becomes(&mut c, 2).await?;
    c.send("<message to='example.org' type='headline'/> <presence/>").await?;
    handled_becomes(&mut c, 4).await?;
    Ok(())
}

/// XEP-0198 #acking: the server asks in its turn.
async fn server_requests_acks(w: World) -> Done {
    let (user, mut a) = (w.account().await?, w.user().await?);
    let (mut c, _) = managed(&w, &user).await?;
    for _ in 0..30 {
        a.send(format!("<message to='{}' type='chat'><body>x</body></message>", c.jid)).await?;
    }
    c.want("a request", |el| el.is("r", NS)).await?;
    Ok(())
}

/// XEP-0198 #resumption: what was sent meanwhile comes, once and in order; the address stays.
async fn resume_delivers(w: World) -> Done {
    let (user, mut a) = (w.account().await?, w.user().await?);
    let (mut c, enabled) = managed(&w, &user).await?;
    let id = enabled.attr("id").ok_or("no id")?.to_owned();
    ensure(enabled.attr("resume").is_some_and(|r| r == "true" || r == "1"), || {
        format!("{enabled:?}")
    })?;
    let jid = c.jid.clone();
    a.send(format!("<message to='{jid}' type='chat' id='0'><body>seen</body></message>")).await?;
    c.message().await?;
    c.cut();
    for n in 1..=5 {
        a.send(format!("<message to='{jid}' type='chat' id='{n}'><body>{n}</body></message>"))
            .await?;
    }
    a.so_far().await?;
    let mut d = w.login(&user).await?;
    d.send(resume(&id, 2)).await?; // own presence and the first message
    let el = d.want("resumed", |el| el.ns == NS && el.name != "r").await?;
    ensure(el.name == "resumed" && el.attr("previd") == Some(&id), || format!("{el:?}"))?;
    for n in 1..=5 {
        let m = d.message().await?;
        ensure(m.attr("id") == Some(&n.to_string()), || format!("{n}: {m:?}"))?;
    }
    d.jid = jid;
    ensure(d.messages_so_far().await?.is_empty(), || "more than was missing".into())?;
    Ok(())
}

/// XEP-0198 #resumption: what the client sent counts on.
async fn resume_tells_h(w: World) -> Done {
    let user = w.account().await?;
    let (mut c, enabled) = managed(&w, &user).await?;
    let id = enabled.attr("id").ok_or("no id")?.to_owned();
    c.send("<message to='example.org' type='headline'/>".repeat(3)).await?;
    handled_becomes(&mut c, 4).await?;
    c.cut();
    let mut d = w.login(&user).await?;
    d.send(resume(&id, 1)).await?;
    let el = d.want("resumed", |el| el.is("resumed", NS)).await?;
    ensure(el.attr("h") == Some("4"), || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0198 #resumption: contacts see nothing of it.
async fn resume_is_invisible(w: World) -> Done {
    let (mut a, b) = w.friends().await?;
    let user = b.bare().split('@').next().unwrap_or_default().to_owned();
    let (mut c, enabled) = managed(&w, &user).await?;
    let id = enabled.attr("id").ok_or("no id")?.to_owned();
    let jid = c.jid.clone();
    a.presence("", &jid).await?;
    c.cut();
    let mut d = w.login(&user).await?;
    d.send(resume(&id, 0)).await?;
    d.want("resumed", |el| el.is("resumed", NS)).await?;
    let rest = a.so_far().await?;
    ensure(rest.iter().all(|el| el.attr("type") != Some("unavailable")), || format!("{rest:?}"))?;
    Ok(())
}

/// XEP-0198 #resumption: the old connection need not be dead yet.
async fn resume_from_half_open(w: World) -> Done {
    let user = w.account().await?;
    let (_old, enabled) = managed(&w, &user).await?;
    let id = enabled.attr("id").ok_or("no id")?.to_owned();
    let mut d = w.login(&user).await?;
    d.send(resume(&id, 1)).await?;
    let el = d.want("resumed", |el| el.ns == NS && el.name != "r").await?;
    ensure(el.name == "resumed", || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0198 #resumption: an id that does not exist.
async fn resume_unknown(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.login(&user).await?;
    failed(&mut c, &resume("no-such-session", 0)).await?;
    c.bind("fallback").await?;
    Ok(())
}

/// XEP-0198 #resumption: somebody else's session.
async fn resume_somebody_elses(w: World) -> Done {
    let (user, other) = (w.account().await?, w.account().await?);
    let (mut c, enabled) = managed(&w, &user).await?;
    let id = enabled.attr("id").ok_or("no id")?.to_owned();
    c.cut();
    let mut d = w.login(&other).await?;
    failed(&mut d, &resume(&id, 0)).await?;
    let mut e = w.login(&user).await?;
    e.send(resume(&id, 1)).await?;
    e.want("resumed", |el| el.is("resumed", NS)).await?;
    Ok(())
}

/// XEP-0198 #resumption: a session resumes once.
async fn resume_twice(w: World) -> Done {
    let user = w.account().await?;
    let (mut c, enabled) = managed(&w, &user).await?;
    let id = enabled.attr("id").ok_or("no id")?.to_owned();
    c.send("</stream:stream>").await?;
    c.ended().await?;
    let mut d = w.login(&user).await?;
    failed(&mut d, &resume(&id, 0)).await?;
    Ok(())
}

/// XEP-0198 #enable: not before a resource is bound.
async fn enable_before_bind(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.login(&user).await?;
    c.throw(format!("<enable xmlns='{NS}'/>")).await;
    match c.item().await? {
        Some(crate::client::Item::Element(el)) => {
            ensure(el.is("failed", NS) || el.name == "error", || format!("{el:?}"))?;
        }
        other => return Err(format!("{other:?}")),
    }
    Ok(())
}

/// XEP-0198 #enable: not twice.
async fn enable_twice(w: World) -> Done {
    let user = w.account().await?;
    let (mut c, _) = managed(&w, &user).await?;
    c.throw(format!("<enable xmlns='{NS}'/>")).await;
    let el = c
        .want("a refusal", |el| el.name == "failed" || el.name == "error" || el.name == "enabled")
        .await?;
    ensure(el.name != "enabled", || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0198 #acking: more acknowledged than was sent.
async fn ack_too_high(w: World) -> Done {
    let user = w.account().await?;
    let (mut c, _) = managed(&w, &user).await?;
    c.throw(format!("<a xmlns='{NS}' h='4000'/>")).await;
    c.stream_error(&["undefined-condition"]).await?;
    Ok(())
}

/// An ack that goes backwards is ignored: a released client library sends such.
async fn regression_ack_goes_back(w: World) -> Done {
    let (user, mut a) = (w.account().await?, w.user().await?);
    let (mut c, _) = managed(&w, &user).await?;
    a.send(format!("<message to='{}' type='chat'><body>x</body></message>", c.jid)).await?;
    c.message().await?;
    c.send(format!("<a xmlns='{NS}' h='2'/><a xmlns='{NS}' h='1'/>")).await?;
    c.so_far().await?;
    Ok(())
}

/// XEP-0198 #scenarios: what was never acknowledged goes to another resource or is kept.
async fn unacked_is_not_lost(w: World) -> Done {
    let (user, mut a) = (w.account().await?, w.user().await?);
    let (mut c, _) = managed(&w, &user).await?;
    let jid = c.jid.clone();
    a.send(format!("<message to='{jid}' type='chat'><body>precious</body></message>")).await?;
    c.message().await?; // received, never acknowledged
    c.throw("</stream:stream>").await;
    c.ended().await?;
    let mut d = w.online(&user, "other", 0).await?;
    let m = d.message().await?;
    ensure(m.child("body", "").is_some_and(|b| b.text == "precious"), || format!("{m:?}"))?;
    Ok(())
}

cases![
    feature_is_offered,
    h_counts_stanzas,
    server_requests_acks,
    resume_delivers,
    resume_tells_h,
    resume_is_invisible,
    resume_from_half_open,
    resume_unknown,
    resume_somebody_elses,
    resume_twice,
    enable_before_bind,
    enable_twice,
    ack_too_high,
    regression_ack_goes_back,
    unacked_is_not_lost,
];
