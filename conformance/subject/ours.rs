//! Open Conference with its conformance profile.

use std::{env, path::PathBuf, process::Command};

use super::Plan;

pub fn command(plan: &Plan<'_>) -> Result<Command, String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let binary = match env::var_os("OC_SERVER") {
        Some(path) => PathBuf::from(path),
        None => {
            let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            target.unwrap_or_else(|| root.join("target")).join("debug/open-conference")
        }
    };
    if !binary.exists() {
        return Err(format!("{} is missing: `cargo build -p open-conference`", binary.display()));
    }
    let mut command = Command::new(binary);
    command.arg("serve").arg("--config").arg(root.join("examples/server-conformance.toml"));
    let place = plan.place;
    let mut sets = vec![
        format!("c2s.listen=[\"{}\"]", place.starttls),
        format!("c2s.listen_tls=[\"{}\"]", place.tls),
        format!("http.listen=[\"{}\"]", place.http),
        format!("http.listen_plaintext=[\"{}:25282\"]", plan.ip),
        format!("admin.listen=[\"{}:25280\"]", plan.ip),
        format!("store.path=\"{}\"", plan.dir.join("data").display()),
    ];
    sets.push("domain.contact_abuse=[\"mailto:abuse@example.org\"]".to_owned());
    for domain in ["domain", "domain.2", "domain.3"] {
        sets.push(format!("{domain}.certificate=\"{}\"", plan.cert));
        sets.push(format!("{domain}.key=\"{}\"", plan.key));
    }
    // More settings, separated by `;`, for the load generator.
    let more = env::var("OC_SET").unwrap_or_default();
    sets.extend(more.split(';').filter(|s| !s.is_empty()).map(str::to_owned));
    for set in sets {
        command.arg("--set").arg(set);
    }
    Ok(command)
}
