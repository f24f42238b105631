//! What the XEPs say.

pub mod bind2;
pub mod channel_binding;
pub mod fast;
pub mod sasl2;
