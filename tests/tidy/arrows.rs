//! R1 and R2: which package may use which.

use crate::{Finding, Tree, manifest};

/// Who may use which of our own packages. What is not listed is forbidden.
const OWN: &[(&str, &[&str])] = &[
    ("oc-core", &[]),
    ("oc-xeps", &["oc-core"]),
    ("oc-store", &["oc-core"]),
    ("oc-ocms", &["oc-core"]),
    ("oc-sfu", &[]),
    ("open-conference", &["oc-core", "oc-xeps", "oc-store", "oc-ocms", "oc-sfu"]),
    ("oc-tidy", &[]),
    ("oc-conformance", &[]),
    ("oc-tests", &["*"]),
    ("oc-interop", &["*"]),
    ("oc-examples", &["*"]),
    ("oc-fuzz", &["*"]),
    ("xtask", &["*"]),
];

/// Everything the pure packages may use from outside (R1); one more is a decision, not an accident.
const PURE: &[&str] = &[
    "base64",
    "bytes",
    "compact_str",
    "hmac",
    "jid",
    "memchr",
    "pbkdf2",
    "precis-profiles",
    "proptest",
    "rxml",
    "sha1",
    "sha2",
    "smallvec",
    "stringprep",
    "subtle",
    "thiserror",
    "time",
    "zeroize",
];

/// Crates that belong to certain packages only, and why.
const FENCED: &[(&str, &[&str], &str)] = &[
    (
        "rustls",
        &["open-conference", "oc-conformance"],
        "TLS is the server's; say tokio_rustls::rustls",
    ),
    (
        "tokio-rustls",
        &["open-conference", "oc-tests", "oc-interop", "oc-examples", "oc-conformance"],
        "TLS is the server's",
    ),
    ("hickory-resolver", &["open-conference"], "names are resolved by the server"),
    ("sqlx", &["oc-ocms"], "SQL is the identity service's"),
    ("rusqlite", &[], "it cannot stand beside sqlx's SQLite: both link sqlite3"),
    ("fjall", &["oc-store"], "engines hide behind the store's traits"),
    ("sled", &["oc-store"], "engines hide behind the store's traits"),
    (
        "tokio-xmpp",
        &["oc-tests", "oc-interop", "oc-examples"],
        "it is the other side, in tests only",
    ),
    (
        "xmpp-parsers",
        &["oc-tests", "oc-interop", "oc-examples"],
        "we have one element type of our own",
    ),
    ("minidom", &["oc-tests", "oc-interop", "oc-examples"], "we have one element type of our own"),
    ("webrtc", &["oc-tests", "oc-interop", "oc-examples"], "it is the other side, in tests only"),
    ("ring", &[], "one crypto provider: aws-lc-rs"),
    ("openssl", &[], "one crypto provider: aws-lc-rs"),
    ("native-tls", &[], "one crypto provider: aws-lc-rs"),
    ("anyhow", &["xtask"], "errors are enums that say who is wrong"),
];

/// Packages without an asynchronous runtime.
const NO_TOKIO: &[&str] = &["oc-core", "oc-xeps", "oc-sfu", "oc-tidy"];

/// R1, R2: a package uses what its row allows, and nothing else.
pub fn arrows(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|f| f.path.ends_with("Cargo.toml")) {
        let name = manifest::package_name(file);
        if name.is_empty() {
            continue;
        }
        let Some((_, own)) = OWN.iter().find(|(n, _)| *n == name) else {
            let what =
                format!("package `{name}` is unknown here: give it a row in tests/tidy/arrows.rs");
            found.push(Finding::new(&file.path, 1, "R2", what));
            continue;
        };
        for dep in manifest::dependencies(file) {
            if let Some(why) = refusal(&name, own, &dep.key) {
                let what = format!("{name} must not use {}: {why}", dep.key);
                found.push(Finding::new(&file.path, dep.line, "R2", what));
            }
        }
    }
    found
}

fn refusal(name: &str, own: &[&str], dep: &str) -> Option<String> {
    if OWN.iter().any(|(n, _)| *n == dep) {
        let allowed = own.contains(&dep) || own.contains(&"*");
        return (!allowed).then(|| format!("allowed are {own:?} (arrows of src/README.md)"));
    }
    if let Some((_, who, why)) = FENCED.iter().find(|(n, ..)| *n == dep) {
        return (!who.contains(&name)).then(|| format!("{why}; allowed in {who:?}"));
    }
    if NO_TOKIO.contains(&name) && (dep == "tokio" || dep.starts_with("tokio-")) {
        return Some("it has no runtime; shells live in src/server".into());
    }
    let pure = name == "oc-core" || name == "oc-xeps";
    (pure && !PURE.contains(&dep)).then(|| {
        "it is pure (R1); if it stays so, add the crate to PURE in tests/tidy/arrows.rs".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, dep: &str) -> usize {
        let text =
            format!("[package]\nname = \"{name}\"\n[dependencies]\n{dep}.workspace = true\n");
        arrows(&Tree::of(&[("p/Cargo.toml", &text)])).len()
    }

    #[test]
    fn arrows_are_refused() {
        for (name, dep) in [
            ("oc-core", "oc-xeps"),
            ("oc-xeps", "oc-store"),
            ("oc-sfu", "oc-core"),
            ("oc-sfu", "tokio"),
            ("oc-ocms", "fjall"),
            ("oc-store", "sqlx"),
            ("oc-core", "serde"),
            ("open-conference", "tokio-xmpp"),
            ("open-conference", "ring"),
            ("oc-ocms", "rustls"),
            ("oc-conformance", "oc-core"),
            ("stranger", "serde"),
        ] {
            assert_eq!(findings(name, dep), 1, "{name} -> {dep} must be refused");
        }
    }

    #[test]
    fn arrows_are_allowed() {
        for (name, dep) in [
            ("oc-xeps", "oc-core"),
            ("open-conference", "oc-ocms"),
            ("oc-store", "fjall"),
            ("oc-tests", "open-conference"),
            ("oc-interop", "tokio-xmpp"),
        ] {
            assert_eq!(findings(name, dep), 0, "{name} -> {dep} is fine");
        }
    }
}
