//! Random schemas stay as they are: objects that are dropped before loading the rows are recreated as they were, whatever
//! depends on them.

use sqlx::Connection;
use strongroom_tables::load::{Mode, Wanted};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{NEWEST, Owned, PLAIN, Server};
use crate::restoring::restore::{ID, discard, restore, target};
use crate::schemas::facts::Facts;
use crate::schemas::postgres::{Draft, facts};

fn seeds() -> std::ops::Range<u64> {
    0..if std::env::var_os("STRONGROOM_LONG").is_some() { 200 } else { 8 }
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
        build(&database, seed, &role, |_| true).await;
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
        discard(&mut discarding, ID).await;
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

#[tokio::test]
async fn random_schemas_are_created() {
    are_created(PLAIN, "drafted").await;
}

#[tokio::test]
async fn random_schemas_are_created_on_the_newest_server() {
    are_created(NEWEST, "drafted_18").await;
}

async fn are_created(server: Server, purpose: &str) {
    for seed in seeds() {
        let role = format!("\"{purpose} of {}\"", std::process::id());
        let Some(old) = Owned::create(server, &format!("{purpose}_old")).await else { return };
        let new = Owned::create(server, &format!("{purpose}_new")).await.unwrap();
        build(&old, seed, &role, |_| true).await;
        let draft = Draft::new(seed, version(&old).await, &role);
        let names_multiranges = draft.statements.iter().any(|one| one.contains("multirange_type_name"));
        // Objects that no archive contains.
        build(&new, seed, &role, |statement| {
            let mut outside =
                vec!["CREATE SCHEMA", "CREATE EXTENSION", "CREATE FUNCTION", "CREATE COLLATION", "SET"];
            // An archive does not contain the name of a range's multirange.
            if names_multiranges {
                outside.extend(["CREATE TYPE", "CREATE DOMAIN", "ALTER TYPE", "ALTER DOMAIN"]);
            }
            outside.iter().any(|what| statement.starts_with(what))
        })
        .await;
        let archive = Archive::of(&old.url).await;
        let wanted = Wanted { create_tables: true, ..archive.wanted(Mode::IntoEmpty) };
        if let Err(error) = restore(&new.url, &archive, &wanted).await {
            panic!("seed {seed}: {error}");
        }
        let mut discarding = target(&new.url).await;
        discard(&mut discarding, ID).await;
        discarding.close().await;
        let (before, after) = (described(&old).await, described(&new).await);
        let differences = after.differences(&before);
        // A table that inherits has its parent's columns first, so their order can differ.
        let left_out =
            |line: &&String| !["policy", "/ rule", "/ columns: "].iter().any(|part| line.contains(part));
        let differences: Vec<String> = differences.iter().filter(left_out).cloned().collect();
        assert!(differences.is_empty(), "seed {seed}:\n{}", differences.join("\n"));
        for database in [&old, &new] {
            database.as_superuser(&format!("DROP OWNED BY {role}")).await;
        }
        old.as_superuser(&format!("DROP ROLE {role}")).await;
        old.drop().await;
        new.drop().await;
    }
}

async fn version(database: &Owned) -> u32 {
    database.connect().await.server_version_num().unwrap() / 10_000
}

async fn described(database: &Owned) -> Facts {
    let mut connection = database.connect().await;
    sqlx::raw_sql("SET search_path = pg_catalog").execute(&mut connection).await.unwrap();
    facts(&mut connection).await
}

/// Runs as the owner, except for creating the role that policies name.
async fn build(database: &Owned, seed: u64, role: &str, is_wanted: impl Fn(&str) -> bool) {
    let mut connection = database.connect().await;
    let version = connection.server_version_num().unwrap() / 10_000;
    let draft = Draft::new(seed, version, role);
    let mut all = vec!["SET search_path = public".to_owned()];
    for statement in draft.statements {
        if statement.starts_with("CREATE ROLE") {
            let name = role.replace('"', "");
            let made = format!(
                "DO $$ BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE \"{name}\"; END IF; END $$"
            );
            database.as_superuser(&made).await;
        } else if !statement.contains(" FORCE ROW LEVEL SECURITY") {
            // It would hide rows from the owner, and reading would then be refused.
            all.push(statement);
        }
    }
    for statement in all.into_iter().filter(|statement| is_wanted(statement)) {
        if let Err(error) =
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(&mut connection).await
        {
            panic!("seed {seed}: {error}: {statement}");
        }
    }
    connection.close().await.unwrap();
}
