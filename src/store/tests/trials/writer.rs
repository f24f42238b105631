//! The writer whose process is killed, and what its data must look like afterwards.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use oc_core::record::Seq;
use oc_core::shard::{owner_of, shard_of};

use crate::tests::testing::{ARCHIVE, append, event, jid, put, trim};
use crate::{EngineKind, PAGE_ITEMS, Settings, Store, StoreError};

/// Owners that are written at the same time.
const OWNERS: [&str; 4] = ["w@0", "w@00", "w@1", "w@2"];
/// Rows that each of them overwrites again and again.
const ROWS: u64 = 64;

/// A log is trimmed with every batch of this multiple, to so many entries.
const TRIM_EVERY: u64 = 50;
const KEPT: u64 = 250;

/// Last number acknowledged to each owner.
pub(super) type Acknowledged = BTreeMap<String, u64>;

/// Writes until killed; a line on standard output for each batch that was acknowledged.
///
/// Batch `n` of an owner appends entry `n`, overwrites row `n` modulo [`ROWS`], writes an event,
/// and from time to time trims the log.
pub(super) fn write(kind: EngineKind, folder: &Path) {
    let mut settings = Settings::at(kind, folder);
    // So that sorted files are made, too.
    settings.write_buffer_bytes = 256 * 1024;
    let (store, report) = Store::open(&settings).expect("the store opens");
    assert!(report.is_clean(), "{report:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // The test harness has begun a line.
    println!();
    runtime.block_on(async {
        let writers = OWNERS.map(|owner| tokio::spawn(write_one(store.clone(), owner)));
        for writer in writers {
            writer.await.expect("a writer goes on until it is killed");
        }
    });
}

async fn write_one(store: Store, owner: &'static str) {
    let shard = shard_of(owner_of(&jid(owner)));
    let epoch = store.claim(shard).await.expect("an epoch");
    let (_, last) = store.bounds(&jid(owner), ARCHIVE).await.expect("bounds");
    for n in last.0 + 1.. {
        let text = text(owner, n);
        let row = put(owner, (n % ROWS).to_be_bytes(), text.clone());
        let mut batch = vec![append(owner, text), row, event(owner, n.to_string())];
        if n % TRIM_EVERY == 0 {
            batch.push(trim(owner, trimmed(n)));
        }
        let committed = store.commit(shard, epoch, batch).await.expect("a commit");
        assert_eq!(committed.seqs, [Seq(n)]);
        // Past the capture of the test harness, and whole lines at a time.
        let line = format!("ack {owner} {n}\n");
        std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
    }
}

/// The last entry that is trimmed when entry `n` is the newest.
fn trimmed(n: u64) -> u64 {
    (n - n % TRIM_EVERY).saturating_sub(KEPT)
}

fn text(owner: &str, n: u64) -> String {
    let word = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{owner} {n} {}", format!("{word:016x} ").repeat(1 + (n % 29) as usize))
}

/// Reads acknowledgements until `enough` says so, then kills the writer and reads the rest.
pub(super) fn kill_when(
    mut child: Child,
    acknowledged: &mut Acknowledged,
    mut enough: impl FnMut(u64, Duration) -> bool,
) -> u64 {
    let output = child.stdout.take().expect("the output is a pipe");
    let (mut count, mut first, mut killed) = (0, None, false);
    // A line that the kill cut has no end; what it says is not counted.
    let mut lines = BufReader::new(output);
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        if line.ends_with('\n') && line.starts_with("ack ") {
            let mut words = line.split_whitespace().skip(1);
            let owner = words.next().expect("an owner").to_owned();
            let n = words.next().and_then(|n| n.parse().ok()).expect("a number");
            acknowledged.insert(owner, n);
            count += 1;
            let first = *first.get_or_insert_with(Instant::now);
            if !killed && enough(count, first.elapsed()) {
                child.kill().expect("the writer is killed");
                killed = true;
            }
        }
        line.clear();
    }
    child.wait().expect("the writer ends");
    assert!(killed, "the writer ended by itself after {count} acknowledgements");
    count
}

/// Reads everything and compares it with what was acknowledged; the outer error is one that the
/// store reported, the inner one is a difference that it did not report.
pub(super) fn verify(
    store: &Store,
    acknowledged: &Acknowledged,
) -> Result<Result<(), String>, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut batches = 0;
        for (owner, &acknowledged) in acknowledged {
            let (first, newest) = store.bounds(&jid(owner), ARCHIVE).await?;
            if first.0 != trimmed(newest.0) + 1 {
                return Ok(Err(format!("{owner} begins at {}, ends at {}", first.0, newest.0)));
            }
            let mut last = first.0 - 1;
            loop {
                let page = store.page(&jid(owner), ARCHIVE, Seq(last), PAGE_ITEMS).await?;
                let Some(end) = page.last() else { break };
                let end = end.seq.0;
                for (entry, n) in page.iter().zip(last + 1..) {
                    if entry.seq.0 != n || entry.value != text(owner, n).as_bytes() {
                        return Ok(Err(format!("entry {n} of {owner} is another")));
                    }
                }
                last = end;
            }
            if last < acknowledged {
                return Ok(Err(format!("{owner} ends at {last}, not at {acknowledged}")));
            }
            batches += last;
            let rows = store.load(&jid(owner)).await?.rows;
            if rows.len() as u64 != last.min(ROWS) {
                return Ok(Err(format!("{owner} has {} rows", rows.len())));
            }
            for (_, key, value) in rows {
                let slot = key.try_into().map_or(u64::MAX, u64::from_be_bytes);
                let newest = (0..=last).rev().find(|n| n % ROWS == slot);
                if newest.is_none_or(|n| value != text(owner, n).as_bytes()) {
                    return Ok(Err(format!("row {slot} of {owner} is not the newest")));
                }
            }
        }
        let mut events = 0;
        loop {
            let page = store.events(events, PAGE_ITEMS).await?;
            let Some(end) = page.last() else { break };
            events = end.number;
        }
        if events != batches {
            return Ok(Err(format!("{events} events for {batches} batches")));
        }
        Ok(Ok(()))
    })
}
