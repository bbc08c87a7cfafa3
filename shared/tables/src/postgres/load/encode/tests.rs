#![expect(clippy::unwrap_used, reason = "tests")]

mod fuzz;

use strongroom_archive::json::{
    write_blob as json_blob, write_real, write_string as json_string, write_text_bytes,
};
use strongroom_archive::schema::{Column, TableSchema, UserType};

use super::*;
use crate::load::Encoder;

fn table(engine: Engine, types: &[&str]) -> TableSchema {
    let column = |(at, type_name): (usize, &&str)| Column {
        name: format!("c{at}"),
        type_name: (*type_name).to_owned(),
        nullable: true,
        ..Column::default()
    };
    TableSchema {
        columns: types.iter().enumerate().map(column).collect(),
        ..TableSchema::empty("source", engine, "things")
    }
}

fn rows(engine: Engine, raw_text: bool, types: &[&str]) -> TextRows {
    let pair = TablePair::of_test(table(engine, types), table(Engine::Postgres, types));
    TextRows::new(Some(&pair), raw_text)
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// One value in one column.
fn one(engine: Engine, raw_text: bool, type_name: &str, json: &str) -> Result<Vec<u8>> {
    let mut rows = rows(engine, raw_text, &[type_name]);
    rows.add(&[&raw(json)])?;
    let Rows::Text(text) = rows.take() else { panic!("PostgreSQL loads text") };
    Ok(text)
}

/// How the server parses a line with one column: `None` is NULL. Written from the server's manual.
fn read(line: &[u8]) -> Option<Vec<u8>> {
    let (b'\n', line) = line.split_last().unwrap() else { panic!("no line") };
    if line == br"\N" {
        return None;
    }
    assert!(!line.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t')), "{line:?}");
    let mut bytes = line.iter().copied();
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        text.push(match (byte, if byte == b'\\' { bytes.next() } else { None }) {
            (b'\\', Some(b'b')) => 8,
            (b'\\', Some(b'f')) => 12,
            (b'\\', Some(b'n')) => 10,
            (b'\\', Some(b'r')) => 13,
            (b'\\', Some(b't')) => 9,
            (b'\\', Some(b'\\')) => b'\\',
            (b'\\', other) => panic!("{other:?} behind a backslash"),
            (plain, _) => plain,
        });
    }
    Some(text)
}

/// `text` as JSON with every character written as a `\u` escape.
fn all_escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    format!("\"{units}\"")
}

#[test]
fn every_character_at_every_place_of_a_word_comes_back() {
    let others = ['\u{7ff}', '\u{d7ff}', '\u{e000}', '\u{ffff}', '\u{10000}', '\u{10ffff}', '🦀'];
    for character in (1..=0x17f).filter_map(char::from_u32).chain(others) {
        for place in 0..17 {
            let text = format!("{}{character}{}", "a".repeat(place), "é".repeat(16 - place));
            let mut written = Vec::new();
            json_string(&mut written, &text);
            for json in [String::from_utf8(written).unwrap(), all_escaped(&text)] {
                for engine in [Engine::Postgres, Engine::Sqlite] {
                    let line = one(engine, false, "text", &json).unwrap();
                    assert_eq!(read(&line).as_deref(), Some(text.as_bytes()), "{json}");
                }
            }
        }
    }
}

#[test]
fn every_pair_of_difficult_characters_comes_back() {
    let difficult =
        ["\\", "\n", "\t", "\r", "\"", "/", "N", ".", "x", "\u{8}", "\u{b}", "\u{c}", "é", "u0041"];
    for (first, second) in difficult.iter().flat_map(|first| difficult.map(|second| (first, second))) {
        let text = format!("{first}{second}");
        let line = one(Engine::Postgres, false, "text", &serde_json::to_string(&text).unwrap()).unwrap();
        assert_eq!(read(&line).as_deref(), Some(text.as_bytes()), "{text:?}");
    }
    assert_eq!(one(Engine::Postgres, false, "text", r#""\/\\N""#).unwrap(), b"/\\\\N\n");
}

#[test]
fn null_is_told_from_every_text() {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        assert_eq!(one(engine, false, "text", "null").unwrap(), b"\\N\n");
        assert_eq!(read(&one(engine, false, "text", r#""\\N""#).unwrap()), Some(br"\N".to_vec()));
        assert_eq!(read(&one(engine, false, "text", r#""null""#).unwrap()), Some(b"null".to_vec()));
        assert_eq!(one(engine, false, "text", r#""""#).unwrap(), b"\n");
    }
}

#[test]
fn any_bytes_come_back_as_blob_and_where_text_is_any_bytes() {
    for length in [0, 1, 2, 3, 255, 256, 1000] {
        let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 256).unwrap()).collect();
        let mut json = Vec::new();
        json_blob(&mut json, &bytes);
        let json = String::from_utf8(json).unwrap();
        for json in [json.replace('/', r"\/"), json] {
            let hex = format!("\\x{}", hex::encode(&bytes));
            let line = one(Engine::Sqlite, false, "bytea", &json).unwrap();
            assert_eq!(read(&line), Some(hex.into_bytes()));
        }
        let bytes: Vec<u8> = bytes.into_iter().filter(|byte| *byte != 0).collect();
        let mut json = Vec::new();
        write_text_bytes(&mut json, &bytes);
        let json = String::from_utf8(json).unwrap();
        for engine in [Engine::Postgres, Engine::Sqlite] {
            assert_eq!(read(&one(engine, true, "text", &json).unwrap()).as_ref(), Some(&bytes));
            one(engine, false, "text", &json).unwrap_err();
        }
    }
}

#[test]
fn numbers_keep_their_digits() {
    for digits in [
        "0",
        "-1",
        "9223372036854775807",
        "1.10",
        "-0.0",
        "1e300",
        "5e-324",
        "123456789012345678901234567890.1",
    ] {
        let expected = format!("{digits}\n").into_bytes();
        assert_eq!(one(Engine::Postgres, false, "numeric(40,2)", digits).unwrap(), expected);
        assert_eq!(one(Engine::Sqlite, false, "double precision", digits).unwrap(), expected);
    }
    assert_eq!(one(Engine::Postgres, false, "boolean", "true").unwrap(), b"true\n");
    for (real, expected) in [(f64::INFINITY, "Infinity\n"), (f64::NEG_INFINITY, "-Infinity\n")] {
        let mut json = Vec::new();
        write_real(&mut json, real);
        let line = one(Engine::Sqlite, false, "real", std::str::from_utf8(&json).unwrap()).unwrap();
        assert_eq!(line, expected.as_bytes());
    }
}

/// Tests each cell of the table in [`super::form`].
#[test]
fn sqlite_values_go_where_the_table_says() {
    let uuid = r#"{"$blob":"AAECAwQFBgcICQoLDA0ODw=="}"#;
    let values =
        ["7", "1", "1.5", r#"{"$real":"inf"}"#, r#""x""#, r#""a\u0000b""#, r#"{"$blob":"AA=="}"#, uuid];
    for (types, taken) in [
        (&["smallint", "integer", "bigint", "oid"][..], "yy..y..."),
        (&["real", "double precision", "numeric", "numeric(9,2)"], "yyyyy..."),
        (&["boolean"], ".y..y..."),
        (&["text", "character varying(20)", "character(3)", "name", "public.citext"], "yyy.y..."),
        (&["bytea"], "......yy"),
        (&["uuid"], "....y..y"),
        (&["date", "time without time zone", "timestamp(3) with time zone", "interval day"], "....y..."),
        (&["jsonb", "integer[]", "inet", "public.mood"], "yyy.y..."),
    ] {
        for type_name in types {
            let is_taken = |json: &&str| one(Engine::Sqlite, false, type_name, json).is_ok();
            let found: String = values.iter().map(|json| if is_taken(json) { 'y' } else { '.' }).collect();
            assert_eq!(found, taken, "{type_name}");
        }
    }
}

#[test]
fn a_domain_is_what_it_is_made_of() {
    let domain = |name: &str, base: &str| UserType::Domain {
        name: name.to_owned(),
        base: base.to_owned(),
        nullable: true,
        collation: None,
        default: None,
        checks: Vec::new(),
    };
    let types = [domain("public.inner", "bytea"), domain("public.outer", "public.inner")];
    assert_eq!(Form::of("public.outer", &types), Form::Bytes);
    assert_eq!(Form::of("public.outer[]", &types), Form::Other);
}

#[test]
fn what_is_no_value_is_refused_by_row_and_column_and_leaves_nothing() {
    for json in
        [r#""\ud800""#, r#""\udc00\ud800""#, r#""\ud800\u0041""#, r#""\u0000""#, r#"{"$real":"nan"}"#, "[1]"]
    {
        let mut rows = rows(Engine::Sqlite, false, &["integer", "text"]);
        rows.add(&[&raw("1"), &raw(r#""x""#)]).unwrap();
        let error = rows.add(&[&raw("2"), &raw(json)]).unwrap_err();
        assert!(matches!(&error, Error::Value { row: 2, column, .. } if column == "c1"), "{error}");
        let Rows::Text(text) = rows.take() else { panic!("PostgreSQL loads text") };
        assert_eq!(text, b"1\tx\n");
    }
    rows(Engine::Sqlite, false, &["integer", "text"]).add(&[&raw("1")]).unwrap_err();
}

#[test]
fn columns_are_in_the_targets_order_and_only_those_that_are_loaded() {
    let mut live = table(Engine::Postgres, &["text", "text", "text", "text"]);
    live.columns.reverse();
    live.columns.get_mut(1).unwrap().generated = Some("c0".to_owned());
    let archive = table(Engine::Postgres, &["text", "text", "text", "text", "text"]);
    let mut rows = TextRows::new(Some(&TablePair::of_test(archive, live)), false);
    let values: Vec<Box<RawValue>> = (0..5).map(|at| raw(&format!("\"{at}\""))).collect();
    rows.add(&values.iter().map(|value| &**value).collect::<Vec<_>>()).unwrap();
    let Rows::Text(text) = rows.take() else { panic!("PostgreSQL loads text") };
    assert_eq!(text, b"0\t1\t3\n");
}

#[test]
fn rows_come_in_chunks_and_none_is_lost() {
    let mut encoder = Encoder::new(Box::new(rows(Engine::Postgres, false, &["text"])));
    let value = raw(&format!("\"{}\"", "x".repeat(999)));
    let (mut count, mut bytes) = (0, 0);
    for _ in 0..1000 {
        let Some(chunk) = encoder.add(&[&value]).unwrap() else { continue };
        let Rows::Text(text) = chunk.rows else { panic!("PostgreSQL loads text") };
        assert!((256 << 10..257 << 10).contains(&text.len()) && !chunk.is_last);
        (count, bytes) = (count + chunk.count, bytes + text.len());
    }
    let last = encoder.finish();
    let Rows::Text(text) = last.rows else { panic!("PostgreSQL loads text") };
    assert!(last.is_last);
    assert_eq!((count + last.count, bytes + text.len()), (1000, 1_000_000));
}

#[test]
fn a_large_row_leaves_no_large_buffer() {
    let text = format!("\"{}\"", "x".repeat(8 << 20));
    let mut blob = Vec::new();
    json_blob(&mut blob, &vec![7; 8 << 20]);
    let blob = String::from_utf8(blob).unwrap();
    for (engine, type_name, json) in [(Engine::Postgres, "text", text), (Engine::Sqlite, "bytea", blob)] {
        let mut rows = rows(engine, false, &[type_name]);
        rows.add(&[&raw(&json)]).unwrap();
        let Rows::Text(taken) = rows.take() else { panic!("PostgreSQL loads text") };
        assert!(taken.len() >= 8 << 20);
        assert!(rows.out.capacity() + rows.decoded.capacity() <= 3 * CHUNK_BYTES, "{type_name}");
    }
}
