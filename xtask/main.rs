//! Developer commands: `cargo xtask test`, `cargo xtask bench`, `cargo xtask fuzz`.

use std::{env, process::ExitCode};

mod bench;
mod shell;
mod suites;
mod tools;

const HELP: &str = "\
cargo xtask test [--long] [SUITE]...   run the test suites (all of the short profile by default)
cargo xtask test --list                name the suites
cargo xtask bench [SUBJECT]...         load ours, prosody, ejabberd in turn and compare
cargo xtask fuzz [SECONDS] [TARGET]... fuzz the readers of what strangers send

As root, `test` installs the Debian, npm and PyPI packages that it needs; otherwise it says what it
skips. With CI=true nothing is skipped: what is missing is a failure.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let done = match arguments.first().map(String::as_str) {
        Some("test") => suites::test(rest),
        Some("bench") => bench::bench(rest),
        Some("fuzz") => suites::fuzz(rest),
        _ => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
