//! One client stream from its first header to its end (RFC 6120 §4, §7, §8.1).

use super::feature::{
    Hosts, Negotiation, StreamAnswer, StreamEffect, StreamFeature, StreamInput, Taken,
};
use crate::auth::{AuthChannel, AuthStep};
use crate::{
    BareJid, Condition, Ctx, Element, FullJid, Jid, Kind, Malformed, Reject, Stanza,
    StreamCondition, StreamError, ns,
};

/// A client-to-server stream.
pub struct Stream {
    features: &'static [&'static dyn StreamFeature],
    phase: Phase,
    n: Negotiation,
    /// Which feature waits for an answer.
    waiting: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A header must come next, the first one or one after a restart.
    Header,
    /// Features were sent.
    Open,
    /// Over; nothing is handled any more.
    Ended,
}

impl Stream {
    /// A stream on a new connection; `channel` says what is known of it.
    pub fn new(features: &'static [&'static dyn StreamFeature], channel: AuthChannel) -> Self {
        let n = Negotiation { channel, ..Negotiation::default() };
        Self { features, phase: Phase::Header, n, waiting: None }
    }

    /// Whether the shell should go on reading; while an answer is awaited it does not.
    pub fn reads(&self) -> bool {
        self.waiting.is_none() && self.phase != Phase::Ended
    }

    /// The bound address.
    pub fn jid(&self) -> Option<&FullJid> {
        self.n.jid.as_ref()
    }

    /// Whether a peer has proved who it is.
    pub fn authenticated(&self) -> bool {
        self.n.identity.is_some()
    }

    /// What has been negotiated.
    pub fn negotiation(&self) -> &Negotiation {
        &self.n
    }

    /// Takes over the address of a session that was resumed on this connection.
    pub fn resume_as(&mut self, jid: FullJid) {
        self.n.jid = Some(jid);
    }

    /// Forgets what only negotiation needed, so that an idle session keeps little.
    pub fn settle(&mut self) {
        self.n.offer = super::Offer::default();
        self.n.channel = AuthChannel::default();
        self.n.collected = Vec::new();
        self.n.request = None;
        self.n.invitation = None;
    }

    /// Handles one input.
    pub fn handle(
        &mut self,
        input: StreamInput,
        hosts: &dyn Hosts,
        ctx: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) {
        if self.phase == Phase::Ended {
            return;
        }
        let outcome = match input {
            StreamInput::Open(header) => self.open(&header, hosts, ctx, out),
            StreamInput::Element(el) => self.element(el, ctx, out),
            StreamInput::Answer(answer) => self.answer(answer, ctx, out),
            StreamInput::Secured(bindings) => {
                self.n.secure = true;
                self.n.channel.confidential = true;
                self.n.channel.bindings = bindings;
                self.waiting = None;
                self.phase = Phase::Header;
                Ok(())
            }
            StreamInput::Closed => {
                self.end(None, out);
                Ok(())
            }
            StreamInput::Overdue if self.n.jid.is_some() => Ok(()),
            StreamInput::Overdue => {
                let condition = StreamCondition::ConnectionTimeout;
                Err(StreamError::new(condition, "RFC 6120 §4.9.3.4").text("login took too long"))
            }
            StreamInput::End(error) => Err(error),
        };
        if let Err(error) = outcome {
            if self.phase == Phase::Header {
                // RFC 6120 §4.9.1.2: an error needs an open stream to stand in.
                out.push(StreamEffect::Header(self.header(ctx)));
            }
            self.end(Some(error), out);
        }
    }

    fn end(&mut self, error: Option<StreamError>, out: &mut Vec<StreamEffect>) {
        if self.n.identity.is_none() && self.n.request.take().is_some() {
            out.push(StreamEffect::Auth(AuthStep::Abort));
        }
        self.waiting = None;
        out.push(StreamEffect::End(error));
        self.phase = Phase::Ended;
    }

    /// RFC 6120 §4.7: the response header.
    fn header(&self, ctx: &mut Ctx<'_>) -> Element {
        let mut el = Element::new("stream", ns::STREAM)
            .with_attr("id", ctx.id())
            .with_attr("version", "1.0")
            .with_attr_ns(ns::XML, "lang", OUR_LANG);
        if !self.n.domain.is_empty() {
            el.set_attr("from", &self.n.domain);
        }
        if let Some(claimed) = &self.n.claimed {
            el.set_attr("to", claimed.as_str());
        }
        el
    }

    fn open(
        &mut self,
        header: &Element,
        hosts: &dyn Hosts,
        ctx: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<(), StreamError> {
        if self.phase != Phase::Header {
            return Err(StreamError::new(StreamCondition::BadFormat, "RFC 6120 §4.9.3.1"));
        }
        self.check_header(header)?;
        let to = self.addressed(header)?;
        let Some(mut offer) = hosts.host(&to, &self.n.channel) else {
            return Err(StreamError::new(StreamCondition::HostUnknown, "RFC 6120 §4.9.3.6"));
        };
        let lang = header.attr_ns(ns::XML, "lang");
        self.n.lang = lang.filter(|lang| *lang != OUR_LANG && lang.len() <= 35).map(str::to_owned);
        offer.tls &= !self.n.secure;
        if offer.tls_required && !self.n.secure {
            // RFC 7590 §3.1: nothing that TLS should protect is on offer before it is up.
            offer.mechanisms.clear();
            offer.fast.clear();
        }
        self.n.domain = to;
        self.n.channel.advertised.clone_from(&offer.mechanisms);
        let types: Vec<_> = self.n.channel.bindings.types().map(str::to_owned).collect();
        self.n.channel.advertised_bindings =
            (!offer.mechanisms.is_empty() && !types.is_empty()).then_some(types);
        self.n.offer = offer;
        out.push(StreamEffect::Header(self.header(ctx)));
        self.phase = Phase::Open;
        out.push(StreamEffect::Write(self.offer()));
        Ok(())
    }

    fn check_header(&self, header: &Element) -> Result<(), StreamError> {
        let framed = header.is("open", ns::FRAMING);
        if !framed && *header.ns() != *ns::STREAM {
            let condition = StreamCondition::InvalidNamespace;
            return Err(StreamError::new(condition, "RFC 6120 §4.9.3.10"));
        }
        if !framed && header.attr("xmlns").is_some_and(|content| content != ns::CLIENT) {
            // RFC 6120 §4.8.2: the content namespace says which kind of stream this is.
            let condition = StreamCondition::InvalidNamespace;
            return Err(StreamError::new(condition, "RFC 6120 §4.9.3.10"));
        }
        if !framed && header.name() != "stream" {
            return Err(StreamError::new(StreamCondition::BadFormat, "RFC 6120 §4.9.3.1"));
        }
        // RFC 6120 §4.7.5: a missing version means 0.9, which had no features and no TLS.
        let major = header.attr("version").and_then(|v| v.split('.').next()?.parse::<u32>().ok());
        match major {
            Some(1..) => Ok(()),
            _ => Err(StreamError::new(StreamCondition::UnsupportedVersion, "RFC 6120 §4.9.3.25")),
        }
    }

    /// The domain in `to`, and the claim in `from`; neither may change on one connection.
    fn addressed(&mut self, header: &Element) -> Result<String, StreamError> {
        let improper = |text| {
            StreamError::new(StreamCondition::ImproperAddressing, "RFC 6120 §4.9.3.7").text(text)
        };
        let to = header.attr("to").ok_or_else(|| improper("the header has no 'to'"))?;
        let to = match BareJid::new(to) {
            Ok(jid) if jid.node().is_none() => jid.domain().as_str().to_owned(),
            _ => return Err(improper("'to' is not a domain")),
        };
        if !self.n.domain.is_empty() && self.n.domain != to {
            return Err(improper("'to' may not change"));
        }
        let Some(from) = header.attr("from") else { return Ok(to) };
        let from = match Jid::new(from) {
            Ok(jid) => jid.into_bare(),
            Err(_) => {
                let condition = StreamCondition::InvalidFrom;
                return Err(StreamError::new(condition, "RFC 6120 §4.9.3.9"));
            }
        };
        let changed = match (&self.n.identity, &self.n.claimed) {
            (Some(_), _) => self.n.account().is_some_and(|account| account != from),
            (None, Some(claimed)) => *claimed != from,
            (None, None) => false,
        };
        if changed {
            return Err(StreamError::new(StreamCondition::InvalidFrom, "RFC 6120 §4.9.3.9")
                .text("'from' may not change"));
        }
        self.n.claimed = Some(from);
        Ok(to)
    }

    /// RFC 6120 §4.3.2: what is on offer now.
    fn offer(&self) -> Element {
        let mut offers = Vec::new();
        for feature in self.features {
            feature.offer(&self.n, &mut offers);
        }
        if self.n.identity.is_some() {
            offers.extend(self.n.offer.extras.iter().cloned());
        }
        Element::new("features", ns::STREAM).with_children(offers)
    }

    fn element(
        &mut self,
        el: Element,
        ctx: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<(), StreamError> {
        if self.phase == Phase::Header {
            return Err(StreamError::new(StreamCondition::BadFormat, "RFC 6120 §4.9.3.1"));
        }
        let stanza = *el.ns() == *ns::CLIENT;
        if el.is("error", ns::STREAM) {
            // RFC 6120 §4.9.1.1: the peer's error is unrecoverable; close in return.
            self.end(None, out);
            return Ok(());
        }
        if !(stanza && self.n.jid.is_some() && !is_stream_iq(&el)) {
            for (index, feature) in self.features.iter().enumerate() {
                let taken = feature.take(&mut self.n, &el, ctx, out)?;
                if taken != Taken::Pass {
                    return self.taken(index, taken, out);
                }
            }
        }
        if self.n.jid.is_none() {
            return Err(if stanza {
                // RFC 6120 §7.1: no stanza before a resource is bound.
                StreamError::new(StreamCondition::NotAuthorized, "RFC 6120 §4.9.3.12")
            } else {
                StreamError::new(StreamCondition::UnsupportedStanzaType, "RFC 6120 §4.9.3.24")
            });
        }
        if stanza {
            self.stanza(el, out)
        } else {
            out.push(StreamEffect::Nonza(el));
            Ok(())
        }
    }

    fn taken(
        &mut self,
        index: usize,
        taken: Taken,
        out: &mut Vec<StreamEffect>,
    ) -> Result<(), StreamError> {
        self.waiting = None;
        match taken {
            Taken::Pass | Taken::Done => {}
            Taken::Waiting => self.waiting = Some(index),
            Taken::Features => out.push(StreamEffect::Write(self.offer())),
        }
        if let Some(StreamEffect::Restart) = out.last() {
            self.phase = Phase::Header;
        }
        Ok(())
    }

    fn answer(
        &mut self,
        answer: StreamAnswer,
        ctx: &mut Ctx<'_>,
        out: &mut Vec<StreamEffect>,
    ) -> Result<(), StreamError> {
        let Some(index) = self.waiting.take() else { return Ok(()) };
        let taken = self.features[index].answer(&mut self.n, answer, ctx, out)?;
        self.taken(index, taken, out)
    }

    /// RFC 6120 §8.1: checks a stanza's addresses and stamps its sender.
    fn stanza(&self, el: Element, out: &mut Vec<StreamEffect>) -> Result<(), StreamError> {
        let Some(jid) = &self.n.jid else { return Ok(()) };
        let mut stanza = match Stanza::from_element(el) {
            Ok(stanza) => stanza,
            Err(Malformed::NotAStanza) => {
                let condition = StreamCondition::UnsupportedStanzaType;
                return Err(StreamError::new(condition, "RFC 6120 §4.9.3.24"));
            }
            Err(Malformed::Address(mut stanza)) => {
                let reject = Reject::new(Condition::JidMalformed, "RFC 6120 §8.3.3.8");
                stanza.set_from(Some(jid.clone().into()));
                out.extend(stanza.error(&reject).map(|e| StreamEffect::Write(e.into_element())));
                return Ok(());
            }
        };
        // RFC 6120 §8.1.2.1: a client speaks for itself only.
        let own = stanza.from().is_none_or(|from| match from.try_as_full() {
            Ok(full) => full == jid,
            Err(bare) => *bare == jid.to_bare(),
        });
        if !own {
            return Err(StreamError::new(StreamCondition::InvalidFrom, "RFC 6120 §4.9.3.9"));
        }
        stanza.set_from(Some(jid.clone().into()));
        if let Err(reject) = check_iq(&stanza) {
            let mut answer = Stanza::with_type(Kind::Iq, "error").to_jid(jid.clone());
            answer.set_from(stanza.to().cloned());
            let mut answer = answer.into_element().with_attr_opt("id", stanza.id());
            answer.push(reject.to_element());
            if !stanza.is_error() {
                out.push(StreamEffect::Write(answer));
            }
            return Ok(());
        }
        if let Some(lang) = &self.n.lang
            && stanza.kind() != Kind::Iq
            && stanza.element().attr_ns(ns::XML, "lang").is_none()
        {
            // RFC 6120 §8.1.5: its recipients would take it for a text in the language of their
            // stream.
            stanza.element_mut().set_attr_ns(ns::XML, "lang", lang);
        }
        out.push(StreamEffect::Stanza(stanza));
        Ok(())
    }
}

/// The language of what we say ourselves (RFC 6120 §4.7.4).
const OUR_LANG: &str = "en";

/// The IQs that belong to the stream even after binding: a second bind, the old session request.
fn is_stream_iq(el: &Element) -> bool {
    el.name() == "iq" && (el.has_child("bind", ns::BIND) || el.has_child("session", ns::SESSION))
}

/// RFC 6120 §8.2.3: an IQ has an id, one of four types, and a request has exactly one payload.
fn check_iq(stanza: &Stanza) -> Result<(), Reject> {
    if stanza.kind() != Kind::Iq {
        return Ok(());
    }
    let children = stanza.element().children().count();
    let fits = stanza.id().is_some()
        && match stanza.type_() {
            Some("get" | "set") => children == 1,
            Some("result") => children <= 1,
            Some("error") => true,
            _ => false,
        };
    if fits { Ok(()) } else { Err(Reject::new(Condition::BadRequest, "RFC 6120 §8.2.3")) }
}
