//! XEP-0388 with XEP-0386, 0484, 0440 and 0474: one round trip to a session.

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use hmac::{Hmac, KeyInit, Mac};

use crate::{
    case::{PASSWORD, World, absent},
    cases,
    client::{Client, Done, El, ensure, plain, scram},
};

const SASL2: &str = "urn:xmpp:sasl:2";
const FAST: &str = "urn:xmpp:fast:0";
const AGENT: &str =
    "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'><software>q</software></user-agent>";

fn authenticate(mechanism: &str, initial: &str, more: &str) -> String {
    format!(
        "<authenticate xmlns='{SASL2}' mechanism='{mechanism}'><initial-response>{initial}\
         </initial-response>{AGENT}{more}</authenticate>"
    )
}

async fn step(c: &mut Client, text: &str) -> Done<El> {
    c.send(text).await?;
    c.want("SASL2", |el| el.ns == SASL2).await
}

/// A TLS stream that offers SASL2, and a new account.
async fn start(w: &World) -> Done<(Client, String)> {
    let user = w.account().await?;
    let c = w.secure().await?;
    if c.features.child("authentication", SASL2).is_none() {
        return absent("SASL2");
    }
    Ok((c, user))
}

/// The mechanisms of FAST that are offered.
fn fast(c: &Client) -> Vec<String> {
    let list = c.features.find("fast").map(|f| f.children.iter().map(|m| m.text.clone()).collect());
    list.unwrap_or_default()
}

/// Logs in by PLAIN and asks for a token.
async fn token(w: &World) -> Done<(String, String)> {
    let (mut c, user) = start(w).await?;
    if !fast(&c).iter().any(|m| m == "HT-SHA-256-EXPR") {
        return absent("HT-SHA-256-EXPR");
    }
    let more = format!(
        "<request-token xmlns='{FAST}' mechanism='HT-SHA-256-EXPR'/><bind xmlns='urn:xmpp:bind:0'/>"
    );
    let el = step(&mut c, &authenticate("PLAIN", &plain("", &user, PASSWORD), &more)).await?;
    ensure(el.name == "success", || format!("{el:?}"))?;
    let token = el.find("token").ok_or("no token")?;
    ensure(token.attr("expiry").is_some(), || format!("{token:?}"))?;
    Ok((user, token.attr("token").ok_or("an empty token")?.to_owned()))
}

fn ht(token: &str, who: &[u8], binding: &[u8]) -> Vec<u8> {
    let mut mac =
        <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(token.as_bytes()).expect("any key");
    mac.update(who);
    mac.update(binding);
    mac.finalize().into_bytes().to_vec()
}

/// Logs in with a token; `spoil` changes the proof, `count` is the counter.
async fn by_token(w: &World, user: &str, token: &str, count: u32, spoil: bool) -> Done<El> {
    let mut c = w.secure().await?;
    let exporter = c.exporter.ok_or("no exporter")?;
    let mut proof = ht(token, b"Initiator", &exporter);
    if spoil {
        proof[0] ^= 1;
    }
    let initial = B64.encode([user.as_bytes(), b"\0", &proof].concat());
    let more = format!("<fast xmlns='{FAST}' count='{count}'/><bind xmlns='urn:xmpp:bind:0'/>");
    let el = step(&mut c, &authenticate("HT-SHA-256-EXPR", &initial, &more)).await?;
    if el.name == "success" {
        let want = B64.encode(ht(token, b"Responder", &exporter));
        let got = el.child("additional-data", SASL2).map(|d| d.text.clone());
        ensure(got == Some(want), || "the server did not prove itself".into())?;
    }
    Ok(el)
}

/// XEP-0388 #success: PLAIN, authorised address, then features without a new stream.
async fn success_and_features(w: World) -> Done {
    let (mut c, user) = start(&w).await?;
    let el = step(&mut c, &authenticate("PLAIN", &plain("", &user, PASSWORD), "")).await?;
    let who = el.child("authorization-identifier", SASL2).map(|i| i.text.clone());
    ensure(el.name == "success" && who == Some(format!("{user}@example.org")), || {
        format!("{el:?}")
    })?;
    c.features = c.want("features", |el| el.name == "features").await?;
    c.bind("old-way").await?;
    Ok(())
}

/// XEP-0388 #challenge: SCRAM, the server's signature verified.
async fn scram_with_challenge(w: World) -> Done {
    let (mut c, user) = start(&w).await?;
    let mut s = scram::Scram::new(scram::Hash::Sha256, &user, "n,,", b"");
    let el = step(&mut c, &authenticate("SCRAM-SHA-256", &s.first(), "")).await?;
    ensure(el.name == "challenge", || format!("{el:?}"))?;
    let last = s.last(&el.text, PASSWORD)?;
    let el = step(&mut c, &format!("<response xmlns='{SASL2}'>{last}</response>")).await?;
    ensure(el.name == "success", || format!("{el:?}"))?;
    s.verify(&el.child("additional-data", SASL2).ok_or("no additional data")?.text)?;
    Ok(())
}

/// XEP-0388 #failure
async fn failure(w: World) -> Done {
    let (mut c, user) = start(&w).await?;
    let el = step(&mut c, &authenticate("PLAIN", &plain("", &user, "wrong"), "")).await?;
    ensure(
        el.name == "failure"
            && el.child("not-authorized", "urn:ietf:params:xml:ns:xmpp-sasl").is_some(),
        || format!("{el:?}"),
    )?;
    let el = step(&mut c, &authenticate("PLAIN", &plain("", &user, PASSWORD), "")).await?;
    ensure(el.name == "success", || format!("no second try: {el:?}"))?;
    Ok(())
}

/// XEP-0388: an authzid that is not one's own.
async fn other_authzid(w: World) -> Done {
    let (mut c, user) = start(&w).await?;
    let el =
        step(&mut c, &authenticate("PLAIN", &plain("nobody@example.org", &user, PASSWORD), ""))
            .await?;
    ensure(el.name == "failure", || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0386 #bind-request: bound in the same round trip, with the client's tag in the resource.
async fn bind2_tag(w: World) -> Done {
    let (mut c, user) = start(&w).await?;
    let more = "<bind xmlns='urn:xmpp:bind:0'><tag>Quill</tag></bind>";
    let el = step(&mut c, &authenticate("PLAIN", &plain("", &user, PASSWORD), more)).await?;
    ensure(el.child("bound", "urn:xmpp:bind:0").is_some(), || format!("{el:?}"))?;
    let jid =
        el.child("authorization-identifier", SASL2).map(|i| i.text.clone()).unwrap_or_default();
    ensure(jid.starts_with(&format!("{user}@example.org/Quill")), || jid.clone())?;
    c.so_far().await?;
    Ok(())
}

/// XEP-0386 #bind-request: stream management with it, and a later resumption inside SASL2.
async fn bind2_sm_resume(w: World) -> Done {
    let (mut c, user) = start(&w).await?;
    let more = "<bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>";
    let el = step(&mut c, &authenticate("PLAIN", &plain("", &user, PASSWORD), more)).await?;
    let Some(enabled) = el.find("enabled") else { return absent("inline stream management") };
    let id = enabled.attr("id").ok_or("no id")?.to_owned();
    c.so_far().await?;
    c.cut();
    let mut d = w.secure().await?;
    let more = format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='0'/>");
    let el = step(&mut d, &authenticate("PLAIN", &plain("", &user, PASSWORD), &more)).await?;
    ensure(el.find("resumed").is_some(), || format!("{el:?}"))?;
    ensure(el.find("bound").is_none(), || "bound although resumed".into())?;
    Ok(())
}

/// XEP-0388 #failure: SASL2 after SASL2.
async fn twice(w: World) -> Done {
    let (mut c, user) = start(&w).await?;
    let data =
        authenticate("PLAIN", &plain("", &user, PASSWORD), "<bind xmlns='urn:xmpp:bind:0'/>");
    step(&mut c, &data).await?;
    c.want("features", |el| el.name == "features").await?;
    c.throw(data).await;
    let again = c
        .want("a refusal", |el| matches!(el.name.as_str(), "error" | "failure" | "success"))
        .await?;
    ensure(again.name != "success", || "authenticated twice".into())?;
    Ok(())
}

/// XEP-0440 #sasl-cb-type: the bindings are announced, tls-server-end-point among them.
async fn xep_0440_bindings(w: World) -> Done {
    let c = w.secure().await?;
    let Some(list) = c.features.child("sasl-channel-binding", "urn:xmpp:sasl-cb:0") else {
        return absent("channel binding types");
    };
    let types: Vec<_> = list.children.iter().filter_map(|b| b.attr("type")).collect();
    ensure(types.contains(&"tls-server-end-point") && types.contains(&"tls-exporter"), || {
        format!("{types:?}")
    })?;
    Ok(())
}

/// XEP-0484 #fast-auth: a token logs in, and both sides prove that they know it.
async fn fast_logs_in(w: World) -> Done {
    let (user, token) = token(&w).await?;
    let el = by_token(&w, &user, &token, 1, false).await?;
    ensure(el.name == "success", || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0484 #security: a proof that is wrong.
async fn fast_wrong_proof(w: World) -> Done {
    let (user, token) = token(&w).await?;
    let el = by_token(&w, &user, &token, 1, true).await?;
    ensure(el.name == "failure", || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0484 #security: the same count again is a replay.
async fn fast_replayed_count(w: World) -> Done {
    let (user, token) = token(&w).await?;
    let el = by_token(&w, &user, &token, 5, false).await?;
    ensure(el.name == "success", || format!("{el:?}"))?;
    let el = by_token(&w, &user, &token, 5, false).await?;
    ensure(el.name == "failure", || "a replayed counter was accepted".into())?;
    Ok(())
}

/// XEP-0484 #security: a proof made for another connection.
async fn fast_foreign_binding(w: World) -> Done {
    let (user, token) = token(&w).await?;
    let mut c = w.secure().await?;
    let proof = ht(&token, b"Initiator", &[0; 32]);
    let initial = B64.encode([user.as_bytes(), b"\0", &proof].concat());
    let el = step(
        &mut c,
        &authenticate("HT-SHA-256-EXPR", &initial, &format!("<fast xmlns='{FAST}' count='1'/>")),
    )
    .await?;
    ensure(el.name == "failure", || format!("{el:?}"))?;
    Ok(())
}

/// XEP-0484 #fast-auth: somebody else's token.
async fn fast_other_account(w: World) -> Done {
    let ((_, token), other) = (token(&w).await?, w.account().await?);
    let el = by_token(&w, &other, &token, 1, false).await?;
    ensure(el.name == "failure", || format!("{el:?}"))?;
    Ok(())
}

cases![
    success_and_features,
    scram_with_challenge,
    failure,
    other_authzid,
    bind2_tag,
    bind2_sm_resume,
    twice,
    xep_0440_bindings,
    fast_logs_in,
    fast_wrong_proof,
    fast_replayed_count,
    fast_foreign_binding,
    fast_other_account,
];
