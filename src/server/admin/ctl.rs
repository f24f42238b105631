//! The command socket: a Unix socket on which one line of JSON is a [`Command`] and the next an
//! [`Answer`].
//!
//! Only the server's own user and root may open it: the file has mode 0600, and the kernel is asked
//! who the other side is.

use std::fs;
use std::io::{self, BufRead, BufReader as StdBufReader, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Desk;
use super::command::{Answer, Command};

/// Bytes of one command.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// How long a connection may stay silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How long the command line waits for an answer: removing an account takes as long as its data.
const ANSWER: Duration = Duration::from_secs(120);

/// Why the socket cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// Nobody listens.
    #[error("no server is running at {}", .0.display())]
    NotRunning(PathBuf),
    /// Somebody listens already.
    #[error("another server is running on {}: stop it first", .0.display())]
    Running(PathBuf),
    /// The system refuses.
    #[error("the command socket {}: {source}; run this as the user of the server", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The other side broke off or speaks another language.
    #[error("the server did not answer properly: {0}")]
    Garbled(String),
}

/// An open command socket; the file goes when it is dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Opens the socket. A file that a dead server left behind is replaced; a live one is an error.
    pub fn open(path: &Path) -> Result<Self, CtlError> {
        let refused = |source| CtlError::Refused { path: path.to_owned(), source };
        match StdStream::connect(path) {
            Ok(_) => return Err(CtlError::Running(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(refused)?;
            }
            Err(_) => {}
        }
        if let Some(directory) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(directory).map_err(refused)?;
        }
        let listener = UnixListener::bind(path).map_err(refused)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(refused)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves commands until it is cancelled.
    pub async fn serve(self, desk: Desk) {
        // Dropped with this future, which ends what is under way.
        let mut conversations = JoinSet::new();
        loop {
            while conversations.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let desk = desk.clone();
                    conversations.spawn(async move {
                        if let Err(error) = converse(stream, &desk).await {
                            tracing::debug!(%error, "command connection");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "command socket");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, desk: &Desk) -> io::Result<()> {
    // Between bind and chmod the file may have been open to others.
    let peer = stream.peer_cred()?.uid();
    if peer != geteuid().as_raw() && peer != 0 {
        tracing::warn!(uid = peer, "a stranger opened the command socket");
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(LINE_BYTES_MAX));
    let mut line = String::new();
    loop {
        line.clear();
        reader.get_mut().set_limit(LINE_BYTES_MAX);
        let read = timeout(SILENCE, reader.read_line(&mut line)).await;
        if read.map_err(|_| io::ErrorKind::TimedOut)?? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_str::<Command>(&line) {
            Ok(command) => desk.execute(command).await,
            Err(error) => Answer::refused(format!("this is not a command: {error}")),
        };
        zeroize::Zeroize::zeroize(&mut line);
        let mut text = serde_json::to_string(&answer)?;
        text.push('\n');
        writer.write_all(text.as_bytes()).await?;
    }
}

/// Sends one command to the server at `path` and waits for its answer. Blocks.
pub fn send(path: &Path, command: &Command) -> Result<Answer, CtlError> {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
    let mut stream = StdStream::connect(path).map_err(|source| match source.kind() {
        NotFound | ConnectionRefused | NotADirectory => CtlError::NotRunning(path.to_owned()),
        _ => CtlError::Refused { path: path.to_owned(), source },
    })?;
    let garbled = |error: io::Error| CtlError::Garbled(error.to_string());
    stream.set_read_timeout(Some(ANSWER)).map_err(garbled)?;
    let text = serde_json::to_string(command);
    let mut text =
        zeroize::Zeroizing::new(text.map_err(|error| CtlError::Garbled(error.to_string()))?);
    text.push('\n');
    stream.write_all(text.as_bytes()).map_err(garbled)?;
    let mut line = String::new();
    StdBufReader::new(stream).read_line(&mut line).map_err(garbled)?;
    serde_json::from_str(&line).map_err(|error| CtlError::Garbled(error.to_string()))
}
