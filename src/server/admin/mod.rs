//! The operator's doors: commands over a socket of this machine, and figures for monitoring.
//!
//! A [`Desk`] carries out commands by the identity service (accounts) and the house (data and
//! sessions). In a running server it sits behind the command socket ([`ctl`]); without one, the
//! command line builds it on the data directory itself ([`local`]), and everything else is the
//! same.

pub mod command;
pub mod ctl;
pub mod local;
pub mod monitor;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oc_core::auth::{IdentityAnswer, IdentityCommand, IdentityRefusal};
use oc_core::{BareJid, Time};
use oc_ocms::IdentityProvider;

use command::{Answer, Command, SessionInfo, Status};

/// What a [`House`] gives back for later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What commands need of the server beside the identity service.
pub trait House: Send + Sync {
    /// Forgets all data of an account and ends its sessions; `Ok` once that is on disk.
    fn forget(&self, account: BareJid) -> Later<'_, Result<(), String>>;

    /// How the server is.
    fn status(&self) -> Later<'_, Result<Status, String>>;

    /// Who is logged in.
    fn sessions(&self) -> Later<'_, Result<Vec<SessionInfo>, String>>;

    /// Reads configuration and certificates again; sentences for the operator come back.
    fn reload(&self) -> Later<'_, Result<Vec<String>, String>>;
}

/// Carries out commands.
#[derive(Clone)]
pub struct Desk {
    identity: Arc<dyn IdentityProvider>,
    house: Arc<dyn House>,
    domains: Vec<String>,
}

impl Desk {
    /// Commands for these domains.
    pub fn new(
        identity: Arc<dyn IdentityProvider>,
        house: Arc<dyn House>,
        domains: Vec<String>,
    ) -> Self {
        Self { identity, house, domains }
    }

    /// Carries out one command.
    pub async fn execute(&self, command: Command) -> Answer {
        self.try_execute(command).await.unwrap_or_else(|reason| Answer::Refused { reason })
    }

    async fn try_execute(&self, command: Command) -> Result<Answer, String> {
        match command {
            Command::UserAdd { account, password } => {
                let account = self.served(account.0)?;
                let (invitation, rate_key) = (None, None);
                let password = password.secret();
                self.done(IdentityCommand::Create { account, password, invitation, rate_key }).await
            }
            Command::UserPasswd { account, password } => {
                let account = self.served(account.0)?;
                let password = password.secret();
                self.done(IdentityCommand::SetPassword { account, password }).await
            }
            Command::UserRemove { account } => self.remove(self.served(account.0)?).await,
            Command::UserList { domain } => self.list(domain).await,
            Command::InviteCreate { to, valid_s } => self.invite(to.0, valid_s).await,
            Command::Status => self.house.status().await.map(Answer::Status),
            Command::Sessions => {
                self.house.sessions().await.map(|sessions| Answer::Sessions { sessions })
            }
            Command::Reload => self.house.reload().await.map(|notes| Answer::Reloaded { notes }),
        }
    }

    /// The account, if it has a name and its domain is one of ours.
    fn served(&self, account: BareJid) -> Result<BareJid, String> {
        self.serves(account.domain().as_str())?;
        match account.node() {
            Some(_) => Ok(account),
            None => Err(format!("{account} has no name before the @")),
        }
    }

    fn serves(&self, domain: &str) -> Result<(), String> {
        if self.domains.iter().any(|served| served == domain) {
            return Ok(());
        }
        let served = self.domains.join(", ");
        Err(format!("this server does not serve {domain}; it serves {served}"))
    }

    async fn ask(&self, command: IdentityCommand) -> Result<IdentityAnswer, String> {
        match self.identity.command(command).await {
            IdentityAnswer::Refused(refusal) => Err(sentence(&refusal)),
            answer => Ok(answer),
        }
    }

    async fn done(&self, command: IdentityCommand) -> Result<Answer, String> {
        self.ask(command).await.map(|_| Answer::Done)
    }

    /// First the credentials, so that nobody logs in again, then the data. A removal that was cut
    /// short between the two is finished by repeating it.
    async fn remove(&self, account: BareJid) -> Result<Answer, String> {
        let removed = self.identity.command(IdentityCommand::Remove { account: account.clone() });
        let missing = match removed.await {
            IdentityAnswer::Refused(IdentityRefusal::NotFound) => true,
            IdentityAnswer::Refused(refusal) => return Err(sentence(&refusal)),
            _ => false,
        };
        self.house.forget(account).await?;
        if missing { Err(sentence(&IdentityRefusal::NotFound)) } else { Ok(Answer::Done) }
    }

    async fn list(&self, domain: Option<String>) -> Result<Answer, String> {
        if let Some(domain) = &domain {
            self.serves(domain)?;
        }
        let mut users = Vec::new();
        for domain in domain.map_or_else(|| self.domains.clone(), |domain| vec![domain]) {
            if let IdentityAnswer::Accounts(accounts) =
                self.ask(IdentityCommand::List { domain }).await?
            {
                users.extend(accounts.iter().map(ToString::to_string));
            }
        }
        Ok(Answer::Users { users })
    }

    /// XEP-0401 #account-creation
    async fn invite(&self, to: BareJid, valid_s: u64) -> Result<Answer, String> {
        self.serves(to.domain().as_str())?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = Time::default().after(since).after(Duration::from_secs(valid_s));
        let uri = format!("xmpp:{to}?register;preauth=");
        match self.ask(IdentityCommand::Invite { to, inviter: None, expires }).await? {
            IdentityAnswer::Invitation(token) => Ok(Answer::Invitation { uri: uri + &token }),
            _ => Err("the identity service gave no invitation".to_owned()),
        }
    }
}

fn sentence(refusal: &IdentityRefusal) -> String {
    match refusal {
        IdentityRefusal::Exists => "there is an account of that name already".to_owned(),
        IdentityRefusal::NotFound => "there is no such account".to_owned(),
        IdentityRefusal::Unacceptable(why) => (*why).to_owned(),
        IdentityRefusal::NotAllowed => {
            "the identity service does not let its accounts be changed from here".to_owned()
        }
        IdentityRefusal::BadInvitation => "the invitation is unknown, used or expired".to_owned(),
        IdentityRefusal::TooMany => "too many in a short time; try again later".to_owned(),
        IdentityRefusal::Temporary => {
            "the identity service could not do it now; its log says why".to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
