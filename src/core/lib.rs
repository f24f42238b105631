//! What the RFCs say: the words and machines of RFC 6120, 6121, 7395, 7590, 7622 and 9525.
//!
//! Everything here is pure: (state, input, [`Ctx`]) -> effects. There is no socket, clock, disk,
//! thread or random source in this package (`clippy.toml` beside this file refuses them); a shell
//! hands in what happened and carries out what comes back. XEPs live one floor up, in `xeps/`.

pub mod account;
pub mod auth;
mod ctx;
pub mod disco;
mod error;
pub mod feature;
pub mod host;
pub mod limits;
pub mod ns;
pub mod record;
pub mod sasl;
pub mod session;
pub mod shard;
pub mod spec;
mod stanza;
pub mod stream;
mod time;
pub mod xml;

pub use ctx::{Ctx, Ids};
pub use error::{Condition, ErrorType, Reject, StreamCondition, StreamError};
pub use jid::{self, BareJid, FullJid, Jid};
pub use stanza::{Kind, Malformed, Stanza};
pub use time::Time;
pub use xml::{Element, Frame, Node, Ns};
