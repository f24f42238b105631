//! The async face: what shards, the administration and HTTP ask of the disk.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use oc_core::record::{Entry, Log, Record, Saved, Seq, Table};
use oc_core::shard::{Epoch, SHARDS, ShardId, owner_of, shard_of};
use oc_core::{BareJid, Time};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::commit::{Committer, Done, Job, Waiting};
use crate::directory::Directory;
use crate::engine::Engine;
use crate::settings::{BATCH_BYTES, BATCH_RECORDS, KEY_BYTES, PAGE_ITEMS, VALUE_BYTES};
use crate::{Check, EngineKind, OpenReport, Settings, StoreError, key, read};

/// What a record costs in the queue besides its key and value.
const RECORD_OVERHEAD: usize = 256;
/// How long closing waits for reads under way.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// A batch that is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The number of each appended entry, in the order of the batch.
    pub seqs: Vec<Seq>,
}

/// An event of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventEntry {
    /// Its number in the server-wide order; starts at 1, has no gaps.
    pub number: u64,
    /// Type, such as `account.removed`; `store.lost` stands for an event lost by damage.
    pub kind: String,
    /// Who or what it is about.
    pub subject: BareJid,
    /// When.
    pub at: Time,
    /// Details.
    pub data: Vec<u8>,
}

/// What the commit thread did since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Durable writes; each asks the disk once.
    pub groups: u64,
    /// Batches in them.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of keys and values in them.
    pub bytes: u64,
}

/// The embedded store. Clones are handles of the same store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    /// Empty once the store is closed.
    opened: ArcSwapOption<Opened>,
    kind: EngineKind,
    epoch: Epoch,
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
    queue_bytes: u32,
    done: Arc<Done>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

/// An open engine and the directory it works in; the directory is unlocked last.
pub(crate) struct Opened {
    pub(crate) kind: EngineKind,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) directory: Option<Directory>,
}

impl Store {
    /// Opens or makes a store. Blocks on the disk: call it from a plain thread.
    ///
    /// Each opening takes a new epoch; see [`Self::claim`].
    pub fn open(settings: &Settings) -> Result<(Self, OpenReport), StoreError> {
        crate::open::open(settings)
    }

    pub(crate) fn start(committer: Committer, settings: &Settings) -> Result<Self, StoreError> {
        let (sender, jobs) = mpsc::channel();
        let (opened, epoch) = (committer.opened.clone(), committer.epoch);
        let done = committer.done.clone();
        let thread = thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || committer.run(&jobs))
            .map_err(crate::error::io("start the commit thread of", &settings.path))?;
        let queue_bytes = settings.queue_bytes.max(BATCH_BYTES).min(u32::MAX as usize);
        let shared = Shared {
            kind: opened.kind,
            opened: ArcSwapOption::new(Some(opened)),
            epoch,
            jobs: sender,
            room: Arc::new(Semaphore::new(queue_bytes)),
            queue_bytes: queue_bytes as u32,
            done,
            thread: std::sync::Mutex::new(Some(thread)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Writes a batch of one shard: all of it or nothing, on disk when this returns `Ok`.
    ///
    /// Batches of one caller that are awaited one after the other keep their order. Waits for room
    /// if the queue is full. A caller that stops waiting does not undo a batch that was queued.
    /// Every record but an event must be of an owner of `shard`; `epoch` must be the one of
    /// [`Self::claim`].
    pub async fn commit(
        &self,
        shard: ShardId,
        epoch: Epoch,
        batch: Vec<Record>,
    ) -> Result<Committed, StoreError> {
        let bytes = check_batch(shard, &batch)?;
        let cost = u32::try_from(bytes + batch.len() * RECORD_OVERHEAD + RECORD_OVERHEAD);
        let cost = cost.unwrap_or(u32::MAX).min(self.shared.queue_bytes);
        let room = self.shared.room.clone().acquire_many_owned(cost);
        let room = room.await.map_err(|_| StoreError::Closed)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { shard, epoch, batch, bytes, answer, _room: room };
        self.shared.jobs.send(Job::Commit(waiting)).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Takes ownership of a shard; the epoch is to be named in every commit.
    ///
    /// A single node owns all shards, at one epoch per opening of the store.
    pub async fn claim(&self, shard: ShardId) -> Result<Epoch, StoreError> {
        if shard.0 >= SHARDS {
            return Err(StoreError::NoShard { shard });
        }
        self.opened().map(|_| self.shared.epoch)
    }

    /// The keyed state of an owner: all rows of all tables.
    pub async fn load(&self, owner: &BareJid) -> Result<Saved, StoreError> {
        let owner = owner.clone();
        self.read(move |engine| read::load(engine, &owner)).await
    }

    /// One row of a table. A point read: it is done where it is called.
    pub async fn row(
        &self,
        owner: &BareJid,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        read::row(self.opened()?.engine.as_ref(), owner, table, key)
    }

    /// The oldest entries of a log behind `after`, at most `limit` (and [`PAGE_ITEMS`]), in order.
    pub async fn page(
        &self,
        owner: &BareJid,
        log: Log,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (owner, limit) = (owner.clone(), limit.min(PAGE_ITEMS));
        self.read(move |engine| read::page(engine, &owner, log, after, limit)).await
    }

    /// The newest entries of a log before `before` (`None`: of all), at most `limit` (and
    /// [`PAGE_ITEMS`]), in ascending order.
    pub async fn page_back(
        &self,
        owner: &BareJid,
        log: Log,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let (owner, limit) = (owner.clone(), limit.min(PAGE_ITEMS));
        self.read(move |engine| read::page_back(engine, &owner, log, before, limit)).await
    }

    /// Where a log begins and ends: its first entry and the last number given out. An empty log's
    /// first is its last plus one.
    pub async fn bounds(&self, owner: &BareJid, log: Log) -> Result<(Seq, Seq), StoreError> {
        let head = read::head(self.opened()?.engine.as_ref(), owner, log)?;
        Ok((head.first, head.last))
    }

    /// Events behind `after`, at most `limit` (and [`PAGE_ITEMS`]), in order.
    ///
    /// [`StoreError::EventsGone`] if events behind `after` are no longer kept.
    pub async fn events(&self, after: u64, limit: usize) -> Result<Vec<EventEntry>, StoreError> {
        let limit = limit.min(PAGE_ITEMS);
        self.read(move |engine| read::events(engine, after, limit)).await
    }

    /// Owners that have rows or log entries, behind `after` in byte order, at most `limit` (and
    /// [`PAGE_ITEMS`]).
    pub async fn owners(
        &self,
        after: Option<&BareJid>,
        limit: usize,
    ) -> Result<Vec<BareJid>, StoreError> {
        let (after, limit) = (after.cloned(), limit.min(PAGE_ITEMS));
        self.read(move |engine| read::owners(engine, after.as_ref(), limit)).await
    }

    /// Reads and checks everything, on a blocking thread; writes go on meanwhile, so the counts of
    /// [`Check::rows_off`] mean something only while nothing is written.
    pub async fn check(&self) -> Result<Check, StoreError> {
        self.read(|engine| {
            let totals = read::totals(engine)?;
            Ok(crate::check::check(engine, &totals))
        })
        .await
    }

    /// What the commit thread did since the store was opened.
    pub fn counters(&self) -> Counters {
        let done = &self.shared.done;
        Counters {
            groups: done.groups.load(Relaxed),
            batches: done.batches.load(Relaxed),
            records: done.records.load(Relaxed),
            bytes: done.bytes.load(Relaxed),
        }
    }

    /// Waits until everything queued before is answered.
    pub async fn drain(&self) -> Result<(), StoreError> {
        let epoch = self.shared.epoch;
        self.commit(ShardId(0), epoch, Vec::new()).await.map(drop)
    }

    /// Writes what is queued and the high-water mark, and closes the engine. Blocks: call it from a
    /// plain thread. Other handles of the store are told [`StoreError::Closed`] from then on.
    ///
    /// A store that is dropped instead does the same a moment later, on its own thread.
    pub fn close(self) {
        // It has ended if nobody listens.
        let _ = self.shared.jobs.send(Job::Close);
        let thread = self.shared.thread.lock().map(|mut thread| thread.take());
        if let Ok(Some(thread)) = thread
            && thread.join().is_err()
        {
            tracing::error!("the commit thread had panicked");
        }
        let Some(mut opened) = self.shared.opened.swap(None) else {
            return;
        };
        let until = Instant::now() + CLOSE_WAIT;
        while let Err(still_read) = Arc::try_unwrap(opened) {
            if Instant::now() > until {
                tracing::warn!("the store is closed behind a read that does not end");
                return;
            }
            opened = still_read;
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn opened(&self) -> Result<Arc<Opened>, StoreError> {
        self.shared.opened.load_full().ok_or(StoreError::Closed)
    }

    /// Runs a read that may take long where it does not hold up a runtime.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Engine) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let opened = self.opened()?;
        let kind = self.shared.kind;
        if kind == EngineKind::Memory || Handle::try_current().is_err() {
            return work(opened.engine.as_ref());
        }
        let work = move || work(opened.engine.as_ref());
        tokio::task::spawn_blocking(work).await.map_err(|error| kind.failed(error))?
    }
}

/// Checks a batch against the limits; returns its bytes.
fn check_batch(shard: ShardId, batch: &[Record]) -> Result<usize, StoreError> {
    if shard.0 >= SHARDS {
        return Err(StoreError::NoShard { shard });
    }
    within("records of a batch", batch.len(), BATCH_RECORDS)?;
    let mut bytes = 0;
    for record in batch {
        let owner = record.owner();
        key::check_owner(owner)?;
        bytes += owner.as_str().len();
        let of = shard_of(owner_of(owner));
        if of != shard && !matches!(record, Record::Event { .. }) {
            return Err(StoreError::ForeignOwner { shard, of });
        }
        match record {
            Record::Put { table, key, value, .. } => {
                key::check_name("table", table.0)?;
                within("key", key.len(), KEY_BYTES)?;
                within("value", value.len(), VALUE_BYTES)?;
                bytes += key.len() + value.len();
            }
            Record::Delete { table, key, .. } => {
                key::check_name("table", table.0)?;
                within("key", key.len(), KEY_BYTES)?;
                bytes += key.len();
            }
            Record::Append { log, value, .. } => {
                key::check_name("log", log.0)?;
                within("value", value.len(), VALUE_BYTES)?;
                bytes += value.len();
            }
            Record::Trim { log, .. } => key::check_name("log", log.0)?,
            Record::Forget { .. } => {}
            Record::Event { kind, data, .. } => {
                key::check_name("kind of event", kind)?;
                within("data of an event", data.len(), VALUE_BYTES)?;
                bytes += data.len();
            }
        }
    }
    within("batch", bytes, BATCH_BYTES)?;
    Ok(bytes)
}

fn within(what: &'static str, bytes: usize, limit: usize) -> Result<(), StoreError> {
    if bytes > limit {
        return Err(StoreError::TooLarge { what, bytes, limit });
    }
    Ok(())
}
