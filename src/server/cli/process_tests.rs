//! The binary as an operator meets it: processes, sockets, signals and exit codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program: it may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Everything of one test: its directory and its ports.
struct Place {
    directory: TempDir,
    ports: [u16; 4],
}

impl Place {
    fn new() -> Self {
        let held: [TcpListener; 4] =
            std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = held.each_ref().map(|listener| listener.local_addr().unwrap().port());
        Self { directory: TempDir::new().unwrap(), ports }
    }

    fn data(&self) -> String {
        self.directory.path().join("data").to_string_lossy().into_owned()
    }

    /// Overrides that move a server to this place.
    fn set(&self) -> Vec<String> {
        let [c2s, tls, http, admin] = self.ports;
        let all = [
            format!("c2s.listen=127.0.0.1:{c2s}"),
            format!("c2s.listen_tls=127.0.0.1:{tls}"),
            format!("http.listen=127.0.0.1:{http}"),
            format!("admin.listen=127.0.0.1:{admin}"),
            format!("store.path={}", self.data()),
            // SCRAM at full strength is slow without optimisation.
            "auth.iterations=4096".to_owned(),
            "auth.iterations_sha1=4096".to_owned(),
        ];
        all.into_iter().flat_map(|set| ["--set".to_owned(), set]).collect()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_open-conference"));
        command.args(words).args(self.set());
        command.env("XDG_STATE_HOME", self.directory.path().join("state"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What a command that must succeed prints.
    fn says(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", error(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn serve(&self, more: &[&str]) -> Server {
        let words = [&["serve", "--set", "domain.name=example.org"], more].concat();
        let begun = Instant::now();
        let mut child = self.command(&words).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut server = Server { child, before: vec![], rest: None, took: Duration::ZERO };
        let ready = log.find(|line| {
            server.before.push(line.clone());
            line.contains(" ready ")
        });
        assert!(ready.is_some(), "the server did not start: {:#?}", server.before);
        server.took = begun.elapsed();
        server.rest = Some(std::thread::spawn(move || log.collect()));
        server
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[3])).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Place {
    /// Over HTTPS, trusting only the certificate that the demo made.
    fn get_tls(&self, path: &str) -> String {
        let file = Path::new(&self.data()).join("certificates/localhost.crt");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(open_conference::tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let tcp = TcpStream::connect(("127.0.0.1", self.ports[2])).unwrap();
        let mut stream = StreamOwned::new(client, tcp);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        // Some end without close_notify; what they said counts all the same.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }
}

/// A server that is running.
struct Server {
    child: Child,
    before: Vec<String>,
    rest: Option<std::thread::JoinHandle<Vec<String>>>,
    took: Duration,
}

impl Server {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends it in good order; its whole log comes back.
    fn end(mut self) -> Vec<String> {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let mut log = std::mem::take(&mut self.before);
        log.extend(self.rest.take().unwrap().join().unwrap());
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn accounts_with_and_without_a_running_server() {
    let place = Place::new();
    let domain = ["--set", "domain.name=example.org"];
    let with = |words: &[&'static str]| [words, &domain].concat();

    // Nobody runs: the data directory itself.
    let password = place.says(&with(&["user", "add", "juliet@example.org", "--generate"]));
    assert_eq!(password.trim().len(), 20);
    let again = place.run(&with(&["user", "add", "juliet@example.org", "--generate"]));
    assert_eq!(again.status.code(), Some(1));
    assert!(error(&again).contains("there is an account of that name already"));
    assert!(again.stdout.is_empty(), "no password of an account that was not made");
    assert_eq!(place.says(&with(&["user", "list"])), "juliet@example.org\n");

    // Now through the server, which must know what was done before.
    let server = place.serve(&[]);
    let mut add = place.command(&with(&["user", "add", "romeo@example.org", "--password-stdin"]));
    let mut add = add.stdin(Stdio::piped()).spawn().unwrap();
    add.stdin.take().unwrap().write_all("wherefore art thou\n".as_bytes()).unwrap();
    assert!(add.wait().unwrap().success());
    let both = "juliet@example.org\nromeo@example.org\n";
    assert_eq!(place.says(&with(&["user", "list", "example.org"])), both);
    assert!(place.says(&with(&["status"])).contains("domains      example.org"));
    assert_eq!(place.says(&with(&["sessions"])), "");
    place.says(&with(&["user", "remove", "juliet@example.org"]));
    let log = server.end();
    for secret in ["wherefore", password.trim(), "romeo", "juliet", "127.0.0.1"] {
        let leak = log.iter().find(|line| line.contains(secret));
        assert_eq!(leak, None, "{secret} in the log");
    }

    assert_eq!(place.says(&with(&["user", "list"])), "romeo@example.org\n");
    place.says(&with(&["user", "remove", "romeo@example.org"]));
    assert_eq!(place.says(&with(&["user", "list"])), "");
    let status = place.run(&with(&["status"]));
    assert!(error(&status).contains("no server is running on this data directory"));
    let ask = place.run(&with(&["user", "add", "romeo@example.org"]));
    assert!(error(&ask).contains("use --password-stdin or --generate"), "{}", error(&ask));
}

#[test]
fn monitoring_reload_and_end() {
    let place = Place::new();
    let file = place.directory.path().join("server.toml");
    std::fs::write(&file, "[c2s]\nresume = \"1 min\"\n").unwrap();
    let file = file.to_string_lossy().into_owned();
    let server = place.serve(&["--config", &file]);
    assert!(place.get("/ready").starts_with("HTTP/1.1 200"));
    assert!(place.get("/health").starts_with("HTTP/1.1 200"));
    let figures = place.get("/metrics");
    for name in ["c2s_connections 0", "c2s_sessions 0", "store_commit_seconds_count"] {
        assert!(figures.contains(&format!("\nopen_conference_{name}")), "{name} in {figures}");
    }

    let reload = ["reload", "--set", "domain.name=example.org"];
    assert!(place.says(&reload).contains("are read again"));
    std::fs::write(&file, "[c2s]\nresume = 1\n").unwrap();
    let refused = place.run(&reload);
    assert_eq!(refused.status.code(), Some(1));
    assert!(error(&refused).contains("server.toml:2: [c2s] resume: 1 is not a length of time"));
    server.signal(Signal::HUP);
    std::fs::write(&file, "[c2s]\nresume = \"3 min\"\n[log]\nformat = \"json\"\n").unwrap();
    assert!(place.says(&reload).contains("these settings wait for a restart: [log] format"));
    assert!(place.get("/ready").starts_with("HTTP/1.1 200"), "it still runs");
    let log = server.end();
    assert!(log.last().is_some_and(|line| line.contains("ended")), "{log:?}");
    assert!(TcpStream::connect(("127.0.0.1", place.ports[0])).is_err());
}

#[test]
fn two_servers_on_one_directory_are_one_too_many() {
    let place = Place::new();
    let server = place.serve(&[]);
    let second = place.run(&["serve", "--set", "domain.name=example.org"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(error(&second).contains("another server is running"), "{}", error(&second));
    drop(server);
    // That one was killed; its socket and locks must not be in the way.
    place.serve(&[]).end();
}

#[test]
fn wrong_configuration_stops_the_start_with_place_and_fix() {
    let place = Place::new();
    let output = place.run(&["serve", "--set", "domain.nmae=example.org"]);
    assert_eq!(output.status.code(), Some(1));
    let text = error(&output);
    assert!(text.contains("--set domain.nmae=example.org: [domain] nmae: there is no such"));
    assert!(text.contains("fix: did you mean name?"), "{text}");
    assert_eq!(place.run(&["fly"]).status.code(), Some(2));
    let taken = TcpListener::bind(("127.0.0.1", place.ports[0])).unwrap();
    let output = place.run(&["serve", "--set", "domain.name=example.org"]);
    assert!(error(&output).contains("(c2s.listen)"), "{}", error(&output));
    drop(taken);
    assert!(!Path::new(&place.data()).join("admin.sock").exists());
}

#[test]
fn check_says_what_is_wrong() {
    let place = Place::new();
    let check = ["check", "--offline", "--set", "domain.name=example.org"];
    let text = place.says(&check);
    assert!(text.contains("has no certificate but a self-signed one"), "{text}");
    assert!(!Path::new(&place.data()).exists(), "check makes nothing");
    let taken = TcpListener::bind(("127.0.0.1", place.ports[1])).unwrap();
    let output = place.run(&check);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("(c2s.listen_tls) is taken by another program"), "{text}");
    drop(taken);
    let server = place.serve(&[]);
    let text = place.says(&check);
    assert!(text.contains("a server is running on it"), "{text}");
    server.end();
}

#[test]
fn demo_tells_everything_and_works_again() {
    let place = Place::new();
    let mut letters = Vec::new();
    for _ in 0..2 {
        let mut child = place.command(&["demo"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let letter = lines.take_while(|line| !line.contains("Ctrl-C")).collect::<Vec<_>>();
        let mut server = Server { child, before: vec![], rest: None, took: Duration::ZERO };
        let mut stream = TcpStream::connect(("127.0.0.1", place.ports[0])).unwrap();
        stream.write_all(open().as_bytes()).unwrap();
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.contains("<stream:stream") || answer.contains("<?xml"), "{answer}");
        let mut urls = 0;
        for line in &letter {
            let Some((scheme, rest)) = line.trim().split_once("://") else { continue };
            let path = &rest[rest.find('/').unwrap()..];
            // A WebSocket answers that this is no handshake (RFC 6455).
            let (answer, status) = match scheme {
                "http" => (place.get(path), "200"),
                "https" => (place.get_tls(path), "200"),
                "wss" => (place.get_tls(path), "400"),
                _ => continue,
            };
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
            urls += 1;
        }
        assert!(urls >= 6, "{letter:#?}");
        server.signal(Signal::INT);
        assert!(server.child.wait().unwrap().success());
        letters.push(letter);
    }
    assert_eq!(letters[0], letters[1], "same passwords, same certificate");
    let text = letters[0].join("\n");
    for word in ["alice@localhost", "bob@localhost", "/metrics", "SHA-256", "STARTTLS"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

/// What a client says first (RFC 6120 §4.2).
fn open() -> String {
    let (client, stream) = (oc_core::ns::CLIENT, oc_core::ns::STREAM);
    format!(
        "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='{client}' \
         xmlns:stream='{stream}'>"
    )
}

#[test]
fn conformance_profile_is_ready_within_a_second() {
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/server-conformance.toml");
    let http = format!("http.listen_plaintext=127.0.0.1:{}", place.ports[2]);
    let none = "http.listen=[]";
    // The ports of the place win over those of the file, except that HTTPS gives way.
    let words = ["--config", file, "--set", &http];
    let mut command = place.command(&[&["serve"], &words[..]].concat());
    command.args(["--set", none]).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let ready = log.find(|line| line.contains(" ready "));
    let server = Server { child, before: vec![], rest: None, took: begun.elapsed() };
    assert!(ready.is_some_and(|line| line.contains("anon.example.org")));
    assert!(server.took < Duration::from_secs(1), "{:?}", server.took);
    assert!(!Path::new(&place.data()).exists(), "nothing is kept");
}
