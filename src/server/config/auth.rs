//! `[auth]`: how clients prove who they are.

use super::section::section;
use super::value::{Count, DAY, MINUTE, Period, Rate, choice};

choice! {
    /// A SASL mechanism; each SCRAM stands for its form with channel binding (-PLUS), too.
    Mechanism {
        /// RFC 7677's way with SHA-512.
        ScramSha512 = "SCRAM-SHA-512",
        /// RFC 7677.
        ScramSha256 = "SCRAM-SHA-256",
        /// RFC 5802.
        ScramSha1 = "SCRAM-SHA-1",
        /// RFC 4616.
        Plain = "PLAIN",
    }
}

section! {
    /// How clients prove who they are.
    Auth = "auth" {
        /// SASL mechanisms that are offered, best first. Each SCRAM stands for its form with
        /// channel binding, too. With PLAIN the server sees the password, and offers it only inside
        /// TLS.
        restart mechanisms: Vec<Mechanism> =
            vec![Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::ScramSha1];
        /// Rounds of hashing between a new password and what is kept of it, with SHA-256 and
        /// SHA-512. More make a stolen database less useful, and logins of phones slower.
        restart iterations: Count<4_096, 10_000_000> = Count::of(100_000);
        /// The same with SHA-1, which only old clients use.
        restart iterations_sha1: Count<4_096, 10_000_000> = Count::of(10_000);
        /// How long a client may come back with a token instead of a password (XEP-0484). "0 s"
        /// grants no tokens.
        restart fast_ttl: Period<0, { 365 * DAY }> = Period::of(21 * DAY);
        /// Failed logins of one account before each further one has to wait, longer every time;
        /// four times as many for one address.
        restart failures: Rate<false> = Rate::of(5, MINUTE);
    }
}
