//! Whether clients find the server by its domain: SRV records (RFC 6120 §3.2.1, XEP-0368).

use std::net::IpAddr;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{Resolver, TokioResolver};

use super::Finding;
use crate::config::address::{Listener, NameServer};
use crate::config::{Config, Dns};
use crate::tls;

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let all = [&config.c2s.listen, &config.c2s.listen_tls, &config.http.listen];
    if all.iter().all(|listeners| listeners.iter().all(|listener| listener.is_loopback())) {
        return vec![Finding::fine("DNS: nobody but this machine can connect")];
    }
    let resolver = match resolver(&config.dns) {
        Ok(resolver) => resolver,
        Err(error) => {
            return vec![Finding::warning(
                format!("no name server can be asked: {error}"),
                "set [dns] servers, or look at /etc/resolv.conf",
            )];
        }
    };
    let mut findings = Vec::new();
    for domain in &config.domains {
        let name = tls::ascii(domain.name());
        findings.extend(Lookup { resolver: &resolver, name: &name }.look(config).await);
    }
    findings
}

/// Asks the configured name servers, or those of the system.
fn resolver(dns: &Dns) -> Result<TokioResolver, NetError> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = if dns.servers.is_empty() {
        Resolver::builder(provider)?
    } else {
        let servers = dns.servers.iter().map(name_server).collect();
        Resolver::builder_with_config(ResolverConfig::from_name_servers(servers), provider)
    };
    builder.options_mut().timeout = dns.timeout.get();
    builder.options_mut().attempts = 2;
    builder.build()
}

fn name_server(server: &NameServer) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = server.0.port();
    }
    NameServerConfig::new(server.0.ip(), true, connections)
}

/// What an SRV record says.
struct Service {
    target: String,
    port: u16,
}

/// The questions about one domain.
struct Lookup<'a> {
    resolver: &'a TokioResolver,
    name: &'a str,
}

impl Lookup<'_> {
    async fn look(&self, config: &Config) -> Vec<Finding> {
        let (c2s, name) = (&config.c2s, self.name);
        let services =
            [("_xmpp-client._tcp", &c2s.listen), ("_xmpps-client._tcp", &c2s.listen_tls)];
        let mut findings = Vec::new();
        let mut any = false;
        for (service, listeners) in services {
            match self.services(service).await {
                Ok(records) => {
                    any |= !records.is_empty();
                    for record in &records {
                        findings.extend(self.target(service, record, listeners).await);
                    }
                }
                Err(error) => {
                    findings.push(Finding::warning(
                        format!("cannot look up {service}.{name}: {error}"),
                        "look at the network, or set [dns] servers",
                    ));
                    return findings;
                }
            }
        }
        if !any {
            findings.push(self.fallback(config).await);
        }
        findings
    }

    /// The SRV records of a service; none is no error.
    async fn services(&self, service: &str) -> Result<Vec<Service>, NetError> {
        let lookup = match self.resolver.srv_lookup(format!("{service}.{}.", self.name)).await {
            Ok(lookup) => lookup,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let records = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Service { target: srv.target.to_utf8(), port: srv.port }),
            _ => None,
        });
        Ok(records.collect())
    }

    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let host = if host.ends_with('.') { host.to_owned() } else { format!("{host}.") };
        self.resolver.lookup_ip(host).await.map(|found| found.iter().collect()).unwrap_or_default()
    }

    /// Whether a record leads to a port that is served.
    async fn target(
        &self,
        service: &str,
        record: &Service,
        listeners: &[Listener],
    ) -> Vec<Finding> {
        let record_name = format!("{service}.{}", self.name);
        if record.target == "." {
            let what = format!("the SRV record {record_name} says that there is no such service");
            return if listeners.is_empty() {
                vec![Finding::fine(what)]
            } else {
                vec![Finding::error(what, "replace its target \".\" by the name of this machine")]
            };
        }
        let shown = format!("{record_name} -> {}:{}", record.target, record.port);
        if self.addresses(&record.target).await.is_empty() {
            return vec![Finding::error(
                format!("SRV {shown}: the target has no address"),
                format!("make an A or AAAA record for {}", record.target),
            )];
        }
        if !listeners.iter().any(|listener| listener.0.port() == record.port) {
            return vec![Finding::warning(
                format!("SRV {shown}: this server does not listen on that port"),
                "correct the port of the record, or ignore this if a router translates it",
            )];
        }
        vec![Finding::fine(format!("SRV {shown}"))]
    }

    /// RFC 6120 §3.2.2: without SRV records clients try the domain itself, port 5222.
    async fn fallback(&self, config: &Config) -> Finding {
        let name = self.name;
        let machine = "MACHINE";
        let record = |service: &str, listeners: &[Listener]| {
            let port = listeners.first().map(|listener| listener.0.port())?;
            Some(format!("{service}.{name}. 3600 IN SRV 0 5 {port} {machine}."))
        };
        let records = [
            record("_xmpp-client._tcp", &config.c2s.listen),
            record("_xmpps-client._tcp", &config.c2s.listen_tls),
        ];
        let records = records.into_iter().flatten().collect::<Vec<_>>().join("\n             ");
        let fix =
            format!("make these records, with the name of this machine:\n             {records}");
        let usual = config.c2s.listen.iter().any(|listener| listener.0.port() == 5222);
        if self.addresses(name).await.is_empty() {
            let what = format!("{name} has no SRV records and no address: nobody finds it");
            Finding::error(what, fix)
        } else if usual {
            let what = format!("{name} has no SRV records; clients will try {name}:5222");
            Finding::warning(what, fix)
        } else {
            let what = format!("{name} has no SRV records, and nothing listens on port 5222");
            Finding::error(what, fix)
        }
    }
}
