//! The server under test: started with a configuration of ours on loopback, stopped by its process
//! id.

use std::{
    env, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio_rustls::rustls::pki_types::CertificateDer;

mod ejabberd;
mod ours;
mod prosody;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Prosody,
    Ejabberd,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Ours, Self::Prosody, Self::Ejabberd];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Prosody => "prosody",
            Self::Ejabberd => "ejabberd",
        }
    }
}

/// Where the subject listens and what its certificate hangs from.
#[derive(Clone, Debug)]
pub struct Place {
    pub starttls: SocketAddr,
    pub tls: SocketAddr,
    pub http: SocketAddr,
    pub ca: CertificateDer<'static>,
}

/// A running subject; dropping it stops it.
pub struct Subject {
    pub place: Place,
    child: Child,
    dir: PathBuf,
    /// From start to the first accepted connection.
    pub ready: Duration,
}

/// Whether accounts are kept with SHA-256 only, so that every server has the same work at login; a
/// rival that is not told keeps SHA-1, its default.
fn sha256_only() -> bool {
    env::var_os("OC_SHA256").is_some()
}

/// Paths and addresses that go into a configuration.
pub struct Plan<'a> {
    pub dir: &'a Path,
    pub cert: String,
    pub key: String,
    pub ip: IpAddr,
    pub place: &'a Place,
}

pub const DOMAIN: &str = "example.org";
pub const ANONYMOUS: &str = "anon.example.org";

impl Subject {
    /// Starts a server and waits until it accepts connections.
    pub fn start(kind: Kind) -> Result<Self, String> {
        let dir =
            env::temp_dir().join(format!("oc-conformance-{}-{}", kind.name(), std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 33, 1 + kind as u8));
        let port = |n: u16| SocketAddr::new(ip, n);
        let ca = certificates(&dir)?;
        let place = Place { starttls: port(25222), tls: port(25223), http: port(25281), ca };
        let text = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let plan =
            Plan { dir: &dir, cert: text("chain.pem"), key: text("key.pem"), ip, place: &place };
        let mut command = match kind {
            Kind::Ours => ours::command(&plan)?,
            Kind::Prosody => prosody::command(&plan)?,
            Kind::Ejabberd => ejabberd::command(&plan)?,
        };
        let log = fs::File::create(dir.join("output.log")).map_err(|e| e.to_string())?;
        let log2 = log.try_clone().map_err(|e| e.to_string())?;
        let start = Instant::now();
        command.stdin(Stdio::null()).stdout(log).stderr(log2);
        let child = command.spawn().map_err(|e| format!("{}: {e}", kind.name()))?;
        let mut subject = Self { place, child, dir, ready: Duration::ZERO };
        while std::net::TcpStream::connect(subject.place.starttls).is_err()
            || std::net::TcpStream::connect(subject.place.tls).is_err()
        {
            if let Ok(Some(status)) = subject.child.try_wait() {
                return Err(format!("{} ended: {status}\n{}", kind.name(), subject.log()));
            }
            if start.elapsed() > Duration::from_secs(60) {
                return Err(format!("{} is not ready after 60 s\n{}", kind.name(), subject.log()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        subject.ready = start.elapsed();
        Ok(subject)
    }

    /// The end of what it printed.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.dir.join("output.log")).unwrap_or_default();
        let from = text.len().saturating_sub(4000);
        text.get(from..).unwrap_or_default().to_owned()
    }

    /// The file with the certificate authority.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Whether it is still running.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if self.alive() {
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        }
        let start = Instant::now();
        while self.alive() && start.elapsed() < Duration::from_secs(8) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if env::var_os("OC_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// Makes a CA and a certificate for the domains; gives the CA.
fn certificates(dir: &Path) -> Result<CertificateDer<'static>, String> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
    let say = |e: rcgen::Error| e.to_string();
    let ca_key = KeyPair::generate().map_err(say)?;
    let mut ca_params = CertificateParams::new(vec![]).map_err(say)?;
    (ca_params.not_before, ca_params.not_after) =
        (date_time_ymd(2024, 1, 1), date_time_ymd(2049, 1, 1));
    ca_params.distinguished_name.push(rcgen::DnType::CommonName, "Test CA");
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = ca_params.self_signed(&ca_key).map_err(say)?;
    let key = KeyPair::generate().map_err(say)?;
    let names = vec![DOMAIN.to_owned(), ANONYMOUS.to_owned(), "localhost".to_owned()];
    let mut params = CertificateParams::new(names).map_err(say)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, DOMAIN);
    (params.not_before, params.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(2049, 1, 1));
    let issuer = Issuer::new(ca_params, ca_key);
    let cert = params.signed_by(&key, &issuer).map_err(say)?;
    let write = |name: &str, text: String| {
        fs::write(dir.join(name), text).map_err(|e| format!("{name}: {e}"))
    };
    write("chain.pem", format!("{}{}", cert.pem(), ca.pem()))?;
    write("ca.pem", ca.pem())?;
    write("key.pem", key.serialize_pem())?;
    Ok(ca.der().clone())
}
