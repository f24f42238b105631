//! `demo`: the whole server on 127.0.0.1, for whoever wants to see it in a minute.
//!
//! Everything is kept in a private directory of the user's, so that a second start finds
//! certificate, accounts and data again. The two passwords stand in a file there, because the
//! identity service keeps none that could be printed.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use oc_core::BareJid;
use rustix::process::geteuid;
use sha2::{Digest, Sha256};

use crate::admin::command::{Address, Answer, Command, Password};
use crate::admin::local;
use crate::cli::{self, generate};
use crate::config::address::Listener;
use crate::config::{Config, Sources};
use crate::house::House;
use crate::http;
use crate::serve::make_private;

/// Accounts of the demonstration.
const USERS: [&str; 2] = ["alice@localhost", "bob@localhost"];
/// File with their passwords, in the data directory.
const PASSWORDS: &str = "demo-passwords";

/// Runs the demonstration; `set` are overrides of the person's own, `tell` shows what is needed to
/// log in.
pub(crate) fn run(set: Vec<String>, tell: impl FnOnce(&str)) -> Result<(), String> {
    let place = directory()?;
    let config = sources(&place, set.clone()).load().map_err(|error| error.to_string())?;
    let place = config.store.path.path().to_owned();
    make_private(&place)
        .and_then(|()| ours(&place))
        .map_err(|error| format!("cannot use the directory {}: {error}", place.display()))?;
    let users = accounts(&config, &place)?;
    let sources = sources(&place, set);
    let shown = config.clone();
    cli::start(sources, config, move |house| tell(&letter(&shown, &users, house)))
}

/// Where the demonstration lives: the user's state directory, or else the one for temporary files.
fn directory() -> Result<PathBuf, String> {
    let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = variable("XDG_STATE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("open-conference/demo"));
    if let Some(state) = state.filter(|path| make_private(path).is_ok()) {
        return Ok(state);
    }
    let name = format!("open-conference-demo-{}", geteuid().as_raw());
    Ok(env::temp_dir().join(name))
}

/// Somebody else could have made the directory first, where everybody may write.
fn ours(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return Err(io::Error::other("it belongs to somebody else; remove it"));
    }
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

fn sources(place: &Path, set: Vec<String>) -> Sources {
    let mut all = vec![
        "domain.name=localhost".to_owned(),
        "c2s.listen=127.0.0.1:5222".to_owned(),
        "c2s.listen_tls=127.0.0.1:5223".to_owned(),
        "http.listen=127.0.0.1:5281".to_owned(),
        "admin.listen=127.0.0.1:5280".to_owned(),
        format!("store.path={}", place.display()),
        // What it would warn of is said in the letter.
        "log.level=warn,open_conference::house=error".to_owned(),
        "limits.connections=1000".to_owned(),
    ];
    all.extend(set);
    Sources { file: None, set: all }
}

/// The accounts with their passwords: those of the last start, or new ones.
fn accounts(config: &Config, place: &Path) -> Result<Vec<(BareJid, Password)>, String> {
    let file = place.join(PASSWORDS);
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let mut text = String::new();
    let mut users = Vec::new();
    for name in USERS {
        let account = BareJid::new(name).map_err(|error| error.to_string())?;
        let kept = kept.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let password = kept.map_or_else(generate, |kept| Password::new(kept.to_owned()));
        let _ = writeln!(text, "{name} {}", password.reveal());
        users.push((account, password, kept.is_some()));
    }
    if text != kept {
        // First the file: an account whose password nobody knows helps nobody.
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&file);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    let runtime = cli::runtime()?;
    let order = |command| match runtime.block_on(local::execute(config, command)) {
        Ok(answer) => Ok(answer),
        Err(error) => Err(error.to_string()),
    };
    let Answer::Users { users: there } = order(Command::UserList { domain: None })? else {
        return Err("the identity service does not list its accounts".to_owned());
    };
    let mut ready = Vec::new();
    for (jid, password, kept) in users {
        let account = Address(jid.clone());
        let exists = there.iter().any(|name| name == jid.as_str());
        let command = match (exists, kept) {
            (true, true) => None,
            (true, false) => Some(Command::UserPasswd { account, password: password.clone() }),
            (false, _) => Some(Command::UserAdd { account, password: password.clone() }),
        };
        if let Some(Answer::Refused { reason }) = command.map(&order).transpose()? {
            return Err(format!("cannot make the account {jid}: {reason}"));
        }
        ready.push((jid, password));
    }
    Ok(ready)
}

/// What a person needs to log in.
fn letter(config: &Config, users: &[(BareJid, Password)], house: &House) -> String {
    let mut out =
        String::from("\nOpen Conference is running on this computer, for this computer.\n\n");
    for (account, password) in users {
        let _ = writeln!(out, "  Account   {account}    password  {}", password.reveal());
    }
    let addresses = |listeners: &[Listener]| {
        listeners.iter().map(|listener| listener.0.to_string()).collect::<Vec<_>>().join(", ")
    };
    out.push_str("\nIn your client, where it asks for server, port and security:\n\n");
    for (listeners, security) in
        [(&config.c2s.listen, "STARTTLS"), (&config.c2s.listen_tls, "TLS (direct, \"legacy SSL\")")]
    {
        for listener in listeners.iter() {
            let (ip, port) = (listener.0.ip(), listener.0.port());
            let _ = writeln!(out, "  Server {ip}   port {port}   {security}");
        }
    }
    out.push_str(
        "\nIt will ask about the certificate, which this server made itself. SHA-256:\n  ",
    );
    out.push_str(&fingerprint(house));
    out.push('\n');
    if let Some((domain, url)) =
        config.domains.first().and_then(|domain| Some((domain, config.public_url(domain)?)))
    {
        let _ = write!(
            out,
            "\nFor clients in browsers (open {url}/ first, to accept the certificate):\n\n"
        );
        let links = http::links(config, domain);
        for link in [links.websocket, links.bosh].into_iter().flatten() {
            let _ = writeln!(out, "  {link}");
        }
        for document in ["host-meta", "host-meta.json"] {
            let _ = writeln!(out, "  {url}/.well-known/{document}");
        }
    }
    if !config.admin.listen.is_empty() {
        out.push_str("\nFor you, as the operator:\n\n");
        for path in ["metrics", "health", "ready"] {
            let _ = writeln!(out, "  http://{}/{path}", addresses(&config.admin.listen[..1]));
        }
    }
    let place = config.store.path.path().display();
    let _ = writeln!(out, "\nEverything is kept in {place}; remove it to start anew.");
    out.push_str("Ctrl-C ends the server.\n\n");
    out
}

/// The certificate's fingerprint, as clients show it.
fn fingerprint(house: &House) -> String {
    let acceptor = house.tls().c2s();
    let der = acceptor.certificate(None).and_then(|certificate| certificate.key.cert.first());
    let digest = Sha256::digest(der.map_or(&[][..], |der| der.as_ref()));
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
