//! `[domain]`: the domains that are served.

use super::address::{Account, Contact, DomainName};
use super::section::section;
use super::value::{Location, choice};

choice! {
    /// Who may make an account (XEP-0077).
    Registration {
        /// Only administrators.
        Closed = "closed",
        /// Whoever has an invitation (XEP-0401, XEP-0445).
        Invite = "invite",
        /// Everybody.
        Open = "open",
    }
}

section! {
    /// A domain that this server serves: what stands behind the @ of its accounts. For several
    /// domains write [[domain]], once for each; the first is also served to clients that name none.
    /// On the command line --set domain.name=... means the first, --set domain.2.name=... the
    /// second.
    Domain = "domain" {
        /// The domain. The only setting of this file without which the server does not start.
        restart name: Option<DomainName> = None, eg "\"example.org\"";
        /// File with the certificate chain, PEM, the domain's own certificate first. Without it,
        /// the directory of [tls] is searched; failing that, a self-signed one is made if [tls]
        /// allows it.
        live certificate: Option<Location> = None,
            eg "\"/etc/open-conference/example.org/fullchain.pem\"";
        /// File with the certificate's private key, PEM.
        live key: Option<Location> = None, eg "\"/etc/open-conference/example.org/privkey.pem\"";
        /// Who may make an account from a client: nobody, people with an invitation, or everybody.
        restart registration: Registration = Registration::Closed;
        /// Whether clients get in without an account, under a name that ends with the session.
        restart anonymous: bool = false;
        /// Accounts that administer this domain.
        live administrators: Vec<Account> = Vec::new(), eg "[\"admin@example.org\"]";
        /// Where people complain about abuse; shown to everybody, like the five that follow.
        live contact_abuse: Vec<Contact> = Vec::new(), eg "[\"mailto:abuse@example.org\"]";
        /// Where to reach the administrators.
        live contact_admin: Vec<Contact> = Vec::new(), eg "[\"xmpp:admin@example.org\"]";
        /// Where feedback is welcome.
        live contact_feedback: Vec<Contact> = Vec::new(), eg "[\"mailto:feedback@example.org\"]";
        /// Where to report security problems.
        live contact_security: Vec<Contact> = Vec::new(), eg "[\"mailto:security@example.org\"]";
        /// Where the state of the service is shown.
        live contact_status: Vec<Contact> = Vec::new(), eg "[\"https://status.example.org/\"]";
        /// Where users get help.
        live contact_support: Vec<Contact> = Vec::new(), eg "[\"mailto:help@example.org\"]";
    }
}

impl Domain {
    /// The name; every loaded configuration has one for each of its domains.
    pub fn name(&self) -> &str {
        self.name.as_ref().map_or("", DomainName::as_str)
    }
}
