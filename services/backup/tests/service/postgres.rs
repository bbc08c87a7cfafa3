//! PostgreSQL, where a disconnected client must not leave a transaction behind.

use std::time::{Duration, Instant};

use strongroom_testkit::TestDb;
use tonic::Code;

use crate::support::{FakeVault, Received, Service, database, failure, plain, receive};

/// Some 60 MB that do not compress well.
const ROWS: &str = "CREATE TABLE noise AS SELECT i AS id, md5(i::text) || md5((i + 1)::text) AS a, \
    md5((i + 2)::text) || md5((i + 3)::text) AS b FROM generate_series(1, 300000) AS i";

const OPEN: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL \
    AND backend_type = 'client backend'";

async fn service(db: &TestDb, backup: &str) -> Service {
    db.run(ROWS);
    let source = format!("[[sources]]\nname = 'platform'\nkind = 'postgres'\nurl = '{}'", db.url_text());
    Service::start(database::folder().await, FakeVault::start().await, backup, &source).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_leaves_no_transaction() {
    let Some(db) = TestDb::postgres() else { return };
    let service = service(&db, "").await;
    let mut stream = service.client().export_backup(noise()).await.unwrap().into_inner();
    for _ in 0..3 {
        stream.message().await.unwrap().unwrap();
    }
    assert_eq!(db.number(OPEN), 1, "the snapshot is open");
    drop(stream);
    released(&db).await;
    assert_eq!(service.end_event().await.metadata["reason"], "\"CLIENT_LEFT\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_arrive_and_the_snapshot_ends() {
    let Some(db) = TestDb::postgres() else { return };
    let service = service(&db, "").await;
    let stream = service.client().export_backup(noise()).await.unwrap().into_inner();
    let received = receive(stream).await.unwrap();
    assert_eq!(received.trailer.rows, 300_000);
    // The server ends a connection a moment after its client.
    released(&db).await;
}

fn noise() -> strongroom_api::backup::v1::ExportBackupRequest {
    strongroom_api::backup::v1::ExportBackupRequest { tables: vec!["noise".into()], ..plain() }
}

/// Waits until no transaction but the query's own is open.
async fn released(db: &TestDb) {
    let began = Instant::now();
    while db.number(OPEN) > 0 {
        // This takes no time, except on a machine under load.
        assert!(began.elapsed() < Duration::from_secs(60), "a transaction is still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_client_does_not_hold_the_snapshot() {
    let Some(db) = TestDb::postgres() else { return };
    let service = service(&db, "stall_seconds = 1").await;
    let stream = service.client().export_backup(noise()).await.unwrap().into_inner();
    assert_eq!(service.end_event().await.metadata["reason"], "\"CLIENT_STALLED\"");
    released(&db).await;
    assert_eq!(failure(stream).await.code(), Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_holds_the_snapshot_until_the_absolute_limit() {
    let Some(db) = TestDb::postgres() else { return };
    let service = service(&db, "export_limit_seconds = 2").await;
    let mut stream = service.client().export_backup(noise()).await.unwrap().into_inner();
    let status = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        match stream.message().await {
            Ok(message) => drop(message.expect("no end without a trailer")),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("use a stored backup"), "{}", status.message());
    released(&db).await;
    assert_eq!(service.end_event().await.metadata["reason"], "\"EXPORT_TOO_LONG\"");
}

/// A database in which a role of this process can read `orders` but not `private`; it also has a table `old`.
struct FewRights {
    db: TestDb,
    role: String,
}

impl FewRights {
    fn create() -> Option<Self> {
        let db = TestDb::postgres()?;
        let role = format!("strongroom_few_rights_{}", std::process::id());
        db.run(&format!(
            "CREATE TABLE orders (id integer); CREATE TABLE private (id integer); CREATE TABLE old (id integer);
             INSERT INTO orders VALUES (1); CREATE ROLE {role} LOGIN PASSWORD 'only-a-test';
             GRANT SELECT ON orders TO {role}"
        ));
        Some(Self { db, role })
    }

    /// A service that reads the database as this role and leaves out `excluded`.
    async fn serve(&self, excluded: &str) -> Service {
        let (_, place) = self.db.url_text().rsplit_once('@').unwrap();
        let url = format!("postgres://{}:only-a-test@{place}", self.role);
        let source =
            format!("[[sources]]\nname = 'shop'\nkind = 'postgres'\nurl = '{url}'\nexclude = [{excluded}]");
        Service::start(database::folder().await, FakeVault::start().await, "", &source).await
    }
}

impl Drop for FewRights {
    fn drop(&mut self) {
        let role = &self.role;
        self.db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
}

async fn orders(service: &Service) -> Received {
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    receive(stream).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_table_may_be_dropped_while_the_service_runs() {
    let Some(few) = FewRights::create() else { return };
    let service = few.serve("'private', 'old'").await;
    let before = orders(&service).await.trailer;
    few.db.run("DROP TABLE old");
    let after = orders(&service).await.trailer;
    // The tables of the vault and of the sample database, and `orders`.
    assert_eq!((after.tables, after.rows), (before.tables, before.rows));
    service.stop().await.unwrap();

    let refused = few.serve("'private', 'old'").await.refusal().await;
    assert!(refused.contains("source shop has no table \"old\", which is to be excluded"), "{refused}");
    orders(&few.serve("'private'").await).await;
    // Without the exclusion, the unreadable table fails the whole export.
    let service = few.serve("").await;
    let status = failure(service.client().export_backup(plain()).await.unwrap().into_inner()).await;
    assert!(status.message().contains("private"), "{status:?}");
}
