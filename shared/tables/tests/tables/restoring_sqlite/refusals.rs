//! Reasons against a restore, each by name; nothing is changed.

use std::path::Path;

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use strongroom_archive::manifest::Migrations;
use strongroom_tables::load::{Mode, Purpose, Refusal, Target, TargetOptions, Wanted};
use strongroom_tables::{Error, MigrationsTable, SnapshotOptions};

use crate::restoring_sqlite::archive::{Archive, export, url};
use crate::restoring_sqlite::restore::{compare, discard, inspect, restore, target};
use crate::restoring_sqlite::{ID, connect, database, run};

/// An archive of one database, and another database.
pub async fn two(
    archived: &str,
    live: &str,
) -> (tempfile::TempDir, std::path::PathBuf, Archive, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    database(&old, archived).await;
    let archive = export(&old).await;
    let app = database(&new, live).await;
    (folder, new, archive, app)
}

/// The reasons for which an inspection refuses. Staging must refuse for the same reasons.
async fn reasons(path: &Path, wanted: &Wanted) -> Vec<&'static str> {
    let found = inspect(path, wanted).await;
    let refused =
        target(path).await.stage(wanted, &found.fingerprint, &Purpose::Restore(ID.to_owned())).await;
    match refused {
        Err(Error::Refused { refusals, .. }) => assert_eq!(refusals, found.refusals),
        Err(other) => panic!("{other}"),
        Ok(stage) => {
            assert!(found.refusals.is_empty());
            stage.close().await;
            discard(path, ID).await;
        }
    }
    found.refusals.iter().map(Refusal::reason).collect()
}

async fn refused(archived: &str, live: &str, mode: Mode) -> Vec<&'static str> {
    let (_folder, path, archive, _) = two(archived, live).await;
    reasons(&path, &archive.wanted(mode)).await
}

#[tokio::test]
async fn tables_and_columns_that_do_not_fit() {
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)";
    for (archived, live, reason) in [
        (t, "CREATE TABLE u (a)", "TABLE_MISSING"),
        (t, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "COLUMN_MISSING"),
        (t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w NOT NULL)", "COLUMN_NEEDED"),
        (t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)", "COLUMN_TYPE"),
        (t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT AS (id))", "COLUMN_TYPE"),
        (t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL)", "COLUMN_NOT_NULL"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT AS (id))", t, "COLUMN_TYPE"),
    ] {
        assert_eq!(refused(archived, live, Mode::Replace).await, [reason], "{live}");
    }
    for live in [
        "CREATE TABLE T (ID INTEGER PRIMARY KEY, w, V text)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w NOT NULL DEFAULT 7, x AS (w))",
        "CREATE TABLE t (v TEXT, id INTEGER PRIMARY KEY) STRICT",
    ] {
        assert_eq!(refused(t, live, Mode::Replace).await, Vec::<&str>::new(), "{live}");
    }
}

#[tokio::test]
async fn modes_that_do_not_fit() {
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1)";
    assert_eq!(refused(t, t, Mode::IntoEmpty).await, ["TABLE_NOT_EMPTY"]);
    let keyless = "CREATE TABLE t (a, b UNIQUE)";
    assert_eq!(refused(keyless, keyless, Mode::Merge).await, ["NO_KEY"]);
    assert_eq!(
        refused(keyless, "CREATE TABLE t (a, b UNIQUE, rowid, oid, _rowid_)", Mode::Replace).await,
        ["UNSUPPORTED"]
    );
    let (_folder, path, archive, _) = two(t, t).await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.tables[0].is_partial = true;
    assert_eq!(reasons(&path, &wanted).await, ["PARTIAL_TABLE"]);
    wanted.mode = Mode::Merge;
    assert_eq!(reasons(&path, &wanted).await, Vec::<&str>::new());
    let mut bare = wanted.clone();
    bare.tables[0].schema.columns.clear();
    assert_eq!(reasons(&path, &bare).await, ["NO_KEY", "UNSUPPORTED"]);
    wanted.create_tables = true;
    wanted.tables[0].schema.table = "new".to_owned();
    assert_eq!(reasons(&path, &wanted).await, ["TABLE_MISSING"]);
}

#[tokio::test]
async fn virtual_tables_and_collations_that_only_others_understand() {
    let rtree = "CREATE VIRTUAL TABLE places USING rtree(id, a, b); INSERT INTO places VALUES (1, 2, 3)";
    assert_eq!(refused(rtree, rtree, Mode::Replace).await, ["VIRTUAL_TABLE"; 3]);
    let contentless = "CREATE VIRTUAL TABLE s USING fts5(body, content='')";
    assert_eq!(refused(contentless, contentless, Mode::Replace).await, ["VIRTUAL_TABLE"; 4]);
    let (_folder, path, archive, mut app) =
        two("CREATE TABLE t (a TEXT, b)", "CREATE TABLE t (a TEXT, b)").await;
    app.lock_handle().await.unwrap().create_collation("app", |one, other| other.cmp(one)).unwrap();
    run(&mut app, "CREATE INDEX i ON t (a COLLATE app)").await;
    assert_eq!(reasons(&path, &archive.wanted(Mode::Replace)).await, ["UNSUPPORTED"]);
}

#[tokio::test]
async fn a_journal_that_blocks_readers_needs_agreement() {
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v)";
    let (_folder, path, archive, mut app) = two(t, t).await;
    run(&mut app, "PRAGMA journal_mode = delete").await;
    let mut wanted = archive.wanted(Mode::Replace);
    assert_eq!(reasons(&path, &wanted).await, ["JOURNAL_MODE"]);
    let found = inspect(&path, &wanted).await;
    assert!(found.pause.readers && found.pause.remedy.contains("WAL"));
    wanted.accept_pause = true;
    assert_eq!(reasons(&path, &wanted).await, Vec::<&str>::new());
    restore(&path, &archive, &wanted, ID).await.unwrap();
}

#[tokio::test]
async fn newer_migrations() {
    let sql = "CREATE TABLE migrations (id INTEGER PRIMARY KEY, migration TEXT NOT NULL); INSERT INTO migrations VALUES (1, 'one')";
    let (_folder, path, archive, mut app) = two(sql, sql).await;
    let mut wanted = archive.wanted(Mode::Replace);
    let ids = vec!["one".to_owned(), "two".to_owned()];
    wanted.record.migrations =
        Some(Migrations { table: "migrations".to_owned(), column: "migration".to_owned(), ids });
    let migrations = Some(MigrationsTable { table: "migrations".to_owned(), column: None });
    let options = TargetOptions::new(SnapshotOptions { migrations, ..SnapshotOptions::new("app") });
    let mut target = Target::open(&url(&path), options).await.unwrap();
    let found = target.inspect(&wanted).await.unwrap();
    assert_eq!(found.refusals, [Refusal::NewerMigrations { ids: "two".to_owned() }]);
    run(&mut app, "INSERT INTO migrations VALUES (2, 'two'), (3, 'three')").await;
    assert_eq!(target.inspect(&wanted).await.unwrap().refusals, []);
}

#[tokio::test]
async fn values_that_a_column_would_change() {
    let (_folder, path, archive, _) =
        two("CREATE TABLE t (v ANY) STRICT; INSERT INTO t VALUES ('1')", "CREATE TABLE t (v ANY)").await;
    let error = compare(&path, &archive, &archive.wanted(Mode::Replace)).await.unwrap_err();
    assert!(matches!(&error, Error::Value { row: 1, column, .. } if column == "v"), "{error}");
    assert!(!error.to_string().contains('\''), "{error}");
    let (_folder, path, archive, _) =
        two("CREATE TABLE t (v INT); INSERT INTO t VALUES ('a')", "CREATE TABLE t (v INT) STRICT").await;
    let error = compare(&path, &archive, &archive.wanted(Mode::Replace)).await.unwrap_err();
    assert!(error.to_string().contains("STRICT"), "{error}");
}

#[tokio::test]
async fn rows_that_violate_a_constraint_leave_everything_as_it_was() {
    let live =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE CHECK (v < 10)); INSERT INTO t VALUES (1, 1)";
    for (archived, problem) in [
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (5, 2), (6, 2)", "UNIQUE"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (5, 2), (6, 12)", "CHECK"),
    ] {
        let (_folder, path, archive, _) = two(archived, live).await;
        let before = export(&path).await;
        let found = compare(&path, &archive, &archive.wanted(Mode::Replace)).await.unwrap().refusals;
        let shown = matches!(&found[..], [Refusal::Violated { rows: 1, .. }]);
        assert_eq!(shown, problem == "UNIQUE", "{found:?}");
        for mode in [Mode::Replace, Mode::Merge] {
            let error = restore(&path, &archive, &archive.wanted(mode), ID).await.unwrap_err();
            assert!(
                matches!(&error, Error::Constraint { problem: found, .. } if found.contains(problem)),
                "{error}"
            );
            export(&path).await.equals(&before);
        }
        let (_folder, path, archive, _) =
            two(archived, &live.replace("INSERT INTO t VALUES (1, 1)", "")).await;
        let error = restore(&path, &archive, &archive.wanted(Mode::IntoEmpty), ID).await.unwrap_err();
        assert!(matches!(&error, Error::Constraint { .. }), "{error}");
        assert!(export(&path).await.rows("t").is_empty());
    }
}

#[tokio::test]
async fn a_constraint_that_would_drop_rows_fails_instead() {
    let (_folder, path, archive, _) = two(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (5, 2), (6, 2)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE ON CONFLICT REPLACE)",
    )
    .await;
    for mode in [Mode::Replace, Mode::IntoEmpty] {
        assert!(restore(&path, &archive, &archive.wanted(mode), ID).await.is_err());
        assert!(export(&path).await.rows("t").is_empty());
    }
}

#[tokio::test]
async fn too_little_room_and_no_right() {
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')";
    let (_folder, path, archive, _) = two(t, t).await;
    let mut wanted = archive.wanted(Mode::Replace);
    let few = inspect(&path, &wanted).await.needed_bytes;
    wanted.tables[0].rows = u64::MAX / 1000;
    let found = inspect(&path, &wanted).await;
    assert!(found.needed_bytes > few);
    assert!(matches!(found.refusals[..], [Refusal::Space { .. }]), "{:?}", found.refusals);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to() {
    let script = "mount -t tmpfs tmpfs \"$1\"";
    let test = "restoring_sqlite::refusals::a_folder_that_cannot_be_written_to";
    let Some(folder) = strongroom_testkit::in_mount_namespace(test, script) else { return };
    let path = folder.join("app.db");
    let mut app = connect(&path).await;
    run(&mut app, "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')").await;
    let archive = export(&path).await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.accept_pause = true;
    app.close().await.unwrap();
    let remount = |how: &str| {
        let done = std::process::Command::new("mount").args(["-o", how]).arg(&folder).status();
        assert!(done.unwrap().success());
    };
    remount("remount,ro");
    let found = inspect(&path, &wanted).await;
    let reasons: Vec<&str> = found.refusals.iter().map(Refusal::reason).collect();
    assert_eq!(reasons, ["RIGHT_MISSING", "RIGHT_MISSING"]);
    remount("remount,rw");
    restore(&path, &archive, &wanted, ID).await.unwrap();
}

/// SQLite and we create files beside the database, not beside a link to it.
#[tokio::test]
async fn a_link_to_a_folder_that_has_no_room_or_cannot_be_written_to() {
    let script = "mount -t tmpfs -o size=2m tmpfs \"$1\"";
    let test = "restoring_sqlite::refusals::a_link_to_a_folder_that_has_no_room_or_cannot_be_written_to";
    let Some(folder) = strongroom_testkit::in_mount_namespace(test, script) else { return };
    let elsewhere = tempfile::tempdir().unwrap();
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')";
    let (small, large) = (folder.join("app.db"), elsewhere.path().join("app.db"));
    let (to_small, to_large) = (elsewhere.path().join("link.db"), folder.join("link.db"));
    for (path, link) in [(&small, &to_small), (&large, &to_large)] {
        let mut app = connect(path).await;
        run(&mut app, t).await;
        app.close().await.unwrap();
        std::os::unix::fs::symlink(path, link).unwrap();
    }
    let archive = export(&large).await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.accept_pause = true;
    wanted.tables[0].rows = 100_000;
    let reasons = async |path: &Path| {
        let found = inspect(path, &wanted).await;
        assert!(found.needed_bytes > 2 << 20);
        found.refusals.iter().map(Refusal::reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&to_small).await, ["DISK_SPACE"]);
    assert_eq!(reasons(&to_large).await, [""; 0]);
    let done = std::process::Command::new("mount").args(["-o", "remount,ro"]).arg(&folder).status();
    assert!(done.unwrap().success());
    assert_eq!(reasons(&to_small).await, ["RIGHT_MISSING", "RIGHT_MISSING", "DISK_SPACE"]);
    assert_eq!(reasons(&to_large).await, [""; 0]);
}

#[tokio::test]
async fn functions_that_only_the_application_has() {
    let t = "CREATE TABLE t (a TEXT, b)";
    for (change, reasons) in [
        ("CREATE INDEX i ON t (app_fold(a))", ["UNSUPPORTED"].as_slice()),
        ("CREATE INDEX i ON t (a) WHERE app_fold(a)", &["UNSUPPORTED"]),
        (
            "CREATE INDEX i ON t (app_fold(a)); CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT app_fold(1); END",
            &["UNSUPPORTED"],
        ),
        ("CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT app_fold(1); END", &[]),
        ("ALTER TABLE t ADD COLUMN c CHECK (app_fold(c) > 7)", &["UNSUPPORTED"]),
    ] {
        let (_folder, path, archive, mut app) = two(t, t).await;
        let sql = format!("PRAGMA writable_schema = on; {}", stored(change));
        run(&mut app, &sql).await;
        drop(app);
        assert_eq!(self::reasons(&path, &archive.wanted(Mode::Replace)).await, reasons, "{change}");
        if reasons.is_empty() {
            restore(&path, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
        }
    }
}

/// A schema with a function that SQLite does not know: it is created with a known function, which is then renamed in the
/// text.
fn stored(change: &str) -> String {
    let known = change.replace("app_fold", "abs");
    format!("{known}; UPDATE sqlite_schema SET sql = replace(sql, 'abs', 'app_fold')")
}

#[tokio::test]
async fn a_statement_that_is_no_definition_is_not_run() {
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 1; END; CREATE INDEX i ON t (v)";
    let (folder, _, archive, _) = two(t, "").await;
    let path = folder.path().join("empty.db");
    connect(&path).await;
    let mut wanted = archive.wanted(Mode::IntoEmpty);
    wanted.create_tables = true;
    assert_eq!(reasons(&path, &wanted).await, Vec::<&str>::new());
    let bad: [fn(&mut Wanted); 4] = [
        |wanted| wanted.tables[0].schema.sql = Some("CREATE TABLE t (id); DROP TABLE u".to_owned()),
        |wanted| wanted.tables[0].schema.sql = Some("ATTACH 'x' AS y".to_owned()),
        |wanted| {
            wanted.tables[0].schema.indexes[0].definition =
                "CREATE INDEX i ON t (v); DELETE FROM u".to_owned();
        },
        |wanted| wanted.tables[0].schema.triggers[0].definition.push_str("; DELETE FROM u; END"),
    ];
    for spoil in bad {
        let mut wanted = wanted.clone();
        spoil(&mut wanted);
        assert_eq!(reasons(&path, &wanted).await, ["UNSUPPORTED"]);
    }
}
