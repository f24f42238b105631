//! Commands when no server is running: on the data directory itself.

use std::sync::Arc;

use oc_core::BareJid;
use oc_core::Time;
use oc_core::record::Record;
use oc_core::shard::shard_of;
use oc_ocms::{Embedded, OcmsError};
use oc_store::Store;

use super::command::{Answer, Command, SessionInfo, Status};
use super::{Desk, House, Later};
use crate::config::{Config, Engine};

/// Carries out one command on the data directory of `config`.
pub async fn execute(config: &Config, command: Command) -> Result<Answer, OcmsError> {
    let identity = Arc::new(Embedded::open(&crate::house::ocms_settings(config)).await?);
    let domains = config.domains.iter().map(|domain| domain.name().to_owned()).collect();
    let house = Arc::new(Directory { config: config.clone() });
    let answer = Desk::new(identity.clone(), house, domains).execute(command).await;
    // The desk is gone, so this is the only handle left.
    if let Some(identity) = Arc::into_inner(identity) {
        identity.close().await;
    }
    Ok(answer)
}

/// A data directory without a server.
struct Directory {
    config: Config,
}

const NOT_RUNNING: &str = "no server is running on this data directory";

impl House for Directory {
    fn forget(&self, account: BareJid) -> Later<'_, Result<(), String>> {
        Box::pin(async move {
            let settings = crate::house::store_settings(&self.config);
            if self.config.store.engine == Engine::Memory || !settings.path.exists() {
                return Ok(());
            }
            let opened = tokio::task::spawn_blocking(move || Store::open(&settings));
            let opened = opened.await.map_err(|error| error.to_string())?;
            let (store, report) = opened.map_err(|error| error.to_string())?;
            for warning in report.warnings {
                tracing::warn!("{warning}");
            }
            let forgotten = forget(&store, account).await;
            forgotten.map_err(|error| error.to_string())
        })
    }

    fn status(&self) -> Later<'_, Result<Status, String>> {
        Box::pin(async { Err(NOT_RUNNING.to_owned()) })
    }

    fn sessions(&self) -> Later<'_, Result<Vec<SessionInfo>, String>> {
        Box::pin(async { Err(NOT_RUNNING.to_owned()) })
    }

    fn reload(&self) -> Later<'_, Result<Vec<String>, String>> {
        Box::pin(async { Err(NOT_RUNNING.to_owned()) })
    }
}

async fn forget(store: &Store, account: BareJid) -> Result<(), oc_store::StoreError> {
    let shard = shard_of(&account);
    let epoch = store.claim(shard).await?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at = Time::default().after(now.unwrap_or_default());
    let event = Record::Event { kind: REMOVED, subject: account.clone(), at, data: Vec::new() };
    store.commit(shard, epoch, vec![Record::Forget { owner: account }, event]).await?;
    Ok(())
}

/// The event that the outbox gets for a removed account.
const REMOVED: &str = "account.removed";
