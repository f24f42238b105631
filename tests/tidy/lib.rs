//! The house rules as a test: what `cargo test -p oc-tidy` refuses.
//!
//! Each rule is a function from the [`Tree`] to findings, sits in a file with the rules it is
//! related to, and has a test with a bad sample beside it, so that it is known to be able to fail.
//! The rules are textual on purpose: they need no compiler, no dependency and about a second. What
//! the compiler or clippy can say better (purity, unwrap, missing documentation) is said there;
//! here is the second net.

pub mod arrows;
pub mod files;
pub mod layers;
pub mod manifest;
pub mod modules;
pub mod namespaces;
pub mod references;
pub mod source;
pub mod words;

pub use source::{Source, Tree};

/// One place that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path in the repository.
    pub path: String,
    /// Line, counted from 1; 0 when it is the whole file.
    pub line: usize,
    /// Which rule, as `src/README.md` names it.
    pub rule: &'static str,
    /// What is wrong and what to do about it.
    pub what: String,
}

impl Finding {
    /// A finding in a file.
    pub fn new(path: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: [{}] {}", self.path, self.line.max(1), self.rule, self.what)
    }
}

/// A rule: its name, and what it finds.
pub type Rule = (&'static str, fn(&Tree) -> Vec<Finding>);

/// Every rule of the house.
pub const RULES: &[Rule] = &[
    ("R1, R2 arrows", arrows::arrows),
    ("R3 features", layers::features),
    ("R4 room", layers::room),
    ("R5 edge and shard", layers::edge_and_shard),
    ("R6 store", layers::store),
    ("R7 namespaces", namespaces::namespaces),
    ("R8 sizes", files::sizes),
    ("R9 references", references::references),
    ("R9 heads", references::heads),
    ("R10 rustls", layers::rustls),
    ("words", words::words),
    ("tests", words::tests),
    ("dead files", modules::dead_files),
    ("map", files::map),
];
