//! Addresses and names in settings: listeners, domains, accounts, URLs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use oc_core::BareJid;
use oc_core::jid::DomainPart;
use toml::de::DeValue;

use super::error::Wrong;
use super::value::{Base, Setting, parsed, quoted};

/// An address and port on which the server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener(pub SocketAddr);

impl Listener {
    /// Every address of the machine: IPv4 and IPv6 apart, so that each can be taken out.
    pub(crate) fn everywhere(port: u16) -> Vec<Self> {
        vec![
            Self(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
            Self(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)),
        ]
    }

    /// 127.0.0.1.
    pub(crate) const fn loopback(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// Whether only this machine can reach it: 127.0.0.0/8 or ::1.
    pub fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

impl Setting for Listener {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let fix = "write an IP address and a port: \"0.0.0.0:5222\", \"[::]:5222\"";
        parsed(value, "an address with a port", fix, |text| text.parse().ok().map(Self))
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0.to_string()))
    }

    fn range() -> String {
        String::new()
    }
}

/// The address of a name server; port 53 if none is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameServer(pub SocketAddr);

impl Setting for NameServer {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let fix =
            "write an IP address, with a port if it is not 53: \"9.9.9.9\", \"127.0.0.1:5353\"";
        parsed(value, "the address of a name server", fix, |text| {
            let ip = text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
            ip.or_else(|_| text.parse()).ok().map(Self)
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0.to_string()))
    }

    fn range() -> String {
        String::new()
    }
}

/// A domain that is served, normalised as RFC 7622 §3.2 asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(String);

impl DomainName {
    /// Normalises a name; `None` if it is not one, or an IP address.
    pub fn new(name: &str) -> Option<Self> {
        let name = DomainPart::new(name).ok()?.to_string();
        let ip = name.starts_with('[') || name.parse::<IpAddr>().is_ok();
        (!ip && !name.is_empty()).then_some(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for DomainName {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        parsed(value, "a domain name", "write a name such as \"example.org\"", Self::new)
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0))
    }

    fn range() -> String {
        String::new()
    }
}

/// The bare JID of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(pub BareJid);

impl Setting for Account {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let fix = "write an account such as \"admin@example.org\", without a resource";
        parsed(value, "the address of an account", fix, |text| {
            text.parse::<BareJid>().ok().filter(|jid| jid.node().is_some()).map(Self)
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0.to_string()))
    }

    fn range() -> String {
        String::new()
    }
}

/// The beginning of a URL under which the HTTP listener is reached from outside, without a slash at
/// the end; `{domain}` stands for the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The URL for a domain.
    pub fn of(&self, domain: &DomainName) -> String {
        self.0.replace("{domain}", domain.as_str())
    }
}

impl Setting for PublicUrl {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let fix = "write a URL such as \"https://chat.example.org\" or \"https://{domain}:5281\"";
        parsed(value, "the beginning of an http or https URL", fix, |text| {
            let text = text.trim_end_matches('/');
            let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
            let plain = |c: char| c.is_ascii_graphic() && !"\"'<>?#\\".contains(c);
            (!rest.is_empty() && rest.chars().all(plain)).then(|| Self(text.to_owned()))
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0))
    }

    fn range() -> String {
        String::new()
    }
}

/// A URI at which people are reached: `mailto:` or `xmpp:` or a web page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact(pub String);

impl Setting for Contact {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let fix =
            "write a URI: \"mailto:me@example.org\", \"xmpp:me@example.org\", \"https://...\"";
        parsed(value, "a URI", fix, |text| {
            let known = ["mailto:", "xmpp:", "https://", "http://", "tel:"];
            let rest = known.iter().find_map(|scheme| text.strip_prefix(scheme))?;
            (!rest.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control()))
                .then(|| Self(text.to_owned()))
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0))
    }

    fn range() -> String {
        String::new()
    }
}

/// The name or address of another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// The name or address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Host {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let fix =
            "write a name or an IP address: \"turn.example.org\", \"192.0.2.7\", \"2001:db8::7\"";
        parsed(value, "a host", fix, |text| {
            let ip = text.parse::<IpAddr>().is_ok();
            (ip || DomainName::new(text).is_some()).then(|| Self(text.to_owned()))
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0))
    }

    fn range() -> String {
        String::new()
    }
}
