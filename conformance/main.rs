//! Black-box tests of XMPP servers: what the RFCs and XEPs say, asked over the network.
//!
//! `cargo run` runs every case against Open Conference; `OC_SUBJECT=prosody` (or `ejabberd`, or
//! `all`) chooses others, whose failures are recorded, not punished. Arguments select cases by a
//! part of their name. `OC_KEEP=1` keeps the subject's directory with its log.

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
    if wanted.first().is_some_and(|w| w == "with") {
        return with(kinds[0], &wanted[1..]);
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

/// Runs the peaceful cases together, then the hostile ones: a rival may die of those, and is
/// started again; ours may not.
async fn run(kind: Kind, cases: &[&'static Case]) -> Result<Results, String> {
    let mut subject = Subject::start(kind)?;
    eprintln!("{}: ready after {:?}, pid {}", kind.name(), subject.ready, subject.pid());
    let start = Instant::now();
    let (hostile, peaceful): (Vec<_>, Vec<_>) =
        cases.iter().partition(|c| c.name.contains("s11_xml"));
    let mut results = together(&subject, &peaceful).await?;
    if kind == Kind::Ours {
        results.extend(together(&subject, &hostile).await?);
    } else {
        for case in hostile {
            let mut one = together(&subject, &[case]).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if !subject.alive() {
                one.insert(case.name, Err("the whole server died of it".into()));
                subject = Subject::start(kind)?;
            }
            results.extend(one);
        }
    }
    for (name, done) in &results {
        if let Err(why) = done {
            println!("{}: {}: {why:.400}", kind.name(), short(name));
        }
    }
    eprintln!("{}: {} cases in {:.1?}", kind.name(), results.len(), start.elapsed());
    if subject.alive() {
        Ok(results)
    } else {
        Err(format!("{} died:\n{}", kind.name(), subject.log()))
    }
}

async fn together(subject: &Subject, cases: &[&'static Case]) -> Result<Results, String> {
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
        results.insert(name, done);
    }
    Ok(results)
}

/// Starts a subject with the accounts `juliet` and `romeo`, runs a command that finds it by the
/// variables `OC_*`, and stops it: how the real clients and the load generator meet a server.
fn with(kind: Kind, command: &[String]) -> ExitCode {
    let Some((program, args)) = command.split_first() else {
        eprintln!("usage: oc-conformance with COMMAND [ARGUMENT]...");
        return ExitCode::FAILURE;
    };
    let subject = match Subject::start(kind) {
        Ok(subject) => subject,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let world = World { place: subject.place.clone() };
    let made = runtime.expect("a runtime can be built").block_on(async {
        world.register("juliet").await?;
        world.register("romeo").await
    });
    if let Err(why) = made {
        eprintln!("{}: {why}\n{}", kind.name(), subject.log());
        return ExitCode::FAILURE;
    }
    let place = &subject.place;
    let status = std::process::Command::new(program)
        .args(args)
        .env("OC_SUBJECT", kind.name())
        .env("OC_PID", subject.pid().to_string())
        .env("OC_READY_MS", subject.ready.as_millis().to_string())
        .env("OC_HOST", place.starttls.ip().to_string())
        .env("OC_STARTTLS", place.starttls.port().to_string())
        .env("OC_TLS", place.tls.port().to_string())
        .env("OC_HTTPS", place.http.port().to_string())
        .env("OC_CA", subject.ca_file())
        .env("OC_DOMAIN", subject::DOMAIN)
        .env("OC_PASSWORD", case::PASSWORD)
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!(
                "{program}: {status}; the end of the log of {}:\n{}",
                kind.name(),
                subject.log()
            );
            ExitCode::FAILURE
        }
        Err(e) => {
            eprintln!("{program}: {e}");
            ExitCode::FAILURE
        }
    }
}

fn short(name: &str) -> String {
    name.trim_start_matches("oc_conformance::").replace("::", "/")
}

/// Who passes what: one line per case, and the sums.
fn table(cases: &[&Case], all: &[(Kind, Results)]) {
    if all.is_empty() {
        return;
    }
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
