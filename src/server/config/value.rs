//! Types of settings: each knows its unit, its bounds and how it is written.
//!
//! A value out of bounds cannot exist: the bounds are parameters of the type, and the constructors
//! check them. [`Setting`] is the only way from TOML to a value, for the file and for `--set`
//! alike.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::error::Wrong;

/// A second, in the milliseconds of [`Period`]'s bounds.
pub const SECOND: u64 = 1_000;
/// A minute in milliseconds.
pub const MINUTE: u64 = 60 * SECOND;
/// An hour in milliseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// A day in milliseconds.
pub const DAY: u64 = 24 * HOUR;
/// 1024 bytes.
pub const KIB: u64 = 1024;
/// 1024 KiB.
pub const MIB: u64 = 1024 * KIB;
/// 1024 MiB.
pub const GIB: u64 = 1024 * MIB;

/// Units with their factors, largest first, and the unit in which zero is written.
struct Units {
    names: &'static [(&'static str, u64)],
    zero: &'static str,
}

const PERIODS: Units = Units {
    names: &[("d", DAY), ("h", HOUR), ("min", MINUTE), ("s", SECOND), ("ms", 1)],
    zero: "s",
};
const SIZES: Units =
    Units { names: &[("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)], zero: "B" };
/// Other spellings that people may use for units of time.
const PERIOD_WORDS: &[(&str, &str)] = &[
    ("day", "d"),
    ("days", "d"),
    ("hour", "h"),
    ("hours", "h"),
    ("m", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("sec", "s"),
    ("second", "s"),
    ("seconds", "s"),
];

/// What a setting's value must know to be read: where relative paths begin.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a>(pub &'a Path);

/// A type of settings.
pub trait Setting: Sized + Clone + PartialEq {
    /// Reads a TOML value.
    fn read(value: &DeValue<'_>, base: Base<'_>) -> Result<Self, Wrong>;
    /// Writes it as TOML; `None` if it is not set.
    fn write(&self) -> Option<String>;
    /// What may be written, for the annotated file; empty if the value speaks for itself.
    fn range() -> String;
}

/// A TOML string.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What a TOML value is called in a sentence.
fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The text of a string value; anything else is refused with what is expected.
fn text<'a>(value: &'a DeValue<'_>, expected: &str, fix: &str) -> Result<&'a str, Wrong> {
    value.as_str().ok_or_else(|| Wrong::new(format!("{} is not {expected}", kind(value)), fix))
}

/// Splits `"16 MiB"` into 16 and `"MiB"`.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim()))
}

/// Reads a number with one of the units.
fn measure(text: &str, units: &Units, words: &[(&str, &str)]) -> Result<u64, String> {
    let names = units.names.iter().rev().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let Some((number, unit)) = split_unit(text) else {
        return Err(format!("{} does not begin with a whole number", quoted(text)));
    };
    if unit.is_empty() {
        return Err(format!("{} has no unit ({names})", quoted(text)));
    }
    let unit = words.iter().find(|(word, _)| *word == unit).map_or(unit, |(_, name)| name);
    let Some((_, factor)) = units.names.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))
    else {
        return Err(format!("{} is not one of the units {names}", quoted(unit)));
    };
    number.checked_mul(*factor).ok_or_else(|| format!("{} is too large", quoted(text)))
}

/// Writes a number in the largest unit that divides it.
fn in_units(value: u64, units: &Units) -> String {
    let whole = |(_, factor): &&(&str, u64)| value != 0 && value.is_multiple_of(*factor);
    match units.names.iter().find(whole) {
        Some((name, factor)) => format!("{} {name}", value / factor),
        None => format!("0 {}", units.zero),
    }
}

/// A length of time between `MIN` and `MAX` milliseconds, written with its unit: `"30 s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Period<MIN, MAX> {
    /// A default; its bounds are checked by the test that builds the default configuration.
    pub(crate) const fn of(ms: u64) -> Self {
        debug_assert!(MIN <= ms && ms <= MAX);
        Self(ms)
    }

    /// The value.
    pub const fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Whether it is zero, which switches off what it measures.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl<const MIN: u64, const MAX: u64> Setting for Period<MIN, MAX> {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let (min, max) = (in_units(MIN, &PERIODS), in_units(MAX, &PERIODS));
        let fix = format!("write a length of time from \"{min}\" to \"{max}\"");
        let text = text(value, "a length of time", &fix)?;
        // Zero needs no unit: it is the same in all of them.
        let ms = if text.trim() == "0" { Ok(0) } else { measure(text, &PERIODS, PERIOD_WORDS) };
        match ms {
            Ok(ms) if (MIN..=MAX).contains(&ms) => Ok(Self(ms)),
            Ok(_) => Err(Wrong::new(format!("{} is out of range", quoted(text)), fix)),
            Err(what) => Err(Wrong::new(what, fix)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&in_units(self.0, &PERIODS)))
    }

    fn range() -> String {
        format!("From \"{}\" to \"{}\".", in_units(MIN, &PERIODS), in_units(MAX, &PERIODS))
    }
}

/// A number of bytes between `MIN` and `MAX`, written with its unit: `"16 MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Size<MIN, MAX> {
    /// A default.
    pub(crate) const fn of(bytes: u64) -> Self {
        debug_assert!(MIN <= bytes && bytes <= MAX);
        Self(bytes)
    }

    /// The value in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> Setting for Size<MIN, MAX> {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let (min, max) = (in_units(MIN, &SIZES), in_units(MAX, &SIZES));
        let fix = format!("write a size from \"{min}\" to \"{max}\"");
        let text = text(value, "a size", &fix)?;
        match measure(text, &SIZES, &[]) {
            Ok(bytes) if (MIN..=MAX).contains(&bytes) => Ok(Self(bytes)),
            Ok(_) => Err(Wrong::new(format!("{} is out of range", quoted(text)), fix)),
            Err(what) => Err(Wrong::new(what, fix)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&in_units(self.0, &SIZES)))
    }

    fn range() -> String {
        format!("From \"{}\" to \"{}\".", in_units(MIN, &SIZES), in_units(MAX, &SIZES))
    }
}

/// A whole number between `MIN` and `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// A default.
    pub(crate) const fn of(number: u64) -> Self {
        debug_assert!(MIN <= number && number <= MAX);
        Self(number)
    }

    /// The value.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> Setting for Count<MIN, MAX> {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let fix = format!("write a whole number from {MIN} to {MAX}, without quotes");
        let DeValue::Integer(number) = value else {
            return Err(Wrong::new(format!("{} is not a whole number", kind(value)), fix));
        };
        match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(n) if (MIN..=MAX).contains(&n) => Ok(Self(n)),
            _ => Err(Wrong::new(format!("{number} is out of range"), fix)),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.0.to_string())
    }

    fn range() -> String {
        format!("From {MIN} to {MAX}.")
    }
}

/// At most so much in a time, written `"50/s"`, `"64 KiB/s"`, `"5/h"`, or `"unlimited"`. `BYTES`
/// says whether it counts bytes or things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate<const BYTES: bool>(Option<(u64, u64)>);

impl<const BYTES: bool> Rate<BYTES> {
    /// No limit; only where every listener is on a loopback address.
    pub const UNLIMITED: Self = Self(None);

    /// A default: so much in so many milliseconds.
    pub(crate) const fn of(amount: u64, per_ms: u64) -> Self {
        Self(Some((amount, per_ms)))
    }

    /// The amount and the time in which it may pass; `None` without a limit.
    pub fn get(self) -> Option<(u64, Duration)> {
        self.0.map(|(amount, per_ms)| (amount, Duration::from_millis(per_ms)))
    }

    /// The amount per second, rounded up; `None` without a limit.
    pub fn per_second(self) -> Option<u64> {
        self.0.map(|(amount, per_ms)| (amount * SECOND).div_ceil(per_ms))
    }
}

impl<const BYTES: bool> Setting for Rate<BYTES> {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        let sample = if BYTES { "64 KiB/s" } else { "50/s" };
        let fix = format!("write a rate such as \"{sample}\", or \"unlimited\"");
        let text = text(value, "a rate", &fix)?;
        if text == "unlimited" {
            return Ok(Self::UNLIMITED);
        }
        let wrong = |what: String| Wrong::new(what, fix.clone());
        let Some((amount, per)) = text.split_once('/') else {
            return Err(wrong(format!("{} has no \"/s\", \"/min\" or \"/h\"", quoted(text))));
        };
        let Some((_, per_ms)) =
            PERIODS.names.iter().find(|(name, ms)| *name == per.trim() && *ms >= SECOND)
        else {
            return Err(wrong(format!("{} is not one of the units s, min, h, d", quoted(per))));
        };
        let amount = if BYTES {
            measure(amount, &SIZES, &[]).map_err(wrong)?
        } else {
            let number = amount.trim().parse();
            number.map_err(|_| wrong(format!("{} is not a whole number", quoted(amount))))?
        };
        if !(1..=GIB).contains(&amount) {
            return Err(wrong(format!("{} is out of range", quoted(text))));
        }
        Ok(Self(Some((amount, *per_ms))))
    }

    fn write(&self) -> Option<String> {
        let Some((amount, per_ms)) = self.0 else { return Some(quoted("unlimited")) };
        let per = PERIODS.names.iter().find(|(_, ms)| *ms == per_ms).map_or("s", |(name, _)| name);
        let amount = if BYTES { in_units(amount, &SIZES) } else { amount.to_string() };
        Some(quoted(&format!("{amount}/{per}")))
    }

    fn range() -> String {
        "\"unlimited\" is allowed where all listeners are on loopback addresses.".to_owned()
    }
}

impl Setting for bool {
    fn read(value: &DeValue<'_>, _: Base<'_>) -> Result<Self, Wrong> {
        value.as_bool().ok_or_else(|| {
            Wrong::new(
                format!("{} is neither true nor false", kind(value)),
                "write true or false, without quotes",
            )
        })
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn range() -> String {
        String::new()
    }
}

/// A file or directory; a relative one in the configuration file begins at the file's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location(PathBuf);

impl Location {
    /// A path that is taken as it is.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Setting for Location {
    fn read(value: &DeValue<'_>, base: Base<'_>) -> Result<Self, Wrong> {
        let fix = "write a path, such as \"/var/lib/open-conference\"";
        match text(value, "a path", fix)? {
            "" => Err(Wrong::new("the path is empty", fix)),
            path => Ok(Self(base.0.join(path))),
        }
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.0.to_string_lossy()))
    }

    fn range() -> String {
        String::new()
    }
}

impl<T: Setting> Setting for Option<T> {
    fn read(value: &DeValue<'_>, base: Base<'_>) -> Result<Self, Wrong> {
        T::read(value, base).map(Some)
    }

    fn write(&self) -> Option<String> {
        self.as_ref().and_then(T::write)
    }

    fn range() -> String {
        T::range()
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn read(value: &DeValue<'_>, base: Base<'_>) -> Result<Self, Wrong> {
        let DeValue::Array(items) = value else {
            return Err(Wrong::new(
                format!("{} is not a list", kind(value)),
                "write a list in square brackets: [\"...\", \"...\"]",
            ));
        };
        items
            .iter()
            .map(|item| {
                T::read(item.get_ref(), base).map_err(|mut wrong| {
                    wrong.span.get_or_insert_with(|| item.span());
                    wrong
                })
            })
            .collect()
    }

    fn write(&self) -> Option<String> {
        let items = self.iter().filter_map(T::write).collect::<Vec<_>>();
        Some(format!("[{}]", items.join(", ")))
    }

    fn range() -> String {
        T::range()
    }
}

/// Any text that a type can parse: the bridge for addresses and names.
pub(crate) fn parsed<T>(
    value: &DeValue<'_>,
    expected: &str,
    fix: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Wrong> {
    let text = text(value, expected, fix)?;
    parse(text).ok_or_else(|| Wrong::new(format!("{} is not {expected}", quoted(text)), fix))
}

/// One word out of a few; the nearest one is named when it is misspelt.
pub(crate) fn chosen<T: Copy>(value: &DeValue<'_>, choices: &[(&str, T)]) -> Result<T, Wrong> {
    let names = choices.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let all = names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let fix = format!("write one of {all}");
    let word = text(value, "a word", &fix)?;
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word) {
        return Ok(*choice);
    }
    let fix = match super::error::nearest(word, &names) {
        Some(name) => format!("write {} (or one of {all})", quoted(name)),
        None => fix,
    };
    Err(Wrong::new(format!("{} is not one of the choices", quoted(word)), fix))
}

/// Declares a setting that is one word out of a few.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The word.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl $crate::config::value::Setting for $name {
            fn read(
                value: &toml::de::DeValue<'_>,
                _: $crate::config::value::Base<'_>,
            ) -> Result<Self, $crate::config::error::Wrong> {
                $crate::config::value::chosen(value, &[$(($text, Self::$variant),)*])
            }

            fn write(&self) -> Option<String> {
                Some($crate::config::value::quoted(self.name()))
            }

            fn range() -> String {
                let words = [$($crate::config::value::quoted($text),)*];
                format!("One of {}.", words.join(", "))
            }
        }
    };
}
pub(crate) use choice;

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
