//! Running other programs from the root of the repository.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// What a step returns: why it failed, or nothing.
pub(crate) type Done = Result<(), String>;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where everything is built, the other workspaces included.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where tools are put that are installed for the tests only.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// A command from a line of words, in a folder of the repository, with our tools in its PATH.
pub(crate) fn command(folder: &str, line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    let path = env::var("PATH").unwrap_or_default();
    let tools = tools();
    let ours = format!("{}:{}", tools.join("bin").display(), tools.join("venv/bin").display());
    command
        .args(words)
        .current_dir(root().join(folder))
        .env("PATH", format!("{ours}:{path}"))
        .env("NODE_PATH", tools.join("npm/node_modules"))
        .env("CARGO_TARGET_DIR", target());
    command
}

/// Runs a command and fails if it does.
pub(crate) fn run(command: &mut Command) -> Done {
    let name = format!("{command:?}");
    let short = name.rsplit("\"PATH\"").next().unwrap_or(&name).to_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{short}: {status}")),
        Err(e) => Err(format!("{short}: {e}")),
    }
}

/// Runs a line of words in a folder.
pub(crate) fn sh(folder: &str, line: &str) -> Done {
    run(&mut command(folder, line)).map_err(|_| format!("failed: {line}"))
}

/// Whether a program can be found.
pub(crate) fn has(program: &str) -> bool {
    let path = env::var("PATH").unwrap_or_default();
    let tools = tools();
    let ours = [tools.join("bin"), tools.join("venv/bin"), PathBuf::from("/usr/sbin")];
    env::split_paths(&path).chain(ours).any(|dir| dir.join(program).exists())
}
