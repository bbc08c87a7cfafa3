//! Writers wait no longer than agreed, whatever step is slow.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Purpose, SwapLimits};

use crate::restoring_sqlite::archive::export;
use crate::restoring_sqlite::restore::{discard, restore, stage};
use crate::restoring_sqlite::{ID, connect, database, run};

const SQL: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b')";
const LIMITS: SwapLimits =
    SwapLimits { lock: Duration::from_secs(20), pause: Some(Duration::from_millis(300)) };

#[tokio::test]
async fn a_commit_that_waits_for_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = database(&path, SQL).await;
    let archive = export(&path).await;
    run(&mut app, "PRAGMA journal_mode = delete; UPDATE t SET v = 'x'").await;
    let before = export(&path).await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.accept_pause = true;
    let mut staged = stage(&path, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
    staged.keep().await.unwrap();
    let mut reader = connect(&path).await;
    run(&mut reader, "BEGIN; SELECT count(*) FROM t").await;
    let count = AssertSqlSafe("SELECT count(*) FROM t".to_owned());
    let _: i64 = sqlx::query_scalar(count).fetch_one(&mut reader).await.unwrap();
    let started = Instant::now();
    let error = staged.swap(&LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::PauseTooLong { limit_ms: 300, .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    run(&mut reader, "COMMIT").await;
    export(&path).await.equals(&before);
    discard(&path, ID).await;
    restore(&path, &archive, &wanted, ID).await.unwrap();
    export(&path).await.equals(&archive);
}

#[tokio::test]
async fn a_load_into_empty_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = database(&path, SQL).await;
    let archive = export(&path).await;
    run(&mut app, "DELETE FROM t").await;
    let wanted = archive.wanted(Mode::IntoEmpty);
    let staged = stage(&path, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(350)).await;
    let error = staged.swap(&LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::PauseTooLong { limit_ms: 300, .. }), "{error}");
    assert!(export(&path).await.rows("t").is_empty());
    discard(&path, ID).await;
    let staged = stage(&path, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
    let long = SwapLimits { pause: Some(Duration::from_secs(20)), ..LIMITS };
    staged.swap(&long).await.unwrap();
    export(&path).await.equals(&archive);
}
