//! R7: a namespace is written once.

use std::collections::BTreeMap;

use crate::{Finding, Source, Tree};

/// How the namespaces begin that have one home each.
const BEGINNINGS: &[&str] = &[
    "urn:xmpp:",
    "jabber:",
    "http://jabber.org/",
    "http://etherx.jabber.org/",
    "urn:ietf:params:xml:ns:xmpp",
    "urn:open-conference:",
];

/// The namespaces that stand in a string.
fn namespaces_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for beginning in BEGINNINGS {
        for (at, _) in text.match_indices(beginning) {
            let before = at.checked_sub(1).map(|i| text.as_bytes()[i]);
            if before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b':' || b == b'.') {
                continue;
            }
            let end = text[at..].find(['\'', '"', ' ', '<', '>', '\\', '{', ',']);
            let name = end.map_or(&text[at..], |n| &text[at..at + n]);
            if name.len() > beginning.len() {
                found.push(name);
            }
        }
    }
    found
}

/// Whether the literal stands in the table of names that the lexer knows, which repeats on purpose.
fn in_known_table(file: &Source, offset: usize) -> bool {
    let Some(start) = file.code.find("const KNOWN:").filter(|_| file.path == "src/core/ns.rs")
    else {
        return false;
    };
    let end = file.code[start..].find("];").map_or(file.code.len(), |n| start + n);
    (start..end).contains(&offset)
}

/// R7: outside tests each namespace is one literal, in `core/ns.rs` or in the folder of one
/// feature.
pub fn namespaces(tree: &Tree) -> Vec<Finding> {
    let mut homes: BTreeMap<&str, Vec<(&Source, usize)>> = BTreeMap::new();
    for file in tree.rust("src/").chain(tree.rust("xeps/")).filter(|f| !f.is_test_file()) {
        for literal in file.literals.iter().filter(|l| !file.is_test(l.line)) {
            if in_known_table(file, literal.offset) {
                continue;
            }
            for name in namespaces_in(&literal.text) {
                homes.entry(name).or_default().push((file, literal.line));
            }
        }
    }
    let mut found = Vec::new();
    for (name, places) in homes {
        let is_home = |p: &str| {
            p == "src/core/ns.rs" || (p.starts_with("xeps/") && p.matches('/').count() >= 2)
        };
        let home = places.iter().position(|(f, _)| is_home(&f.path));
        for (i, (file, line)) in places.iter().enumerate() {
            if Some(i) == home {
                continue;
            }
            let what = match home {
                Some(h) => format!(
                    "{name:?} is already written in {}:{}; use that constant",
                    places[h].0.path, places[h].1
                ),
                None => format!("{name:?} belongs into src/core/ns.rs or the head of its feature"),
            };
            found.push(Finding::new(&file.path, *line, "R7", what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r7_namespace_twice_or_homeless() {
        let tree = Tree::of(&[
            (
                "src/core/ns.rs",
                "const A: &str = \"urn:xmpp:a:0\";\nconst KNOWN: &[&str] = &[\"urn:xmpp:b:0\"];",
            ),
            ("xeps/b/mod.rs", "const NS: &str = \"urn:xmpp:b:0\";"),
            ("xeps/c/mod.rs", "fn f() { g(\"<x xmlns='urn:xmpp:b:0'/>\") }"),
            ("src/server/x.rs", "fn f() { g(\"urn:xmpp:homeless:0\") }"),
            ("xeps/b/tests.rs", "fn f() { g(\"urn:xmpp:b:0\") }"),
        ]);
        let found = namespaces(&tree);
        let places: Vec<_> = found.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(places, ["xeps/c/mod.rs", "src/server/x.rs"], "{found:?}");
    }
}
