//! Simulations of the whole server with virtual time and seeded faults. Empty: none is written yet.
//!
//! The other tests beside this file are packages of their own: `tidy`, `interop`, `fuzz`, and the
//! scripts of `clients`.
