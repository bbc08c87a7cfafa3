//! PostgreSQL, where a client that leaves must not leave a transaction behind.

use std::time::{Duration, Instant};

use strongroom_testkit::TestDb;

use crate::support::{FakeVault, Service, database, plain, receive};

/// Some 60 MB that do not compress well.
const ROWS: &str = "CREATE TABLE noise AS SELECT i AS id, md5(i::text) || md5((i + 1)::text) AS a, \
    md5((i + 2)::text) || md5((i + 3)::text) AS b FROM generate_series(1, 300000) AS i";

const OPEN: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";

async fn service(db: &TestDb) -> Service {
    db.run(ROWS);
    let source = format!("[[sources]]\nname = 'platform'\nkind = 'postgres'\nurl = '{}'", db.url_text());
    Service::start(database::folder().await, FakeVault::start().await, "", &source).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_leaves_no_transaction() {
    let Some(db) = TestDb::postgres() else { return };
    let service = service(&db).await;
    let mut stream = service.client().export_backup(noise()).await.unwrap().into_inner();
    for _ in 0..3 {
        stream.message().await.unwrap().unwrap();
    }
    assert_eq!(db.number(OPEN), 1, "the snapshot is open");
    drop(stream);
    let left = Instant::now();
    while db.number(OPEN) > 0 {
        assert!(left.elapsed() < Duration::from_secs(5), "a transaction is still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(service.end_event().await.metadata["reason"], "\"CLIENT_LEFT\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_arrive_and_the_snapshot_ends() {
    let Some(db) = TestDb::postgres() else { return };
    let service = service(&db).await;
    let stream = service.client().export_backup(noise()).await.unwrap().into_inner();
    let received = receive(stream).await.unwrap();
    assert_eq!(received.trailer.rows, 300_000);
    assert_eq!(db.number(OPEN), 0);
}

fn noise() -> strongroom_api::backup::v1::ExportBackupRequest {
    strongroom_api::backup::v1::ExportBackupRequest { tables: vec!["noise".into()], ..plain() }
}
