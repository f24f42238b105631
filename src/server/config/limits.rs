//! `[limits]`: what one client may cost the others.

use super::section::section;
use super::value::{Count, HOUR, KIB, MIB, MINUTE, Period, Rate, SECOND, Size};

section! {
    /// What one client may cost the others. An address means an IPv4 address, or the first 64 bits
    /// of an IPv6 address.
    Limits = "limits" {
        /// Connections at the same time.
        live connections: Count<1, 10_000_000> = Count::of(100_000);
        /// Connections from one address; a school or an office may be behind one.
        live connections_per_address: Count<1, 10_000_000> = Count::of(1_000);
        /// Connections at the same time that have not logged in yet.
        live half_open: Count<1, 10_000_000> = Count::of(5_000);
        /// The same from one address.
        live half_open_per_address: Count<1, 10_000_000> = Count::of(200);
        /// Bytes that a client may send; a faster one is read more slowly.
        live bytes: Rate<true> = Rate::of(64 * KIB, SECOND);
        /// Stanzas that a client may send; a faster one is read more slowly.
        live stanzas: Rate<false> = Rate::of(100, SECOND);
        /// Of both: how long a client may save up what it did not use, to send it at once.
        live burst: Period<SECOND, { 10 * MINUTE }> = Period::of(10 * SECOND);
        /// The largest stanza that a client may send (XEP-0478). RFC 6120 §13.12 asks for 10,000
        /// bytes.
        live stanza_size: Size<{ 10 * KIB }, { 16 * MIB }> = Size::of(256 * KIB);
        /// New accounts from one address, where domains let people register.
        restart registrations: Rate<false> = Rate::of(5, HOUR);
    }
}
