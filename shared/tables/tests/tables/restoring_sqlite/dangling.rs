//! Dangling references: those that a restore would cause are refused, row by row, and those that existed before are not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Refusal};

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::refusals::two;
use crate::restoring_sqlite::restore::{compare, restore, target};
use crate::restoring_sqlite::{ID, database, run};

async fn app(sql: &str) -> (tempfile::TempDir, PathBuf, Archive, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let app = database(&path, sql).await;
    let archive = export(&path).await;
    (folder, path, archive, app)
}

/// Each refusal in short form: from, to, rows.
fn said(refusals: &[Refusal]) -> Vec<(&str, &str, u64)> {
    refusals
        .iter()
        .map(|refusal| match refusal {
            Refusal::Dangling { table, to, rows, .. } => (table.as_str(), to.as_str(), *rows),
            Refusal::Referenced { table, from, rows, .. } => (from.as_str(), table.as_str(), *rows),
            other => panic!("{other}"),
        })
        .collect()
}

async fn refused(path: &Path, discard: bool) -> Vec<Refusal> {
    let mut target = target(path).await;
    let lock = Duration::from_secs(1);
    let checked = target.check_roll_back(ID, discard, lock).await.unwrap_err();
    let error = target.roll_back(ID, discard, lock).await.unwrap_err();
    assert_eq!(checked.to_string(), error.to_string());
    target.close().await;
    let Error::Refused { refusals, .. } = error else { panic!("{error}") };
    refusals
}

async fn rolls_back(path: &Path, discard: bool) {
    let mut target = target(path).await;
    target.roll_back(ID, discard, Duration::from_secs(1)).await.unwrap();
    target.close().await;
}

async fn restoring_is_refused(path: &Path, archive: &Archive, mode: Mode, cascade: bool) -> Vec<Refusal> {
    let before = export(path).await;
    let mut wanted = archive.wanted(mode);
    wanted.accept_cascade = cascade;
    let Err(Error::Refused { refusals, .. }) = restore(path, archive, &wanted, ID).await else {
        panic!("it is not refused")
    };
    export(path).await.equals(&before);
    refusals
}

/// Cases that SQLite calls a mismatch: the columns are not unique, or do not exist.
const ODD: &str =
    "odd REFERENCES p (v), odder REFERENCES p (nowhere), oddest REFERENCES two, oddity REFERENCES missing";

#[tokio::test]
async fn one_that_cannot_be_checked_hides_no_other() {
    let sql = format!(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, v); CREATE TABLE two (a, b, PRIMARY KEY (a, b));
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, {ODD});
         INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 1, 7, 7, 7, 7), (2, 2, 7, 7, 7, 7)"
    );
    let (_folder, path, archive, mut app) = app(&sql).await;
    let archive = archive.only(&["c"]);
    run(&mut app, "DELETE FROM c; DELETE FROM p WHERE id = 2").await;
    for mode in [Mode::IntoEmpty, Mode::Merge, Mode::Replace] {
        let found = compare(&path, &archive, &archive.wanted(mode)).await.unwrap().refusals;
        if mode != Mode::IntoEmpty {
            assert_eq!(said(&found), [("c", "p", 1)], "{mode:?}");
        }
        let refusals = restoring_is_refused(&path, &archive, mode, false).await;
        assert_eq!(said(&refusals), [("c", "p", 1)], "{mode:?}");
    }
    run(&mut app, "INSERT INTO p VALUES (2, 'b')").await;
    restore(&path, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
    export(&path).await.only(&["c"]).equals(&archive);
    let orders = format!(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, c INTEGER REFERENCES c, {ODD});
        INSERT INTO orders VALUES (1, 1, 7, 7, 7, 7)"
    );
    run(&mut app, &orders).await;
    assert_eq!(said(&refused(&path, true).await), [("orders", "c", 1)]);
}

#[tokio::test]
async fn one_that_is_mended_does_not_make_up_for_one_that_breaks() {
    let (_folder, path, archive, mut app) =
        app("CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')").await;
    run(&mut app, "DELETE FROM t; INSERT INTO t VALUES (9, 'x')").await;
    restore(&path, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
    let orders = "CREATE TABLE orders (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t);
        INSERT INTO orders VALUES (1, 9), (2, 1)";
    run(&mut app, orders).await;
    assert_eq!(said(&refused(&path, false).await), [("orders", "t", 1)]);
    // A different row dangles now, although it has the same key as one that dangled before.
    run(&mut app, "UPDATE orders SET t = 1 WHERE id = 1; UPDATE orders SET t = 77 WHERE id = 2").await;
    assert_eq!(said(&refused(&path, false).await), [("orders", "t", 1)]);
    run(&mut app, "UPDATE orders SET t = 9 WHERE id = 1").await;
    rolls_back(&path, false).await;
}

const CHAIN: &str = "
    CREATE TABLE r (id INTEGER PRIMARY KEY);
    CREATE TABLE p (id INTEGER PRIMARY KEY, r INTEGER REFERENCES r ON DELETE CASCADE);
    CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, v);
    INSERT INTO r VALUES (1); INSERT INTO p VALUES (1, 1), (2, 1); INSERT INTO c VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 77, 'c');";

#[tokio::test]
async fn restored_rows_do_not_refer_to_rows_that_follow_others() {
    let (_folder, path, archive, mut app) = app(CHAIN).await;
    let archive = archive.only(&["r", "c"]);
    run(&mut app, "INSERT INTO r VALUES (2); UPDATE p SET r = 2 WHERE id = 2").await;
    let refusals = restoring_is_refused(&path, &archive, Mode::Replace, true).await;
    assert!(
        matches!(&refusals[..], [Refusal::Dangling { rows: 1, table, to, .. }] if table == "c" && to == "p")
    );
    run(&mut app, "UPDATE p SET r = 1").await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.accept_cascade = true;
    restore(&path, &archive, &wanted, ID).await.unwrap();
    export(&path).await.only(&["r", "c"]).equals(&archive);
}

#[tokio::test]
async fn rows_of_tables_that_followed_do_not_lose_what_they_refer_to_since() {
    let (_folder, path, archive, mut app) = app(CHAIN).await;
    let archive = archive.only(&["r"]);
    run(
        &mut app,
        "DELETE FROM r; INSERT INTO r VALUES (2); UPDATE p SET r = 2; INSERT INTO p VALUES (5, 55)",
    )
    .await;
    let before = export(&path).await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.accept_cascade = true;
    let refusals = restoring_is_refused(&path, &archive, Mode::Replace, true).await;
    assert_eq!(said(&refusals), [("c", "p", 2)]);
    run(&mut app, "UPDATE c SET p = NULL WHERE p < 3").await;
    let free = export(&path).await;
    restore(&path, &archive, &wanted, ID).await.unwrap();
    run(&mut app, "INSERT INTO p VALUES (6, 1)").await;
    assert_eq!(said(&refused(&path, true).await), [("p", "r", 1)]);
    run(&mut app, "DELETE FROM p WHERE id = 6").await;
    rolls_back(&path, false).await;
    export(&path).await.equals(&free);
    assert_eq!(before.rows("p"), free.rows("p"));
}

#[tokio::test]
async fn what_led_nowhere_before_a_restore_does_so_again_after_its_rollback() {
    let sql = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, v);
        CREATE TABLE heap (p INTEGER REFERENCES p, v); CREATE TABLE orders (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t);
        INSERT INTO p VALUES (1), (2); INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'); INSERT INTO heap VALUES (1, 'a');
        INSERT INTO orders VALUES (1, 1), (2, 2), (3, 66)";
    for (mode, change) in [
        (
            Mode::Replace,
            "UPDATE t SET p = 77 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO heap VALUES (77, 'b')",
        ),
        (Mode::Merge, "DELETE FROM t WHERE id = 1"),
        (Mode::IntoEmpty, "DELETE FROM t; DELETE FROM heap"),
    ] {
        let (_folder, path, archive, mut app) = app(sql).await;
        let names: &[&str] = if mode == Mode::Merge { &["t"] } else { &["t", "heap"] };
        let archive = archive.only(names);
        run(&mut app, change).await;
        let before = export(&path).await;
        restore(&path, &archive, &archive.wanted(mode), ID).await.unwrap();
        let discard = mode == Mode::IntoEmpty;
        run(&mut app, "INSERT INTO orders VALUES (4, 1)").await;
        if mode != Mode::Replace {
            assert_eq!(said(&refused(&path, discard).await), [("orders", "t", 1)], "{mode:?}");
        }
        run(&mut app, "DELETE FROM orders WHERE id = 4").await;
        rolls_back(&path, discard).await;
        export(&path).await.equals(&before);
    }
}

#[tokio::test]
async fn a_row_whose_row_has_gone_since_does_not_come_back() {
    let sql = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);
        INSERT INTO p VALUES (1), (2); INSERT INTO t VALUES (1, 1)";
    let (_folder, path, archive, mut app) = app(sql).await;
    let archive = archive.only(&["t"]);
    run(&mut app, "UPDATE t SET p = 2; INSERT INTO t VALUES (2, 77)").await;
    restore(&path, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
    run(&mut app, "DELETE FROM p WHERE id = 2").await;
    let refusals = refused(&path, true).await;
    assert!(
        matches!(&refusals[..], [Refusal::Dangling { rows: 1, table, to, .. }] if table == "t" && to == "p")
    );
}

#[tokio::test]
async fn rows_that_a_merge_leaves_alone_do_not_count() {
    let sql = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p);
        INSERT INTO p VALUES (1), (2); INSERT INTO t VALUES (1, 2)";
    let (_folder, path, archive, mut app) = app(sql).await;
    let archive = archive.only(&["t"]);
    run(&mut app, "UPDATE t SET p = 1; DELETE FROM p WHERE id = 2").await;
    let found = compare(&path, &archive, &archive.wanted(Mode::Replace)).await.unwrap().refusals;
    assert_eq!(said(&found), [("t", "p", 1)]);
    assert_eq!(compare(&path, &archive, &archive.wanted(Mode::Merge)).await.unwrap().refusals, []);
    restore(&path, &archive, &archive.wanted(Mode::Merge), ID).await.unwrap();
}

#[tokio::test]
async fn rows_without_a_key_may_refer_to_nothing_as_before() {
    let sql = "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE heap (p INTEGER REFERENCES p, v);
        INSERT INTO p VALUES (1), (2); INSERT INTO heap VALUES (1, 'a'), (77, 'b'), (NULL, 'c')";
    let (_folder, path, archive, mut app) = app(sql).await;
    let archive = archive.only(&["heap"]);
    run(&mut app, "INSERT INTO heap VALUES (1, 'more')").await;
    assert_eq!(compare(&path, &archive, &archive.wanted(Mode::Replace)).await.unwrap().refusals, []);
    run(&mut app, "DELETE FROM p WHERE id = 1; DELETE FROM heap WHERE p = 1").await;
    assert_eq!(said(&restoring_is_refused(&path, &archive, Mode::Replace, false).await), [("heap", "p", 1)]);
}

#[tokio::test]
async fn columns_that_the_archive_lacks_show_in_the_end() {
    let archived = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')";
    let live = "CREATE TABLE t (id INTEGER PRIMARY KEY, v, code UNIQUE); INSERT INTO t VALUES (1, 'a', 'one'), (2, 'b', 'two');
        CREATE TABLE orders (id INTEGER PRIMARY KEY, code REFERENCES t (code)); INSERT INTO orders VALUES (1, 'one'), (2, 'three')";
    let (_folder, path, archive, mut app) = two(archived, live).await;
    run(&mut app, "INSERT INTO orders VALUES (3, 'two')").await;
    assert_eq!(
        said(&restoring_is_refused(&path, &archive, Mode::Replace, false).await),
        [("orders", "t", 1)]
    );
    run(&mut app, "DELETE FROM orders WHERE id = 3").await;
    restore(&path, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
}
