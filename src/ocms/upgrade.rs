//! XEP-0480: SASL Upgrade Tasks, for SCRAM.
//!
//! An account that lacks a verifier (it came from elsewhere, or a family was switched on later)
//! gets it from its own client, without the password passing by. A task that the account does not
//! need is passed over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oc_core::auth::{AuthExtras, AuthFailure, AuthId, AuthReply, Secret};
use oc_core::sasl::{Family, Key, SALT_BYTES, Verifier};
use oc_core::{Element, ns};
use zeroize::Zeroizing;

use crate::accounts::Account;
use crate::embedded::{Embedded, unavailable};
use crate::login::{Proved, State};
use crate::secret::random;

/// Logged in but for the upgrade tasks.
pub(crate) struct Tasks {
    proved: Proved,
    /// The tasks to do, the next one last.
    families: Vec<Family>,
    /// What the client was told for the one under way.
    salting: Option<(Vec<u8>, u32)>,
}

impl Embedded {
    /// Those of the client's tasks that the account needs, in the client's order reversed.
    pub(crate) fn upgrade_tasks(&self, account: &Account, extras: &AuthExtras) -> Vec<Family> {
        let needed = |family: &&Family| {
            **family != Family::Sha1
                && !account.has(**family)
                && extras.upgrades.iter().any(|task| task == family.upgrade_task())
        };
        let mut tasks: Vec<Family> =
            self.settings.families.iter().filter(needed).copied().collect();
        let order =
            |family: &Family| extras.upgrades.iter().position(|task| task == family.upgrade_task());
        tasks.sort_by_key(|family| std::cmp::Reverse(order(family)));
        tasks
    }

    /// XEP-0480 #request: one task at a time.
    pub(crate) fn begin_tasks(
        &self,
        id: AuthId,
        proved: Proved,
        families: Vec<Family>,
        additional: Option<Secret>,
    ) -> Result<AuthReply, AuthFailure> {
        let tasks = families.last().map(|f| f.upgrade_task().to_owned()).into_iter().collect();
        let state = State::Tasks(Box::new(Tasks { proved, families, salting: None }));
        self.exchanges.begin(self.now(), id, state)?;
        Ok(AuthReply::Continue { additional, tasks })
    }

    pub(crate) async fn task(
        &self,
        id: AuthId,
        task: &str,
        data: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<AuthReply, AuthFailure> {
        let (end, state) = match self.exchanges.take(self.now(), id) {
            Some((end, State::Tasks(tasks))) => (end, tasks),
            Some(_) => return Err(AuthFailure::MalformedRequest),
            None => return Err(AuthFailure::TemporaryAuthFailure),
        };
        let mut tasks = *state;
        let family = tasks.families.last().copied().filter(|f| f.upgrade_task() == task);
        let family = family.ok_or(AuthFailure::MalformedRequest)?;
        match (data, tasks.salting.take()) {
            (None, None) => {
                let salt = random::<SALT_BYTES>().map_err(unavailable)?.to_vec();
                let iterations = self.settings.iterations.of(family);
                let told = Element::new("salt", ns::SCRAM_UPGRADE)
                    .with_attr("iterations", iterations.to_string())
                    .with_text(STANDARD.encode(&salt));
                tasks.salting = Some((salt, iterations));
                self.exchanges.put_back(end, id, State::Tasks(Box::new(tasks)));
                Ok(AuthReply::TaskData(told))
            }
            (Some(hash), Some((salt, iterations))) => {
                let salted = Key::new(family, &hash).ok_or(AuthFailure::MalformedRequest)?;
                let verifier = Verifier::from_salted_password(&salted, salt, iterations);
                let Tasks { proved, mut families, .. } = tasks;
                self.add_verifiers(proved.account, &proved.jid, &[verifier])
                    .await
                    .map_err(unavailable)?;
                families.pop();
                if families.is_empty() {
                    self.welcome(proved, None).await
                } else {
                    self.begin_tasks(id, proved, families, None)
                }
            }
            _ => Err(AuthFailure::MalformedRequest),
        }
    }
}
