//! Applied restores are rolled back, newest first, unless rows have been changed since.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Refusal, RestoreState, RolledBack};

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::restore::{discard, restore, target};
use crate::restoring_sqlite::{ID, database, files, intact, run, schema};

const OTHER: &str = "01900000-0000-7000-8000-000000000002";

const SQL: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE); CREATE TABLE heap (v); CREATE TABLE w (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;
    INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO heap VALUES (1), (1), (2); INSERT INTO w VALUES (1, 1), (1, 2);";

/// A restored database, its contents before the restore, and the archive.
async fn restored() -> (tempfile::TempDir, PathBuf, Archive, Archive, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = database(&path, SQL).await;
    let archive = export(&path).await;
    let changes = "UPDATE t SET v = v || 'x'; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (9, 'a');
        DELETE FROM heap WHERE rowid = 1; INSERT INTO heap VALUES (3); DELETE FROM w WHERE b = 1; INSERT INTO w VALUES (2, 2)";
    run(&mut app, changes).await;
    let before = export(&path).await;
    restore(&path, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
    (folder, path, before, archive, app)
}

/// Rolls back a restore. A preceding check must give the same result.
async fn roll_back(path: &std::path::Path, id: &str, discard: bool) -> Result<RolledBack, Error> {
    let mut target = target(path).await;
    let lock = Duration::from_millis(300);
    let checked = target.check_roll_back(id, discard, lock).await;
    let done = target.roll_back(id, discard, lock).await;
    let said = |error: &Error| error.to_string();
    assert_eq!(checked.as_ref().err().map(said), done.as_ref().err().map(said));
    target.close().await;
    done
}

#[tokio::test]
async fn nothing_of_ours_is_left() {
    let (folder, path, before, _, mut app) = restored().await;
    let back = roll_back(&path, ID, false).await.unwrap();
    let counts: Vec<(&str, u64, u64, u64, u64)> = back
        .tables
        .iter()
        .map(|(name, one)| (name.as_str(), one.created, one.changed, one.deleted, one.kept))
        .collect();
    assert_eq!(counts, [("heap", 1, 0, 1, 2), ("t", 1, 2, 1, 0), ("w", 1, 0, 1, 1)]);
    export(&path).await.equals(&before);
    let ours: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE name LIKE '%strongroom%'")
            .fetch_all(&mut app)
            .await
            .unwrap();
    assert_eq!(ours, Vec::<String>::new());
    assert!(!files(folder.path()).iter().any(|name| name.contains("strongroom")));
    let error = roll_back(&path, ID, false).await.unwrap_err();
    assert!(matches!(error, Error::NotApplied { .. }), "{error}");
}

#[tokio::test]
async fn any_changed_row_refuses_unless_changes_are_discarded() {
    for (change, table) in [
        ("UPDATE t SET v = 'new' WHERE id = 2", "t"),
        ("INSERT INTO t VALUES (20, 'new')", "t"),
        ("DELETE FROM t WHERE id = 3", "t"),
        ("INSERT INTO heap VALUES (1)", "heap"),
        ("DELETE FROM heap WHERE v = 2", "heap"),
        ("UPDATE heap SET v = '1' WHERE v = 2", "heap"),
        ("DELETE FROM w", "w"),
        ("INSERT INTO w VALUES (2, 2)", "w"),
    ] {
        let (_folder, path, before, _, mut app) = restored().await;
        run(&mut app, change).await;
        let now = export(&path).await;
        let error = roll_back(&path, ID, false).await.unwrap_err();
        let said = matches!(&error, Error::ChangedSince { table: found, rows: 1.., .. } if found == table);
        assert!(said, "{change}: {error}");
        export(&path).await.equals(&now);
        roll_back(&path, ID, true).await.unwrap();
        export(&path).await.equals(&before);
        intact(&mut app).await;
    }
}

#[tokio::test]
async fn a_check_changes_nothing() {
    let (folder, path, before, _, mut app) = restored().await;
    run(
        &mut app,
        "UPDATE t SET v = 'new' WHERE id = 2; CREATE TRIGGER tr AFTER DELETE ON t BEGIN SELECT 1; END",
    )
    .await;
    let (now, statements, there) = (export(&path).await, schema(&mut app).await, files(folder.path()));
    let mut target = target(&path).await;
    let lock = Duration::from_millis(300);
    for (discard, is_refused) in [(false, true), (true, false), (true, false)] {
        let checked = target.check_roll_back(ID, discard, lock).await;
        assert_eq!(matches!(checked, Err(Error::ChangedSince { rows: 1, .. })), is_refused, "{checked:?}");
        export(&path).await.equals(&now);
        assert_eq!((schema(&mut app).await, files(folder.path())), (statements.clone(), there.clone()));
        assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Applied));
    }
    // Nor does a check that had to give up change anything, and its connection can still be used.
    run(&mut app, "BEGIN IMMEDIATE").await;
    let error = target.check_roll_back(ID, true, lock).await.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    run(&mut app, "COMMIT").await;
    target.check_roll_back(ID, true, lock).await.unwrap();
    target.roll_back(ID, true, lock).await.unwrap();
    export(&path).await.equals(&before);
    let error = target.check_roll_back(ID, true, lock).await.unwrap_err();
    assert!(matches!(error, Error::NotApplied { .. }), "{error}");
}

#[tokio::test]
async fn the_newest_comes_first() {
    let (_folder, path, before, archive, mut app) = restored().await;
    run(&mut app, "DELETE FROM t").await;
    let between = export(&path).await;
    let only = archive.only(&["t"]);
    restore(&path, &only, &only.wanted(Mode::Replace), OTHER).await.unwrap();
    let error = roll_back(&path, ID, true).await.unwrap_err();
    assert!(matches!(&error, Error::Superseded { newer, .. } if newer == OTHER), "{error}");
    roll_back(&path, OTHER, false).await.unwrap();
    export(&path).await.equals(&between);
    roll_back(&path, ID, true).await.unwrap();
    export(&path).await.equals(&before);
}

#[tokio::test]
async fn a_changed_table_refuses() {
    let (_folder, path, _, _, mut app) = restored().await;
    run(&mut app, "ALTER TABLE t ADD COLUMN more").await;
    let error = roll_back(&path, ID, true).await.unwrap_err();
    assert!(matches!(error, Error::Stale { .. }), "{error}");
}

#[tokio::test]
async fn a_busy_database_is_left_alone() {
    let (_folder, path, before, _, mut app) = restored().await;
    run(&mut app, "BEGIN IMMEDIATE").await;
    let error = roll_back(&path, ID, false).await.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    run(&mut app, "COMMIT").await;
    roll_back(&path, ID, false).await.unwrap();
    export(&path).await.equals(&before);
}

#[tokio::test]
async fn a_restore_into_empty_tables_empties_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = database(&path, SQL).await;
    let archive = export(&path).await;
    run(&mut app, "DELETE FROM t; DELETE FROM heap; DELETE FROM w").await;
    restore(&path, &archive, &archive.wanted(Mode::IntoEmpty), ID).await.unwrap();
    export(&path).await.equals(&archive);
    let error = roll_back(&path, ID, false).await.unwrap_err();
    assert!(matches!(error, Error::NothingKept { .. }), "{error}");
    roll_back(&path, ID, true).await.unwrap();
    assert!(export(&path).await.tables.iter().all(|(_, rows)| rows.is_empty()));
}

#[tokio::test]
async fn rows_that_others_reference_since_are_not_taken_away() {
    let (_folder, path, before, archive, mut app) = restored().await;
    // One reference is dangling already, and one is to a row that the restore added.
    let orders = "CREATE TABLE orders (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t (id));
        INSERT INTO orders VALUES (1, 77), (2, 1)";
    run(&mut app, orders).await;
    for discard in [false, true] {
        let error = roll_back(&path, ID, discard).await.unwrap_err();
        let Error::Refused { refusals, .. } = &error else { panic!("{error}") };
        assert!(
            matches!(refusals.as_slice(), [Refusal::Referenced { from, rows: 1, .. }] if from == "orders"),
            "{error}"
        );
    }
    run(&mut app, "DELETE FROM orders WHERE id = 2; DROP TABLE orders").await;
    export(&path).await.equals(&archive);
    roll_back(&path, ID, false).await.unwrap();
    export(&path).await.equals(&before);
}

/// A newer version may have written it: a wrong guess would empty the tables, or look for a file that need not exist.
#[tokio::test]
async fn an_unknown_mode_is_not_guessed() {
    let (folder, path, _, archive, mut app) = restored().await;
    let mode: String =
        sqlx::query_scalar("SELECT mode FROM _strongroom_restores").fetch_one(&mut app).await.unwrap();
    assert_eq!(mode, "replace");
    run(&mut app, "UPDATE _strongroom_restores SET mode = 'other'").await;
    for name in files(folder.path()).into_iter().filter(|name| name.contains("strongroom")) {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    for discard in [false, true] {
        let error = roll_back(&path, ID, discard).await.unwrap_err();
        assert!(error.to_string().contains("that this version can read"), "{error}");
        export(&path).await.equals(&archive);
    }
}

/// Anyone who can write to the database can also change our records and `sqlite_schema`.
#[tokio::test]
async fn what_somebody_has_written_into_notes_and_definitions_is_not_run() {
    const EVIL: &str = "CREATE TABLE evil (x)";
    for (spoiled, said) in [
        (
            "UPDATE _strongroom_restores SET tables = replace(tables, '\"rowid\":\"_rowid_\"',
            '\"rowid\":\"1; CREATE TABLE evil (x); --\"')",
            "that this version can read",
        ),
        ("UPDATE _strongroom_restores SET tables = '[{}]'", "that this version can read"),
        ("UPDATE _strongroom_restores SET tables = 'x'", "that this version can read"),
        ("UPDATE _strongroom_restores SET mode = 'other'", "that this version can read"),
        (
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END; PRAGMA writable_schema = on;
          UPDATE sqlite_schema SET sql = sql || '; CREATE TABLE evil (x)' WHERE name = 'tr';
          PRAGMA writable_schema = reset",
            "the trigger tr",
        ),
    ] {
        let (_folder, path, _, archive, mut app) = restored().await;
        run(&mut app, spoiled).await;
        for discard in [false, true] {
            let error = roll_back(&path, ID, discard).await.unwrap_err();
            assert!(error.to_string().contains(said), "{spoiled}: {error}");
        }
        run(&mut app, EVIL).await;
        run(&mut app, "DROP TABLE evil").await;
        export(&path).await.equals(&archive);
    }
}

#[tokio::test]
async fn discarding_keeps_what_was_restored() {
    let (folder, path, _, archive, _) = restored().await;
    let mut target = target(&path).await;
    assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Applied));
    assert_eq!(target.state_of(OTHER).await.unwrap(), None);
    discard(&path, ID).await;
    discard(&path, ID).await;
    assert_eq!(target.state_of(ID).await.unwrap(), None);
    export(&path).await.equals(&archive);
    assert!(!files(folder.path()).iter().any(|name| name.contains("strongroom")));
    let error = roll_back(&path, ID, true).await.unwrap_err();
    assert!(matches!(error, Error::NotApplied { .. }), "{error}");
}

#[tokio::test]
async fn of_a_merge_only_added_rows_are_looked_at() {
    for (change, is_refused) in [
        (
            "UPDATE t SET v = 'new' WHERE id = 2; INSERT INTO t VALUES (20, 'y'); UPDATE t SET v = 'z' WHERE id = 9",
            false,
        ),
        ("UPDATE t SET v = 'new' WHERE id = 1", true),
        ("DELETE FROM w WHERE b = 1", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let mut app = database(&path, SQL).await;
        let archive = export(&path).await.only(&["t", "w"]);
        run(&mut app, "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (9, 'x'); DELETE FROM w WHERE b = 1")
            .await;
        restore(&path, &archive, &archive.wanted(Mode::Merge), ID).await.unwrap();
        run(&mut app, change).await;
        let rolled = roll_back(&path, ID, false).await;
        assert_eq!(matches!(rolled, Err(Error::ChangedSince { rows: 1, .. })), is_refused, "{change}");
        if is_refused {
            roll_back(&path, ID, true).await.unwrap();
        }
        let left: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM t WHERE id = 1) + (SELECT count(*) FROM w WHERE b = 1)",
        )
        .fetch_one(&mut app)
        .await
        .unwrap();
        assert_eq!(left, 0, "{change}");
        let others: i64 = sqlx::query_scalar("SELECT count(*) FROM t WHERE id IN (2, 3, 9)")
            .fetch_one(&mut app)
            .await
            .unwrap();
        assert_eq!(others, 3);
    }
}
