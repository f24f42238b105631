//! Data Forms.
//!
//! A small typed writer ([`Form`]) for what we send and a strict reader ([`Submission`]) for what
//! comes back. Fields that nobody asked for are ignored, as XEP-0004 #protocol-fieldtypes allows; a
//! field that was asked for and cannot be read is refused.

mod read;
#[cfg(test)]
mod tests;

use oc_core::spec::{Status, Xep};
use oc_core::{Element, ns};

pub use read::Submission;

/// XEP-0004
pub static XEP: Xep = Xep {
    number: "0004",
    title: "Data Forms",
    version: "2.13.2",
    status: Status::Partial,
    folder: "dataform",
    features: &[ns::DATA_FORM],
    note: "What a server needs; media and validation elements are not written.",
};

/// Name of the field that says what a form is about (XEP-0068).
pub const FORM_TYPE: &str = "FORM_TYPE";

/// What a form is for (XEP-0004 #protocol-formtypes), as far as we send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormType {
    /// To be filled in.
    Form,
    /// Data.
    Result,
}

/// The type of a field (XEP-0004 #protocol-fieldtypes), as far as we send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Yes or no.
    Boolean,
    /// Not shown.
    Hidden,
    /// One JID.
    JidSingle,
    /// Several JIDs.
    JidMulti,
    /// Several of the options.
    ListMulti,
    /// One of the options.
    ListSingle,
    /// A line that is not shown while it is typed.
    TextPrivate,
    /// A line.
    TextSingle,
}

impl FieldType {
    const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Hidden => "hidden",
            Self::JidSingle => "jid-single",
            Self::JidMulti => "jid-multi",
            Self::ListMulti => "list-multi",
            Self::ListSingle => "list-single",
            Self::TextPrivate => "text-private",
            Self::TextSingle => "text-single",
        }
    }
}

/// A form that we send.
#[derive(Clone, Debug)]
pub struct Form {
    type_: FormType,
    title: Option<String>,
    instructions: Option<String>,
    fields: Vec<Field>,
}

impl Form {
    /// An empty form about `form_type` (XEP-0068).
    pub fn new(type_: FormType, form_type: &str) -> Self {
        let about = Field::new(FieldType::Hidden, FORM_TYPE).value(form_type);
        Self { type_, title: None, instructions: None, fields: vec![about] }
    }

    /// A form to be filled in.
    pub fn titled(form_type: &str, title: &str, instructions: &str) -> Self {
        Self {
            title: Some(title.to_owned()),
            instructions: Some(instructions.to_owned()),
            ..Self::new(FormType::Form, form_type)
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// The `<x/>`.
    pub fn to_element(&self) -> Element {
        let type_ = match self.type_ {
            FormType::Form => "form",
            FormType::Result => "result",
        };
        let text = |name, text: &String| Element::new(name, ns::DATA_FORM).with_text(text);
        Element::new("x", ns::DATA_FORM)
            .with_attr("type", type_)
            .with_children(self.title.as_ref().map(|title| text("title", title)))
            .with_children(self.instructions.as_ref().map(|it| text("instructions", it)))
            .with_children(self.fields.iter().map(Field::to_element))
    }
}

/// A field that we send.
#[derive(Clone, Debug)]
pub struct Field {
    type_: FieldType,
    var: String,
    label: Option<String>,
    required: bool,
    values: Vec<String>,
    options: Vec<String>,
}

impl Field {
    /// An empty field.
    pub fn new(type_: FieldType, var: &str) -> Self {
        let (values, options) = (Vec::new(), Vec::new());
        Self { type_, var: var.to_owned(), label: None, required: false, values, options }
    }

    /// What people read beside it.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        self.label = Some(label.to_owned());
        self
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Adds a value.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds values.
    #[must_use]
    pub fn values(mut self, values: impl IntoIterator<Item = impl ToString>) -> Self {
        self.values.extend(values.into_iter().map(|value| value.to_string()));
        self
    }

    /// Adds values to choose from.
    #[must_use]
    pub fn options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|&option| option.to_owned()));
        self
    }

    fn to_element(&self) -> Element {
        let value = |value: &String| Element::new("value", ns::DATA_FORM).with_text(value);
        Element::new("field", ns::DATA_FORM)
            .with_attr("type", self.type_.name())
            .with_attr("var", &self.var)
            .with_attr_opt("label", self.label.as_deref())
            .with_children(self.required.then(|| Element::new("required", ns::DATA_FORM)))
            .with_children(self.values.iter().map(value))
            .with_children(self.options.iter().map(|option| {
                Element::new("option", ns::DATA_FORM)
                    .with_attr("label", option)
                    .with_child(value(option))
            }))
    }
}
