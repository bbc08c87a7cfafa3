use std::io::Cursor;

use serde_json::json;

use super::*;
use crate::manifest::{Ordered, SourceRecord};
use crate::rows::schema::ForeignKey;
use crate::{ArchiveWriter, Compression, Limits, ManifestHead, manifest};

struct Table {
    schema: TableSchema,
    rows: Vec<String>,
    since: bool,
}

fn table(engine: &str, name: &str, columns: &[(&str, &str)], rows: &[&str]) -> Table {
    let column = |(name, kind): &(&str, &str)| json!({"name": name, "type": kind, "nullable": true});
    let columns: Vec<_> = columns.iter().map(column).collect();
    let schema = serde_json::from_value(json!({
        "name": name, "source": "s", "engine": engine, "table": name, "columns": columns,
        "primary_key": ["id"],
    }));
    Table { schema: schema.unwrap(), rows: rows.iter().map(|row| (*row).to_owned()).collect(), since: false }
}

fn refer(table: &mut Table, columns: &[&str], references: &str, referenced: &[&str], definition: &str) {
    let key: ForeignKey = serde_json::from_value(json!({
        "columns": columns, "references": {"table": references}, "referenced_columns": referenced,
        "on_delete": "no action", "on_update": "no action", "match": "simple", "definition": definition,
    }))
    .unwrap();
    table.schema.foreign_keys.push(key);
}

fn report(tables: &[Table], most: usize) -> ReferenceReport {
    let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    for table in tables {
        let since = table.since.then(|| "2026-01-01T00:00:00Z".parse().unwrap());
        writer.write_schema(&table.schema).unwrap();
        writer.start_table(&table.schema, since).unwrap();
        writer.write_rows(table.rows.join(",\n").as_bytes(), table.rows.len() as u64).unwrap();
        writer.finish_table().unwrap();
    }
    let head = ManifestHead {
        app_name: "A".to_owned(),
        app_url: String::new(),
        created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        options: Ordered::default(),
        archive_id: "1".to_owned(),
        deployment_id: None,
        producer: "test".to_owned(),
        root_key_id: None,
        kids: Vec::new(),
        encrypted_columns: Vec::new(),
        audit_head: None,
        sources: vec![SourceRecord::new("s", "sqlite", "", manifest::Snapshot::ReadTransaction)],
        partial: None,
    };
    let (_, bytes) = writer.finish(head).unwrap();
    let mut archive = ArchiveReader::open(Cursor::new(bytes), Limits::V1).unwrap();
    let plan = Plan::of(&mut archive, &mut || Ok(())).unwrap();
    let mut references = References::create(plan, most);
    for table in tables {
        let mut rows = archive.rows(&table.schema).unwrap();
        while let Some(values) = rows.next_row().unwrap() {
            references.add(&table.schema, &values);
        }
    }
    references.finish()
}

fn found(report: &ReferenceReport) -> (u64, u64, Vec<u64>) {
    (report.checked, report.unchecked, report.dangling.iter().map(|one| one.values).collect())
}

const POSTS: [(&str, &str); 3] = [("id", "bigint"), ("author", "integer"), ("slug", "text")];
const USERS: [(&str, &str); 2] = [("id", "bigint"), ("name", "character varying(20)")];

fn posts(engine: &str) -> Table {
    let rows = [
        r#"{"id":1,"author":7,"slug":"a"}"#,
        r#"{"id":2,"author":null,"slug":"x"}"#,
        r#"{"id":3,"author":8,"slug":"\u0061"}"#,
        r#"{"id":4,"author":8,"slug":null}"#,
    ];
    table(engine, "posts", &POSTS, &rows)
}

fn users(engine: &str, rows: &[&str]) -> Table {
    table(engine, "users", &USERS, rows)
}

#[test]
fn rows_that_are_referred_to_and_missing_are_counted() {
    for (engine, enforced) in [("postgres", true), ("sqlite", false)] {
        let mut posts = posts(engine);
        refer(&mut posts, &["author"], "users", &["id"], "");
        refer(&mut posts, &["slug"], "users", &["name"], "");
        let all = users(engine, &[r#"{"id":7,"name":"a"}"#, r#"{"id":8,"name":"x"}"#]);
        let tables = [posts, all];
        assert_eq!(found(&report(&tables, 100)), (2, 0, vec![]));
        let [posts, _] = tables;
        let few = report(&[users(engine, &[r#"{"id":7,"name":"y"}"#]), posts], 100);
        assert_eq!(found(&few), (2, 0, vec![1, 2]), "in whatever order the tables come");
        let first = &few.dangling[0];
        assert_eq!(first.to_string(), "1 value of \"author\" in \"posts\" is in no row of \"users\"");
        assert!(few.dangling[1].to_string().starts_with("2 values of \"slug\" in \"posts\" are in no row"));
        assert_eq!((first.table.as_str(), first.references.as_str()), ("posts", "users"));
        assert_eq!((first.columns.as_slice(), first.is_enforced), (&["author".to_owned()][..], enforced));
    }
}

#[test]
fn what_cannot_be_compared_is_not() {
    let users = |since| Table { since, ..users("postgres", &[r#"{"id":7,"name":"a"}"#]) };
    let with = |columns: &[&str], referenced: &[&str], definition: &str| {
        let mut posts = posts("postgres");
        refer(&mut posts, columns, "users", referenced, definition);
        posts
    };
    let unchecked = (0, 1, vec![]);
    assert_eq!(
        found(&report(&[with(&["author"], &["id"], ""), users(true)], 100)),
        unchecked,
        "rows left out"
    );
    assert_eq!(found(&report(&[with(&["author"], &["id"], "")], 100)), unchecked, "another table");
    assert_eq!(found(&report(&[with(&["author"], &["id"], "… NOT VALID"), users(false)], 100)), unchecked);
    assert_eq!(found(&report(&[with(&["author"], &["name"], ""), users(false)], 100)), unchecked, "types");
    assert_eq!(found(&report(&[with(&["author"], &["id"], ""), users(false)], 2)), unchecked, "memory");
}

/// A key can name a column any number of times, and a table can have any number of keys.
#[test]
fn what_costs_too_much_is_not_looked_at() {
    let users = || users("postgres", &[r#"{"id":7,"name":"a"}"#]);
    let mut twice = posts("postgres");
    refer(&mut twice, &["author", "author"], "users", &["id", "id"], "");
    assert_eq!(found(&report(&[twice, users()], 100)), (0, 1, vec![]));
    let mut many = posts("postgres");
    let columns = (0..50).map(|at| (format!("c{at}"), "bigint".to_owned()));
    let extra = columns.map(|(name, kind)| json!({"name": name, "type": kind, "nullable": true}));
    many.schema.columns.extend(extra.map(|column| serde_json::from_value(column).unwrap()));
    many.rows.clear();
    for at in 0..50 {
        refer(&mut many, &[&format!("c{at}")], "users", &["id"], "");
    }
    let report_of_many = report(&[many, users()], 100);
    assert_eq!(found(&report_of_many), (32, 18, vec![]));
    let long = format!(r#"{{"id":1,"author":null,"slug":"{}"}}"#, "x".repeat(9000));
    let mut posts = table("postgres", "posts", &POSTS, &[&long]);
    refer(&mut posts, &["slug"], "users", &["name"], "");
    assert_eq!(found(&report(&[posts, users()], 100)), (0, 1, vec![]), "nothing indexes such a value");
}

/// SQLite also applies a collation of the referenced table.
#[test]
fn a_collation_in_the_referenced_table_prevents_the_check() {
    let mut posts = posts("sqlite");
    refer(&mut posts, &["slug"], "users", &["name"], "");
    let mut users = users("sqlite", &[r#"{"id":7,"name":"A"}"#]);
    users.schema.sql = Some("CREATE TABLE users (id, name TEXT COLLATE NOCASE)".to_owned());
    assert_eq!(found(&report(&[posts, users], 100)), (0, 1, vec![]));
}

#[test]
fn sqlite_compares_numbers_and_goes_by_the_primary_key() {
    let mut posts = posts("sqlite");
    refer(&mut posts, &["AUTHOR"], "Users", &[], "");
    let users = users("sqlite", &[r#"{"id":"7","name":"a"}"#, r#"{"id":8.0,"name":"b"}"#]);
    assert_eq!(found(&report(&[posts, users], 100)), (1, 0, vec![]));
}
