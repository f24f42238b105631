//! The commit thread: one per store, so that everything has one order and one sync pays for many.
//!
//! A group is whatever queued up while the previous one was written, up to the caps of the
//! settings; there are no timers, so an idle server answers after one sync and a busy one forms
//! large groups by itself. An answer is given only after the group is on disk. A failed write stops
//! the store: what is on disk then is not known, so nothing more is accepted until it is opened
//! again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};

use oc_core::record::Record;
use oc_core::shard::{Epoch, ShardId};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::envelope::Totals;
use crate::group::{Group, LogName};
use crate::highwater::HighWater;
use crate::store::Opened;
use crate::{Committed, StoreError};

/// Entries below a log's first that are removed along with each group.
const SWEEP_BESIDE: u64 = 256;
/// Entries below a log's first that are removed in one go while nothing else is to do.
const SWEEP_IDLE: u64 = 4_096;

/// Something for the commit thread.
pub(crate) enum Job {
    Commit(Waiting),
    /// Finish what is queued before this and end.
    Close,
}

/// A batch that waits.
pub(crate) struct Waiting {
    pub(crate) shard: ShardId,
    pub(crate) epoch: Epoch,
    pub(crate) batch: Vec<Record>,
    pub(crate) bytes: usize,
    pub(crate) answer: oneshot::Sender<Result<Committed, StoreError>>,
    /// Room in the queue, given back when the batch is answered.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// What the commit thread did so far.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) groups: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// State of the commit thread.
pub(crate) struct Committer {
    pub(crate) opened: Arc<Opened>,
    pub(crate) done: Arc<Done>,
    pub(crate) epoch: Epoch,
    pub(crate) totals: Totals,
    pub(crate) mark: Option<HighWater>,
    pub(crate) backlog: VecDeque<LogName>,
    pub(crate) group_records: usize,
    pub(crate) group_bytes: usize,
    pub(crate) events_kept: u64,
    pub(crate) stopped: Option<String>,
}

/// What to do next.
enum Next {
    Job(Job),
    /// Nothing is queued; there are entries to remove.
    Sweep,
    /// Nothing is queued; the mark is due.
    Mark,
    End,
}

impl Committer {
    /// Runs until the store is closed or dropped.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match self.next(jobs) {
                Next::Job(Job::Commit(first)) => {
                    if self.group(first, jobs) {
                        break;
                    }
                }
                Next::Job(Job::Close) | Next::End => break,
                Next::Sweep => self.sweep(),
                Next::Mark => self.sync_mark(),
            }
            if self.mark.as_ref().and_then(HighWater::due).is_some_and(|left| left.is_zero()) {
                self.sync_mark();
            }
        }
        self.sync_mark();
    }

    fn next(&self, jobs: &Receiver<Job>) -> Next {
        if !self.backlog.is_empty() {
            return match jobs.try_recv() {
                Ok(job) => Next::Job(job),
                Err(TryRecvError::Empty) => Next::Sweep,
                Err(TryRecvError::Disconnected) => Next::End,
            };
        }
        match self.mark.as_ref().and_then(HighWater::due) {
            None => jobs.recv().map_or(Next::End, Next::Job),
            Some(left) => match jobs.recv_timeout(left) {
                Ok(job) => Next::Job(job),
                Err(RecvTimeoutError::Timeout) => Next::Mark,
                Err(RecvTimeoutError::Disconnected) => Next::End,
            },
        }
    }

    /// Writes one group that begins with `first`; `true` if the store was closed meanwhile.
    fn group(&mut self, first: Waiting, jobs: &Receiver<Job>) -> bool {
        let opened = self.opened.clone();
        let mut group = Group::new(opened.engine.as_ref(), self.totals, self.events_kept);
        let mut planned = Vec::new();
        let (mut records, mut bytes, mut closing) = (0, 0, false);
        let mut next = Some(first);
        while let Some(waiting) = next.take() {
            records += waiting.batch.len();
            bytes += waiting.bytes;
            match self.plan(&mut group, &waiting) {
                Ok(committed) => planned.push((waiting, committed)),
                Err(error) => drop(waiting.answer.send(Err(error))),
            }
            if records >= self.group_records || bytes >= self.group_bytes {
                break;
            }
            match jobs.try_recv() {
                Ok(Job::Commit(waiting)) => next = Some(waiting),
                Ok(Job::Close) => closing = true,
                Err(_) => {}
            }
        }
        self.sweep_into(&mut group, SWEEP_BESIDE);
        let written = self.write(group);
        self.done.batches.fetch_add(planned.len() as u64, Relaxed);
        self.done.records.fetch_add(records as u64, Relaxed);
        self.done.bytes.fetch_add(bytes as u64, Relaxed);
        for (waiting, committed) in planned {
            let answer = match &written {
                Ok(()) => Ok(committed),
                Err(reason) => Err(StoreError::Stopped { reason: reason.clone() }),
            };
            // Nobody waits any more for an answer that was given up; the commit stands.
            let _ = waiting.answer.send(answer);
        }
        closing
    }

    fn plan(&self, group: &mut Group<'_>, waiting: &Waiting) -> Result<Committed, StoreError> {
        if let Some(reason) = &self.stopped {
            return Err(StoreError::Stopped { reason: reason.clone() });
        }
        if waiting.epoch != self.epoch {
            let (shard, given, current) = (waiting.shard, waiting.epoch, self.epoch);
            return Err(StoreError::Fenced { shard, given, current });
        }
        Ok(Committed { seqs: group.add(&waiting.batch)? })
    }

    /// Makes a group durable; the error is the reason for which the store stopped.
    fn write(&mut self, group: Group<'_>) -> Result<(), String> {
        if group.is_empty() {
            return Ok(());
        }
        let (changes, totals, trims) = group.finish();
        let written = self.opened.engine.apply(changes).and_then(|()| {
            self.totals = totals;
            self.mark.as_mut().map_or(Ok(()), |mark| mark.set(&totals))
        });
        self.done.groups.fetch_add(1, Relaxed);
        self.backlog.extend(trims);
        written.map_err(|error| {
            tracing::error!(%error, "a commit failed, the store stops");
            let reason = error.to_string();
            self.stopped = Some(reason.clone());
            self.backlog.clear();
            reason
        })
    }

    fn sweep(&mut self) {
        let opened = self.opened.clone();
        let mut group = Group::new(opened.engine.as_ref(), self.totals, self.events_kept);
        self.sweep_into(&mut group, SWEEP_IDLE);
        // A failure is logged where it happens and stops the store.
        let _ = self.write(group);
    }

    fn sweep_into(&mut self, group: &mut Group<'_>, limit: u64) {
        let Some(log) = self.backlog.pop_front() else {
            return;
        };
        match group.sweep(&log, limit) {
            Ok(true) => self.backlog.push_back(log),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "trimmed entries stay on disk"),
        }
    }

    fn sync_mark(&mut self) {
        if let Some(mark) = &mut self.mark
            && let Err(error) = mark.sync()
        {
            tracing::error!(%error, "the high-water mark is not kept any more");
            self.mark = None;
        }
    }
}
