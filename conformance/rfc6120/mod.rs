//! RFC 6120: streams, TLS, SASL, binding, stanzas.

use crate::case::Case;

mod s11_xml;
mod s4_9_3_stream_errors;
mod s4_streams;
mod s5_starttls;
mod s6_sasl;
mod s7_binding;
mod s8_stanzas;

/// The cases, in the order of the RFC.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    let lists = [
        s4_streams::CASES,
        s4_9_3_stream_errors::CASES,
        s5_starttls::CASES,
        s6_sasl::CASES,
        s7_binding::CASES,
        s8_stanzas::CASES,
        s11_xml::CASES,
    ];
    lists.into_iter().flatten()
}
