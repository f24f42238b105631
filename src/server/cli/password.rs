//! Passwords from a terminal, from standard input, or from the system's random source.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::admin::command::Password;

/// Letters and digits that nobody mistakes for each other; 32, so that each stands for five bits.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 20 of them: 100 bits.
const LENGTH: usize = 20;

/// A password that nobody can guess.
pub(crate) fn generate() -> Password {
    let mut random = [0u8; LENGTH];
    getrandom::fill(&mut random).expect("the operating system has random bytes");
    Password::new(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect())
}

/// The first line of standard input.
pub(super) fn from_stdin() -> Result<Password, String> {
    line(&mut io::stdin().lock()).map(Password::new)
}

fn line(input: &mut impl BufRead) -> Result<String, String> {
    let mut text = String::new();
    input.read_line(&mut text).map_err(|error| format!("cannot read the password: {error}"))?;
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    if text.is_empty() { Err("the password is empty".to_owned()) } else { Ok(text) }
}

/// Asks twice on the terminal, without showing what is typed.
pub(super) fn ask(account: &str) -> Result<Password, String> {
    if !io::stdin().is_terminal() {
        return Err("there is no terminal to ask for a password on: use --password-stdin or \
                    --generate"
            .to_owned());
    }
    let first = hidden(&format!("Password for {account}: "))?;
    let second = hidden("The same again: ")?;
    if first.reveal() == second.reveal() {
        Ok(first)
    } else {
        Err("the two passwords differ; nothing was changed".to_owned())
    }
}

fn hidden(prompt: &str) -> Result<Password, String> {
    let wrong = |error: io::Error| format!("cannot ask for the password: {error}");
    let mut out = io::stderr();
    out.write_all(prompt.as_bytes()).and_then(|()| out.flush()).map_err(wrong)?;
    let stdin = io::stdin();
    let quiet = Quiet::new(stdin.as_fd()).map_err(|error| wrong(error.into()))?;
    let text = line(&mut stdin.lock());
    drop(quiet);
    // The line break that was typed was not shown either.
    eprintln!();
    text.map(Password::new)
}

/// A terminal that does not show what is typed, until it is dropped.
struct Quiet<Fd: AsFd> {
    terminal: Fd,
    before: Termios,
}

impl<Fd: AsFd> Quiet<Fd> {
    fn new(terminal: Fd) -> rustix::io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);

        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl<Fd: AsFd> Drop for Quiet<Fd> {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_is_the_password() {
        assert_eq!(line(&mut "a b \r\nrest".as_bytes()).as_deref(), Ok("a b "));
        assert_eq!(line(&mut "no line break".as_bytes()).as_deref(), Ok("no line break"));
        assert!(line(&mut "\n".as_bytes()).is_err());
        assert!(line(&mut "".as_bytes()).is_err());
    }

    #[test]
    fn generated_passwords_are_long_and_differ() {
        let (first, second) = (generate(), generate());
        assert_eq!(first.reveal().len(), LENGTH);
        assert_ne!(first.reveal(), second.reveal());
        assert!(first.reveal().bytes().all(|byte| ALPHABET.contains(&byte)));
        let mut distinct = ALPHABET.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 32);
    }
}
