//! Errors that are told to a peer: a stanza refused ([`Reject`]) or a stream ended
//! ([`StreamError`]).

use std::borrow::Cow;

use crate::{Element, ns};

/// Declares an enum of conditions with their element names.
macro_rules! conditions {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every condition, in the order of the RFC.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name of the condition's element.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The condition with this element name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

conditions! {
    /// Why a stanza was refused: the defined conditions of RFC 6120 §8.3.3.
    Condition {
        /// RFC 6120 §8.3.3.1: the XML does not fit the schema of its namespace.
        BadRequest = "bad-request",
        /// RFC 6120 §8.3.3.2: a resource or session of that name exists.
        Conflict = "conflict",
        /// RFC 6120 §8.3.3.3: the feature is not implemented.
        FeatureNotImplemented = "feature-not-implemented",
        /// RFC 6120 §8.3.3.4: the peer may not do this.
        Forbidden = "forbidden",
        /// RFC 6120 §8.3.3.5: the recipient is no longer at this address.
        Gone = "gone",
        /// RFC 6120 §8.3.3.6: our bug or a broken resource of ours.
        InternalServerError = "internal-server-error",
        /// RFC 6120 §8.3.3.7: the JID or item does not exist.
        ItemNotFound = "item-not-found",
        /// RFC 6120 §8.3.3.8: an address is not a JID.
        JidMalformed = "jid-malformed",
        /// RFC 6120 §8.3.3.9: understood, but against the criteria of the server.
        NotAcceptable = "not-acceptable",
        /// RFC 6120 §8.3.3.10: nobody is allowed to do this.
        NotAllowed = "not-allowed",
        /// RFC 6120 §8.3.3.11: credentials are missing.
        NotAuthorized = "not-authorized",
        /// RFC 6120 §8.3.3.12: a local policy was violated.
        PolicyViolation = "policy-violation",
        /// RFC 6120 §8.3.3.13: the recipient is temporarily not there.
        RecipientUnavailable = "recipient-unavailable",
        /// RFC 6120 §8.3.3.14: try elsewhere.
        Redirect = "redirect",
        /// RFC 6120 §8.3.3.15: register first.
        RegistrationRequired = "registration-required",
        /// RFC 6120 §8.3.3.16: the remote domain does not exist or has no XMPP.
        RemoteServerNotFound = "remote-server-not-found",
        /// RFC 6120 §8.3.3.17: the remote domain could not be reached in time.
        RemoteServerTimeout = "remote-server-timeout",
        /// RFC 6120 §8.3.3.18: busy or a limit was reached.
        ResourceConstraint = "resource-constraint",
        /// RFC 6120 §8.3.3.19: nobody serves this request there.
        ServiceUnavailable = "service-unavailable",
        /// RFC 6120 §8.3.3.20: subscribe first.
        SubscriptionRequired = "subscription-required",
        /// RFC 6120 §8.3.3.21: none of the others; an application condition says more.
        UndefinedCondition = "undefined-condition",
        /// RFC 6120 §8.3.3.22: understood, but not expected now.
        UnexpectedRequest = "unexpected-request",
    }
}

conditions! {
    /// What the sender may do about an error: RFC 6120 §8.3.2.
    ErrorType {
        /// Retry after providing credentials.
        Auth = "auth",
        /// Do not retry.
        Cancel = "cancel",
        /// Proceed; the condition was only a warning.
        Continue = "continue",
        /// Retry after changing the data sent.
        Modify = "modify",
        /// Retry after waiting.
        Wait = "wait",
    }
}

conditions! {
    /// Why a stream ends: the defined conditions of RFC 6120 §4.9.3.
    StreamCondition {
        /// RFC 6120 §4.9.3.1
        BadFormat = "bad-format",
        /// RFC 6120 §4.9.3.2
        BadNamespacePrefix = "bad-namespace-prefix",
        /// RFC 6120 §4.9.3.3
        Conflict = "conflict",
        /// RFC 6120 §4.9.3.4
        ConnectionTimeout = "connection-timeout",
        /// RFC 6120 §4.9.3.5
        HostGone = "host-gone",
        /// RFC 6120 §4.9.3.6
        HostUnknown = "host-unknown",
        /// RFC 6120 §4.9.3.7
        ImproperAddressing = "improper-addressing",
        /// RFC 6120 §4.9.3.8
        InternalServerError = "internal-server-error",
        /// RFC 6120 §4.9.3.9
        InvalidFrom = "invalid-from",
        /// RFC 6120 §4.9.3.10
        InvalidNamespace = "invalid-namespace",
        /// RFC 6120 §4.9.3.11
        InvalidXml = "invalid-xml",
        /// RFC 6120 §4.9.3.12
        NotAuthorized = "not-authorized",
        /// RFC 6120 §4.9.3.13
        NotWellFormed = "not-well-formed",
        /// RFC 6120 §4.9.3.14
        PolicyViolation = "policy-violation",
        /// RFC 6120 §4.9.3.15
        RemoteConnectionFailed = "remote-connection-failed",
        /// RFC 6120 §4.9.3.16
        Reset = "reset",
        /// RFC 6120 §4.9.3.17
        ResourceConstraint = "resource-constraint",
        /// RFC 6120 §4.9.3.18
        RestrictedXml = "restricted-xml",
        /// RFC 6120 §4.9.3.19
        SeeOtherHost = "see-other-host",
        /// RFC 6120 §4.9.3.20
        SystemShutdown = "system-shutdown",
        /// RFC 6120 §4.9.3.21
        UndefinedCondition = "undefined-condition",
        /// RFC 6120 §4.9.3.22
        UnsupportedEncoding = "unsupported-encoding",
        /// RFC 6120 §4.9.3.23
        UnsupportedFeature = "unsupported-feature",
        /// RFC 6120 §4.9.3.24
        UnsupportedStanzaType = "unsupported-stanza-type",
        /// RFC 6120 §4.9.3.25
        UnsupportedVersion = "unsupported-version",
    }
}

impl Condition {
    /// The error type RFC 6120 §8.3.3 recommends for this condition.
    pub const fn usual_type(self) -> ErrorType {
        match self {
            Self::BadRequest
            | Self::JidMalformed
            | Self::NotAcceptable
            | Self::PolicyViolation
            | Self::Redirect => ErrorType::Modify,
            Self::Forbidden
            | Self::NotAuthorized
            | Self::RegistrationRequired
            | Self::SubscriptionRequired => ErrorType::Auth,
            Self::RecipientUnavailable
            | Self::RemoteServerTimeout
            | Self::ResourceConstraint
            | Self::UnexpectedRequest => ErrorType::Wait,
            _ => ErrorType::Cancel,
        }
    }
}

/// The peer may not do this: a stanza error to send, and the rule that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The condition told to the peer.
    pub condition: Condition,
    /// What the peer may do about it; [`Condition::usual_type`] unless a rule says otherwise.
    pub kind: ErrorType,
    /// The rule that refused, in reference form (`RFC 6121 §8.5.1`); goes to the log, not to the
    /// peer.
    pub rule: &'static str,
    /// A sentence for people, if there is something they can do.
    pub text: Option<Cow<'static, str>>,
    /// An application-specific condition (RFC 6120 §8.3.4).
    pub more: Option<Box<Element>>,
}

impl Reject {
    /// Refuses with the condition's usual type.
    pub fn new(condition: Condition, rule: &'static str) -> Self {
        Self { condition, kind: condition.usual_type(), rule, text: None, more: None }
    }

    /// Says what the person can do.
    #[must_use]
    pub fn text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Overrides the usual error type.
    #[must_use]
    pub fn kind(mut self, kind: ErrorType) -> Self {
        self.kind = kind;
        self
    }

    /// Adds an application-specific condition.
    #[must_use]
    pub fn more(mut self, more: Element) -> Self {
        self.more = Some(Box::new(more));
        self
    }

    /// The `<error/>` child (RFC 6120 §8.3.2).
    pub fn to_element(&self) -> Element {
        let mut el = Element::new("error", ns::CLIENT)
            .with_attr("type", self.kind.name())
            .with_child(Element::new(self.condition.name(), ns::STANZA_ERROR));
        if let Some(text) = &self.text {
            el.push(
                Element::new("text", ns::STANZA_ERROR)
                    .with_attr_ns(ns::XML, "lang", "en")
                    .with_text(text.as_ref()),
            );
        }
        if let Some(more) = &self.more {
            el.push(more.as_ref().clone());
        }
        el
    }
}

/// This stream ends: the condition to send before closing it, and the rule that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// The condition told to the peer.
    pub condition: StreamCondition,
    /// The rule that ended the stream; goes to the log, not to the peer.
    pub rule: &'static str,
    /// A sentence for the peer's log.
    pub text: Option<Cow<'static, str>>,
    /// An application-specific condition (RFC 6120 §4.9.4).
    pub more: Option<Box<Element>>,
}

impl StreamError {
    /// Ends the stream with a condition.
    pub fn new(condition: StreamCondition, rule: &'static str) -> Self {
        Self { condition, rule, text: None, more: None }
    }

    /// Adds a sentence for the peer's log.
    #[must_use]
    pub fn text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds an application-specific condition.
    #[must_use]
    pub fn more(mut self, more: Element) -> Self {
        self.more = Some(Box::new(more));
        self
    }

    /// The `<stream:error/>` element (RFC 6120 §4.9.2).
    pub fn to_element(&self) -> Element {
        let mut el = Element::new("error", ns::STREAM)
            .with_child(Element::new(self.condition.name(), ns::STREAM_ERROR));
        if let Some(text) = &self.text {
            el.push(
                Element::new("text", ns::STREAM_ERROR)
                    .with_attr_ns(ns::XML, "lang", "en")
                    .with_text(text.as_ref()),
            );
        }
        if let Some(more) = &self.more {
            el.push(more.as_ref().clone());
        }
        el
    }
}
