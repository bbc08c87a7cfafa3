//! Values are replaced under every kind of key: each row is found once and changed once, but never if it has changed
//! meanwhile.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use strongroom_store::Engine;
use strongroom_tables::reencrypt::{Change, Page, Rewriter, RowKey, SealedColumn, Walk};
use strongroom_tables::{Error, SnapshotOptions};
use strongroom_testkit::TestDb;

const OLD: &str = "00000000000000aa";
const NEW: &str = "00000000000000bb";
const ROWS: u64 = 20;
const VALUE: &str = "'srv1.00000000000000aa.' || n";

fn column() -> SealedColumn {
    SealedColumn { table: "t".into(), column: "sealed".into(), needed: vec!["note".into()] }
}

async fn open(db: &TestDb) -> Result<Rewriter, Error> {
    Rewriter::open(&db.url(), &SnapshotOptions::new("shop"), &[column()]).await
}

async fn page(rewriter: &mut Rewriter, after: Option<&RowKey>, rows: u32) -> Page {
    rewriter.page(0, Walk { after, rows, kid: NEW, longest: 100 }).await.unwrap()
}

/// Every value to be replaced, read in pages of seven rows.
async fn changes(rewriter: &mut Rewriter) -> Vec<Change> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Page { values, end, .. } = page(rewriter, after.as_ref(), 7).await;
        for value in values {
            let old = value.text.unwrap();
            assert_eq!(value.needed[0].get(), format!("\"n{}\"", old.rsplit('.').next().unwrap()));
            let new = old.replace(OLD, NEW);
            all.push(Change { key: value.key, old, new });
        }
        match end {
            Some(end) => after = Some(end),
            None => return all,
        }
    }
}

/// Scans, replaces, and then finds nothing more; values that have changed meanwhile stay.
async fn exchange(db: &TestDb, shape: &str) {
    let mut rewriter = open(db).await.unwrap();
    let found = changes(&mut rewriter).await;
    let values: BTreeSet<&str> = found.iter().map(|change| change.old.as_str()).collect();
    assert_eq!((found.len() as u64, values.len() as u64), (ROWS, ROWS), "{shape}");
    db.run("UPDATE t SET sealed = 'srv1.00000000000000bb.live' WHERE note = 'n3'");
    db.run("DELETE FROM t WHERE note = 'n4'");
    assert_eq!(rewriter.replace(0, &found).await.unwrap(), ROWS - 2, "{shape}");
    assert_eq!(rewriter.replace(0, &found).await.unwrap(), 0, "{shape}");
    assert!(changes(&mut rewriter).await.is_empty(), "{shape}");
    assert_eq!(
        db.number("SELECT count(*) FROM t WHERE sealed LIKE 'srv1.00000000000000bb.%'"),
        19,
        "{shape}"
    );
    assert_eq!(db.text("SELECT sealed FROM t WHERE note = 'n3'"), "srv1.00000000000000bb.live", "{shape}");
    rewriter.close().await;
}

/// `n` goes from 1 to 20.
fn fill(columns: &str, keys: &str) -> String {
    format!(
        "INSERT INTO t ({columns}, note, sealed)
         SELECT {keys}, 'n' || n, {VALUE} FROM
         (WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) SELECT n FROM s) AS s"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_rows_are_found_by_any_key() {
    for (key, keys, more) in [
        ("k INTEGER PRIMARY KEY", "n * -3", ""),
        ("k INTEGER PRIMARY KEY DESC", "9223372036854775807 - n", ""),
        ("k TEXT PRIMARY KEY COLLATE NOCASE", "'it''s \"' || char(13, 960, 39) || n", ""),
        ("k TEXT PRIMARY KEY", "'a' || char(0) || n", ""),
        ("k TEXT PRIMARY KEY", "CAST(x'80ff' AS TEXT) || n", ""),
        ("k BLOB PRIMARY KEY NOT NULL", "CAST('b' || n AS BLOB)", "WITHOUT ROWID"),
        ("k REAL PRIMARY KEY", "n / 3.0", ""),
        ("k REAL PRIMARY KEY", "iif(n = 1, -9e999, iif(n = 2, 9e999, n * 1e300))", ""),
        (
            "k PRIMARY KEY",
            "CASE n % 4 WHEN 0 THEN n WHEN 1 THEN n + 0.5 WHEN 2 THEN 't' || n ELSE CAST('b' || n AS BLOB) END",
            "",
        ),
    ] {
        let db = TestDb::sqlite();
        db.run(&format!("CREATE TABLE t ({key}, note TEXT, sealed TEXT COLLATE NOCASE) {more}"));
        db.run(&fill("k", keys));
        exchange(&db, &format!("{key} {keys}")).await;
    }
    let db = TestDb::sqlite();
    db.run("CREATE TABLE t (b INTEGER, a TEXT, note TEXT, sealed TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID");
    db.run(&fill("a, b", "'a' || n % 3, n"));
    exchange(&db, "two parts").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_rows_are_found_by_any_key() {
    let shapes = [
        ("k bigint", "n * -3"),
        ("k varchar(30) COLLATE \"C\"", "'it''s \"' || chr(960) || n"),
        ("k char(10)", "'c' || n"),
        ("k uuid", "('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid"),
        ("k timestamptz", "'2026-03-29 00:59:59.123456+00'::timestamptz + n * interval '1 hour'"),
        ("k numeric", "n / 3.0"),
        ("k float8", "CASE n WHEN 1 THEN '-Infinity' WHEN 2 THEN 'NaN' ELSE n / 3.0 END::float8"),
        ("k bytea", "('\\xff0' || n % 10 || lpad(n::text, 2, '0'))::bytea"),
        ("k mood", "((enum_range(NULL::mood))[n])"),
        ("k positive", "n::positive"),
        ("k inet", "('10.0.0.' || n)::inet"),
    ];
    for (key, keys) in shapes {
        let Some(db) = TestDb::postgres() else { return };
        let moods: Vec<String> = (1..=ROWS).map(|n| format!("'m{n}'")).collect();
        db.run(&format!("CREATE TYPE mood AS ENUM ({})", moods.join(", ")));
        db.run("CREATE DOMAIN positive AS bigint CHECK (value > 0)");
        db.run(&format!("CREATE TABLE t ({key} PRIMARY KEY, note text, sealed varchar(100))"));
        db.run(&fill("k", keys));
        exchange(&db, key).await;
    }
    let Some(db) = TestDb::postgres() else { return };
    db.run("CREATE TABLE t (b bigint, a text, note text, sealed text, PRIMARY KEY (a, b)) PARTITION BY RANGE (b)");
    db.run(
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9); CREATE TABLE t2 PARTITION OF t DEFAULT",
    );
    db.run(&fill("a, b", "'a' || n % 3, n"));
    exchange(&db, "a partitioned table").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_somebody_holds_is_passed_over() {
    let Some(db) = TestDb::postgres() else { return };
    db.run("CREATE TABLE t (k bigint PRIMARY KEY, note text, sealed text)");
    db.run(&fill("k", "n"));
    let Engine::Postgres(options) = db.url().engine().clone() else { return };
    let mut other = PgConnection::connect_with(&options).await.unwrap();
    let hold = "BEGIN; UPDATE t SET sealed = 'srv1.00000000000000bb.live' WHERE k IN (5, 9)";
    sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut other).await.unwrap();
    let mut rewriter = open(&db).await.unwrap();
    let found = changes(&mut rewriter).await;
    let began = Instant::now();
    assert_eq!(rewriter.replace(0, &found).await.unwrap(), ROWS - 2);
    assert!(began.elapsed() < Duration::from_secs(2), "it waited for {:?}", began.elapsed());
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(rewriter.replace(0, &found).await.unwrap(), 0, "the other's values are newer");
    assert!(changes(&mut rewriter).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn long_values_cut_a_page_and_too_long_ones_are_not_read() {
    for db in TestDb::each() {
        db.run("CREATE TABLE t (k bigint PRIMARY KEY, note text, sealed text)");
        let wide = format!("'srv1.{OLD}.{}'", "x".repeat(700_000));
        db.run(&format!(
            "INSERT INTO t VALUES (1, 'a', {wide}), (2, 'a', {wide}), (3, 'a', {wide}), (4, 'a', {wide})"
        ));
        db.run("INSERT INTO t VALUES (5, 'a', ''), (6, 'a', NULL), (7, 'a', 'srv1.00000000000000bb.x')");
        let mut rewriter = open(&db).await.unwrap();
        let walk = |after, longest| Walk { after, rows: 100, kid: NEW, longest };
        let first = rewriter.page(0, walk(None, 1 << 20)).await.unwrap();
        assert!(first.is_cut && first.values.len() == 3, "{first:?}");
        let rest = rewriter.page(0, walk(first.end.as_ref(), 1 << 20)).await.unwrap();
        let seen: Vec<_> =
            rest.values.iter().map(|value| (value.key.to_string(), value.text.is_some())).collect();
        assert_eq!(seen, [("4".to_owned(), true), ("5".to_owned(), false)]);
        let short = rewriter.page(0, walk(None, 100)).await.unwrap();
        let counted: Vec<_> =
            short.values.iter().map(|value| (value.text.is_some(), value.is_counted)).collect();
        assert_eq!(counted, [(false, true), (false, true), (false, true), (false, true), (false, false)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_walked_or_written_is_refused() {
    for (table, refused) in [
        ("CREATE TABLE t (k bigint, note text, sealed text)", "no primary key"),
        ("CREATE TABLE t (k bigint PRIMARY KEY, note text)", "no column \"sealed\""),
        ("CREATE TABLE t (k bigint PRIMARY KEY, sealed text)", "no column \"note\""),
        ("CREATE TABLE other (k bigint PRIMARY KEY)", "no table \"t\""),
        ("CREATE TABLE t (note text, sealed text PRIMARY KEY)", "part of the primary key"),
        (
            "CREATE TABLE t (k bigint PRIMARY KEY, note text, sealed text GENERATED ALWAYS AS (note) STORED)",
            "computes it",
        ),
    ] {
        for db in TestDb::each() {
            db.run(table);
            let error = open(&db).await.err().unwrap().to_string();
            assert!(error.contains(refused) && error.contains("shop"), "{table}: {error}");
        }
    }
    let db = TestDb::sqlite();
    db.run("CREATE TABLE t (a text, b text, note text, sealed text, PRIMARY KEY (a, b))");
    db.run("INSERT INTO t VALUES ('x', NULL, 'n', NULL)");
    let error = open(&db).await.err().unwrap();
    assert!(matches!(&error, Error::NullInKey { table, .. } if table == "t"), "{error}");
}
