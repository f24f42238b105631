//! What a domain answers: disco, ping, version, time, uptime, contacts, registration.

use base64::{Engine, engine::general_purpose::STANDARD as B64};

use crate::{
    case::{PASSWORD, World, absent},
    cases,
    client::{Done, El, ensure, plain, random_text},
};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

fn features(el: &El) -> Vec<String> {
    let all = el.children.first().map(|q| q.children.as_slice()).unwrap_or_default();
    let names = all.iter().filter(|c| c.name == "feature").filter_map(|c| c.attr("var"));
    names.map(str::to_owned).collect()
}

/// XEP-0115 #ver-gen: the hash of a disco#info answer with at most one form.
fn verification_string(query: &El) -> String {
    let of = |name: &'static str| query.children.iter().filter(move |c| c.name == name);
    let text = |el: &El, a: &str| el.attr(a).unwrap_or_default().to_owned();
    let mut ids: Vec<String> = of("identity")
        .map(|i| {
            format!(
                "{}/{}/{}/{}<",
                text(i, "category"),
                text(i, "type"),
                text(i, "xml:lang"),
                text(i, "name")
            )
        })
        .collect();
    let mut vars: Vec<String> = of("feature").map(|f| format!("{}<", text(f, "var"))).collect();
    let mut forms: Vec<String> = of("x")
        .map(|form| {
            let values = |f: &El| {
                f.children
                    .iter()
                    .filter(|c| c.name == "value")
                    .map(|v| v.text.clone())
                    .collect::<Vec<_>>()
            };
            let kind = form
                .children
                .iter()
                .find(|f| f.attr("var") == Some("FORM_TYPE"))
                .map(values)
                .unwrap_or_default();
            let mut fields: Vec<String> = form
                .children
                .iter()
                .filter(|f| f.name == "field" && f.attr("var") != Some("FORM_TYPE"))
                .map(|f| {
                    let mut v = values(f);
                    v.sort();
                    format!(
                        "{}<{}",
                        text(f, "var"),
                        v.iter().map(|v| format!("{v}<")).collect::<String>()
                    )
                })
                .collect();
            fields.sort();
            format!("{}<{}", kind.concat(), fields.concat())
        })
        .collect();
    ids.sort();
    vars.sort();
    forms.sort();
    use sha1::Digest;
    B64.encode(sha1::Sha1::digest(format!("{}{}{}", ids.concat(), vars.concat(), forms.concat())))
}

fn register(name: &str, password: &str) -> String {
    format!(
        "<query xmlns='jabber:iq:register'><username>{name}</username><password>{password}\
         </password></query>"
    )
}

/// XEP-0030 #info: the identity of a server, and that it has disco.
async fn xep_0030_info(w: World) -> Done {
    let el = w.user().await?.ask("get", "example.org", INFO).await?;
    let im = el.children[0]
        .children
        .iter()
        .any(|c| c.attr("category") == Some("server") && c.attr("type") == Some("im"));
    ensure(im, || format!("{el:?}"))?;
    let all = features(&el);
    for f in ["http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"] {
        ensure(all.iter().any(|a| a == f), || format!("{f} is not in {all:?}"))?;
    }
    Ok(())
}

/// XEP-0030 #info: no feature twice.
async fn xep_0030_no_feature_twice(w: World) -> Done {
    let mut all = features(&w.user().await?.ask("get", "example.org", INFO).await?);
    let n = all.len();
    all.sort();
    all.dedup();
    ensure(all.len() == n, || "a feature is listed twice".into())?;
    Ok(())
}

/// XEP-0030 #items
async fn xep_0030_items(w: World) -> Done {
    w.user().await?.ask("get", "example.org", ITEMS).await?;
    Ok(())
}

/// XEP-0030 #info-nodes
async fn xep_0030_unknown_node(w: World) -> Done {
    let q = INFO.replace("/>", " node='urn:nothing:here'/>");
    w.user().await?.refused("get", "example.org", &q, &["item-not-found"]).await?;
    Ok(())
}

/// XEP-0115 #stream: the caps of the server's features are the hash of its disco.
async fn xep_0115_own_hash(w: World) -> Done {
    let mut c = w.user().await?;
    let Some(caps) = c.features.child("c", "http://jabber.org/protocol/caps").cloned() else {
        return absent("caps in stream features");
    };
    let (node, ver) = (caps.attr("node").unwrap_or_default(), caps.attr("ver").unwrap_or_default());
    let q = INFO.replace("/>", &format!(" node='{node}#{ver}'/>"));
    let el = c.ask("get", "example.org", &q).await?;
    let is = verification_string(&el.children[0]);
    ensure(is == ver, || format!("the disco hashes to {is}, announced is {ver}"))?;
    Ok(())
}

/// XEP-0199 #c2s
async fn xep_0199_ping(w: World) -> Done {
    let mut c = w.user().await?;
    let el = c.ask("get", "example.org", "<ping xmlns='urn:xmpp:ping'/>").await?;
    ensure(el.children.is_empty(), || format!("{el:?}"))?;
    let bare = c.bare();
    c.ask("get", &bare, "<ping xmlns='urn:xmpp:ping'/>").await?;
    c.ask("get", "", "<ping xmlns='urn:xmpp:ping'/>").await?;
    Ok(())
}

/// XEP-0092
async fn xep_0092_version(w: World) -> Done {
    let el =
        w.user().await?.ask("get", "example.org", "<query xmlns='jabber:iq:version'/>").await?;
    ensure(el.find("name").is_some_and(|n| !n.text.is_empty()), || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0202
async fn xep_0202_time(w: World) -> Done {
    let el = w.user().await?.ask("get", "example.org", "<time xmlns='urn:xmpp:time'/>").await?;
    let utc = el.find("utc").map(|n| n.text.clone()).unwrap_or_default();
    ensure(utc.ends_with('Z') && utc.contains('T') && el.find("tzo").is_some(), || {
        format!("{el:?}")
    })?;
    Ok(())
}

/// XEP-0012 #server: uptime.
async fn xep_0012_uptime(w: World) -> Done {
    let el = w.user().await?.ask("get", "example.org", "<query xmlns='jabber:iq:last'/>").await?;
    let s = el.find("query").and_then(|q| q.attr("seconds")).and_then(|s| s.parse::<u64>().ok());
    ensure(s.is_some_and(|s| s < 86_400), || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0157: a form with addresses in the server's disco.
async fn xep_0157_contacts(w: World) -> Done {
    let el = w.user().await?.ask("get", "example.org", INFO).await?;
    let Some(form) = el.find("x") else { return absent("contact form") };
    let kind = form
        .children
        .iter()
        .any(|f| f.find("value").is_some_and(|v| v.text == "http://jabber.org/network/serverinfo"));
    ensure(kind, || format!("{form:?}"))?;
    Ok(())
}

/// XEP-0077 #usecases-register: the form, and the account that comes of it.
async fn xep_0077_register(w: World) -> Done {
    let mut c = w.stream().await?;
    let el = c.ask("get", "", "<query xmlns='jabber:iq:register'/>").await?;
    ensure(el.find("username").is_some() && el.find("password").is_some(), || format!("{el:?}"))?;
    let name = random_text(12);
    c.ask("set", "", &register(&name, PASSWORD)).await?;
    w.online(&name, "x", 0).await?;
    Ok(())
}

/// XEP-0077 #usecases-register: a name that is taken.
async fn xep_0077_conflict(w: World) -> Done {
    let name = w.account().await?;
    w.stream().await?.refused("set", "", &register(&name, PASSWORD), &["conflict"]).await?;
    w.session(&name, "still-mine").await?;
    Ok(())
}

/// XEP-0077 #usecases-register: a form that is not filled in.
async fn xep_0077_incomplete(w: World) -> Done {
    let q = "<query xmlns='jabber:iq:register'><username>incomplete</username></query>";
    w.stream().await?.refused("set", "", q, &["not-acceptable", "bad-request"]).await?;
    Ok(())
}

/// XEP-0077 #usecases-changepw
async fn xep_0077_change_password(w: World) -> Done {
    let name = w.account().await?;
    let mut c = w.session(&name, "x").await?;
    c.ask("set", "example.org", &register(&name, "another-1")).await?;
    let mut d = w.stream().await?;
    let el = d.auth("PLAIN", &plain("", &name, PASSWORD)).await?;
    ensure(el.name == "failure", || "the old password works".into())?;
    d.login(&name, "another-1").await?;
    Ok(())
}

/// XEP-0077 #usecases-changepw: only one's own.
async fn xep_0077_change_others_password(w: World) -> Done {
    let (me, other) = (w.account().await?, w.account().await?);
    let mut c = w.session(&me, "x").await?;
    let el = c.iq("set", "example.org", &register(&other, "stolen")).await?;
    let _ = el;
    let el = w.stream().await?.auth("PLAIN", &plain("", &other, "stolen")).await?;
    ensure(el.name == "failure", || "somebody else's password was changed".into())?;
    Ok(())
}

/// XEP-0077 #usecases-cancel
async fn xep_0077_cancel(w: World) -> Done {
    let name = w.account().await?;
    let mut c = w.session(&name, "x").await?;
    c.send(
        "<iq type='set' id='bye' to='example.org'><query xmlns='jabber:iq:register'>\
     <remove/></query></iq>",
    )
    .await?;
    let _ = c.item().await;
    let el = w.stream().await?.auth("PLAIN", &plain("", &name, PASSWORD)).await?;
    ensure(el.name == "failure", || "the account still exists".into())?;
    Ok(())
}

/// XEP-0478 #advertise: the limits are in the features.
async fn xep_0478_limits(w: World) -> Done {
    let c = w.user().await?;
    let Some(limits) = c.features.child("limits", "urn:xmpp:stream-limits:0") else {
        return absent("stream limits");
    };
    let n = limits.child("max-bytes", "").and_then(|m| m.text.parse::<u64>().ok());
    ensure(n.is_some_and(|n| n >= 10_000), || format!("{limits:?}"))?;
    Ok(())
}

cases![
    xep_0030_info,
    xep_0030_no_feature_twice,
    xep_0030_items,
    xep_0030_unknown_node,
    xep_0115_own_hash,
    xep_0199_ping,
    xep_0092_version,
    xep_0202_time,
    xep_0012_uptime,
    xep_0157_contacts,
    xep_0077_register,
    xep_0077_conflict,
    xep_0077_incomplete,
    xep_0077_change_password,
    xep_0077_change_others_password,
    xep_0077_cancel,
    xep_0478_limits,
];
