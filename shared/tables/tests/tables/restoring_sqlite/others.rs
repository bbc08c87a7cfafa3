//! Applications that read and write while rows are replaced.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Purpose, SwapLimits};

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::restore::{discard, restore, restore_within, stage};
use crate::restoring_sqlite::{ID, connect, database, run};

const ROWS: u64 = 20_000;

/// All rows contain `old` in the database, and `new` in the archive.
async fn app(folder: &Path) -> (std::path::PathBuf, Archive, SqliteConnection) {
    let path = folder.join("app.db");
    let fill = format!(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT, w);
         CREATE INDEX i ON a (v); CREATE TRIGGER tr AFTER INSERT ON a BEGIN SELECT 1; END;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) INSERT INTO a SELECT i, 'new' FROM n;
         INSERT INTO b SELECT id, v, NULL FROM a"
    );
    let mut app = database(&path, &fill).await;
    let archive = export(&path).await;
    run(&mut app, "UPDATE a SET v = 'old'; UPDATE b SET v = 'old'; DELETE FROM a WHERE id % 7 = 0; INSERT INTO b VALUES (-1, 'old', 1)").await;
    (path, archive, app)
}

/// The view of one transaction: distinct values of both tables, and the number of rows.
async fn seen(reader: &mut SqliteConnection) -> (String, i64) {
    run(reader, "BEGIN").await;
    let first: String =
        sqlx::query_scalar("SELECT group_concat(DISTINCT v) FROM a").fetch_one(&mut *reader).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3)).await;
    let second: String =
        sqlx::query_scalar("SELECT group_concat(DISTINCT v) FROM b").fetch_one(&mut *reader).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    run(reader, "COMMIT").await;
    assert_eq!(first, second, "a mixture within one transaction");
    (first, rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_old_or_new_rows_and_never_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (path, archive, _) = app(folder.path()).await;
    let mut older = connect(&path).await;
    run(&mut older, "BEGIN").await;
    let sql = "SELECT count(*) FROM a WHERE v = 'old'";
    let before: i64 = sqlx::query_scalar(sql).fetch_one(&mut older).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for _ in 0..2 {
        let (stop, mut reader) = (Arc::clone(&stop), connect(&path).await);
        run(&mut reader, "PRAGMA busy_timeout = 0").await;
        readers.push(tokio::spawn(async move {
            let mut all = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                all.push(seen(&mut reader).await);
            }
            all.push(seen(&mut reader).await);
            all
        }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    restore(&path, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let total = i64::try_from(2 * ROWS).unwrap();
    for reader in readers {
        let all = reader.await.unwrap();
        assert_eq!(all.first().unwrap().0, "old");
        assert_eq!(all.last().unwrap(), &("new".to_owned(), total));
        assert!(all.iter().all(|(v, _)| v == "old" || v == "new"), "{all:?}");
    }
    let after: i64 = sqlx::query_scalar(sql).fetch_one(&mut older).await.unwrap();
    assert_eq!(after, before, "an older snapshot");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_writer_with_a_busy_timeout_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (path, archive, _) = app(folder.path()).await;
    let options = SqliteConnectOptions::new().filename(&path).busy_timeout(Duration::from_secs(30));
    let mut writer = SqliteConnection::connect_with(&options).await.unwrap();
    run(&mut writer, "CREATE TABLE log (i INTEGER)").await;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let writes = tokio::spawn(async move {
        let mut written = 0;
        while !stopped.load(Ordering::Relaxed) {
            written += 1;
            sqlx::query("INSERT INTO log VALUES (?1)").bind(written).execute(&mut writer).await.unwrap();
        }
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM log").fetch_one(&mut writer).await.unwrap();
        (written, kept)
    });
    let limits = SwapLimits { lock: Duration::from_secs(30), pause: None };
    restore_within(&path, &archive, &archive.wanted(Mode::Replace), ID, &limits).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let (written, kept) = writes.await.unwrap();
    assert_eq!(written, kept);
    assert!(written > 1);
    export(&path).await.only(&["a", "b"]).equals(&archive);
}

#[tokio::test]
async fn a_lock_that_is_held_all_the_time_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (path, archive, mut app) = app(folder.path()).await;
    let before = export(&path).await;
    let mut staged = stage(&path, &archive, &archive.wanted(Mode::Replace), &Purpose::Restore(ID.to_owned()))
        .await
        .unwrap();
    staged.keep().await.unwrap();
    run(&mut app, "BEGIN IMMEDIATE").await;
    let limits = SwapLimits { lock: Duration::from_millis(400), pause: None };
    let started = Instant::now();
    let error = staged.swap(&limits).await.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3));
    run(&mut app, "COMMIT").await;
    discard(&path, ID).await;
    export(&path).await.equals(&before);
}

#[tokio::test]
async fn writers_are_not_held_longer_than_agreed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, archive, mut app) = app(folder.path()).await;
    let before = export(&path).await;
    let statements = crate::restoring_sqlite::schema(&mut app).await;
    let limits = SwapLimits { lock: Duration::from_secs(1), pause: Some(Duration::from_millis(5)) };
    let error =
        restore_within(&path, &archive, &archive.wanted(Mode::Replace), ID, &limits).await.unwrap_err();
    assert!(matches!(error, Error::PauseTooLong { limit_ms: 5, .. }), "{error}");
    export(&path).await.equals(&before);
    assert_eq!(crate::restoring_sqlite::schema(&mut app).await, statements);
    run(&mut app, "INSERT INTO a VALUES (-7, 'works')").await;
    let limits = SwapLimits { lock: Duration::from_secs(1), pause: Some(Duration::from_secs(60)) };
    let swapped = restore_within(&path, &archive, &archive.wanted(Mode::Replace), ID, &limits).await.unwrap();
    assert!(swapped.paused > Duration::from_millis(5));
    export(&path).await.equals(&archive);
}

#[tokio::test]
async fn without_wal_a_reader_is_waited_for_and_then_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (path, archive, mut app) = app(folder.path()).await;
    run(&mut app, "PRAGMA journal_mode = delete").await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.accept_pause = true;
    let mut reader = connect(&path).await;
    run(&mut reader, "BEGIN; SELECT count(*) FROM a").await;
    let count = AssertSqlSafe("SELECT count(*) FROM a".to_owned());
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut reader).await.unwrap();
    let limits = SwapLimits { lock: Duration::from_millis(200), pause: None };
    let staged = stage(&path, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await;
    // Not even the marker can be committed.
    assert!(matches!(staged, Err(Error::Locked { .. })));
    drop(staged);
    run(&mut reader, "COMMIT").await;
    let mut staged = stage(&path, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
    staged.keep().await.unwrap();
    run(&mut reader, "BEGIN; SELECT count(*) FROM a").await;
    let error = staged.swap(&limits).await.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    let after: i64 = sqlx::query_scalar("SELECT count(*) FROM a").fetch_one(&mut reader).await.unwrap();
    assert_eq!(after, before);
    run(&mut reader, "COMMIT").await;
    discard(&path, ID).await;
    restore(&path, &archive, &wanted, ID).await.unwrap();
    export(&path).await.equals(&archive);
}
