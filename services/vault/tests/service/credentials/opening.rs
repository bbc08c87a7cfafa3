//! A secret is re-encrypted, and its old key version taken out of use, between reading and opening the secret.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use strongroom_api::vault::v1::{ReencryptRequest, RotateCredentialRequest, RotateKeyRequest};
use strongroom_crypto::State;
use strongroom_store::Engine;
use strongroom_testkit::requests::{binding, credential};
use strongroom_testkit::{TestDb, set_key_state};

use crate::support::{Clients, TestVault};

/// Transactions outside the vault that block every use of a credential, but no reader.
enum Intruder {
    Sqlite(SqliteConnection),
    /// One locks the credentials, the other the head of the audit log.
    Postgres(PgConnection, PgConnection),
}

impl Intruder {
    async fn begin(database: &TestDb) -> Self {
        match database.url().engine() {
            Engine::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(database.url_text()).await.unwrap();
                sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
                Self::Sqlite(connection)
            }
            Engine::Postgres(options) => {
                let mut rows = PgConnection::connect_with(options).await.unwrap();
                let mut log = PgConnection::connect_with(options).await.unwrap();
                let (lock_rows, lock_log) = ("FROM credentials FOR UPDATE", "FROM audit_head FOR UPDATE");
                for (connection, from) in [(&mut rows, lock_rows), (&mut log, lock_log)] {
                    let sql = AssertSqlSafe(format!("BEGIN; SELECT 1 {from}"));
                    sqlx::raw_sql(sql).execute(connection).await.unwrap();
                }
                Self::Postgres(rows, log)
            }
        }
    }

    /// Commits a change and continues to block.
    async fn commit(&mut self, sql: &str) {
        match self {
            Self::Sqlite(connection) => {
                // A waiting transaction only retries after a pause, so the lock can be taken again at once.
                let sql = AssertSqlSafe(format!("{sql}; COMMIT; BEGIN IMMEDIATE"));
                sqlx::raw_sql(sql).execute(connection).await.unwrap();
            }
            Self::Postgres(rows, _) => {
                sqlx::raw_sql(AssertSqlSafe(format!("{sql}; COMMIT"))).execute(rows).await.unwrap();
            }
        }
    }

    async fn end(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(_, log) => log.close().await.unwrap(),
        }
    }
}

/// Copies every secret, as currently sealed, to a table.
fn keep(table: &str) -> String {
    format!(
        "CREATE TABLE {table} AS SELECT id, secret FROM credentials
         UNION ALL SELECT id, secret FROM credential_versions"
    )
}

/// Replaces every secret with its copy in `table`.
fn put_back(table: &str) -> String {
    ["credentials", "credential_versions"]
        .map(|place| {
            format!("UPDATE {place} SET secret = (SELECT t.secret FROM {table} t WHERE t.id = {place}.id);")
        })
        .concat()
}

async fn seal_anew(admin: &mut Clients) {
    admin.keys.rotate_key(RotateKeyRequest { key_id: "credential".into() }).await.unwrap();
    let mut run = admin.keys.reencrypt(ReencryptRequest::default()).await.unwrap().into_inner();
    while run.message().await.unwrap().is_some() {}
}

#[tokio::test]
async fn a_secret_sealed_anew_after_it_was_read_still_opens() {
    for vault in TestVault::each().await {
        let mut admin = vault.admin().await;
        let id = admin.create(credential("one")).await.id;
        let rotation =
            RotateCredentialRequest { id: id.clone(), secret: "sk-new".into(), ..Default::default() };
        admin.credentials.rotate_credential(rotation).await.unwrap();
        admin.bind(binding("endpoint", "chat", &id)).await.unwrap();
        vault.run(&keep("earlier"));
        seal_anew(&mut admin).await;
        vault.run(&format!("{};{}", keep("later"), put_back("earlier")));

        let former = "SELECT kid FROM key_versions WHERE key_id = 'credential' AND state = 'decrypt-only'";
        let former = vault.database.text(former);
        let disable = set_key_state(&vault.database, &vault.root_key(), &former, State::Disabled);
        let mut intruder = Intruder::begin(&vault.database).await;
        let (mut one, mut two, mut three) = (vault.admin().await, vault.admin().await, vault.admin().await);
        let (current_id, previous_id) = (id.clone(), id);
        let current = tokio::spawn(async move { one.reveal(&current_id).await });
        let previous = tokio::spawn(async move { two.reveal_previous(&previous_id).await });
        let resolved = tokio::spawn(async move { three.resolve("chat").await });
        // Time for the reads; the calls then wait for the intruder.
        tokio::time::sleep(Duration::from_millis(700)).await;
        intruder.commit(&format!("{}{disable}", put_back("later"))).await;
        // The vault follows the ring every two seconds.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        intruder.end().await;

        assert_eq!(current.await.unwrap().unwrap(), "sk-new");
        assert_eq!(previous.await.unwrap().unwrap(), "sk-the-secret-of-one");
        assert_eq!(resolved.await.unwrap().unwrap().0, "sk-new");
        assert_eq!(admin.events("credential.revealed").await.len(), 2, "reading again is no second reveal");
        assert_eq!(admin.events("reference.resolved").await.len(), 1);
    }
}
