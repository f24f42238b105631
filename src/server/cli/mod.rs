//! The command line: what may be typed, and who does it.
//!
//! Exit codes: 0 done; 1 not done, the reason is on standard error; 2 not understood.

mod account;
mod password;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use oc_core::BareJid;

use crate::admin::command::{Answer, Command as Order};
use crate::config::{Config, ConfigError, Sources, default_file, manual_page};
use crate::signals::Signals;
use crate::{check, demo, log, serve};

pub(crate) use password::generate;

/// Where the configuration is when nobody says.
const USUAL_FILE: &str = "/etc/open-conference/server.toml";

/// An XMPP conference server.
#[derive(Debug, Parser)]
#[command(
    name = "open-conference",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  open-conference demo                                   try it on this computer
  open-conference check                                  what is wrong, and how to mend it
  open-conference serve --config server.toml             run the server
  open-conference serve --set domain.name=example.org    run it without a file
  open-conference user add juliet@example.org            make an account

Settings: `open-conference config default` prints them all."
)]
struct Line {
    #[command(flatten)]
    source: Source,
    #[command(subcommand)]
    command: Command,
}

/// Where settings come from.
#[derive(Debug, Args)]
struct Source {
    /// The configuration file [default: /etc/open-conference/server.toml if it is there]
    #[arg(long, short, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Overrides a setting of the file; may be given several times
    ///
    /// The value is written as in the file, or without quotes, and lists with commas:
    /// --set c2s.resume="5 min" --set c2s.listen=127.0.0.1:5222,[::1]:5222. For the second domain
    /// write --set domain.2.name=example.net.
    #[arg(long, value_name = "SECTION.KEY=VALUE", global = true, verbatim_doc_comment)]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    ///
    /// It stays in the foreground and logs to standard error. SIGHUP reads configuration and
    /// certificates again; SIGTERM tells clients and ends; a second SIGTERM ends at once.
    #[command(after_help = "\
Examples:
  open-conference serve
  open-conference serve --config server.toml --set log.level=debug
  open-conference serve --set domain.name=localhost --set store.engine=memory")]
    Serve,
    /// Make, change, list and remove accounts
    ///
    /// If a server is running on the data directory, it does the work; otherwise it is done here.
    #[command(subcommand)]
    User(account::User),
    /// Invite people who have no account
    #[command(subcommand)]
    Invite(Invite),
    /// Say what is wrong with configuration, certificates, ports, DNS, and how to mend it
    #[command(after_help = "\
Exit code 0: nothing is wrong, or only warnings. 1: the server would not work.

Examples:
  open-conference check
  open-conference check --config server.toml --offline")]
    Check {
        /// Ask no name servers
        #[arg(long)]
        offline: bool,
    },
    /// Show configuration
    #[command(subcommand)]
    Config(Configuration),
    /// Try the whole server on this computer
    ///
    /// It listens on 127.0.0.1 only, makes a self-signed certificate and two accounts at the first
    /// start, and prints what a client needs. Data and passwords are kept for the next start.
    #[command(after_help = "\
Examples:
  open-conference demo
  open-conference demo --set c2s.listen=127.0.0.1:15222    if the port is taken")]
    Demo,
    /// Say how the running server is
    #[command(after_help = "Example:\n  open-conference status --config server.toml")]
    Status,
    /// List who is logged in
    #[command(after_help = "Example:\n  open-conference sessions --config server.toml")]
    Sessions,
    /// Let the running server read configuration and certificates again
    ///
    /// Like SIGHUP, but says what came of it.
    #[command(after_help = "Example:\n  open-conference reload --config server.toml")]
    Reload,
}

#[derive(Debug, Subcommand)]
enum Invite {
    /// Make a link with which one person can make an account
    ///
    /// It works with clients that know XEP-0401, where the domain has registration = "invite" or
    /// "open".
    #[command(after_help = "\
Examples:
  open-conference invite create example.org
  open-conference invite create juliet@example.org --valid 2d")]
    Create {
        /// The domain, or the address that the new account will have
        #[arg(value_name = "DOMAIN|JID")]
        to: BareJid,
        /// How long it can be used: 30min, 12h, 7d
        #[arg(long, default_value = "7d", value_parser = period, value_name = "TIME")]
        valid: Duration,
    },
}

#[derive(Debug, Subcommand)]
enum Configuration {
    /// Print every setting with its default and what it means
    #[command(after_help = "\
Example:
  open-conference config default > server.toml")]
    Default,
    /// Print the same as a chapter of the manual
    #[command(after_help = "\
Example:
  open-conference config manual > manual/operator/configuration.md")]
    Manual,
}

/// Runs what was typed.
pub fn run() -> ExitCode {
    let line = Line::parse();
    match line.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

impl Line {
    fn run(self) -> Result<(), String> {
        let source = &self.source;
        match self.command {
            Command::Serve => run_server(source.sources()),
            Command::User(user) => user.run(source),
            Command::Invite(Invite::Create { to, valid }) => {
                say(source.order(&Order::invite(to, valid))?)
            }
            Command::Check { offline } => {
                let report = check::run(&source.sources(), offline)?;
                print!("{report}");
                match report.errors() {
                    0 => Ok(()),
                    _ => Err("the server would not work: see the errors above".to_owned()),
                }
            }
            Command::Config(Configuration::Default) => {
                print!("{}", default_file());
                Ok(())
            }
            Command::Config(Configuration::Manual) => {
                print!("{}", manual_page());
                Ok(())
            }
            Command::Demo => demo::run(source.set.clone(), |letter| print!("{letter}")),
            Command::Status => say(source.order(&Order::Status)?),
            Command::Sessions => say(source.order(&Order::Sessions)?),
            Command::Reload => say(source.order(&Order::Reload)?),
        }
    }
}

impl Source {
    fn sources(&self) -> Sources {
        let usual = || Some(PathBuf::from(USUAL_FILE)).filter(|file| file.exists());
        Sources { file: self.config.clone().or_else(usual), set: self.set.clone() }
    }

    fn load(&self) -> Result<Config, String> {
        self.sources().load().map_err(|error: ConfigError| error.to_string())
    }

    /// Has an order carried out by the running server, or here if there is none.
    fn order(&self, order: &Order) -> Result<Answer, String> {
        account::carry_out(&self.load()?, order)
    }
}

/// Runs a server in the foreground.
fn run_server(sources: Sources) -> Result<(), String> {
    let config = sources.load().map_err(|error| error.to_string())?;
    start(sources, config, |_| ())
}

/// Starts log, signals and runtime, and the server on them.
pub(crate) fn start(
    sources: Sources,
    config: Config,
    ready: impl FnOnce(&crate::house::House),
) -> Result<(), String> {
    let log = log::start(&config.log).map_err(|error| error.to_string())?;
    let signals = Signals::listen(|| std::process::exit(1)).map_err(|error| error.to_string())?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve::run(sources, config, Some(log), signals, ready));
    // What still hangs, such as a question to a dead name server, does not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served.map_err(|error| error.to_string())
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // The threads of the cores do the work; this one listens and waits.
    let built = builder.worker_threads(2).thread_name("main").enable_all().build();
    built.map_err(|error| format!("the system refuses a thread: {error}"))
}

/// Prints an answer.
fn say(answer: Answer) -> Result<(), String> {
    match answer {
        Answer::Done => {}
        Answer::Users { users } => users.iter().for_each(|user| println!("{user}")),
        Answer::Invitation { uri } => println!("{uri}"),
        Answer::Status(status) => {
            println!("version      {}", status.version);
            println!("domains      {}", status.domains.join(" "));
            println!("up           {} s", status.uptime_s);
            println!("connections  {}", status.connections);
            println!("half open    {}", status.half_open);
            println!("sessions     {}", status.sessions);
        }
        Answer::Sessions { sessions } => {
            for session in sessions {
                println!("{}{}", session.jid, if session.connected { "" } else { "  (away)" });
            }
        }
        Answer::Reloaded { notes } => {
            println!("configuration and certificates are read again");
            notes.iter().for_each(|note| println!("{note}"));
        }
        Answer::Refused { reason } => return Err(reason),
    }
    Ok(())
}

/// `7d`, `12h`, `30min`, `90s`.
fn period(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number and a unit: 30min, 12h, 7d".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit_s = match text[digits..].trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = number.checked_mul(unit_s).filter(|s| (1..=10 * 365 * 86_400).contains(s));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
