//! The plug point of stream features, and the words of the stream machine.

use crate::auth::{
    AuthChannel, AuthReply, AuthStep, ChannelBindings, Identity, IdentityAnswer, IdentityCommand,
};
use crate::limits::StreamLimits;
use crate::{BareJid, Ctx, Element, FullJid, Reject, Stanza, StreamError};

/// What happened to a stream.
#[derive(Debug)]
pub enum StreamInput {
    /// The peer's stream header: attributes of `<stream:stream/>` or of RFC 7395's `<open/>`.
    Open(Element),
    /// A complete top-level element.
    Element(Element),
    /// The peer has closed its direction.
    Closed,
    /// TLS is up, by STARTTLS or from the first byte.
    Secured(ChannelBindings),
    /// What a feature had asked for.
    Answer(StreamAnswer),
    /// The negotiation has taken too long, whatever was sent in between.
    Overdue,
    /// This side ends the stream.
    End(StreamError),
}

/// What a stream wants done. Carried out in order.
#[derive(Debug)]
pub enum StreamEffect {
    /// Open our direction: `from`, `id`, `to`, `version` and `xml:lang` of the response header.
    Header(Element),
    /// Send an element.
    Write(Element),
    /// What was written ends the plain-text stream; bytes that the peer already sent are refused
    /// (RFC 6120 §5.4.3.3), then TLS begins and [`StreamInput::Secured`] follows.
    StartTls,
    /// Forget the XML of this stream; a new header follows (RFC 6120 §4.3.3).
    Restart,
    /// The peer has proved who it is: larger limits from here on.
    Limits(StreamLimits),
    /// Ask the identity service.
    Auth(AuthStep),
    /// Ask for a resource; the answer is [`StreamAnswer::Attached`].
    Attach {
        /// The account.
        account: BareJid,
        /// The resource wanted.
        resource: Option<String>,
    },
    /// Requests inside XEP-0386's `<bind/>` for the session just attached; the answer is
    /// [`StreamAnswer::Inline`].
    Inline(Vec<Element>),
    /// Resume a session (XEP-0198 #resumption) of this account; the answer is
    /// [`StreamAnswer::Resumed`].
    Resume {
        /// Whose it must be.
        account: BareJid,
        /// The `<resume/>` element.
        request: Element,
    },
    /// Ask the identity service for an account operation; the answer is [`StreamAnswer::Identity`].
    Identity(IdentityCommand),
    /// The session is bound: what follows are its stanzas.
    Bound(FullJid),
    /// The session of this connection is now the resumed one: it speaks from here on.
    Resumed,
    /// A stanza from the client, `from` set.
    Stanza(Stanza),
    /// Any other element after binding: stream management, client state.
    Nonza(Element),
    /// Close our direction after the error, if there is one, then the connection.
    End(Option<StreamError>),
}

/// What a feature asked for.
#[derive(Debug)]
pub enum StreamAnswer {
    /// From the identity service.
    Auth(AuthReply),
    /// A full JID, or why not.
    Attached(Result<FullJid, Reject>),
    /// The `<resumed/>` or the `<failed/>` element.
    Resumed(Result<Element, Element>),
    /// What goes into XEP-0386's `<bound/>`.
    Inline(Vec<Element>),
    /// From the identity service.
    Identity(IdentityAnswer),
}

/// What a domain of ours offers on a connection.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// SASL mechanisms for passwords, strongest first; empty if none may be used on this
    /// connection.
    pub mechanisms: Vec<String>,
    /// XEP-0484: mechanisms for tokens.
    pub fast: Vec<String>,
    /// XEP-0480: upgrade tasks.
    pub upgrades: Vec<String>,
    /// Whether TLS can be had.
    pub tls: bool,
    /// Whether nothing but TLS goes without it.
    pub tls_required: bool,
    /// Elements that every feature list after authentication carries (XEP-0115 caps of the server).
    pub extras: Vec<Element>,
    /// Whether accounts can be registered here: openly, or with an invitation.
    pub registration: Registration,
    /// Accounts that cannot be registered in band: administrators, whoever has the name has the
    /// rights.
    pub reserved: Vec<BareJid>,
    /// Limits of an authenticated stream (XEP-0478).
    pub limits: Option<StreamLimits>,
    /// Seconds without traffic after which a stream is closed, as XEP-0478 announces it.
    pub idle_seconds: Option<u64>,
}

/// Whether accounts can be registered in-band (XEP-0077).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// No.
    #[default]
    Closed,
    /// Only with an invitation (XEP-0445).
    Invited,
    /// By everybody.
    Open,
}

/// Which domains are ours, and what they offer. A pure look-up: it may not change while one input
/// is handled.
pub trait Hosts {
    /// The offer of a domain on a connection; `None` if the domain is not served here.
    fn host(&self, domain: &str, channel: &AuthChannel) -> Option<Offer>;
}

/// How far a stream has come: what features see and change.
#[derive(Debug, Default)]
pub struct Negotiation {
    /// The domain in the first header; later headers may not name another.
    pub domain: String,
    /// The bare JID that the client claimed in its header, until it is proved.
    pub claimed: Option<BareJid>,
    /// The language of stanzas that do not name theirs, where it is not the one of our own header.
    pub lang: Option<String>,
    /// The connection as authentication sees it.
    pub channel: AuthChannel,
    /// Whether TLS is up.
    pub secure: bool,
    /// What the domain offers.
    pub offer: Offer,
    /// Who has authenticated.
    pub identity: Option<Identity>,
    /// The bound address.
    pub jid: Option<FullJid>,
    /// Failed authentications on this connection.
    pub failures: u8,
    /// The request that waits for an answer; kept by the feature that took it.
    pub request: Option<Element>,
    /// Elements collected for that request's answer.
    pub collected: Vec<Element>,
    /// XEP-0445: the invitation shown before registration.
    pub invitation: Option<String>,
}

impl Negotiation {
    /// The account that has authenticated.
    pub fn account(&self) -> Option<BareJid> {
        let identity = self.identity.as_ref()?;
        BareJid::new(&format!("{}@{}", identity.local, identity.domain)).ok()
    }
}

/// Whether a feature knows an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Not mine.
    Pass,
    /// Mine, and done with.
    Done,
    /// Mine; an answer will come, and nothing else is read until then.
    Waiting,
    /// Mine; the feature list is to be sent again (SASL2 #success).
    Features,
}

/// An extension that takes part in stream negotiation. The list is `xeps/stream.rs`; its order is
/// the order of the features sent and of the questions asked.
pub trait StreamFeature: Send + Sync {
    /// Adds what belongs into `<stream:features/>` at this point.
    fn offer(&self, _: &Negotiation, _: &mut Vec<Element>) {}

    /// Adds what belongs into XEP-0388's `<inline/>`.
    fn inline(&self, _: &Negotiation, _: &mut Vec<Element>) {}

    /// Handles an element that arrived before a resource was bound, or one that is always this
    /// feature's.
    ///
    /// # Errors
    /// The error that ends the stream.
    fn take(
        &self,
        _: &mut Negotiation,
        _: &Element,
        _: &mut Ctx<'_>,
        _: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        Ok(Taken::Pass)
    }

    /// Handles the answer to what `take` or `answer` asked for.
    ///
    /// # Errors
    /// The error that ends the stream.
    fn answer(
        &self,
        _: &mut Negotiation,
        _: StreamAnswer,
        _: &mut Ctx<'_>,
        _: &mut Vec<StreamEffect>,
    ) -> Result<Taken, StreamError> {
        Ok(Taken::Done)
    }
}
