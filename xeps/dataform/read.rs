//! The reader of submitted forms.

use oc_core::{BareJid, Condition, Element, Reject, ns};

use super::FORM_TYPE;

/// Fields of one submitted form.
const FIELDS: usize = 128;
/// Values of one submitted field.
const VALUES: usize = 1_000;

/// A form that was filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    fields: Vec<(String, Vec<String>)>,
}

impl Submission {
    /// Reads an `<x type='submit'/>`.
    ///
    /// # Errors
    /// `bad-request` if it is none, names a field twice, or is larger than anything we ask for.
    pub fn read(x: &Element) -> Result<Self, Reject> {
        if !x.is("x", ns::DATA_FORM) || x.attr("type") != Some("submit") {
            return Err(bad("XEP-0004 #protocol-formtypes", "a submitted form was expected"));
        }
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        for field in x.children().filter(|c| c.is("field", ns::DATA_FORM)) {
            let Some(var) = field.attr("var") else { continue };
            let values: Vec<String> = field
                .children()
                .filter(|c| c.is("value", ns::DATA_FORM))
                .map(|value| value.text().into_owned())
                .collect();
            if fields.len() == FIELDS || values.len() > VALUES {
                return Err(bad("XEP-0004 #protocol-field", "the form is too large"));
            }
            if fields.iter().any(|(known, _)| known == var) {
                return Err(bad("XEP-0004 #protocol-field", "a field is there twice"));
            }
            fields.push((var.to_owned(), values));
        }
        Ok(Self { fields })
    }

    /// What the form says it is about (XEP-0068).
    pub fn form_type(&self) -> Option<&str> {
        self.values(FORM_TYPE).first().map(String::as_str)
    }

    /// The values of a field; none if it is not there.
    pub fn values(&self, var: &str) -> &[String] {
        self.fields.iter().find(|(known, _)| known == var).map_or(&[], |(_, values)| values)
    }

    /// The one value of a field; an empty one counts as absent
    /// (XEP-0004 #empty-or-absent-values).
    ///
    /// # Errors
    /// `bad-request` if there are several.
    pub fn text(&self, var: &str) -> Result<Option<&str>, Reject> {
        match self.values(var) {
            [] => Ok(None),
            [only] => Ok(Some(only.as_str()).filter(|text| !text.is_empty())),
            _ => Err(bad("XEP-0004 #protocol-fieldtypes", "a field has too many values")),
        }
    }

    /// The one value of a field that must be filled in.
    ///
    /// # Errors
    /// `bad-request` if there is none, or several.
    pub fn required(&self, var: &str) -> Result<&str, Reject> {
        self.text(var)?.ok_or_else(|| bad("XEP-0004 #protocol-field", "a required field is empty"))
    }

    /// A yes or no.
    ///
    /// # Errors
    /// `bad-request` if it is neither.
    pub fn boolean(&self, var: &str) -> Result<Option<bool>, Reject> {
        match self.text(var)? {
            None => Ok(None),
            Some("1" | "true") => Ok(Some(true)),
            Some("0" | "false") => Ok(Some(false)),
            Some(_) => Err(bad("XEP-0004 #protocol-fieldtypes", "a field is neither yes nor no")),
        }
    }

    /// The bare JID that must be in a field.
    ///
    /// # Errors
    /// `bad-request` if there is none or several, `jid-malformed` if it is no bare JID.
    pub fn jid(&self, var: &str) -> Result<BareJid, Reject> {
        bare_jid(self.required(var)?)
    }

    /// The bare JIDs in a field, each once.
    ///
    /// # Errors
    /// `jid-malformed` if one is no bare JID.
    pub fn jids(&self, var: &str) -> Result<Vec<BareJid>, Reject> {
        let mut jids = Vec::new();
        for value in self.values(var).iter().filter(|value| !value.is_empty()) {
            let jid = bare_jid(value)?;
            if !jids.contains(&jid) {
                jids.push(jid);
            }
        }
        Ok(jids)
    }
}

fn bare_jid(text: &str) -> Result<BareJid, Reject> {
    BareJid::new(text).map_err(|_| Reject::new(Condition::JidMalformed, "RFC 6120 §8.3.3.8"))
}

fn bad(rule: &'static str, text: &'static str) -> Reject {
    Reject::new(Condition::BadRequest, rule).text(text)
}
