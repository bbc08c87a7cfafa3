//! Invalid tables that the manifest describes correctly.

use serde_json::json;

use super::Row;
use crate::case::ROWS_ENTRY;

pub(crate) const SCHEMAS: &[Row] = &[
    (
        "schema not JSON",
        |case| case.set_schema("-"),
        "\"schema/t.json\" cannot be understood: EOF while parsing",
    ),
    (
        "schema of another table",
        |case| case.set_schema(&SCHEMA.replace("NAME", "u")),
        "describes another table: \"u\"",
    ),
    (
        "rows of another table",
        |case| case.rows_record()["own_table"] = json!("users"),
        "names another source or table for \"tables/t.json\"",
    ),
    (
        "schema with more",
        |case| case.set_schema(&SCHEMA.replace("NAME", "t\",\"x\":\"")),
        "unknown field `x`",
    ),
    (
        "schema deep",
        |case| case.set_schema(&SCHEMA.replace("[]", &"[".repeat(100_000))),
        "invalid type: sequence",
    ),
    (
        "schema of another engine",
        |case| case.set_schema(&SCHEMA.replace("sqlite", "mysql")),
        "unknown variant `mysql`",
    ),
];

const SCHEMA: &str =
    r#"{"name":"NAME","source":"","engine":"sqlite","table":"t","columns":[],"primary_key":[]}"#;

pub(crate) const ROWS: &[Row] = &[
    ("rows empty", |case| case.set_rows("", 0), "line 1 of \"tables/t.json\" does not open an array"),
    ("no row in an array", |case| case.set_rows("[\n]\n", 0), "line 2 of \"tables/t.json\" is not a row"),
    (
        "comma after the last",
        |case| case.set_rows("[\n{\"id\":1},\n]\n", 1),
        "line 3 of \"tables/t.json\" is not a row",
    ),
    (
        "comma left out",
        |case| case.set_rows("[\n{\"id\":1}\n{\"id\":2}\n]\n", 2),
        "line 3 of \"tables/t.json\" follows the last row",
    ),
    (
        "line feed left out",
        |case| case.set_rows("[\n{\"id\":1},\n{\"id\":1}\n]", 2),
        "line 4 of \"tables/t.json\" follows the last row",
    ),
    (
        "array left open",
        |case| case.set_rows("[\n{\"id\":1}", 1),
        "line 2 of \"tables/t.json\" ends without a line feed",
    ),
    (
        "two arrays",
        |case| case.set_rows("[]\n[]\n", 0),
        "line 2 of \"tables/t.json\" follows the end of the array",
    ),
    ("bracket in a row", |case| case.set_rows("[\n{\"id\":1}]\n]\n", 1), "trailing characters"),
    (
        "other column",
        |case| case.set_rows("[\n{\"no\":1}\n]\n", 1),
        "the column \"id\" is expected, not \"no\"",
    ),
    ("column missing", |case| case.set_rows("[\n{}\n]\n", 1), "the column \"id\" is missing"),
    (
        "column twice",
        |case| case.set_rows("[\n{\"id\":1,\"id\":2}\n]\n", 1),
        "more columns than the schema has",
    ),
    ("number with a zero", |case| case.set_rows("[\n{\"id\":01}\n]\n", 1), "invalid number"),
    ("truth value", |case| case.set_rows("[\n{\"id\":true}\n]\n", 1), "an array or a boolean"),
    (
        "value deep",
        |case| case.set_rows(&format!("[\n{{\"id\":{}\n]\n", "[".repeat(100_000)), 1),
        "EOF while parsing",
    ),
    (
        "base64 that is none",
        |case| case.set_rows("[\n{\"id\":{\"$blob\":\"?\"}}\n]\n", 1),
        "not padded base64",
    ),
    (
        "unknown tag",
        |case| case.set_rows("[\n{\"id\":{\"$exec\":\"x\"}}\n]\n", 1),
        "an object without a known tag",
    ),
    ("checksum", |case| case.entries[ROWS_ENTRY].crc32 ^= 1, "\"tables/t.json\" is damaged"),
];
