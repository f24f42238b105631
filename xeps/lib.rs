//! What the XEPs say: one folder per extension, pure.
pub mod sm;
