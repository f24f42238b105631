//! From a file and `--set` overrides to a [`Config`], or to the list of everything that is wrong.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Fault, Place, Wrong, nearest};
use super::value::Base;
use super::{Config, rules};

/// Where the configuration comes from; kept for the reload.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file; `None`: defaults and overrides only.
    pub file: Option<PathBuf>,
    /// Overrides, `section.key=value`, in order; the last one wins.
    pub set: Vec<String>,
}

impl Sources {
    /// Reads and checks everything.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let Some(path) = &self.file else { return from_text(None, &self.set) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        from_text(Some((path, &text)), &self.set)
    }
}

/// Reads and checks a file's text and overrides.
pub(super) fn from_text(
    file: Option<(&Path, &str)>,
    set: &[String],
) -> Result<Config, ConfigError> {
    let mut loading =
        Loading { config: Config::defaults(), origins: Origins::default(), faults: vec![] };
    if let Some((path, text)) = file {
        loading.file(path, text);
    }
    for text in set {
        loading.set(text);
    }
    // Rules about several settings make sense only when each of them is right by itself.
    if loading.faults.is_empty() {
        loading.faults = rules::check(&loading.config, &loading.origins);
    }
    if loading.faults.is_empty() {
        Ok(loading.config)
    } else {
        Err(ConfigError::Wrong(loading.faults))
    }
}

/// Who set which setting.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeMap<(String, usize, String), Place>);

impl Origins {
    /// The place of a setting of the n-th section of a name.
    pub(super) fn place(&self, section: &str, nth: usize, key: &str) -> Place {
        let key = (section.to_owned(), nth, key.to_owned());
        self.0.get(&key).cloned().unwrap_or(Place::Default)
    }
}

/// A configuration that is being read.
struct Loading {
    config: Config,
    origins: Origins,
    faults: Vec<Fault>,
}

/// The file that is being read, to turn spans into lines.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, span: Option<Range<usize>>) -> Place {
        let end = span.map_or(0, |span| span.start.min(self.text.len()));
        let line = self.text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count() + 1;
        Place::File { path: self.path.to_owned(), line }
    }

    /// Relative paths begin at the file's directory.
    fn base(&self) -> Base<'_> {
        Base(self.path.parent().unwrap_or(Path::new("")))
    }
}

impl Loading {
    fn fault(&mut self, place: Place, what: impl Into<String>, fix: impl Into<String>) {
        self.faults.push(Fault { place, what: what.into(), fix: fix.into() });
    }

    fn file(&mut self, path: &Path, text: &str) {
        let source = Source { path, text };
        let (root, errors) = DeTable::parse_recoverable(text);
        if let Some(error) = errors.first() {
            let what = error.message().to_owned();
            self.fault(source.place(error.span()), what, "correct the TOML of this line");
            return;
        }
        let mut sections = root.get_ref().iter().collect::<Vec<_>>();
        sections.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in sections {
            self.file_section(&source, name.get_ref(), name.span(), value);
        }
    }

    fn file_section(
        &mut self,
        source: &Source<'_>,
        name: &str,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let Some(many) = self.known_section(name, || source.place(Some(span.clone()))) else {
            return;
        };
        match value.get_ref() {
            DeValue::Table(table) => self.file_table(source, name, 0, table),
            DeValue::Array(tables) if many => {
                for (nth, table) in tables.iter().enumerate() {
                    match table.get_ref() {
                        DeValue::Table(table) => self.file_table(source, name, nth, table),
                        _ => self.fault(
                            source.place(Some(table.span())),
                            format!("{name} is not a section"),
                            format!("begin it with [[{name}]] on a line of its own"),
                        ),
                    }
                }
            }
            DeValue::Array(_) => self.fault(
                source.place(Some(span)),
                format!("there may be only one [{name}]"),
                format!("write [{name}] with single brackets, once"),
            ),
            _ => self.fault(
                source.place(Some(span)),
                format!("{name} is a section, not a setting"),
                format!("write [{name}] on a line of its own and its settings below"),
            ),
        }
    }

    fn file_table(&mut self, source: &Source<'_>, section: &str, nth: usize, table: &DeTable<'_>) {
        // An empty [[domain]] exists, too.
        let _ = self.config.section(section, nth);
        let mut settings = table.iter().collect::<Vec<_>>();
        settings.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in settings {
            let place = source.place(Some(key.span()));
            if let Err(wrong) =
                self.apply(section, nth, key.get_ref(), value.get_ref(), source.base(), &place)
            {
                let place = wrong.span.clone().map_or(place, |span| source.place(Some(span)));
                self.fault(
                    place,
                    format!("[{section}] {}: {}", key.get_ref(), wrong.what),
                    wrong.fix,
                );
            }
        }
    }

    /// Whether there may be several sections of a name; an unknown name becomes a fault.
    fn known_section(&mut self, name: &str, place: impl FnOnce() -> Place) -> Option<bool> {
        let known = Config::SECTIONS.iter().find(|(known, ..)| *known == name);
        if known.is_none() {
            let names = Config::SECTIONS.iter().map(|(name, ..)| *name).collect::<Vec<_>>();
            let fix = match nearest(name, &names) {
                Some(name) => format!("did you mean [{name}]?"),
                None => format!("the sections are {}", names.join(", ")),
            };
            self.fault(place(), format!("there is no section [{name}]"), fix);
        }
        known.map(|(_, _, many)| *many)
    }

    /// Sets one setting; the error has no place yet.
    fn apply(
        &mut self,
        section: &str,
        nth: usize,
        key: &str,
        value: &DeValue<'_>,
        base: Base<'_>,
        place: &Place,
    ) -> Result<(), Wrong> {
        let Some(target) = self.config.section(section, nth) else {
            let fix = format!("number the sections [[{section}]] from 1, without gaps");
            return Err(Wrong::new(
                format!("there is no section [{section}] number {}", nth + 1),
                fix,
            ));
        };
        let keys = target.keys();
        let Some(outcome) = target.set(key, value, base) else {
            let fix = match nearest(key, keys) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("the settings of [{section}] are {}", keys.join(", ")),
            };
            return Err(Wrong::new("there is no such setting", fix));
        };
        outcome?;
        self.origins.0.insert((section.to_owned(), nth, key.to_owned()), place.clone());
        Ok(())
    }

    /// An override: `section.key=value`, or `section.2.key=value` for the second of several.
    fn set(&mut self, text: &str) {
        let place = Place::Set(text.to_owned());
        let form = "write --set section.key=value, such as --set domain.name=example.org";
        let Some((path, value)) = text.split_once('=') else {
            return self.fault(place, "there is no = in it", form);
        };
        let parts = path.trim().split('.').map(str::trim).collect::<Vec<_>>();
        let (section, nth, key) = match parts[..] {
            [section, key] => (section, 1, key),
            [section, nth, key] => match nth.parse::<usize>() {
                Ok(nth) if nth > 0 => (section, nth, key),
                _ => return self.fault(place, format!("\"{nth}\" is not a number from 1"), form),
            },
            _ => return self.fault(place, format!("\"{path}\" is not section.key"), form),
        };
        if self.known_section(section, || place.clone()).is_none() {
            return;
        }
        if let Err(wrong) = self.set_value(section, nth - 1, key, value.trim(), &place) {
            self.fault(place, format!("[{section}] {key}: {}", wrong.what), wrong.fix);
        }
    }

    /// A shell eats quotes, so a value may be TOML, or text without quotes, or several such texts
    /// with commas between them; the first that the type accepts counts.
    fn set_value(
        &mut self,
        section: &str,
        nth: usize,
        key: &str,
        value: &str,
        place: &Place,
    ) -> Result<(), Wrong> {
        let base = Base(Path::new(""));
        let document = format!("value = {value}");
        let parsed = DeTable::parse(&document).ok();
        let toml = parsed.as_ref().and_then(|root| root.get_ref().get("value"));
        let mut outcome = None;
        if let Some(toml) = toml {
            outcome = Some(self.apply(section, nth, key, toml.get_ref(), base, place));
        }
        if let Some(Ok(())) = outcome {
            return Ok(());
        }
        let text = DeValue::String(value.into());
        let plain = self.apply(section, nth, key, &text, base, place);
        if plain.is_ok() {
            return plain;
        }
        let list = value.split(',').map(|item| item.trim().to_owned());
        let list = list.map(|item| Spanned::new(0..0, DeValue::String(item.into()))).collect();
        let listed = self.apply(section, nth, key, &DeValue::Array(list), base, place);
        if listed.is_ok() {
            return listed;
        }
        // Of the three complaints, the one about the form in which it was written helps most; an
        // item that failed shows that the setting is a list.
        match outcome {
            Some(Err(wrong)) if toml.is_some_and(|toml| !toml.get_ref().is_str()) => Err(wrong),
            _ => match listed {
                Err(wrong) if wrong.span.is_some() => Err(wrong),
                _ => plain,
            },
        }
    }
}
