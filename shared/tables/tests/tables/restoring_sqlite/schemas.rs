//! Databases generated from a seed, with rows: restored into created tables, and into a changed copy. A failure names the
//! seed.

use std::path::Path;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_fuzz::Random;
use strongroom_tables::load::Mode;

use crate::restoring_sqlite::archive::export;
use crate::restoring_sqlite::restore::{compare, discard, inspect, restore, target};
use crate::restoring_sqlite::{ID, connect, intact, run, schema};
use crate::schemas::sqlite;

fn seeds() -> std::ops::Range<u64> {
    0..if std::env::var_os("STRONGROOM_LONG").is_some() { 500 } else { 25 }
}

/// Values that columns of different types convert differently.
const VALUES: &[&str] = &[
    "NULL",
    "0",
    "1",
    "-7",
    "1.5",
    "1e300",
    "'1'",
    "' 2 '",
    "'a'",
    "'A'",
    "'a '",
    "x'00ff'",
    "x''",
    "''",
    "9e999",
    "9007199254740993",
    "0.1",
    "'it''s'",
    "'größe'",
    "CAST(x'ff41' AS TEXT)",
    "'x' || char(0)",
    "-1e-7",
];

/// Creates the tables, fills them, and only then creates the triggers, which can refuse everything.
async fn build(path: &Path, draft: &sqlite::Draft, seed: u64) -> SqliteConnection {
    let mut app = connect(path).await;
    run(&mut app, "PRAGMA journal_mode = wal; PRAGMA synchronous = off").await;
    let is_trigger = |sql: &&String| sql.starts_with("CREATE TRIGGER") || sql.starts_with("CREATE VIEW");
    for sql in draft.statements.iter().filter(|sql| !is_trigger(sql)) {
        run(&mut app, sql).await;
    }
    fill(&mut app, seed, 400).await;
    for sql in draft.statements.iter().filter(is_trigger) {
        run(&mut app, sql).await;
    }
    app
}

/// Tries to insert arbitrary rows into all tables; constraints can refuse them.
async fn fill(app: &mut SqliteConnection, seed: u64, rows: usize) {
    let mut random = Random::new(seed ^ 0x5eed);
    for (table, columns) in tables(app).await {
        for _ in 0..rows {
            let values: Vec<&str> = columns.iter().map(|_| random.pick(VALUES)).collect();
            let sql = format!(
                "INSERT OR IGNORE INTO {table} ({}) VALUES ({})",
                columns.join(", "),
                values.join(", ")
            );
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *app).await.ok();
        }
    }
}

/// Tables and their stored columns, quoted.
async fn tables(app: &mut SqliteConnection) -> Vec<(String, Vec<String>)> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT format('\"%w\"', l.name), format('\"%w\"', c.name) FROM pragma_table_list AS l, pragma_table_xinfo(l.name) AS c
         WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite%' AND c.hidden = 0 ORDER BY l.name, c.cid",
    )
    .fetch_all(app)
    .await
    .unwrap();
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for (table, column) in rows {
        match tables.last_mut() {
            Some((last, columns)) if *last == table => columns.push(column),
            _ => tables.push((table, vec![column])),
        }
    }
    tables
}

/// Deletes some rows, swaps values of others, and adds new ones, without triggers.
async fn change(app: &mut SqliteConnection, seed: u64) {
    let triggers: Vec<(String, String)> = sqlx::query_as(
        "SELECT format('DROP TRIGGER \"%w\"', name), sql FROM sqlite_schema WHERE type = 'trigger'",
    )
    .fetch_all(&mut *app)
    .await
    .unwrap();
    for (drop, _) in &triggers {
        run(app, drop).await;
    }
    let mut random = Random::new(seed ^ 0xc0de);
    for (table, columns) in tables(app).await {
        let column = random.pick(&columns);
        for sql in [
            format!("DELETE FROM {table} WHERE abs(random()) % 4 = 0"),
            format!(
                "UPDATE OR IGNORE {table} SET {column} = {} WHERE abs(random()) % 3 = 0",
                random.pick(VALUES)
            ),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *app).await.ok();
        }
    }
    fill(app, seed ^ 1, 100).await;
    for (_, create) in &triggers {
        run(app, create).await;
    }
}

#[tokio::test]
async fn generated_databases_come_back() {
    let mut all = 0;
    for seed in seeds() {
        let draft = sqlite::Draft::new(seed);
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
        let mut app = build(&old, &draft, seed).await;
        let archive = export(&old).await;
        let rows: usize = archive.tables.iter().map(|(_, rows)| rows.len()).sum();
        all += rows;
        let (expected, facts) = (schema(&mut app).await, sqlite::facts(&mut app).await);

        let mut empty = connect(&new).await;
        run(&mut empty, "PRAGMA journal_mode = wal").await;
        let mut wanted = archive.wanted(Mode::IntoEmpty);
        wanted.create_tables = true;
        let restored = restore(&new, &archive, &wanted, ID).await;
        assert!(restored.is_ok(), "seed {seed}: {}", restored.unwrap_err());
        export(&new).await.equals(&archive);
        assert_eq!(schema(&mut empty).await, expected, "seed {seed}");
        discard(&new, ID).await;
        let differences = sqlite::facts(&mut empty).await.differences(&facts);
        assert!(differences.is_empty(), "seed {seed}: {}", differences.join("; "));

        change(&mut app, seed).await;
        replaced(&old, &archive, seed).await;
        assert_eq!(schema(&mut app).await, expected, "seed {seed}");
        intact(&mut app).await;
    }
    assert!(all > 1000, "{all} rows");
}

/// Replaces the changed rows, and rolls that back.
async fn replaced(path: &Path, archive: &crate::restoring_sqlite::archive::Archive, seed: u64) {
    let changed = export(path).await;
    let wanted = archive.wanted(Mode::Replace);
    let found = inspect(path, &wanted).await;
    assert_eq!(found.refusals, [], "seed {seed}");
    let trial = compare(path, archive, &wanted).await;
    assert!(trial.is_ok(), "seed {seed}: {}", trial.unwrap_err());
    let trial = trial.unwrap();
    let restored = restore(path, archive, &wanted, ID).await;
    assert!(restored.is_ok(), "seed {seed}: {}", restored.unwrap_err());
    for (one, other) in trial.tables.iter().zip(restored.unwrap().tables) {
        let counts = |changes: &strongroom_tables::load::TableChanges| {
            [changes.created, changes.changed, changes.deleted, changes.kept]
        };
        assert_eq!(counts(one), counts(&other), "seed {seed}");
    }
    export(path).await.equals(archive);
    let mut target = target(path).await;
    target.roll_back(ID, false, std::time::Duration::from_secs(1)).await.unwrap();
    target.close().await;
    export(path).await.equals(&changed);
}
