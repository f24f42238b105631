//! What the store costs: `cargo run --release -p oc-store --example bench [fjall|sled|memory]`.
//!
//! Prints the CPU time of the process per entry for groups of 1, 16 and 256 (process clock, so
//! other work on the machine counts little), syncs, pages and point reads, start-up time, memory,
//! idle CPU.

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use oc_core::record::{LabelId, Log, Record, Seq, Table};
use oc_core::shard::{Epoch, ShardId, owner_of, shard_of};
use oc_core::{BareJid, Time};
use oc_store::{EngineKind, Settings, Store};

const ARCHIVE: Log = Log("archive");
const ROSTER: Table = Table("roster");
/// Bytes of an entry, as in an archive of a chat.
const VALUE_BYTES: usize = 552;
const OWNERS: usize = 1_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "fjall".to_owned());
    let engine = EngineKind::from_name(&name).ok_or("fjall, sled or memory")?;
    let folder = tempfile::tempdir()?;
    let settings = Settings::at(engine, folder.path().join("store"));
    let (before, rss) = (cpu()?, rss_kib()?);
    let (store, report) = Store::open(&settings)?;
    println!("{name}: opened empty in {:?}, CPU {:?}", report.took, cpu()? - before);
    println!("  memory after open: +{} KiB on {rss}", rss_kib()?.saturating_sub(rss));
    let before = cpu()?;
    std::thread::sleep(Duration::from_secs(5));
    println!("  idle for 5 s: CPU {:?}", cpu()? - before);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let owners = runtime.block_on(claim(&store))?;
    for (group, count) in [(1, 300), (16, 4_800), (256, 51_200)] {
        runtime.block_on(append(&store, &owners, group, count))?;
    }
    runtime.block_on(read(&store, &owners))?;
    let before = rss_kib()?;
    store.close();
    let (store, report) = Store::open(&settings)?;
    let records = report.check.as_ref().map_or(0, |check| check.read);
    println!("  opened again in {:?}, {records} records checked", report.took);
    println!("  memory at the end: {before} KiB, disk {} KiB", disk_kib(&settings)?);
    store.close();
    Ok(())
}

struct Owner {
    jid: BareJid,
    shard: ShardId,
    epoch: Epoch,
}

async fn claim(store: &Store) -> Outcome<Vec<Owner>> {
    let mut owners = Vec::new();
    for n in 0..OWNERS {
        let jid = BareJid::new(&format!("room{n}@conference.example.org"))?;
        let shard = shard_of(owner_of(&jid));
        owners.push(Owner { jid, shard, epoch: store.claim(shard).await? });
    }
    Ok(owners)
}

/// Appends with `at_once` callers that wait for each other, so that groups have about that size.
async fn append(store: &Store, owners: &[Owner], at_once: usize, count: usize) -> Outcome<()> {
    let (cpu_before, before, began) = (cpu()?, store.counters(), Instant::now());
    let mut slowest = Duration::ZERO;
    for round in 0..count / at_once {
        let began = Instant::now();
        let mut tasks = Vec::with_capacity(at_once);
        for n in 0..at_once {
            let owner = &owners[(round * at_once + n) * 7_919 % OWNERS];
            let (shard, epoch, store) = (owner.shard, owner.epoch, store.clone());
            let value = format!("<message id='{round:08}-{n:04}'>{}", "x".repeat(VALUE_BYTES - 29));
            let record = Record::Append {
                owner: owner.jid.clone(),
                log: ARCHIVE,
                at: Time(1_700_000_000_000),
                label: LabelId(0),
                value: value.into_bytes(),
            };
            let commit = async move { store.commit(shard, epoch, vec![record]).await };
            tasks.push(tokio::spawn(commit));
        }
        for task in tasks {
            task.await??;
        }
        slowest = slowest.max(began.elapsed());
    }
    let (used, took) = (cpu()? - cpu_before, began.elapsed());
    let groups = store.counters().groups - before.groups;
    println!(
        "  {at_once} at once: CPU {:.1} us per entry, {:.0} entries/s, {groups} groups (= syncs) \
         for {count} entries, slowest {slowest:?}",
        micros(used) / count as f64,
        count as f64 / took.as_secs_f64(),
    );
    Ok(())
}

async fn read(store: &Store, owners: &[Owner]) -> Outcome<()> {
    for owner in &owners[..100] {
        let put = |n: u32| Record::Put {
            owner: owner.jid.clone(),
            table: ROSTER,
            key: n.to_be_bytes().to_vec(),
            value: vec![b'x'; 200],
        };
        store.commit(owner.shard, owner.epoch, (0..50).map(put).collect()).await?;
    }
    let pages = time(2_000, async |n| {
        let page = store.page(&owners[n % OWNERS].jid, ARCHIVE, Seq(3), 50).await?;
        assert_eq!(page.len(), 50);
        Ok(())
    })
    .await?;
    let loads = time(2_000, async |n| {
        let saved = store.load(&owners[n % 100].jid).await?;
        assert_eq!(saved.rows.len(), 50);
        Ok(())
    })
    .await?;
    let rows = time(20_000, async |n| {
        let key = ((n % 50) as u32).to_be_bytes();
        let row = store.row(&owners[n % 100].jid, ROSTER, &key).await?;
        assert!(row.is_some());
        Ok(())
    })
    .await?;
    println!("  page of 50: {pages}; load of 50 rows: {loads}; row: {rows}");
    Ok(())
}

/// CPU and wall time of one of `count` reads.
async fn time(count: usize, read: impl AsyncFn(usize) -> Outcome<()>) -> Outcome<String> {
    let (before, began, mut slowest) = (cpu()?, Instant::now(), Duration::ZERO);
    for n in 0..count {
        let began = Instant::now();
        read(n * 7_919).await?;
        slowest = slowest.max(began.elapsed());
    }
    let (used, took) = (micros(cpu()? - before), micros(began.elapsed()));
    let count = count as f64;
    Ok(format!("CPU {:.1} us, wall {:.1} us, slowest {slowest:?}", used / count, took / count))
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// CPU time of this process, all threads.
fn cpu() -> Outcome<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        // Time on a core, time waiting for one, time slices.
        if let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) {
            nanos += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanos))
}

fn rss_kib() -> Outcome<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
    Ok(number.parse()?)
}

fn disk_kib(settings: &Settings) -> Outcome<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut folders = vec![settings.path.clone()];
    let mut blocks = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry?;
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                blocks += entry.metadata()?.blocks();
            }
        }
    }
    Ok(blocks / 2)
}
