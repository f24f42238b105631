//! A house on 127.0.0.1 and clients that are not ours: RFC 7395, XEP-0124 and XEP-0156 on the
//! wire.

mod bosh_wire;
mod client;
mod host_meta;
mod websocket_wire;

use oc_core::BareJid;
use oc_core::auth::{IdentityCommand, Secret};

use crate::config::Sources;
use crate::house::House;

const DOMAIN: &str = "example.org";
const PASSWORD: &str = "correct horse battery staple";

/// A running server with the accounts `romeo` and `juliet`, and where its listeners are.
struct Verona {
    house: House,
    tcp: u16,
    https: u16,
    http: u16,
}

impl Verona {
    async fn open() -> Self {
        Self::with(&[]).await
    }

    async fn with(set: &[&str]) -> Self {
        let [tcp, https, http] = free_ports();
        let mut all = vec![
            "store.engine=memory".to_owned(),
            format!("domain.name={DOMAIN}"),
            "tls.self_signed=true".to_owned(),
            format!("c2s.listen=[\"127.0.0.1:{tcp}\"]"),
            "c2s.listen_tls=[]".to_owned(),
            "c2s.allow_plaintext=true".to_owned(),
            format!("http.listen=[\"127.0.0.1:{https}\"]"),
            format!("http.listen_plaintext=[\"127.0.0.1:{http}\"]"),
        ];
        all.extend(set.iter().map(|&text| text.to_owned()));
        let config = Sources { file: None, set: all }.load().unwrap();
        let house = House::open(config).await.unwrap();
        for name in ["romeo", "juliet"] {
            let create = IdentityCommand::Create {
                account: BareJid::new(&format!("{name}@{DOMAIN}")).unwrap(),
                password: Secret(PASSWORD.as_bytes().to_vec()),
                invitation: None,
                rate_key: None,
            };
            house.identity().command(create).await;
        }
        Self { house, tcp, https, http }
    }
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let sockets = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}
