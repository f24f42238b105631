//! Operations on accounts and invitations.

use oc_core::auth::{IdentityAnswer, IdentityCommand, IdentityRefusal, Secret};
use oc_core::sasl::Password;
use oc_core::{BareJid, Time};
use zeroize::Zeroizing;

use crate::OcmsError;
use crate::db::{self, AccountEntry};
use crate::embedded::Embedded;
use crate::names::{check_name, is_reserved};
use crate::secret::{invitation, invitation_hash};
use crate::settings::Registration;

/// Why a command was not carried out.
enum Not {
    Refused(IdentityRefusal),
    Failed(OcmsError),
}

impl From<IdentityRefusal> for Not {
    fn from(refusal: IdentityRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<OcmsError>> From<E> for Not {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Embedded {
    pub(crate) async fn obey(&self, command: IdentityCommand) -> IdentityAnswer {
        let done = match command {
            IdentityCommand::Create { account, password, invitation, rate_key } => {
                self.create(&account, password, invitation.as_deref(), rate_key.as_deref()).await
            }
            IdentityCommand::SetPassword { account, password } => {
                self.set_password(&account, password).await
            }
            IdentityCommand::SetEnabled { account, enabled } => {
                self.set_enabled(&account, enabled).await
            }
            IdentityCommand::Remove { account } => self.remove(&account).await,
            IdentityCommand::Exists { account } => self.exists(&account).await,
            IdentityCommand::List { domain } => self.list(&domain).await,
            IdentityCommand::Invite { to, inviter, expires } => {
                self.invite(&to, inviter.as_ref(), expires).await
            }
            IdentityCommand::CheckInvitation { token, domain } => {
                self.check_invitation(&token, &domain).await
            }
        };
        match done {
            Ok(answer) => answer,
            Err(Not::Refused(refusal)) => IdentityAnswer::Refused(refusal),
            Err(Not::Failed(error)) => {
                tracing::error!(%error, "an account operation failed");
                IdentityAnswer::Refused(IdentityRefusal::Temporary)
            }
        }
    }

    async fn create(
        &self,
        jid: &BareJid,
        password: Secret,
        invitation: Option<&str>,
        rate_key: Option<&str>,
    ) -> Result<IdentityAnswer, Not> {
        let realm = self.realm(jid.domain().as_str()).ok_or(IdentityRefusal::NotAllowed)?;
        let local = jid.node().map_or("", |node| node.as_str());
        if rate_key.is_some() {
            match (realm.registration, invitation) {
                (Registration::Open, _) | (Registration::InviteOnly, Some(_)) => {}
                _ => return Err(IdentityRefusal::NotAllowed.into()),
            }
            if is_reserved(local) {
                return Err(IdentityRefusal::Unacceptable("This name is reserved.").into());
            }
        }
        check_name(local).map_err(IdentityRefusal::Unacceptable)?;
        if let Some(token) = invitation {
            let hash = invitation_hash(token);
            let usable = self.db.invitation_usable(&hash, jid.domain().as_str(), self.now());
            if !usable.await? {
                return Err(IdentityRefusal::BadInvitation.into());
            }
        }
        // refused before the slow hashes, and judged again inside the transaction
        if self.db.account(jid).await?.is_some() {
            return Err(IdentityRefusal::Exists.into());
        }
        let password = self.acceptable(jid, password)?;
        if let (Some(key), Some(quotas)) = (rate_key, &self.registrations)
            && !quotas.take(self.now(), key)
        {
            return Err(IdentityRefusal::TooMany.into());
        }

        let verifiers = self.derive(self.settings.stored_families().to_vec(), password).await?;
        let mut change = self.db.change().await?;
        let Some(account) = db::insert_account(&mut change, jid, self.now()).await? else {
            return Err(IdentityRefusal::Exists.into());
        };
        for verifier in &verifiers {
            self.db.put_verifier(&mut change, account, jid, verifier).await?;
        }
        let answer = match invitation {
            None => IdentityAnswer::Done,
            Some(token) => {
                let hash = invitation_hash(token);
                let used = db::use_invitation(&mut change, &hash, jid, self.now()).await?;
                let inviter = used.ok_or(IdentityRefusal::BadInvitation)?;
                IdentityAnswer::CreatedFor { inviter }
            }
        };
        self.commit(change, jid).await?;
        Ok(answer)
    }

    async fn set_password(&self, jid: &BareJid, password: Secret) -> Result<IdentityAnswer, Not> {
        let password = self.acceptable(jid, password)?;
        let verifiers = self.derive(self.settings.stored_families().to_vec(), password).await?;
        let mut change = self.db.change().await?;
        let account = existing(&mut change, jid).await?;
        db::remove_verifiers(&mut change, account).await?;
        for verifier in &verifiers {
            self.db.put_verifier(&mut change, account, jid, verifier).await?;
        }
        db::remove_tokens(&mut change, account).await?;
        self.commit(change, jid).await
    }

    async fn set_enabled(&self, jid: &BareJid, enabled: bool) -> Result<IdentityAnswer, Not> {
        let mut change = self.db.change().await?;
        let account = existing(&mut change, jid).await?;
        db::set_disabled(&mut change, account, !enabled).await?;
        if !enabled {
            db::remove_tokens(&mut change, account).await?;
        }
        self.commit(change, jid).await
    }

    async fn remove(&self, jid: &BareJid) -> Result<IdentityAnswer, Not> {
        let mut change = self.db.change().await?;
        let account = existing(&mut change, jid).await?;
        db::remove_account(&mut change, account).await?;
        self.commit(change, jid).await
    }

    async fn exists(&self, jid: &BareJid) -> Result<IdentityAnswer, Not> {
        let account = self.accounts.get(&self.settings, &self.db, jid).await?;
        account.id.map(|_| IdentityAnswer::Done).ok_or_else(|| IdentityRefusal::NotFound.into())
    }

    async fn list(&self, domain: &str) -> Result<IdentityAnswer, Not> {
        let accounts = self.db.accounts(domain).await?;
        let jid = |account: AccountEntry| account.jid;
        Ok(IdentityAnswer::Accounts(accounts.into_iter().map(jid).collect()))
    }

    async fn invite(
        &self,
        to: &BareJid,
        inviter: Option<&BareJid>,
        expires: Time,
    ) -> Result<IdentityAnswer, Not> {
        if self.realm(to.domain().as_str()).is_none() {
            return Err(IdentityRefusal::NotAllowed.into());
        }
        if let Some(local) = to.node() {
            check_name(local.as_str()).map_err(IdentityRefusal::Unacceptable)?;
            if self.db.account(to).await?.is_some() {
                return Err(IdentityRefusal::Exists.into());
            }
        }
        let token = invitation()?;
        let mut change = self.db.change().await?;
        let lifetime = (self.now(), expires);
        db::insert_invitation(&mut change, &invitation_hash(&token), to, inviter, lifetime).await?;
        change.commit().await?;
        Ok(IdentityAnswer::Invitation(token))
    }

    async fn check_invitation(&self, token: &str, domain: &str) -> Result<IdentityAnswer, Not> {
        let hash = invitation_hash(token);
        if self.db.invitation_usable(&hash, domain, self.now()).await? {
            Ok(IdentityAnswer::Done)
        } else {
            Err(IdentityRefusal::BadInvitation.into())
        }
    }

    /// A password that somebody may have, or why not.
    fn acceptable(&self, jid: &BareJid, password: Secret) -> Result<Password, IdentityRefusal> {
        let raw = Zeroizing::new(password.0);
        let text = str::from_utf8(&raw)
            .map_err(|_| IdentityRefusal::Unacceptable("The password is not UTF-8 text."))?;
        let password =
            Password::prepare(text).map_err(|bad| IdentityRefusal::Unacceptable(bad.sentence()))?;
        if password.chars() < self.settings.password_chars_min {
            return Err(IdentityRefusal::Unacceptable(
                "The password is too short: more characters are what makes it hard to guess.",
            ));
        }
        let name = jid.node().map_or("", |node| node.as_str());
        let text = text.to_lowercase();
        if self.settings.password_chars_min > 1 && (text == name || text == jid.as_str()) {
            return Err(IdentityRefusal::Unacceptable("The password is the name of the account."));
        }
        Ok(password)
    }

    async fn commit(&self, mut change: db::Change, jid: &BareJid) -> Result<IdentityAnswer, Not> {
        let epoch = db::grow_epoch(&mut change).await?;
        change.commit().await?;
        self.accounts.changed(jid, epoch);
        Ok(IdentityAnswer::Done)
    }
}

async fn existing(change: &mut db::Change, jid: &BareJid) -> Result<i64, Not> {
    db::account_id(change, jid).await?.ok_or_else(|| IdentityRefusal::NotFound.into())
}
