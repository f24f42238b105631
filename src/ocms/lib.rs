//! The identity service: who somebody is.
//!
//! A conference server asks an [`IdentityProvider`] and keeps no credential of its own.
//! [`Embedded`] is the one that lives in the same process, on one `SQLite` file: accounts as SCRAM
//! verifiers, FAST tokens (XEP-0484), invitations (XEP-0401, XEP-0445). The same library is behind
//! the binary `ocms`. Left out so far: the network service and remote identity services.

mod accounts;
mod cache;
mod command;
mod db;
mod embedded;
mod error;
mod exchange;
mod fast;
mod login;
mod names;
mod secret;
mod settings;
#[cfg(test)]
mod tests;
mod throttle;
mod upgrade;

use std::future::Future;
use std::pin::Pin;

use oc_core::auth::{AuthChannel, AuthId, AuthReply, AuthStep, IdentityAnswer, IdentityCommand};

pub use db::AccountEntry;
pub use embedded::Embedded;
pub use error::OcmsError;
pub use secret::generate_password;
pub use settings::{Backoff, Clock, Fast, Iterations, Quota, Realm, Registration, Settings};

/// What an [`IdentityProvider`] gives back for later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whoever owns the names of some realms.
pub trait IdentityProvider: Send + Sync {
    /// What may be advertised for a realm on this connection, strongest first; empty for a realm of
    /// somebody else.
    ///
    /// Nothing without `confidential`, -PLUS only with channel bindings, ANONYMOUS and PLAIN only
    /// where the realm allows them. Only `confidential` and `bindings` of the channel are looked
    /// at.
    fn mechanisms(&self, realm: &str, channel: &AuthChannel) -> Vec<String>;

    /// Token mechanisms that may be advertised by XEP-0484 #support on this connection, strongest
    /// first.
    fn fast_mechanisms(&self, realm: &str, channel: &AuthChannel) -> Vec<String>;

    /// Upgrade tasks that may be advertised by XEP-0480 #disco.
    fn upgrades(&self, realm: &str) -> Vec<String>;

    /// One step of an exchange.
    ///
    /// `id` is unpredictable to others; a new [`AuthStep::Begin`] ends what was under way by the
    /// same id. An exchange ends with `Success`, `Failure` or [`AuthStep::Abort`], and 60 s after
    /// its beginning.
    fn auth(&self, id: AuthId, step: AuthStep) -> Answer<'_, AuthReply>;

    /// An operation on accounts.
    fn command(&self, command: IdentityCommand) -> Answer<'_, IdentityAnswer>;
}
