//! What the stream says to the identity service, and hears back.
//!
//! The stream machine knows no verifier: it relays SASL messages to whoever owns the names of a
//! realm (the embedded identity service, or a remote one) and gets [`AuthReply`] back. Nothing in
//! here is logged; passwords, proofs and tokens have no `Debug` output but their length.

use std::fmt;

use crate::{BareJid, Time};

/// A SASL message; prints as its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Names one authentication exchange between a stream and the identity service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuthId(pub u128);

/// Channel bindings of the TLS connection under a stream, as far as it has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// RFC 9266 `tls-exporter`.
    pub exporter: Option<[u8; 32]>,
    /// RFC 5929 §4 `tls-server-end-point`: hash of the certificate that was served.
    pub end_point: Option<Vec<u8>>,
}

impl ChannelBindings {
    /// Types this connection can offer, as XEP-0440 names them.
    pub fn types(&self) -> impl Iterator<Item = &'static str> {
        let exporter = self.exporter.is_some().then_some("tls-exporter");
        let end_point = self.end_point.is_some().then_some("tls-server-end-point");
        exporter.into_iter().chain(end_point)
    }

    /// The data of a type.
    pub fn data(&self, type_: &str) -> Option<&[u8]> {
        match type_ {
            "tls-exporter" => self.exporter.as_ref().map(<[u8; 32]>::as_slice),
            "tls-server-end-point" => self.end_point.as_deref(),
            _ => None,
        }
    }
}

/// What is known of the connection that authenticates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthChannel {
    /// Whether TLS protects the stream, or it is a loopback listener that was allowed to do
    /// without.
    pub confidential: bool,
    /// Its channel bindings.
    pub bindings: ChannelBindings,
    /// The peer's address, reduced to what rate limits count by (IPv4 address or IPv6 /64).
    pub rate_key: String,
    /// Mechanisms that were advertised to this client, in order (hashed by XEP-0474).
    pub advertised: Vec<String>,
    /// Channel-binding types that were advertised (hashed by XEP-0474); `None` if XEP-0440 was not
    /// sent.
    pub advertised_bindings: Option<Vec<String>>,
}

/// The SASL2 parts of a request (XEP-0388, XEP-0484, XEP-0480); all empty for SASL 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthExtras {
    /// The `id` of XEP-0388's `<user-agent/>`: which device this is.
    pub client_id: Option<String>,
    /// XEP-0484: the client uses a token rather than a password; its replay counter.
    pub fast: Option<FastUse>,
    /// XEP-0484: mechanism for which the client asks a new token.
    pub token_request: Option<String>,
    /// XEP-0480: upgrades that the client offers to do.
    pub upgrades: Vec<String>,
}

/// XEP-0484 #fast-auth
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FastUse {
    /// Increases with every use; guards 0-RTT against replay.
    pub count: Option<u64>,
    /// The client wants its token forgotten after this login.
    pub invalidate: bool,
}

/// From a stream to the identity service.
#[derive(Clone)]
pub enum AuthStep {
    /// Starts an exchange.
    Begin {
        /// The domain to which the client connected.
        realm: String,
        /// SASL mechanism.
        mechanism: String,
        /// Initial response, if there was one (an empty one is `Some`).
        initial: Option<Secret>,
        /// The bare JID in the stream header, if any (SASL2: must fit the authenticated identity).
        claimed: Option<String>,
        /// The connection.
        channel: Box<AuthChannel>,
        /// SASL2 parts.
        extras: AuthExtras,
    },
    /// The client's answer to a challenge.
    Respond {
        /// The data.
        data: Secret,
    },
    /// XEP-0480: data of an upgrade task.
    Task {
        /// Data of the client: for XEP-0480 #scram what is in `<hash/>`, base64 decoded. `None`
        /// starts the task that [`AuthReply::Continue`] offered.
        data: Option<Vec<u8>>,
        /// Name of the task.
        task: String,
    },
    /// The client gave up, or its stream is gone.
    Abort,
}

impl fmt::Debug for AuthStep {
    /// Data of a task is as good as a password (XEP-0480 #security), so it prints as its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin { realm, mechanism, .. } => {
                write!(f, "Begin({mechanism} at {realm})")
            }
            Self::Respond { data } => write!(f, "Respond({data:?})"),
            Self::Task { data, task } => {
                write!(f, "Task({task}, {} bytes)", data.as_ref().map_or(0, Vec::len))
            }
            Self::Abort => f.write_str("Abort"),
        }
    }
}

/// From the identity service to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthReply {
    /// The client must answer this.
    Challenge(Secret),
    /// The client is who it says.
    Success {
        /// Additional data with success (RFC 6120 §6.3.10).
        additional: Option<Secret>,
        /// Who it is.
        identity: Identity,
        /// XEP-0484: the new token, if one was asked for and is granted.
        token: Option<FastToken>,
    },
    /// XEP-0388 #continue: authenticated, but a task is to be done before success.
    Continue {
        /// Additional data of the mechanism.
        additional: Option<Secret>,
        /// Tasks of which the client does one.
        tasks: Vec<String>,
    },
    /// XEP-0480: data of a task for the client, to be wrapped in XEP-0388 `<task-data/>`.
    TaskData(crate::Element),
    /// The exchange has failed.
    Failure(AuthFailure),
}

/// Who a client is, as the identity service vouches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Local part of the account.
    pub local: String,
    /// Domain of the account.
    pub domain: String,
    /// Whether the name is a throw-away one (SASL ANONYMOUS).
    pub anonymous: bool,
    /// Mechanism that was used.
    pub mechanism: String,
    /// Until when the identity service vouches for it; `None`: as long as the session lives.
    pub expires: Option<Time>,
}

/// XEP-0484: a token for later logins.
#[derive(Clone, PartialEq, Eq)]
pub struct FastToken {
    /// What the client keeps.
    pub token: String,
    /// When it ends.
    pub expiry: Time,
}

impl fmt::Debug for FastToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FastToken({} bytes, until {:?})", self.token.len(), self.expiry)
    }
}

/// SASL failure conditions (RFC 6120 §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    /// RFC 6120 §6.5.1
    Aborted,
    /// RFC 6120 §6.5.2
    AccountDisabled,
    /// RFC 6120 §6.5.3
    CredentialsExpired,
    /// RFC 6120 §6.5.4
    EncryptionRequired,
    /// RFC 6120 §6.5.5
    IncorrectEncoding,
    /// RFC 6120 §6.5.6
    InvalidAuthzid,
    /// RFC 6120 §6.5.7
    InvalidMechanism,
    /// RFC 6120 §6.5.8
    MalformedRequest,
    /// RFC 6120 §6.5.9
    MechanismTooWeak,
    /// RFC 6120 §6.5.10
    NotAuthorized,
    /// RFC 6120 §6.5.11
    TemporaryAuthFailure,
}

impl AuthFailure {
    /// Name of the condition's element.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::AccountDisabled => "account-disabled",
            Self::CredentialsExpired => "credentials-expired",
            Self::EncryptionRequired => "encryption-required",
            Self::IncorrectEncoding => "incorrect-encoding",
            Self::InvalidAuthzid => "invalid-authzid",
            Self::InvalidMechanism => "invalid-mechanism",
            Self::MalformedRequest => "malformed-request",
            Self::MechanismTooWeak => "mechanism-too-weak",
            Self::NotAuthorized => "not-authorized",
            Self::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

/// An account operation asked of the identity service, by registration, an administrator or the
/// command line.
#[derive(Clone, Debug)]
pub enum IdentityCommand {
    /// Creates an account.
    Create {
        /// The new account.
        account: BareJid,
        /// Its password.
        password: Secret,
        /// XEP-0445: the invitation that allows it; used up by success.
        invitation: Option<String>,
        /// What rate limits count by; `None` for an administrator.
        rate_key: Option<String>,
    },
    /// Changes a password; ends all tokens of the account.
    SetPassword {
        /// The account.
        account: BareJid,
        /// The new password.
        password: Secret,
    },
    /// Lets an account log in, or not; ends all tokens of a disabled one.
    SetEnabled {
        /// The account.
        account: BareJid,
        /// Whether it may log in.
        enabled: bool,
    },
    /// Removes an account and everything the identity service knows of it.
    Remove {
        /// The account.
        account: BareJid,
    },
    /// Whether an account exists.
    Exists {
        /// The account.
        account: BareJid,
    },
    /// All accounts of a domain.
    List {
        /// The domain.
        domain: String,
    },
    /// XEP-0401: makes an invitation to a domain.
    Invite {
        /// The domain, or an account name reserved by the invitation.
        to: BareJid,
        /// Who invites; becomes a contact of the new account (XEP-0379).
        inviter: Option<BareJid>,
        /// When the invitation ends.
        expires: Time,
    },
    /// XEP-0445: whether an invitation can still be used.
    CheckInvitation {
        /// The invitation.
        token: String,
        /// The domain to which a client is connected.
        domain: String,
    },
}

/// What came of an [`IdentityCommand`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityAnswer {
    /// Done; for [`IdentityCommand::Exists`]: yes.
    Done,
    /// Created by an invitation of this account's.
    CreatedFor {
        /// Who had invited.
        inviter: Option<BareJid>,
    },
    /// The accounts, in order of name.
    Accounts(Vec<BareJid>),
    /// The invitation's token.
    Invitation(String),
    /// Not done.
    Refused(IdentityRefusal),
}

/// Why the identity service did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityRefusal {
    /// There is such an account.
    Exists,
    /// There is no such account.
    NotFound,
    /// The name or password cannot be used; the sentence says why.
    Unacceptable(&'static str),
    /// The identity service does not let its accounts be changed from here.
    NotAllowed,
    /// The invitation is unknown, used or expired.
    BadInvitation,
    /// Too many in a short time.
    TooMany,
    /// Try again later; the log says why.
    Temporary,
}
