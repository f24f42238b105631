//! Many threads, each with a runtime of its own, on one service: as the edges of a server are.

use std::sync::Arc;
use std::thread;

use oc_core::auth::{AuthExtras, AuthReply, IdentityAnswer, IdentityCommand};
use oc_core::sasl::client::plain;
use tokio::runtime::Builder;

use super::{Attempt, House, PASSWORD, begin, fresh_id, jid, scram, secret, tls, who};
use crate::{Embedded, IdentityProvider};

async fn life(ocms: &Embedded, name: &str) {
    let (account, password) = (jid(name), secret(PASSWORD));
    let create = IdentityCommand::Create {
        account: account.clone(),
        password,
        invitation: None,
        rate_key: None,
    };
    assert_eq!(ocms.command(create).await, IdentityAnswer::Done);
    for client in ["phone", "tablet"] {
        let extras = AuthExtras {
            client_id: Some(client.to_owned()),
            token_request: Some("HT-SHA-256-NONE".to_owned()),
            ..AuthExtras::default()
        };
        let reply = scram(ocms, Attempt { name, extras, ..Attempt::default() }).await;
        assert!(matches!(reply, AuthReply::Success { token: Some(_), .. }), "{reply:?}");
    }
    let message = Some(plain(name, PASSWORD));
    let reply = begin(ocms, fresh_id(), "PLAIN", message, tls("a"), AuthExtras::default()).await;
    assert_eq!(who(&reply).local, name);
    assert_eq!(ocms.command(IdentityCommand::Remove { account }).await, IdentityAnswer::Done);
}

fn crowd(house: House) {
    let ocms = Arc::new(house.ocms);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let ocms = Arc::clone(&ocms);
            thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    for round in 0..5 {
                        life(&ocms, &format!("user-{thread}-{round}")).await;
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn edges_share_a_service_in_memory() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::new());
    // the runtime that opened it is not needed any more
    drop(runtime);
    crowd(house);
}

#[test]
fn edges_share_a_service_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let path = Some(dir.path().join("ocms.db"));
    crowd(runtime.block_on(House::with(|s| s.path = path)));
}
