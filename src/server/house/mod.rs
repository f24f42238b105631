//! The house: what `serve` builds from a configuration, and how it ends.
//!
//! One thread per core runs an edge and its part of the shards; the main runtime listens, asks the
//! identity service and serves HTTP. Everything that knows two rooms of the house is on this page
//! or in `translate.rs`.

mod translate;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use arc_swap::ArcSwap;
use oc_core::session::{EdgeId, ToShard};
use oc_ocms::{Embedded, IdentityProvider};
use oc_store::Store;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::config::Config;
use crate::edge::{self, Arrival, Edge, Summary};
use crate::http::{Http, Sessions};
use crate::metrics::Metrics;
use crate::outside::now;
use crate::shard::{self, ShardShared};
use crate::switchboard::{Ends, Switchboard};
use crate::tls::Tls;
use crate::{c2s, config};

pub use translate::{ocms_settings, store_settings};

/// Why the server does not start. Every sentence names what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] oc_store::StoreError),
    /// The identity service cannot be opened.
    #[error("the identity service cannot be opened: {0}")]
    Ocms(#[from] oc_ocms::OcmsError),
    /// Certificates cannot be loaded.
    #[error("{0}")]
    Tls(#[from] crate::tls::TlsError),
    /// A listener cannot be bound.
    #[error("cannot listen on {address} ({setting}): {error}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The setting that asks for it.
        setting: &'static str,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// A file that a setting names cannot be read.
    #[error("cannot read {path} ({setting}): {error}")]
    File {
        /// The file.
        path: String,
        /// The setting that names it.
        setting: &'static str,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// A thread or runtime cannot be made.
    #[error("the operating system refuses a thread: {0}")]
    Thread(std::io::Error),
}

/// A running server.
pub struct House {
    config: config::Shared,
    store: Store,
    identity: Arc<dyn IdentityProvider>,
    tls: Arc<Tls>,
    edges: Vec<UnboundedSender<Arrival>>,
    edge_shared: Arc<edge::Shared>,
    shard_shared: Arc<ShardShared>,
    admission: Arc<Admission>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
}

impl House {
    /// Opens what is stored, starts the threads, and listens.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        let (tls, warnings) = Tls::load(&config)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let tls = Arc::new(tls);
        let store = open_store(&config).await?;
        let identity: Arc<dyn IdentityProvider> =
            Arc::new(Embedded::open(&ocms_settings(&config)).await?);
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let (switchboard, ends) = Switchboard::new(count);
        let metrics = Arc::new(Metrics::new());
        let hosts = translate::domain_hosts(&config)?;
        let admission = Admission::new(translate::places(&config));
        let edge_shared = Arc::new(edge::Shared {
            settings: ArcSwap::from_pointee(translate::edge_settings(&config)),
            tls: Arc::clone(&tls),
            domains: ArcSwap::from_pointee(translate::offers(&config, &hosts)),
            identity: Arc::clone(&identity),
            features: oc_xeps::stream::FEATURES,
            switchboard: switchboard.clone(),
            admission: Arc::clone(&admission),
            metrics: Arc::clone(&metrics),
        });
        let shard_shared = Arc::new(ShardShared {
            store: store.clone(),
            identity: Arc::clone(&identity),
            switchboard,
            domains: ArcSwap::from_pointee(hosts),
            account_features: oc_xeps::account::FEATURES,
            guest_features: oc_xeps::account::GUEST_FEATURES,
            online: ArcSwap::from_pointee(counts(&config)),
            started: now(),
            metrics: Arc::clone(&metrics),
        });
        let edges = start_threads(ends, &edge_shared, &shard_shared)?;
        let stop = CancellationToken::new();
        let this = Self {
            config: Arc::new(ArcSwap::from_pointee(config)),
            store,
            identity,
            tls,
            edges,
            edge_shared,
            shard_shared,
            admission,
            metrics,
            stop,
        };
        this.listen().await?;
        Ok(this)
    }

    /// Opens the listeners of clients.
    async fn listen(&self) -> Result<(), StartError> {
        let config = self.config.load();
        let turn = Arc::new(AtomicUsize::new(0));
        let plaintext = config.c2s.allow_plaintext;
        let starttls = config.c2s.listen.iter().map(|l| (l, "c2s.listen", false));
        let direct = config.c2s.listen_tls.iter().map(|l| (l, "c2s.listen_tls", true));
        for (listener, setting, direct) in starttls.chain(direct) {
            let address = listener.0;
            let listener =
                bind(address).map_err(|error| StartError::Listen { address, setting, error })?;
            let acceptor = c2s::Acceptor {
                admission: Arc::clone(&self.admission),
                edges: self.edges.clone(),
                turn: Arc::clone(&turn),
                metrics: Arc::clone(&self.metrics),
                stop: self.stop.clone(),
            };
            tokio::spawn(acceptor.run(listener, c2s::Kind { direct, plaintext }));
            tracing::info!(setting, "listening");
        }
        let http = Arc::new(Http {
            config: Arc::clone(&self.config),
            tls: Arc::clone(&self.tls),
            admission: Arc::clone(&self.admission),
            edges: self.edges.clone(),
            turn,
            metrics: Arc::clone(&self.metrics),
            bosh: Sessions::default(),
            stop: self.stop.clone(),
        });
        let secure = config.http.listen.iter().map(|l| (l, "http.listen", true));
        let plain = config.http.listen_plaintext.iter();
        let plain = plain.map(|l| (l, "http.listen_plaintext", false));
        for (listener, setting, secure) in secure.chain(plain) {
            let address = listener.0;
            let listener =
                bind(address).map_err(|error| StartError::Listen { address, setting, error })?;
            tokio::spawn(Arc::clone(&http).serve(listener, secure));
            tracing::info!(setting, "listening");
        }
        Ok(())
    }

    /// Takes over what may change while the server runs; names what waits for the next start.
    ///
    /// # Errors
    /// Certificates or secrets cannot be read; then everything stays as it was.
    pub fn reload(&self, new: Config) -> Result<Vec<String>, StartError> {
        let hosts = translate::domain_hosts(&new)?;
        let old = self.config.load();
        let waits = old.restart_needed(&new);
        for warning in self.tls.reload(&new)? {
            tracing::warn!("{warning}");
        }
        self.edge_shared.settings.store(Arc::new(translate::edge_settings(&new)));
        self.edge_shared.domains.store(Arc::new(translate::offers(&new, &hosts)));
        self.shard_shared.domains.store(Arc::new(hosts));
        self.admission.set_places(translate::places(&new));
        self.config.store(Arc::new(new));
        Ok(waits)
    }

    /// How many sessions there are.
    pub async fn summary(&self) -> Summary {
        let mut all = Summary::default();
        for edge in &self.edges {
            let (answer, answered) = oneshot::channel();
            if edge.send(Arrival::Count(answer)).is_ok()
                && let Ok(one) = answered.await
            {
                all.connected += one.connected;
                all.waiting += one.waiting;
            }
        }
        all
    }

    /// Which sessions there are, and whether each has a connection.
    pub async fn sessions(&self) -> Vec<(oc_core::FullJid, bool)> {
        let mut all = Vec::new();
        for edge in &self.edges {
            let (answer, answered) = oneshot::channel();
            if edge.send(Arrival::List(answer)).is_ok()
                && let Ok(one) = answered.await
            {
                all.extend(one);
            }
        }
        all
    }

    /// Certificates in force.
    pub fn tls(&self) -> &Arc<Tls> {
        &self.tls
    }

    /// Who may come in.
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// An account was removed at the identity service: its data goes, its sessions end.
    pub fn account_removed(&self, account: oc_core::BareJid) {
        let condition = oc_core::StreamCondition::NotAuthorized;
        let error =
            oc_core::StreamError::new(condition, "RFC 6120 §4.9.3.12").text("account removed");
        self.shard_shared.switchboard.to_shard(account, ToShard::Removed { error });
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Who knows accounts.
    pub fn identity(&self) -> &Arc<dyn IdentityProvider> {
        &self.identity
    }

    /// Counters.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Where records go.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Tells everybody, waits until they have gone or `drain` has passed, and closes the store.
    pub async fn close(self) {
        let patience = self.config.load().c2s.drain.get();
        self.stop.cancel();
        let gone = self.edges.iter().filter_map(|edge| {
            let (done, gone) = oneshot::channel();
            edge.send(Arrival::Drain(done)).ok().map(|()| gone)
        });
        let gone: Vec<_> = gone.collect();
        let all_gone = async {
            for edge in gone {
                let _ = edge.await;
            }
            // What the last goodbyes stored is on its way through the shards.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let _ = self.store.drain().await;
        };
        if tokio::time::timeout(patience, all_gone).await.is_err() {
            tracing::warn!("some clients did not take their last words in time");
        }
        let store = self.store;
        let closed = tokio::task::spawn_blocking(move || store.close());
        let _ = tokio::time::timeout(Duration::from_secs(10), closed).await;
    }
}

/// One thread per pair of queues: an edge and its part of the shards.
fn start_threads(
    ends: Ends,
    edge_shared: &Arc<edge::Shared>,
    shard_shared: &Arc<ShardShared>,
) -> Result<Vec<UnboundedSender<Arrival>>, StartError> {
    let (edges, arrivals): (Vec<_>, Vec<_>) =
        ends.edges.iter().map(|_| unbounded_channel()).unzip();
    let queues = ends.edges.into_iter().zip(ends.shards).zip(arrivals);
    for (n, ((mail, shard_mail), arrivals)) in queues.enumerate() {
        let id = EdgeId(u16::try_from(n).unwrap_or(u16::MAX));
        let (edge_shared, shard_shared) = (Arc::clone(edge_shared), Arc::clone(shard_shared));
        let neighbours = edges.clone();
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "a core thread cannot start"),
            };
            let local = tokio::task::LocalSet::new();
            local.spawn_local(shard::run(shard_shared, shard_mail));
            let edge = Edge::new(id, edge_shared, neighbours);
            runtime.block_on(local.run_until(edge.run(mail, arrivals)));
        };
        let thread = std::thread::Builder::new().name(format!("core-{n}"));
        thread.spawn(serve).map_err(StartError::Thread)?;
    }
    Ok(edges)
}

async fn open_store(config: &Config) -> Result<Store, StartError> {
    let settings = store_settings(config);
    let opened = tokio::task::spawn_blocking(move || Store::open(&settings)).await;
    let (store, report) = opened.map_err(|e| StartError::Thread(std::io::Error::other(e)))??;
    for warning in &report.warnings {
        if report.is_clean() {
            tracing::warn!("{warning}");
        } else {
            // Something that was acknowledged is gone or damaged: an operator must look.
            tracing::error!("{warning}");
        }
    }
    Ok(store)
}

fn bind(address: std::net::SocketAddr) -> std::io::Result<tokio::net::TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // 0.0.0.0 and [::] stand beside each other in the default configuration.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    tokio::net::TcpListener::from_std(socket.into())
}

fn counts(config: &Config) -> HashMap<String, Arc<AtomicU64>> {
    config.domains.iter().map(|d| (d.name().to_owned(), Arc::default())).collect()
}
