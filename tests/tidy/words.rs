//! Words that do not belong into the repository, and tests that cannot fail.

use std::collections::HashSet;

use crate::{Finding, Source, Tree, source::closing, source::is_name};

/// Calls and macros refused outside tests. clippy says the same with types; this is the second net.
const BANNED: &[(&str, &str)] = &[
    ("todo!", "finish it, or leave it out and say so in the head"),
    ("unimplemented!", "finish it, or leave it out and say so in the head"),
    ("dbg!", "use tracing, at debug or trace level"),
    (".unwrap()", "return the error, or `expect` the invariant that makes it impossible"),
    ("panic!", "return the error; bugs are debug_assert!"),
    ("unsafe ", "there is no unsafe code here"),
    ("println!", "the product logs by tracing; only the command line prints"),
];

/// Files that talk to a person on a terminal.
const MAY_PRINT: &[&str] =
    &["src/server/main.rs", "src/server/cli", "src/server/check", "src/server/demo", "src/ocms"];

/// Beginnings of paths that exist on one machine only; split so that this file does not match
/// itself.
const MACHINE: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Banned words in product code, paths of one machine anywhere, tests that are switched off
/// silently.
pub fn words(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in &tree.files {
        for (i, line) in file.text.lines().enumerate() {
            for path in MACHINE.iter().filter(|p| starts_a_path(line, p)) {
                let what = format!("{path} is a path of one machine");
                found.push(Finding::new(&file.path, i + 1, "words", what));
            }
        }
        if file.is_rust() {
            found.extend(banned(file));
            found.extend(ignored(file));
        }
    }
    found
}

fn starts_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = at.checked_sub(1).map(|i| line.as_bytes()[i]);
        !before.is_some_and(|b| is_name(b) || b"-.}/*".contains(&b))
    })
}

fn banned(file: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    let product = file.path.starts_with("src/") || file.path.starts_with("xeps/");
    if !product {
        return found;
    }
    for (line, text) in file.code_lines().filter(|(l, _)| !file.is_test(*l)) {
        for (word, instead) in BANNED.iter().filter(|(w, _)| contains_word(text, w)) {
            let prints = *word == "println!" && MAY_PRINT.iter().any(|p| file.path.starts_with(p));
            if !prints {
                let what = format!("`{}`: {instead}", word.trim());
                found.push(Finding::new(&file.path, line, "words", what));
            }
        }
    }
    found
}

fn contains_word(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| at == 0 || !is_name(text.as_bytes()[at - 1]) || word.starts_with('.'))
}

fn ignored(file: &Source) -> Vec<Finding> {
    file.code_lines()
        .filter(|(_, text)| text.contains("#[ignore]"))
        .map(|(line, _)| {
            let what = "ignored without a reason: `#[ignore = \"why, and which suite runs it\"]`";
            Finding::new(&file.path, line, "tests", what)
        })
        .collect()
}

/// What a test that can fail contains: an assertion, or a call that says it makes one.
const PROOFS: &[&str] = &[
    "assert", "panic!", "unwrap", "expect", "check", "must_", "matches!", "conform", "run(", "?;",
];

/// Every test function has an assertion, itself or through a function that has one.
pub fn tests(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    // In its own file, or shared by the tests of a package.
    let shared: HashSet<&str> =
        tree.files.iter().filter(|f| f.is_test_file()).flat_map(asserting).collect();
    for file in tree.files.iter().filter(|f| f.is_rust()) {
        let mut helpers = shared.clone();
        helpers.extend(asserting(file));
        for mark in ["#[test]", "#[tokio::test"] {
            for (at, _) in file.code.match_indices(mark) {
                let Some(open) = file.code[at..].find('{') else { continue };
                let end = closing(&file.code, at + open).unwrap_or(file.code.len());
                let whole = &file.code[at..end];
                let proves = PROOFS.iter().any(|p| whole.contains(p))
                    || whole.contains("should_panic")
                    || calls(whole).any(|name| helpers.contains(name));
                if !proves {
                    let what = "this test cannot fail: it asserts nothing";
                    found.push(Finding::new(&file.path, file.line_of(at), "tests", what));
                }
            }
        }
    }
    found
}

/// The names that are followed by an opening parenthesis.
fn calls(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices('(').map(|(at, _)| {
        let start = code[..at].rfind(|c: char| !c.is_ascii() || !is_name(c as u8));
        &code[start.map_or(0, |n| n + 1)..at]
    })
}

/// The functions of a file that assert something themselves.
fn asserting(file: &Source) -> Vec<&str> {
    let code = file.code.as_str();
    let bodies = code.match_indices("fn ").filter_map(|(at, _)| {
        let name = &code[at + 3..];
        let name = &name[..name.bytes().position(|b| !is_name(b))?];
        let open = at + code[at..].find(['{', ';'])?;
        let body = &code[open..closing(code, open)?];
        let proves = body.contains("assert") || body.contains("panic!");
        (!name.is_empty() && proves).then_some(name)
    });
    bodies.collect()
}

#[cfg(test)]
mod self_tests {
    use super::*;

    #[test]
    fn banned_words_are_seen() {
        let tree = Tree::of(&[
            (
                "src/a/b.rs",
                "fn a() { x.unwrap() }\nfn b() { todo!() }\n// panic! said\nfn c() { \"dbg!\" }\n\
                 #[cfg(test)]\nmod t { fn d() { x.unwrap() } }\nfn e() { panic!() }",
            ),
            ("tests/x.rs", "fn a() { x.unwrap() }"),
        ]);
        let lines: Vec<_> = words(&tree).iter().map(|f| f.line).collect();
        assert_eq!(lines, [1, 2, 7]);
    }

    #[test]
    fn paths_of_a_machine_are_seen() {
        let bad = format!("see {}x\nhttps://a{}x is fine", MACHINE[0], MACHINE[0]);
        let found = words(&Tree::of(&[("manual/a.md", &bad)]));
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn silent_and_empty_tests_are_seen() {
        let text = "#[test]\n#[ignore]\nfn a() { assert!(true) }\n#[test]\nfn b() { f(); }\n\
                    fn h() { assert!(x) }\n#[test]\nfn c() { h(); }\n";
        let tree = Tree::of(&[("src/a.rs", text)]);
        assert_eq!(words(&tree).iter().map(|f| f.line).collect::<Vec<_>>(), [2]);
        assert_eq!(tests(&tree).iter().map(|f| f.line).collect::<Vec<_>>(), [4]);
    }
}
