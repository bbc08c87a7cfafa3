//! A secret that is re-encrypted, and whose old key version is taken out of use, between reading and opening.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use strongroom_api::vault::v1::{ReencryptRequest, RotateCredentialRequest, RotateKeyRequest};
use strongroom_store::Engine;
use strongroom_testkit::TestDb;

use super::server::{Clients, TestVault};
use super::{binding, create, events, resolve, reveal};

/// A transaction beside the vault. It lets readers read and holds up every use of a credential.
enum Intruder {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Intruder {
    async fn begin(database: &TestDb) -> Self {
        let (mut intruder, sql) = match database.url().engine() {
            Engine::Sqlite(_) => {
                let connection = SqliteConnection::connect(database.url_text()).await.unwrap();
                (Self::Sqlite(connection), "BEGIN IMMEDIATE")
            }
            Engine::Postgres(options) => {
                let connection = PgConnection::connect_with(options).await.unwrap();
                (Self::Postgres(connection), "BEGIN; SELECT id FROM credentials FOR UPDATE")
            }
        };
        intruder.run(sql).await;
        intruder
    }

    async fn run(&mut self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(connection) => drop(sql.execute(connection).await.unwrap()),
            Self::Postgres(connection) => drop(sql.execute(connection).await.unwrap()),
        }
    }
}

/// A table that keeps every secret as it is sealed now.
fn keep(table: &str) -> String {
    format!(
        "CREATE TABLE {table} AS SELECT id, secret FROM credentials
         UNION ALL SELECT id, secret FROM credential_versions"
    )
}

/// Puts every secret back as `table` has it.
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
        let id = create(&mut admin, "one", "openai", &[]).await.id;
        let rotation =
            RotateCredentialRequest { id: id.clone(), secret: "sk-new".into(), ..Default::default() };
        admin.credentials.rotate_credential(rotation).await.unwrap();
        admin.references.bind_reference(binding("endpoint", "chat", &id)).await.unwrap();
        vault.run(&keep("earlier"));
        seal_anew(&mut admin).await;
        vault.run(&format!("{};{}", keep("later"), put_back("earlier")));

        let mut intruder = Intruder::begin(&vault.database).await;
        let (mut one, mut two, mut three) = (vault.admin().await, vault.admin().await, vault.admin().await);
        let (current_id, previous_id) = (id.clone(), id);
        let current = tokio::spawn(async move { reveal(&mut one, &current_id, false).await });
        let previous = tokio::spawn(async move { reveal(&mut two, &previous_id, true).await });
        let resolved = tokio::spawn(async move { resolve(&mut three, "chat").await });
        // Time to read; they then wait for the intruder.
        tokio::time::sleep(Duration::from_millis(700)).await;
        let disable = "UPDATE key_versions SET state = 'disabled'
                       WHERE key_id = 'credential' AND state = 'decrypt-only';
                       UPDATE ring_revision SET revision = revision + 1 WHERE id = 1; COMMIT";
        intruder.run(&format!("{}{disable}", put_back("later"))).await;

        assert_eq!(current.await.unwrap().unwrap(), "sk-new");
        assert_eq!(previous.await.unwrap().unwrap(), "sk-the-secret-of-one");
        assert_eq!(resolved.await.unwrap().unwrap().0, "sk-new");
        assert_eq!(
            events(&mut admin, "credential.revealed").await.len(),
            2,
            "reading again is no second reveal"
        );
        assert_eq!(events(&mut admin, "reference.resolved").await.len(), 1);
    }
}
