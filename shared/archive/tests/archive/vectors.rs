//! The vectors of FORMAT.md: each appears in the document and holds in the code.

use serde_json::value::RawValue;
use strongroom_archive::{EntryNames, SqliteValue, json, pg_text};

use crate::sample;

const FORMAT: &str = include_str!("../../FORMAT.md");

fn documented(left: &str, right: &str) {
    let line = format!("| {left} | `{right}` |");
    assert!(FORMAT.contains(&line), "FORMAT.md has no line {line}");
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

#[test]
fn file_names_are_those_of_the_document() {
    let vectors = [
        ("users", "users"),
        ("my table", "my table"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        ("con", "%63on"),
        ("Aux.log", "%41ux.log"),
        ("console", "console"),
        ("%41", "%2541"),
        ("a~2", "a%7E2"),
        (r#"say "hi""#, "say %22hi%22"),
        ("größe", "größe"),
    ];
    for (table, file) in vectors {
        documented(&format!("`{table}`"), file);
        assert_eq!(EntryNames::default().for_table(table), file);
    }
    assert_eq!(EntryNames::default().for_table(""), "%");
}

#[test]
fn strings_are_those_of_the_document() {
    let vectors: [(&str, &str, &[u8]); 3] = [
        ("61 22 62 5c", r#""a\"b\\""#, b"a\"b\\"),
        ("08 0c 0a 0d 09", r#""\b\f\n\r\t""#, b"\x08\x0c\n\r\t"),
        ("c3 a9 2f", "\"é/\"", "é/".as_bytes()),
    ];
    for (hex, json, bytes) in vectors {
        documented(&format!("`{hex}`"), json);
        let text = std::str::from_utf8(bytes).unwrap();
        assert_eq!(written(|out| json::write_string(out, text)), json);
    }
    let odd = written(|out| json::write_string(out, "\u{0}\u{1f}\u{7f}"));
    assert_eq!(odd, "\"\\u0000\\u001f\u{7f}\"");
}

#[test]
fn sqlite_values_are_those_of_the_document_and_read_back() {
    let reals = [
        ("REAL 3", "3.0", 3.0),
        ("REAL 0.1", "0.1", 0.1),
        ("REAL -0", "-0.0", -0.0),
        ("REAL 1e300", "1e300", 1e300),
        ("REAL 5e-324", "5e-324", 5e-324),
        ("REAL 1e16", "1e16", 1e16),
        ("REAL infinity", r#"{"$real":"inf"}"#, f64::INFINITY),
    ];
    for (value, json, real) in reals {
        documented(value, json);
        assert_eq!(written(|out| json::write_real(out, real)), json);
        assert_eq!(SqliteValue::from_json(&raw(json)).unwrap(), SqliteValue::Real(real));
    }
    let blobs = [("BLOB 00 ff", "AP8=", &b"\x00\xff"[..]), ("empty BLOB", "", b"")];
    for (value, base64, bytes) in blobs {
        let json = format!(r#"{{"$blob":"{base64}"}}"#);
        documented(value, &json);
        assert_eq!(written(|out| json::write_blob(out, bytes)), json);
        let back = SqliteValue::from_json(&raw(&json)).unwrap();
        assert_eq!(back, SqliteValue::Blob(bytes.to_vec()));
    }
    let json = r#"{"$text":"Yf8="}"#;
    documented("TEXT 61 ff", json);
    assert_eq!(written(|out| json::write_text_bytes(out, b"a\xff")), json);
    let back = SqliteValue::from_json(&raw(json)).unwrap();
    assert_eq!(back, SqliteValue::TextBytes(b"a\xff".to_vec()));
}

#[test]
fn sqlite_values_without_a_tag_keep_their_class() {
    for (json, value) in [
        ("null", SqliteValue::Null),
        ("9223372036854775807", SqliteValue::Integer(i64::MAX)),
        ("-9223372036854775808", SqliteValue::Integer(i64::MIN)),
        (r#""a\u0000é""#, SqliteValue::Text("a\0é".to_owned())),
        (r#"{"$real":"-inf"}"#, SqliteValue::Real(f64::NEG_INFINITY)),
    ] {
        assert_eq!(SqliteValue::from_json(&raw(json)).unwrap(), value);
    }
    let nothing = [
        "true",
        "[]",
        "{}",
        "9223372036854775808",
        "1e999",
        r#"{"$real":"nan"}"#,
        r#"{"$blob":"AP8"}"#,
        r#"{"$blob":"","$text":""}"#,
        r#"{"$other":""}"#,
        r#""\ud800""#,
    ];
    for json in nothing {
        assert!(SqliteValue::from_json(&raw(json)).is_err(), "{json}");
    }
}

#[test]
fn postgres_values_give_the_text_for_the_input_function() {
    for (value, json, text) in [
        ("bigint 9223372036854775807", "9223372036854775807", Some("9223372036854775807")),
        ("numeric 1.10", "1.10", Some("1.10")),
        ("double precision NaN", r#""NaN""#, Some("NaN")),
        ("bytea of 00 ff", r#""\\x00ff""#, Some(r"\x00ff")),
        ("integer[] of 1 and NULL", r#""{1,NULL}""#, Some("{1,NULL}")),
        ("jsonb null", r#""null""#, Some("null")),
        ("NULL", "null", None),
    ] {
        documented(value, json);
        assert_eq!(pg_text(&raw(json)).unwrap().as_deref(), text.map(str::as_bytes));
    }
    documented("text 61 ff (SQL_ASCII)", r#"{"$text":"Yf8="}"#);
    assert_eq!(pg_text(&raw(r#"{"$text":"Yf8="}"#)).unwrap().as_deref(), Some(&b"a\xff"[..]));
    assert_eq!(pg_text(&raw("true")).unwrap().as_deref(), Some(&b"true"[..]));
    assert!(pg_text(&raw(r#"{"$blob":"Yf8="}"#)).is_err());
    assert!(pg_text(&raw("{}")).is_err());
    assert!(pg_text(&raw("[]")).is_err());
    assert_eq!(written(|out| json::write_number(out, "1.10")), "1.10");
    assert_eq!(written(|out| json::write_number(out, "-Infinity")), "\"-Infinity\"");
}

#[test]
fn tables_are_those_of_the_document() {
    let rows = [r#"{"id":1,"name":"x"}"#, r#"{"id":2,"name":null}"#];
    let tables = [sample::table("t", &["id", "name"], &rows), sample::table("none", &["id"], &[])];
    let bytes = sample::write(&tables, strongroom_archive::Limits::V1).unwrap();
    let contents = sample::contents(&bytes).unwrap();
    let of = |name: &str| {
        let (_, content) = contents.iter().find(|(known, _)| known == name).unwrap();
        String::from_utf8(content.clone()).unwrap()
    };
    for (entry, expected) in [
        ("tables/t.json", "[\n{\"id\":1,\"name\":\"x\"},\n{\"id\":2,\"name\":null}\n]\n"),
        ("tables/none.json", "[]\n"),
    ] {
        assert_eq!(of(entry), expected);
        let shown = format!("`{}`", expected.replace('\n', "\\n"));
        assert!(FORMAT.contains(&shown), "FORMAT.md has no {shown}");
    }
}
