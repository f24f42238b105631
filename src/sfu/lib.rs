//! The media of calls: who gets which packets. Empty: calls come with a later step.
//!
//! Architecture invariant: nothing in this folder will know XMPP, tokio or any other package of
//! ours; the server hands in commands and takes out events.
