//! The verification string (XEP-0115 #ver-gen).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use oc_core::{Element, ns};
use sha1::{Digest as _, Sha1};
use sha2::{Sha256, Sha512};

use crate::dataform::FORM_TYPE;

/// Hash functions, by their names in the IANA registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// The one everybody must have.
    Sha1,
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
}

impl Algorithm {
    /// Name in a `hash` attribute.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha512 => "sha-512",
        }
    }

    /// The function of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha512].into_iter().find(|a| a.name() == name)
    }

    fn sum(self, text: &str) -> String {
        match self {
            Self::Sha1 => BASE64.encode(Sha1::digest(text)),
            Self::Sha256 => BASE64.encode(Sha256::digest(text)),
            Self::Sha512 => BASE64.encode(Sha512::digest(text)),
        }
    }
}

/// Why an answer has no verification string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IllFormed {
    /// XEP-0115 #ver-proc, 3.3 and 3.4: an identity or a feature is there twice.
    Twice,
    /// XEP-0115 #ver-proc, 3.5: two forms of one type, or a form of two types.
    FormType,
    /// A separator of the hashed string stands inside a value (`note.md`).
    Separator,
    /// It is no answer to disco#info.
    NotInfo,
}

/// The verification string of an answer to disco#info.
///
/// # Errors
/// [`IllFormed`] if the answer must not be trusted whatever it hashes to.
pub fn hash(query: &Element, algorithm: Algorithm) -> Result<String, IllFormed> {
    if !query.is("query", ns::DISCO_INFO) {
        return Err(IllFormed::NotInfo);
    }
    let mut s = String::new();
    let mut identities = Vec::new();
    for el in query.children().filter(|c| c.is("identity", ns::DISCO_INFO)) {
        let attr = |name| el.attr(name).unwrap_or_default();
        let lang = el.attr_ns(ns::XML, "lang").unwrap_or_default();
        let identity = (attr("category"), attr("type"), lang, attr("name"));
        if [identity.0, identity.1, identity.2].iter().any(|part| part.contains('/')) {
            return Err(IllFormed::Separator);
        }
        identities.push(identity);
    }
    for (category, type_, lang, name) in sorted(identities)? {
        append(&mut s, &format!("{category}/{type_}/{lang}/{name}"))?;
    }
    let features = query.children().filter(|c| c.is("feature", ns::DISCO_INFO));
    for feature in sorted(features.filter_map(|c| c.attr("var")).collect())? {
        append(&mut s, feature)?;
    }
    let mut forms = Vec::new();
    for x in query.children().filter(|c| c.is("x", ns::DATA_FORM)) {
        if let Some(form_type) = form_type(x)? {
            forms.push((form_type, x));
        }
    }
    forms.sort_by(|a, b| a.0.cmp(&b.0));
    if forms.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(IllFormed::FormType);
    }
    for (form_type, x) in forms {
        append(&mut s, &form_type)?;
        append_fields(&mut s, x)?;
    }
    Ok(algorithm.sum(&s))
}

/// Sorts by octets and refuses doubles.
fn sorted<T: Ord>(mut all: Vec<T>) -> Result<Vec<T>, IllFormed> {
    all.sort_unstable();
    if all.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(IllFormed::Twice);
    }
    Ok(all)
}

fn append(s: &mut String, part: &str) -> Result<(), IllFormed> {
    if part.contains('<') {
        return Err(IllFormed::Separator);
    }
    s.push_str(part);
    s.push('<');
    Ok(())
}

fn append_fields(s: &mut String, x: &Element) -> Result<(), IllFormed> {
    let mut fields: Vec<_> = x
        .children()
        .filter(|c| c.is("field", ns::DATA_FORM))
        .filter_map(|field| field.attr("var").map(|var| (var, field)))
        .filter(|(var, _)| *var != FORM_TYPE)
        .collect();
    fields.sort_by_key(|(var, _)| *var);
    for (var, field) in fields {
        append(s, var)?;
        let mut values: Vec<_> = values(field).collect();
        values.sort_unstable();
        for value in values {
            append(s, &value)?;
        }
    }
    Ok(())
}

/// The type of a form; `None` if it has none, so that the form does not count
/// (XEP-0115 #ver-proc, 3.6).
fn form_type(x: &Element) -> Result<Option<String>, IllFormed> {
    let field =
        x.children().find(|c| c.is("field", ns::DATA_FORM) && c.attr("var") == Some(FORM_TYPE));
    let Some(field) = field.filter(|field| field.attr("type") == Some("hidden")) else {
        return Ok(None);
    };
    let mut types = values(field);
    let Some(first) = types.next() else { return Ok(None) };
    if types.any(|other| other != first) {
        return Err(IllFormed::FormType);
    }
    Ok(Some(first.into_owned()))
}

fn values(field: &Element) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    field.children().filter(|c| c.is("value", ns::DATA_FORM)).map(Element::text)
}
