//! What an operator asks of a server, and what comes back: the words of the command socket.

use std::fmt;
use std::time::Duration;

use oc_core::BareJid;
use oc_core::auth::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroize;

/// A password on its way; never printed, and wiped from memory afterwards.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Takes it over.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// In the words of the identity service.
    pub fn secret(&self) -> Secret {
        Secret(self.0.as_bytes().to_vec())
    }

    /// The password itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(...)")
    }
}

/// An account's or domain's address, as text in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(pub BareJid);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// One request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Creates an account.
    UserAdd {
        /// Its address.
        account: Address,
        /// Its password.
        password: Password,
    },
    /// Changes a password.
    UserPasswd {
        /// Whose.
        account: Address,
        /// The new one.
        password: Password,
    },
    /// Lists accounts.
    UserList {
        /// Of one domain; of all that are served without.
        domain: Option<String>,
    },
    /// Removes an account with everything that is kept of it, and ends its sessions.
    UserRemove {
        /// Its address.
        account: Address,
    },
    /// Makes an invitation (XEP-0401).
    InviteCreate {
        /// The domain, or the address that the new account will have.
        to: Address,
        /// How long it can be used.
        valid_s: u64,
    },
    /// How the server is.
    Status,
    /// Who is logged in.
    Sessions,
    /// Reads configuration and certificates again, like SIGHUP.
    Reload,
}

impl Command {
    /// An invitation that can be used for so long.
    pub fn invite(to: BareJid, valid: Duration) -> Self {
        Self::InviteCreate { to: Address(to), valid_s: valid.as_secs() }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done,
    /// The accounts, by domain and name.
    Users {
        /// Bare JIDs.
        users: Vec<String>,
    },
    /// An invitation.
    Invitation {
        /// What is sent to the invited person.
        uri: String,
    },
    /// How the server is.
    Status(Status),
    /// Who is logged in.
    Sessions {
        /// One for each session.
        sessions: Vec<SessionInfo>,
    },
    /// Configuration and certificates are in force.
    Reloaded {
        /// What the operator should know: settings that wait for a restart, expiring certificates.
        notes: Vec<String>,
    },
    /// It is not done.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

impl Answer {
    /// A refusal.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

/// How a server is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Seconds since it was ready.
    pub uptime_s: u64,
    /// The domains it serves.
    pub domains: Vec<String>,
    /// Connections of clients.
    pub connections: u64,
    /// Those that have not logged in yet.
    pub half_open: u64,
    /// Sessions, including those that wait for their client to come back.
    pub sessions: u64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Its full JID.
    pub jid: String,
    /// Whether its client is connected, rather than expected back (XEP-0198).
    pub connected: bool,
}
