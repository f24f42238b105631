//! Many threads, each with a runtime of its own, on one service: as the edges of a server are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use oc_core::auth::{AuthExtras, AuthFailure, AuthReply, IdentityAnswer, IdentityCommand};
use oc_core::sasl::client::plain;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::{Attempt, House, PASSWORD, begin, failed, fresh_id, jid, scram, secret, tls, who};
use crate::embedded::HASHES_PER_CORE;
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

/// Lets the threads go on, also when an assertion fails before.
struct Release(Arc<AtomicBool>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Slow hashes beyond the bound are refused at once; logins that need none go on.
#[tokio::test]
async fn slow_hashes_are_bounded() {
    let House { ocms, .. } = House::new().await;
    let (ocms, free) = (Arc::new(ocms), Arc::new(AtomicBool::new(false)));
    let release = Release(Arc::clone(&free));
    let max = thread::available_parallelism().map_or(1, usize::from) * HASHES_PER_CORE;
    let mut jobs = JoinSet::new();
    for _ in 0..max {
        let (ocms, free) = (Arc::clone(&ocms), Arc::clone(&free));
        jobs.spawn(async move {
            let wait = move || {
                while !free.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                }
            };
            ocms.hash(wait).await.unwrap();
        });
    }
    while ocms.hashes.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let plain = async || {
        let (message, extras) = (Some(plain("juliet", PASSWORD)), AuthExtras::default());
        begin(&ocms, fresh_id(), "PLAIN", message, tls("a"), extras).await
    };
    assert_eq!(failed(plain().await), AuthFailure::TemporaryAuthFailure);
    who(&scram(&ocms, Attempt::default()).await);
    drop(release);
    assert_eq!(jobs.join_all().await.len(), max);
    who(&plain().await);
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
