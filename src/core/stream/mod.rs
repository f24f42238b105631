//! Streams (RFC 6120 §4).
