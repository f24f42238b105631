use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::{Digest, Sha256, Sha384, Sha512};
use tempfile::TempDir;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, Error, HandshakeKind, NamedGroup, ProtocolVersion,
    RootCertStore, ServerConnection,
};

use super::*;
use crate::config::Sources;

/// A data directory, and a configuration that lives in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn config(&self, set: &[&str]) -> Config {
        let mut all = vec![format!("store.path={}", self.path("data"))];
        all.extend(set.iter().map(|&text| text.to_owned()));
        Sources { file: None, set: all }.load().unwrap()
    }

    /// Writes a self-signed certificate for a name and returns the overrides that use it for
    /// example.org.
    fn issue(&self, file: &str, name: &str, algorithm: &'static SignatureAlgorithm) -> [String; 3] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        self.write(file, &params, &key)
    }

    fn write(&self, file: &str, params: &CertificateParams, key: &KeyPair) -> [String; 3] {
        let (certificate, private) =
            (self.path(&format!("{file}.crt")), self.path(&format!("{file}.key")));
        std::fs::write(&certificate, params.self_signed(key).unwrap().pem()).unwrap();
        std::fs::write(&private, key.serialize_pem()).unwrap();
        [
            "domain.name=example.org".to_owned(),
            format!("domain.certificate={certificate}"),
            format!("domain.key={private}"),
        ]
    }

    fn load(&self, set: &[String]) -> (Tls, Vec<Warning>) {
        let set = set.iter().map(String::as_str).collect::<Vec<_>>();
        Tls::load(&self.config(&set)).unwrap()
    }
}

fn der(acceptor: &Acceptor, name: Option<&str>) -> CertificateDer<'static> {
    acceptor.certificate(name).unwrap().key.cert[0].clone()
}

/// A client that trusts exactly the certificate of this name.
fn client(acceptor: &Acceptor, name: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(der(acceptor, Some(name))).unwrap();
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A handshake in memory; then each side says one word, so that tickets arrive.
fn handshake(
    acceptor: &Acceptor,
    config: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(&acceptor.config)).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            server.read_tls(&mut wire).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = wire.as_slice();
        while !wire.is_empty() {
            client.read_tls(&mut wire).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

#[test]
fn rfc6066_3_each_server_name_gets_its_own_certificate() {
    let place = Place::new();
    let names =
        ["domain.name=example.org".to_owned(), "domain.2.name=xn--bcher-kva.example".to_owned()];
    let (tls, _) = place.load(&names);
    let c2s = tls.c2s();
    for name in ["example.org", "xn--bcher-kva.example"] {
        let config = Arc::new(client(&c2s, name));
        let (_, server) = handshake(&c2s, &config, name).unwrap();
        assert_eq!(server.server_name(), Some(name));
        let other = Arc::new(client(&c2s, "example.org"));
        assert_eq!(handshake(&c2s, &other, name).is_ok(), name == "example.org");
    }
    assert_ne!(der(&c2s, Some("example.org")), der(&c2s, Some("xn--bcher-kva.example")));
    assert_eq!(der(&c2s, None), der(&c2s, Some("EXAMPLE.org")));
    assert!(c2s.certificate(Some("elsewhere.example")).is_none());
}

#[test]
fn rfc6066_3_missing_server_name_gets_the_first_domain_and_an_unknown_one_nothing() {
    let place = Place::new();
    let (tls, _) = place.load(&["domain.name=example.org".to_owned()]);
    let mut config = client(&tls.c2s(), "example.org");
    assert!(handshake(&tls.c2s(), &Arc::new(config.clone()), "elsewhere.example").is_err());
    config.enable_sni = false;
    let (_, server) = handshake(&tls.c2s(), &Arc::new(config), "example.org").unwrap();
    assert_eq!(server.server_name(), None);
}

#[test]
fn post_quantum_key_exchange_is_offered() {
    let place = Place::new();
    let (tls, _) = place.load(&["domain.name=example.org".to_owned()]);
    let mut only = aws_lc_rs::default_provider();
    only.kx_groups.retain(|group| group.name() == NamedGroup::X25519MLKEM768);
    let mut roots = RootCertStore::empty();
    roots.add(der(&tls.c2s(), None)).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(only))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, _) = handshake(&tls.c2s(), &Arc::new(config), "example.org").unwrap();
    let group = client.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
}

#[test]
fn tls_versions_follow_min_version() {
    let place = Place::new();
    let name = "domain.name=example.org".to_owned();
    let tls12 = |acceptor: &Acceptor| {
        let mut roots = RootCertStore::empty();
        roots.add(der(acceptor, None)).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    };
    let (tls, _) = place.load(std::slice::from_ref(&name));
    let (client, _) = handshake(&tls.c2s(), &tls12(&tls.c2s()), "example.org").unwrap();
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    assert!(tls.c2s().config.require_ems);
    let (tls, _) = place.load(&[name, "tls.min_version=1.3".to_owned()]);
    assert!(handshake(&tls.c2s(), &tls12(&tls.c2s()), "example.org").is_err());
}

#[test]
fn xep_0368_alpn_by_listener() {
    let place = Place::new();
    let (tls, _) = place.load(&["domain.name=example.org".to_owned()]);
    let with = |protocol: &str| {
        let mut config = client(&tls.c2s(), "example.org");
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Arc::new(config)
    };
    let (client, _) = handshake(&tls.c2s_direct(), &with("xmpp-client"), "example.org").unwrap();
    assert_eq!(client.alpn_protocol(), Some(&b"xmpp-client"[..]));
    assert!(handshake(&tls.c2s_direct(), &with("http/1.1"), "example.org").is_err());
    let (client, _) = handshake(&tls.https(), &with("http/1.1"), "example.org").unwrap();
    assert_eq!(client.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(handshake(&tls.c2s(), &with("xmpp-client"), "example.org").is_ok());
}

#[test]
fn tickets_resume_until_a_reload_and_never_carry_early_data() {
    let place = Place::new();
    let config = place.config(&["domain.name=example.org"]);
    let (tls, _) = Tls::load(&config).unwrap();
    let mut client = client(&tls.c2s(), "example.org");
    client.resumption = Resumption::in_memory_sessions(8);
    client.enable_early_data = true;
    let client = Arc::new(client);
    let kind = |tls: &Tls| {
        let (client, mut server) = handshake(&tls.c2s(), &client, "example.org").unwrap();
        assert!(!client.is_early_data_accepted());
        assert!(server.early_data().is_none());
        client.handshake_kind().unwrap()
    };
    assert_eq!(kind(&tls), HandshakeKind::Full);
    assert_eq!(kind(&tls), HandshakeKind::Resumed);
    tls.reload(&config).unwrap();
    assert_eq!(kind(&tls), HandshakeKind::Full, "tickets end with the certificate");

    let off = place.config(&["domain.name=example.org", "tls.ticket_lifetime=0 s"]);
    tls.reload(&off).unwrap();
    assert_eq!(kind(&tls), HandshakeKind::Full);
    assert_eq!(kind(&tls), HandshakeKind::Full);
}

#[test]
fn rfc5929_4_1_end_point_hashes_by_the_signature() {
    let place = Place::new();
    let end_point = |algorithm| {
        let (tls, _) = place.load(&place.issue("e", "example.org", algorithm));
        let der = der(&tls.c2s(), None).to_vec();
        (tls.c2s().end_point(Some("example.org")).map(<[u8]>::to_vec), der)
    };
    let (hash, der) = end_point(&rcgen::PKCS_ECDSA_P256_SHA256);
    assert_eq!(hash, Some(Sha256::digest(&der).to_vec()));
    let (hash, der) = end_point(&rcgen::PKCS_ECDSA_P384_SHA384);
    assert_eq!(hash, Some(Sha384::digest(&der).to_vec()));
    let (hash, der) = end_point(&rcgen::PKCS_RSA_SHA512);
    assert_eq!(hash, Some(Sha512::digest(&der).to_vec()));
    let (hash, _) = end_point(&rcgen::PKCS_ED25519);
    assert_eq!(hash, None, "Ed25519 has no hash function of its own");

    // The same certificate said to be signed with MD5 and SHA-1: SHA-256 takes their place.
    let (_, der) = end_point(&rcgen::PKCS_RSA_SHA256);
    for last in [4, 5] {
        let weak = with_algorithm(&der, last);
        assert_eq!(end_point::end_point(&weak), Some(Sha256::digest(&weak).to_vec()));
    }
    assert_eq!(end_point::end_point(&with_algorithm(&der, 99)), None, "an unknown algorithm");
    assert_eq!(end_point::end_point(b"no certificate"), None);
}

/// Changes the last number of sha256WithRSAEncryption (1.2.840.113549.1.1.11) wherever it stands.
fn with_algorithm(der: &[u8], last: u8) -> Vec<u8> {
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
    let mut der = der.to_vec();
    let places = (0..der.len() - oid.len()).filter(|&at| der[at..].starts_with(&oid));
    let places = places.collect::<Vec<_>>();
    assert_eq!(places.len(), 2);
    for at in places {
        der[at + oid.len() - 1] = last;
    }
    der
}

#[test]
fn reload_serves_the_new_certificate_and_leaves_connections_alone() {
    let place = Place::new();
    let set = place.issue("r", "example.org", &rcgen::PKCS_ECDSA_P256_SHA256);
    let set = set.each_ref().map(String::as_str);
    let config = place.config(&set);
    let (tls, _) = Tls::load(&config).unwrap();
    let before = tls.c2s();
    let old_client = Arc::new(client(&before, "example.org"));
    let (_, mut live) = handshake(&before, &old_client, "example.org").unwrap();

    let _ = place.issue("r", "example.org", &rcgen::PKCS_ECDSA_P256_SHA256);
    tls.reload(&config).unwrap();
    let after = tls.c2s();
    assert_ne!(der(&before, None), der(&after, None));
    assert_ne!(before.end_point(None), after.end_point(None));
    assert!(handshake(&after, &old_client, "example.org").is_err(), "the new one is served");
    // Who holds the old acceptor still sees the certificate that its client was shown.
    assert_eq!(before.end_point(None), Some(Sha256::digest(der(&before, None)).as_slice()));
    live.process_new_packets().expect("the live connection is untouched");

    std::fs::write(place.path("r.crt"), "rubbish").unwrap();
    assert!(matches!(tls.reload(&config), Err(TlsError::NotPem { .. })));
    assert_eq!(der(&after, None), der(&tls.c2s(), None), "a failed reload changes nothing");
}

#[test]
fn files_that_do_not_fit_are_named() {
    let place = Place::new();
    let [name, certificate, key] = place.issue("a", "example.org", &rcgen::PKCS_ECDSA_P256_SHA256);
    let [_, other_certificate, other_key] =
        place.issue("b", "example.org", &rcgen::PKCS_ECDSA_P256_SHA256);
    let error = |set: &[&str]| Tls::load(&place.config(set)).unwrap_err().to_string();
    let text = error(&[&name, &certificate, &other_key]);
    assert!(text.contains("b.key does not belong to the certificate"), "{text}");
    let text = error(&[&name, &other_certificate, "domain.key=/nowhere/key.pem"]);
    assert!(text.contains("cannot read /nowhere/key.pem, the key of example.org"), "{text}");
    let swapped = key.replace("domain.key", "domain.certificate");
    let text = error(&[&name, &swapped, &key]);
    assert!(text.contains("a.key is not a certificate in PEM form"), "{text}");
    let swapped = certificate.replace("domain.certificate", "domain.key");
    let text = error(&[&name, &certificate, &swapped]);
    assert!(text.contains("a.crt is not a private key in PEM form"), "{text}");
    let text = error(&[&name, "tls.self_signed=false"]);
    assert!(text.contains("domain example.org has no certificate"), "{text}");
}

#[test]
fn warnings_name_what_clients_will_refuse() {
    let place = Place::new();
    let (_, warnings) =
        place.load(&place.issue("n", "example.com", &rcgen::PKCS_ECDSA_P256_SHA256));
    let domain = "example.org".to_owned();
    let names = vec!["example.com".to_owned()];
    assert_eq!(warnings, [Warning::NameMissing { domain: domain.clone(), names }]);

    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["*.org".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 2, 1);
    let (_, warnings) = place.load(&place.write("x", &params, &key));
    assert!(matches!(&warnings[..], [Warning::Expired { days, .. }] if *days > 2000));

    params.not_before = rcgen::date_time_ymd(2100, 1, 1);
    params.not_after = rcgen::date_time_ymd(2100, 2, 1);
    let (_, warnings) = place.load(&place.write("x", &params, &key));
    assert_eq!(warnings, [Warning::NotYetValid { domain: domain.clone() }]);

    let (_, warnings) = place.load(&["domain.name=example.org".to_owned()]);
    assert_eq!(warnings, [Warning::SelfSigned { domain }]);
}

#[test]
fn rfc9525_6_3_wildcards_stand_for_one_label() {
    let matches = certs::names_match;
    assert!(matches("*.example.org", "chat.example.org"));
    assert!(matches("*.Example.org", "chat.example.ORG"));
    assert!(!matches("*.example.org", "example.org"));
    assert!(!matches("*.example.org", "a.b.example.org"));
    assert!(!matches("*", "localhost"));
}

#[test]
fn directory_of_certificates_is_searched_in_both_layouts() {
    let place = Place::new();
    let directory = format!("tls.certificates={}", place.path(""));
    place.issue("example.org", "example.org", &rcgen::PKCS_ECDSA_P256_SHA256);
    let (_, warnings) = place.load(&["domain.name=example.org".to_owned(), directory.clone()]);
    assert_eq!(warnings, []);

    let nested = place.0.path().join("chat.example.org");
    std::fs::create_dir(&nested).unwrap();
    place.issue("chat", "chat.example.org", &rcgen::PKCS_ECDSA_P256_SHA256);
    std::fs::rename(place.path("chat.crt"), nested.join("fullchain.pem")).unwrap();
    std::fs::rename(place.path("chat.key"), nested.join("privkey.pem")).unwrap();
    let (_, warnings) = place.load(&["domain.name=chat.example.org".to_owned(), directory]);
    assert_eq!(warnings, []);
}

#[test]
fn self_signed_certificate_is_made_once_and_kept_private() {
    let place = Place::new();
    let name = ["domain.name=localhost".to_owned()];
    let (first, _) = place.load(&name);
    let (second, _) = place.load(&name);
    assert_eq!(der(&first.c2s(), None), der(&second.c2s(), None));
    for file in ["data/certificates/localhost.key", "data/certificates/localhost.crt"] {
        let mode = std::fs::metadata(place.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let mut config = client(&first.c2s(), "localhost");
    config.enable_sni = false;
    assert!(handshake(&first.c2s(), &Arc::new(config), "127.0.0.1").is_ok());

    let memory = Place::new();
    let (tls, _) = memory.load(&[name[0].clone(), "store.engine=memory".to_owned()]);
    assert!(tls.c2s().certificate(None).is_some());
    assert!(!Path::new(&memory.path("data")).exists(), "a memory store leaves nothing behind");
}
