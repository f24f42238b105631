//! `check`: looks at everything that must be right before clients can log in, and says how to mend
//! it.
//!
//! Nothing is changed: no certificate is made, no directory, no account.

mod certificates;
mod names;

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::admin::command::Command;
use crate::admin::ctl;
use crate::config::{Config, Engine, Sources};

/// Free space below which the operator is warned.
const FREE_BYTES: u64 = 1024 * 1024 * 1024;
/// A clock that shows an earlier year was never set.
const YEAR_MIN: i32 = 2026;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// As it should be.
    Fine,
    /// The server works, but somebody will be unhappy.
    Warning,
    /// The server does not start, or clients cannot log in.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    level: Level,
    what: String,
    fix: Option<String>,
}

impl Finding {
    fn fine(what: impl Into<String>) -> Self {
        Self { level: Level::Fine, what: what.into(), fix: None }
    }

    fn warning(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, what: what.into(), fix: Some(fix.into()) }
    }

    fn error(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Error, what: what.into(), fix: Some(fix.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.level {
            Level::Fine => "ok     ",
            Level::Warning => "warning",
            Level::Error => "ERROR  ",
        };
        write!(f, "{mark} {}", self.what)?;
        match &self.fix {
            Some(fix) => write!(f, "\n        fix: {fix}"),
            None => Ok(()),
        }
    }
}

/// Everything that was found.
pub(crate) struct Report(Vec<Finding>);

impl Report {
    fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|finding| finding.level == level).count()
    }

    /// Errors: the server would not work.
    pub(crate) fn errors(&self) -> usize {
        self.count(Level::Error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        match (self.errors(), self.count(Level::Warning)) {
            (0, 0) => writeln!(f, "\nEverything is as it should be."),
            (0, warnings) => writeln!(f, "\nThe server works; warnings: {warnings}."),
            (errors, warnings) => writeln!(f, "\nErrors: {errors}, warnings: {warnings}."),
        }
    }
}

/// Looks at everything; the error is that of a configuration which cannot be read.
pub(crate) fn run(sources: &Sources, offline: bool) -> Result<Report, String> {
    // The configuration's own errors name their places.
    let config = sources.load().map_err(|error| error.to_string())?;
    let file = sources.file.as_ref().map(|file| format!(" {}", file.display()));
    let running = running(&config);
    let mut findings = vec![Finding::fine(format!("configuration{}", file.unwrap_or_default()))];
    findings.push(clock(&config));
    findings.extend(data(&config, running));
    findings.extend(certificates::look(&config));
    findings.extend(listeners(&config, running));
    if !offline {
        let runtime = crate::cli::runtime()?;
        findings.extend(runtime.block_on(names::look(&config)));
        runtime.shutdown_timeout(Duration::from_millis(100));
    }
    Ok(Report(findings))
}

/// Whether a server answers on this data directory.
fn running(config: &Config) -> bool {
    config.admin_socket().is_some_and(|socket| ctl::send(&socket, &Command::Status).is_ok())
}

fn clock(config: &Config) -> Finding {
    let fix = "set the clock and let it follow a time server: timedatectl set-ntp true";
    let now = SystemTime::now();
    if time::OffsetDateTime::from(now).year() < YEAR_MIN {
        return Finding::error("the clock was never set", fix);
    }
    // Data from the future means that the clock has gone back since.
    let path = config.store.path.path();
    let written = fs::metadata(path).and_then(|found| found.modified());
    let ahead = written.ok().and_then(|written| written.duration_since(now).ok());
    match ahead.filter(|ahead| *ahead > Duration::from_secs(60)) {
        Some(ahead) => Finding::error(
            format!("the data directory was written {} s in the future", ahead.as_secs()),
            fix,
        ),
        None => Finding::fine("clock"),
    }
}

fn data(config: &Config, running: bool) -> Vec<Finding> {
    if config.store.engine == Engine::Memory {
        let fix = "set [store] engine = \"fjall\"";
        return vec![Finding::warning("everything is forgotten when the server stops", fix)];
    }
    let path = config.store.path.path();
    let shown = path.display();
    let Ok(found) = fs::metadata(path) else { return vec![absent(path)] };
    if !found.is_dir() {
        return vec![Finding::error(
            format!("{shown} is not a directory"),
            "set [store] path to a directory",
        )];
    }
    let mut findings = Vec::new();
    match writable(path) {
        Ok(()) => findings.push(Finding::fine(format!("data directory {shown}"))),
        Err(error) => findings.push(Finding::error(
            format!("cannot write to the data directory {shown}: {error}"),
            format!(
                "run this as the user of the server, or give it to that user: chown -R USER {shown}"
            ),
        )),
    }
    if found.permissions().mode() & 0o077 != 0 {
        let what = format!("others on this machine may enter the data directory {shown}");
        findings.push(Finding::warning(what, format!("chmod 700 {shown}")));
    }
    if let Ok(space) = rustix::fs::statvfs(path) {
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < FREE_BYTES {
            findings.push(Finding::warning(
                format!("only {} MiB are free under {shown}", free / 1024 / 1024),
                "make room, or move the data directory",
            ));
        }
    }
    if config.store.engine == Engine::Sled {
        findings.push(Finding::warning(
            "the engine sled may lose acknowledged data in a power cut",
            "set [store] engine = \"fjall\" before there is data",
        ));
    }
    if running {
        findings.push(Finding::fine("a server is running on it"));
    }
    findings
}

/// A data directory that is not there yet: the server makes it, if it may.
fn absent(path: &Path) -> Finding {
    let above = path.ancestors().skip(1).find(|above| above.exists());
    match above.filter(|above| above.is_dir()).map(writable) {
        Some(Ok(())) => Finding::fine(format!("data directory {} will be made", path.display())),
        _ => Finding::error(
            format!("there is no data directory {}, and it cannot be made", path.display()),
            format!("install -d -m 700 -o USER {}", path.display()),
        ),
    }
}

fn writable(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?)
}

fn listeners(config: &Config, running: bool) -> Vec<Finding> {
    let all = [
        ("c2s.listen", &config.c2s.listen),
        ("c2s.listen_tls", &config.c2s.listen_tls),
        ("http.listen", &config.http.listen),
        ("http.listen_plaintext", &config.http.listen_plaintext),
        ("admin.listen", &config.admin.listen),
    ];
    let pairs = all.iter().flat_map(|(setting, list)| list.iter().map(|l| (*setting, l.0)));
    pairs.map(|(setting, address)| listener(setting, address, running)).collect()
}

fn listener(setting: &str, address: SocketAddr, running: bool) -> Finding {
    let what = format!("port {address} ({setting})");
    let Err(error) = bind(address) else { return Finding::fine(what) };
    match error.kind() {
        io::ErrorKind::AddrInUse if running => Finding::fine(format!("{what}: the running server")),
        io::ErrorKind::AddrInUse => Finding::error(
            format!("{what} is taken by another program"),
            format!(
                "see which: ss -ltnp 'sport = :{}'; end it, or set another port",
                address.port()
            ),
        ),
        io::ErrorKind::PermissionDenied => Finding::error(
            format!("{what} is not allowed: ports below 1024 need a privilege"),
            "give it with AmbientCapabilities=CAP_NET_BIND_SERVICE (systemd), or set another port",
        ),
        io::ErrorKind::AddrNotAvailable => Finding::error(
            format!("{what}: this machine has no such address"),
            "set one of the addresses that `ip addr` shows, or 0.0.0.0 and [::]",
        ),
        _ => Finding::error(format!("{what}: {error}"), "set another address"),
    }
}

/// Binds as the server does: an IPv6 address stands for IPv6 only.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests;
