//! XEP-0198: Stream Management.
//!
//! Both ends count the stanzas of a stream, so that either can say how far it has taken
//! responsibility and a broken connection loses nothing. This folder is the receiving server's half
//! as plain values: [`Inbound`] counts what the peer sends and knows the `h` we may claim,
//! [`Outbound`] keeps what the peer has not acknowledged, [`Session`] holds both with the
//! [`ResumeToken`] that finds them again. Nonzas come in as [`Nonza`], what must be written comes
//! back as [`Element`]; sockets, timers and the table of detached sessions are the edge's.
//!
//! How an edge uses it: every stanza read -> [`Inbound::received`], whose number travels as a
//! [`oc_core::session::Receipt`]; `Handled` -> [`Inbound::handled`]; every stanza written ->
//! [`Outbound::sent`]; at the end of a turn [`Outbound::request`] says whether to append `<r/>`.
//!
//! Left out: the client's half (`<enable/>` sent by us), which comes with federation; `location`.
//! `note.md` says what we do about a second `<enable/>` and about an `h` that goes backwards.

mod inbound;
mod negotiation;
mod outbound;
mod session;
#[cfg(test)]
mod tests;
mod token;

use oc_core::spec::{Status, Xep};
use oc_core::{Condition, Element, Reject, StreamCondition, StreamError, ns};

pub use inbound::Inbound;
pub use negotiation::StreamManagement;
pub use outbound::{Outbound, REQUEST_STANZAS, Room, request};
pub use session::{Enable, Session};
pub use token::ResumeToken;

/// The head of this extension.
pub static XEP: Xep = Xep {
    number: "0198",
    title: "Stream Management",
    version: "1.6.3",
    status: Status::Complete,
    folder: "sm",
    features: &[],
    note: "a second <enable/> gets <failed/> and the stream goes on; no location is offered",
};

/// What a peer says about stream management.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nonza {
    /// `<enable/>` (XEP-0198 #enable).
    Enable(Enable),
    /// `<resume/>` (XEP-0198 #resumption).
    Resume(Resume),
    /// `<r/>` (XEP-0198 #acking): answer at once with [`Session::answer`].
    Request,
    /// `<a/>` (XEP-0198 #acking): hand it to [`Outbound::acknowledge`].
    Ack(u32),
}

/// `<resume/>`: which session, and how much of it the client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The identifier as the client sent it; [`ResumeToken::parse`] reads it.
    pub previd: String,
    /// Number of our stanzas that the client has handled.
    pub h: u32,
}

/// Why an element in our namespace cannot be obeyed.
#[derive(Clone, Debug, PartialEq)]
pub enum Misuse {
    /// Answer with this `<failed/>`; the stream goes on (XEP-0198 #errors).
    Failed(Element),
    /// The stream ends.
    Stream(StreamError),
}

impl Nonza {
    /// Reads an element of the namespace `urn:xmpp:sm:3`; `None` for one of any other namespace.
    ///
    /// # Errors
    /// [`Misuse`] says whether to answer `<failed/>` or to end the stream.
    pub fn read(el: &Element) -> Option<Result<Self, Misuse>> {
        (el.ns() == ns::SM).then(|| match el.name() {
            "r" => Ok(Self::Request),
            "a" => read_h(el).map(Self::Ack).ok_or_else(|| {
                Misuse::Stream(
                    StreamError::new(StreamCondition::InvalidXml, "XEP-0198 #acking")
                        .text("<a/> without a valid 'h'"),
                )
            }),
            "enable" => Enable::read(el).map(Self::Enable).map_err(Misuse::Failed),
            "resume" => Resume::read(el).map(Self::Resume).map_err(Misuse::Failed),
            _ => Err(Misuse::Stream(StreamError::new(
                StreamCondition::UnsupportedStanzaType,
                "RFC 6120 §4.9.3.24",
            ))),
        })
    }
}

impl Resume {
    /// Reads `<resume/>`; both attributes are required (XEP-0198 #schemas).
    ///
    /// # Errors
    /// The `<failed/>` to answer with.
    pub fn read(el: &Element) -> Result<Self, Element> {
        match (el.attr("previd"), read_h(el)) {
            (Some(previd), Some(h)) => Ok(Self { previd: previd.to_owned(), h }),
            _ => Err(failed(Condition::BadRequest, None)),
        }
    }
}

/// An `xs:unsignedInt`; white space around it and a plus sign are allowed by the type.
fn read_h(el: &Element) -> Option<u32> {
    el.attr("h")?.trim().parse().ok()
}

/// The stream feature `<sm/>`, also used inside SASL2's `<inline/>` (XEP-0198 #inline-resume).
pub fn feature() -> Element {
    Element::new("sm", ns::SM)
}

/// `<failed/>` with its condition; `h` where a timed-out session is still known by name
/// (XEP-0198 #resumption).
pub fn failed(condition: Condition, h: Option<u32>) -> Element {
    Element::new("failed", ns::SM)
        .with_attr_opt("h", h.map(|h| h.to_string()))
        .with_child(Element::new(condition.name(), ns::STANZA_ERROR))
}

/// `<failed/>` for an `<enable/>` or `<resume/>` that comes too early or a second time
/// (XEP-0198 #enable).
pub fn unexpected() -> Element {
    failed(Condition::UnexpectedRequest, None)
}

/// `<failed/>` for a session that is not there (any more) (XEP-0198 #resumption).
pub fn unknown_session(h: Option<u32>) -> Element {
    failed(Condition::ItemNotFound, h)
}

/// `<failed/>` for whatever else stood in the way.
pub fn refused(reject: &Reject) -> Element {
    failed(reject.condition, None)
}

/// The `<enable/>` inside Bind 2's `<bind/>` (XEP-0198 #inline-enable). What [`Session::enable`]
/// answers, or the `<failed/>` of the error, goes into `<bound/>`.
pub fn inline_enable(bind: &Element) -> Option<Result<Enable, Element>> {
    bind.child("enable", ns::SM).map(Enable::read)
}

/// The `<resume/>` inside SASL2's `<authenticate/>` (XEP-0198 #inline-resume), to be tried before
/// any `<bind/>` beside it. `<resumed/>` or `<failed/>` goes into `<success/>`; after `<resumed/>`
/// the bind request is ignored and no stream features follow.
pub fn inline_resume(authenticate: &Element) -> Option<Result<Resume, Element>> {
    authenticate.child("resume", ns::SM).map(Resume::read)
}
