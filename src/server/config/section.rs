//! A section of `server.toml`: a struct whose documentation, defaults and bounds are the annotated
//! file.

use toml::de::DeValue;

use super::error::Wrong;
use super::value::Base;

/// One setting, as the annotated file shows it.
#[derive(Clone, Debug)]
pub(super) struct Described {
    /// Its name.
    pub name: &'static str,
    /// Its documentation, line by line.
    pub doc: &'static [&'static str],
    /// What may be written; empty if the value speaks for itself.
    pub range: String,
    /// Its value here as TOML; `None` if it is not set.
    pub value: Option<String>,
    /// An example in TOML, for settings that are not set.
    pub example: Option<&'static str>,
    /// Whether a change waits for the next start, rather than for the next SIGHUP.
    pub restart: bool,
}

/// What the type of a section says of itself.
pub(super) trait Head {
    /// Its name between the square brackets.
    const NAME: &'static str;
    /// Its documentation, line by line.
    const DOC: &'static [&'static str];

    /// Takes over what may change while the server runs.
    fn adopt(&mut self, new: &Self);
}

/// What all sections can do.
pub(super) trait Section {
    /// The names of its settings, in order.
    fn keys(&self) -> &'static [&'static str];

    /// Sets a setting; `None` if there is none of that name.
    fn set(&mut self, key: &str, value: &DeValue<'_>, base: Base<'_>) -> Option<Result<(), Wrong>>;

    /// Describes every setting with its present value.
    fn describe(&self) -> Vec<Described>;
}

/// How often a section may stand in the file: once (`T`), or any number of times (`Vec<T>`).
pub(super) trait Shape {
    /// Its name.
    const NAME: &'static str;
    /// Its documentation.
    const DOC: &'static [&'static str];
    /// Whether it may stand there several times.
    const MANY: bool;

    /// The n-th section, made if it is the next one.
    fn nth(&mut self, nth: usize) -> Option<&mut dyn Section>;
    /// All of them; the default one if there is none.
    fn describe_all(&self) -> Vec<Vec<Described>>;
    /// Takes over what may change while the server runs.
    fn adopt(&mut self, new: &Self);
}

impl<T: Section + Head> Shape for T {
    const NAME: &'static str = T::NAME;
    const DOC: &'static [&'static str] = T::DOC;
    const MANY: bool = false;

    fn nth(&mut self, nth: usize) -> Option<&mut dyn Section> {
        (nth == 0).then_some(self)
    }

    fn describe_all(&self) -> Vec<Vec<Described>> {
        vec![self.describe()]
    }

    fn adopt(&mut self, new: &Self) {
        Head::adopt(self, new);
    }
}

impl<T: Section + Head + Default + Clone> Shape for Vec<T> {
    const NAME: &'static str = T::NAME;
    const DOC: &'static [&'static str] = T::DOC;
    const MANY: bool = true;

    fn nth(&mut self, nth: usize) -> Option<&mut dyn Section> {
        if nth == self.len() {
            self.push(T::default());
        }
        self.get_mut(nth).map(|section| section as &mut dyn Section)
    }

    fn describe_all(&self) -> Vec<Vec<Described>> {
        if self.is_empty() {
            return vec![T::default().describe()];
        }
        self.iter().map(T::describe).collect()
    }

    /// Sections that need a restart are told apart by their first setting: those that are new wait,
    /// those that went stay.
    fn adopt(&mut self, new: &Self) {
        if T::default().describe().iter().all(|setting| !setting.restart) {
            self.clone_from(new);
            return;
        }
        let first = |section: &T| section.describe().first().and_then(|s| s.value.clone());
        for section in self {
            if let Some(new) = new.iter().find(|new| first(new) == first(section)) {
                Head::adopt(section, new);
            }
        }
    }
}

/// Declares a section. Before each setting stands when a change of it takes effect: `live` (at
/// SIGHUP) or `restart`. A setting without a default shows an example: `= None, eg "..."`.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        $name:ident = $section:literal {
            $(
                $(#[doc = $fdoc:literal])*
                $when:ident $field:ident: $type:ty = $default:expr $(, eg $eg:literal)?;
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[doc = $fdoc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::config::section::Head for $name {
            const NAME: &'static str = $section;
            const DOC: &'static [&'static str] = &[$($doc,)*];

            fn adopt(&mut self, new: &Self) {
                $($crate::config::section::section!(@adopt $when self new $field);)*
            }
        }

        impl $crate::config::section::Section for $name {
            fn keys(&self) -> &'static [&'static str] {
                &[$(stringify!($field),)*]
            }

            fn set(
                &mut self,
                key: &str,
                value: &toml::de::DeValue<'_>,
                base: $crate::config::value::Base<'_>,
            ) -> Option<Result<(), $crate::config::error::Wrong>> {
                match key {
                    $(stringify!($field) => Some(
                        <$type as $crate::config::value::Setting>::read(value, base)
                            .map(|value| self.$field = value),
                    ),)*
                    _ => None,
                }
            }

            fn describe(&self) -> Vec<$crate::config::section::Described> {
                vec![$($crate::config::section::Described {
                    name: stringify!($field),
                    doc: &[$($fdoc,)*],
                    range: <$type as $crate::config::value::Setting>::range(),
                    value: $crate::config::value::Setting::write(&self.$field),
                    example: [$($eg,)?].first().copied(),
                    restart: $crate::config::section::section!(@restart $when),
                },)*]
            }
        }
    };
    (@restart live) => { false };
    (@restart restart) => { true };
    (@adopt live $self:ident $new:ident $field:ident) => {
        $self.$field.clone_from(&$new.$field)
    };
    (@adopt restart $self:ident $new:ident $field:ident) => {
        // It stays.
        let _ = &$new.$field;
    };
}
pub(crate) use section;
