//! `user`: accounts from the command line.

use clap::{Args, Subcommand};
use oc_core::BareJid;

use super::{Source, password, runtime, say};
use crate::admin::command::{Address, Answer, Command as Order, Password};
use crate::admin::ctl::{self, CtlError};
use crate::admin::local;
use crate::config::{Config, Engine};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Make an account
    #[command(after_help = "\
Examples:
  open-conference user add juliet@example.org                    asks for a password
  open-conference user add juliet@example.org --generate         makes one and prints it
  echo 'secret word' | open-conference user add juliet@example.org --password-stdin")]
    Add(Credentials),
    /// Change a password
    ///
    /// Tokens that clients have got instead of the old one end, too.
    #[command(after_help = "\
Examples:
  open-conference user passwd juliet@example.org
  open-conference user passwd juliet@example.org --generate")]
    Passwd(Credentials),
    /// List accounts
    #[command(after_help = "\
Examples:
  open-conference user list
  open-conference user list example.org")]
    List {
        /// Only those of this domain
        domain: Option<String>,
    },
    /// Remove an account with everything that is kept of it
    ///
    /// Its sessions end, and contacts, kept messages and settings are deleted. There is no way
    /// back.
    #[command(after_help = "Example:\n  open-conference user remove juliet@example.org")]
    Remove {
        /// The account
        #[arg(value_name = "JID", value_parser = account)]
        account: BareJid,
    },
}

#[derive(Debug, Args)]
pub(super) struct Credentials {
    /// The account
    #[arg(value_name = "JID", value_parser = account)]
    account: BareJid,
    /// Read the password from the first line of standard input
    #[arg(long, conflicts_with = "generate")]
    password_stdin: bool,
    /// Make a good password and print it
    #[arg(long)]
    generate: bool,
}

/// A bare JID with a name.
fn account(text: &str) -> Result<BareJid, String> {
    let jid: BareJid = text.parse().map_err(|error| format!("{error}"))?;
    match jid.node() {
        Some(_) => Ok(jid),
        None => Err(format!("write NAME@{jid}")),
    }
}

impl Credentials {
    fn password(&self) -> Result<Password, String> {
        match (self.password_stdin, self.generate) {
            (true, _) => password::from_stdin(),
            (_, true) => Ok(password::generate()),
            _ => password::ask(self.account.as_str()),
        }
    }

    fn run(
        &self,
        source: &Source,
        order: impl FnOnce(Address, Password) -> Order,
    ) -> Result<(), String> {
        // A mistake in the configuration is told before anybody types a password.
        let config = source.load()?;
        let password = self.password()?;
        let order = order(Address(self.account.clone()), password.clone());
        say(carry_out(&config, &order)?)?;
        if self.generate {
            println!("{}", password.reveal());
        }
        Ok(())
    }
}

impl User {
    pub(super) fn run(self, source: &Source) -> Result<(), String> {
        match self {
            Self::Add(credentials) => {
                credentials.run(source, |account, password| Order::UserAdd { account, password })
            }
            Self::Passwd(credentials) => {
                credentials.run(source, |account, password| Order::UserPasswd { account, password })
            }
            Self::List { domain } => say(source.order(&Order::UserList { domain })?),
            Self::Remove { account } => {
                say(source.order(&Order::UserRemove { account: Address(account) })?)
            }
        }
    }
}

/// Has an order carried out by the server that runs on this data directory; without one, here.
pub(super) fn carry_out(config: &Config, order: &Order) -> Result<Answer, String> {
    if let Some(socket) = config.admin_socket() {
        match ctl::send(&socket, order) {
            Err(CtlError::NotRunning(_)) => {}
            answer => return answer.map_err(|error| error.to_string()),
        }
    }
    if config.ocms_database().is_none() {
        let reason = match config.store.engine {
            Engine::Memory => {
                "the accounts are in the memory of a server ([store] engine = \
                               \"memory\"), and none is reached; set [admin] socket to reach it"
            }
            _ => "there is no database of accounts: set [ocms] database",
        };
        return Err(reason.to_owned());
    }
    let directory = config.store.path.path();
    crate::serve::make_private(directory).map_err(|error| {
        format!("cannot make the data directory {}: {error}", directory.display())
    })?;
    runtime()?.block_on(local::execute(config, order.clone())).map_err(|error| error.to_string())
}
