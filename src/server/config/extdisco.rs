//! `[[extdisco]]`: services next door, such as STUN and TURN.

use super::address::Host;
use super::section::section;
use super::value::{Count, DAY, Location, MINUTE, Period, choice};

choice! {
    /// Type of an external service, as XEP-0215's registry names it.
    ServiceType {
        /// RFC 5389 over UDP or TCP.
        Stun = "stun",
        /// The same over TLS.
        Stuns = "stuns",
        /// RFC 5766 over UDP or TCP.
        Turn = "turn",
        /// The same over TLS.
        Turns = "turns",
    }
}

choice! {
    /// Transport of an external service.
    Transport {
        /// UDP.
        Udp = "udp",
        /// TCP.
        Tcp = "tcp",
    }
}

section! {
    /// A service next door that clients are told about (XEP-0215): STUN and TURN for calls. Write
    /// [[extdisco]] once for each.
    Extdisco = "extdisco" {
        /// What it is.
        live service: ServiceType = ServiceType::Turn;
        /// Its name or address. An entry without a host is an error.
        live host: Option<Host> = None, eg "\"turn.example.org\"";
        /// Its port.
        live port: Count<1, 65_535> = Count::of(3478);
        /// Its transport.
        live transport: Transport = Transport::Udp;
        /// File with the secret that is shared with a TURN server (coturn: static-auth-secret);
        /// clients get passwords made from it that last as long as `lifetime` says.
        live secret: Option<Location> = None, eg "\"/etc/open-conference/turn-secret\"";
        /// How long such a password lasts.
        live lifetime: Period<MINUTE, { 7 * DAY }> = Period::of(DAY);
    }
}
