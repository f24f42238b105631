//! RFC 6120 §11 and §13.12: what XML may not contain, and how much of it there may be.

use crate::{
    case::World,
    cases,
    client::{Client, Done, header},
    subject::DOMAIN,
};

/// What a server may call XML that the RFC restricts.
const RESTRICTED: &[&str] = &["restricted-xml", "not-well-formed", "invalid-xml"];
const BROKEN: &[&str] = &["not-well-formed", "invalid-xml", "bad-format"];
/// RFC 6120 §4.9.3.22 has its own word for violations of UTF-8.
const BAD_UTF8: &[&str] = &["unsupported-encoding", "not-well-formed", "invalid-xml", "bad-format"];
const TOO_MUCH: &[&str] = &["policy-violation", "resource-constraint", "not-well-formed"];

/// The same bytes before and after authentication end either stream with one of these errors.
async fn both(w: &World, bytes: &[u8], with: &[&str]) -> Done {
    for mut c in [w.stream().await?, w.user().await?] {
        let _ = c.send_bytes(bytes).await;
        c.stream_error(with).await?;
    }
    Ok(())
}

async fn flooded(c: &mut Client, text: String) -> Done {
    c.throw(text).await;
    c.stream_error(TOO_MUCH).await
}

fn nested(n: usize) -> String {
    format!("<message to='example.org'>{}{}</message>", "<a>".repeat(n), "</a>".repeat(n))
}

/// RFC 6120 §11.1
async fn s11_1_comment(w: World) -> Done {
    both(&w, b"<message><!-- x --></message>", RESTRICTED).await?;
    Ok(())
}

/// RFC 6120 §11.1
async fn s11_1_processing_instruction(w: World) -> Done {
    both(&w, b"<message><?php x ?></message>", RESTRICTED).await?;
    Ok(())
}

/// RFC 6120 §11.1
async fn s11_1_dtd_in_stream(w: World) -> Done {
    both(&w, b"<!DOCTYPE a [<!ENTITY b 'c'>]><message/>", RESTRICTED).await?;
    Ok(())
}

/// RFC 6120 §11.1: entities that multiply, before the header.
async fn s11_1_dtd_before_header(w: World) -> Done {
    let mut c = w.raw().await?;
    let bomb = "<!DOCTYPE a [<!ENTITY a '1234567890'><!ENTITY b '&a;&a;&a;&a;&a;'>]>";
    c.send(header(DOMAIN).replace("?>", &format!("?>{bomb}"))).await?;
    c.stream_error(RESTRICTED).await?;
    Ok(())
}

/// RFC 6120 §11.1: an entity reference other than the five predefined ones.
async fn s11_1_entity_reference(w: World) -> Done {
    both(&w, b"<message>&nbsp;</message>", RESTRICTED).await?;
    Ok(())
}

/// RFC 6120 §11.1: the five predefined entities and character references are fine.
async fn s11_1_predefined_entities(w: World) -> Done {
    let (mut a, b) = (w.user().await?, w.account().await?);
    let mut b = w.online(&b, "x", 0).await?;
    a.send(format!(
        "<message to='{}' type='chat'><body>&lt;&gt;&amp;&apos;&quot;&#x1F600;&#65;\
     </body></message>",
        b.jid
    ))
    .await?;
    let m = b.message().await?;
    let text = m.child("body", "").map(|x| x.text.as_str());
    crate::client::ensure(text == Some("<>&'\"\u{1F600}A"), || format!("{m:?}"))?;
    Ok(())
}

/// RFC 6120 §11.6: bytes that are not UTF-8.
async fn s11_6_invalid_utf8(w: World) -> Done {
    both(&w, b"<message><body>\xC3\x28</body></message>", BAD_UTF8).await?;
    Ok(())
}

/// RFC 6120 §11.6: an overlong form of `/`.
async fn s11_6_overlong_utf8(w: World) -> Done {
    both(&w, b"<message><body>\xC0\xAF</body></message>", BAD_UTF8).await?;
    Ok(())
}

/// RFC 6120 §11.6: a surrogate half in UTF-8.
async fn s11_6_surrogate(w: World) -> Done {
    both(&w, b"<message><body>\xED\xA0\x80</body></message>", BAD_UTF8).await?;
    Ok(())
}

/// RFC 6120 §11.3: characters that XML does not have.
async fn s11_3_forbidden_character(w: World) -> Done {
    both(&w, b"<message><body>\x01</body></message>", BROKEN).await?;
    Ok(())
}

/// RFC 6120 §11.3: the same by reference.
async fn s11_3_forbidden_reference(w: World) -> Done {
    both(&w, b"<message><body>&#1;</body></message>", BROKEN).await?;
    Ok(())
}

/// RFC 6120 §11.3
async fn s11_3_attribute_twice(w: World) -> Done {
    both(&w, b"<message id='a' id='b'/>", BROKEN).await?;
    Ok(())
}

/// RFC 6120 §11.3
async fn s11_3_attribute_without_quotes(w: World) -> Done {
    both(&w, b"<message id=a/>", BROKEN).await?;
    Ok(())
}

/// RFC 6120 §4.9.3.1: text where only stanzas may stand.
async fn s11_text_between_stanzas(w: World) -> Done {
    both(&w, b"hello<message/>", &["bad-format", "not-well-formed", "invalid-xml"]).await?;
    Ok(())
}

/// RFC 6120 §13.12: too large a stanza before authentication.
async fn s13_12_large_before_auth(w: World) -> Done {
    let mut c = w.stream().await?;
    flooded(
        &mut c,
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</auth>", "A".repeat(600_000)),
    )
    .await?;
    Ok(())
}

/// RFC 6120 §13.12: too large a stanza after authentication.
async fn s13_12_large_after_auth(w: World) -> Done {
    let mut c = w.user().await?;
    flooded(
        &mut c,
        format!("<message to='example.org'><body>{}</body></message>", "x".repeat(3_000_000)),
    )
    .await?;
    Ok(())
}

/// RFC 6120 §13.12: a stanza that never ends.
async fn s13_12_unfinished_stanza(w: World) -> Done {
    let mut c = w.user().await?;
    flooded(&mut c, format!("<message to='example.org'><body>{}", "x".repeat(3_000_000))).await?;
    Ok(())
}

/// RFC 6120 §13.12: a name that never ends.
async fn s13_12_endless_name(w: World) -> Done {
    let mut c = w.stream().await?;
    flooded(&mut c, format!("<{}", "x".repeat(600_000))).await?;
    Ok(())
}

/// RFC 6120 §13.12: 20,000 levels before authentication.
async fn s13_12_deep_before_auth(w: World) -> Done {
    flooded(&mut w.stream().await?, nested(20_000)).await?;
    Ok(())
}

/// RFC 6120 §13.12: 20,000 levels after authentication, within the size that is allowed.
async fn s13_12_deep_after_auth(w: World) -> Done {
    flooded(&mut w.user().await?, nested(20_000)).await?;
    Ok(())
}

/// RFC 6120 §13.12: 30,000 elements in one stanza.
async fn s13_12_many_elements(w: World) -> Done {
    let text = format!("<message to='example.org'>{}</message>", "<a/>".repeat(30_000));
    flooded(&mut w.user().await?, text).await?;
    Ok(())
}

/// RFC 6120 §13.12: 10,000 attributes on one element.
async fn s13_12_many_attributes(w: World) -> Done {
    let many: String = (0..10_000).map(|i| format!(" a{i}='x'")).collect();
    flooded(&mut w.user().await?, format!("<message to='example.org'{many}/>")).await?;
    Ok(())
}

/// RFC 6120 §13.12: a few KiB of elements before authentication.
async fn s13_12_many_elements_before_auth(w: World) -> Done {
    let text =
        format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</auth>", "<a/>".repeat(500));
    let mut c = w.stream().await?;
    c.throw(text).await;
    c.stream_error(&["policy-violation", "resource-constraint"]).await?;
    Ok(())
}

/// RFC 6120 §13.12: a stanza of 200 KiB after authentication is not too much.
async fn s13_12_fair_size(w: World) -> Done {
    let (mut a, mut b) = (w.user().await?, w.user().await?);
    let body = "x".repeat(200_000);
    a.send(format!("<message to='{}' type='chat'><body>{body}</body></message>", b.jid)).await?;
    let m = b.message().await?;
    crate::client::ensure(m.child("body", "").is_some_and(|t| t.text == body), || "cut".into())?;
    Ok(())
}

cases![
    s11_1_comment,
    s11_1_processing_instruction,
    s11_1_dtd_in_stream,
    s11_1_dtd_before_header,
    s11_1_entity_reference,
    s11_1_predefined_entities,
    s11_6_invalid_utf8,
    s11_6_overlong_utf8,
    s11_6_surrogate,
    s11_3_forbidden_character,
    s11_3_forbidden_reference,
    s11_3_attribute_twice,
    s11_3_attribute_without_quotes,
    s11_text_between_stanzas,
    s13_12_large_before_auth,
    s13_12_large_after_auth,
    s13_12_unfinished_stanza,
    s13_12_endless_name,
    s13_12_deep_before_auth,
    s13_12_deep_after_auth,
    s13_12_many_elements,
    s13_12_many_attributes,
    s13_12_many_elements_before_auth,
    s13_12_fair_size,
];
