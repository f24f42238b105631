//! What an operator decides of a domain.

use std::time::Duration;

use crate::auth::Secret;
use crate::stream::Registration;
use crate::{BareJid, Jid};

/// The settings of one domain.
#[derive(Clone, Debug, Default)]
pub struct HostSettings {
    /// What XEP-0092 tells.
    pub software: Software,
    /// Whom to turn to (XEP-0157).
    pub contacts: Contacts,
    /// STUN, TURN and other services outside XMPP (XEP-0215).
    pub external_services: Vec<ExternalService>,
    /// Who may create an account in band (XEP-0077).
    pub registration: Registration,
    /// Who may invite (XEP-0401).
    pub invitations: Invitations,
    /// Who may administer the domain: bare JIDs.
    pub administrators: Vec<BareJid>,
    /// Other services of this server that clients find under the domain (XEP-0030).
    pub services: Vec<Service>,
}

/// XEP-0092
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Name of the program.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The operating system; `None` keeps it to ourselves (XEP-0092 #security).
    pub os: Option<String>,
}

impl Default for Software {
    fn default() -> Self {
        Self {
            name: "Open Conference".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            os: None,
        }
    }
}

/// Addresses of the people behind a domain, as URIs (XEP-0157).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    /// For reports of abuse.
    pub abuse: Vec<String>,
    /// The administrators.
    pub admin: Vec<String>,
    /// For praise and complaint.
    pub feedback: Vec<String>,
    /// For customers to be.
    pub sales: Vec<String>,
    /// For reports of security problems.
    pub security: Vec<String>,
    /// Where the state of the service is published.
    pub status: Vec<String>,
    /// For help.
    pub support: Vec<String>,
}

/// One service outside XMPP (XEP-0215).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalService {
    /// Registered type: `stun`, `stuns`, `turn`, `turns`, ...
    pub type_: String,
    /// Domain name or IP address.
    pub host: String,
    /// Port; `None` where the type has a usual one.
    pub port: Option<u16>,
    /// `udp` or `tcp`.
    pub transport: Option<String>,
    /// Name for people.
    pub name: Option<String>,
    /// How one gets in.
    pub access: Access,
}

/// How one gets into an external service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody may use it.
    Open,
    /// With the same name and password for all.
    Fixed {
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
    /// With short-lived credentials made from a secret shared with the service (coturn's
    /// `use-auth-secret`).
    Shared {
        /// The secret.
        secret: Secret,
        /// How long credentials last.
        lifetime: Duration,
    },
}

/// Who may invite (XEP-0401), and for how long invitations last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitations {
    /// Whether every account may invite; otherwise only administrators.
    pub by_accounts: bool,
    /// From the moment of invitation to its end.
    pub lifetime: Duration,
}

impl Default for Invitations {
    fn default() -> Self {
        Self { by_accounts: false, lifetime: Duration::from_secs(7 * 24 * 60 * 60) }
    }
}

/// Another service of this server, such as `conference.example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its address.
    pub jid: Jid,
    /// Name for people.
    pub name: Option<String>,
}
