//! Snapshots with concurrent writers, dropped readers, missing rights and wrong names.
//!
//! The PostgreSQL half needs `TEST_DATABASE_URL`: a superuser's URL on a server where databases may be created.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::database::{FreshDatabase, create_sqlite, run_sqlite};
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Block, Error, Kind, Since, SnapshotOptions, list_tables, open_snapshot};
use tokio::sync::mpsc;

const ROWS: u64 = 50_000;
const CREATE: &str =
    "CREATE TABLE a (id integer PRIMARY KEY, t text); CREATE TABLE b (id integer PRIMARY KEY, t text);";
/// Deletes, changes and adds rows on every page of both tables.
const CHURN: &str = "DELETE FROM a WHERE id % 2 = 0; UPDATE a SET t = 'changed'; INSERT INTO a SELECT id + 1000000, 'new' FROM a;
    DELETE FROM b; INSERT INTO b VALUES (-1, 'new');";

fn options(only: &[&str]) -> SnapshotOptions {
    let only = (!only.is_empty()).then(|| only.iter().map(|name| (*name).to_owned()).collect());
    SnapshotOptions { only, ..SnapshotOptions::new("shop") }
}

/// Reads `a` through a tiny channel, runs `churn` after the first block, then reads the rest and `b`.
async fn read_while<C: Future<Output = ()>>(url: &str, churn: C) {
    let url = DatabaseUrl::parse(url).unwrap();
    let mut snapshot = open_snapshot(&url, &options(&[])).await.unwrap();
    let (blocks, mut received) = mpsc::channel::<Block>(1);
    let reader = tokio::spawn(async move {
        let a = snapshot.read_table("a", None, &blocks).await.unwrap();
        let b = snapshot.read_table("b", None, &blocks).await.unwrap();
        snapshot.close().await;
        (a, b)
    });
    let mut text = String::from_utf8(received.recv().await.unwrap().bytes.to_vec()).unwrap();
    churn.await;
    while let Some(block) = received.recv().await {
        text.push_str(",\n");
        text.push_str(std::str::from_utf8(&block.bytes).unwrap());
    }
    assert_eq!(reader.await.unwrap(), (ROWS, ROWS));
    let rows: Vec<(u64, String)> =
        serde_json::from_str::<Vec<BTreeMap<String, Box<RawValue>>>>(&format!("[{text}]"))
            .unwrap()
            .iter()
            .map(|row| (row["id"].get().parse().unwrap(), row["t"].get().to_owned()))
            .collect();
    let (a, b) = rows.split_at(usize::try_from(ROWS).unwrap());
    for table in [a, b] {
        let mut ids: Vec<u64> = table.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        assert!(ids.iter().copied().eq(1..=ROWS));
        assert!(table.iter().all(|(_, t)| t.starts_with("\"old ")));
    }
}

#[tokio::test]
async fn writers_do_not_tear_a_postgres_snapshot() {
    let Some(database) = FreshDatabase::create("tear").await else { return };
    let fill = "SELECT i, 'old ' || repeat('x', 100) FROM generate_series(1, 50000) AS i";
    database.run(&format!("{CREATE} INSERT INTO a {fill}; INSERT INTO b {fill};")).await;
    read_while(&database.url, database.run(CHURN)).await;
    database.drop().await;
}

#[tokio::test]
async fn writers_do_not_tear_a_sqlite_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let mut connection = create_sqlite(&path).await;
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
        SELECT i, 'old ' || hex(zeroblob(50)) FROM n";
    let sql = format!("PRAGMA journal_mode = wal; {CREATE} INSERT INTO a {fill}; INSERT INTO b {fill};");
    run_sqlite(&mut connection, &sql).await;
    let churn = async { run_sqlite(&mut connection, CHURN).await };
    read_while(&format!("sqlite:{}", path.display()), churn).await;
}

/// A restore's staging tables are neither listed nor reported as left out: they are not the application's.
#[tokio::test]
async fn the_tables_of_restores_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let mut connection = create_sqlite(&path).await;
    let staged = format!(
        "{CREATE} CREATE TABLE _strongroom_undo_a (id); CREATE TABLE _Strongroom_b (id); \
         CREATE TABLE strongroom (id);"
    );
    run_sqlite(&mut connection, &staged).await;
    let mut urls = vec![(format!("sqlite:{}", path.display()), vec!["a", "b", "strongroom"])];
    let database = FreshDatabase::create("stages").await;
    if let Some(database) = &database {
        database
            .run(&format!("{CREATE} CREATE SCHEMA strongroom; CREATE TABLE strongroom.undo_a (id int);"))
            .await;
        urls.push((database.url.clone(), vec!["a", "b"]));
    }
    for (url, expected) in urls {
        let url = DatabaseUrl::parse(&url).unwrap();
        let snapshot = open_snapshot(&url, &options(&[])).await.unwrap();
        let names: Vec<_> = snapshot.tables().iter().map(|table| table.name.clone()).collect();
        assert_eq!(names, expected);
        assert!(snapshot.info().skipped.is_empty(), "{:?}", snapshot.info().skipped);
        snapshot.close().await;
    }
    if let Some(database) = database {
        database.drop().await;
    }
}

/// Waits until none of our sessions is left. The server decides when it notices; the limit ends a test that hangs.
async fn expect_no_backend(database: &FreshDatabase) {
    let mut connection = database.connect().await;
    let started = Instant::now();
    loop {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'strongroom' AND datname = current_database()",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        if count == 0 {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{count} backends are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_dropped_snapshot_leaves_no_backend() {
    let Some(database) = FreshDatabase::create("dropped").await else { return };
    database
        .run("CREATE TABLE a AS SELECT i AS id, repeat('x', 1000) AS t FROM generate_series(1, 100000) AS i")
        .await;
    let url = DatabaseUrl::parse(&database.url).unwrap();

    let idle = open_snapshot(&url, &options(&[])).await.unwrap();
    drop(idle);
    expect_no_backend(&database).await;

    // During a COPY that nobody reads.
    let mut stuck = open_snapshot(&url, &options(&[])).await.unwrap();
    let (blocks, mut received) = mpsc::channel::<Block>(1);
    let read = tokio::spawn(async move { stuck.read_table("a", None, &blocks).await.map(drop) });
    received.recv().await.unwrap();
    read.abort();
    assert!(read.await.unwrap_err().is_cancelled());
    expect_no_backend(&database).await;

    // The receiver goes away, and the reader reports that.
    let mut left = open_snapshot(&url, &options(&[])).await.unwrap();
    let (blocks, received) = mpsc::channel::<Block>(1);
    drop(received);
    let error = left.read_table("a", None, &blocks).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    drop(left);
    expect_no_backend(&database).await;
    database.drop().await;
}

#[tokio::test]
async fn a_table_that_vanishes_or_is_locked_is_named() {
    let Some(database) = FreshDatabase::create("vanish").await else { return };
    database.run(CREATE).await;
    let url = DatabaseUrl::parse(&database.url).unwrap();
    let mut other = database.connect().await;

    sqlx::raw_sql("BEGIN; DROP TABLE public.b").execute(&mut other).await.unwrap();
    let all = options(&[]);
    let (opened, ()) = tokio::join!(open_snapshot(&url, &all), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    });
    let error = opened.err().unwrap();
    assert!(matches!(&error, Error::Vanished { table, .. } if table == "b"), "{error}");

    sqlx::raw_sql("BEGIN; ALTER TABLE public.a ADD COLUMN c integer").execute(&mut other).await.unwrap();
    let error = open_snapshot(&url, &all).await.err().unwrap();
    assert!(matches!(&error, Error::LockTimeout { table, .. } if table == "a"), "{error}");
    assert_eq!(error.kind(), Kind::Unavailable);
    drop(other);
    database.drop().await;
}

#[tokio::test]
async fn missing_rights_name_the_table_and_the_grant() {
    let Some(database) = FreshDatabase::create("denied").await else { return };
    let role = format!("strongroom_reader_{}", std::process::id());
    let sql = format!(
        "{CREATE} CREATE SCHEMA hidden; CREATE TABLE hidden.c (id integer); CREATE TABLE d (id integer);
         ALTER TABLE d ENABLE ROW LEVEL SECURITY;
         CREATE ROLE {role} LOGIN PASSWORD 'only-a-test'; GRANT SELECT ON a, d, hidden.c TO {role}"
    );
    database.run(&sql).await;
    let (_, place) = database.url.rsplit_once('@').unwrap();
    let url = DatabaseUrl::parse(&format!("postgres://{role}:only-a-test@{place}")).unwrap();

    for (table, advice) in [
        ("b", format!("GRANT SELECT ON \"public\".\"b\" TO \"{role}\"")),
        ("hidden.c", format!("GRANT USAGE ON SCHEMA \"hidden\" TO \"{role}\"")),
        ("d", "row security would hide rows".to_owned()),
    ] {
        let error = open_snapshot(&url, &options(&[table])).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Permission);
        let text = error.to_string();
        assert!(
            text.contains(&format!("has no right to read table {table};")) && text.contains(&advice),
            "{text}"
        );
    }
    open_snapshot(&url, &options(&["a"])).await.unwrap().close().await;
    let server = std::env::var("TEST_DATABASE_URL").unwrap();
    database.drop().await;
    let mut connection = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("DROP ROLE {role}"))).execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = DatabaseUrl::sqlite_file(folder.path().join("none.db")).unwrap();
    let error = list_tables(&nowhere, &options(&[])).await.unwrap_err();
    assert!(matches!(error, Error::NotThere { .. }), "{error}");
    assert!(!folder.path().join("none.db").exists());

    let closed = DatabaseUrl::parse("postgres://app:hunter2@127.0.0.1:1/app").unwrap();
    let error = list_tables(&closed, &options(&[])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let text = error.to_string();
    assert!(
        text.starts_with("cannot reach the database postgres://app@127.0.0.1:1/app of source shop: "),
        "{text}"
    );

    let path = folder.path().join("shop.db");
    run_sqlite(&mut create_sqlite(&path).await, CREATE).await;
    let url = DatabaseUrl::sqlite_file(&path).unwrap();
    let error = open_snapshot(&url, &options(&["a", "ghost"])).await.err().unwrap();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.to_string().contains("\"ghost\""), "{error}");
    let exclude = vec!["a".to_owned(), "ghost".to_owned()];
    let mut snapshot =
        open_snapshot(&url, &SnapshotOptions { exclude, ..options(&["a", "b"]) }).await.unwrap();
    assert_eq!(snapshot.tables().len(), 1);
    assert_eq!(snapshot.count_kids("b", "ghost").await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(snapshot.count_kids("a", "t").await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn text_that_is_not_utf8_keeps_its_bytes() {
    let Some(database) = FreshDatabase::create_with("ascii", "SQL_ASCII").await else { return };
    database.run(r"CREATE TABLE a (t text); INSERT INTO a VALUES (E'\xff')").await;
    let url = DatabaseUrl::parse(&database.url).unwrap();
    let mut snapshot = open_snapshot(&url, &options(&[])).await.unwrap();
    assert_eq!(snapshot.outside().encoding, "SQL_ASCII");
    let (blocks, mut received) = mpsc::channel::<Block>(1);
    snapshot.read_table("a", None, &blocks).await.unwrap();
    assert_eq!(received.recv().await.unwrap().bytes, &br#"{"t":{"$text":"/w=="}}"#[..]);
    snapshot.close().await;
    database.drop().await;
}

const SEALED: &str = "CREATE TABLE sealed (id integer PRIMARY KEY, secret text);
    INSERT INTO sealed VALUES (1, 'srv1.00000000000000aa.xyz'), (2, 'srv1.00000000000000bb.xyz'),
        (3, 'srv1.00000000000000aa.zyx'), (4, 'plain'), (5, NULL), (6, 'SRV1.00000000000000aa.xyz');";
const TIMES: &str = "CREATE TABLE times (id integer PRIMARY KEY, n integer, d date, ts timestamp, tx text);
    INSERT INTO times VALUES
        (1, 1, '2024-02-28', '2024-02-28 23:59:59.999', '2024-02-28T23:59:59Z'),
        (2, 2, '2024-02-29', '2024-02-29 12:00:00', '2024-02-29T12:00:00Z'),
        (3, 3, '2024-03-01', '2024-02-29 12:00:00.001', '2024-02-29 12:00:01'),
        (4, 4, NULL, NULL, NULL);";
/// 2024-02-29 12:00:00 UTC.
const FROM: i64 = 1_709_208_000_000_000;

async fn kids_and_times(url: &str, by_date: u64) {
    let url = DatabaseUrl::parse(url).unwrap();
    let mut snapshot = open_snapshot(&url, &options(&[])).await.unwrap();
    let kids = snapshot.count_kids("sealed", "secret").await.unwrap();
    assert_eq!(kids, [("00000000000000aa".to_owned(), 2), ("00000000000000bb".to_owned(), 1)]);
    let (blocks, mut received) = mpsc::channel::<Block>(100);
    for (column, count) in [("d", by_date), ("ts", 2), ("tx", 2)] {
        let since = Since { column: column.to_owned(), from: FROM };
        assert_eq!(snapshot.read_table("times", Some(&since), &blocks).await.unwrap(), count, "{column}");
        received.recv().await.unwrap();
    }
    for (column, kind) in [("n", Kind::Precondition), ("ghost", Kind::NotFound)] {
        let since = Since { column: column.to_owned(), from: FROM };
        let error = snapshot.read_table("times", Some(&since), &blocks).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    // A table without rows in range sends no block, and the snapshot can still be used.
    let since = Since { column: "ts".to_owned(), from: i64::from(u32::MAX) * 1_000_000 };
    assert_eq!(snapshot.read_table("times", Some(&since), &blocks).await.unwrap(), 0);
    assert!(received.try_recv().is_err());
    snapshot.close().await;
}

#[tokio::test]
async fn postgres_counts_kids_and_reads_since() {
    let Some(database) = FreshDatabase::create("since").await else { return };
    database.run(&format!("{SEALED} {TIMES}")).await;
    kids_and_times(&database.url, 2).await;
    database.run("CREATE SCHEMA app; CREATE TABLE app.sealed (id integer)").await;
    let url = DatabaseUrl::parse(&database.url).unwrap();
    let only_app = SnapshotOptions { schemas: vec!["app".to_owned()], ..options(&[]) };
    let tables = list_tables(&url, &only_app).await.unwrap();
    assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["app.sealed"]);
    let wrong = SnapshotOptions { schemas: vec!["ghost".to_owned()], ..options(&[]) };
    assert_eq!(list_tables(&url, &wrong).await.unwrap_err().kind(), Kind::NotFound);
    database.drop().await;
}

#[tokio::test]
async fn sqlite_counts_kids_and_reads_since() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let mut connection = create_sqlite(&path).await;
    run_sqlite(&mut connection, &format!("{SEALED} {TIMES}")).await;
    kids_and_times(&format!("sqlite:{}", path.display()), 2).await;
    // A value that SQLite cannot parse as a time is kept.
    run_sqlite(&mut connection, "INSERT INTO times (id, ts) VALUES (9, 'yesterday')").await;
    let url = DatabaseUrl::sqlite_file(&path).unwrap();
    let mut snapshot = open_snapshot(&url, &options(&["times"])).await.unwrap();
    let (blocks, _received) = mpsc::channel::<Block>(100);
    let since = Since { column: "ts".to_owned(), from: FROM };
    assert_eq!(snapshot.read_table("times", Some(&since), &blocks).await.unwrap(), 3);
}
