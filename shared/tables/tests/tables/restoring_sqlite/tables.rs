//! Tables of every kind are replaced while they have triggers, unusual keys, and references to each other.

use std::path::Path;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;
use strongroom_tables::load::{Change, Comparison, Mode, Purpose, Swapped};

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::restore::{compare, inspect, restore, stage, target};
use crate::restoring_sqlite::{ID, database, intact, run, schema};

/// Creates a database, takes an archive of it, changes it, and restores.
async fn replaced(sql: &str, changes: &str) -> (tempfile::TempDir, SqliteConnection, Swapped) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = database(&path, sql).await;
    let archive = export(&path).await;
    run(&mut app, changes).await;
    let before = schema(&mut app).await;
    let wanted = archive.wanted(Mode::Replace);
    let found = inspect(&path, &wanted).await;
    assert_eq!(found.refusals, []);
    let changed = export(&path).await;
    let swapped = restore(&path, &archive, &wanted, ID).await.unwrap();
    export(&path).await.equals(&archive);
    assert_eq!(schema(&mut app).await, before);
    intact(&mut app).await;
    taken_back(&path, &changed).await;
    let again = crate::restoring_sqlite::restore::restore(&path, &archive, &wanted, "another").await.unwrap();
    assert_eq!(again.tables, swapped.tables);
    (folder, app, swapped)
}

async fn taken_back(path: &Path, changed: &Archive) {
    let mut target = target(path).await;
    target.roll_back(ID, false, Duration::from_secs(1)).await.unwrap();
    target.close().await;
    export(path).await.equals(changed);
}

async fn number(app: &mut SqliteConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(app).await.unwrap()
}

#[tokio::test]
async fn permuted_unique_values_and_primary_keys() {
    let (_folder, _, swapped) = replaced(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, place TEXT UNIQUE NOT NULL, other TEXT UNIQUE);
         INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z'), (4, 'd', NULL);",
        "UPDATE t SET place = place || '_'; UPDATE t SET place = CASE id WHEN 1 THEN 'b' WHEN 2 THEN 'c' WHEN 3 THEN 'a' ELSE place END;
         UPDATE t SET id = -id; UPDATE t SET id = CASE id WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE -id END;",
    )
    .await;
    assert_eq!((swapped.tables[0].changed, swapped.tables[0].kept), (4, 0));
}

#[tokio::test]
async fn values_differ_by_storage_class_and_by_bytes() {
    let values = "NULL|0|1|1.0|'a'|'A'|'a '|x'61'|''|x''|'1'|'e'|1e300|9e999|-1";
    let values: Vec<&str> = values.split('|').collect();
    let (mut rows, mut changes) = (Vec::new(), Vec::new());
    for (one, other) in values.iter().flat_map(|one| values.iter().map(move |other| (one, other))) {
        rows.push(format!("({}, {one})", rows.len()));
        changes.push(format!("({}, {other})", changes.len()));
    }
    let create = "CREATE TABLE t (id INTEGER PRIMARY KEY, v COLLATE NOCASE)";
    let (_folder, _, swapped) = replaced(
        &format!("{create}; INSERT INTO t VALUES {}", rows.join(", ")),
        &format!("DELETE FROM t; INSERT INTO t VALUES {}", changes.join(", ")),
    )
    .await;
    let alike = values.len() as u64;
    assert_eq!((swapped.tables[0].kept, swapped.tables[0].changed), (alike, alike * alike - alike));
}

#[tokio::test]
async fn keys_that_ignore_case_are_one_row() {
    let (_folder, mut app, swapped) = replaced(
        "CREATE TABLE t (name TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v);
         CREATE TABLE w (a TEXT COLLATE NOCASE, b TEXT, v, PRIMARY KEY (a COLLATE BINARY, b COLLATE NOCASE)) WITHOUT ROWID;
         INSERT INTO t VALUES ('Anna', 1), ('Bert', 2);
         INSERT INTO w VALUES ('x', 'Y', 1), ('X', 'y', 2), ('z', 'z', 3), ('q', 'k', 4), ('Q', 'k', 5);",
        "UPDATE t SET name = 'ANNA' WHERE v = 1; UPDATE w SET b = 'y' WHERE v = 1; DELETE FROM w WHERE v = 2; UPDATE w SET v = 6 WHERE v = 4;",
    )
    .await;
    assert_eq!((swapped.tables[0].changed, swapped.tables[0].created), (1, 0));
    assert_eq!((swapped.tables[1].changed, swapped.tables[1].created, swapped.tables[1].kept), (2, 1, 2));
    assert_eq!(number(&mut app, "SELECT count(*) FROM w WHERE v < 6").await, 5);
}

#[tokio::test]
async fn references_in_circles_and_to_themselves() {
    replaced(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b ON DELETE CASCADE, self INTEGER REFERENCES a ON DELETE CASCADE);
         CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES a ON DELETE RESTRICT);
         INSERT INTO a VALUES (1, 1, 2), (2, 2, 1), (3, NULL, 3); INSERT INTO b VALUES (1, 2), (2, 1);",
        "DELETE FROM a; DELETE FROM b; INSERT INTO a VALUES (9, 9, 9); INSERT INTO b VALUES (9, 9);",
    )
    .await;
}

#[tokio::test]
async fn triggers_do_not_fire_and_are_back() {
    let (_folder, mut app, _) = replaced(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE log (id INTEGER PRIMARY KEY, what TEXT);
         CREATE TRIGGER b_first AFTER INSERT ON t BEGIN INSERT INTO log (what) VALUES ('first'); END;
         CREATE TRIGGER \"a; second\" AFTER INSERT ON t BEGIN INSERT INTO log (what) VALUES ('second'); END;
         CREATE TRIGGER never BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END;
         CREATE VIEW seen AS SELECT * FROM t; CREATE TRIGGER on_view INSTEAD OF INSERT ON seen BEGIN SELECT 1; END;
         INSERT INTO t VALUES (1, 'x'), (2, 'y'); DELETE FROM log;",
        "UPDATE t SET v = 'z'; INSERT INTO t VALUES (3, 'new'); DELETE FROM log;",
    )
    .await;
    assert_eq!(number(&mut app, "SELECT count(*) FROM log").await, 0);
    run(&mut app, "INSERT INTO t VALUES (4, 'w')").await;
    let fired: Vec<String> =
        sqlx::query_scalar("SELECT what FROM log ORDER BY id").fetch_all(&mut app).await.unwrap();
    // SQLite fires the most recently created trigger first.
    assert_eq!(fired, ["second", "first"]);
    let refused = sqlx::query("DELETE FROM t").execute(&mut app).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn counters_never_go_back() {
    let (_folder, mut app, _) = replaced(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
         INSERT INTO t VALUES (50, 'x'); DELETE FROM t; INSERT INTO t VALUES (7, 'y'); INSERT INTO u VALUES (3, 'z');",
        "INSERT INTO u VALUES (99, 'new'); UPDATE sqlite_sequence SET seq = 8 WHERE name = 't'; DELETE FROM sqlite_sequence WHERE name = 't'",
    )
    .await;
    run(&mut app, "INSERT INTO t (v) VALUES ('next'); INSERT INTO u (v) VALUES ('next')").await;
    assert_eq!(number(&mut app, "SELECT max(id) FROM t").await, 51);
    assert_eq!(number(&mut app, "SELECT max(id) FROM u").await, 100);
}

#[tokio::test]
async fn full_text_tables_find_what_was_restored() {
    let (_folder, mut app, _) = replaced(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
         CREATE VIRTUAL TABLE external USING fts5(body, content='notes', content_rowid='id');
         CREATE VIRTUAL TABLE old USING fts4(body); CREATE VIRTUAL TABLE own USING fts5(body, tokenize='porter');
         CREATE TRIGGER ai AFTER INSERT ON notes BEGIN INSERT INTO external (rowid, body) VALUES (new.id, new.body); END;
         INSERT INTO notes VALUES (1, 'first words'), (2, 'second words');
         INSERT INTO old VALUES ('aged'); INSERT INTO own VALUES ('running');",
        "UPDATE notes SET body = 'other'; INSERT INTO external (external) VALUES ('rebuild');
         DELETE FROM own; INSERT INTO own VALUES ('walking'); UPDATE old SET body = 'young';",
    )
    .await;
    for (sql, found) in [
        ("SELECT count(*) FROM external WHERE external MATCH 'words'", 2),
        ("SELECT count(*) FROM external WHERE external MATCH 'other'", 0),
        ("SELECT count(*) FROM own WHERE own MATCH 'run'", 1),
        ("SELECT count(*) FROM own WHERE own MATCH 'walk'", 0),
        ("SELECT count(*) FROM old WHERE old MATCH 'aged'", 1),
        ("SELECT count(*) FROM old WHERE old MATCH 'young'", 0),
    ] {
        assert_eq!(number(&mut app, sql).await, found, "{sql}");
    }
    run(&mut app, "INSERT INTO external (external) VALUES ('integrity-check'); INSERT INTO own (own) VALUES ('integrity-check')").await;
}

#[tokio::test]
async fn rows_without_a_key_are_counted() {
    let (_folder, mut app, swapped) = replaced(
        "CREATE TABLE t (a, b TEXT COLLATE NOCASE); CREATE TABLE u (_rowid_, rowid INTEGER UNIQUE);
         INSERT INTO t VALUES (1, 'x'), (1, 'x'), (1, 'x'), (1.0, 'x'), ('1', 'x'), (1, 'X'), (NULL, NULL), (NULL, NULL), (x'31', NULL);
         INSERT INTO u VALUES (1, NULL), (1, NULL), (2, 2);",
        "DELETE FROM t WHERE oid IN (1, 2); INSERT INTO t VALUES (1, 'X'), (1, 'X'), (NULL, 'x'); DELETE FROM t WHERE a = 1.0 AND typeof(a) = 'real';
         INSERT INTO u VALUES (1, NULL); UPDATE u SET rowid = 3 WHERE rowid = 2;",
    )
    .await;
    let [t, u] = &swapped.tables[..] else { panic!("two tables") };
    assert_eq!((t.created, t.changed, t.deleted, t.kept), (3, 0, 3, 6));
    assert_eq!((u.created, u.deleted, u.kept), (1, 2, 2));
    assert_eq!(
        number(
            &mut app,
            "SELECT count(*) FROM t WHERE a = 1 AND typeof(a) = 'integer' AND b = 'x' COLLATE BINARY"
        )
        .await,
        3
    );
}

#[tokio::test]
async fn two_thousand_columns() {
    let columns: Vec<String> = (1..2000).map(|at| format!("\"column {at}\"")).collect();
    let create = format!(
        "CREATE TABLE wide (id INTEGER PRIMARY KEY, {}); INSERT INTO wide (id, \"column 1999\") VALUES (1, 'a'), (2, 'b');
         CREATE TABLE heap ({}); INSERT INTO heap (\"column 7\") VALUES (1), (1), (2)",
        columns.join(", "),
        columns[..1990].join(", ")
    );
    let (_folder, _, swapped) = replaced(
        &create,
        "UPDATE wide SET \"column 1998\" = 7 WHERE id = 2; DELETE FROM heap WHERE rowid = 1; INSERT INTO heap (\"column 1\") VALUES (1)",
    )
    .await;
    assert_eq!(swapped.tables[1].changed, 1);
    assert_eq!((swapped.tables[0].created, swapped.tables[0].deleted), (1, 1));
}

#[tokio::test]
async fn columns_that_the_archive_does_not_have_keep_their_values_where_rows_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = database(
        &path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    )
    .await;
    let archive = export(&path).await;
    run(&mut app, "ALTER TABLE t ADD COLUMN later TEXT DEFAULT 'new'; UPDATE t SET later = 'kept'; UPDATE t SET v = 'c' WHERE id = 2; INSERT INTO t VALUES (3, 'd', 'kept')").await;
    let changed = export(&path).await;
    let wanted = archive.wanted(Mode::Replace);
    let found = inspect(&path, &wanted).await;
    assert_eq!(found.refusals, []);
    assert!(found.warnings.iter().any(|warning| warning.contains("later")), "{:?}", found.warnings);
    restore(&path, &archive, &wanted, ID).await.unwrap();
    let later: Vec<String> =
        sqlx::query_scalar("SELECT later FROM t ORDER BY id").fetch_all(&mut app).await.unwrap();
    assert_eq!(later, ["kept", "new"]);
    taken_back(&path, &changed).await;
}

#[tokio::test]
async fn a_merge_adds_rows_and_keeps_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = database(
        &path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    )
    .await;
    let archive = export(&path).await;
    run(
        &mut app,
        "UPDATE t SET v = 'changed' WHERE id = 2; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (4, 'd')",
    )
    .await;
    let changed = export(&path).await;
    let mut wanted = archive.wanted(Mode::Merge);
    wanted.tables[0].is_partial = true;
    let Comparison { tables, .. } = compare(&path, &archive, &wanted).await.unwrap();
    let counts = (tables[0].created, tables[0].conflicts, tables[0].kept, tables[0].deleted);
    assert_eq!(counts, (1, 1, 2, 0));
    let examples: Vec<(Change, &str)> =
        tables[0].examples.iter().map(|one| (one.change, one.key.as_str())).collect();
    assert_eq!(examples, [(Change::Created, "[\"3\"]"), (Change::Conflict, "[\"2\"]")]);
    let swapped = restore(&path, &archive, &wanted, ID).await.unwrap();
    assert_eq!((swapped.tables[0].created, swapped.tables[0].conflicts, swapped.tables[0].kept), (1, 1, 2));
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT id || v FROM t ORDER BY id").fetch_all(&mut app).await.unwrap();
    assert_eq!(rows, ["1a", "2changed", "3c", "4d"]);
    run(&mut app, "UPDATE t SET v = 'other' WHERE id = 4").await;
    run(&mut app, "UPDATE t SET v = 'd' WHERE id = 4").await;
    taken_back(&path, &changed).await;
}

#[tokio::test]
async fn a_trial_leaves_nothing_even_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app =
        database(&path, "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')").await;
    let archive = export(&path).await;
    run(&mut app, "DELETE FROM t").await;
    for mode in [Mode::Replace, Mode::Merge, Mode::IntoEmpty] {
        let before = crate::restoring_sqlite::files(folder.path());
        let wanted = archive.wanted(mode);
        let mut stage = stage(&path, &archive, &wanted, &Purpose::Trial).await.unwrap();
        assert_eq!(crate::restoring_sqlite::files(folder.path()), before);
        assert_eq!(stage.compare().await.unwrap().tables[0].created, 1);
        run(&mut app, "INSERT INTO t VALUES (7, 'while it runs'); DELETE FROM t").await;
        stage.close().await;
        assert_eq!(crate::restoring_sqlite::files(folder.path()), before);
    }
}
