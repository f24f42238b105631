//! `cargo xtask bench`: the load generator against ours, Prosody and ejabberd in turn.

use std::{collections::BTreeMap, process::Stdio};

use crate::{
    shell::{Done, command, sh, target},
    tools::{Tool, need},
};

/// A figure of the load generator: lower is better; and what it must not exceed.
struct Figure {
    name: &'static str,
    unit: &'static str,
    /// Not more than this, in the unit.
    at_most: Option<f64>,
    /// Not more than this part of the better peer's.
    ratio: Option<f64>,
}

const FIGURES: &[Figure] = &[
    Figure { name: "start_ready", unit: "ms", at_most: Some(200.0), ratio: None },
    Figure { name: "idle_rss_per_session", unit: "KiB", at_most: Some(20.0), ratio: None },
    Figure { name: "idle_rss_total", unit: "MiB", at_most: None, ratio: None },
    Figure { name: "idle_cpu", unit: "%", at_most: Some(0.5), ratio: None },
    Figure { name: "login_cpu", unit: "ms", at_most: None, ratio: Some(0.30) },
    Figure { name: "chat_cpu", unit: "us", at_most: None, ratio: Some(0.15) },
    Figure { name: "chat_lost", unit: "", at_most: Some(0.0), ratio: None },
    Figure { name: "chat_twice", unit: "", at_most: Some(0.0), ratio: None },
    Figure { name: "chat_disorder", unit: "", at_most: Some(0.0), ratio: None },
    Figure { name: "unauth_rss_growth", unit: "MiB", at_most: Some(4.0), ratio: None },
    Figure { name: "unauth_cpu", unit: "us", at_most: None, ratio: None },
];

const SUBJECTS: &[&str] = &["ours", "prosody", "ejabberd"];
const SCENARIOS: &[&str] = &["start", "idle", "login", "chat", "unauth"];

/// Runs every scenario against every subject and prints the comparison.
pub(crate) fn bench(arguments: &[String]) -> Done {
    let chosen = |all: &[&'static str]| -> Vec<&'static str> {
        let named: Vec<_> =
            all.iter().copied().filter(|s| arguments.iter().any(|a| a == s)).collect();
        if named.is_empty() { all.to_vec() } else { named }
    };
    let (subjects, scenarios) = (chosen(SUBJECTS), chosen(SCENARIOS));
    for (subject, tool) in [
        ("prosody", Tool::Debian("prosody", "prosody")),
        ("ejabberd", Tool::Debian("ejabberdctl", "ejabberd")),
    ] {
        if subjects.contains(&subject) {
            need(&[tool])?;
        }
    }
    sh("", "cargo build --release --locked -p open-conference -p oc-examples")?;
    sh("conformance", "cargo build --locked")?;
    let mut results: BTreeMap<(&str, String), f64> = BTreeMap::new();
    for subject in &subjects {
        for scenario in &scenarios {
            eprintln!("== {scenario} against {subject}");
            for (name, value) in measure(subject, scenario)? {
                eprintln!("   {name} {value}");
                results.insert((subject, name), value);
            }
        }
    }
    report(&subjects, &results)
}

/// One scenario against one subject, freshly started.
fn measure(subject: &str, scenario: &str) -> Result<Vec<(String, f64)>, String> {
    let built = target();
    let line = format!(
        "{} with {} {scenario}",
        built.join("debug/oc-conformance").display(),
        built.join("release/load").display()
    );
    let output = command("", &line)
        .env("OC_SUBJECT", subject)
        .env("OC_SHA256", "1")
        .env("OC_SERVER", built.join("release/open-conference"))
        // An embedded store, as in production; the profile's default is memory.
        .env("OC_SET", "store.engine=\"fjall\";log.level=\"warn\"")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!("{scenario} against {subject} failed"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let figure = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        Some((name, words.next()?.parse().ok()?))
    };
    Ok(text.lines().filter_map(figure).collect())
}

/// Prints the figures side by side, and what of it the project promised.
fn report(subjects: &[&str], results: &BTreeMap<(&str, String), f64>) -> Done {
    let heads: Vec<_> = subjects.iter().map(|s| format!("{s:>12}")).collect();
    println!("\n{:28}{}{:>10}  target", "", heads.concat(), "ratio");
    let mut missed = 0;
    for f in FIGURES {
        let value = |s: &str| results.get(&(s, f.name.to_owned())).copied();
        let cells: Vec<_> = subjects
            .iter()
            .map(|s| value(s).map_or(format!("{:>12}", "-"), |v| format!("{v:>12.2}")))
            .collect();
        let Some(ours) = value("ours") else {
            println!("{:28}{}", format!("{} [{}]", f.name, f.unit), cells.concat());
            continue;
        };
        let peers = subjects.iter().filter(|s| **s != "ours").filter_map(|s| value(s));
        let best = peers.fold(f64::INFINITY, f64::min);
        let ratio = (best.is_finite() && best > 0.0).then(|| ours / best);
        let shown = ratio.map_or(String::new(), |r| format!("{r:.2}"));
        let (text, met) = match (f.at_most, f.ratio) {
            (Some(most), _) => (format!("<= {most} {}", f.unit), ours <= most),
            (_, Some(part)) => {
                (format!("<= {part} of the better peer"), ratio.is_none_or(|r| r <= part))
            }
            _ => (String::new(), true),
        };
        missed += usize::from(!met);
        let word = if text.is_empty() {
            ""
        } else if met {
            "  met"
        } else {
            "  MISSED"
        };
        println!(
            "{:28}{}{shown:>10}  {text}{word}",
            format!("{} [{}]", f.name, f.unit),
            cells.concat()
        );
    }
    if missed == 0 { Ok(()) } else { Err(format!("{missed} target(s) missed")) }
}
