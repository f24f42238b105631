//! The tests of the package: words on every engine, trials of kills and damage, golden directories.

mod conformance;
mod testing;
mod trials;
mod upgrade;
