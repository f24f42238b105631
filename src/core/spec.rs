//! The machine-readable head of an extension: from it come disco features, the README table and
//! DOAP.

/// One XEP (or an extension of ours) as this server implements it.
#[derive(Debug)]
pub struct Xep {
    /// Number as printed (`"0199"`); empty for our own extensions.
    pub number: &'static str,
    /// Title of the document.
    pub title: &'static str,
    /// Version of the document that the code follows.
    pub version: &'static str,
    /// How much of it is there.
    pub status: Status,
    /// Folder in `xeps/`, the field's own term.
    pub folder: &'static str,
    /// Namespaces that disco announces because of it.
    pub features: &'static [&'static str],
    /// One sentence: what is left out or done differently.
    pub note: &'static str,
}

/// How much of a document is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Everything the document asks of a server.
    Complete,
    /// The note says what is missing.
    Partial,
}
