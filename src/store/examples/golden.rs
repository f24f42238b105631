//! Writes the golden data directory of a step:
//! `cargo run -p oc-store --example golden fjall tests/upgrade/step-01-fjall` (or sled).
//!
//! Every later version must open what this version wrote; `src/store/tests/upgrade.rs` knows the
//! content. A golden directory is written once, by the version of its step, and never again.

use std::error::Error;
use std::path::PathBuf;

use oc_core::record::{LabelId, Log, Record, Seq, Table};
use oc_core::shard::{owner_of, shard_of};
use oc_core::{BareJid, Time};
use oc_store::{EngineKind, Settings, Store};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let engine = args.next().as_deref().and_then(EngineKind::from_name);
    let (Some(engine), Some(path)) = (engine, args.next().map(PathBuf::from)) else {
        return Err("usage: golden fjall|sled DIRECTORY".into());
    };
    if path.exists() {
        return Err("the directory exists; a golden directory is written once".into());
    }
    let mut settings = Settings::at(engine, &path);
    // So that fjall makes sorted files of it, and time to make them.
    settings.write_buffer_bytes = 16 * 1024;
    let (store, _) = Store::open(&settings)?;
    tokio::runtime::Builder::new_current_thread().build()?.block_on(fill(&store))?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    store.close();
    // Opened once more, an engine gives up the room it had reserved for its log.
    Store::open(&settings)?.0.close();
    Ok(())
}

async fn fill(store: &Store) -> Result<(), Box<dyn Error>> {
    let (roster, private) = (Table("roster"), Table("private"));
    let (offline, archive) = (Log("offline"), Log("archive"));
    let at = Time(1_795_256_430_123);
    let alice = || BareJid::new("alice@example.org");
    let put = |owner, table, key: &[u8], value: &[u8]| Record::Put {
        owner,
        table,
        key: key.to_vec(),
        value: value.to_vec(),
    };
    let append = |owner, log, label, value: String| Record::Append {
        owner,
        log,
        at,
        label: LabelId(label),
        value: value.into_bytes(),
    };
    let event = |subject, data: &[u8]| Record::Event {
        kind: "account.created",
        subject,
        at,
        data: data.to_vec(),
    };
    let mut batches = vec![
        vec![
            put(alice()?, roster, b"bob@example.org", b"<item jid='bob@example.org'/>"),
            put(alice()?, roster, b"carol@example.org", b"replaced below"),
            put(alice()?, private, b"\0\xff", b"\xff\0binary"),
            append(alice()?, offline, 0, "<message id='1'/>".to_owned()),
            event(alice()?, b"{}"),
        ],
        vec![
            put(alice()?, roster, b"carol@example.org", b"<item jid='carol@example.org'/>"),
            put(alice()?, roster, b"dave@example.org", b"removed below"),
            Record::Delete { owner: alice()?, table: roster, key: b"dave@example.org".to_vec() },
            append(alice()?, offline, 7, "<message id='2'/>".to_owned()),
        ],
    ];
    let room = || BareJid::new("room@conference.example.org");
    for n in 1..=150 {
        let body = format!("<message id='{n}'><body>{}</body></message>", "x".repeat(n % 40));
        batches.push(vec![append(room()?, archive, 0, body)]);
    }
    batches.push(vec![Record::Trim { owner: room()?, log: archive, through: Seq(100) }]);
    let gone = || BareJid::new("gone@example.org");
    batches.push(vec![
        put(gone()?, roster, b"k", b"v"),
        append(gone()?, offline, 0, "<message/>".to_owned()),
        event(gone()?, b""),
    ]);
    batches.push(vec![Record::Forget { owner: gone()? }]);
    for batch in batches {
        let shard = shard_of(owner_of(batch[0].owner()));
        let epoch = store.claim(shard).await?;
        store.commit(shard, epoch, batch).await?;
    }
    Ok(())
}
