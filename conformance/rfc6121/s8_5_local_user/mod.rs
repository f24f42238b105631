//! RFC 6121 §8.5: who gets what is sent to a local user. Table 1 of the RFC, row by row.

use crate::{
    case::World,
    cases,
    client::{Client, Done, El, ensure, is_error},
};

/// A sender, and an account with these resources: name and priority; `None` is not available.
async fn scene(w: &World, them: &[(&str, Option<i8>)]) -> Done<(Client, String, Vec<Client>)> {
    let (sender, user) = (w.user().await?, w.account().await?);
    let mut sessions = Vec::new();
    for (resource, priority) in them {
        sessions.push(match priority {
            Some(p) => w.online(&user, resource, *p).await?,
            None => w.session(&user, resource).await?,
        });
    }
    for s in &mut sessions {
        s.so_far().await?;
    }
    Ok((sender, format!("{user}@example.org"), sessions))
}

/// Sends a message and reports what each session got, and what came back.
async fn sent(
    a: &mut Client,
    to: &str,
    kind: &str,
    sessions: &mut [Client],
) -> Done<(Vec<usize>, Vec<El>)> {
    a.send(format!("<message to='{to}' type='{kind}' id='m'><body>hi</body></message>")).await?;
    let mut back = a.messages_so_far().await?;
    let mut got = Vec::new();
    for s in sessions.iter_mut() {
        got.push(s.messages_so_far().await?.len());
    }
    back.extend(a.messages_so_far().await?);
    Ok((got, back))
}

fn got(is: &[usize], want: &[usize]) -> Done {
    ensure(is == want, || format!("messages received: {is:?}, not {want:?}"))
}

fn bounced(back: &[El]) -> Done {
    let one = back.first().ok_or("no error came back")?;
    is_error(one, &["service-unavailable", "recipient-unavailable"])
}

fn quiet(back: &[El]) -> Done {
    ensure(back.is_empty(), || format!("came back: {back:?}"))
}

const UNAVAILABLE: &[&str] = &["service-unavailable", "recipient-unavailable", "item-not-found"];

/// RFC 6121 §8.5.1: no such account.
async fn s8_5_1_message(w: World) -> Done {
    let mut a = w.user().await?;
    let (_, back) = sent(&mut a, "nobody@example.org", "chat", &mut []).await?;
    is_error(back.first().ok_or("no error")?, UNAVAILABLE)?;
    Ok(())
}

/// RFC 6121 §8.5.1
async fn s8_5_1_iq(w: World) -> Done {
    w.user()
        .await?
        .refused("get", "nobody@example.org/x", "<q xmlns='urn:x'/>", UNAVAILABLE)
        .await?;
    Ok(())
}

/// RFC 6121 §8.5.2.1.1: chat to the bare JID reaches the most available or all.
async fn s8_5_2_1_1_bare_chat(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(1)), ("b", Some(1))]).await?;
    let (n, back) = sent(&mut a, &to, "chat", &mut s).await?;
    ensure(n.iter().sum::<usize>() >= 1, || format!("{n:?}"))?;
    quiet(&back)?;
    Ok(())
}

/// RFC 6121 §8.5.2.1.1: normal as well.
async fn s8_5_2_1_1_bare_normal(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0)), ("b", Some(0))]).await?;
    let (n, back) = sent(&mut a, &to, "normal", &mut s).await?;
    ensure(n.iter().sum::<usize>() >= 1, || format!("{n:?}"))?;
    quiet(&back)?;
    Ok(())
}

/// RFC 6121 §8.5.2.1.1: a headline reaches all that are not negative.
async fn s8_5_2_1_1_bare_headline(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0)), ("b", Some(5)), ("c", Some(-1))]).await?;
    got(&sent(&mut a, &to, "headline", &mut s).await?.0, &[1, 1, 0])?;
    Ok(())
}

/// RFC 6121 §8.5.2.1.1: groupchat is for rooms.
async fn s8_5_2_1_1_bare_groupchat(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0))]).await?;
    let (n, back) = sent(&mut a, &to, "groupchat", &mut s).await?;
    got(&n, &[0])?;
    bounced(&back)?;
    Ok(())
}

/// RFC 6121 §8.5.2.1.1: an error vanishes.
async fn s8_5_2_1_1_bare_error(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0))]).await?;
    let (n, back) = sent(&mut a, &to, "error", &mut s).await?;
    got(&n, &[0])?;
    quiet(&back)?;
    Ok(())
}

/// RFC 6121 §8.5.2.1.1: a negative priority takes nothing sent to the bare JID.
async fn s8_5_2_1_1_negative_priority(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0)), ("b", Some(-1))]).await?;
    got(&sent(&mut a, &to, "chat", &mut s).await?.0, &[1, 0])?;
    Ok(())
}

/// RFC 6121 §8.5.2.1.1: a resource that is not available takes nothing either.
async fn s8_5_2_1_1_not_available(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0)), ("b", None)]).await?;
    got(&sent(&mut a, &to, "chat", &mut s).await?.0, &[1, 0])?;
    Ok(())
}

/// RFC 6121 §8.5.2.1.2: presence goes to all available resources.
async fn s8_5_2_1_2_bare_presence(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0)), ("b", Some(1))]).await?;
    a.send(format!("<presence to='{to}'/>")).await?;
    let from = a.jid.clone();
    for s in &mut s {
        s.presence("", &from).await?;
    }
    Ok(())
}

/// RFC 6121 §8.5.2.1.3: an IQ to the bare JID is answered by the server, never delivered.
async fn s8_5_2_1_3_bare_iq(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0))]).await?;
    a.refused("get", &to, "<q xmlns='urn:x'/>", UNAVAILABLE).await?;
    ensure(s[0].so_far().await?.is_empty(), || "the client was asked".into())?;
    Ok(())
}

/// RFC 6121 §8.5.2.2.1: nobody is available: headlines and errors vanish, groupchat bounces.
async fn s8_5_2_2_1_bare_nobody(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", None)]).await?;
    quiet(&sent(&mut a, &to, "headline", &mut s).await?.1)?;
    quiet(&sent(&mut a, &to, "error", &mut s).await?.1)?;
    bounced(&sent(&mut a, &to, "groupchat", &mut s).await?.1)?;
    Ok(())
}

/// RFC 6121 §8.5.2.2.1 and XEP-0160: chat is kept.
async fn s8_5_2_2_1_chat_is_kept(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", None)]).await?;
    quiet(&sent(&mut a, &to, "chat", &mut s).await?.1)?;
    s[0].send("<presence/>").await?;
    s[0].message().await?;
    Ok(())
}

/// RFC 6121 §8.5.3.1: a full JID that is there takes everything.
async fn s8_5_3_1_full_match(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(-1)), ("b", Some(9))]).await?;
    let to = format!("{to}/a");
    for kind in ["chat", "normal", "headline", "groupchat", "error"] {
        let (n, _) = sent(&mut a, &to, kind, &mut s).await?;
        got(&n, &[1, 0]).map_err(|e| format!("{kind}: {e}"))?;
    }
    Ok(())
}

/// RFC 6121 §8.5.3.1: an IQ too, and the answer finds back.
async fn s8_5_3_1_iq(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0))]).await?;
    a.send(format!("<iq type='get' id='i7' to='{to}/a'><q xmlns='urn:x'/></iq>")).await?;
    let q = s[0].want("the request", |el| el.attr("id") == Some("i7")).await?;
    ensure(q.attr("from") == Some(&a.jid), || format!("{q:?}"))?;
    let jid = a.jid.clone();
    s[0].send(format!("<iq type='result' id='i7' to='{jid}'><q xmlns='urn:x'/></iq>")).await?;
    let r = a.want("the result", |el| el.attr("id") == Some("i7")).await?;
    ensure(r.attr("from") == Some(&format!("{to}/a")), || format!("{r:?}"))?;
    Ok(())
}

/// RFC 6121 §8.5.3.2.1: chat to a resource that has gone falls back to the bare JID.
async fn s8_5_3_2_1_chat(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0))]).await?;
    let (n, back) = sent(&mut a, &format!("{to}/gone"), "chat", &mut s).await?;
    got(&n, &[1])?;
    quiet(&back)?;
    Ok(())
}

/// RFC 6121 §8.5.3.2.1: groupchat to a resource that has gone bounces, so that rooms notice.
async fn s8_5_3_2_1_groupchat(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0))]).await?;
    let (n, back) = sent(&mut a, &format!("{to}/gone"), "groupchat", &mut s).await?;
    got(&n, &[0])?;
    bounced(&back)?;
    Ok(())
}

/// RFC 6121 §8.5.3.2.1: headlines and errors to a resource that has gone vanish.
async fn s8_5_3_2_1_headline_error(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0))]).await?;
    for kind in ["headline", "error"] {
        let (n, back) = sent(&mut a, &format!("{to}/gone"), kind, &mut s).await?;
        got(&n, &[0]).map_err(|e| format!("{kind}: {e}"))?;
        quiet(&back)?;
    }
    Ok(())
}

/// RFC 6121 §8.5.3.2.3: an IQ to a resource that has gone never falls back.
async fn s8_5_3_2_3_iq(w: World) -> Done {
    let (mut a, to, mut s) = scene(&w, &[("a", Some(0))]).await?;
    a.refused("get", &format!("{to}/gone"), "<q xmlns='urn:x'/>", UNAVAILABLE).await?;
    ensure(s[0].so_far().await?.is_empty(), || "the other resource was asked".into())?;
    Ok(())
}

/// RFC 6121 §8.5.3.2.2: presence to a resource that has gone vanishes.
async fn s8_5_3_2_2_presence(w: World) -> Done {
    let (mut a, to, _s) = scene(&w, &[("a", Some(0))]).await?;
    a.send(format!("<presence to='{to}/gone'/>")).await?;
    let back = a.so_far().await?;
    ensure(back.is_empty(), || format!("{back:?}"))?;
    Ok(())
}

cases![
    s8_5_1_message,
    s8_5_1_iq,
    s8_5_2_1_1_bare_chat,
    s8_5_2_1_1_bare_normal,
    s8_5_2_1_1_bare_headline,
    s8_5_2_1_1_bare_groupchat,
    s8_5_2_1_1_bare_error,
    s8_5_2_1_1_negative_priority,
    s8_5_2_1_1_not_available,
    s8_5_2_1_2_bare_presence,
    s8_5_2_1_3_bare_iq,
    s8_5_2_2_1_bare_nobody,
    s8_5_2_2_1_chat_is_kept,
    s8_5_3_1_full_match,
    s8_5_3_1_iq,
    s8_5_3_2_1_chat,
    s8_5_3_2_1_groupchat,
    s8_5_3_2_1_headline_error,
    s8_5_3_2_3_iq,
    s8_5_3_2_2_presence,
];
