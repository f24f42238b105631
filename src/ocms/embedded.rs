//! The identity service inside the server's own process.

use oc_core::auth::{
    AuthChannel, AuthFailure, AuthId, AuthReply, AuthStep, IdentityAnswer, IdentityCommand,
    IdentityRefusal,
};
use oc_core::sasl::{Binding, Family, Mechanism};

use crate::settings::{Realm, Settings};
use crate::{Answer, IdentityProvider, OcmsError};

/// Accounts on one `SQLite` file, or in memory.
#[derive(Debug)]
pub struct Embedded {
    settings: Settings,
}

impl Embedded {
    /// Opens the database, creating it with mode 0600 if it does not exist, and brings its schema up to
    /// date.
    pub async fn open(settings: &Settings) -> Result<Self, OcmsError> {
        Ok(Self { settings: settings.clone() })
    }

    /// Finishes what is being written and closes the database.
    pub async fn close(self) {}

    fn realm(&self, domain: &str) -> Option<&Realm> {
        self.settings.realms.iter().find(|realm| realm.domain == domain)
    }
}

impl IdentityProvider for Embedded {
    fn mechanisms(&self, realm: &str, channel: &AuthChannel) -> Vec<String> {
        let Some(realm) = self.realm(realm) else { return Vec::new() };
        if !channel.confidential {
            return Vec::new();
        }
        let bound = channel.bindings.types().next().is_some();
        let allowed = |mechanism: &Mechanism| match mechanism {
            Mechanism::Scram { family, plus } => {
                self.settings.families.contains(family) && (bound || !plus)
            }
            Mechanism::Plain => realm.plain,
            Mechanism::Anonymous => realm.anonymous,
            Mechanism::Ht { .. } => false,
        };
        Mechanism::ALL.iter().filter(|m| allowed(m)).map(ToString::to_string).collect()
    }

    fn fast_mechanisms(&self, realm: &str, channel: &AuthChannel) -> Vec<String> {
        if self.settings.fast.is_none() || !channel.confidential || self.realm(realm).is_none() {
            return Vec::new();
        }
        let allowed = |mechanism: &Mechanism| match mechanism {
            Mechanism::Ht { binding: Binding::None, .. } => true,
            Mechanism::Ht { binding: Binding::EndPoint, .. } => {
                channel.bindings.end_point.is_some()
            }
            Mechanism::Ht { binding: Binding::Exporter, .. } => channel.bindings.exporter.is_some(),
            _ => false,
        };
        Mechanism::FAST.iter().filter(|m| allowed(m)).map(ToString::to_string).collect()
    }

    fn upgrades(&self, realm: &str) -> Vec<String> {
        if self.realm(realm).is_none() {
            return Vec::new();
        }
        let wanted =
            |family: &Family| *family != Family::Sha1 && self.settings.families.contains(family);
        Family::ALL.iter().filter(|f| wanted(f)).map(|f| f.upgrade_task().to_owned()).collect()
    }

    fn auth(&self, _id: AuthId, _step: AuthStep) -> Answer<'_, AuthReply> {
        Box::pin(async { AuthReply::Failure(AuthFailure::TemporaryAuthFailure) })
    }

    fn command(&self, _command: IdentityCommand) -> Answer<'_, IdentityAnswer> {
        Box::pin(async { IdentityAnswer::Refused(IdentityRefusal::Temporary) })
    }
}
