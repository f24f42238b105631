//! Words that the plug points of `xeps/` share.

use crate::{Element, Reject};

/// What a feature says to an IQ request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Not mine; ask the next in the list.
    Pass,
    /// `result`, with this payload.
    Result(Option<Element>),
    /// `error`.
    Reject(Reject),
    /// The answer will come when something asked for has been found.
    Later,
}
