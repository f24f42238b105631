//! Names of the mechanisms.

use std::fmt;
use std::str::FromStr;

/// Hash function of a SCRAM mechanism; a verifier belongs to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// RFC 5802: SCRAM-SHA-1, the only SCRAM that some clients have.
    Sha1,
    /// RFC 7677: SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512, as deployed by servers and clients of XMPP.
    Sha512,
}

impl Family {
    /// Every family, strongest first.
    pub const ALL: [Self; 3] = [Self::Sha512, Self::Sha256, Self::Sha1];

    /// Bytes of a hash, a key and a proof.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// Name of the mechanism without channel binding.
    pub const fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// Name of the mechanism with channel binding.
    pub const fn mechanism_plus(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1-PLUS",
            Self::Sha256 => "SCRAM-SHA-256-PLUS",
            Self::Sha512 => "SCRAM-SHA-512-PLUS",
        }
    }

    /// Name of the task that gives an account a verifier of this family (XEP-0480 #scram).
    pub const fn upgrade_task(self) -> &'static str {
        match self {
            Self::Sha1 => "UPGR-SCRAM-SHA-1",
            Self::Sha256 => "UPGR-SCRAM-SHA-256",
            Self::Sha512 => "UPGR-SCRAM-SHA-512",
        }
    }
}

/// Hash function of a hashed-token mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HtHash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl HtHash {
    /// Bytes of a hash.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// Channel binding of a hashed-token mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// `NONE`: not bound.
    None,
    /// `ENDP`: RFC 5929 §4 `tls-server-end-point`.
    EndPoint,
    /// `EXPR`: RFC 9266 `tls-exporter`.
    Exporter,
}

/// A SASL mechanism that the server side can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 5802.
    Scram {
        /// Its hash function.
        family: Family,
        /// Whether it is the -PLUS variant, which binds to the TLS channel.
        plus: bool,
    },
    /// RFC 4616.
    Plain,
    /// RFC 4505.
    Anonymous,
    /// XEP-0484 #support: a hashed token.
    Ht {
        /// Its hash function.
        hash: HtHash,
        /// What it binds to.
        binding: Binding,
    },
}

impl Mechanism {
    /// Mechanisms of passwords and of guests, strongest first.
    pub const ALL: [Self; 8] = [
        Self::Scram { family: Family::Sha512, plus: true },
        Self::Scram { family: Family::Sha256, plus: true },
        Self::Scram { family: Family::Sha1, plus: true },
        Self::Scram { family: Family::Sha512, plus: false },
        Self::Scram { family: Family::Sha256, plus: false },
        Self::Scram { family: Family::Sha1, plus: false },
        Self::Plain,
        Self::Anonymous,
    ];

    /// Mechanisms of tokens, strongest first.
    pub const FAST: [Self; 6] = [
        Self::Ht { hash: HtHash::Sha512, binding: Binding::Exporter },
        Self::Ht { hash: HtHash::Sha256, binding: Binding::Exporter },
        Self::Ht { hash: HtHash::Sha512, binding: Binding::EndPoint },
        Self::Ht { hash: HtHash::Sha256, binding: Binding::EndPoint },
        Self::Ht { hash: HtHash::Sha512, binding: Binding::None },
        Self::Ht { hash: HtHash::Sha256, binding: Binding::None },
    ];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scram { family, plus: false } => family.mechanism(),
            Self::Scram { family, plus: true } => family.mechanism_plus(),
            Self::Plain => "PLAIN",
            Self::Anonymous => "ANONYMOUS",
            Self::Ht { hash: HtHash::Sha256, binding: Binding::None } => "HT-SHA-256-NONE",
            Self::Ht { hash: HtHash::Sha256, binding: Binding::EndPoint } => "HT-SHA-256-ENDP",
            Self::Ht { hash: HtHash::Sha256, binding: Binding::Exporter } => "HT-SHA-256-EXPR",
            Self::Ht { hash: HtHash::Sha512, binding: Binding::None } => "HT-SHA-512-NONE",
            Self::Ht { hash: HtHash::Sha512, binding: Binding::EndPoint } => "HT-SHA-512-ENDP",
            Self::Ht { hash: HtHash::Sha512, binding: Binding::Exporter } => "HT-SHA-512-EXPR",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is not that of a mechanism we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such SASL mechanism")]
pub struct UnknownMechanism;

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, UnknownMechanism> {
        Self::ALL
            .into_iter()
            .chain(Self::FAST)
            .find(|mechanism| mechanism.name() == name)
            .ok_or(UnknownMechanism)
    }
}
