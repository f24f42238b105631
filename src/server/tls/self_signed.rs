//! Certificates that the server makes for itself where it has no other.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use super::certs::TlsError;

/// How long a self-signed certificate is good: its users have accepted this one and no other.
const VALID: Duration = Duration::days(3650);

/// A certificate and its key, PEM.
pub(super) struct Pem {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// The files of a domain's self-signed certificate: certificate and key.
pub(super) fn files(directory: &Path, name: &str) -> (PathBuf, PathBuf) {
    (directory.join(format!("{name}.crt")), directory.join(format!("{name}.key")))
}

/// Makes a certificate for a domain (in ASCII): ECDSA P-256.
pub(super) fn generate(name: &str, now: OffsetDateTime) -> Result<Pem, TlsError> {
    let wrong = |source| TlsError::SelfSigned { domain: name.to_owned(), source };
    let mut params = CertificateParams::new([name.to_owned()]).map_err(wrong)?;
    if name == "localhost" {
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
    }
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    // An hour earlier, for clients whose clock is late.
    params.not_before = now - Duration::hours(1);
    params.not_after = now + VALID;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(wrong)?;
    let certificate = params.self_signed(&key).map_err(wrong)?;
    Ok(Pem { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Keeps it in a directory that only the server's user may enter.
pub(super) fn keep(directory: &Path, name: &str, pem: &Pem) -> Result<(), TlsError> {
    let (certificate, key) = files(directory, name);
    let wrong = |path: &Path, source| TlsError::Unwritable { path: path.to_owned(), source };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| wrong(directory, source))?;
    write_private(&key, &pem.key).map_err(|source| wrong(&key, source))?;
    write_private(&certificate, &pem.certificate).map_err(|source| wrong(&certificate, source))
}

/// Replaces a file as a whole; nobody but the owner ever could read it.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}
