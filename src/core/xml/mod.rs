//! The only door for XML: reading with limits, elements, canonical writing, frames.

mod element;
mod frame;
mod reader;
#[cfg(test)]
mod tests;

pub use element::{Attr, Element, Node, Ns};
pub use frame::Frame;
pub use reader::{Event, Reader, parse_document};
