//! RFC 6120 §7: resources.

use crate::{
    cases,
    client::{BIND, ensure},
};

cases! {
    /// RFC 6120 §7.6: the server chooses, and never the same twice.
    s7_6_server_chooses(w) {
        let user = w.account().await?;
        let (a, b) = (w.session(&user, "").await?, w.session(&user, "").await?);
        ensure(a.jid.len() > a.bare().len() + 4 && a.jid != b.jid, || format!("{} {}", a.jid, b.jid))?;
    }
    /// RFC 6120 §7.7
    s7_7_client_chooses(w) {
        let user = w.account().await?;
        let c = w.session(&user, "balcony é").await?;
        ensure(c.jid == format!("{user}@example.org/balcony é"), || c.jid.clone())?;
    }
    /// RFC 6120 §7.7.2.2: the same resource twice: one of the two sessions is not what it asked for.
    s7_7_2_2_conflict(w) {
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
    }
    /// RFC 6120 §7.7.2.1: a resource that RFC 7622 does not allow.
    s7_7_2_1_bad_resource(w) {
        let user = w.account().await?;
        let mut c = w.login(&user).await?;
        let wish = format!("<bind xmlns='{BIND}'><resource>{}</resource></bind>", "x".repeat(1100));
        c.refused("set", "", &wish, &["bad-request", "not-acceptable", "jid-malformed"]).await?;
    }
    /// RFC 6120 §7.1: no stanza before a resource is bound.
    s7_1_stanza_before_bind(w) {
        let user = w.account().await?;
        let mut c = w.login(&user).await?;
        c.send(format!("<message id='m' to='{user}@example.org'><body>x</body></message>")).await?;
        match c.item().await? {
            Some(crate::client::Item::Element(el)) if el.name == "error" => {
                ensure(el.condition() == Some("not-authorized"), || format!("{el:?}"))?;
            }
            Some(crate::client::Item::Element(el)) => {
                crate::client::is_error(&el, &["not-allowed", "not-authorized", "forbidden", "unexpected-request"])?;
            }
            other => return Err(format!("{other:?}")),
        }
    }
    /// RFC 6120 §7.6: one resource on one stream.
    s7_6_second_bind(w) {
        let user = w.account().await?;
        let mut c = w.session(&user, "one").await?;
        let el = c.iq("set", "", &format!("<bind xmlns='{BIND}'><resource>two</resource></bind>")).await;
        if let Ok(el) = el {
            ensure(el.attr("type") == Some("error"), || format!("{el:?}"))?;
        }
    }
}
