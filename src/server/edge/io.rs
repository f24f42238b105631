//! Bytes of one connection: plain TCP, or TLS by rustls without a buffer of our own.
//!
//! Nothing here waits: the connection's task waits for readiness and then reads into a scratch
//! buffer that all connections of the thread share, so an idle connection keeps none.

use std::io::{self, Read, Write};

use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConnection;

/// A TCP connection, encrypted or not.
pub(super) struct Io {
    tcp: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

/// The same between two edges, bound to no runtime.
pub(super) struct Moving {
    tcp: std::net::TcpStream,
    tls: Option<Box<ServerConnection>>,
}

/// What a read found.
pub(super) enum Found {
    /// So many bytes of plain text.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// TLS has just become ready; there may be bytes too.
    Secured,
    /// The peer has closed, orderly or not.
    Closed,
}

impl Io {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Self { tcp, tls: None }
    }

    /// TLS begins with the next byte.
    pub(super) fn secure(&mut self, session: ServerConnection) {
        self.tls = Some(Box::new(session));
    }

    pub(super) fn tls(&self) -> Option<&ServerConnection> {
        self.tls.as_deref()
    }

    /// Waits until something can be read or, if `writing`, written.
    pub(super) async fn ready(&self, reading: bool, writing: bool) -> io::Result<Ready> {
        let writing = writing || self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        match (reading, writing) {
            (true, true) => self.tcp.ready(Interest::READABLE | Interest::WRITABLE).await,
            (true, false) => self.tcp.ready(Interest::READABLE).await,
            (false, true) => self.tcp.ready(Interest::WRITABLE).await,
            (false, false) => std::future::pending().await,
        }
    }

    /// Reads plain text into `scratch`.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> io::Result<Found> {
        let Some(tls) = &mut self.tls else {
            return match self.tcp.try_read(scratch) {
                Ok(0) => Ok(Found::Closed),
                Ok(n) => Ok(Found::Bytes(n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Found::Nothing),
                Err(e) => Err(e),
            };
        };
        loop {
            match tls.reader().read(scratch) {
                Ok(0) => return Ok(Found::Closed),
                Ok(n) => return Ok(Found::Bytes(n)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Found::Closed),
                Err(e) => return Err(e),
            }
            match tls.read_tls(&mut Socket(&self.tcp)) {
                Ok(0) => return Ok(Found::Closed),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(Found::Nothing),
                Err(e) => return Err(e),
            }
            let before = tls.is_handshaking();
            let processed = tls.process_new_packets();
            if let Err(error) = processed {
                // The alert tells the peer why; whether it still hears it does not matter.
                let _ = tls.write_tls(&mut Socket(&self.tcp));
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            if before {
                while tls.wants_write() {
                    match tls.write_tls(&mut Socket(&self.tcp)) {
                        Ok(_) => {}
                        Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                        Err(e) => return Err(e),
                    }
                }
                if !tls.is_handshaking() {
                    return Ok(Found::Secured);
                }
            }
        }
    }

    /// Writes from the front of `out`; true when all of it has left, TLS records included.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut done = 0;
        let result = match &mut self.tls {
            None => write_plain(&self.tcp, out, &mut done),
            Some(tls) => write_tls(&self.tcp, tls, out, &mut done),
        };
        if done == out.len() {
            out.clear();
            // An idle connection keeps no buffer.
            out.shrink_to(0);
        } else {
            out.drain(..done);
        }
        result
    }

    /// Says goodbye at the TLS level.
    pub(super) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = tls.write_tls(&mut Socket(&self.tcp));
        }
    }

    pub(super) fn leave(self) -> io::Result<Moving> {
        Ok(Moving { tcp: self.tcp.into_std()?, tls: self.tls })
    }

    pub(super) fn arrive(moving: Moving) -> io::Result<Self> {
        Ok(Self { tcp: TcpStream::from_std(moving.tcp)?, tls: moving.tls })
    }
}

fn write_plain(tcp: &TcpStream, out: &[u8], done: &mut usize) -> io::Result<bool> {
    while *done < out.len() {
        match tcp.try_write(&out[*done..]) {
            Ok(n) => *done += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

fn write_tls(
    tcp: &TcpStream,
    tls: &mut ServerConnection,
    out: &[u8],
    done: &mut usize,
) -> io::Result<bool> {
    loop {
        *done += tls.writer().write(&out[*done..])?;
        while tls.wants_write() {
            match tls.write_tls(&mut Socket(tcp)) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
        if *done == out.len() {
            return Ok(true);
        }
    }
}

/// The socket as rustls wants it.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buf)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    fn write_vectored(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
