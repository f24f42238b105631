//! Load generator: measures what a server spends, counted in its own process time and memory.
//!
//! `load SCENARIO` with a server described by the variables `OC_HOST`, `OC_STARTTLS`, `OC_TLS`,
//! `OC_PID`, `OC_DOMAIN`, `OC_PASSWORD` (the black-box harness sets them: `oc-conformance with load
//! chat`). It prints one line per figure, `name value unit`. Wall time is not a figure: the client
//! shares the machine with the server.

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

#[path = "load/client.rs"]
mod client;
#[path = "load/process.rs"]
mod process;
#[path = "load/scram.rs"]
mod scram;

use client::{Conn, Place};
use process::Process;

type Done<T = ()> = Result<T, String>;

/// Accounts that the sessions are spread over.
const ACCOUNTS: usize = 100;

fn main() -> Done {
    let mut arguments = env::args().skip(1);
    let scenario = arguments.next().unwrap_or_else(|| "help".into());
    let n: Option<usize> = arguments.next().and_then(|n| n.parse().ok());
    raise_file_limit();
    let place = Arc::new(Place::from_env()?);
    let server = Process::new(place.pid);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    runtime.block_on(async {
        match scenario.as_str() {
            "start" => start(),
            "idle" => idle(place, server, n.unwrap_or(5_000)).await,
            "login" => login(place, server, n.unwrap_or(3_000)).await,
            "chat" => chat(place, server, n.unwrap_or(100_000)).await,
            "unauth" => unauth(place, server, n.unwrap_or(100_000)).await,
            _ => Err("usage: load start|idle|login|chat|unauth [N]".into()),
        }
    })
}

/// Sockets by the ten thousand need descriptors by the ten thousand.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

fn figure(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.3} {unit}");
}

/// Makes the accounts, and gives their names.
async fn accounts(place: &Arc<Place>, n: usize) -> Done<Vec<String>> {
    let (slots, mut tasks) = (Arc::new(Semaphore::new(8)), JoinSet::new());
    for i in 0..n {
        let (place, slots) = (Arc::clone(place), Arc::clone(&slots));
        tasks.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let name = format!("load{i}");
            client::register(&place, &name).await.map(|()| name)
        });
    }
    let mut names = Vec::new();
    while let Some(name) = tasks.join_next().await {
        names.push(name.map_err(|e| e.to_string())??);
    }
    names.sort();
    Ok(names)
}

/// Opens sessions over direct TLS, a bounded number at a time.
async fn sessions(place: &Arc<Place>, n: usize, spread: usize, at_once: usize) -> Done<Vec<Conn>> {
    let names = accounts(place, spread.min(n)).await?;
    let (slots, mut tasks) = (Arc::new(Semaphore::new(at_once)), JoinSet::new());
    for i in 0..n {
        let (place, slots) = (Arc::clone(place), Arc::clone(&slots));
        let name = names[i % names.len()].clone();
        tasks.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let mut conn = Conn::tls(&place, i).await?;
            conn.login(&place, &name).await?;
            conn.bind(&format!("r{i}")).await?;
            Ok::<_, String>(conn)
        });
    }
    let mut open = Vec::with_capacity(n);
    while let Some(conn) = tasks.join_next().await {
        open.push(conn.map_err(|e| e.to_string())??);
    }
    Ok(open)
}

/// How long the harness waited from starting the server to its first accepted connection.
fn start() -> Done {
    let text = env::var("OC_READY_MS").map_err(|_| "OC_READY_MS is not set")?;
    figure("start_ready", text.parse().map_err(|_| "OC_READY_MS is no number")?, "ms");
    Ok(())
}

/// Memory per idle TLS session, and what they cost per second.
async fn idle(place: Arc<Place>, server: Process, n: usize) -> Done {
    drop(sessions(&place, 50, 50, 20).await?); // the first sessions pay for what is made once
    sleep(Duration::from_secs(2)).await;
    let before = server.rss_kib()?;
    let open = sessions(&place, n, ACCOUNTS, 50).await?;
    sleep(Duration::from_secs(5)).await;
    let after = server.rss_kib()?;
    figure("idle_rss_per_session", (after - before) as f64 / n as f64, "KiB");
    figure("idle_rss_total", after as f64 / 1024.0, "MiB");
    let (cpu, start) = (server.cpu()?, Instant::now());
    sleep(Duration::from_secs(20)).await;
    let used = server.cpu()? - cpu;
    figure("idle_cpu", 100.0 * used.as_secs_f64() / start.elapsed().as_secs_f64(), "%");
    drop(open);
    Ok(())
}

/// CPU per login: TCP, TLS 1.3, SCRAM, bind, goodbye.
async fn login(place: Arc<Place>, server: Process, n: usize) -> Done {
    drop(sessions(&place, 200, ACCOUNTS, 20).await?);
    let names: Vec<_> = (0..ACCOUNTS).map(|i| format!("load{i}")).collect();
    let (cpu, start) = (server.cpu()?, Instant::now());
    let (slots, mut tasks) = (Arc::new(Semaphore::new(20)), JoinSet::new());
    for i in 0..n {
        let (place, slots) = (Arc::clone(&place), Arc::clone(&slots));
        let name = names[i % names.len()].clone();
        tasks.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let mut conn = Conn::tls(&place, i).await?;
            conn.login(&place, &name).await?;
            conn.bind(&format!("r{i}")).await?;
            conn.send("</stream:stream>").await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|e| e.to_string())??;
    }
    let used = server.cpu()? - cpu;
    figure("login_cpu", used.as_secs_f64() * 1e3 / n as f64, "ms");
    figure("login_rate", n as f64 / start.elapsed().as_secs_f64(), "1/s");
    Ok(())
}

/// CPU per 1:1 message from client to client over TLS; every message is accounted for.
async fn chat(place: Arc<Place>, server: Process, n: usize) -> Done {
    const PAIRS: usize = 50;
    let mut open = sessions(&place, 2 * PAIRS, 2 * PAIRS, 20).await?;
    for conn in &mut open {
        conn.send("<presence/>").await?;
        conn.until(b"<presence").await?;
    }
    sleep(Duration::from_secs(1)).await;
    let each = n / PAIRS;
    let (cpu, start) = (server.cpu()?, Instant::now());
    let mut tasks = JoinSet::new();
    while let (Some(from), Some(to)) = (open.pop(), open.pop()) {
        tasks.spawn(client::converse(from, to, each));
    }
    let (mut lost, mut twice, mut disorder) = (0, 0, 0);
    while let Some(done) = tasks.join_next().await {
        let tally = done.map_err(|e| e.to_string())??;
        lost += tally.lost;
        twice += tally.twice;
        disorder += tally.disorder;
    }
    let used = server.cpu()? - cpu;
    let sent = each * PAIRS;
    figure("chat_cpu", used.as_secs_f64() * 1e6 / sent as f64, "us");
    figure("chat_rate", sent as f64 / start.elapsed().as_secs_f64(), "1/s");
    figure("chat_lost", lost as f64, "messages");
    figure("chat_twice", twice as f64, "messages");
    figure("chat_disorder", disorder as f64, "messages");
    if lost + twice + disorder == 0 { Ok(()) } else { Err("messages went astray".into()) }
}

/// How long a server may hold on to a stranger: longer than any of the login deadlines.
const STRANGER: Duration = Duration::from_secs(36);

/// Memory after many connections that open a stream and never authenticate, when what reminds of
/// the last of them has passed its deadline.
async fn unauth(place: Arc<Place>, server: Process, n: usize) -> Done {
    let warm = n / 10;
    knock(&place, warm).await?;
    sleep(STRANGER).await;
    let before = server.rss_kib()?;
    let cpu = server.cpu()?;
    knock(&place, n - warm).await?;
    sleep(STRANGER).await;
    let grown = server.rss_kib()? as f64 - before as f64;
    let used = server.cpu()? - cpu;
    figure("unauth_rss_growth", grown / 1024.0, "MiB");
    figure("unauth_cpu", used.as_secs_f64() * 1e6 / (n - warm) as f64, "us");
    Ok(())
}

async fn knock(place: &Arc<Place>, n: usize) -> Done {
    let (slots, mut tasks) = (Arc::new(Semaphore::new(100)), JoinSet::new());
    for i in 0..n {
        let slot = Arc::clone(&slots).acquire_owned().await.map_err(|e| e.to_string())?;
        let place = Arc::clone(place);
        tasks.spawn(async move {
            let _slot = slot;
            let mut conn = Conn::plain(&place, i).await?;
            conn.open(&place).await
        });
        while let Some(done) = tasks.try_join_next() {
            done.map_err(|e| e.to_string())??;
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|e| e.to_string())??;
    }
    Ok(())
}
