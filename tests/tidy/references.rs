//! R9: every reference to a specification exists, and every feature has a head, a test and a row.

use std::collections::BTreeSet;

use crate::{Finding, Source, Tree};

/// Where the anchors that may be cited are listed.
const ANCHORS: &str = "xeps/anchors.txt";

/// A citation: `XEP-0045 #enter-conflict` or `RFC 6120 §4.9.3.9`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Citation {
    line: usize,
    name: String,
}

/// The citations in a text, in the two forms that are checked.
fn citations(text: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for (at, mark) in line.match_indices("XEP-") {
            let rest = &line[at + mark.len()..];
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let anchor = rest[number.len()..].strip_prefix(" #").map(|a| {
                let word = |c: &char| c.is_ascii_alphanumeric() || "-_.:".contains(*c);
                let anchor: String = a.chars().take_while(word).collect();
                anchor.trim_end_matches(['.', ':']).to_owned()
            });
            if let Some(anchor) = anchor.filter(|a| number.len() == 4 && !a.is_empty()) {
                found.push(Citation { line: i + 1, name: format!("XEP-{number} #{anchor}") });
            }
        }
        for (at, mark) in line.match_indices("RFC ") {
            let rest = &line[at + mark.len()..];
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let Some(section) = rest[number.len()..].strip_prefix(" §") else { continue };
            let part = |c: &char| c.is_ascii_alphanumeric() || *c == '.';
            let section: String = section.chars().take_while(part).collect();
            let name = format!("RFC {number} §{}", section.trim_end_matches('.'));
            found.push(Citation { line: i + 1, name });
        }
    }
    found
}

/// The anchors listed: first word and second word of each line, or `RFC n §s`.
fn anchors(file: &Source) -> BTreeSet<String> {
    let lines = file.text.lines().filter(|l| !l.starts_with('#'));
    lines
        .map(|line| {
            let words = if line.starts_with("RFC") { 3 } else { 2 };
            line.split_whitespace().take(words).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// R9: what is cited is listed in `xeps/anchors.txt`.
pub fn references(tree: &Tree) -> Vec<Finding> {
    let cited: Vec<_> = tree
        .files
        .iter()
        .filter(|f| f.is_rust() || f.path.ends_with(".md"))
        .filter(|f| !f.path.starts_with("tests/tidy/"))
        .flat_map(|f| citations(&f.text).into_iter().map(move |c| (f, c)))
        .collect();
    let Some(list) = tree.file(ANCHORS) else {
        let what = format!("is missing, so {} references cannot be checked", cited.len());
        return if cited.is_empty() { vec![] } else { vec![Finding::new(ANCHORS, 1, "R9", what)] };
    };
    let known = anchors(list);
    cited
        .into_iter()
        .filter(|(_, c)| !known.contains(&c.name))
        .map(|(f, c)| {
            let what = format!(
                "{} is not in {ANCHORS}: look the section up in the document's own text",
                c.name
            );
            Finding::new(&f.path, c.line, "R9", what)
        })
        .collect()
}

/// R9: every folder of `xeps/` has a head with its XEP, a test, and a row in the README.
pub fn heads(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let readme = tree.file("xeps/README.md").map_or("", |f| f.text.as_str());
    let is_feature =
        |f: &&String| f.starts_with("xeps/") && f.matches('/').count() == 1 && *f != "xeps/testing";
    for folder in tree.folders.iter().filter(is_feature) {
        let term = &folder["xeps/".len()..];
        let inside = format!("{folder}/");
        let mut files = tree.rust(&inside).filter(|f| !f.test_only).peekable();
        if files.peek().is_none() {
            continue; // texts, vectors, and what only tests use
        }
        let head = tree.file(&format!("{folder}/mod.rs"));
        let has_head = head.is_some_and(|h| h.text.starts_with("//! ") && h.code.contains("Xep"));
        if !has_head {
            let what = "no head: mod.rs starts with the document's title and declares its `Xep`";
            found.push(Finding::new(&format!("{folder}/mod.rs"), 1, "R9", what));
        }
        if !tree.rust(&inside).any(|f| f.code.contains("#[test]") || f.code.contains("proptest!")) {
            let what = "no test: name one after the rule, `xep_nnnn_<anchor>`";
            found.push(Finding::new(&format!("{folder}/mod.rs"), 1, "R9", what));
        }
        if !readme.contains(&format!("`{term}`")) && !readme.contains(&format!("`{term}/`")) {
            let what = format!("no row for `{term}`");
            found.push(Finding::new("xeps/README.md", 1, "R9", what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let text = "/// XEP-0045 #enter-conflict. And XEP-0030\n// RFC 6120 §4.9.3.9, RFC 6121 §8";
        let names: Vec<_> = citations(text).into_iter().map(|c| (c.line, c.name)).collect();
        assert_eq!(
            names,
            [
                (1, "XEP-0045 #enter-conflict".to_owned()),
                (2, "RFC 6120 §4.9.3.9".to_owned()),
                (2, "RFC 6121 §8".to_owned()),
            ]
        );
    }

    #[test]
    fn r9_reference_invented() {
        let anchors = "# comment\nXEP-0030 #info Discovering Information\nRFC 6120 §8.3 Errors\n";
        let tree = Tree::of(&[
            (ANCHORS, anchors),
            ("src/a.rs", "// XEP-0030 #info, RFC 6120 §8.3.\n// XEP-0030 #infos\n// RFC 6120 §8.4"),
        ]);
        let found = references(&tree);
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 3], "{found:?}");
    }

    #[test]
    fn r9_list_missing() {
        let found = references(&Tree::of(&[("src/a.rs", "// XEP-0030 #info")]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, ANCHORS);
    }

    #[test]
    fn r9_feature_without_head_test_row() {
        let tree = Tree::of(&[
            ("xeps/README.md", "| 0199 | `ping` |"),
            ("xeps/ping/mod.rs", "//! XMPP Ping\nstatic XEP: Xep = X;\n#[test]\nfn a() {}"),
            ("xeps/bare/mod.rs", "fn f() {}"),
        ]);
        let found = heads(&tree);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|f| f.path.contains("bare") || f.what.contains("bare")));
    }
}
