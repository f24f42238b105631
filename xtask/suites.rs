//! The test suites and their profiles.

use std::time::{Duration, Instant};

use crate::{
    shell::{Done, command, has, run, sh, target},
    tools::{Tool, need},
};

/// A suite: a name, what it needs, and what it runs.
struct Suite {
    name: &'static str,
    /// Only in the long profile.
    long: bool,
    needs: &'static [Tool],
    run: fn() -> Done,
}

const PROSODY: Tool = Tool::Debian("prosody", "prosody");
const EJABBERD: Tool = Tool::Debian("ejabberdctl", "ejabberd");
const SLIXMPP: Tool = Tool::Python("slixmpp");
const VENV: Tool = Tool::Debian("pip3", "python3-venv");
const NODE: &[Tool] = &[
    Tool::Debian("node", "nodejs"),
    Tool::Debian("npm", "npm"),
    Tool::Node("strophe.js@5 ws@8 jsdom@22 @xmldom/xmldom@0.9"),
];

/// The suites, quick ones first.
const SUITES: &[Suite] = &[
    Suite { name: "fmt", long: false, needs: &[], run: fmt },
    Suite { name: "tidy", long: false, needs: &[], run: || sh("", "cargo test -q -p oc-tidy") },
    Suite { name: "clippy", long: false, needs: &[], run: clippy },
    Suite { name: "unit", long: false, needs: &[], run: unit },
    Suite {
        name: "deny",
        long: false,
        needs: &[Tool::Crate("cargo-deny", "0.20.2")],
        run: || sh("", "cargo deny --log-level error check bans licenses sources"),
    },
    Suite { name: "conformance", long: false, needs: &[PROSODY, EJABBERD], run: conformance },
    Suite {
        name: "slixmpp",
        long: false,
        needs: &[VENV, SLIXMPP],
        run: || client("python3", "slixmpp_login.py"),
    },
    Suite {
        name: "profanity",
        long: false,
        needs: &[Tool::Debian("profanity", "profanity"), Tool::Debian("tmux", "tmux")],
        run: || client("bash", "profanity.sh"),
    },
    Suite { name: "strophe", long: false, needs: NODE, run: || client("node", "strophe.js") },
    Suite { name: "tokio-xmpp", long: false, needs: &[], run: tokio_xmpp },
    Suite {
        name: "fuzz",
        long: true,
        needs: &[Tool::Crate("cargo-fuzz", "0.13.2")],
        run: || fuzz(&["60".into()]),
    },
];

/// `cargo xtask test`
pub(crate) fn test(arguments: &[String]) -> Done {
    if arguments.iter().any(|a| a == "--list") {
        for suite in SUITES {
            println!("{:14}{}", suite.name, if suite.long { "long" } else { "" });
        }
        return Ok(());
    }
    let long = arguments.iter().any(|a| a == "--long");
    let named: Vec<_> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    if let Some(unknown) = named.iter().find(|n| !SUITES.iter().any(|s| s.name == **n)) {
        return Err(format!("no suite is called {unknown}: see `cargo xtask test --list`"));
    }
    let wanted = |s: &&Suite| match named.is_empty() {
        true => long || !s.long,
        false => named.iter().any(|n| *n == s.name),
    };
    let (mut rows, mut failed) = (Vec::new(), 0);
    let start = Instant::now();
    for suite in SUITES.iter().filter(wanted) {
        println!("== {}", suite.name);
        let begin = Instant::now();
        let outcome = match need(suite.needs) {
            Ok(true) => (suite.run)().map(|()| "ok"),
            Ok(false) => Ok("SKIPPED"),
            Err(why) => Err(why),
        };
        let word = outcome.unwrap_or_else(|why| {
            println!("   {why}");
            failed += 1;
            "FAILED"
        });
        rows.push((suite.name, begin.elapsed(), word));
    }
    println!("\n{:14}{:>8}", "suite", "minutes");
    for (name, took, word) in rows {
        println!("{name:14}{:>8.1}  {word}", minutes(took));
    }
    println!("{:14}{:>8.1}", "together", minutes(start.elapsed()));
    if failed == 0 { Ok(()) } else { Err(format!("{failed} suite(s) failed")) }
}

fn minutes(took: Duration) -> f64 {
    took.as_secs_f64() / 60.0
}

fn fmt() -> Done {
    sh("", "cargo fmt --all --check")?;
    sh("conformance", "cargo fmt --check")?;
    sh("tests/fuzz", "cargo fmt --check")
}

fn clippy() -> Done {
    sh("", "cargo clippy -q --workspace --all-targets --locked -- -D warnings")?;
    sh("conformance", "cargo clippy -q --all-targets --locked -- -D warnings")
}

fn unit() -> Done {
    sh("", "cargo test -q --workspace --exclude oc-tidy --exclude oc-interop --locked")
}

fn build() -> Done {
    sh("", "cargo build -q -p open-conference --locked")?;
    sh("conformance", "cargo build -q --locked")
}

fn conformance() -> Done {
    build()?;
    run(command("", &harness()).env("OC_SUBJECT", "all"))
}

/// The path of the black-box harness.
pub(crate) fn harness() -> String {
    target().join("debug/oc-conformance").display().to_string()
}

/// Runs a script of `tests/clients` against a server of ours that the harness starts.
fn client(program: &str, script: &str) -> Done {
    build()?;
    sh("tests/clients", &format!("{} with {program} {script}", harness()))
}

fn tokio_xmpp() -> Done {
    build()?;
    sh("", "cargo build -q -p oc-interop --locked")?;
    let peer = target().join("debug/oc-interop");
    sh("", &format!("{} with {}", harness(), peer.display()))
}

/// What is fuzzed.
const TARGETS: &[&str] = &["xml_reader", "jid", "sasl"];

/// `cargo xtask fuzz`: libFuzzer through cargo-fuzz. Without a nightly toolchain the stable
/// compiler is told to take the flags that the sanitizer needs.
pub(crate) fn fuzz(arguments: &[String]) -> Done {
    if !has("cargo-fuzz") && !need(&[Tool::Crate("cargo-fuzz", "0.13.2")])? {
        return Err("cargo-fuzz is missing".into());
    }
    let seconds = arguments.first().map_or("60", String::as_str);
    let named: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    for name in TARGETS.iter().filter(|t| named.is_empty() || named.contains(t)) {
        let limits =
            format!("-max_total_time={seconds} -rss_limit_mb=2048 -timeout=10 -verbosity=0");
        let line =
            format!("cargo fuzz run --fuzz-dir tests/fuzz {name} -- {limits} -print_final_stats=1");
        run(command("", &line).env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}
