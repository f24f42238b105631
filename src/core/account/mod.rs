//! Accounts (RFC 6121).
