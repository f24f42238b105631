//! R3 to R6 and R10: which folder may name which.

use crate::{Finding, Source, Tree, source::is_name};

/// Folders of `xeps/` that every feature may use.
const SHARED: &[&str] = &["muc", "disco", "dataform"];

/// Features that may use another one: who, whom, why. Keep it short; a third user makes it a core
/// word.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("bind2", "sasl2", "XEP-0386 is a child of XEP-0388's success"),
    ("bind2", "sm", "inline enabling of XEP-0198"),
    ("fast", "sasl2", "XEP-0484 is a child of XEP-0388's success"),
    ("sasl2", "bind2", "inline features of XEP-0388"),
    ("sasl2", "fast", "inline features of XEP-0388"),
    ("sasl2", "sm", "inline resumption"),
    ("invite", "adhoc", "XEP-0401 is two commands of XEP-0050"),
    ("invite", "register", "an invitation leads to XEP-0077"),
    ("service_admin", "adhoc", "XEP-0133 is a set of commands of XEP-0050"),
    ("service_admin", "register", "accounts are made and removed as XEP-0077 does"),
    ("mam", "stanza_id", "archive ids are stanza ids"),
    ("moderation", "retract", "a moderated retraction is a retraction"),
];

/// Names that follow `crate::` in code outside tests, with their lines; groups are opened one
/// level.
fn crate_names(file: &Source) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for (at, mark) in file.code.match_indices("crate::") {
        if at > 0 && is_name(file.code.as_bytes()[at - 1]) {
            continue;
        }
        let line = file.line_of(at);
        if file.is_test(line) {
            continue;
        }
        let rest = &file.code[at + mark.len()..];
        for name in heads(rest) {
            names.push((line, name));
        }
    }
    names
}

/// The first names of a path or of the paths of a group: `a::b` gives `a`, `{a::b, c}` gives `a`,
/// `c`.
fn heads(rest: &str) -> Vec<String> {
    let name = |s: &str| s.bytes().take_while(|b| is_name(*b)).map(char::from).collect::<String>();
    if !rest.starts_with('{') {
        return vec![name(rest)];
    }
    let (mut depth, mut start, mut found) = (0, 1, Vec::new());
    for (i, b) in rest.bytes().enumerate() {
        match b {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if (b == b',' && depth == 1) || depth == 0 {
            found.push(name(rest[start..i].trim_start()));
            start = i + 1;
        }
        if depth == 0 {
            break;
        }
    }
    found.retain(|n| !n.is_empty());
    found
}

/// The folders directly below `xeps/`.
fn features_of(tree: &Tree) -> Vec<&str> {
    let below =
        |f: &'static str| move |p: &&String| p.starts_with(f) && p.matches('/').count() == 1;
    tree.folders.iter().filter(below("xeps/")).map(|f| &f["xeps/".len()..]).collect()
}

/// R3: a feature never uses another feature, except those in `ALLOWED`.
pub fn features(tree: &Tree) -> Vec<Finding> {
    let features = features_of(tree);
    let mut found = Vec::new();
    for file in tree.rust("xeps/") {
        let Some((me, _)) = file.path["xeps/".len()..].split_once('/') else { continue };
        for (line, name) in crate_names(file) {
            let other = features.contains(&name.as_str()) && name != me;
            let allowed = SHARED.contains(&name.as_str())
                || ALLOWED.iter().any(|(a, b, _)| *a == me && *b == name);
            if other && !allowed {
                let what = format!(
                    "feature {me} uses feature {name}: let them meet in a list of xeps/, move the \
                     word to core, or give the pair a reason in ALLOWED of tests/tidy/layers.rs"
                );
                found.push(Finding::new(&file.path, line, "R3", what));
            }
        }
    }
    found
}

/// R4: in `xeps/muc` only the ordered list names features.
pub fn room(tree: &Tree) -> Vec<Finding> {
    let features = features_of(tree);
    let mut found = Vec::new();
    for file in tree.rust("xeps/muc/").filter(|f| f.path != "xeps/muc/features.rs") {
        for (line, name) in crate_names(file) {
            if features.contains(&name.as_str()) && !SHARED.contains(&name.as_str()) {
                let what = format!("the room names feature {name}: only muc/features.rs may");
                found.push(Finding::new(&file.path, line, "R4", what));
            }
        }
    }
    found
}

/// Refuses names in the files below a folder of the server.
fn refuse(tree: &Tree, below: &str, names: &[&str], rule: &'static str, why: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.rust(below) {
        for (line, text) in file.code_lines().filter(|(l, _)| !file.is_test(*l)) {
            for name in names.iter().filter(|n| contains_path(text, n)) {
                let what = format!("`{name}` in {below}: {why}");
                found.push(Finding::new(&file.path, line, rule, what));
            }
        }
        for (line, head) in crate_names(file) {
            let grouped = format!("crate::{head}");
            let plain = file.code.lines().nth(line - 1).is_some_and(|l| contains_path(l, &grouped));
            if !plain && names.contains(&grouped.as_str()) {
                found.push(Finding::new(&file.path, line, rule, format!("`{grouped}`: {why}")));
            }
        }
    }
    found
}

/// Whether a line of code names a path, and not only a longer name that contains it.
fn contains_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = at.checked_sub(1).map(|i| line.as_bytes()[i]);
        let after = line.as_bytes().get(at + path.len());
        !before.is_some_and(|b| is_name(b) || b == b':') && !after.is_some_and(|b| is_name(*b))
    })
}

/// R5: edge and shard meet in `house.rs` through core's words only.
pub fn edge_and_shard(tree: &Tree) -> Vec<Finding> {
    let why =
        "edge and shard say only core::session values to each other; house.rs introduces them";
    let mut found = Vec::new();
    for below in ["src/server/edge/", "src/server/c2s/", "src/server/s2s/"] {
        found.extend(refuse(tree, below, &["crate::shard"], "R5", why));
    }
    let edge = &["crate::edge", "crate::c2s", "crate::s2s"];
    found.extend(refuse(tree, "src/server/shard/", edge, "R5", why));
    found
}

/// R6: only shards, administration and HTTP ask the store.
pub fn store(tree: &Tree) -> Vec<Finding> {
    let why = "what an account has is asked from its shard, never from the store";
    ["src/server/edge/", "src/server/c2s/", "src/server/s2s/"]
        .iter()
        .flat_map(|below| refuse(tree, below, &["oc_store", "crate::store"], "R6", why))
        .collect()
}

/// R10: rustls is used under tokio-rustls, so that its version and provider are chosen once.
pub fn rustls(tree: &Tree) -> Vec<Finding> {
    let why = "write tokio_rustls::rustls";
    let mut found = Vec::new();
    for below in ["src/", "xeps/"] {
        found.extend(refuse(tree, below, &["rustls"], "R10", why));
    }
    // `use tokio_rustls::rustls;` makes the short name the right one.
    let brings = |path: &str| tree.file(path).is_some_and(|f| f.code.contains("tokio_rustls::"));
    found.retain(|f| {
        let line = tree.file(&f.path).and_then(|s| s.code.lines().nth(f.line - 1));
        !brings(&f.path) || line.is_some_and(|l| l.contains("use rustls"))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_feature_uses_feature() {
        let tree = Tree::of(&[
            ("xeps/lib.rs", "pub mod sm; use crate::csi::X;"),
            ("xeps/sm/mod.rs", "use crate::{\n    Xep, csi::Hold,\n};"),
            (
                "xeps/csi/mod.rs",
                "use crate::disco::Features;\n#[cfg(test)]\nmod t { use crate::sm; }",
            ),
            ("xeps/disco/mod.rs", ""),
            ("xeps/bind2/mod.rs", "fn f() { crate::sm::enable() }"),
        ]);
        let found = features(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].path == "xeps/sm/mod.rs" && found[0].what.contains("csi"));
    }

    #[test]
    fn r4_room_names_feature() {
        let tree = Tree::of(&[
            ("xeps/muc/room.rs", "use crate::hats::Hats;"),
            ("xeps/muc/features.rs", "use crate::hats::Hats;"),
            ("xeps/hats/mod.rs", ""),
        ]);
        let found = room(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, "xeps/muc/room.rs");
    }

    #[test]
    fn r5_edge_uses_shard() {
        let tree = Tree::of(&[
            ("src/server/edge/session.rs", "use crate::shard::Registry;\nuse oc_core::shard;"),
            ("src/server/shard/task.rs", "use crate::{edge, time};"),
        ]);
        let found = edge_and_shard(&tree);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn r6_edge_uses_store() {
        let tree = Tree::of(&[
            ("src/server/c2s/mod.rs", "use oc_store::Rooms;"),
            ("src/server/shard/mod.rs", "use oc_store::Rooms;"),
        ]);
        assert_eq!(store(&tree).len(), 1);
    }

    #[test]
    fn r10_rustls_directly() {
        let tree = Tree::of(&[(
            "src/server/tls/mod.rs",
            "use rustls::X;\nuse tokio_rustls::rustls::Y;\nfn f() { crate::tls::rustls_config() }",
        )]);
        let found = rustls(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].line, 1);
    }
}
