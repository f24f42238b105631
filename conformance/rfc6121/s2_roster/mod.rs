//! RFC 6121 §2: the roster.

use crate::{
    case::{World, absent},
    cases,
    client::{Client, Done, El, ensure},
};

const NS: &str = "jabber:iq:roster";

fn item(inner: &str) -> String {
    format!("<query xmlns='{NS}'>{inner}</query>")
}

async fn roster(c: &mut Client) -> Done<Vec<El>> {
    let el = c.ask("get", "", &item("")).await?;
    Ok(el.child("query", NS).map(|q| q.children.clone()).unwrap_or_default())
}

/// RFC 6121 §2.2: a new account has an empty roster.
async fn s2_2_empty(w: World) -> Done {
    let mut c = w.user().await?;
    ensure(roster(&mut c).await?.is_empty(), || "not empty".into())?;
    Ok(())
}

/// RFC 6121 §2.3: added with name and groups, pushed to every interested resource.
async fn s2_3_add_is_pushed(w: World) -> Done {
    let user = w.account().await?;
    let (mut a, mut b) = (w.online(&user, "a", 0).await?, w.online(&user, "b", 0).await?);
    a.ask("set", "", &item("<item jid='nurse@example.org' name='Nurse'><group>S</group></item>"))
        .await?;
    for c in [&mut a, &mut b] {
        let i = c.push().await?;
        ensure(
            i.attr("jid") == Some("nurse@example.org")
                && i.attr("name") == Some("Nurse")
                && i.attr("subscription") == Some("none")
                && i.child("group", "").is_some(),
            || format!("{i:?}"),
        )?;
    }
    let all = roster(&mut a).await?;
    ensure(all.len() == 1 && all[0].attr("name") == Some("Nurse"), || format!("{all:?}"))?;
    Ok(())
}

/// RFC 6121 §2.1.6: a resource that has not asked for the roster gets no push.
async fn s2_1_6_not_interested(w: World) -> Done {
    let user = w.account().await?;
    let (mut a, mut b) = (w.online(&user, "a", 0).await?, w.session(&user, "b").await?);
    a.ask("set", "", &item("<item jid='nurse@example.org'/>")).await?;
    a.push().await?;
    let rest = b.so_far().await?;
    ensure(rest.iter().all(|el| el.find("item").is_none()), || format!("{rest:?}"))?;
    Ok(())
}

/// RFC 6121 §2.4: an update replaces name and groups.
async fn s2_4_update(w: World) -> Done {
    let mut a = w.user().await?;
    a.ask("set", "", &item("<item jid='n@example.org' name='A'><group>g</group></item>")).await?;
    a.ask("set", "", &item("<item jid='n@example.org' name='B'/>")).await?;
    let all = roster(&mut a).await?;
    ensure(
        all.len() == 1 && all[0].attr("name") == Some("B") && all[0].children.is_empty(),
        || format!("{all:?}"),
    )?;
    Ok(())
}

/// RFC 6121 §2.5: removal is pushed.
async fn s2_5_remove(w: World) -> Done {
    let mut a = w.user().await?;
    a.ask("set", "", &item("<item jid='n@example.org'/>")).await?;
    a.push().await?;
    a.ask("set", "", &item("<item jid='n@example.org' subscription='remove'/>")).await?;
    let i = a.push().await?;
    ensure(i.attr("subscription") == Some("remove"), || format!("{i:?}"))?;
    ensure(roster(&mut a).await?.is_empty(), || "still there".into())?;
    Ok(())
}

/// RFC 6121 §2.5.3: removal of what is not there.
async fn s2_5_3_remove_unknown(w: World) -> Done {
    w.user()
        .await?
        .refused(
            "set",
            "",
            &item("<item jid='n@example.org' subscription='remove'/>"),
            &["item-not-found"],
        )
        .await?;
    Ok(())
}

/// RFC 6121 §2.3.3: one item at a time.
async fn s2_3_3_two_items(w: World) -> Done {
    w.user()
        .await?
        .refused(
            "set",
            "",
            &item("<item jid='a@example.org'/><item jid='b@example.org'/>"),
            &["bad-request"],
        )
        .await?;
    Ok(())
}

/// RFC 6121 §2.3.3: no item at all.
async fn s2_3_3_no_item(w: World) -> Done {
    w.user().await?.refused("set", "", &item(""), &["bad-request"]).await?;
    Ok(())
}

/// RFC 6121 §2.3.3: the same group twice.
async fn s2_3_3_group_twice(w: World) -> Done {
    w.user()
        .await?
        .refused(
            "set",
            "",
            &item("<item jid='a@example.org'><group>x</group><group>x</group></item>"),
            &["bad-request"],
        )
        .await?;
    Ok(())
}

/// RFC 6121 §2.3.3: an empty group.
async fn s2_3_3_empty_group(w: World) -> Done {
    w.user()
        .await?
        .refused(
            "set",
            "",
            &item("<item jid='a@example.org'><group/></item>"),
            &["not-acceptable", "bad-request"],
        )
        .await?;
    Ok(())
}

/// RFC 6121 §2.3.3: somebody else's roster.
async fn s2_3_3_others_roster(w: World) -> Done {
    let other = w.account().await?;
    let mut a = w.user().await?;
    let to = format!("{other}@example.org");
    a.refused(
        "set",
        &to,
        &item("<item jid='a@example.org'/>"),
        &["forbidden", "not-allowed", "service-unavailable", "not-authorized"],
    )
    .await?;
    a.refused(
        "get",
        &to,
        &item(""),
        &["forbidden", "not-allowed", "service-unavailable", "not-authorized"],
    )
    .await?;
    Ok(())
}

/// RFC 6121 §2.1.2.1: what a client says about subscription and ask is ignored.
async fn s2_1_2_client_cannot_grant_itself(w: World) -> Done {
    let mut a = w.user().await?;
    let wish = item("<item jid='n@example.org' subscription='both' ask='subscribe'/>");
    if a.iq("set", "", &wish).await?.attr("type") == Some("error") {
        return Ok(()); // refusing it is as good
    }
    let i = a.push().await?;
    ensure(i.attr("subscription") == Some("none") && i.attr("ask").is_none(), || format!("{i:?}"))?;
    Ok(())
}

/// RFC 6121 §2.6: roster versioning: nothing new, nothing sent.
async fn s2_6_versioning(w: World) -> Done {
    let mut a = w.user().await?;
    if a.features.child("ver", "urn:xmpp:features:rosterver").is_none() {
        return absent("roster versioning");
    }
    a.ask("set", "", &item("<item jid='n@example.org'/>")).await?;
    let el = a.ask("get", "", &format!("<query xmlns='{NS}' ver=''/>")).await?;
    let ver = el.child("query", NS).and_then(|q| q.attr("ver")).ok_or("no ver")?.to_owned();
    let el = a.ask("get", "", &format!("<query xmlns='{NS}' ver='{ver}'/>")).await?;
    ensure(el.child("query", NS).is_none_or(|q| q.children.is_empty()), || format!("{el:?}"))?;
    Ok(())
}

cases![
    s2_2_empty,
    s2_3_add_is_pushed,
    s2_1_6_not_interested,
    s2_4_update,
    s2_5_remove,
    s2_5_3_remove_unknown,
    s2_3_3_two_items,
    s2_3_3_no_item,
    s2_3_3_group_twice,
    s2_3_3_empty_group,
    s2_3_3_others_roster,
    s2_1_2_client_cannot_grant_itself,
    s2_6_versioning,
];
