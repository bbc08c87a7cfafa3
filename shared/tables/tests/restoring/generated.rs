//! Random schemas stay as they are: what is dropped before the rows comes back as it was, whatever hangs on it.

use sqlx::Connection;
use strongroom_tables::load::Mode;

use crate::archive::Archive;
use crate::owned::{NEWEST, Owned, PLAIN, Server};
use crate::restore::{ID, restore, target};
use crate::schemas::postgres::{Draft, facts};

fn seeds() -> std::ops::Range<u64> {
    0..if std::env::var_os("STRONGROOM_LONG").is_some() { 200 } else { 15 }
}

#[tokio::test]
async fn random_schemas_stay_as_they_are() {
    stay(PLAIN, "generated").await;
}

#[tokio::test]
async fn random_schemas_stay_as_they_are_on_the_newest_server() {
    stay(NEWEST, "generated_18").await;
}

async fn stay(server: Server, purpose: &str) {
    let mut restored = 0;
    for seed in seeds() {
        let Some(database) = Owned::create(server, purpose).await else { return };
        let role = format!("\"{purpose} of {}\"", std::process::id());
        build(&database, seed, &role).await;
        let mut connection = database.connect().await;
        sqlx::raw_sql("SET search_path = pg_catalog").execute(&mut connection).await.unwrap();
        let before = facts(&mut connection).await;
        let dumped = (server.variable == PLAIN.variable).then(|| database.dumped());

        let mut archive = Archive::of(&database.url).await;
        let mut looking = target(&database.url).await;
        let found = looking.inspect(&archive.wanted(Mode::IntoEmpty)).await.unwrap();
        looking.close().await;
        let refused: Vec<&str> = found.refusals.iter().map(|refusal| refusal.table()).collect();
        archive.tables.retain(|table| !refused.contains(&table.schema.name.as_str()));
        restored += archive.tables.len();
        if let Err(error) = restore(&database.url, &archive, &archive.wanted(Mode::IntoEmpty)).await {
            panic!("seed {seed}: {error}");
        }
        let mut discarding = target(&database.url).await;
        discarding.discard(ID).await.unwrap();
        discarding.close().await;
        let differences = facts(&mut connection).await.differences(&before);
        assert!(differences.is_empty(), "seed {seed}:\n{}", differences.join("\n"));
        if let Some(dumped) = dumped {
            assert_eq!(database.dumped(), dumped, "seed {seed}");
        }
        connection.close().await.unwrap();
        database.as_superuser(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
        database.drop().await;
    }
    assert!(restored > 20, "{restored} tables");
}

/// As the owner, who may create the role that policies name.
async fn build(database: &Owned, seed: u64, role: &str) {
    let mut connection = database.connect().await;
    let version = connection.server_version_num().unwrap() / 10_000;
    let draft = Draft::new(seed, version, role);
    database.as_superuser(&format!("DROP ROLE IF EXISTS {role}")).await;
    let mut all = vec!["SET search_path = public".to_owned()];
    for statement in draft.statements {
        if statement.starts_with("CREATE ROLE") {
            database.as_superuser(&statement).await;
        } else if !statement.contains(" FORCE ROW LEVEL SECURITY") {
            // It would hide rows from the owner, whom reading then refuses.
            all.push(statement);
        }
    }
    for statement in all {
        if let Err(error) =
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(&mut connection).await
        {
            panic!("seed {seed}: {error}: {statement}");
        }
    }
    connection.close().await.unwrap();
}
