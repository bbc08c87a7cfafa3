//! A PostgreSQL archive in a SQLite database.

use std::path::Path;

use sqlx::AssertSqlSafe;
use strongroom_archive::manifest::{Snapshot, SourceRecord};
use strongroom_archive::schema::{
    Column, Constraint, ConstraintKind, DatabaseSchema, Engine, TableSchema, UserType,
};
use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Refusal};

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::restore::{compare, inspect, restore};
use crate::restoring_sqlite::{ID, connect, database};

fn column(name: &str, type_name: &str, nullable: bool) -> Column {
    Column { name: name.to_owned(), type_name: type_name.to_owned(), nullable, ..Column::default() }
}

fn archive(columns: Vec<Column>, rows: &[&str]) -> Archive {
    let mut table = TableSchema::empty("app", Engine::Postgres, "t");
    table.namespace = "public".to_owned();
    table.primary_key = vec![columns[0].name.clone()];
    table.columns = columns;
    let domain = UserType::Domain {
        name: "public.age".to_owned(),
        base: "smallint".to_owned(),
        nullable: true,
        collation: None,
        default: None,
        checks: Vec::new(),
    };
    table.types = vec![domain];
    Archive {
        tables: vec![(table, rows.iter().map(|row| (*row).to_owned()).collect())],
        record: SourceRecord::new("app", "postgres", "PostgreSQL 18", Snapshot::RepeatableRead),
        views: DatabaseSchema {
            source: "app".to_owned(),
            engine: Engine::Postgres,
            views: Vec::new(),
            notes: Default::default(),
        },
    }
}

/// Every type that a column can have, with a value.
const TYPES: &[(&str, &str, &str)] = &[
    ("bigint", "9223372036854775807", "integer:9223372036854775807"),
    ("public.age", "7", "integer:7"),
    ("boolean", "true", "integer:1"),
    ("boolean", "false", "integer:0"),
    ("double precision", "1", "real:1.0"),
    ("double precision", "\"-Infinity\"", "real:-Inf"),
    ("numeric(30,2)", "12345678901234567890.10", "text:12345678901234567890.10"),
    ("numeric", "\"NaN\"", "text:NaN"),
    ("bytea", "\"\\\\x00ff\"", "blob:00FF"),
    ("bytea", "\"\\\\x\"", "blob:"),
    ("text", "\"1\"", "text:1"),
    ("character varying(10)", "\"é\"", "text:é"),
    ("timestamp with time zone", "\"2024-02-29 12:00:00+00\"", "text:2024-02-29 12:00:00+00"),
    ("date", "\"infinity\"", "text:infinity"),
    ("uuid", "\"00000000-0000-0000-0000-000000000001\"", "text:00000000-0000-0000-0000-000000000001"),
    ("jsonb", "\"{\\\"a\\\": 1}\"", "text:{\"a\": 1}"),
    ("integer[]", "\"{1,NULL}\"", "text:{1,NULL}"),
    ("text", "null", "null:"),
];

async fn stored(path: &Path) -> Vec<String> {
    let mut app = connect(path).await;
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info('t') WHERE name <> 'id' ORDER BY cid")
            .fetch_all(&mut app)
            .await
            .unwrap();
    let mut values = Vec::new();
    for name in names {
        let sql = format!(
            "SELECT typeof({name}) || ':' || CASE typeof({name}) WHEN 'blob' THEN hex({name}) WHEN 'null' THEN '' ELSE CAST({name} AS TEXT) END FROM t"
        );
        values.push(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut app).await.unwrap());
    }
    values
}

#[tokio::test]
async fn values_of_every_type_come_into_created_tables_and_into_those_that_fit() {
    let mut columns = vec![column("id", "integer", false)];
    let mut row = "{\"id\":1".to_owned();
    for (at, (type_name, json, _)) in TYPES.iter().enumerate() {
        columns.push(column(&format!("c{at}"), type_name, true));
        row.push_str(&format!(",\"c{at}\":{json}"));
    }
    row.push('}');
    let archive = archive(columns, &[&row]);
    let expected: Vec<&str> = TYPES.iter().map(|(_, _, stored)| *stored).collect();
    let folder = tempfile::tempdir().unwrap();
    let created = folder.path().join("created.db");
    database(&created, "").await;
    let mut wanted = archive.wanted(Mode::IntoEmpty);
    wanted.create_tables = true;
    assert_eq!(inspect(&created, &wanted).await.refusals, []);
    restore(&created, &archive, &wanted, ID).await.unwrap();
    assert_eq!(stored(&created).await, expected);
    assert_eq!(export(&created).await.tables[0].0.primary_key, ["id"]);

    let fitting = folder.path().join("fitting.db");
    let untyped: Vec<String> = (0..TYPES.len()).map(|at| format!("c{at}")).collect();
    database(&fitting, &format!("CREATE TABLE t (id INTEGER PRIMARY KEY, {})", untyped.join(", "))).await;
    restore(&fitting, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
    assert_eq!(stored(&fitting).await, expected);
}

#[tokio::test]
async fn columns_that_would_change_values_are_refused_by_name() {
    for (type_name, declared, fits) in [
        ("integer", "INTEGER", true),
        ("integer", "BOOLEAN", true),
        ("integer", "TEXT", false),
        ("integer", "REAL", false),
        ("boolean", "INTEGER", true),
        ("boolean", "TEXT", false),
        ("double precision", "REAL", true),
        ("double precision", "DECIMAL(10, 2)", false),
        ("numeric", "DECIMAL(10, 2)", false),
        ("numeric", "TEXT", true),
        ("text", "VARCHAR(3)", true),
        ("text", "DECIMAL", false),
        ("timestamp without time zone", "DATETIME", true),
        ("uuid", "UUID", true),
        ("bytea", "INTEGER", true),
    ] {
        let archive = archive(vec![column("id", "integer", false), column("c", type_name, true)], &[]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        database(&path, &format!("CREATE TABLE t (id INTEGER PRIMARY KEY, c {declared})")).await;
        let found = inspect(&path, &archive.wanted(Mode::Replace)).await.refusals;
        let refused = matches!(&found[..], [Refusal::ColumnForm { column, .. }] if column == "c");
        assert_eq!(refused, !fits, "{type_name} in {declared}: {found:?}");
        assert_eq!(found.is_empty(), fits);
    }
}

#[tokio::test]
async fn what_sqlite_does_not_have_is_refused_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    database(&path, "CREATE TABLE t (id INTEGER PRIMARY KEY, c)").await;
    for (type_name, json) in
        [("real", "\"NaN\""), ("bigint", "\"x\""), ("bytea", "\"00\""), ("boolean", "\"t\"")]
    {
        let row = format!("{{\"id\":1,\"c\":{json}}}");
        let archive = archive(vec![column("id", "integer", false), column("c", type_name, true)], &[&row]);
        let error = compare(&path, &archive, &archive.wanted(Mode::Replace)).await.unwrap_err();
        assert!(matches!(error, Error::Value { row: 1, .. }), "{error}");
    }
    let mut other = archive(vec![column("id", "integer", false)], &[]);
    other.tables[0].0.namespace = "billing".to_owned();
    let found = inspect(&path, &other.wanted(Mode::Replace)).await.refusals;
    assert!(
        matches!(&found[..], [Refusal::Unsupported { problem, .. }] if problem.contains("billing")),
        "{found:?}"
    );
}

#[tokio::test]
async fn what_is_left_out_of_created_tables_is_said() {
    let mut archive = archive(vec![column("id", "integer", false), column("c", "text", true)], &[]);
    let table = &mut archive.tables[0].0;
    table.columns[1].default = Some("now()".to_owned());
    table.constraints = vec![Constraint {
        name: "positive".to_owned(),
        kind: ConstraintKind::Check,
        columns: vec!["id".to_owned()],
        nulls_not_distinct: false,
        definition: "CHECK ((id > 0))".to_owned(),
    }];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    connect(&path).await;
    let mut wanted = archive.wanted(Mode::IntoEmpty);
    wanted.create_tables = true;
    let found = inspect(&path, &wanted).await;
    assert_eq!(
        found.warnings,
        ["table t is created without parts written in PostgreSQL's SQL: 1 default, 1 check"]
    );
}
