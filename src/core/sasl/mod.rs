//! Server side of SASL.
