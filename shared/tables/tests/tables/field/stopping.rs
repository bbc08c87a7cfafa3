//! A reader that goes away stops SQLite's work for it, even within a statement.
//!
//! Without a write-ahead log, nobody can lock the file exclusively while it is read: this shows when the statement has ended.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use strongroom_store::DatabaseUrl;
use strongroom_tables::{SnapshotOptions, open_snapshot};
use tempfile::TempDir;

use crate::database::{create_sqlite, run_sqlite};
use crate::field::everything;

async fn create(rows: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let mut writer = create_sqlite(&path).await;
    let sql = format!(
        "CREATE TABLE t (n INTEGER); INSERT INTO t WITH RECURSIVE i(n) AS
             (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < {rows}) SELECT n FROM i"
    );
    run_sqlite(&mut writer, &sql).await;
    writer.close().await.unwrap();
    (folder, path)
}

/// Drops the reader after `time`. Returns how long the file was still locked, waiting at most five seconds.
async fn leave(path: &Path, time: Duration, options: &SnapshotOptions) -> Duration {
    let url = DatabaseUrl::sqlite_file(path).unwrap();
    let opening = tokio::time::timeout(time, open_snapshot(&url, options)).await;
    assert!(opening.is_err(), "the statement is over: {:?}", opening.unwrap().err());
    let left = Instant::now();
    let mut writer = create_sqlite(path).await;
    run_sqlite(&mut writer, "BEGIN EXCLUSIVE").await;
    left.elapsed()
}

/// All rows of a generated column are read to find out whether it can be computed, which takes a minute here.
#[tokio::test]
async fn a_scan_ends_with_its_reader() {
    let slow = "length(replace(hex(zeroblob(10000 + n)), '0', 'ab'))";
    let (_folder, path) = create(100_000).await;
    // Added afterwards, because each INSERT would compute it.
    let mut writer = create_sqlite(&path).await;
    run_sqlite(&mut writer, &format!("ALTER TABLE t ADD COLUMN slow AS ({slow})")).await;
    writer.close().await.unwrap();
    leave(&path, Duration::from_millis(300), &everything()).await;
}

#[tokio::test]
async fn a_copy_ends_with_its_reader() {
    let (_folder, path) = create(1_500_000).await;
    let options = SnapshotOptions { temp_copy: true, ..everything() };
    let began = Instant::now();
    let url = DatabaseUrl::sqlite_file(&path).unwrap();
    open_snapshot(&url, &options).await.unwrap().close().await;
    let whole = began.elapsed();
    // A single attempt may find the machine busy.
    let mut held = Duration::MAX;
    for _ in 0..3 {
        held = held.min(leave(&path, whole / 8, &options).await);
    }
    assert!(held < whole / 2, "it went on for {held:?} of {whole:?}");
}
