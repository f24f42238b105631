//! Dead files: Rust that no package reaches.

use std::collections::BTreeSet;

use crate::{Finding, Source, Tree, manifest, source::is_name};

/// Every `.rs` file is reached from a target of a manifest by `mod`, `#[path]` or `include!`.
pub fn dead_files(tree: &Tree) -> Vec<Finding> {
    let reached = reached(tree, false);
    tree.files
        .iter()
        .filter(|f| f.is_rust() && !reached.contains(&f.path))
        .map(|f| {
            let what = "no package reaches this file: declare it with `mod`, or delete it";
            Finding::new(&f.path, 1, "dead files", what)
        })
        .collect()
}

/// The files that the packages reach; with `product`, only those that are in a library or a
/// program.
pub fn reached(tree: &Tree, product: bool) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    for manifest in tree.files.iter().filter(|f| f.path.ends_with("Cargo.toml")) {
        for root in roots(tree, manifest, product) {
            reach(tree, &root, (true, product), &mut reached);
        }
    }
    reached
}

/// The root files of a package's targets.
fn roots(tree: &Tree, manifest: &Source, product: bool) -> Vec<String> {
    let dir = manifest.path.strip_suffix("Cargo.toml").unwrap_or_default();
    let kinds: &[_] =
        if product { &["lib", "bin"] } else { &["lib", "bin", "test", "example", "bench"] };
    let mut roots: Vec<String> = manifest::entries(manifest)
        .into_iter()
        .filter(|e| e.key == "path" && kinds.contains(&e.section.as_str()))
        .map(|e| normal(&format!("{dir}{}", e.value.trim_matches('"'))))
        .collect();
    for name in ["build.rs", "src/lib.rs", "src/main.rs"] {
        roots.push(format!("{dir}{name}"));
    }
    // Targets that Cargo finds by itself.
    let found: &[_] =
        if product { &["src/bin/"] } else { &["src/bin/", "tests/", "examples/", "benches/"] };
    for found in found {
        let below = format!("{dir}{found}");
        let one = tree.rust(&below).filter(|f| !f.path[below.len()..].contains('/'));
        roots.extend(one.map(|f| f.path.clone()));
    }
    roots
}

/// Follows the module declarations of a file.
fn reach(tree: &Tree, path: &str, (root, product): (bool, bool), reached: &mut BTreeSet<String>) {
    let Some(file) = tree.file(path) else { return };
    if !reached.insert(path.to_owned()) {
        return;
    }
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let owns_dir = root || name == "mod.rs";
    let base = if owns_dir { dir.to_owned() } else { path.trim_end_matches(".rs").to_owned() };
    for (at, mark) in file.code.match_indices("mod ") {
        let before = at.checked_sub(1).map(|i| file.code.as_bytes()[i]);
        if before.is_some_and(is_name) || (product && file.is_test(file.line_of(at))) {
            continue;
        }
        let rest = &file.code[at + mark.len()..];
        let module: String = rest.bytes().take_while(|b| is_name(*b)).map(char::from).collect();
        if module.is_empty() || !rest[module.len()..].trim_start().starts_with(';') {
            continue;
        }
        if let Some(named) = path_attribute(file, at) {
            reach(tree, &normal(&format!("{dir}/{named}")), (true, product), reached);
            continue;
        }
        for candidate in [format!("{base}/{module}.rs"), format!("{base}/{module}/mod.rs")] {
            reach(tree, candidate.trim_start_matches('/'), (false, product), reached);
        }
    }
    for (at, _) in file.code.match_indices("include!(") {
        if let Some(literal) = file.literals.iter().find(|l| l.offset >= at) {
            reach(tree, &normal(&format!("{dir}/{}", literal.text)), (true, product), reached);
        }
    }
}

/// The value of `#[path = "..."]` directly before a declaration.
fn path_attribute(file: &Source, at: usize) -> Option<&str> {
    let attribute = file.code[..at].rfind("#[path")?;
    let between = &file.code[attribute..at];
    let same = !between.contains([';', '{', '}']);
    let literal = file.literals.iter().find(|l| l.offset > attribute && l.offset < at)?;
    same.then_some(literal.text.as_str())
}

/// A path without `..`, `.` and leading slashes.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_file_is_seen() {
        let tree = Tree::of(&[
            ("a/Cargo.toml", "[package]\nname = \"a\"\n[lib]\npath = \"lib.rs\"\n"),
            ("a/lib.rs", "pub mod b;\n#[path = \"other/e.rs\"]\nmod d;\n// mod dead;\n"),
            ("a/b.rs", "mod c;"),
            ("a/b/c.rs", ""),
            ("a/other/e.rs", ""),
            ("a/dead.rs", ""),
            ("a/tests/t.rs", ""),
        ]);
        let found = dead_files(&tree);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, "a/dead.rs");
    }

    #[test]
    fn files_of_tests_are_known() {
        let tree = Tree::of(&[
            ("a/Cargo.toml", "[package]\nname = \"a\"\n[lib]\npath = \"lib.rs\"\n"),
            ("a/lib.rs", "mod b;\n#[cfg(test)]\nmod trials;"),
            ("a/b.rs", ""),
            ("a/trials/mod.rs", "mod kill;"),
            ("a/trials/kill.rs", ""),
            ("a/examples/x.rs", ""),
        ]);
        let tests: Vec<_> = tree.files.iter().filter(|f| f.test_only).map(|f| &f.path).collect();
        assert_eq!(tests, ["a/trials/mod.rs", "a/trials/kill.rs", "a/examples/x.rs"]);
    }
}
