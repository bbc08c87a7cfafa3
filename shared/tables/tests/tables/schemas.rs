//! Random databases: each element of their schema entries is compared with the catalogue, which is queried in a different
//! way. A failure names the seed, which generates the same database again.

mod entries;
pub mod facts;
pub mod names;
pub mod postgres;
pub mod sqlite;
mod types;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use strongroom_store::DatabaseUrl;
use strongroom_tables::{SnapshotOptions, open_snapshot};

use crate::database::{FreshDatabase, create_sqlite, run_sqlite};
use facts::Facts;

fn seeds() -> std::ops::Range<u64> {
    0..if std::env::var_os("STRONGROOM_LONG").is_some() { 500 } else { 20 }
}

#[tokio::test]
async fn sqlite_entries_say_what_the_catalogue_says() {
    for seed in seeds() {
        let draft = sqlite::Draft::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("random.db");
        let mut connection = create_sqlite(&path).await;
        run_sqlite(&mut connection, "PRAGMA synchronous = off").await;
        for statement in &draft.statements {
            run_sqlite(&mut connection, statement).await;
        }
        let catalogue = sqlite::facts(&mut connection).await;
        let entries = read(&format!("sqlite:{}", path.display())).await;
        compare(seed, &draft.statements, &entries, &catalogue);
    }
}

#[tokio::test]
async fn postgres_entries_say_what_the_catalogue_says() {
    on_server("TEST_DATABASE_URL", "random").await;
}

#[tokio::test]
async fn postgres_18_entries_say_what_the_catalogue_says() {
    on_server("TEST_DATABASE_URL_18", "random_18").await;
}

async fn on_server(variable: &str, purpose: &str) {
    let role = format!("\"strongroom's \"\"{purpose}\"\" {}\"", std::process::id());
    for seed in seeds() {
        let Some(database) = FreshDatabase::create_on(variable, purpose, "UTF8").await else { return };
        let mut connection = database.connect().await;
        let version = connection.server_version_num().unwrap() / 10_000;
        let draft = postgres::Draft::new(seed, version, &role);
        run(&mut connection, seed, "SET search_path = public; SET synchronous_commit = off").await;
        for statement in &draft.statements {
            run(&mut connection, seed, statement).await;
        }
        // The server omits the schema of a name if the schema is in the search path.
        run(&mut connection, seed, "SET search_path = pg_catalog").await;
        let catalogue = postgres::facts(&mut connection).await;
        let entries = read(&database.url).await;
        compare(seed, &draft.statements, &entries, &catalogue);
        run(&mut connection, seed, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
        connection.close().await.unwrap();
        database.drop().await;
    }
}

async fn run(connection: &mut PgConnection, seed: u64, sql: &str) {
    if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await {
        panic!("seed {seed}: {error}: {sql}");
    }
}

async fn read(url: &str) -> Facts {
    let options = SnapshotOptions::new("random");
    let snapshot = open_snapshot(&DatabaseUrl::parse(url).unwrap(), &options).await.unwrap();
    let facts = entries::facts(snapshot.tables(), &snapshot.outside().schema);
    snapshot.close().await;
    facts
}

fn compare(seed: u64, statements: &[String], entries: &Facts, catalogue: &Facts) {
    assert!(catalogue.len() > 10, "seed {seed}: hardly anything to compare");
    let differences = entries.differences(catalogue);
    assert!(
        differences.is_empty(),
        "seed {seed}:\n{}\n\n{};",
        differences.join("\n"),
        statements.join(";\n")
    );
}
