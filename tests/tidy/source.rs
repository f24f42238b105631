//! The files of the repository, and a small lexer that tells Rust code from strings and comments.

use std::{fs, io, path::Path};

use crate::modules;

/// Folders that hold no sources of ours.
const SKIPPED: &[&str] = &["target", ".git", "node_modules", "dist", "artifacts", "corpus"];
/// Endings of the files that rules look at.
const ENDINGS: &[&str] = &["rs", "md", "toml", "txt", "py", "js", "mjs", "sh", "lock"];

/// Every file of the repository that a rule may look at, and every folder.
#[derive(Debug, Default)]
pub struct Tree {
    /// Files, sorted by path.
    pub files: Vec<Source>,
    /// Folders, sorted, without a trailing slash.
    pub folders: Vec<String>,
}

/// A string literal of Rust source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Line of its opening quote.
    pub line: usize,
    /// Byte offset of its opening quote.
    pub offset: usize,
    /// Its text as written, escapes included.
    pub text: String,
}

/// One file; for Rust also what its strings and its code are.
#[derive(Debug)]
pub struct Source {
    /// Path in the repository, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The text with strings and comments blanked out byte by byte; equal to `text` if not Rust.
    pub code: String,
    /// The string literals of Rust source.
    pub literals: Vec<Literal>,
    /// Whether only tests reach this file, by `#[cfg(test)] mod` or as a target of their own.
    pub test_only: bool,
    /// For each line (from 0), whether it stands under `#[cfg(test)]`.
    in_test: Vec<bool>,
    /// Offsets of the line breaks.
    breaks: Vec<usize>,
}

impl Tree {
    /// Reads the repository.
    ///
    /// # Errors
    /// When a folder or a file cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        tree.folders.sort();
        tree.mark_tests();
        Ok(tree)
    }

    /// A tree from samples, for the tests of the rules.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.files.push(Source::new(path, (*text).to_owned()));
            for (i, _) in path.match_indices('/') {
                if !tree.folders.iter().any(|f| f == &path[..i]) {
                    tree.folders.push(path[..i].to_owned());
                }
            }
        }
        tree.mark_tests();
        tree
    }

    /// Marks the files that only tests reach.
    fn mark_tests(&mut self) {
        let (all, product) = (modules::reached(self, false), modules::reached(self, true));
        for file in &mut self.files {
            file.test_only = all.contains(&file.path) && !product.contains(&file.path);
        }
    }

    /// The file of this path.
    pub fn file(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|f| f.path == path)
    }

    /// The Rust files below a folder.
    pub fn rust<'a>(&'a self, below: &'a str) -> impl Iterator<Item = &'a Source> {
        self.files.iter().filter(move |f| f.is_rust() && f.path.starts_with(below))
    }

    fn walk(&mut self, dir: &Path, rel: &str) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if rel.is_empty() { name.clone() } else { format!("{rel}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.folders.push(path.clone());
                self.walk(&entry.path(), &path)?;
            } else if kind.is_file() {
                let ending = name.rsplit_once('.').map_or("", |(_, e)| e);
                if ENDINGS.contains(&ending) || rel == ".ci" {
                    let bytes = fs::read(entry.path())?;
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.files.push(Source::new(&path, text));
                }
            }
        }
        Ok(())
    }
}

impl Source {
    /// Reads a file's text.
    pub fn new(path: &str, text: String) -> Self {
        let (code, mut literals) =
            if path.ends_with(".rs") { mask(&text) } else { (text.clone(), vec![]) };
        let in_test = if path.ends_with(".rs") { test_lines(&code) } else { vec![] };
        let breaks: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        for literal in &mut literals {
            literal.line = breaks.partition_point(|at| *at < literal.offset) + 1;
        }
        Self { path: path.to_owned(), text, code, literals, test_only: false, in_test, breaks }
    }

    /// Whether this is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is test code by its place: `tests.rs`, `*_tests.rs`, or below
    /// `tests/` or `examples/`.
    pub fn is_test_file(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.test_only
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
            || self.path.split('/').rev().skip(1).any(|f| f == "tests" || f == "examples")
            || ["conformance/", "examples/", "xtask/"].iter().any(|p| self.path.starts_with(p))
    }

    /// Whether a line (from 1) is test code.
    pub fn is_test(&self, line: usize) -> bool {
        self.is_test_file() || self.in_test.get(line.wrapping_sub(1)).copied().unwrap_or(false)
    }

    /// The line (from 1) of a byte offset.
    pub fn line_of(&self, offset: usize) -> usize {
        self.breaks.partition_point(|at| *at < offset) + 1
    }

    /// The lines of the code with their numbers, from 1.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(i, l)| (i + 1, l))
    }
}

/// Whether a byte can be part of a Rust name.
pub fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// The offset just behind the brace that closes the one at `open`.
pub fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (i, b) in code.bytes().enumerate().skip(open) {
        match b {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Blanks out comments and the inside of strings, keeping every line break and every offset.
fn mask(text: &str) -> (String, Vec<Literal>) {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut literals = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            b'/' if bytes.get(i + 1) == Some(&b'/') => line_comment(bytes, i),
            b'/' if bytes.get(i + 1) == Some(&b'*') => block_comment(bytes, i),
            b'"' => {
                let end = string(bytes, i);
                push(&mut literals, text, i, i + 1, end.saturating_sub(1));
                end
            }
            b'r' if raw_hashes(bytes, i).is_some() => {
                let hashes = raw_hashes(bytes, i).unwrap_or(0);
                let end = raw_string(bytes, i, hashes);
                push(&mut literals, text, i, i + 2 + hashes, end.saturating_sub(1 + hashes));
                end
            }
            b'\'' => char_literal(text, i),
            _ => {
                i += 1;
                continue;
            }
        };
        for b in &mut code[i..end.min(bytes.len())] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
        i = end.max(i + 1);
    }
    for b in &mut code {
        if !b.is_ascii() {
            *b = b'?';
        }
    }
    (String::from_utf8_lossy(&code).into_owned(), literals)
}

fn push(literals: &mut Vec<Literal>, text: &str, at: usize, from: usize, to: usize) {
    let line = 0; // counted when all are known
    let text = text.get(from..to.max(from)).unwrap_or_default().to_owned();
    literals.push(Literal { line, offset: at, text });
}

fn line_comment(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| from + n)
}

fn block_comment(bytes: &[u8], from: usize) -> usize {
    let (mut i, mut depth) = (from, 0);
    while i + 1 < bytes.len() {
        match (bytes[i], bytes[i + 1]) {
            (b'/', b'*') => (depth, i) = (depth + 1, i + 2),
            (b'*', b'/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    bytes.len()
}

fn string(bytes: &[u8], from: usize) -> usize {
    let mut i = from + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The number of `#` of a raw string that starts at an `r`, or `None` if none starts there.
fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|i| bytes[i]);
    if before.is_some_and(|b| is_name(b) && b != b'b' && b != b'c') {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|b| **b == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn raw_string(bytes: &[u8], from: usize, hashes: usize) -> usize {
    let mut i = from + 2 + hashes;
    while i < bytes.len() {
        let tail = &bytes[i + 1..];
        if bytes[i] == b'"' && tail.iter().take(hashes).filter(|b| **b == b'#').count() == hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    bytes.len()
}

/// The end of a character literal, or just behind the quote of a lifetime.
fn char_literal(text: &str, from: usize) -> usize {
    let rest = &text[from + 1..];
    let mut chars = rest.char_indices();
    match chars.next() {
        Some((_, '\\')) => {
            rest[2.min(rest.len())..].find('\'').map_or(from + 1, |n| from + 1 + 2 + n + 1)
        }
        Some(_) => match chars.next() {
            Some((n, '\'')) => from + 1 + n + 1,
            _ => from + 1,
        },
        None => from + 1,
    }
}

/// Which lines stand under `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    let mut in_test = vec![false; code.lines().count()];
    let starts = code.match_indices("#[cfg(test)]").chain(code.match_indices("#[test]"));
    for (at, mark) in starts {
        let rest = &code[at + mark.len()..];
        let Some(stop) = rest.find(['{', ';']) else { continue };
        let stop = at + mark.len() + stop;
        let end = match code.as_bytes()[stop] {
            b'{' => closing(code, stop).unwrap_or(code.len()),
            _ => stop + 1,
        };
        let line =
            |offset: usize| code.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count();
        for flag in in_test.iter_mut().take(line(end.saturating_sub(1)) + 1).skip(line(at)) {
            *flag = true;
        }
    }
    in_test
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_are_no_code() {
        let text = "let a = \"x{\"; // y{\n/* z{ /* n */ { */ let b = r#\"q\"{\"#; let c = '{';\n";
        let s = Source::new("a.rs", text.to_owned());
        assert!(!s.code.contains('{'), "{}", s.code);
        assert_eq!(s.code.len(), text.len());
        let texts: Vec<_> = s.literals.iter().map(|l| (l.line, l.text.as_str())).collect();
        assert_eq!(texts, [(1, "x{"), (2, "q\"{")]);
    }

    #[test]
    fn lifetimes_and_escapes_do_not_open_literals() {
        let s = Source::new("a.rs", "fn f<'a>(x: &'a str) { g('\\'', '\\u{1F600}', 'é') }".into());
        assert_eq!(s.code.matches('{').count(), 1);
        assert!(s.code.contains("a str"));
    }

    #[test]
    fn test_code_is_told_from_product_code() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let s = Source::new("a.rs", text.to_owned());
        assert_eq!(
            (1..=6).map(|l| s.is_test(l)).collect::<Vec<_>>(),
            [false, true, true, true, true, false]
        );
        assert!(Source::new("xeps/x/tests.rs", String::new()).is_test(1));
    }
}
