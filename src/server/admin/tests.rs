use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

use oc_core::auth::{AuthChannel, AuthFailure, AuthId, AuthReply, AuthStep};
use oc_ocms::Answer as IdentityLater;
use tempfile::TempDir;

use super::command::{Address, Password};
use super::ctl::{CtlError, Socket};
use super::*;

/// Knows names, and nothing else.
#[derive(Default)]
struct Names(Mutex<BTreeSet<String>>);

impl IdentityProvider for Names {
    fn mechanisms(&self, _: &str, _: &AuthChannel) -> Vec<String> {
        Vec::new()
    }

    fn fast_mechanisms(&self, _: &str, _: &AuthChannel) -> Vec<String> {
        Vec::new()
    }

    fn upgrades(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn auth(&self, _: AuthId, _: AuthStep) -> IdentityLater<'_, AuthReply> {
        Box::pin(async { AuthReply::Failure(AuthFailure::NotAuthorized) })
    }

    fn command(&self, command: IdentityCommand) -> IdentityLater<'_, IdentityAnswer> {
        let mut names = self.0.lock().unwrap();
        let found =
            |found, no| if found { IdentityAnswer::Done } else { IdentityAnswer::Refused(no) };
        let answer = match command {
            IdentityCommand::Create { account, password, .. } => {
                assert_eq!(password.0, b"s\"cret \\ \xc3\xa4");
                found(names.insert(account.to_string()), IdentityRefusal::Exists)
            }
            IdentityCommand::Remove { account } => {
                found(names.remove(account.as_str()), IdentityRefusal::NotFound)
            }
            IdentityCommand::List { .. } => {
                IdentityAnswer::Accounts(names.iter().map(|name| name.parse().unwrap()).collect())
            }
            IdentityCommand::Invite { .. } => IdentityAnswer::Invitation("TOKEN".to_owned()),
            _ => IdentityAnswer::Refused(IdentityRefusal::NotAllowed),
        };
        Box::pin(async { answer })
    }
}

/// Remembers what it was asked.
#[derive(Default)]
struct Walls(Mutex<Vec<String>>);

impl House for Walls {
    fn forget(&self, account: BareJid) -> Later<'_, Result<(), String>> {
        self.0.lock().unwrap().push(format!("forget {account}"));
        Box::pin(async { Ok(()) })
    }

    fn status(&self) -> Later<'_, Result<Status, String>> {
        Box::pin(async { Ok(Status { sessions: 3, ..Status::default() }) })
    }

    fn sessions(&self) -> Later<'_, Result<Vec<SessionInfo>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn reload(&self) -> Later<'_, Result<Vec<String>, String>> {
        Box::pin(async { Err("server.toml:3: no".to_owned()) })
    }
}

fn address(text: &str) -> Address {
    Address(text.parse().unwrap())
}

fn add(account: &str) -> Command {
    Command::UserAdd {
        account: address(account),
        password: Password::new("s\"cret \\ ä".to_owned()),
    }
}

/// A desk behind a socket, served by a thread of its own.
struct Served {
    place: TempDir,
    walls: Arc<Walls>,
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    fn new() -> Self {
        let place = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let walls = Arc::new(Walls::default());
        let house: Arc<dyn House> = walls.clone();
        let domains = vec!["example.org".to_owned()];
        let desk = Desk::new(Arc::new(Names::default()), house, domains);
        let _guard = runtime.enter();
        let socket = Socket::open(&place.path().join("run/admin.sock")).unwrap();
        runtime.spawn(socket.serve(desk));
        drop(_guard);
        Self { place, walls, _runtime: runtime }
    }

    fn send(&self, command: &Command) -> Answer {
        ctl::send(&self.place.path().join("run/admin.sock"), command).unwrap()
    }
}

#[test]
fn commands_pass_through_the_socket() {
    let served = Served::new();
    assert_eq!(served.send(&add("juliet@example.org")), Answer::Done);
    let again = Answer::refused("there is an account of that name already");
    assert_eq!(served.send(&add("juliet@example.org")), again);
    let users = vec!["juliet@example.org".to_owned()];
    assert_eq!(served.send(&Command::UserList { domain: None }), Answer::Users { users });
    let Answer::Status(status) = served.send(&Command::Status) else { panic!() };
    assert_eq!(status.sessions, 3);
    assert_eq!(served.send(&Command::Reload), Answer::refused("server.toml:3: no"));
    let invite = Command::invite("romeo@example.org".parse().unwrap(), Duration::from_secs(60));
    let uri = "xmpp:romeo@example.org?register;preauth=TOKEN".to_owned();
    assert_eq!(served.send(&invite), Answer::Invitation { uri });
}

#[test]
fn removing_an_account_forgets_its_data_and_can_be_repeated() {
    let served = Served::new();
    served.send(&add("juliet@example.org"));
    let remove = Command::UserRemove { account: address("juliet@example.org") };
    assert_eq!(served.send(&remove), Answer::Done);
    // Data that a removal left behind when it was cut short goes at the second attempt.
    assert_eq!(served.send(&remove), Answer::refused("there is no such account"));
    assert_eq!(served.walls.0.lock().unwrap().len(), 2);
}

#[test]
fn addresses_of_others_are_refused() {
    let served = Served::new();
    let reason = "this server does not serve example.com; it serves example.org";
    assert_eq!(served.send(&add("juliet@example.com")), Answer::refused(reason));
    let reason = "example.org has no name before the @";
    assert_eq!(served.send(&add("example.org")), Answer::refused(reason));
    assert!(served.walls.0.lock().unwrap().is_empty());
}

#[test]
fn socket_is_private_and_replaced_only_when_it_is_dead() {
    let served = Served::new();
    let path = served.place.path().join("run/admin.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let _guard = served._runtime.enter();
    assert!(matches!(Socket::open(&path), Err(CtlError::Running(_))));

    let dead = served.place.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    assert!(matches!(ctl::send(&dead, &Command::Status), Err(CtlError::NotRunning(_))));
    let socket = Socket::open(&dead).expect("a dead server's socket is replaced");
    drop(socket);
    assert!(!dead.exists(), "and gone when the server ends");
    let nowhere = ctl::send(Path::new("/nowhere/admin.sock"), &Command::Status);
    assert!(matches!(nowhere, Err(CtlError::NotRunning(_))));
}

#[test]
fn rubbish_is_answered_and_bounded() {
    use std::io::{BufRead, BufReader, Write};
    let served = Served::new();
    let path = served.place.path().join("run/admin.sock");
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    writeln!(stream, "{{\"command\":\"fly\"}}").unwrap();
    let answer = lines.next().unwrap().unwrap();
    assert!(answer.contains("refused") && answer.contains("unknown variant `fly`"), "{answer}");
    writeln!(stream, "{{\"command\":\"user-list\",\"domian\":\"x\"}}").unwrap();
    assert!(lines.next().unwrap().unwrap().contains("unknown field `domian`"));
    writeln!(stream, "{{\"command\":\"status\"}}").unwrap();
    assert!(lines.next().unwrap().unwrap().contains("\"sessions\":3"));

    let mut endless = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let sent = (0..64).map(|_| endless.write_all(&[b'x'; 4096])).filter(Result::is_ok).count();
    let mut answer = String::new();
    let read = BufReader::new(endless).read_line(&mut answer);
    assert!(read.is_err() || answer.contains("refused"), "{sent} {answer}");
}

#[test]
fn passwords_are_not_printed() {
    assert!(!format!("{:?}", add("juliet@example.org")).contains("cret"));
}

#[tokio::test]
async fn monitoring_follows_the_life_of_the_server() {
    use monitor::{Monitor, Phase};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let metrics = Arc::new(crate::metrics::Metrics::new());
    metrics.stanzas_in.inc();
    let monitor = Monitor::new(metrics);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(monitor.clone().serve(listener));
    let get = async |path: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert!(get("/health").await.starts_with("HTTP/1.1 200 "));
    let answer = get("/ready").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("starting"), "{answer}");
    monitor.enter(Phase::Ready);
    assert!(get("/ready").await.starts_with("HTTP/1.1 200 "));
    monitor.enter(Phase::Draining);
    assert!(get("/ready").await.contains("draining"));
    let answer = get("/metrics").await;
    assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
    assert!(answer.contains("open_conference_c2s_stanzas_in_total 1"), "{answer}");
    assert!(get("/elsewhere").await.starts_with("HTTP/1.1 404 "));
}
