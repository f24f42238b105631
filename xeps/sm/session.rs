//! One stream management session, from `<enable/>` to its last resumption.

use std::time::Duration;

use oc_core::session::SessionId;
use oc_core::{Condition, Ctx, Element, StreamError, ns};

use super::{Inbound, Outbound, ResumeToken, failed};

/// `<enable/>` (XEP-0198 #enable).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enable {
    /// Whether the client wants to be able to resume.
    pub resume: bool,
    /// For how long the client would like that, in seconds.
    pub max_s: Option<u32>,
}

impl Enable {
    /// Reads `<enable/>`.
    ///
    /// # Errors
    /// The `<failed/>` to answer with.
    pub fn read(el: &Element) -> Result<Self, Element> {
        let resume = match el.attr("resume").map(str::trim) {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => return Err(failed(Condition::BadRequest, None)),
        };
        // A wish that cannot be read is no wish: the server decides anyway.
        let max_s = el.attr("max").and_then(|max| max.trim().parse().ok()).filter(|max| *max > 0);
        Ok(Self { resume, max_s })
    }
}

/// The counters of one stream and, if the client asked for it, the means to find them again.
#[derive(Debug)]
pub struct Session {
    /// What the client sends.
    pub inbound: Inbound,
    /// What we send.
    pub outbound: Outbound,
    token: Option<ResumeToken>,
    resumable_for: Duration,
}

impl Session {
    /// Starts counting, and gives the `<enabled/>` to write. The caller has made sure that a
    /// resource is bound and that there is no session yet; otherwise it answers
    /// [`super::unexpected`].
    ///
    /// `max` is the longest resumption time that the operator allows; zero allows none.
    pub fn enable(
        enable: Enable,
        session: SessionId,
        max: Duration,
        ctx: &mut Ctx<'_>,
    ) -> (Self, Element) {
        let resumable_for = match enable.max_s {
            Some(wish_s) => max.min(Duration::from_secs(u64::from(wish_s))),
            None => max,
        };
        let token = (enable.resume && !max.is_zero()).then(|| ResumeToken::new(session, ctx));
        let mut enabled = Element::new("enabled", ns::SM);
        if let Some(token) = &token {
            enabled.set_attr("id", token.to_string());
            enabled.set_attr("resume", "true");
            enabled.set_attr("max", resumable_for.as_secs().max(1).to_string());
        }
        let (inbound, outbound) = (Inbound::new(), Outbound::new());
        (Self { inbound, outbound, token, resumable_for }, enabled)
    }

    /// The answer to `<r/>`, and what may be sent unasked at any time (XEP-0198 #acking).
    pub fn answer(&self) -> Element {
        Element::new("a", ns::SM).with_attr("h", self.inbound.h().to_string())
    }

    /// Whether a token shown by a client is the one of this session.
    pub fn may_resume(&self, shown: &ResumeToken) -> bool {
        self.token.as_ref().is_some_and(|token| token.matches(shown))
    }

    /// How long to keep the session after its connection broke; `None` if it cannot be resumed.
    pub fn resumable_for(&self) -> Option<Duration> {
        self.token.is_some().then_some(self.resumable_for)
    }

    /// Resumes on a new connection: `<resumed/>`, then what must be sent again, as canonical bytes.
    ///
    /// The caller has checked the account and [`Self::may_resume`]. `<resume/>` is also an `<a/>`,
    /// and `<resumed/>` tells our own `h`, behind which the client sends everything again (XEP-0198
    /// #resumption). **So the caller first waits, for a bounded time, until `inbound.waiting()` is
    /// 0**: what a shard has already and has not called handled would be processed twice. After
    /// that time it may resume all the same; duplicates are what XEP-0198 #acking allows, loss is
    /// not.
    ///
    /// # Errors XEP-0198 #errors: the client claims more than was sent; the stream ends and so does
    /// the session.
    pub fn resume(&mut self, h: u32, domain: &str) -> Result<(Element, Vec<Vec<u8>>), StreamError> {
        let again = self.outbound.resume(h, domain)?.collect();
        let resumed = Element::new("resumed", ns::SM)
            .with_attr_opt("previd", self.token.as_ref().map(ToString::to_string))
            .with_attr("h", self.inbound.resume().to_string());
        Ok((resumed, again))
    }
}
