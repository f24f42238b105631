//! What the tests need from outside, and how it comes onto a Debian machine.

use std::{env, fs, os::unix::fs::MetadataExt, path::Path};

use crate::shell::{Done, command, has, run, sh, tools};

/// Something that a suite cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// A program from a Debian package.
    Debian(&'static str, &'static str),
    /// A program of a crate, in a version.
    Crate(&'static str, &'static str),
    /// A package of PyPI, in an environment of its own.
    Python(&'static str),
    /// Packages of npm.
    Node(&'static str),
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Debian(_, n) | Self::Crate(n, _) | Self::Python(n) | Self::Node(n) => n,
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Debian(program, _) | Self::Crate(program, _) => has(program),
            Self::Python(package) => {
                let mut probe = command("", "python3 -c");
                probe.arg(format!("import {package}")).stderr(std::process::Stdio::null());
                run(&mut probe).is_ok()
            }
            Self::Node(packages) => packages
                .split_whitespace()
                .all(|p| tools().join("npm/node_modules").join(base(p)).exists()),
        }
    }

    fn install(self) -> Done {
        let dir = tools();
        fs::create_dir_all(dir.join("npm")).map_err(|e| e.to_string())?;
        match self {
            Self::Debian(_, package) => debian(package),
            Self::Crate(name, version) => {
                let root = dir.display();
                let line = format!("cargo install {name} --version {version} --locked --debug");
                let slim = if name == "cargo-deny" { " --no-default-features" } else { "" };
                sh("", &format!("{line}{slim} --root {root} --target-dir {root}/build"))
            }
            Self::Python(package) => {
                let venv = dir.join("venv");
                if !venv.exists() {
                    sh("", &format!("python3 -m venv {}", venv.display()))?;
                }
                sh("", &format!("{}/bin/pip install -q {package}", venv.display()))
            }
            Self::Node(packages) => sh(
                "",
                &format!(
                    "npm install --silent --no-audit --no-fund --prefix {}/npm {packages}",
                    dir.display()
                ),
            ),
        }
    }
}

/// The name of an npm package without its version.
fn base(package: &str) -> &str {
    package.rsplit_once('@').map_or(package, |(name, _)| name)
}

/// Installs a Debian package without starting the service that may be in it.
fn debian(package: &str) -> Done {
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let ours = !policy.exists();
    if ours {
        fs::write(policy, "#!/bin/sh\nexit 101\n").map_err(|e| e.to_string())?;
        sh("", "chmod 755 /usr/sbin/policy-rc.d")?;
    }
    let mut install = command("", "apt-get install -y -qq --no-install-recommends");
    install
        .arg(package)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(std::process::Stdio::null());
    let mut done = run(&mut install);
    if done.is_err() {
        done = sh("", "apt-get update -qq").and_then(|()| run(&mut install));
    }
    if ours {
        fs::remove_file(policy).map_err(|e| e.to_string())?;
    }
    done.map_err(|_| format!("apt-get could not install {package}"))
}

/// Whether we may install Debian packages.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

/// Sees to it that tools are there. `Ok(false)` means: something is missing, skip what needs it.
pub(crate) fn need(wanted: &[Tool]) -> Result<bool, String> {
    for tool in wanted.iter().filter(|t| !t.is_there()) {
        let system = matches!(tool, Tool::Debian(..));
        if system && !is_root() {
            let what = format!("{} is not installed (apt-get install {0})", tool.name());
            if env::var("CI").as_deref() == Ok("true") {
                return Err(what);
            }
            println!("   SKIPPED: {what}");
            return Ok(false);
        }
        println!("   installing {}", tool.name());
        tool.install()?;
    }
    Ok(true)
}
