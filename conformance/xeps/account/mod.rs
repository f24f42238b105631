//! What an account has: offline messages, last activity, client state.

use crate::{
    case::{World, absent},
    cases,
    client::{Done, ensure, is_error},
};

/// XEP-0160 and XEP-0203: kept in order, stamped, and given once.
async fn xep_0160_kept_in_order(w: World) -> Done {
    let (mut a, b) = (w.user().await?, w.account().await?);
    for n in 0..5 {
        a.send(format!(
            "<message to='{b}@example.org' type='chat' id='{n}'><body>{n}</body></message>"
        ))
        .await?;
    }
    a.so_far().await?;
    let mut c = w.online(&b, "x", 0).await?;
    for n in 0..5 {
        let m = c.message().await?;
        ensure(m.attr("id") == Some(&n.to_string()), || format!("{n}: {m:?}"))?;
        ensure(
            m.child("delay", "urn:xmpp:delay").is_some_and(|d| d.attr("stamp").is_some()),
            || format!("{m:?}"),
        )?;
        ensure(m.attr("from") == Some(&a.jid), || format!("{m:?}"))?;
    }
    c.cut();
    let mut d = w.online(&b, "y", 0).await?;
    ensure(d.messages_so_far().await?.is_empty(), || "given twice".into())?;
    Ok(())
}

/// XEP-0160 #types: kept until a resource of no negative priority comes.
async fn xep_0160_negative_priority(w: World) -> Done {
    let (mut a, b) = (w.user().await?, w.account().await?);
    a.send(format!("<message to='{b}@example.org' type='chat'><body>x</body></message>")).await?;
    a.so_far().await?;
    let mut c = w.online(&b, "x", -1).await?;
    ensure(c.messages_so_far().await?.is_empty(), || "given to a negative priority".into())?;
    let mut d = w.online(&b, "y", 0).await?;
    d.message().await?;
    Ok(())
}

/// XEP-0160 #types: chat states alone are not kept.
async fn xep_0160_no_chat_states(w: World) -> Done {
    let (mut a, b) = (w.user().await?, w.account().await?);
    a.send(format!(
        "<message to='{b}@example.org' type='chat'><composing \
     xmlns='http://jabber.org/protocol/chatstates'/></message>"
    ))
    .await?;
    a.so_far().await?;
    let mut c = w.online(&b, "x", 0).await?;
    ensure(c.messages_so_far().await?.is_empty(), || "a chat state was kept".into())?;
    Ok(())
}

/// XEP-0203 #security: a forged delay of one's own server does not survive as such.
async fn xep_0203_forged_delay(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.send(format!(
        "<message to='{}' type='chat'><body>x</body><delay \
     xmlns='urn:xmpp:delay' from='example.org' stamp='2001-01-01T00:00:00Z'/>\
     </message>",
        b.jid
    ))
    .await?;
    let m = b.message().await?;
    let forged =
        m.children.iter().any(|c| c.name == "delay" && c.attr("from") == Some("example.org"));
    ensure(!forged, || "a delay in the server's name passed".into())?;
    Ok(())
}

/// XEP-0012 #offline: when a contact was last there.
async fn xep_0012_contact(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    let b_bare = b.bare();
    b.send("<presence type='unavailable'><status>zzz</status></presence></stream:stream>").await?;
    let b_jid = b.jid.clone();
    a.presence("unavailable", &b_jid).await?;
    let el = a.iq("get", &b_bare, "<query xmlns='jabber:iq:last'/>").await?;
    if el.attr("type") == Some("error") {
        return absent(&format!("last activity of accounts ({:?})", el.condition()));
    }
    let s = el.find("query").and_then(|q| q.attr("seconds")).and_then(|s| s.parse::<u64>().ok());
    ensure(s.is_some_and(|s| s < 60), || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0012 #security: strangers are told nothing.
async fn xep_0012_stranger(w: World) -> Done {
    let (mut a, b) = (w.user().await?, w.account().await?);
    let el = a.iq("get", &format!("{b}@example.org"), "<query xmlns='jabber:iq:last'/>").await?;
    is_error(
        &el,
        &[
            "forbidden",
            "not-authorized",
            "service-unavailable",
            "not-allowed",
            "subscription-required",
        ],
    )?;
    Ok(())
}

/// XEP-0030: the account answers for itself to its owner.
async fn xep_0030_account(w: World) -> Done {
    let mut a = w.user().await?;
    let bare = a.bare();
    let el = a.ask("get", &bare, "<query xmlns='http://jabber.org/protocol/disco#info'/>").await?;
    let account = el.children[0].children.iter().any(|c| c.attr("category") == Some("account"));
    ensure(account, || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0030 #security: a stranger learns nothing of an account, not even that it exists.
async fn xep_0030_stranger(w: World) -> Done {
    let (mut a, b) = (w.user().await?, w.account().await?);
    let q = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let known = a.iq("get", &format!("{b}@example.org"), q).await?;
    let unknown = a.iq("get", "nobody-at-all@example.org", q).await?;
    is_error(&known, &["service-unavailable", "subscription-required", "forbidden"])?;
    ensure(known.condition() == unknown.condition(), || format!("{known:?} {unknown:?}"))?;
    Ok(())
}

/// XEP-0352: inactive and active are taken without an answer; messages still come.
async fn xep_0352_inactive(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    if b.features.child("csi", "urn:xmpp:csi:0").is_none() {
        return absent("client state indication");
    }
    b.send("<inactive xmlns='urn:xmpp:csi:0'/>").await?;
    a.send(format!("<message to='{}' type='chat'><body>urgent</body></message>", b.jid)).await?;
    b.message().await?;
    b.send("<active xmlns='urn:xmpp:csi:0'/>").await?;
    b.so_far().await?;
    Ok(())
}

/// XEP-0352: presence that was held comes, at the latest when the client is active again.
async fn xep_0352_held_presence(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    if b.features.child("csi", "urn:xmpp:csi:0").is_none() {
        return absent("client state indication");
    }
    b.send("<inactive xmlns='urn:xmpp:csi:0'/>").await?;
    a.send("<presence><status>one</status></presence><presence><status>two</status></presence>")
        .await?;
    a.so_far().await?;
    b.send("<active xmlns='urn:xmpp:csi:0'/>").await?;
    b.want("the newest presence", |el| el.child("status", "").is_some_and(|s| s.text == "two"))
        .await?;
    Ok(())
}

cases![
    xep_0160_kept_in_order,
    xep_0160_negative_priority,
    xep_0160_no_chat_states,
    xep_0203_forged_delay,
    xep_0012_contact,
    xep_0012_stranger,
    xep_0030_account,
    xep_0030_stranger,
    xep_0352_inactive,
    xep_0352_held_presence,
];
