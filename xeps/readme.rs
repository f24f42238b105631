//! The table of `README.md`, from the heads.

use std::fmt::Write as _;

use oc_core::spec::{Status, Xep};

const HEAD: &str = "\
# Extensions

One folder per extension, named by the field's own term. This file is generated from the heads:
`UPDATE=1 cargo test -p oc-xeps readme` writes it.

| XEP | title | version | status | folder | tests | left out |
|---|---|---|---|---|---|---|
";

const FOOT: &str = "
Tests = test functions named after a section of that document, when the file was last written.

## How to add one

1. `mkdir xeps/<term>`; the term is the XEP's own noun. `ping/` is the smallest model.
2. Head of `mod.rs`: title, one paragraph of what and why, what is left out.
3. `pub const NS`: the namespace, once, with its number of version.
4. `pub static XEP: Xep`: number, title, version, status, folder, features, note.
5. A unit struct that implements the plug point it needs, with the hooks it needs:
   `StreamFeature` before a resource is bound, `AccountFeature` for what belongs to a bare JID,
   `HostFeature` for a domain, `adhoc::Command` for what people execute at a domain.
6. `active()` says when the settings leave it out: then it is neither announced nor called.
7. One line in the list: `stream.rs`, `account.rs` or `host.rs`, at the place where it must see
   the stanza, with a word why there. `lib.rs`: `pub mod`, and the head in `all()`.
8. Cite every rule in code: `XEP-0199 #c2s`, `RFC 6120 §8.2.3`. The anchors stand in
   `anchors.txt`; a new document's come from `cargo run -p oc-examples --example anchors`.
9. State goes into the plug point's `Slot`, time and ids come from `Ctx`, what must be done goes
   out as an effect. Nothing here waits, locks, logs or reads a clock.
10. Every bound is a constant with a name; what comes from a peer is refused with a `Reject` that
    names its rule.
11. Tests `xep_<number>_<anchor>` from the examples of the XEP: `testing.rs` has a domain and a
    client. What deviates gets a `note.md`: spec says, others do, we do, why.
12. `UPDATE=1 cargo test -p oc-xeps`, `cargo test -p oc-tidy`.
";

/// The whole file. `tests` counts the tests of an extension.
pub fn readme(all: &[&Xep], tests: impl Fn(&Xep) -> usize) -> String {
    let mut out = String::from(HEAD);
    for xep in all {
        let number = if xep.number.is_empty() { "ours" } else { xep.number };
        let status = match xep.status {
            Status::Complete => "complete",
            Status::Partial => "partial",
        };
        let Xep { title, version, folder, .. } = xep;
        let note = xep.note.replace('<', "&lt;").replace('|', "\\|");
        let tests = tests(xep);
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {number} | {title} | {version} | {status} | `{folder}` | {tests} | {note} |"
        );
    }
    out.push_str(FOOT);
    out
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::all;

    fn here() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
    }

    /// All Rust text below a folder.
    fn source(folder: &Path) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                text.push_str(&source(&path));
            } else if path.extension().is_some_and(|e| e == "rs") {
                text.push_str(&std::fs::read_to_string(path).expect("UTF-8"));
            }
        }
        text
    }

    /// A line without its count: counts may lag behind, so that a test more is not a merge more.
    fn without_count(line: &str) -> String {
        let mut cells: Vec<_> = line.split(" | ").collect();
        if line.starts_with("| ") && cells.len() == 7 {
            cells[5] = "";
        }
        cells.join(" | ")
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "this test writes its own golden file")]
    fn readme_is_what_the_heads_say() {
        let text = source(&here());
        let count = |xep: &Xep| match xep.number {
            "" => source(&here().join(xep.folder)).matches("#[test]").count(),
            number => text.matches(&format!("fn xep_{number}_")).count(),
        };
        let wanted = readme(&all(), count);
        let file = here().join("README.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &wanted).expect("written");
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        let (found, wanted): (Vec<_>, Vec<_>) = (
            found.lines().map(without_count).collect(),
            wanted.lines().map(without_count).collect(),
        );
        let missing = wanted.iter().find(|line| !found.contains(line));
        assert_eq!(missing, None, "README.md is old: UPDATE=1 cargo test -p oc-xeps readme");
        assert_eq!(found.len(), wanted.len(), "README.md has lines that nobody wrote");
    }

    #[test]
    fn anchors_are_there_once() {
        let text = std::fs::read_to_string(here().join("anchors.txt")).expect("UTF-8");
        let mut places: Vec<_> = text
            .lines()
            .map(|line| {
                let words = if line.starts_with("RFC ") { 3 } else { 2 };
                line.split(' ').take(words).collect::<Vec<_>>().join(" ")
            })
            .collect();
        let all = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), all, "a section is there twice");
        for xep in crate::all().iter().filter(|xep| !xep.number.is_empty()) {
            let start = format!("XEP-{} #", xep.number);
            assert!(places.iter().any(|place| place.starts_with(&start)), "nothing of {start}");
        }
    }

    #[test]
    fn readme_lists_every_folder() {
        let all = all();
        for entry in std::fs::read_dir(here()).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.join("mod.rs").exists() {
                assert!(all.iter().any(|xep| xep.folder == name), "`{name}` is not in all()");
            }
        }
        for xep in &all {
            assert!(here().join(xep.folder).join("mod.rs").exists(), "no folder {}", xep.folder);
        }
        let numbers: Vec<_> = all.iter().map(|x| x.number).filter(|n| !n.is_empty()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "each document once: {numbers:?}");
    }
}
