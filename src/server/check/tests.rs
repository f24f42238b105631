use std::net::TcpListener;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

fn config(set: &[String]) -> Config {
    Sources { file: None, set: set.to_vec() }.load().unwrap()
}

fn set(place: &TempDir, more: &[&str]) -> Vec<String> {
    let mut set = vec![
        "domain.name=example.org".to_owned(),
        format!("store.path={}", place.path().join("data").display()),
        format!("tls.trust={}", place.path().join("trust.pem").display()),
    ];
    set.extend(more.iter().map(|&text| text.to_owned()));
    set
}

/// Level and text of each finding.
fn shown(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

#[test]
fn taken_port_is_an_error_unless_the_server_itself_has_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let finding = listener("c2s.listen", address, false);
    assert_eq!(finding.level, Level::Error);
    assert!(finding.to_string().contains("is taken by another program"), "{finding}");
    assert!(finding.to_string().contains(&format!("sport = :{}", address.port())));
    assert_eq!(listener("c2s.listen", address, true).level, Level::Fine);
    drop(taken);
    assert_eq!(listener("c2s.listen", address, false).level, Level::Fine);
    let elsewhere = listener("c2s.listen", "192.0.2.1:5222".parse().unwrap(), false);
    assert!(elsewhere.what.contains("this machine has no such address"), "{elsewhere}");
}

#[test]
fn data_directory_is_looked_at_and_not_made() {
    let place = TempDir::new().unwrap();
    let all = set(&place, &[]);
    let findings = data(&config(&all), false);
    assert!(findings[0].what.ends_with("data will be made"), "{}", shown(&findings));
    assert!(!place.path().join("data").exists());

    fs::create_dir(place.path().join("data")).unwrap();
    fs::set_permissions(place.path().join("data"), PermissionsExt::from_mode(0o755)).unwrap();
    let findings = data(&config(&all), false);
    assert!(shown(&findings).contains("others on this machine may enter"), "{}", shown(&findings));
    assert_eq!(findings[0].level, Level::Fine);

    fs::remove_dir(place.path().join("data")).unwrap();
    fs::write(place.path().join("data"), "").unwrap();
    assert!(data(&config(&all), false)[0].what.ends_with("is not a directory"));
    let nowhere = ["domain.name=example.org".to_owned(), "store.path=/dev/null/data".to_owned()];
    assert_eq!(data(&config(&nowhere), false)[0].level, Level::Error);
}

#[test]
fn clock_that_went_back_is_noticed() {
    let place = TempDir::new().unwrap();
    let all = set(&place, &[]);
    fs::create_dir(place.path().join("data")).unwrap();
    assert_eq!(clock(&config(&all)).level, Level::Fine);
    let later = SystemTime::now() + Duration::from_secs(3_600);
    fs::File::open(place.path().join("data")).unwrap().set_modified(later).unwrap();
    assert_eq!(clock(&config(&all)).level, Level::Error);
}

#[test]
fn certificates_are_verified_as_clients_do() {
    let place = TempDir::new().unwrap();
    let file = |name: &str| place.path().join(name).display().to_string();
    let look = |more: &[&str]| {
        let all = set(&place, more);
        let text = shown(&certificates::look(&config(&all)));
        assert!(!place.path().join("data").exists(), "nothing is made");
        text
    };

    let text = look(&[]);
    assert!(text.contains("cannot tell whether clients trust"), "{text}");
    assert!(text.contains("warning domain example.org has no certificate but a self-signed"));
    assert!(look(&["tls.self_signed=false"]).contains("ERROR   domain example.org has no cert"));

    // An authority, and a certificate of its.
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_pem = root.self_signed(&root_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(root, root_key);
    let params = CertificateParams::new(["example.org".to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap().pem();
    fs::write(file("trust.pem"), root_pem).unwrap();
    fs::write(file("c.pem"), leaf).unwrap();
    fs::write(file("k.pem"), key.serialize_pem()).unwrap();
    fs::set_permissions(file("k.pem"), PermissionsExt::from_mode(0o600)).unwrap();
    let files =
        [format!("domain.certificate={}", file("c.pem")), format!("domain.key={}", file("k.pem"))];
    let files = [files[0].as_str(), files[1].as_str()];
    assert_eq!(look(&files), "ok      certificate of example.org\n");

    fs::set_permissions(file("k.pem"), PermissionsExt::from_mode(0o644)).unwrap();
    assert!(look(&files).contains("others on this machine may read the key"));
    let other = [files[0], files[1], "domain.name=example.net"];
    let text = look(&other);
    assert!(text.contains("ERROR   the certificate of example.net is for example.org only"));
    fs::write(file("trust.pem"), fs::read(file("c.pem")).unwrap()).unwrap();
    let stranger = KeyPair::generate().unwrap();
    let mut unrelated = CertificateParams::new(Vec::new()).unwrap();
    unrelated.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    unrelated.distinguished_name.push(rcgen::DnType::CommonName, "Somebody else");
    fs::write(file("trust.pem"), unrelated.self_signed(&stranger).unwrap().pem()).unwrap();
    let text = look(&files);
    assert!(text.contains("ERROR   clients do not know who issued"), "{text}");
    fs::write(file("k.pem"), stranger.serialize_pem()).unwrap();
    assert!(look(&files).contains("does not belong to the certificate"));
}

/// A name server that knows a few records, on a port of its own.
mod dns {
    use std::net::{SocketAddr, UdpSocket};
    use std::str::FromStr;

    use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{A, SRV};
    use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

    pub(super) fn serve(records: Vec<(&'static str, RData)>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, asker)) = socket.recv_from(&mut packet) {
                let question = Message::from_vec(&packet[..length]).unwrap();
                let query = question.queries[0].clone();
                let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
                answer.metadata.message_type = MessageType::Response;
                answer.metadata.authoritative = true;
                let name = query.name().to_lowercase();
                let known = records.iter().filter(|(owner, data)| {
                    Name::from_str(owner).unwrap() == name
                        && data.record_type() == query.query_type()
                });
                let known = known
                    .map(|(_, data)| Record::from_rdata(query.name().clone(), 60, data.clone()));
                answer.answers = known.collect();
                let exists =
                    records.iter().any(|(owner, _)| Name::from_str(owner).unwrap() == name);
                if !exists {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                answer.queries.push(query);
                socket.send_to(&answer.to_vec().unwrap(), asker).unwrap();
            }
        });
        address
    }

    pub(super) fn srv(port: u16, target: &str) -> RData {
        RData::SRV(SRV::new(0, 5, port, Name::from_str(target).unwrap()))
    }

    pub(super) fn a() -> RData {
        assert_eq!(RData::A(A::new(192, 0, 2, 1)).record_type(), RecordType::A);
        RData::A(A::new(192, 0, 2, 1))
    }
}

async fn names(records: Vec<(&'static str, hickory_resolver::proto::rr::RData)>) -> String {
    let place = TempDir::new().unwrap();
    let server = format!("dns.servers={}", dns::serve(records));
    shown(&names::look(&config(&set(&place, &[&server, "dns.timeout=2 s"]))).await)
}

#[tokio::test]
async fn rfc6120_3_2_1_srv_records_lead_to_our_ports() {
    let text = names(vec![
        ("_xmpp-client._tcp.example.org.", dns::srv(5222, "xmpp.example.org.")),
        ("_xmpps-client._tcp.example.org.", dns::srv(5223, "xmpp.example.org.")),
        ("xmpp.example.org.", dns::a()),
    ])
    .await;
    assert!(
        text.starts_with("ok      SRV _xmpp-client._tcp.example.org -> xmpp.example.org.:5222")
    );
    assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 2, "{text}");

    let text = names(vec![
        ("_xmpp-client._tcp.example.org.", dns::srv(15222, "xmpp.example.org.")),
        ("_xmpps-client._tcp.example.org.", dns::srv(5223, "nowhere.example.org.")),
        ("xmpp.example.org.", dns::a()),
    ])
    .await;
    assert!(text.contains("warning SRV _xmpp-client._tcp.example.org"), "{text}");
    assert!(text.contains("ERROR   SRV _xmpps-client._tcp.example.org"), "{text}");
    assert!(text.contains("make an A or AAAA record for nowhere.example.org."), "{text}");
}

#[tokio::test]
async fn rfc6120_3_2_2_without_srv_the_domain_itself_is_tried() {
    let text = names(vec![("example.org.", dns::a())]).await;
    assert!(text.contains("warning example.org has no SRV records; clients will try"), "{text}");
    assert!(text.contains("_xmpp-client._tcp.example.org. 3600 IN SRV 0 5 5222 MACHINE."));
    let text = names(vec![("elsewhere.example.", dns::a())]).await;
    assert!(text.contains("ERROR   example.org has no SRV records and no address"), "{text}");
}

#[tokio::test]
async fn loopback_listeners_need_no_dns() {
    let place = TempDir::new().unwrap();
    let all =
        set(&place, &["c2s.listen=127.0.0.1:5222", "c2s.listen_tls=[::1]:5223", "http.listen=[]"]);
    let text = shown(&names::look(&config(&all)).await);
    assert!(text.contains("nobody but this machine"), "{text}");
}
