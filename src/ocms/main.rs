//! `ocms`: the identity service's command line, on its database file.

mod cli;

use std::io::{self, BufRead, Read};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use oc_core::auth::{IdentityAnswer, IdentityCommand, IdentityRefusal, Secret};
use oc_core::{BareJid, Time};
use oc_ocms::{Embedded, IdentityProvider, OcmsError, Realm, Settings, generate_password};
use serde_json::{Value, json};

use cli::{Cli, Command, InviteCommand, PasswordSource, UserCommand};

/// The command was understood, and refused.
const REFUSED: u8 = 1;
/// The database or the machine failed.
const FAILED: u8 = 3;

/// What a command leaves behind: for people and for programs.
struct Report {
    text: String,
    json: Value,
}

/// Why there is no report.
enum Failure {
    Refused { condition: &'static str, sentence: String },
    Failed(String),
}

impl From<OcmsError> for Failure {
    fn from(error: OcmsError) -> Self {
        Self::Failed(error.to_string())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match run(cli).await {
        Ok(report) if json => {
            println!("{}", report.json);
            ExitCode::SUCCESS
        }
        Ok(report) => {
            println!("{}", report.text);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let (condition, sentence, code) = match failure {
                Failure::Refused { condition, sentence } => (condition, sentence, REFUSED),
                Failure::Failed(sentence) => ("failed", sentence, FAILED),
            };
            if json {
                println!("{}", json!({ "error": condition, "message": sentence }));
            } else {
                eprintln!("ocms: {sentence}");
            }
            ExitCode::from(code)
        }
    }
}

async fn run(cli: Cli) -> Result<Report, Failure> {
    if !cli.command.creates() && !cli.db.exists() {
        return Err(Failure::Failed(format!("there is no database {}", cli.db.display())));
    }
    let domain = cli.command.domain();
    let settings = Settings {
        path: Some(cli.db),
        realms: domain.map(Realm::new).into_iter().collect(),
        ..Settings::default()
    };
    let ocms = Embedded::open(&settings).await?;
    let report = match cli.command {
        Command::User(command) => user(&ocms, command).await,
        Command::Invite(InviteCommand::Create { to, inviter, expires }) => {
            invite(&ocms, to, inviter, expires).await
        }
    };
    ocms.close().await;
    report
}

async fn user(ocms: &Embedded, command: UserCommand) -> Result<Report, Failure> {
    match command {
        UserCommand::Add { account: jid, password } => {
            let (secret, generated) = choose(&password)?;
            let command = IdentityCommand::Create {
                account: jid.clone(),
                password: secret,
                invitation: None,
                rate_key: None,
            };
            answered(ocms, command).await?;
            Ok(with_password("added", &jid, generated))
        }
        UserCommand::Passwd { account: jid, password } => {
            let (secret, generated) = choose(&password)?;
            let command = IdentityCommand::SetPassword { account: jid.clone(), password: secret };
            answered(ocms, command).await?;
            Ok(with_password("password changed", &jid, generated))
        }
        UserCommand::Remove { account: jid } => {
            answered(ocms, IdentityCommand::Remove { account: jid.clone() }).await?;
            Ok(done("removed", &jid))
        }
        UserCommand::Disable { account: jid } => {
            let command = IdentityCommand::SetEnabled { account: jid.clone(), enabled: false };
            answered(ocms, command).await?;
            Ok(done("disabled", &jid))
        }
        UserCommand::Enable { account: jid } => {
            let command = IdentityCommand::SetEnabled { account: jid.clone(), enabled: true };
            answered(ocms, command).await?;
            Ok(done("enabled", &jid))
        }
        UserCommand::List { domain } => list(ocms, domain).await,
    }
}

async fn list(ocms: &Embedded, domain: Option<String>) -> Result<Report, Failure> {
    let domains = match domain {
        Some(domain) => vec![domain],
        None => ocms.domains().await?,
    };
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for domain in domains {
        for entry in ocms.accounts(&domain).await? {
            let (jid, created) = (entry.jid.to_string(), entry.created.to_datetime());
            let disabled = if entry.disabled { "  disabled" } else { "" };
            lines.push(format!("{jid}  {created}{disabled}"));
            let value = json!({ "account": jid, "created": created, "disabled": entry.disabled });
            values.push(value);
        }
    }
    let text = if lines.is_empty() { "no accounts".to_owned() } else { lines.join("\n") };
    Ok(Report { text, json: Value::Array(values) })
}

async fn invite(
    ocms: &Embedded,
    to: BareJid,
    inviter: Option<BareJid>,
    expires: Duration,
) -> Result<Report, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let expires = Time::default().after(now).after(expires);
    let command = IdentityCommand::Invite { to: to.clone(), inviter, expires };
    match answered(ocms, command).await? {
        IdentityAnswer::Invitation(token) => {
            let expires = expires.to_datetime();
            Ok(Report {
                text: format!("{token}\ngood for {to} until {expires}"),
                json: json!({ "invitation": token, "to": to.to_string(), "expires": expires }),
            })
        }
        other => Err(Failure::Failed(format!("unexpected answer {other:?}"))),
    }
}

async fn answered(ocms: &Embedded, command: IdentityCommand) -> Result<IdentityAnswer, Failure> {
    let (condition, sentence) = match ocms.command(command).await {
        IdentityAnswer::Refused(refusal) => match refusal {
            IdentityRefusal::Exists => ("exists", "this account exists"),
            IdentityRefusal::NotFound => ("not-found", "there is no such account"),
            IdentityRefusal::Unacceptable(why) => ("unacceptable", why),
            IdentityRefusal::NotAllowed => ("not-allowed", "this is not allowed"),
            IdentityRefusal::BadInvitation => ("bad-invitation", "the invitation is not good"),
            IdentityRefusal::TooMany => ("too-many", "too many in a short time"),
            IdentityRefusal::Temporary => {
                return Err(Failure::Failed("the database could not do it now".to_owned()));
            }
        },
        answer => return Ok(answer),
    };
    Err(Failure::Refused { condition, sentence: sentence.to_owned() })
}

/// The password of standard input, or a new one that has to be shown.
fn choose(source: &PasswordSource) -> Result<(Secret, Option<String>), Failure> {
    if !source.password_stdin {
        let password = generate_password()?;
        return Ok((Secret(password.clone().into_bytes()), Some(password)));
    }
    let mut line = String::new();
    // a limit, so that a wrong redirection does not fill the memory
    let mut input = io::stdin().lock().take(8 * 1024);
    input
        .read_line(&mut line)
        .map_err(|error| Failure::Failed(format!("no password on standard input: {error}")))?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    Ok((Secret(password.as_bytes().to_vec()), None))
}

fn done(what: &str, account: &BareJid) -> Report {
    Report {
        text: format!("{account}: {what}"),
        json: json!({ "account": account.to_string(), "done": what }),
    }
}

fn with_password(what: &str, account: &BareJid, generated: Option<String>) -> Report {
    let mut report = done(what, account);
    if let Some(password) = generated {
        report.text = format!("{}\npassword: {password}", report.text);
        report.json["password"] = Value::String(password);
    }
    report
}
