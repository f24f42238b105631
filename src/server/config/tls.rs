//! `[tls]`: encryption of everything that leaves the machine.

use super::section::section;
use super::value::{HOUR, Location, Period, choice};

choice! {
    /// The oldest version of TLS that is spoken.
    TlsVersion {
        /// RFC 5246.
        V12 = "1.2",
        /// RFC 8446.
        V13 = "1.3",
    }
}

section! {
    /// Encryption of everything that leaves the machine. Certificates are read again at SIGHUP,
    /// without touching a session.
    Tls = "tls" {
        /// The oldest version of TLS that is spoken.
        live min_version: TlsVersion = TlsVersion::V12;
        /// Directory in which a domain without files of its own finds its certificate, as
        /// DOMAIN/fullchain.pem with DOMAIN/privkey.pem, or DOMAIN.crt with DOMAIN.key.
        live certificates: Option<Location> = None, eg "\"/etc/letsencrypt/live\"";
        /// Whether a domain without a certificate gets a self-signed one, which is kept in the data
        /// directory. Clients ask their users about it, or refuse it.
        live self_signed: bool = true;
        /// How long a client may come back with a TLS session ticket; "0 s" switches tickets off.
        live ticket_lifetime: Period<0, { 6 * HOUR }> = Period::of(6 * HOUR);
        /// File with the certificates of the authorities that are trusted, PEM: used by
        /// `open-conference check` to see whether clients will trust yours.
        live trust: Location = Location::new("/etc/ssl/certs/ca-certificates.crt");
    }
}
