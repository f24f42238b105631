//! Black-box tests of XMPP servers: what the RFCs and XEPs say, asked over the network.
//!
//! `cargo run` runs every case against Open Conference; `OC_SUBJECT=prosody` (or `ejabberd`, or `all`)
//! chooses others, whose failures are recorded, not punished. Arguments select cases by a part of their
//! name. `OC_KEEP=1` keeps the subject's directory with its log.

use std::{
    collections::BTreeMap,
    env,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

mod case;
mod client;
mod subject;

mod rfc6120;
mod rfc6121;
mod xeps;

use case::{Case, World};
use client::Done;
use subject::{Kind, Subject};

/// No case may take longer.
const CASE_TIME: Duration = Duration::from_secs(75);
/// Cases that run at the same time.
const PARALLEL: usize = 12;

type Results = BTreeMap<&'static str, Done>;

fn main() -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let subject = env::var("OC_SUBJECT").unwrap_or_else(|_| "ours".into());
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|k| subject == "all" || subject.split(',').any(|s| s == k.name()))
        .collect();
    if kinds.is_empty() {
        eprintln!("OC_SUBJECT={subject} is none of ours, prosody, ejabberd, all");
        return ExitCode::FAILURE;
    }
    let cases: Vec<&Case> = rfc6120::cases()
        .chain(rfc6121::cases())
        .chain(xeps::cases())
        .filter(|c| wanted.is_empty() || wanted.iter().any(|w| c.name.contains(w)))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let (mut all, mut good) = (Vec::new(), true);
    for kind in kinds {
        match runtime.block_on(run(kind, &cases)) {
            Ok(results) => {
                good &= kind != Kind::Ours || results.values().all(Result::is_ok);
                all.push((kind, results));
            }
            Err(why) => {
                eprintln!("{why}");
                good = false;
            }
        }
    }
    table(&cases, &all);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(kind: Kind, cases: &[&'static Case]) -> Result<Results, String> {
    let mut subject = Subject::start(kind)?;
    eprintln!("{}: ready after {:?}, pid {}", kind.name(), subject.ready, subject.pid());
    let start = Instant::now();
    let world = World { place: subject.place.clone() };
    let (slots, mut tasks) = (Arc::new(Semaphore::new(PARALLEL)), JoinSet::new());
    for case in cases.iter().copied() {
        let (world, slots) = (world.clone(), Arc::clone(&slots));
        tasks.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let done = timeout(CASE_TIME, (case.run)(world)).await;
            (case.name, done.unwrap_or_else(|_| Err(format!("not done after {CASE_TIME:?}"))))
        });
    }
    let mut results = Results::new();
    while let Some(done) = tasks.join_next().await {
        let (name, done) = done.map_err(|e| format!("a case broke: {e}"))?;
        if let Err(why) = &done {
            println!("{}: {}: {why:.400}", kind.name(), short(name));
        }
        results.insert(name, done);
    }
    eprintln!("{}: {} cases in {:.1?}", kind.name(), results.len(), start.elapsed());
    if !subject.alive() {
        return Err(format!("{} died under test:\n{}", kind.name(), subject.log()));
    }
    Ok(results)
}

fn short(name: &str) -> String {
    name.trim_start_matches("oc_conformance::").replace("::", "/")
}

/// Who passes what: one line per case, and the sums.
fn table(cases: &[&Case], all: &[(Kind, Results)]) {
    let heads: Vec<_> = all.iter().map(|(k, _)| format!("{:>9}", k.name())).collect();
    println!("\n{:60}{}", "", heads.join(""));
    for case in cases {
        let marks: Vec<_> = all
            .iter()
            .map(|(_, results)| match results.get(case.name) {
                Some(Ok(())) => "       ok",
                Some(Err(why)) if why.starts_with("n/a") => "        -",
                Some(Err(_)) => "   FAILED",
                None => "        ?",
            })
            .collect();
        println!("{:60}{}", short(case.name), marks.join(""));
    }
    let sums: Vec<_> = all
        .iter()
        .map(|(_, r)| {
            format!("{:>9}", format!("{}/{}", r.values().filter(|d| d.is_ok()).count(), r.len()))
        })
        .collect();
    println!("{:60}{}", "passed", sums.join(""));
}
