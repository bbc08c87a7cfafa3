//! SQLite: schemas that need their application, inner tables, files that are not readable yet, long rows.

use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Error, Kind, MigrationsTable, Since, SnapshotOptions, list_tables, open_snapshot};

use crate::database::{create_sqlite, run_sqlite};
use crate::field::{everything, excluding, read, skipped};

struct File {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    async fn create(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.db");
        let mut connection = create_sqlite(&path).await;
        run_sqlite(&mut connection, sql).await;
        connection.close().await.unwrap();
        Self { folder, path }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    async fn connect(&self) -> SqliteConnection {
        create_sqlite(&self.path).await
    }
}

fn copying() -> SnapshotOptions {
    SnapshotOptions { temp_copy: true, ..everything() }
}

/// Writes a statement into the schema unchecked: this simulates an application whose function we do not have.
async fn plant(file: &File, table: &str, sql: &str) {
    let mut connection = file.connect().await;
    let sql = sql.replace('\'', "''");
    run_sqlite(
        &mut connection,
        &format!(
            "PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = '{sql}' WHERE name = '{table}'"
        ),
    )
    .await;
    connection.close().await.unwrap();
}

/// Collations of an index, of an expression in it, and quoted ones; in a UTF-16 database too.
#[tokio::test]
async fn unknown_collations_do_not_matter() {
    for encoding in ["UTF-8", "UTF-16le"] {
        let file = File::create(&format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE t (a TEXT, b TEXT COLLATE nocase, PRIMARY KEY (a, b)) WITHOUT ROWID;
             CREATE UNIQUE INDEX i ON t (b COLLATE binary, lower(a)); INSERT INTO t VALUES ('y', '1'), ('X', '2')"
        ))
        .await;
        let table = "CREATE TABLE t (a TEXT collate/**/\"My Order\", b TEXT COLLATE [LOCALIZED], PRIMARY KEY (a, b)) WITHOUT ROWID";
        plant(&file, "t", table).await;
        plant(&file, "i", "CREATE UNIQUE INDEX i ON t (b COLLATE unicase, lower(a) COLLATE 'accents')").await;
        for options in [everything(), copying()] {
            let (mut rows, info) = read(&file.url(), &options, "t", None).await.unwrap();
            rows.sort();
            assert_eq!(rows, [r#"{"a":"X","b":"2"}"#, r#"{"a":"y","b":"1"}"#]);
            assert!(info.skipped.is_empty(), "{info:?}");
        }
    }
}

/// A function of the application, and a value in one row for which the expression fails.
#[tokio::test]
async fn generated_columns_that_cannot_be_read_are_named() {
    let file = File::create(
        "CREATE TABLE t (a TEXT, n INTEGER, b AS (upper(a)) UNIQUE, c AS (n), d AS (lower(a)), e AS (upper(a)) STORED);
         INSERT INTO t (a, n) VALUES ('x', 1), ('y', -2), ('z', -9223372036854775808); CREATE INDEX i ON t (c);",
    )
    .await;
    // The smallest integer has no absolute value.
    plant(
        &file,
        "t",
        "CREATE TABLE t (a TEXT, n INTEGER, b AS (app_fold(a)) UNIQUE, c AS (abs(n)), d AS (lower(a)), e AS (app_fold(a)) STORED)",
    )
    .await;
    let (rows, info) = read(&file.url(), &everything(), "t", None).await.unwrap();
    assert_eq!(rows[0], r#"{"a":"x","n":1,"d":"x","e":"X"}"#);
    assert_eq!(rows.len(), 3);
    let named = skipped(&info);
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named[0].starts_with("t.b: generated column") && named[0].contains("app_fold"), "{named:?}");
    assert!(named[1].starts_with("t.c: generated column"), "{named:?}");
    let url = DatabaseUrl::parse(&file.url()).unwrap();
    let listed = list_tables(&url, &everything()).await.unwrap();
    assert!(listed[0].columns.iter().all(|column| column.name != "b") && listed[0].unique().next().is_none());
}

/// A temporary copy runs the schema's statements, and an index can call a function that only the application has.
#[tokio::test]
async fn a_database_that_cannot_be_copied_is_read_in_place() {
    let file =
        File::create("CREATE TABLE t (a TEXT); CREATE INDEX i ON t (upper(a)); INSERT INTO t VALUES ('x')")
            .await;
    plant(&file, "i", "CREATE INDEX i ON t (app_fold(a))").await;
    let (rows, info) = read(&file.url(), &copying(), "t", None).await.unwrap();
    assert_eq!((rows.len(), info.kind), (1, "read-transaction"));
}

/// Every kind of full-text table, and a table of another module, for which the inner tables are the only data.
#[tokio::test]
async fn inner_tables_that_cannot_be_derived_are_exported() {
    let file = File::create(
        "CREATE TABLE posts_content (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO posts_content VALUES (1, 'by a person');
         CREATE VIRTUAL TABLE posts USING fts5(body, content='posts_content', content_rowid='id');
         CREATE VIRTUAL TABLE notes USING fts4(body, prefix=\"2\"); INSERT INTO notes VALUES ('the only copy');
         CREATE VIRTUAL TABLE words USING fts5(body, content=''); INSERT INTO words (rowid, body) VALUES (1, 'only indexed');
         CREATE VIRTUAL TABLE boxes USING rtree(id, a, b); INSERT INTO boxes VALUES (1, 0, 1);",
    )
    .await;
    let url = DatabaseUrl::parse(&file.url()).unwrap();
    let snapshot = open_snapshot(&url, &everything()).await.unwrap();
    let tables: Vec<&str> = snapshot.tables().iter().map(|table| table.name.as_str()).collect();
    let expected = [
        "boxes_node",
        "boxes_parent",
        "boxes_rowid",
        "notes_content",
        "posts_config",
        "posts_content",
        "words_config",
        "words_data",
        "words_docsize",
        "words_idx",
    ];
    assert_eq!(tables, expected);
    let named = skipped(snapshot.info());
    let expected = [
        "boxes: virtual table of rtree: its content is in its inner tables",
        "notes_docsize: index of the virtual table notes: derived from notes_content",
        "posts_data: index of the virtual table posts: derived from posts_content",
    ];
    for expected in expected {
        assert!(named.iter().any(|named| named == expected), "{named:?}");
    }
    let (rows, _) = read(&file.url(), &everything(), "notes_content", None).await.unwrap();
    assert_eq!(rows, [r#"{"docid":1,"c0body":"the only copy"}"#]);
}

#[tokio::test]
async fn data_outside_of_tables_is_read() {
    let file = File::create(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (9876543210987); DELETE FROM t;
         CREATE TABLE migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, migration TEXT);
         INSERT INTO migrations (migration) VALUES ('2025_b'), ('2024_a'), (NULL);
         UPDATE sqlite_sequence SET seq = 'soon' WHERE name = 'migrations';
         CREATE VIEW v AS SELECT id FROM t;
         PRAGMA user_version = 42; PRAGMA application_id = -7;",
    )
    .await;
    let url = DatabaseUrl::parse(&file.url()).unwrap();
    let migrations = Some(MigrationsTable { table: "migrations".to_owned(), column: None });
    let snapshot = open_snapshot(&url, &SnapshotOptions { migrations, ..everything() }).await.unwrap();
    let outside = snapshot.outside();
    let [sequence] = &outside.sequences[..] else { panic!("{outside:?}") };
    assert_eq!((&*sequence.name, sequence.last_value), ("t", 9_876_543_210_987));
    assert_eq!((outside.user_version, outside.application_id), (Some(42), Some(-7)));
    assert_eq!(outside.encoding, "UTF-8");
    assert_eq!(outside.migrations.as_ref().unwrap().ids, ["2024_a", "2025_b"]);
    assert_eq!(outside.schema.views[0].definition, "CREATE VIEW v AS SELECT id FROM t");
    let named = skipped(snapshot.info());
    assert_eq!(
        named,
        ["sqlite_sequence.migrations: the value of AUTOINCREMENT is \"soon\", which is not a number"]
    );
    snapshot.close().await;
}

#[tokio::test]
async fn the_table_of_migrations_must_be_there_and_have_ids() {
    let file = File::create("CREATE TABLE a (x, y); CREATE TABLE b (x, PRIMARY KEY (x))").await;
    let url = DatabaseUrl::parse(&file.url()).unwrap();
    let listed = async |table: &str, column: Option<&str>| {
        let table = MigrationsTable { table: table.to_owned(), column: column.map(str::to_owned) };
        list_tables(&url, &SnapshotOptions { migrations: Some(table), ..everything() }).await.map(drop)
    };
    for (table, column, expected) in [
        ("c", None, "table \"c\" that is read, which is its migrations_table"),
        ("a", None, "column for ids in its migrations_table \"a\"; set migrations_column"),
        ("a", Some("z"), "column \"z\" in its migrations_table \"a\""),
    ] {
        let error = listed(table, column).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    listed("a", Some("y")).await.unwrap();
    listed("b", None).await.unwrap();
}

#[tokio::test]
async fn excluded_names_must_exist_at_start() {
    let file = File::create("CREATE TABLE t (a); CREATE VIRTUAL TABLE f USING fts5(a)").await;
    let url = DatabaseUrl::parse(&file.url()).unwrap();
    list_tables(&url, &excluding(&["t", "f", "f_idx"])).await.unwrap();
    let error = list_tables(&url, &excluding(&["T"])).await.unwrap_err();
    assert!(matches!(&error, Error::Missing { what, .. } if what.contains("\"T\"")), "{error}");
}

#[tokio::test]
async fn times_are_compared_as_times() {
    let file = File::create(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME);
         INSERT INTO t VALUES (1, '2024-02-29 23:30:00-0500'), (2, '2024-03-01T00:30:00+02:00'), (3, x'00'), (4, NULL),
             (5, 1709251200), (6, 1709251199.5), (7, 2460370.5), (8, 1709251200000), (9, 'soon'), (10, '2024-03-01')",
    )
    .await;
    let since = Since { column: "at".to_owned(), from: 1_709_251_200_000_000 };
    let (rows, info) = read(&file.url(), &everything(), "t", Some(&since)).await.unwrap();
    let ids: Vec<&str> = rows.iter().map(|row| row[6..].split(',').next().unwrap()).collect();
    assert_eq!(ids, ["1", "3", "5", "7", "8", "9", "10"]);
    assert_eq!(info.unreadable_times[0].rows, 2);
}

/// The journal of a crash during a transaction.
#[tokio::test]
async fn a_file_that_must_be_recovered_says_so() {
    let file = File::create("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(500000))").await;
    let mut writer = file.connect().await;
    run_sqlite(&mut writer, "PRAGMA cache_size = 5; BEGIN; UPDATE t SET a = randomblob(500000)").await;
    let crashed = file.folder.path().join("crashed.db");
    let beside = |path: &Path| PathBuf::from(format!("{}-journal", path.display()));
    std::fs::copy(&file.path, &crashed).unwrap();
    std::fs::copy(beside(&file.path), beside(&crashed)).unwrap();
    let url = DatabaseUrl::sqlite_file(&crashed).unwrap();
    for error in [list_tables(&url, &everything()).await.err(), open_snapshot(&url, &copying()).await.err()] {
        let error = error.unwrap();
        assert_eq!(error.kind(), Kind::Precondition, "{error}");
        assert!(error.to_string().contains("journal"), "{error}");
    }
}

/// A lock held by another program is transient. A file that is not a database is not, nor is an empty file.
#[tokio::test]
async fn what_passes_is_told_from_what_does_not() {
    let file = File::create("CREATE TABLE t (a)").await;
    let mut writer = file.connect().await;
    run_sqlite(&mut writer, "BEGIN EXCLUSIVE").await;
    let url = DatabaseUrl::parse(&file.url()).unwrap();
    let error = list_tables(&url, &everything()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(error.to_string().contains("try again"), "{error}");

    for (name, bytes) in
        [("text.db", "no database at all, but long enough to be one".repeat(20)), ("empty.db", String::new())]
    {
        let path = file.folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let error = list_tables(&DatabaseUrl::sqlite_file(&path).unwrap(), &everything()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Precondition, "{error}");
        assert_eq!(bytes.is_empty(), matches!(error, Error::EmptyFile { .. }), "{error}");
    }
}

/// Two values that are too long only together, and a table without rowid.
#[tokio::test]
async fn a_row_that_is_too_long_is_named() {
    let file = File::create(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); CREATE TABLE w (k TEXT PRIMARY KEY, a LONGBLOB) WITHOUT ROWID;
         INSERT INTO t VALUES (6, 'fits', NULL), (7, zeroblob(100 << 20), zeroblob(102 << 20));
         INSERT INTO w VALUES ('k', zeroblob(202 << 20));
         CREATE TABLE x (a TEXT); INSERT INTO x VALUES ('fits'), (CAST(zeroblob(50 << 20) AS TEXT))",
    )
    .await;
    // The long row of `x` is found only after it was fetched: each of its zero bytes becomes `\u0000`, six bytes of
    // JSON.
    let rows = [("t", "the row with rowid 7"), ("w", "a row with 28"), ("x", "row 2")];
    for (table, expected) in rows {
        let error = read(&file.url(), &everything(), table, None).await.unwrap_err();
        assert!(matches!(&error, Error::RowTooLarge { row, .. } if row.starts_with(expected)), "{error}");
    }
    // In such a large file, an error of another kind is still reported as it is.
    let url = DatabaseUrl::parse(&file.url()).unwrap();
    assert_eq!(list_tables(&url, &everything()).await.unwrap().len(), 3);
}
