//! RFC 6121 §4: presence.

use crate::{
    case::World,
    cases,
    client::{Done, ensure},
};

/// RFC 6121 §4.2: contacts see one come; one sees the contacts that are there.
async fn s4_2_initial_presence(w: World) -> Done {
    let (mut a, b) = w.friends().await?;
    let user = b.bare().split('@').next().unwrap_or_default().to_owned();
    let mut c = w.online(&user, "two", 5).await?;
    let p = a.presence("", &c.jid).await?;
    ensure(p.child("priority", "").is_some_and(|x| x.text == "5"), || format!("{p:?}"))?;
    let (a_jid, b_jid) = (a.jid.clone(), b.jid.clone());
    c.presence("", &a_jid).await?;
    c.presence("", &b_jid).await?;
    Ok(())
}

/// RFC 6121 §4.4: updates are seen.
async fn s4_4_update(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    b.send("<presence><show>dnd</show><status>busy</status></presence>").await?;
    let b_jid = b.jid.clone();
    let p = a.presence("", &b_jid).await?;
    ensure(p.child("show", "").is_some_and(|x| x.text == "dnd"), || format!("{p:?}"))?;
    Ok(())
}

/// RFC 6121 §4.5: goodbye with a word.
async fn s4_5_unavailable(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    b.send("<presence type='unavailable'><status>bye</status></presence>").await?;
    let b_jid = b.jid.clone();
    let p = a.presence("unavailable", &b_jid).await?;
    ensure(p.child("status", "").is_some_and(|x| x.text == "bye"), || format!("{p:?}"))?;
    Ok(())
}

/// RFC 6121 §4.5.2: goodbye without a word: the connection is lost.
async fn s4_5_2_connection_lost(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    let b_jid = b.jid.clone();
    b.cut();
    a.presence("unavailable", &b_jid).await?;
    Ok(())
}

/// RFC 6121 §4.5.2: the stream is closed without unavailable presence.
async fn s4_5_2_stream_closed(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    let b_jid = b.jid.clone();
    b.send("</stream:stream>").await?;
    a.presence("unavailable", &b_jid).await?;
    Ok(())
}

/// RFC 6121 §4.6: directed presence to a stranger, and goodbye to him too.
async fn s4_6_directed(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    let (a_jid, b_jid) = (a.jid.clone(), b.jid.clone());
    a.send(format!("<presence to='{b_jid}'/>")).await?;
    b.presence("", &a_jid).await?;
    a.cut();
    b.presence("unavailable", &a_jid).await?;
    Ok(())
}

/// RFC 6121 §4.2.2: strangers see nothing.
async fn s4_2_2_strangers(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.send("<presence><status>secret</status></presence>").await?;
    a.so_far().await?;
    let rest = b.so_far().await?;
    ensure(rest.iter().all(|el| el.name != "presence"), || format!("{rest:?}"))?;
    Ok(())
}

/// RFC 6121 §4.3.2: a stranger's probe tells nothing.
async fn s4_3_2_probe_of_a_stranger(w: World) -> Done {
    let (mut a, b) = (w.user().await?, w.user().await?);
    a.send(format!("<presence to='{}' type='probe'/>", b.bare())).await?;
    let rest = a.so_far().await?;
    let seen = rest.iter().any(|el| el.name == "presence" && el.attr("type").is_none());
    ensure(!seen, || format!("{rest:?}"))?;
    Ok(())
}

/// RFC 6121 §4.7.2.3: a priority that is no number from -128 to 127 harms nobody; it is refused or
/// counts as 0, so that messages still come.
async fn s4_7_2_3_bad_priority(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    for bad in ["1000", "-129", "x", ""] {
        a.send(format!("<presence><priority>{bad}</priority></presence>")).await?;
        a.so_far().await?;
        b.send(format!("<message to='{}' type='chat'><body>x</body></message>", a.bare())).await?;
        a.message().await?;
    }
    Ok(())
}

/// RFC 6121 §4.7.1: a type that does not exist.
async fn s4_7_1_unknown_type(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    a.send(format!("<presence type='bogus' to='{}'/>", b.jid)).await?;
    a.so_far().await?;
    let rest = b.so_far().await?;
    ensure(rest.iter().all(|el| el.attr("type") != Some("bogus")), || format!("{rest:?}"))?;
    Ok(())
}

cases![
    s4_2_initial_presence,
    s4_4_update,
    s4_5_unavailable,
    s4_5_2_connection_lost,
    s4_5_2_stream_closed,
    s4_6_directed,
    s4_2_2_strangers,
    s4_3_2_probe_of_a_stranger,
    s4_7_2_3_bad_priority,
    s4_7_1_unknown_type,
];
