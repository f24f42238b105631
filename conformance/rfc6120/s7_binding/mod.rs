//! RFC 6120 §7: resources.

use crate::{
    case::World,
    cases,
    client::{BIND, Done, ensure},
};

/// RFC 6120 §7.6: the server chooses, and never the same twice.
async fn s7_6_server_chooses(w: World) -> Done {
    let user = w.account().await?;
    let (a, b) = (w.session(&user, "").await?, w.session(&user, "").await?);
    ensure(a.jid.len() > a.bare().len() + 4 && a.jid != b.jid, || format!("{} {}", a.jid, b.jid))?;
    Ok(())
}

/// RFC 6120 §7.7
async fn s7_7_client_chooses(w: World) -> Done {
    let user = w.account().await?;
    let c = w.session(&user, "balcony é").await?;
    ensure(c.jid == format!("{user}@example.org/balcony é"), || c.jid.clone())?;
    Ok(())
}

/// RFC 6120 §7.7.2.2: the same resource twice: one of the two sessions is not what it asked for.
async fn s7_7_2_2_conflict(w: World) -> Done {
    let user = w.account().await?;
    let mut a = w.session(&user, "same").await?;
    let mut b = w.login(&user).await?;
    let wish = format!("<bind xmlns='{BIND}'><resource>same</resource></bind>");
    let answer = b.iq("set", "", &wish).await?;
    if answer.attr("type") == Some("error") {
        return crate::client::is_error(&answer, &["conflict"]);
    }
    let got = answer.find("jid").map(|j| j.text.clone()).unwrap_or_default();
    if got == a.jid {
        a.stream_error(&["conflict"]).await?;
    }
    Ok(())
}

/// RFC 6120 §7.7.2.1: a resource that RFC 7622 does not allow.
async fn s7_7_2_1_bad_resource(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.login(&user).await?;
    let wish = format!("<bind xmlns='{BIND}'><resource>{}</resource></bind>", "x".repeat(1100));
    c.refused("set", "", &wish, &["bad-request", "not-acceptable", "jid-malformed"]).await?;
    Ok(())
}

/// RFC 6120 §7.1: no stanza before a resource is bound.
async fn s7_1_stanza_before_bind(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.login(&user).await?;
    c.send(format!("<message id='m' to='{user}@example.org'><body>x</body></message>")).await?;
    match c.item().await? {
        Some(crate::client::Item::Element(el)) if el.name == "error" => {
            ensure(el.condition() == Some("not-authorized"), || format!("{el:?}"))?;
        }
        Some(crate::client::Item::Element(el)) => {
            crate::client::is_error(
                &el,
                &["not-allowed", "not-authorized", "forbidden", "unexpected-request"],
            )?;
        }
        other => return Err(format!("{other:?}")),
    }
    Ok(())
}

/// RFC 6120 §7.6: one resource on one stream.
async fn s7_6_second_bind(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.session(&user, "one").await?;
    let el =
        c.iq("set", "", &format!("<bind xmlns='{BIND}'><resource>two</resource></bind>")).await;
    if let Ok(el) = el {
        ensure(el.attr("type") == Some("error"), || format!("{el:?}"))?;
    }
    Ok(())
}

cases![
    s7_6_server_chooses,
    s7_7_client_chooses,
    s7_7_2_2_conflict,
    s7_7_2_1_bad_resource,
    s7_1_stanza_before_bind,
    s7_6_second_bind,
];
