//! RFC 6120 §8 and §10: attributes of stanzas, errors, and where they go.

use crate::{
    case::World,
    cases,
    client::{Done, ensure, is_error},
};

/// RFC 6120 §8.1.2.1: the server stamps the full JID.
async fn s8_1_2_1_from_is_stamped(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.send(format!("<message to='{}' type='chat'><body>x</body></message>", b.jid)).await?;
    let m = b.message().await?;
    ensure(m.attr("from") == Some(&a.jid), || format!("{m:?}"))?;
    ensure(m.attr("to") == Some(&b.jid), || format!("{m:?}"))?;
    Ok(())
}

/// RFC 6120 §8.1.2.1: one's own full or bare JID as `from` is fine.
async fn s8_1_2_1_own_from(w: World) -> Done {
    let mut a = w.user().await?;
    let (jid, bare) = (a.jid.clone(), a.bare());
    for from in [jid, bare] {
        a.send(format!(
            "<iq type='get' id='f' from='{from}' to='example.org'><ping \
         xmlns='urn:xmpp:ping'/></iq>"
        ))
        .await?;
        let el = a.want("the answer", |el| el.attr("id") == Some("f")).await?;
        ensure(el.attr("type") == Some("result"), || format!("{el:?}"))?;
    }
    Ok(())
}

/// RFC 6120 §8.1.3: the answer has the id of the request, whatever it looks like.
async fn s8_1_3_id_is_kept(w: World) -> Done {
    let mut a = w.user().await?;
    a.send(
        "<iq type='get' id='&lt;&apos;é&#x1F600;' to='example.org'><ping \
     xmlns='urn:xmpp:ping'/></iq>",
    )
    .await?;
    a.want("the answer", |el| el.attr("id") == Some("<'é\u{1F600}")).await?;
    Ok(())
}

/// RFC 6120 §8.1.5: xml:lang travels with the stanza.
async fn s8_1_5_lang(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.send(format!("<message xml:lang='cs' to='{}' type='chat'><body>x</body></message>", b.jid))
        .await?;
    let m = b.message().await?;
    ensure(m.attr("xml:lang") == Some("cs"), || format!("{m:?}"))?;
    Ok(())
}

/// RFC 6120 §8.2.3: a request without payload.
async fn s8_2_3_empty_request(w: World) -> Done {
    w.user()
        .await?
        .refused("get", "example.org", "", &["bad-request", "service-unavailable"])
        .await?;
    Ok(())
}

/// RFC 6120 §8.2.3: an IQ of an unknown type.
async fn s8_2_3_unknown_type(w: World) -> Done {
    let mut a = w.user().await?;
    a.send("<iq type='bogus' id='b' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>").await?;
    let el = a.want("the error", |el| el.attr("id") == Some("b")).await?;
    is_error(&el, &["bad-request"])?;
    Ok(())
}

/// RFC 6120 §8.2.3: results and errors are never answered.
async fn s8_2_3_answers_are_not_answered(w: World) -> Done {
    let mut a = w.user().await?;
    a.send(
        "<iq type='result' id='r' to='example.org'/><iq type='error' id='e' to='example.org'>\
            <error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             </error></iq>",
    )
    .await?;
    let rest = a.so_far().await?;
    ensure(rest.iter().all(|el| el.name != "iq"), || format!("{rest:?}"))?;
    Ok(())
}

/// RFC 6120 §8.4: a request in a namespace that nobody serves.
async fn s8_4_unknown_namespace(w: World) -> Done {
    let mut a = w.user().await?;
    let what = "<q xmlns='urn:example:unknown'/>";
    a.refused("get", "example.org", what, &["service-unavailable", "feature-not-implemented"])
        .await?;
    let bare = a.bare();
    a.refused("get", &bare, what, &["service-unavailable", "feature-not-implemented"]).await?;
    a.refused("get", "", what, &["service-unavailable", "feature-not-implemented"]).await?;
    Ok(())
}

/// RFC 6120 §8.3.3.8
async fn s8_3_3_8_jid_malformed(w: World) -> Done {
    let mut a = w.user().await?;
    for to in ["@example.org", "a@@example.org", "a b@example.org", "/x"] {
        a.refused("get", to, "<ping xmlns='urn:xmpp:ping'/>", &["jid-malformed"])
            .await
            .map_err(|e| format!("{to}: {e}"))?;
    }
    Ok(())
}

/// RFC 6120 §10.4: a remote domain that cannot be reached.
async fn s10_4_remote_domain(w: World) -> Done {
    let mut a = w.user().await?;
    let what = "<ping xmlns='urn:xmpp:ping'/>";
    a.refused(
        "get",
        "nobody.invalid",
        what,
        &[
            "remote-server-not-found",
            "remote-server-timeout",
            "service-unavailable",
            "not-allowed",
            "forbidden",
        ],
    )
    .await?;
    Ok(())
}

/// RFC 6120 §10.3: without `to`, an IQ is for one's own account.
async fn s10_3_no_to(w: World) -> Done {
    let mut a = w.user().await?;
    let el = a.ask("get", "", "<query xmlns='jabber:iq:roster'/>").await?;
    let from = el.attr("from").unwrap_or_default();
    ensure(from.is_empty() || from == a.bare(), || format!("{el:?}"))?;
    Ok(())
}

/// RFC 6120 §10.1: stanzas between two parties keep their order.
async fn s10_1_order(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    let many: String = (0..200)
        .map(|n| format!("<message to='{}' type='chat' id='{n}'><body>{n}</body></message>", b.jid))
        .collect();
    a.send(many).await?;
    for n in 0..200 {
        let m = b.message().await?;
        ensure(m.attr("id") == Some(&n.to_string()), || format!("{n}: {m:?}"))?;
    }
    Ok(())
}

/// RFC 6120 §8.4: unknown children and attributes pass unchanged.
async fn s8_4_unknown_content_passes(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    a.send(format!(
        "<message to='{}' type='chat'><x xmlns='urn:example:a' \
     y='1' xmlns:z='urn:z' z:w='2'>t<v/></x></message>",
        b.jid
    ))
    .await?;
    let m = b.message().await?;
    let x = m.child("x", "urn:example:a").ok_or("the child is gone")?;
    ensure(x.attr("y") == Some("1") && x.text == "t" && x.child("v", "").is_some(), || {
        format!("{x:?}")
    })?;
    ensure(x.attrs.iter().any(|(n, v)| n.ends_with(":w") && v == "2"), || format!("{x:?}"))?;
    Ok(())
}

cases![
    s8_1_2_1_from_is_stamped,
    s8_1_2_1_own_from,
    s8_1_3_id_is_kept,
    s8_1_5_lang,
    s8_2_3_empty_request,
    s8_2_3_unknown_type,
    s8_2_3_answers_are_not_answered,
    s8_4_unknown_namespace,
    s8_3_3_8_jid_malformed,
    s10_4_remote_domain,
    s10_3_no_to,
    s10_1_order,
    s8_4_unknown_content_passes,
];
