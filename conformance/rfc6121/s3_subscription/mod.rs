//! RFC 6121 §3: subscriptions.

use crate::{
    case::{World, subscribe},
    cases,
    client::{Done, El, ensure},
};

fn state(i: &El) -> (&str, bool) {
    (i.attr("subscription").unwrap_or("none"), i.attr("ask") == Some("subscribe"))
}

/// RFC 6121 §3.1: asked, pending, agreed, seen; with a push at every step.
async fn s3_1_whole_flow(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    let (a_bare, b_bare, b_jid) = (a.bare(), b.bare(), b.jid.clone());
    a.send(format!("<presence to='{b_bare}' type='subscribe'/>")).await?;
    let i = a.push().await?;
    ensure(state(&i) == ("none", true), || format!("1: {i:?}"))?;
    let p = b.presence("subscribe", &a_bare).await?;
    ensure(p.attr("from") == Some(&a_bare), || format!("not the bare JID: {p:?}"))?;
    b.send(format!("<presence to='{a_bare}' type='subscribed'/>")).await?;
    let i = b.push().await?;
    ensure(state(&i) == ("from", false), || format!("2: {i:?}"))?;
    a.presence("subscribed", &b_bare).await?;
    let i = a.push().await?;
    ensure(state(&i) == ("to", false), || format!("3: {i:?}"))?;
    a.presence("", &b_jid).await?;
    subscribe(&mut b, &mut a).await?;
    while state(&a.push().await?) != ("both", false) {}
    Ok(())
}

/// RFC 6121 §3.1.3: a request waits for somebody who is away.
async fn s3_1_3_request_waits(w: World) -> Done {
    let (mut a, b) = (w.user().await?, w.account().await?);
    a.send(format!(
        "<presence to='{b}@example.org' type='subscribe'><status>me</status></presence>"
    ))
    .await?;
    a.push().await?;
    let a_bare = a.bare();
    let mut b = w.online(&b, "late", 0).await?;
    b.presence("subscribe", &a_bare).await?;
    Ok(())
}

/// RFC 6121 §3.1.3: a pending request is not in the roster.
async fn s3_1_3_pending_is_not_listed(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.send(format!("<presence to='{}' type='subscribe'/>", b.bare())).await?;
    let a_bare = a.bare();
    b.presence("subscribe", &a_bare).await?;
    let el = b.ask("get", "", "<query xmlns='jabber:iq:roster'/>").await?;
    ensure(el.find("item").is_none(), || format!("{el:?}"))?;
    Ok(())
}

/// RFC 6121 §3.1.3: who may already see is answered at once.
async fn s3_1_3_already_granted(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    let (b_bare, a_bare) = (b.bare(), a.bare());
    a.send(format!("<presence to='{b_bare}' type='subscribe'/>")).await?;
    a.so_far().await?;
    let rest = b.so_far().await?;
    ensure(rest.iter().all(|el| el.attr("type") != Some("subscribe")), || {
        format!("{a_bare} asked again: {rest:?}")
    })?;
    Ok(())
}

/// RFC 6121 §3.2: a grant is taken back; the other sees one leave.
async fn s3_2_cancel(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    let (b_jid, b_bare, a_bare) = (b.jid.clone(), b.bare(), a.bare());
    b.send(format!("<presence to='{a_bare}' type='unsubscribed'/>")).await?;
    a.presence("unsubscribed", &b_bare).await?;
    a.presence("unavailable", &b_jid).await?;
    let i = a.push().await?;
    ensure(state(&i) == ("from", false), || format!("{i:?}"))?;
    Ok(())
}

/// RFC 6121 §3.2: a request is refused.
async fn s3_2_deny(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.send(format!("<presence to='{}' type='subscribe'/>", b.bare())).await?;
    let (a_bare, b_bare) = (a.bare(), b.bare());
    a.push().await?;
    b.presence("subscribe", &a_bare).await?;
    b.send(format!("<presence to='{a_bare}' type='unsubscribed'/>")).await?;
    a.presence("unsubscribed", &b_bare).await?;
    let i = a.push().await?;
    ensure(state(&i) == ("none", false), || format!("{i:?}"))?;
    Ok(())
}

/// RFC 6121 §3.3: not wanting to see any longer.
async fn s3_3_unsubscribe(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    let (a_bare, b_bare) = (a.bare(), b.bare());
    a.send(format!("<presence to='{b_bare}' type='unsubscribe'/>")).await?;
    b.presence("unsubscribe", &a_bare).await?;
    let i = a.push().await?;
    ensure(state(&i) == ("from", false), || format!("{i:?}"))?;
    Ok(())
}

/// RFC 6121 §2.5.2: removing a contact ends both subscriptions.
async fn s2_5_2_remove_contact(w: World) -> Done {
    let (mut a, mut b) = w.friends().await?;
    let (a_bare, b_bare, a_jid) = (a.bare(), b.bare(), a.jid.clone());
    a.ask(
        "set",
        "",
        &format!(
            "<query xmlns='jabber:iq:roster'><item jid='{b_bare}' subscription='remove'/></query>"
        ),
    )
    .await?;
    b.presence("unsubscribe", &a_bare).await?;
    b.presence("unsubscribed", &a_bare).await?;
    b.presence("unavailable", &a_jid).await?;
    Ok(())
}

/// RFC 6121 §3.1.3: nobody there is not told.
async fn s3_1_3_no_such_account(w: World) -> Done {
    let mut a = w.user().await?;
    a.send("<presence to='nobody@example.org' type='subscribe'/>").await?;
    let i = a.push().await?;
    ensure(i.attr("jid") == Some("nobody@example.org"), || format!("{i:?}"))?;
    Ok(())
}

cases![
    s3_1_whole_flow,
    s3_1_3_request_waits,
    s3_1_3_pending_is_not_listed,
    s3_1_3_already_granted,
    s3_2_cancel,
    s3_2_deny,
    s3_3_unsubscribe,
    s2_5_2_remove_contact,
    s3_1_3_no_such_account,
];
