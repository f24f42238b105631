//! What the tests of this package share.

use std::future::Future;

use oc_core::record::{LabelId, Log, Record, Seq, Table};
use oc_core::shard::{owner_of, shard_of};
use oc_core::{BareJid, Time};

use crate::{Committed, EngineKind, OpenReport, Settings, Store, StoreError};

pub(crate) const ROSTER: Table = Table("roster");
pub(crate) const ARCHIVE: Log = Log("archive");

/// A store of a test, with a runtime to call it from.
pub(crate) struct Fixture {
    _folder: tempfile::TempDir,
    pub(crate) settings: Settings,
    runtime: tokio::runtime::Runtime,
    pub(crate) store: Option<Store>,
    pub(crate) report: OpenReport,
}

impl Fixture {
    pub(crate) fn new(kind: EngineKind) -> Self {
        Self::with(kind, |_| {})
    }

    pub(crate) fn with(kind: EngineKind, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().expect("a directory for the test");
        let mut settings = Settings::at(kind, folder.path().join("store"));
        change(&mut settings);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (store, report) = Store::open(&settings).expect("a new store opens");
        Self { _folder: folder, settings, runtime, store: Some(store), report }
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().expect("the store is open")
    }

    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn close(&mut self) {
        self.store.take().expect("the store is open").close();
    }

    pub(crate) fn reopen(&mut self) {
        self.close();
        let (store, report) = Store::open(&self.settings).expect("the store opens again");
        (self.store, self.report) = (Some(store), report);
    }

    /// Commits to the shard of the first record's owner.
    pub(crate) fn try_commit(&self, batch: Vec<Record>) -> Result<Committed, StoreError> {
        let shard = shard_of(owner_of(batch.first().expect("a record").owner()));
        self.run(async {
            let epoch = self.store().claim(shard).await?;
            self.store().commit(shard, epoch, batch).await
        })
    }

    pub(crate) fn commit(&self, batch: Vec<Record>) -> Vec<Seq> {
        self.try_commit(batch).expect("the batch is written").seqs
    }

    pub(crate) fn row(&self, owner: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.run(self.store().row(&jid(owner), ROSTER, key)).expect("the row is read")
    }

    /// Numbers and values of a page.
    pub(crate) fn page(&self, owner: &str, after: u64, limit: usize) -> Vec<(u64, String)> {
        let page = self.run(self.store().page(&jid(owner), ARCHIVE, Seq(after), limit));
        let text = |value| String::from_utf8(value).expect("the tests write text");
        page.expect("the page is read").into_iter().map(|e| (e.seq.0, text(e.value))).collect()
    }
}

pub(crate) fn jid(text: &str) -> BareJid {
    BareJid::new(text).expect("a JID")
}

pub(crate) fn put(owner: &str, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Record {
    Record::Put { owner: jid(owner), table: ROSTER, key: key.into(), value: value.into() }
}

pub(crate) fn delete(owner: &str, key: impl Into<Vec<u8>>) -> Record {
    Record::Delete { owner: jid(owner), table: ROSTER, key: key.into() }
}

pub(crate) fn append(owner: &str, value: impl Into<Vec<u8>>) -> Record {
    let (at, label) = (Time(1_700_000_000_000), LabelId(0));
    Record::Append { owner: jid(owner), log: ARCHIVE, at, label, value: value.into() }
}

pub(crate) fn trim(owner: &str, through: u64) -> Record {
    Record::Trim { owner: jid(owner), log: ARCHIVE, through: Seq(through) }
}

pub(crate) fn forget(owner: &str) -> Record {
    Record::Forget { owner: jid(owner) }
}

pub(crate) fn event(subject: &str, data: impl Into<Vec<u8>>) -> Record {
    Record::Event { kind: "test.event", subject: jid(subject), at: Time(7), data: data.into() }
}
