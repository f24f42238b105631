//! What the sections of `server.toml` mean to the rooms of the house.

use std::collections::HashMap;
use std::sync::Arc;

use oc_core::auth::Secret;
use oc_core::host::{
    Access, Asker, Contacts, ExternalService, Host, HostSettings, Invitations, Software,
};
use oc_core::limits::StreamLimits;
use oc_core::sasl::Family;
use oc_core::spec::Xep;
use oc_core::stream::{Offer, Registration};
use oc_core::{BareJid, Element, Time};
use oc_ocms as ocms;

use super::StartError;
use crate::admission::Places;
use crate::config::{self, Config, Engine, Mechanism};
use crate::edge::{Domains, EdgeSettings};
use crate::shard::DomainHost;

/// Heads that a domain announces beside those of its own features.
fn others() -> Vec<&'static Xep> {
    oc_xeps::host::others()
}

pub(super) fn places(config: &Config) -> Places {
    let limits = &config.limits;
    Places {
        connections: number(limits.connections.get()),
        connections_per_address: number(limits.connections_per_address.get()),
        half_open: number(limits.half_open.get()),
        half_open_per_address: number(limits.half_open_per_address.get()),
    }
}

fn number(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn stream_limits(config: &Config) -> StreamLimits {
    let stanza_bytes = number(config.limits.stanza_size.bytes());
    StreamLimits { stanza_bytes, ..StreamLimits::CLIENT }
}

pub(super) fn edge_settings(config: &Config) -> EdgeSettings {
    let (c2s, limits) = (&config.c2s, &config.limits);
    let per_second = |rate: Option<(u64, std::time::Duration)>| {
        rate.map(|(n, period)| n as f64 / period.as_secs_f64())
    };
    EdgeSettings {
        negotiation: c2s.negotiation.get(),
        idle_ping: c2s.idle_ping.get(),
        ping_timeout: c2s.ping_timeout.get(),
        resume: c2s.resume.get(),
        limits: stream_limits(config),
        bytes_per_second: per_second(limits.bytes.get()),
        stanzas_per_second: per_second(limits.stanzas.get()),
        burst: limits.burst.get(),
    }
}

fn registration(domain: &config::Domain) -> Registration {
    match domain.registration {
        config::Registration::Closed => Registration::Closed,
        config::Registration::Invite => Registration::Invited,
        config::Registration::Open => Registration::Open,
    }
}

/// What each domain offers on a stream, beside what the identity service knows.
pub(super) fn offers(config: &Config, hosts: &DomainHosts) -> Domains {
    let offer = |domain: &config::Domain| Offer {
        registration: registration(domain),
        reserved: domain.administrators.iter().map(|a| a.0.clone()).collect(),
        limits: Some(stream_limits(config)),
        idle_seconds: Some(config.c2s.idle_ping.get().as_secs()),
        extras: hosts.get(domain.name()).and_then(|host| caps(domain, host)).into_iter().collect(),
        ..Offer::default()
    };
    let named = |domain: &config::Domain| (domain.name().to_owned(), offer(domain));
    Domains { offers: config.domains.iter().map(named).collect() }
}

/// XEP-0115 #stream: the hash of what the domain answers to a client of its own.
fn caps(domain: &config::Domain, host: &DomainHost) -> Option<Element> {
    let jid = BareJid::new(domain.name()).ok()?;
    let settings = Arc::clone(&host.settings);
    let host = Host::new(jid, settings, host.features, host.others.clone(), Time::default());
    Some(oc_xeps::caps::element(&host.view(Asker::Account)))
}

/// The machines of the domains, by name.
pub(super) type DomainHosts = HashMap<String, Arc<DomainHost>>;

/// The machines of the domains.
///
/// # Errors
/// A secret cannot be read.
pub(super) fn domain_hosts(config: &Config) -> Result<DomainHosts, StartError> {
    let services = config.extdisco.iter().map(external_service).collect::<Result<Vec<_>, _>>()?;
    let host = |domain: &config::Domain| {
        let settings = HostSettings {
            software: Software::default(),
            contacts: contacts(domain),
            external_services: services.clone(),
            registration: registration(domain),
            invitations: Invitations::default(),
            administrators: domain.administrators.iter().map(|a| a.0.clone()).collect(),
            services: Vec::new(),
        };
        let host = DomainHost {
            settings: Arc::new(settings),
            features: oc_xeps::host::FEATURES,
            others: others(),
        };
        (domain.name().to_owned(), Arc::new(host))
    };
    Ok(config.domains.iter().map(host).collect())
}

fn contacts(domain: &config::Domain) -> Contacts {
    let texts = |list: &[config::address::Contact]| list.iter().map(|c| c.0.clone()).collect();
    Contacts {
        abuse: texts(&domain.contact_abuse),
        admin: texts(&domain.contact_admin),
        feedback: texts(&domain.contact_feedback),
        sales: Vec::new(),
        security: texts(&domain.contact_security),
        status: texts(&domain.contact_status),
        support: texts(&domain.contact_support),
    }
}

fn external_service(entry: &config::Extdisco) -> Result<ExternalService, StartError> {
    let access = match &entry.secret {
        None => Access::Open,
        Some(file) => {
            let secret =
                std::fs::read_to_string(file.path()).map_err(|error| StartError::File {
                    path: file.path().display().to_string(),
                    setting: "extdisco.secret",
                    error,
                })?;
            let secret = Secret(secret.trim().as_bytes().to_vec());
            Access::Shared { secret, lifetime: entry.lifetime.get() }
        }
    };
    Ok(ExternalService {
        type_: entry.service.name().to_owned(),
        host: entry.host.as_ref().map(|h| h.as_str().to_owned()).unwrap_or_default(),
        port: u16::try_from(entry.port.get()).ok(),
        transport: Some(entry.transport.name().to_owned()),
        name: None,
        access,
    })
}

/// How the embedded identity service is opened.
pub fn ocms_settings(config: &Config) -> ocms::Settings {
    let auth = &config.auth;
    let plain = auth.mechanisms.contains(&Mechanism::Plain);
    let realm = |domain: &config::Domain| ocms::Realm {
        domain: domain.name().to_owned(),
        anonymous: domain.anonymous,
        plain,
        registration: match domain.registration {
            config::Registration::Closed => ocms::Registration::Closed,
            config::Registration::Invite => ocms::Registration::InviteOnly,
            config::Registration::Open => ocms::Registration::Open,
        },
    };
    let family = |mechanism: &Mechanism| match mechanism {
        Mechanism::ScramSha512 => Some(Family::Sha512),
        Mechanism::ScramSha256 => Some(Family::Sha256),
        Mechanism::ScramSha1 => Some(Family::Sha1),
        Mechanism::Plain => None,
    };
    let iterations = u32::try_from(auth.iterations.get()).unwrap_or(u32::MAX);
    let defaults = ocms::Settings::default();
    let quota = |(count, period): (u64, std::time::Duration)| ocms::Quota {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        period,
    };
    ocms::Settings {
        path: config.ocms_database(),
        realms: config.domains.iter().map(realm).collect(),
        families: auth.mechanisms.iter().filter_map(family).collect(),
        iterations: ocms::Iterations {
            sha1: u32::try_from(auth.iterations_sha1.get()).unwrap_or(u32::MAX),
            sha256: iterations,
            sha512: iterations,
        },
        fast: (!auth.fast_ttl.is_zero())
            .then(|| ocms::Fast { ttl: auth.fast_ttl.get(), ..ocms::Fast::default() }),
        backoff: auth.failures.get().map(|(count, period)| ocms::Backoff {
            free_account: u32::try_from(count).unwrap_or(u32::MAX),
            free_address: u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(4),
            forget: period,
            ..ocms::Backoff::default()
        }),
        registrations: config.limits.registrations.get().map(quota),
        ..defaults
    }
}

/// How the store is opened.
pub fn store_settings(config: &Config) -> oc_store::Settings {
    let engine = match config.store.engine {
        Engine::Memory => oc_store::EngineKind::Memory,
        Engine::Fjall => oc_store::EngineKind::Fjall,
        Engine::Sled => oc_store::EngineKind::Sled,
    };
    oc_store::Settings {
        cache_bytes: config.store.cache.bytes(),
        ..oc_store::Settings::at(engine, config.store.path.path().join("store"))
    }
}
