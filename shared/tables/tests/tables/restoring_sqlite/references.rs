//! Foreign keys between restored tables and other tables.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Refusal};

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::restore::{compare, restore, target};
use crate::restoring_sqlite::{ID, database, intact, run, schema};

const SQL: &str = "
    CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE UNIQUE NOT NULL);
    CREATE TABLE cascades (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE CASCADE);
    CREATE TABLE nulls (id INTEGER PRIMARY KEY, code TEXT REFERENCES parent (code) ON DELETE SET NULL, v);
    CREATE TABLE defaults (id INTEGER PRIMARY KEY, parent INTEGER DEFAULT 1 REFERENCES parent ON DELETE SET DEFAULT);
    CREATE TABLE grandchild (cascades INTEGER REFERENCES cascades ON DELETE CASCADE, v);
    CREATE TABLE own (id INTEGER PRIMARY KEY, own INTEGER REFERENCES own ON DELETE CASCADE, parent INTEGER REFERENCES parent ON DELETE CASCADE);
    CREATE TRIGGER tr AFTER DELETE ON cascades BEGIN SELECT RAISE(ABORT, 'no'); END;
    INSERT INTO parent VALUES (1, 'one'), (2, 'two');";
/// Rows that the archive does not have, and rows that reference them.
const LATER: &str = "
    INSERT INTO parent VALUES (3, 'Three'), (4, 'four');
    INSERT INTO cascades VALUES (1, 1), (3, 3), (5, NULL), (6, 77);
    INSERT INTO nulls VALUES (1, 'ONE', 'a'), (3, 'THREE', 'b'), (4, NULL, 'c');
    INSERT INTO defaults VALUES (1, 2), (3, 4);
    INSERT INTO grandchild VALUES (1, 'stays'), (3, 'goes'), (3, 'goes');
    INSERT INTO own VALUES (1, NULL, 4), (2, 1, NULL), (3, 2, 1), (4, NULL, 1);";

async fn app() -> (tempfile::TempDir, PathBuf, Archive, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = database(&path, SQL).await;
    let archive = export(&path).await.only(&["parent"]);
    run(&mut app, LATER).await;
    (folder, path, archive, app)
}

async fn rows(app: &mut SqliteConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(app).await.unwrap()
}

#[tokio::test]
async fn rows_outside_that_refer_to_removed_ones_are_counted_and_refused() {
    let (_folder, path, archive, _) = app().await;
    let before = export(&path).await;
    let wanted = archive.wanted(Mode::Replace);
    let found = compare(&path, &archive, &wanted).await.unwrap();
    let said: Vec<(String, u64)> = found
        .refusals
        .iter()
        .map(|refusal| match refusal {
            Refusal::Referenced { table, from, rows, .. } if table == "parent" => (from.clone(), *rows),
            other => panic!("{other}"),
        })
        .collect();
    let expected = [("cascades", 1), ("defaults", 1), ("nulls", 1), ("own", 1)];
    assert_eq!(said, expected.map(|(from, rows)| (from.to_owned(), rows)));
    let error = restore(&path, &archive, &wanted, ID).await.unwrap_err();
    assert!(matches!(error, Error::Refused { refusals, .. } if refusals == found.refusals));
    export(&path).await.equals(&before);
    assert_eq!(compare(&path, &archive, &archive.wanted(Mode::Merge)).await.unwrap().refusals, []);
}

#[tokio::test]
async fn with_agreement_they_follow_and_come_back() {
    let (_folder, path, archive, mut app) = app().await;
    let before = export(&path).await;
    let statements = schema(&mut app).await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.accept_cascade = true;
    assert_eq!(compare(&path, &archive, &wanted).await.unwrap().refusals, []);
    restore(&path, &archive, &wanted, ID).await.unwrap();
    assert_eq!(rows(&mut app, "SELECT id || '' FROM cascades ORDER BY id").await, ["1", "5", "6"]);
    assert_eq!(
        rows(&mut app, "SELECT id || ifnull(code, '') FROM nulls ORDER BY id").await,
        ["1ONE", "3", "4"]
    );
    assert_eq!(rows(&mut app, "SELECT id || ':' || parent FROM defaults ORDER BY id").await, ["1:2", "3:1"]);
    assert_eq!(rows(&mut app, "SELECT v FROM grandchild").await, ["stays"]);
    assert_eq!(rows(&mut app, "SELECT id || '' FROM own ORDER BY id").await, ["4"]);
    let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut app).await.unwrap();
    assert_eq!(broken.len(), 1, "the row that was broken before");
    assert_eq!(schema(&mut app).await, statements);
    let mut target = target(&path).await;
    let back = target.roll_back(ID, false, Duration::from_secs(1)).await.unwrap();
    assert_eq!(back.tables.len(), 1);
    export(&path).await.equals(&before);
    assert_eq!(schema(&mut app).await, statements);
    intact(&mut app).await;
}

#[tokio::test]
async fn what_asks_for_nothing_is_refused_even_with_agreement() {
    let (_folder, path, archive, mut app) = app().await;
    run(&mut app, "CREATE TABLE firm (id INTEGER PRIMARY KEY, c INTEGER REFERENCES cascades); INSERT INTO firm VALUES (1, 3)").await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.accept_cascade = true;
    let before = export(&path).await.only(&["cascades", "parent"]);
    let error = restore(&path, &archive, &wanted, ID).await.unwrap_err();
    assert!(error.to_string().contains("1 rows of firm reference rows of cascades"), "{error}");
    run(&mut app, "DROP TABLE firm; CREATE TABLE firm (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent); INSERT INTO firm VALUES (1, 3)").await;
    let error = restore(&path, &archive, &wanted, ID).await.unwrap_err();
    assert!(error.to_string().contains("1 rows of firm reference rows of parent"), "{error}");
    export(&path).await.only(&["cascades", "parent"]).equals(&before);
}

#[tokio::test]
async fn restored_rows_do_not_refer_to_what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let sql = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, v);
        INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 77, 'was so'), (4, NULL, 'd')";
    let mut app = database(&path, sql).await;
    let archive = export(&path).await;
    run(
        &mut app,
        "DELETE FROM p WHERE id = 2; DELETE FROM c WHERE id = 2; UPDATE c SET v = 'changed' WHERE id = 3",
    )
    .await;
    let only = archive.only(&["c"]);
    let found = compare(&path, &only, &only.wanted(Mode::Replace)).await.unwrap();
    assert!(
        matches!(&found.refusals[..], [Refusal::Dangling { rows: 1, to, .. }] if to == "p"),
        "{:?}",
        found.refusals
    );
    let wanted = archive.wanted(Mode::Replace);
    assert_eq!(compare(&path, &archive, &wanted).await.unwrap().refusals, []);
    restore(&path, &archive, &wanted, ID).await.unwrap();
    export(&path).await.equals(&archive);
}

#[tokio::test]
async fn nor_do_rows_of_tables_that_were_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let sql = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);
        CREATE TABLE d (c INTEGER REFERENCES c, gone INTEGER REFERENCES nowhere, odd REFERENCES p (oid));
        INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO d VALUES (77, 1, 1)";
    let mut app = database(&path, sql).await;
    let archive = export(&path).await.only(&["c", "d"]);
    run(&mut app, "DELETE FROM p WHERE id = 2; DELETE FROM c; DELETE FROM d").await;
    let wanted = archive.wanted(Mode::IntoEmpty);
    let expected = |found: &[Refusal]| matches!(found, [Refusal::Dangling { rows: 1, table, to, .. }] if table == "c" && to == "p");
    let found = compare(&path, &archive, &wanted).await.unwrap().refusals;
    assert!(expected(&found), "{found:?}");
    let error = restore(&path, &archive, &wanted, ID).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { refusals, .. } if expected(refusals)), "{error}");
    run(&mut app, "INSERT INTO p VALUES (2)").await;
    restore(&path, &archive, &wanted, ID).await.unwrap();
    export(&path).await.only(&["c", "d"]).equals(&archive);
}
