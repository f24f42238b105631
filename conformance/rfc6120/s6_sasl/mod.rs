//! RFC 6120 §6 with RFC 4616, 4505, 5802, 7677, 9266: logging in, and not being let in.

use base64::{Engine, engine::general_purpose::STANDARD as B64};

use crate::{
    case::{PASSWORD, World, absent},
    cases,
    client::{Client, Done, El, SASL, ensure, plain, scram},
    subject::ANONYMOUS,
};

/// The exchange failed with one of these conditions.
fn failed(el: &El, with: &[&str]) -> Done {
    let is = el.children.iter().find(|c| c.name != "text").map_or("", |c| &c.name);
    ensure(el.name == "failure" && with.contains(&is), || format!("{el:?}, not {with:?}"))
}

/// Salt and iterations that the server tells for a user.
async fn salt(w: &World, user: &str) -> Done<(Vec<u8>, u32)> {
    let mut c = w.stream().await?;
    let answer = c
        .auth("SCRAM-SHA-1", &scram::Scram::new(scram::Hash::Sha1, user, "n,,", b"").first())
        .await?;
    let text = B64.decode(&answer.text).map_err(|e| e.to_string())?;
    let (_, salt, n) = scram::parse(&String::from_utf8_lossy(&text))
        .map_err(|_| format!("no challenge for {user}: {answer:?}"))?;
    Ok((salt, n))
}

async fn over_tls(w: &World, plus: &str) -> Done<Option<(Client, String, [u8; 32])>> {
    let user = w.account().await?;
    let c = w.secure().await?;
    let exporter = c.exporter.ok_or("no exporter")?;
    if !c.mechanisms().iter().any(|m| m == plus) {
        return Ok(None);
    }
    Ok(Some((c, user, exporter)))
}

async fn mechanism_works(w: &World, mechanism: &str) -> Done {
    let user = w.account().await?;
    let mut c = w.stream().await?;
    if !c.mechanisms().iter().any(|m| m == mechanism) {
        return absent(mechanism);
    }
    let answer = c.scram(mechanism, (&user, PASSWORD), "n,,", b"").await?;
    ensure(answer.name == "success", || format!("{answer:?}"))?;
    c.open().await?;
    c.bind("").await
}

/// RFC 6120 §6.4.1: the mechanisms are listed, the mandatory ones of §13.8 among them.
async fn s6_4_1_mechanisms(w: World) -> Done {
    let c = w.secure().await?;
    let list = c.mechanisms();
    for m in ["SCRAM-SHA-1", "PLAIN"] {
        ensure(list.iter().any(|l| l == m), || format!("{m} is not in {list:?}"))?;
    }
    Ok(())
}

/// RFC 4616
async fn plain_logs_in(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.secure().await?;
    c.login(&user, PASSWORD).await?;
    c.bind("a").await?;
    ensure(c.jid == format!("{user}@example.org/a"), || c.jid.clone())?;
    Ok(())
}

/// RFC 6120 §6.4.2: PLAIN without initial response gets an empty challenge.
async fn s6_4_2_no_initial_response(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.stream().await?;
    let el = c.auth("PLAIN", "").await?;
    ensure(el.name == "challenge" && el.text.is_empty(), || format!("{el:?}"))?;
    let data = plain("", &user, PASSWORD);
    let el = c.sasl(&format!("<response xmlns='{SASL}'>{data}</response>")).await?;
    ensure(el.name == "success", || format!("{el:?}"))?;
    Ok(())
}

/// RFC 5802: with the server's signature verified.
async fn scram_sha_1(w: World) -> Done {
    mechanism_works(&w, "SCRAM-SHA-1").await?;
    Ok(())
}

/// RFC 7677
async fn scram_sha_256(w: World) -> Done {
    mechanism_works(&w, "SCRAM-SHA-256").await?;
    Ok(())
}

/// SCRAM with SHA-512, as clients use it.
async fn scram_sha_512(w: World) -> Done {
    mechanism_works(&w, "SCRAM-SHA-512").await?;
    Ok(())
}

/// RFC 6120 §6.5.10
async fn s6_5_10_wrong_password(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.stream().await?;
    failed(&c.auth("PLAIN", &plain("", &user, "wrong")).await?, &["not-authorized"])?;
    let answer = c.scram("SCRAM-SHA-1", (&user, "wrong"), "n,,", b"").await?;
    failed(&answer, &["not-authorized"])?;
    Ok(())
}

/// RFC 6120 §6.5.10: an unknown user is told nothing else than a wrong password.
async fn s6_5_10_unknown_user(w: World) -> Done {
    let mut c = w.stream().await?;
    failed(&c.auth("PLAIN", &plain("", "nobody", "x")).await?, &["not-authorized"])?;
    Ok(())
}

/// RFC 5802 §9: an unknown user has a salt too, always the same, so that names cannot be probed.
async fn scram_unknown_user_has_a_salt(w: World) -> Done {
    let (a, b) = (salt(&w, "nobody").await?, salt(&w, "nobody").await?);
    ensure(a == b, || "the salt of an unknown user changes".into())?;
    let known = salt(&w, &w.account().await?).await?;
    ensure(known.1 == a.1 && known.0.len() == a.0.len(), || {
        "an unknown user looks different".into()
    })?;
    Ok(())
}

/// RFC 6120 §6.5.7
async fn s6_5_7_invalid_mechanism(w: World) -> Done {
    failed(&w.stream().await?.auth("X-NOT-THERE", "").await?, &["invalid-mechanism"])?;
    Ok(())
}

/// RFC 6120 §6.5.5
async fn s6_5_5_incorrect_encoding(w: World) -> Done {
    let el = w.stream().await?.auth("PLAIN", "%%%not base64%%%").await?;
    failed(&el, &["incorrect-encoding", "malformed-request"])?;
    Ok(())
}

/// RFC 6120 §6.5.8
async fn s6_5_8_malformed_request(w: World) -> Done {
    let el = w.stream().await?.auth("PLAIN", &B64.encode("no separators")).await?;
    failed(&el, &["malformed-request", "not-authorized"])?;
    Ok(())
}

/// RFC 6120 §6.5.1
async fn s6_5_1_aborted(w: World) -> Done {
    let mut c = w.stream().await?;
    let first = scram::Scram::new(scram::Hash::Sha1, "x", "n,,", b"").first();
    c.auth("SCRAM-SHA-1", &first).await?;
    failed(&c.sasl(&format!("<abort xmlns='{SASL}'/>")).await?, &["aborted"])?;
    Ok(())
}

/// RFC 6120 §6.5.6: authenticated as oneself, acting as somebody else.
async fn s6_5_6_other_authzid(w: World) -> Done {
    let (me, other) = (w.account().await?, w.account().await?);
    let el = w
        .stream()
        .await?
        .auth("PLAIN", &plain(&format!("{other}@example.org"), &me, PASSWORD))
        .await?;
    failed(&el, &["invalid-authzid", "not-authorized"])?;
    Ok(())
}

/// RFC 6120 §6.3.8: acting as oneself is no impersonation.
async fn s6_3_8_own_authzid(w: World) -> Done {
    let me = w.account().await?;
    let el = w
        .stream()
        .await?
        .auth("PLAIN", &plain(&format!("{me}@example.org"), &me, PASSWORD))
        .await?;
    ensure(el.name == "success", || format!("{el:?}"))?;
    Ok(())
}

/// RFC 5802 §5.1: the nonce of the final message is that of the exchange.
async fn scram_other_nonce(w: World) -> Done {
    let user = w.account().await?;
    let mut c = w.stream().await?;
    let first = scram::Scram::new(scram::Hash::Sha1, &user, "n,,", b"").first();
    c.auth("SCRAM-SHA-1", &first).await?;
    let last = B64.encode(format!("c=biws,r=anothernonce,p={}", B64.encode([7; 20])));
    let el = c.sasl(&format!("<response xmlns='{SASL}'>{last}</response>")).await?;
    failed(&el, &["not-authorized", "malformed-request", "bad-protocol"])?;
    Ok(())
}

/// RFC 5802 §5.1: mandatory extensions that nobody knows fail.
async fn scram_mandatory_extension(w: World) -> Done {
    let el = w.stream().await?.auth("SCRAM-SHA-1", &B64.encode("n,,m=x,n=user,r=abcdefgh")).await?;
    failed(&el, &["not-authorized", "malformed-request"])?;
    Ok(())
}

/// RFC 5802 §6: "you do not offer -PLUS" is a lie when it was offered: somebody took it away.
async fn s6_scram_downgrade(w: World) -> Done {
    let Some((mut c, user, _)) = over_tls(&w, "SCRAM-SHA-1-PLUS").await? else {
        return absent("SCRAM-SHA-1-PLUS");
    };
    let el = c.scram("SCRAM-SHA-1", (&user, PASSWORD), "y,,", b"").await?;
    failed(&el, &["not-authorized", "malformed-request"])?;
    Ok(())
}

/// RFC 9266: bound to the TLS connection.
async fn scram_plus_exporter(w: World) -> Done {
    let Some((mut c, user, exporter)) = over_tls(&w, "SCRAM-SHA-256-PLUS").await? else {
        return absent("SCRAM-SHA-256-PLUS");
    };
    let el =
        c.scram("SCRAM-SHA-256-PLUS", (&user, PASSWORD), "p=tls-exporter,,", &exporter).await?;
    ensure(el.name == "success", || format!("{el:?}"))?;
    Ok(())
}

/// RFC 5802 §6: the binding of another connection.
async fn scram_plus_foreign_binding(w: World) -> Done {
    let Some((mut c, user, mut exporter)) = over_tls(&w, "SCRAM-SHA-1-PLUS").await? else {
        return absent("SCRAM-SHA-1-PLUS");
    };
    exporter[0] ^= 1;
    let el = c.scram("SCRAM-SHA-1-PLUS", (&user, PASSWORD), "p=tls-exporter,,", &exporter).await?;
    failed(&el, &["not-authorized", "malformed-request"])?;
    Ok(())
}

/// RFC 6120 §6.4.5: retries end.
async fn s6_4_5_attempts_are_limited(w: World) -> Done {
    let mut c = w.stream().await?;
    for _ in 0..20 {
        let Ok(el) = c.auth("PLAIN", &plain("", "nobody", "x")).await else { return Ok(()) };
        failed(&el, &["not-authorized"])?;
    }
    Err("20 attempts on one stream".into())
}

/// RFC 6120 §6.4.6: a response without an exchange.
async fn s6_4_6_response_without_auth(w: World) -> Done {
    let mut c = w.stream().await?;
    c.throw(format!("<response xmlns='{SASL}'/>")).await;
    match c.item().await? {
        Some(crate::client::Item::Element(el)) => {
            ensure(el.name == "failure" || el.name == "error", || format!("{el:?}"))?;
        }
        Some(crate::client::Item::Close) | None => {}
        Some(other) => return Err(format!("{other:?}")),
    }
    Ok(())
}

/// RFC 4505 and XEP-0175: a name for one session.
async fn anonymous_logs_in(w: World) -> Done {
    let mut c = Client::connect(&w.place, ANONYMOUS).await?;
    c.open().await?;
    let el = c.auth("ANONYMOUS", "").await?;
    let el = if el.name == "challenge" {
        c.sasl(&format!("<response xmlns='{SASL}'/>")).await?
    } else {
        el
    };
    ensure(el.name == "success", || format!("{el:?}"))?;
    c.open().await?;
    c.bind("").await?;
    ensure(c.jid.contains(&format!("@{ANONYMOUS}/")), || c.jid.clone())?;
    Ok(())
}

/// XEP-0175: only where the domain says so.
async fn anonymous_is_refused_elsewhere(w: World) -> Done {
    let mut c = w.stream().await?;
    ensure(!c.mechanisms().iter().any(|m| m == "ANONYMOUS"), || "it is offered".into())?;
    failed(&c.auth("ANONYMOUS", "").await?, &["invalid-mechanism"])?;
    Ok(())
}

cases![
    s6_4_1_mechanisms,
    plain_logs_in,
    s6_4_2_no_initial_response,
    scram_sha_1,
    scram_sha_256,
    scram_sha_512,
    s6_5_10_wrong_password,
    s6_5_10_unknown_user,
    scram_unknown_user_has_a_salt,
    s6_5_7_invalid_mechanism,
    s6_5_5_incorrect_encoding,
    s6_5_8_malformed_request,
    s6_5_1_aborted,
    s6_5_6_other_authzid,
    s6_3_8_own_authzid,
    scram_other_nonce,
    scram_mandatory_extension,
    s6_scram_downgrade,
    scram_plus_exporter,
    scram_plus_foreign_binding,
    s6_4_5_attempts_are_limited,
    s6_4_6_response_without_auth,
    anonymous_logs_in,
    anonymous_is_refused_elsewhere,
];
