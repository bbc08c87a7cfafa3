//! Valid and invalid documents.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io;

use serde_json::value::RawValue;

use super::*;
use crate::rows::schema::{Column, Engine, TableSchema};

const LIMITS: DocumentLimits = DocumentLimits { row_bytes: 200, head_bytes: 4096 };

/// The vector of docs/tables.md.
const VECTOR: &str = include_str!("../../tests/vectors/document.json");

fn table(name: &str, columns: &[(&str, &str)]) -> TableSchema {
    let column = |(name, type_name): &(&str, &str)| Column {
        name: (*name).to_owned(),
        type_name: (*type_name).to_owned(),
        nullable: true,
        ..Column::default()
    };
    TableSchema {
        columns: columns.iter().map(column).collect(),
        primary_key: vec!["id".to_owned()],
        ..TableSchema::empty("gateway", Engine::Sqlite, name)
    }
}

/// Collects values in the order received.
#[derive(Default)]
struct Taken(Vec<String>);

impl TakeRows for Taken {
    fn row(&mut self, table: usize, values: &[&RawValue]) -> io::Result<()> {
        let values: Vec<&str> = values.iter().map(|value| value.get()).collect();
        self.0.push(format!("{table}: {}", values.join(" ")));
        Ok(())
    }

    fn end(&mut self, table: usize) -> io::Result<()> {
        self.0.push(format!("{table} ends"));
        Ok(())
    }
}

fn read(document: &str) -> Result<(Outline, Vec<String>), DocumentError> {
    let outline = Outline::read(document.as_bytes(), LIMITS)?;
    let mut taken = Taken::default();
    outline.read_rows(document.as_bytes(), LIMITS, &mut taken)?;
    Ok((outline, taken.0))
}

/// The error for the vector with `from` replaced by `to`.
fn problem(from: &str, to: &str) -> String {
    assert!(VECTOR.contains(from), "{from}");
    read(&VECTOR.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn the_vector_is_written_and_read() {
    let created_at = "2026-11-21T10:14:22Z".parse().unwrap();
    let (users, empty) =
        (table("users", &[("id", "INTEGER"), ("name", "TEXT")]), table("empty", &[("id", "INTEGER")]));
    let mut writer = DocumentWriter::begin(Vec::new(), "Prompt Gate", created_at).unwrap();
    writer.start_table(&users).unwrap();
    writer.write_rows(br#"{"id":1,"name":"Ada"}"#).unwrap();
    writer.write_rows(br#"{"id":2,"name":null}"#).unwrap();
    writer.finish_table().unwrap();
    writer.start_table(&empty).unwrap();
    writer.finish_table().unwrap();
    let written = writer.finish().unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), VECTOR);

    let (outline, rows) = read(VECTOR).unwrap();
    assert_eq!((outline.app_name.as_str(), outline.created_at), ("Prompt Gate", created_at));
    let tables: Vec<_> = outline.tables.iter().map(|table| (&table.schema, table.rows)).collect();
    assert_eq!(tables, [(&users, 2), (&empty, 0)]);
    assert_eq!(rows, ["0: 1 \"Ada\"", "0: 2 null", "0 ends", "1 ends"]);
    assert_eq!(document_file_name("Prompt Gate", created_at), "prompt-gate-tables-2026-11-21-101422.json");
    serde_json::from_str::<serde_json::Value>(VECTOR).unwrap();
    assert!(include_str!("../../../../docs/tables.md").contains(VECTOR), "the page has another one");
}

#[test]
fn fields_and_columns_come_in_any_order_and_with_blanks() {
    let document = serde_json::from_str::<serde_json::Value>(VECTOR).unwrap();
    // Sorted keys: rows come before their schema.
    let sorted = serde_json::to_string_pretty(&document).unwrap();
    let (outline, rows) = read(&sorted).unwrap();
    assert_eq!(outline.tables.len(), 2);
    assert!(
        rows.contains(&"1: 1 \"Ada\"".to_owned()) || rows.contains(&"0: 1 \"Ada\"".to_owned()),
        "{rows:?}"
    );
    let turned = VECTOR.replace(r#"{"id":1,"name":"Ada"}"#, r#"{ "n\u0061me": "Ada", "id": 1 }"#);
    assert!(read(&turned).unwrap().1.contains(&"0: 1 \"Ada\"".to_owned()));
}

#[test]
fn what_is_no_document_is_refused_by_name() {
    for (from, to, expected) in [
        ("\"strongroom_tables\":1", "\"strongroom_tables\":2", "has version 2"),
        ("\"strongroom_tables\":1", "\"strongroom_tables\":\"1\"", "\"strongroom_tables\" is not a version"),
        ("\"strongroom_tables\":1,", "", "lacks the field \"strongroom_tables\""),
        ("\"app_name\"", "\"other\"", "unknown field \"other\""),
        ("\"app_name\"", "\"created_at\"", "\"created_at\" is not a time"),
        ("\"app_name\"", "\"app_name\":\"x\",\"app_name\"", "\"app_name\" twice"),
        ("2026-11-21T", "2026-11-41T", "\"created_at\" is not a time"),
        ("\"empty\":{", "\"users\":{", "table \"users\" occurs twice"),
        ("\"empty\":{", "\"other\":{", "table \"other\": its schema is for a table with another name"),
        ("{\"source\":\"gateway\"", "{\"source\":\"x\"", "its schema is for another source"),
        ("{\"source\":\"gateway\",", "{", "lacks the field \"source\""),
        ("\"rows\":[]", "\"rows\":[],\"rows\":[]", "\"rows\" twice"),
        ("\"rows\":[]", "\"row\":[]", "unknown field \"row\""),
        ("\"rows\":[]", "\"rows\":\"hidden\"", "\"rows\" is a text"),
        ("\"rows\":[]", "\"rows\":7", "expected an array of rows"),
        ("\"nullable\":true}", "\"nullable\":true,\"x\":1}", "unknown field `x`"),
        ("\"name\",\"type\"", "\"id\",\"type\"", "form"),
        ("{\"id\":2,\"name\":null}", "7", "row 2 of table \"users\" is not an object"),
        ("{\"id\":2,\"name\":null}", "\"hidden\"", "row 2 of table \"users\" is not an object"),
        (
            "{\"id\":2,\"name\":null}",
            "{\"id\":2}",
            "row 2 of table \"users\" is not a row of this table: the column \"name\" is missing",
        ),
        ("{\"id\":2,", "{\"id\":2,\"id\":2,", "the column \"id\" occurs twice"),
        ("{\"id\":2,", "{\"id\":2,\"x\":2,", "no column \"x\""),
        ("\n}}\n", "\n}} 1", "trailing characters"),
        ("{\"id\":1,\"name\":\"Ada\"},", "{\"id\":1,\"name\":\"Ada\"}", "expected"),
    ] {
        let found = problem(from, to);
        assert!(found.contains(expected), "{from} {to}: {found}");
        assert!(!found.contains("hidden"), "{found}");
    }
    let none = r#"{"strongroom_tables":1,"app_name":"","created_at":"2026-11-21T10:14:22Z","tables":{}}"#;
    assert!(read(none).unwrap_err().to_string().contains("no tables"));
    let same = VECTOR.replacen("{\"name\":\"name\",\"type\"", "{\"name\":\"id\",\"type\"", 1);
    assert!(read(&same).unwrap_err().to_string().contains("two columns with the same name"));
}

#[test]
fn a_document_that_is_cut_anywhere_is_refused() {
    let end = VECTOR.trim_end().len();
    for length in 0..end {
        let cut = &VECTOR[..length];
        let found = read(cut).unwrap_err();
        assert!(matches!(found, DocumentError::Cut), "{length}: {found}");
    }
    read(&VECTOR[..end]).unwrap();
}

#[test]
fn nothing_is_held_beyond_the_limits() {
    let row = |blanks: usize| problem("{\"id\":2,", &format!("{{{}\"id\":2,", " ".repeat(blanks)));
    assert!(row(300).contains("row 2 of table \"users\" has more than 200 bytes"), "{}", row(300));
    let deep = "[".repeat(100_000);
    assert!(
        problem("{\"id\":2,", &format!("{{\"id\":{deep},"))
            .contains("row 2 of table \"users\" has more than")
    );
    let found = problem("\"Prompt Gate\"", &format!("\"{}\"", "x".repeat(5000)));
    assert!(found.contains("names and schemas of the document have more than 4096 bytes"), "{found}");
    assert!(problem("\"Prompt Gate\"", &deep).contains("more than 4096 bytes"));
    let found = problem("\"nullable\":true}", &format!("\"nullable\":true,\"{}\":1}}", "x".repeat(3000)));
    assert!(found.contains("unknown field `xxx") && found.len() < 1000, "{found}");
    // Rows do not use up the limit for schemas, however many there are.
    let rows: Vec<String> = (0..1000).map(|id| format!("{{\"id\":{id},\"name\":null}}")).collect();
    let long = VECTOR.replacen("{\"id\":2,\"name\":null}", &rows.join(",\n"), 1);
    assert_eq!(read(&long).unwrap().0.tables[0].rows, 1001);
}

#[test]
fn a_receiver_ends_the_reading_with_its_own_error() {
    struct Full;
    impl TakeRows for Full {
        fn row(&mut self, _table: usize, _values: &[&RawValue]) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn end(&mut self, _table: usize) -> io::Result<()> {
            Ok(())
        }
    }
    let outline = Outline::read(VECTOR.as_bytes(), LIMITS).unwrap();
    let found = outline.read_rows(VECTOR.as_bytes(), LIMITS, &mut Full).unwrap_err();
    assert!(matches!(found, DocumentError::Sink(error) if error.kind() == io::ErrorKind::StorageFull));
    let other = VECTOR.replace("users", "others");
    assert!(outline.read_rows(other.as_bytes(), LIMITS, &mut Taken::default()).is_err());
}

#[test]
fn forms_are_told_apart_by_their_first_fields() {
    for (document, expected) in [
        (VECTOR, Some(Form::Tables)),
        (r#"{"app_name":"x","tables":"#, Some(Form::Tables)),
        (r#"{"version":1,"exportedAt":"x""#, Some(Form::Gatwy)),
        (r#"{"connections":["#, Some(Form::Gatwy)),
        (r#"{"version":1}"#, None),
        (r#"{"users":[]}"#, None),
        ("[]", None),
        ("PK\u{3}\u{4}", None),
        ("", None),
    ] {
        assert_eq!(form(document.as_bytes()).ok(), expected, "{document}");
    }
    assert!(matches!(form(" ".repeat(100_000).as_bytes()), Err(DocumentError::Unknown)));
    assert!(matches!(form(&b"{\"version\":1"[..]), Err(DocumentError::Cut)));
}
