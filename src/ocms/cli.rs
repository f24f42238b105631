//! The command line of `ocms`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use oc_core::BareJid;

/// Identity service of Open Conference: accounts and invitations.
///
/// Works on the database file of an identity service, also while a server runs on it: the server
/// follows within a second, and sessions that are logged in stay. The identity service itself runs
/// inside `open-conference`; running it as a network service of its own comes with a later version.
#[derive(Debug, Parser)]
#[command(name = "ocms", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// The database file.
    #[arg(long, value_name = "FILE", global = true, default_value = "ocms.db")]
    pub(crate) db: PathBuf,
    /// Print one JSON value instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ocms --db /var/lib/open-conference/ocms.db user add juliet@example.org
  printf '%s' \"$PASSWORD\" | ocms user passwd juliet@example.org --password-stdin
  ocms user list --json
  ocms invite create example.org --expires 7d

Exit status: 0 done, 1 refused, 2 wrong usage, 3 the database or the machine failed.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Invitations.
    #[command(subcommand)]
    Invite(InviteCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make an account; makes the database file too, if there is none.
    #[command(after_help = "Examples:
  ocms user add juliet@example.org
  ocms user add juliet@example.org --password-stdin < password.txt")]
    Add {
        /// The account, as name@domain.
        #[arg(value_name = "JID", value_parser = account)]
        account: BareJid,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Change a password; ends all tokens of the account.
    #[command(after_help = "Example:
  ocms user passwd juliet@example.org --password-stdin < password.txt")]
    Passwd {
        /// The account, as name@domain.
        #[arg(value_name = "JID", value_parser = account)]
        account: BareJid,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List accounts, with the moment when each was made.
    #[command(after_help = "Examples:
  ocms user list
  ocms user list --domain example.org --json")]
    List {
        /// Only this domain.
        #[arg(long, value_name = "DOMAIN")]
        domain: Option<String>,
    },
    /// Remove an account and everything the identity service knows of it.
    #[command(after_help = "Example:
  ocms user remove juliet@example.org")]
    Remove {
        /// The account, as name@domain.
        #[arg(value_name = "JID", value_parser = account)]
        account: BareJid,
    },
    /// Keep an account from logging in; ends all its tokens.
    #[command(after_help = "Example:
  ocms user disable juliet@example.org")]
    Disable {
        /// The account, as name@domain.
        #[arg(value_name = "JID", value_parser = account)]
        account: BareJid,
    },
    /// Let a disabled account log in again.
    #[command(after_help = "Example:
  ocms user enable juliet@example.org")]
    Enable {
        /// The account, as name@domain.
        #[arg(value_name = "JID", value_parser = account)]
        account: BareJid,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum InviteCommand {
    /// Make an invitation to a domain, or for one name of it; makes one account.
    #[command(after_help = "Examples:
  ocms invite create example.org
  ocms invite create nurse@example.org --inviter juliet@example.org --expires 12h")]
    Create {
        /// The domain, or the one account that the invitation is for.
        #[arg(value_name = "DOMAIN|JID", value_parser = jid)]
        to: BareJid,
        /// Who invites.
        #[arg(long, value_name = "JID", value_parser = account)]
        inviter: Option<BareJid>,
        /// How long it is good: a number and m, h or d.
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration)]
        expires: Duration,
    },
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct PasswordSource {
    /// Read the password from the first line of standard input; without this, one is made and
    /// shown.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

impl Command {
    /// Whether it may make the database file.
    pub(crate) fn creates(&self) -> bool {
        matches!(self, Self::User(UserCommand::Add { .. }) | Self::Invite(_))
    }

    /// The domain that it is about.
    pub(crate) fn domain(&self) -> Option<String> {
        let jid = match self {
            Self::User(command) => match command {
                UserCommand::Add { account, .. }
                | UserCommand::Passwd { account, .. }
                | UserCommand::Remove { account }
                | UserCommand::Disable { account }
                | UserCommand::Enable { account } => account,
                UserCommand::List { .. } => return None,
            },
            Self::Invite(InviteCommand::Create { to, .. }) => to,
        };
        Some(jid.domain().as_str().to_owned())
    }
}

fn jid(text: &str) -> Result<BareJid, String> {
    BareJid::new(text).map_err(|error| error.to_string())
}

fn account(text: &str) -> Result<BareJid, String> {
    let jid = jid(text)?;
    if jid.node().is_none() {
        return Err("an account has a name before the @".to_owned());
    }
    Ok(jid)
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is a number and m, h or d, for example 12h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    match number.checked_mul(seconds) {
        Some(all) if (1..=10 * 366 * 24 * 60 * 60).contains(&all) => Ok(Duration::from_secs(all)),
        _ => Err("an invitation is good for one minute to ten years".to_owned()),
    }
}
