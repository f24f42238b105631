//! `serve`: the house with its operator's doors and its signals, from start to end.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use oc_core::{BareJid, FullJid};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::admin::command::{SessionInfo, Status};
use crate::admin::ctl::{CtlError, Socket};
use crate::admin::monitor::{Monitor, Phase};
use crate::admin::{Desk, House as Doors, Later};
use crate::config::{Config, Engine, Sources};
use crate::house::{House, StartError};
use crate::log::LogHandle;
use crate::signals::{Signal, Signals};

/// How often the number of sessions is asked for the figures.
const COUNT_SESSIONS: Duration = Duration::from_secs(5);
/// How long removing an account waits until its data has gone.
const FORGET: Duration = Duration::from_secs(30);
/// File descriptors besides connections: listeners, store, log.
const FILES_BESIDE: u64 = 256;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data directory cannot be made.
    #[error("cannot make the data directory {}: {source}\n    fix: make it and give it to the \
             user of the server, or set [store] path", path.display())]
    Data {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The command socket cannot be opened.
    #[error(transparent)]
    Socket(#[from] CtlError),
    /// The admin listener cannot be opened.
    #[error(
        "cannot listen on {address} ([admin] listen): {source}\n    fix: end what listens \
             there, or set another address; [] switches it off"
    )]
    Admin {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The house does not stand.
    #[error(transparent)]
    House(#[from] StartError),
}

/// Runs the server until it is told to end; `ready` is called when clients can log in.
pub async fn run(
    sources: Sources,
    config: Config,
    log: Option<LogHandle>,
    mut signals: Signals,
    ready: impl FnOnce(&House),
) -> Result<(), ServeError> {
    let begun = Instant::now();
    data_directory(&config)?;
    allow_files(&config);
    let socket = config.admin_socket().map(|path| Socket::open(&path)).transpose()?;
    let listeners = admin_listeners(&config).await?;

    let house = House::open(config.clone()).await?;
    let monitor = Monitor::new(Arc::clone(house.metrics()));
    let keeper = Arc::new(Keeper { house, sources, log, begun, reloading: Mutex::new(()) });
    let mut doors = JoinSet::new();
    for listener in listeners {
        let monitor = monitor.clone();
        doors.spawn(async move {
            if let Err(error) = monitor.serve(listener).await {
                tracing::error!(%error, "the admin listener is closed");
            }
        });
    }
    doors.spawn(watch(Arc::clone(&keeper)));
    if let Some(socket) = socket {
        let identity = Arc::clone(keeper.house.identity());
        let desk = Desk::new(identity, Arc::clone(&keeper) as Arc<dyn Doors>, domains(&config));
        doors.spawn(socket.serve(desk));
    }
    monitor.enter(Phase::Ready);
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(took_ms, domains = domains(&config).join(" "), "ready");
    ready(&keeper.house);

    while signals.next().await == Signal::Reload {
        match keeper.reload().await {
            Ok(notes) => notes.iter().for_each(|note| tracing::warn!("{note}")),
            Err(error) => tracing::error!("nothing was reloaded: {error}"),
        }
    }
    tracing::info!("ending: telling clients");
    monitor.enter(Phase::Draining);
    doors.shutdown().await;
    match Arc::into_inner(keeper) {
        Some(keeper) => keeper.house.close().await,
        None => tracing::error!("a command still holds the house; it ends without a goodbye"),
    }
    tracing::info!("ended");
    Ok(())
}

fn domains(config: &Config) -> Vec<String> {
    config.domains.iter().map(|domain| domain.name().to_owned()).collect()
}

/// Only the server's user may enter the data directory.
fn data_directory(config: &Config) -> Result<(), ServeError> {
    if config.store.engine == Engine::Memory {
        return Ok(());
    }
    let path = config.store.path.path();
    make_private(path).map_err(|source| ServeError::Data { path: path.to_owned(), source })
}

/// Makes a directory that only its owner may enter; one that is there stays as it is.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Raises the number of open files as far as the system lets us, and warns if that is not enough.
fn allow_files(config: &Config) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let wanted = config.limits.connections.get() + FILES_BESIDE;
    if let Some(files) = current.filter(|files| *files < wanted) {
        tracing::warn!(
            files,
            wanted,
            "the system allows fewer open files than [limits] connections needs: raise \
             LimitNOFILE (systemd) or ulimit -n, or lower the setting"
        );
    }
}

async fn admin_listeners(config: &Config) -> Result<Vec<TcpListener>, ServeError> {
    let mut listeners = Vec::new();
    for listener in &config.admin.listen {
        let address = listener.0;
        if !listener.is_loopback() {
            tracing::warn!(setting = "admin.listen", "figures are served beyond this machine");
        }
        let bound = TcpListener::bind(address).await;
        listeners.push(bound.map_err(|source| ServeError::Admin { address, source })?);
    }
    Ok(listeners)
}

/// The running house, as the operator's doors see it.
struct Keeper {
    house: House,
    sources: Sources,
    log: Option<LogHandle>,
    begun: Instant,
    /// One reload at a time.
    reloading: Mutex<()>,
}

impl Keeper {
    /// Reads everything again; what needs a restart stays as it is, and is named.
    async fn reload(&self) -> Result<Vec<String>, String> {
        let _alone = self.reloading.lock().await;
        let new = self.sources.load().map_err(|error| error.to_string())?;
        let old = self.house.config();
        let waiting = old.restart_needed(&new);
        let mut next = Config::clone(&old);
        next.adopt(&new);
        if let Some(log) = &self.log {
            log.reload(&next.log);
        }
        let mut notes = self.house.reload(next).map_err(|error| error.to_string())?;
        if !waiting.is_empty() {
            notes.push(format!("these settings wait for a restart: {}", waiting.join(", ")));
        }
        tracing::info!("configuration and certificates are read again");
        Ok(notes)
    }

    /// Waits until the shard of the account has forgotten it on disk.
    async fn forget(&self, account: BareJid) -> Result<(), String> {
        self.house.account_removed(account.clone());
        let begun = Instant::now();
        while begun.elapsed() < FORGET {
            let saved = self.house.store().load(&account).await;
            if saved.map_err(|error| error.to_string())?.rows.is_empty() {
                return self.house.store().drain().await.map_err(|error| error.to_string());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("the account is removed, but its data is still being deleted; see the log".to_owned())
    }

    async fn status(&self) -> Status {
        let sessions = self.house.summary().await;
        let (connections, half_open) = self.house.admission().counts();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.begun.elapsed().as_secs(),
            domains: domains(&self.house.config()),
            connections: connections as u64,
            half_open: half_open as u64,
            sessions: (sessions.connected + sessions.waiting) as u64,
        }
    }
}

impl Doors for Keeper {
    fn forget(&self, account: BareJid) -> Later<'_, Result<(), String>> {
        Box::pin(self.forget(account))
    }

    fn status(&self) -> Later<'_, Result<Status, String>> {
        Box::pin(async { Ok(self.status().await) })
    }

    fn sessions(&self) -> Later<'_, Result<Vec<SessionInfo>, String>> {
        Box::pin(async {
            let mut sessions = self.house.sessions().await;
            sessions.sort();
            let info =
                |(jid, connected): (FullJid, bool)| SessionInfo { jid: jid.to_string(), connected };
            Ok(sessions.into_iter().map(info).collect())
        })
    }

    fn reload(&self) -> Later<'_, Result<Vec<String>, String>> {
        Box::pin(self.reload())
    }
}

/// Keeps the figures that others count.
async fn watch(keeper: Arc<Keeper>) {
    let metrics = keeper.house.metrics();
    let admission = Arc::clone(keeper.house.admission());
    let count = move |half_open: bool| {
        let (connections, half) = admission.counts();
        i64::try_from(if half_open { half } else { connections }).unwrap_or(i64::MAX)
    };
    let half = count.clone();
    metrics.watch("c2s_connections", "Connections of clients", move || count(false));
    metrics.watch("c2s_half_open", "Connections that have not logged in", move || half(true));
    let sessions = Arc::new([AtomicI64::new(0), AtomicI64::new(0)]);
    let (connected, waiting) = (Arc::clone(&sessions), Arc::clone(&sessions));
    metrics.watch("c2s_sessions", "Sessions with a connection, up to 5 s old", move || {
        connected[0].load(Ordering::Relaxed)
    });
    metrics.watch("c2s_waiting", "Sessions that wait for their client, up to 5 s old", move || {
        waiting[1].load(Ordering::Relaxed)
    });
    let mut again = tokio::time::interval(COUNT_SESSIONS);
    loop {
        again.tick().await;
        let summary = keeper.house.summary().await;
        for (n, count) in [summary.connected, summary.waiting].into_iter().enumerate() {
            sessions[n].store(i64::try_from(count).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }
}
