//! What several settings must agree on.

use std::collections::BTreeMap;

use super::address::Listener;
use super::error::{Fault, Place};
use super::load::Origins;
use super::value::Rate;
use super::{Config, Registration, ServiceType};

/// Everything that is wrong; empty if the server may start.
pub(super) fn check(config: &Config, origins: &Origins) -> Vec<Fault> {
    let mut rules = Rules { config, origins, faults: Vec::new() };
    rules.domains();
    rules.listeners();
    rules.loopback_only();
    rules.extdisco();
    rules.faults
}

struct Rules<'a> {
    config: &'a Config,
    origins: &'a Origins,
    faults: Vec<Fault>,
}

impl Rules<'_> {
    fn fault(&mut self, place: Place, what: impl Into<String>, fix: impl Into<String>) {
        self.faults.push(Fault { place, what: what.into(), fix: fix.into() });
    }

    fn domains(&mut self) {
        let mut seen = BTreeMap::new();
        for (nth, domain) in self.config.domains.iter().enumerate() {
            let place = |key| self.origins.place("domain", nth, key);
            let Some(name) = &domain.name else {
                let what = match nth {
                    0 => "no domain is set".to_owned(),
                    _ => format!("[[domain]] number {} has no name", nth + 1),
                };
                self.fault(
                    place("name"),
                    what,
                    "write [domain] and below it name = \"example.org\", or use \
                     --set domain.name=example.org",
                );
                continue;
            };
            let here = place("name");
            let half = match (&domain.certificate, &domain.key) {
                (Some(_), None) => Some(("certificate", "key")),
                (None, Some(_)) => Some(("key", "certificate")),
                _ => None,
            };
            let half = half.map(|(has, lacks)| (place(has), has, lacks));
            if let Some((place, has, lacks)) = half {
                self.fault(
                    place,
                    format!("domain {name} has a {has} but no {lacks}"),
                    format!("set {lacks} as well, or neither"),
                );
            }
            if seen.insert(name, nth).is_some() {
                self.fault(here, format!("domain {name} is there twice"), "remove one of the two");
            }
        }
        let anonymous = self.config.domains.iter().any(|domain| domain.anonymous);
        if self.config.auth.mechanisms.is_empty() && !anonymous {
            let place = self.origins.place("auth", 0, "mechanisms");
            self.fault(
                place,
                "[auth] mechanisms is empty, so nobody can log in",
                "name at least \"SCRAM-SHA-256\"",
            );
        }
    }

    fn listeners(&mut self) {
        let Config { c2s, http, admin, .. } = self.config;
        let all = [
            ("c2s", "listen", &c2s.listen),
            ("c2s", "listen_tls", &c2s.listen_tls),
            ("http", "listen", &http.listen),
            ("http", "listen_plaintext", &http.listen_plaintext),
            ("admin", "listen", &admin.listen),
        ];
        let mut seen = BTreeMap::new();
        for (section, key, listeners) in all {
            for listener in listeners.iter() {
                // Port 0 lets the system choose, a different one each time.
                let other = seen.insert(listener.0, (section, key));
                if let (Some((section, other)), true) = (other, listener.0.port() != 0) {
                    let place = self.origins.place(section, 0, key);
                    self.fault(
                        place,
                        format!("{} is also in [{section}] {other}", listener.0),
                        "give one of the two another port",
                    );
                }
            }
        }
        if all[..4].iter().all(|(_, _, listeners)| listeners.is_empty()) {
            let place = self.origins.place("c2s", 0, "listen");
            self.fault(
                place,
                "there is no listener for clients",
                "set [c2s] listen, [c2s] listen_tls or [http] listen",
            );
        }
    }

    /// What is only safe where nobody but this machine can connect.
    fn loopback_only(&mut self) {
        let Config { c2s, http, limits, .. } = self.config;
        let open = |listeners: &[Listener]| listeners.iter().copied().find(|l| !l.is_loopback());
        let fix = |listener: Listener| {
            format!(
                "take {} out of the listeners or put it on 127.0.0.1, or do without this setting",
                listener.0
            )
        };
        if let (true, Some(listener)) = (c2s.allow_plaintext, open(&c2s.listen)) {
            let place = self.origins.place("c2s", 0, "allow_plaintext");
            self.fault(
                place,
                format!(
                    "[c2s] allow_plaintext lets passwords pass unencrypted, but [c2s] listen has \
                     {}, which is not a loopback address",
                    listener.0
                ),
                fix(listener),
            );
        }
        if let Some(listener) = open(&http.listen_plaintext) {
            let place = self.origins.place("http", 0, "listen_plaintext");
            self.fault(
                place,
                format!(
                    "[http] listen_plaintext has {}, which is not a loopback address",
                    listener.0
                ),
                fix(listener),
            );
        }
        let public = [&c2s.listen, &c2s.listen_tls, &http.listen];
        let Some(listener) = public.iter().find_map(|listeners| open(listeners)) else { return };
        let free = self.config.domains.iter().any(|d| d.registration == Registration::Open);
        let unlimited = [
            ("bytes", limits.bytes == Rate::UNLIMITED),
            ("stanzas", limits.stanzas == Rate::UNLIMITED),
            ("registrations", free && limits.registrations == Rate::UNLIMITED),
        ];
        for (key, _) in unlimited.iter().filter(|(_, unlimited)| *unlimited) {
            let place = self.origins.place("limits", 0, key);
            self.fault(
                place,
                format!(
                    "[limits] {key} is unlimited, but clients connect to {}, which is not a \
                     loopback address",
                    listener.0
                ),
                fix(listener),
            );
        }
        if self.config.auth.failures == Rate::UNLIMITED {
            let place = self.origins.place("auth", 0, "failures");
            self.fault(
                place,
                format!(
                    "[auth] failures is unlimited, so passwords can be guessed through {}, which \
                     is not a loopback address",
                    listener.0
                ),
                fix(listener),
            );
        }
    }

    fn extdisco(&mut self) {
        for (nth, service) in self.config.extdisco.iter().enumerate() {
            if service.host.is_none() {
                let place = self.origins.place("extdisco", nth, "service");
                self.fault(
                    place,
                    format!("[[extdisco]] number {} has no host", nth + 1),
                    "set host to the name or address of the service",
                );
            }
            let stun = matches!(service.service, ServiceType::Stun | ServiceType::Stuns);
            if stun && service.secret.is_some() {
                let place = self.origins.place("extdisco", nth, "secret");
                self.fault(
                    place,
                    "a STUN service asks for no password",
                    "remove secret, or set service = \"turn\"",
                );
            }
        }
    }
}
