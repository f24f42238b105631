//! The database: every statement that the identity service makes.

use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oc_core::sasl::{Family, Key, Mechanism, Verifier};
use oc_core::{BareJid, Time};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite, SqliteConnection, Transaction};
use subtle::ConstantTimeEq;

use crate::OcmsError;
use crate::secret::{ServerSecret, TokenParts, random};

/// Connections to a database file; a memory one has a single one.
const CONNECTIONS: u32 = 4;

/// A transaction that holds the write lock from its first statement.
pub(crate) type Change = Transaction<'static, Sqlite>;

/// The open database and its server secret.
pub(crate) struct Db {
    pool: SqlitePool,
    /// Keeps a database in memory alive: the pool may lose a connection together with the runtime
    /// of the thread that used it last.
    anchor: Mutex<Option<SqliteConnection>>,
    pub(crate) secret: ServerSecret,
}

/// An account as it is stored.
#[derive(Debug, Default)]
pub(crate) struct StoredAccount {
    pub(crate) id: i64,
    pub(crate) disabled: bool,
    pub(crate) verifiers: Vec<Verifier>,
    /// Families whose row fails its check.
    pub(crate) damaged: Vec<Family>,
}

/// A token that is out, as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct StoredToken {
    pub(crate) slot: i64,
    pub(crate) mechanism: String,
    pub(crate) counter: i64,
    pub(crate) issued: i64,
    pub(crate) expiry: i64,
}

/// An account for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountEntry {
    /// Its address.
    pub jid: BareJid,
    /// Whether it may not log in.
    pub disabled: bool,
    /// When it was made.
    pub created: Time,
}

impl Db {
    pub(crate) async fn open(path: Option<&Path>) -> Result<Self, OcmsError> {
        let (options, connections) = match path {
            None => (SqliteConnectOptions::from_str("sqlite::memory:")?, 1),
            Some(path) => {
                make_private(path)?;
                (SqliteConnectOptions::new().filename(path), CONNECTIONS)
            }
        };
        let options = options
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let anchor = match path {
            None => Some(options.connect().await?),
            Some(_) => None,
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        let secret = server_secret(&pool).await?;
        Ok(Self { pool, anchor: Mutex::new(anchor), secret })
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
        let anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(anchor) = anchor
            && let Err(error) = anchor.close().await
        {
            tracing::warn!(%error, "the identity database in memory was not closed");
        }
    }

    /// Removes tokens and invitations that have ended.
    pub(crate) async fn purge(&self, now: Time) -> Result<(), OcmsError> {
        for statement in [
            "DELETE FROM fast_token WHERE expiry <= ?",
            "DELETE FROM invitation WHERE expires <= ?",
        ] {
            sqlx::query(statement).bind(millis(now)).execute(&self.pool).await?;
        }
        Ok(())
    }

    pub(crate) async fn change(&self) -> Result<Change, OcmsError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Grows with each change of an account or verifier, by whichever process.
    pub(crate) async fn epoch(&self) -> Result<i64, OcmsError> {
        Ok(sqlx::query_scalar("SELECT epoch FROM server").fetch_one(&self.pool).await?)
    }

    /// The account of this name, by one statement whether it exists or not.
    pub(crate) async fn account(&self, jid: &BareJid) -> Result<Option<StoredAccount>, OcmsError> {
        let (domain, local) = parts(jid);
        let rows: Vec<AccountRow> = sqlx::query_as(
            "SELECT id, disabled, family, salt, iterations, stored_key, server_key, mac \
             FROM account LEFT JOIN verifier ON verifier.account = account.id \
             WHERE domain = ? AND local = ?",
        )
        .bind(domain)
        .bind(local)
        .fetch_all(&self.pool)
        .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let (id, disabled) = (first.id, first.disabled);
        let mut account = StoredAccount { id, disabled, ..StoredAccount::default() };
        for row in rows {
            // an account without verifiers is one row of nothing but itself
            let Some(name) = row.family.as_deref() else { continue };
            let family = Family::ALL.into_iter().find(|family| family.mechanism() == name);
            match family.map(|family| (family, row.checked(family, &self.secret, jid))) {
                Some((_, Some(verifier))) => account.verifiers.push(verifier),
                Some((family, None)) => {
                    report_damage(id);
                    account.damaged.push(family);
                }
                None => report_damage(id),
            }
        }
        Ok(Some(account))
    }

    pub(crate) async fn accounts(&self, domain: &str) -> Result<Vec<AccountEntry>, OcmsError> {
        let rows: Vec<(String, bool, i64)> = sqlx::query_as(
            "SELECT local || '@' || domain, disabled, created FROM account WHERE domain = ? \
             ORDER BY local",
        )
        .bind(domain)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(jid, disabled, created)| {
                let jid = BareJid::new(&jid).map_err(|_| OcmsError::Damaged("a name"))?;
                Ok(AccountEntry { jid, disabled, created: time(created) })
            })
            .collect()
    }

    pub(crate) async fn domains(&self) -> Result<Vec<String>, OcmsError> {
        Ok(sqlx::query_scalar("SELECT DISTINCT domain FROM account ORDER BY domain")
            .fetch_all(&self.pool)
            .await?)
    }

    pub(crate) async fn tokens(
        &self,
        account: i64,
        client: &str,
    ) -> Result<Vec<StoredToken>, OcmsError> {
        Ok(sqlx::query_as(
            "SELECT slot, mechanism, counter, issued, expiry FROM fast_token \
             WHERE account = ? AND client = ? ORDER BY slot DESC",
        )
        .bind(account)
        .bind(client)
        .fetch_all(&self.pool)
        .await?)
    }

    pub(crate) async fn invitation_usable(
        &self,
        hash: &[u8],
        domain: &str,
        now: Time,
    ) -> Result<bool, OcmsError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM invitation WHERE hash = ? AND domain = ? AND expires > ? \
             AND used IS NULL",
        )
        .bind(hash)
        .bind(domain)
        .bind(millis(now))
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.is_some())
    }

    /// Writes a verifier, in place of one of the same family.
    pub(crate) async fn put_verifier(
        &self,
        change: &mut Change,
        account: i64,
        jid: &BareJid,
        verifier: &Verifier,
    ) -> Result<(), OcmsError> {
        sqlx::query(
            "INSERT OR REPLACE INTO verifier \
             (account, family, salt, iterations, stored_key, server_key, mac) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(account)
        .bind(verifier.family().mechanism())
        .bind(&verifier.salt)
        .bind(verifier.iterations)
        .bind(verifier.stored_key.as_bytes())
        .bind(verifier.server_key.as_bytes())
        .bind(self.secret.verifier_mac(account, jid, verifier))
        .execute(&mut **change)
        .await?;
        Ok(())
    }
}

/// An account and one of its verifiers.
#[derive(sqlx::FromRow)]
struct AccountRow {
    id: i64,
    disabled: bool,
    family: Option<String>,
    salt: Option<Vec<u8>>,
    iterations: Option<u32>,
    stored_key: Option<Vec<u8>>,
    server_key: Option<Vec<u8>>,
    mac: Option<Vec<u8>>,
}

impl AccountRow {
    fn checked(self, family: Family, secret: &ServerSecret, jid: &BareJid) -> Option<Verifier> {
        let verifier = Verifier {
            salt: self.salt?,
            iterations: self.iterations?,
            stored_key: Key::new(family, &self.stored_key?)?,
            server_key: Key::new(family, &self.server_key?)?,
        };
        let mac = secret.verifier_mac(self.id, jid, &verifier);
        bool::from(mac.ct_eq(&self.mac?)).then_some(verifier)
    }
}

impl StoredToken {
    pub(crate) fn parts<'a>(&'a self, account: i64, client: &'a str) -> TokenParts<'a> {
        TokenParts {
            account,
            client,
            mechanism: &self.mechanism,
            counter: self.counter,
            expiry: self.expiry,
        }
    }
}

fn report_damage(account: i64) {
    tracing::error!(account, "a verifier fails its check: the identity database is damaged");
}

/// Says that accounts or verifiers are not what they were; gives the new epoch.
pub(crate) async fn grow_epoch(on: &mut SqliteConnection) -> Result<i64, OcmsError> {
    let grown = sqlx::query_scalar("UPDATE server SET epoch = epoch + 1 RETURNING epoch");
    Ok(grown.fetch_one(on).await?)
}

pub(crate) async fn account_id(
    on: &mut SqliteConnection,
    jid: &BareJid,
) -> Result<Option<i64>, OcmsError> {
    let (domain, local) = parts(jid);
    Ok(sqlx::query_scalar("SELECT id FROM account WHERE domain = ? AND local = ?")
        .bind(domain)
        .bind(local)
        .fetch_optional(on)
        .await?)
}

/// Makes an account; `None` if there is one of that name.
pub(crate) async fn insert_account(
    on: &mut SqliteConnection,
    jid: &BareJid,
    now: Time,
) -> Result<Option<i64>, OcmsError> {
    let (domain, local) = parts(jid);
    Ok(sqlx::query_scalar(
        "INSERT INTO account (domain, local, created) VALUES (?, ?, ?) \
         ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(domain)
    .bind(local)
    .bind(millis(now))
    .fetch_optional(on)
    .await?)
}

pub(crate) async fn remove_account(
    on: &mut SqliteConnection,
    account: i64,
) -> Result<(), OcmsError> {
    sqlx::query("DELETE FROM account WHERE id = ?").bind(account).execute(on).await?;
    Ok(())
}

pub(crate) async fn set_disabled(
    on: &mut SqliteConnection,
    account: i64,
    disabled: bool,
) -> Result<(), OcmsError> {
    sqlx::query("UPDATE account SET disabled = ? WHERE id = ?")
        .bind(disabled)
        .bind(account)
        .execute(on)
        .await?;
    Ok(())
}

pub(crate) async fn remove_verifiers(
    on: &mut SqliteConnection,
    account: i64,
) -> Result<(), OcmsError> {
    sqlx::query("DELETE FROM verifier WHERE account = ?").bind(account).execute(on).await?;
    Ok(())
}

/// Ends all tokens of an account.
pub(crate) async fn remove_tokens(
    on: &mut SqliteConnection,
    account: i64,
) -> Result<(), OcmsError> {
    sqlx::query("DELETE FROM fast_token WHERE account = ?").bind(account).execute(on).await?;
    Ok(())
}

/// Ends the tokens of one device.
pub(crate) async fn remove_client(
    on: &mut SqliteConnection,
    account: i64,
    client: &str,
) -> Result<(), OcmsError> {
    sqlx::query("DELETE FROM fast_token WHERE account = ? AND client = ?")
        .bind(account)
        .bind(client)
        .execute(on)
        .await?;
    Ok(())
}

/// Counts one use of a token; false if it is gone, or has seen this count (XEP-0484 #fast-auth).
pub(crate) async fn count_use(
    on: &mut SqliteConnection,
    account: i64,
    client: &str,
    token: &StoredToken,
    count: Option<i64>,
) -> Result<bool, OcmsError> {
    let done = sqlx::query(
        "UPDATE fast_token SET used = coalesce(?, used) \
         WHERE account = ? AND client = ? AND slot = ? AND counter = ? \
         AND (? IS NULL OR ? > used)",
    )
    .bind(count)
    .bind(account)
    .bind(client)
    .bind(token.slot)
    .bind(token.counter)
    .bind(count)
    .bind(count)
    .execute(on)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes the new token the current one; the former current one ends (XEP-0484 #impl-tokens).
pub(crate) async fn promote_token(
    on: &mut SqliteConnection,
    account: i64,
    client: &str,
) -> Result<(), OcmsError> {
    for statement in [
        "DELETE FROM fast_token WHERE account = ? AND client = ? AND slot = 0",
        "UPDATE fast_token SET slot = 0 WHERE account = ? AND client = ? AND slot = 1",
    ] {
        sqlx::query(statement).bind(account).bind(client).execute(&mut *on).await?;
    }
    Ok(())
}

/// Puts a token into the slot of new ones, and makes room: expired tokens of the account go, and
/// the devices beyond `devices_max` whose tokens end first. Gives the token's counter.
pub(crate) async fn insert_token(
    on: &mut SqliteConnection,
    account: i64,
    client: &str,
    mechanism: Mechanism,
    (now, expiry): (Time, Time),
    devices_max: u32,
) -> Result<i64, OcmsError> {
    let counter: i64 = sqlx::query_scalar(
        "UPDATE server SET fast_counter = fast_counter + 1 RETURNING fast_counter",
    )
    .fetch_one(&mut *on)
    .await?;
    sqlx::query("DELETE FROM fast_token WHERE account = ? AND expiry <= ?")
        .bind(account)
        .bind(millis(now))
        .execute(&mut *on)
        .await?;
    sqlx::query(
        "INSERT OR REPLACE INTO fast_token \
         (account, client, slot, mechanism, counter, issued, expiry) VALUES (?, ?, 1, ?, ?, ?, ?)",
    )
    .bind(account)
    .bind(client)
    .bind(mechanism.name())
    .bind(counter)
    .bind(millis(now))
    .bind(millis(expiry))
    .execute(&mut *on)
    .await?;
    sqlx::query(
        "DELETE FROM fast_token WHERE account = ?1 AND client IN (\
           SELECT client FROM fast_token WHERE account = ?1 GROUP BY client \
           ORDER BY max(counter) DESC LIMIT -1 OFFSET ?2)",
    )
    .bind(account)
    .bind(devices_max)
    .execute(&mut *on)
    .await?;
    Ok(counter)
}

pub(crate) async fn insert_invitation(
    on: &mut SqliteConnection,
    hash: &[u8],
    to: &BareJid,
    inviter: Option<&BareJid>,
    (now, expires): (Time, Time),
) -> Result<(), OcmsError> {
    sqlx::query(
        "INSERT INTO invitation (hash, domain, local, inviter, created, expires) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(hash)
    .bind(to.domain().as_str())
    .bind(to.node().map(|node| node.as_str()))
    .bind(inviter.map(|jid| jid.as_str()))
    .bind(millis(now))
    .bind(millis(expires))
    .execute(on)
    .await?;
    Ok(())
}

/// Uses an invitation up for an account; `Some(inviter)` if it could be used.
pub(crate) async fn use_invitation(
    on: &mut SqliteConnection,
    hash: &[u8],
    jid: &BareJid,
    now: Time,
) -> Result<Option<Option<BareJid>>, OcmsError> {
    let (domain, local) = parts(jid);
    let inviter: Option<Option<String>> = sqlx::query_scalar(
        "UPDATE invitation SET used = ?1 WHERE hash = ?2 AND domain = ?3 \
         AND (local IS NULL OR local = ?4) AND expires > ?1 AND used IS NULL RETURNING inviter",
    )
    .bind(millis(now))
    .bind(hash)
    .bind(domain)
    .bind(local)
    .fetch_optional(on)
    .await?;
    Ok(inviter.map(|inviter| inviter.and_then(|jid| BareJid::new(&jid).ok())))
}

/// `SQLite` counts in signed numbers; a moment beyond them is as good as the last.
pub(crate) fn millis(time: Time) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

pub(crate) fn time(millis: i64) -> Time {
    Time(u64::try_from(millis).unwrap_or_default())
}

fn parts(jid: &BareJid) -> (&str, &str) {
    (jid.domain().as_str(), jid.node().map_or("", |node| node.as_str()))
}

/// Only the operator's own user reads the file; `SQLite` gives its log and index the same mode.
fn make_private(path: &Path) -> Result<(), OcmsError> {
    let failed = |source| OcmsError::File { path: path.to_owned(), source };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!("the identity database was readable by others; it is private now");
        file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
}

/// The secret, made at the first opening.
async fn server_secret(pool: &SqlitePool) -> Result<ServerSecret, OcmsError> {
    let fresh = ServerSecret::new(random()?);
    sqlx::query(
        "INSERT INTO server (id, secret, secret_check, epoch, fast_counter) \
         VALUES (1, ?, ?, 0, 0) ON CONFLICT DO NOTHING",
    )
    .bind(fresh.bytes())
    .bind(fresh.check())
    .execute(pool)
    .await?;
    let (secret, check): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("SELECT secret, secret_check FROM server").fetch_one(pool).await?;
    let secret = <[u8; 32]>::try_from(secret).ok().map(ServerSecret::new);
    match secret {
        Some(secret) if secret.check() == check => Ok(secret),
        _ => Err(OcmsError::Damaged("the server secret")),
    }
}
