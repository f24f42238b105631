//! What the parts of the server are opened with, in their own words.

use std::path::PathBuf;

use oc_core::sasl::Family;
use oc_ocms::{Backoff, Fast, Iterations, Quota, Realm};
use oc_store::EngineKind;

use super::{Config, Engine, Mechanism, Registration};

impl Config {
    /// The directory of the store itself, inside the data directory.
    pub fn store_directory(&self) -> PathBuf {
        self.store.path.path().join("store")
    }

    /// How the store is opened.
    pub fn store_settings(&self) -> oc_store::Settings {
        let engine = match self.store.engine {
            Engine::Fjall => EngineKind::Fjall,
            Engine::Sled => EngineKind::Sled,
            Engine::Memory => EngineKind::Memory,
        };
        oc_store::Settings {
            cache_bytes: self.store.cache.bytes(),
            ..oc_store::Settings::at(engine, self.store_directory())
        }
    }

    /// How the embedded identity service is opened.
    pub fn ocms_settings(&self) -> oc_ocms::Settings {
        let has = |mechanism| self.auth.mechanisms.contains(&mechanism);
        let families = [
            (Mechanism::ScramSha512, Family::Sha512),
            (Mechanism::ScramSha256, Family::Sha256),
            (Mechanism::ScramSha1, Family::Sha1),
        ];
        let realms = self.domains.iter().map(|domain| Realm {
            domain: domain.name().to_owned(),
            anonymous: domain.anonymous,
            plain: has(Mechanism::Plain),
            registration: match domain.registration {
                Registration::Closed => oc_ocms::Registration::Closed,
                Registration::Invite => oc_ocms::Registration::InviteOnly,
                Registration::Open => oc_ocms::Registration::Open,
            },
        });
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let iterations = small(self.auth.iterations.get());
        let fast = Fast::default();
        let ttl = self.auth.fast_ttl.get();
        oc_ocms::Settings {
            path: self.ocms_database(),
            realms: realms.collect(),
            families: families.iter().filter(|(m, _)| has(*m)).map(|(_, family)| *family).collect(),
            iterations: Iterations {
                sha1: small(self.auth.iterations_sha1.get()),
                sha256: iterations,
                sha512: iterations,
            },
            fast: (!ttl.is_zero()).then(|| Fast {
                ttl,
                rotate_after: fast.rotate_after.min(ttl / 2),
                ..fast
            }),
            backoff: self.auth.failures.get().map(|(count, forget)| Backoff {
                free_account: small(count),
                free_address: small(count.saturating_mul(4)),
                forget,
                ..Backoff::default()
            }),
            registrations: self
                .limits
                .registrations
                .get()
                .map(|(count, period)| Quota { count: small(count), period }),
            ..oc_ocms::Settings::default()
        }
    }
}
