//! Invalid manifests, and manifests that lie.

use serde_json::{Value, json};

use super::Row;
use crate::case::{Case, ROWS_ENTRY, SCHEMA_ENTRY};
use crate::raw_zip::{last, stored};

/// Manifests that cannot be parsed.
pub(crate) const TEXTS: &[Row] = &[
    ("manifest absent", |case| case.without_manifest = true, "there is no manifest.json"),
    (
        "manifest empty",
        |case| case.set_manifest(""),
        "cannot be understood: EOF while parsing a value at line 1",
    ),
    ("manifest cut", |case| case.set_manifest("{\"format_version\":1"), "EOF while parsing an object"),
    (
        "manifest not UTF-8",
        |case| case.manifest_entry = Some(last("manifest.json", b"\xff\xfe{")),
        "expected value",
    ),
    ("manifest an array", |case| case.set_manifest(&"[".repeat(200_000)), "cannot be understood"),
    (
        "manifest without fields",
        |case| case.set_manifest("{\"format_version\":1,\"zip_sha256\":\"\"}"),
        "missing field `app_name`",
    ),
    (
        "manifest of an earlier build",
        |case| case.set_manifest(&case.manifest.to_string()),
        "an earlier build of Strongroom wrote this archive, and no release reads the archives of that build",
    ),
    ("manifest twice over", |case| twice_over(case), "trailing characters"),
    ("table counted twice", |case| count_twice(case), "the name \"t\" occurs twice"),
    ("version next", |case| case.manifest["format_version"] = json!(2), "format version 2,"),
    (
        "version next in another form",
        |case| case.set_manifest("{\"format_version\":3,\"x\":[]}"),
        "format version 3,",
    ),
    (
        "version far",
        |case| case.manifest["format_version"] = json!(u64::MAX),
        "format version 18446744073709551615,",
    ),
    ("version none", |case| case.manifest["format_version"] = json!(0), "has the format version 0"),
    (
        "version below none",
        |case| case.manifest["format_version"] = json!(-1),
        "cannot be understood: invalid value",
    ),
    (
        "version a text",
        |case| case.manifest["format_version"] = json!("1"),
        "cannot be understood: invalid type",
    ),
];

/// Manifests that describe another archive than their own.
pub(crate) const LIES: &[Row] = &[
    ("rows counted more", |case| case.manifest["tables"]["t"] = json!(3), "two different row counts"),
    ("rows counted more twice", |case| count(case, 3), "has 2 rows where manifest.json counts 3"),
    ("rows counted fewer twice", |case| count(case, 1), "has 2 rows where manifest.json counts 1"),
    ("rows counted without end", |case| count(case, u64::MAX), "counts 18446744073709551615"),
    ("table not counted", |case| case.manifest["tables"] = json!({}), "does not count its table"),
    ("table without rows", |case| case.manifest["tables"]["u"] = json!(0), "lists no rows of it"),
    (
        "entry not listed",
        |case| case.entries.push(stored("files/a/b", b"x")),
        "is not listed in manifest.json",
    ),
    ("entry not there", |case| drop(case.entries.remove(ROWS_ENTRY)), "is not in the archive"),
    ("fewer bytes", |case| case.rows_record()["bytes"] = json!(4), "gives it 23 bytes, and manifest.json 4"),
    (
        "more bytes",
        |case| case.rows_record()["bytes"] = json!(400),
        "gives it 23 bytes, and manifest.json 400",
    ),
    (
        "other digest",
        |case| case.rows_record()["sha256"] = json!("00".repeat(32)),
        "does not have the SHA-256",
    ),
    ("upper-case digest", |case| case.rows_record()["sha256"] = json!("AB".repeat(32)), "64 lower-case hex"),
    (
        "digest of the ZIP in upper case",
        |case| case.manifest["zip_sha256"] = json!("AB".repeat(32)),
        "gives no zip_sha256 of 64 lower-case hex digits",
    ),
    (
        "other digest of the ZIP",
        |case| case.manifest["zip_sha256"] = json!("00".repeat(32)),
        "bytes of the ZIP outside its entries' content have changed",
    ),
    ("other kind", |case| case.rows_record()["kind"] = json!("ring"), "does not belong under this name"),
    ("file names that differ", |case| case.rename("tables/u.json"), "names one table's entries differently"),
    ("entry listed twice", list_twice, "lists \"schema/t.json\" twice"),
    (
        "rows listed twice",
        |case| case.add("tables/u.json", b"[]\n", "table"),
        "which table \"tables/u.json\"",
    ),
    ("no schema", without_schema, "the table \"t\" has no schema entry"),
    ("manifest lists itself", list_manifest, "lists \"manifest.json\" as a kind"),
    (
        "encrypted column of no table",
        |case| encrypt(case, json!([column("u", "id", "{id}")])),
        "the encrypted column \"id\" of \"u\", a table that it does not list",
    ),
    (
        "encrypted column that is not there",
        |case| encrypt(case, json!([column("t", "secret", "{id}")])),
        "a table without a column \"secret\"",
    ),
    (
        "encrypted column with the aad of another table",
        |case| encrypt(case, json!([column("t", "id", "{owner}")])),
        "a table without a column \"owner\"",
    ),
    (
        "encrypted column twice",
        |case| encrypt(case, json!([column("t", "id", "a"), column("t", "id", "b")])),
        "lists the encrypted column \"id\" of \"t\" twice",
    ),
    (
        "more encrypted columns than there may be",
        |case| encrypt(case, vec![column("t", "id", "a"); 1001].into()),
        "there are more than 1000 elements in a list",
    ),
    (
        "encrypted column with an open brace",
        |case| encrypt(case, json!([column("t", "id", "{id")])),
        "has a { without its }",
    ),
    (
        "encrypted column without a key",
        |case| encrypt(case, json!([{"table": "t", "column": "id", "key": "", "aad": "a"}])),
        "the encrypted column \"id\" of \"t\" and does not say which key sealed it",
    ),
    (
        "encrypted column with a long key",
        |case| encrypt(case, json!([{"table": "t", "column": "id", "key": "k".repeat(1025), "aad": "a"}])),
        "a name or key of more than 1024 bytes",
    ),
    (
        "encrypted column whose additional data is too long in every row",
        |case| encrypt(case, json!([column("t", &"c".repeat(100), &"{column}".repeat(100))])),
        "additional data always exceeds the limit of 1024 bytes",
    ),
    (
        "large signature",
        |case| case.behind_manifest.push(last("manifest.sig", &[b'x'; (64 << 10) + 1])),
        "\"manifest.sig\" exceeds",
    ),
];

fn column(table: &str, column: &str, aad: &str) -> Value {
    json!({"table": table, "column": column, "key": "gateway", "aad": aad})
}

fn encrypt(case: &mut Case, columns: Value) {
    case.manifest["encrypted_columns"] = columns;
}

fn count(case: &mut Case, rows: u64) {
    case.manifest["tables"]["t"] = json!(rows);
    case.rows_record()["rows"] = json!(rows);
}

fn twice_over(case: &mut Case) {
    let text = case.manifest_text();
    case.set_manifest(&[text.clone(), text].concat());
}

fn count_twice(case: &mut Case) {
    let text = case.manifest_text();
    case.set_manifest(&text.replace("{\"t\":2}", "{\"t\":2,\"t\":2}"));
}

fn list_twice(case: &mut Case) {
    let schema = case.manifest["entries"][SCHEMA_ENTRY].clone();
    case.list(schema);
}

fn list_manifest(case: &mut Case) {
    case.list(json!({"name": "manifest.json", "bytes": 1, "sha256": "00".repeat(32), "kind": "later"}));
}

fn without_schema(case: &mut Case) {
    case.manifest["entries"].as_array_mut().unwrap().remove(SCHEMA_ENTRY);
    case.entries.remove(SCHEMA_ENTRY);
}
