//! Tests of the account machine, by section of RFC 6121.
