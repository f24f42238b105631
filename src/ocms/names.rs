//! Names that new accounts may have.
//!
//! A JID that exists is compared as RFC 7622 §3.3 says, whatever is in it. For a name that is only
//! now chosen we are stricter, so that two accounts do not look the same and no name needs
//! explaining.

/// Bytes of a new name (RFC 7622 §3.3 allows 1023).
const NAME_BYTES_MAX: usize = 256;

/// Names by which people look for those who run a service (RFC 2142), and which nobody may
/// take for himself.
const RESERVED: &[&str] = &[
    "abuse",
    "admin",
    "administrator",
    "billing",
    "contact",
    "daemon",
    "help",
    "helpdesk",
    "hostmaster",
    "info",
    "mailer-daemon",
    "marketing",
    "moderator",
    "news",
    "nobody",
    "noc",
    "noreply",
    "no-reply",
    "operator",
    "owner",
    "postmaster",
    "registration",
    "root",
    "sales",
    "security",
    "server",
    "service",
    "staff",
    "support",
    "sysadmin",
    "system",
    "webmaster",
    "www",
    "xmpp",
];

/// Whether a name is kept for who runs the service.
pub(crate) fn is_reserved(local: &str) -> bool {
    RESERVED.contains(&local)
}

/// Why a prepared local part may not be the name of a new account.
pub(crate) fn check_name(local: &str) -> Result<(), &'static str> {
    if local.is_empty() {
        return Err("An account needs a name before the @.");
    }
    if local.len() > NAME_BYTES_MAX {
        return Err("The name is longer than 256 bytes.");
    }
    if local.contains('\\') {
        // XEP-0106 escapes stand for names of other realms
        return Err("The name has a backslash, which is kept for names of other domains.");
    }
    if !local.chars().all(|c| c.is_alphanumeric() || is_mark(c) || is_ascii_sign(c)) {
        return Err("The name has a sign or an invisible character; use letters, digits and . - _");
    }
    if !local.chars().any(char::is_alphanumeric) {
        return Err("The name has no letter or digit.");
    }
    let latin = local.chars().any(|c| c.is_ascii_alphabetic());
    if latin && local.chars().any(is_lookalike_script) {
        return Err("The name mixes Latin with Greek or Cyrillic letters, which look alike.");
    }
    Ok(())
}

/// Signs that are left of ASCII after RFC 7622 §3.3.1, without those that markup or a shell would
/// take.
fn is_ascii_sign(c: char) -> bool {
    matches!(c, '.' | '-' | '_' | '+' | '~' | '=' | '!' | '#' | '%')
}

/// Marks of scripts that write vowels so; a letter is before them or the name looks broken, not
/// alike.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{591}'..='\u{5C7}' | '\u{610}'..='\u{61A}'
        | '\u{64B}'..='\u{65F}' | '\u{900}'..='\u{903}' | '\u{93A}'..='\u{94F}'
        | '\u{981}'..='\u{983}' | '\u{9BC}'..='\u{9CD}' | '\u{E31}' | '\u{E34}'..='\u{E3A}'
        | '\u{E47}'..='\u{E4E}')
}

fn is_lookalike_script(c: char) -> bool {
    matches!(c, '\u{370}'..='\u{3FF}' | '\u{400}'..='\u{52F}' | '\u{1F00}'..='\u{1FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7622_3_3_new_names() {
        for good in ["juliet", "j.capulet-2_x", "josé", "жанна", "ιουλία", "田中", "ราชา", "123"]
        {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".",
            "a b",
            "a\u{A0}b",
            "a\u{200B}b",
            "a\u{202E}b",
            "a\\40b",
            "jul\u{456}et",
            "p\u{3BF}st",
            "\u{1F600}",
            "a\u{2028}b",
            "a(b)",
            "a$b",
            &"x".repeat(257),
        ] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(is_reserved("postmaster") && !is_reserved("juliet"));
    }
}
