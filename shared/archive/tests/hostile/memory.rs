//! Limits the memory used beyond the length of a row, a value or a manifest. Whoever makes an archive chooses these
//! lengths, and they can be large in a small archive.

use std::fmt::Write as _;

use serde_json::json;
use serde_json::value::RawValue;
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{
    AadTemplate, ArchiveReader, Error, FilledAad, Limits, Watch, characters, text_within, verify_entry,
};

use crate::bounds::{Alone, Bounds, Cost};
use crate::case::{Case, ROWS_ENTRY, SCHEMA_ENTRY};
use crate::raw_zip::deflated;

const MIB: usize = 1 << 20;

/// An archive whose only row is `{"id":…}`.
fn with_row(value: &str) -> Vec<u8> {
    let mut case = Case::honest();
    let rows = format!("[\n{{\"id\":{value}}}\n]\n");
    case.entries[ROWS_ENTRY] = deflated("tables/t.json", rows.as_bytes());
    case.describe_rows(rows.as_bytes());
    case.rows_record()["rows"] = json!(1);
    case.manifest["tables"]["t"] = json!(1);
    case.build()
}

fn assert_within(cost: &Cost, mebibytes: u64) {
    assert!(cost.within(Bounds { mebibytes, seconds: 20 }), "{cost:?}, and {mebibytes} MiB are allowed");
}

/// Only the row's own memory is used, and no second copy of its content.
#[test]
fn a_long_row_is_held_once() {
    let alone = Alone::wait();
    for (value, refusal) in [
        (format!("\"{}\"", "a".repeat(64 * MIB)), None),
        (format!("\"{}\"", r"\n".repeat(32 * MIB)), None),
        (format!("{{\"$blob\":\"{}\"}}", "AAAA".repeat(16 * MIB)), None),
        (format!("{{\"$text\":\"{}\"}}", r"\/".repeat(32 * MIB)), None),
        (format!("{{\"$text\":\"{}\\/\"}}", "AAAA".repeat(16 * MIB)), Some("not padded base64")),
        ("[".repeat(64 * MIB), Some("inside another one")),
        (format!("1,\"{}\":1", "\u{7f}".repeat(64 * MIB)), Some("more columns")),
    ] {
        let file = with_row(&value);
        let shown: String = value.chars().take(20).collect();
        drop(value);
        let (checked, cost) = alone.measure(|| crate::check(std::io::Cursor::new(&file)));
        match (checked, refusal) {
            (Ok(_), None) => {}
            (Err(error), Some(words)) if error.to_string().contains(words) => {}
            (checked, _) => panic!("{shown}: {checked:?}"),
        }
        // The buffer grows in steps, and the heap keeps some of the earlier ones.
        assert_within(&cost, 64 + 24);
    }
}

#[test]
fn the_name_of_a_wrong_column_is_not_repeated_in_the_refusal() {
    let alone = Alone::wait();
    let mut case = Case::honest();
    let rows = format!("[\n{{\"{}\":1}}\n]\n", "\u{7f}".repeat(32 * MIB));
    case.entries[ROWS_ENTRY] = deflated("tables/t.json", rows.as_bytes());
    case.describe_rows(rows.as_bytes());
    drop(rows);
    let file = case.build();
    let (checked, cost) = alone.measure(|| crate::check(std::io::Cursor::new(&file)));
    let error = checked.unwrap_err().to_string();
    assert!(error.len() < 2000 && error.contains("\"id\" is expected"), "{} bytes", error.len());
    // As above; a second copy of the name would take 64 MiB in all.
    assert_within(&cost, 32 + 24);
}

#[test]
fn additional_data_and_names_of_rows_are_built_no_further_than_they_may_be() {
    let alone = Alone::wait();
    for json in [format!("\"{}\"", "a".repeat(64 * MIB)), format!("\"{}\"", r"\u0061".repeat(10 * MIB))] {
        let value = RawValue::from_string(json).unwrap();
        let template = AadTemplate::parse(&"{k}".repeat(341)).unwrap();
        let (filled, cost) = alone.measure(|| {
            // Once per column of an archive.
            (0..990).all(|_| {
                let name: String = characters(&value).take(200).collect();
                let filled = template.fill("t", "c", 1024, [Some(&*value); 341]);
                name == "a".repeat(200) && filled == FilledAad::TooLong
            })
        });
        assert!(filled);
        assert!(cost.within(Bounds { mebibytes: 1, seconds: 20 }), "{cost:?}");
        assert_eq!(text_within(&value, 88 << 10), strongroom_archive::BoundedText::TooLong);
    }
}

/// Three bytes of a list take 24 bytes of memory, and a name of an object exists twice while it is read.
#[test]
fn lists_of_a_manifest_end_at_their_limit() {
    let alone = Alone::wait();
    let kids = format!("[{}\"\"]", "\"\",".repeat(16 * MIB));
    let mut tables = String::new();
    for number in 0..3 * MIB {
        let _ = write!(tables, "\"{number}\":0,");
    }
    for (field, json) in [
        ("kids", kids.clone()),
        ("sources", kids.replace("\"\"", "{}")),
        ("partial", format!("{{\"tables\":{kids}}}")),
        ("tables", format!("{{{tables}\"\":0}}")),
        ("options", format!("{{{}\"\":true}}", tables.replace(":0", ":true"))),
    ] {
        let mut case = Case::honest();
        case.manifest.as_object_mut().unwrap().remove(field);
        let text = case.manifest_text();
        let manifest = format!("{},\"{field}\":{json}}}", text.strip_suffix('}').unwrap());
        case.manifest_entry = Some(deflated("manifest.json", manifest.as_bytes()));
        let length = manifest.len() / MIB;
        drop((manifest, json));
        let file = case.build();
        let (opened, cost) =
            alone.measure(|| ArchiveReader::open(std::io::Cursor::new(&file), Limits::V1).map(drop));
        assert!(matches!(opened, Err(Error::ManifestJson(_))), "{field}");
        assert_within(&cost, length as u64 + 40);
    }
}

/// The archive determines how many columns a table has, and how many names in templates are looked up among them.
#[test]
fn columns_are_looked_for_without_walking_through_all_of_them() {
    let alone = Alone::wait();
    let mut case = Case::honest();
    let filler: String =
        (0..100_000).map(|at| format!("{{\"name\":\"f{at}\",\"type\":\"\",\"nullable\":true}},")).collect();
    let sealed: Vec<String> = (0..900).map(|at| format!("e{at}")).collect();
    let mut columns = filler;
    for name in &sealed {
        let _ = write!(columns, "{{\"name\":\"{name}\",\"type\":\"\",\"nullable\":true}},");
    }
    let schema = format!(
        "{{\"name\":\"t\",\"source\":\"gateway\",\"engine\":\"sqlite\",\"table\":\"t\",\
         \"columns\":[{columns}{{\"name\":\"z\",\"type\":\"\",\"nullable\":true}}],\"primary_key\":[]}}"
    );
    case.set_schema(&schema);
    case.entries[SCHEMA_ENTRY] = deflated("schema/t.json", schema.as_bytes());
    case.set_rows("[]\n", 0);
    let column = |name| json!({"table": "t", "column": name, "key": "k", "aad": "{z}".repeat(341)});
    case.manifest["encrypted_columns"] = sealed.iter().map(column).collect();
    let file = case.build();
    let (checked, cost) = alone.measure(|| crate::check(std::io::Cursor::new(&file)));
    checked.unwrap();
    assert!(cost.within(Bounds { mebibytes: 200, seconds: 5 }), "{cost:?}");
}

/// The archive determines the number of foreign keys, and the length of the descriptions of the columns that they name
/// (here a default of 1 MiB).
#[test]
fn references_are_planned_without_what_their_columns_hold() {
    let alone = Alone::wait();
    let mut case = Case::honest();
    let default = "x".repeat(1 << 20);
    let key = r#"{"columns":["id"],"references":{"table":"t"},"referenced_columns":["id"],"on_delete":"","on_update":"","match":""}"#;
    let keys = vec![key; 3000].join(",");
    let schema = format!(
        "{{\"name\":\"t\",\"source\":\"gateway\",\"engine\":\"sqlite\",\"table\":\"t\",\
         \"columns\":[{{\"name\":\"id\",\"type\":\"\",\"nullable\":true,\"default\":\"{default}\"}}],\
         \"primary_key\":[\"id\"],\"foreign_keys\":[{keys}]}}"
    );
    case.set_schema(&schema);
    case.entries[SCHEMA_ENTRY] = deflated("schema/t.json", schema.as_bytes());
    let file = case.build();
    let (checked, cost) = alone.measure(|| crate::check(std::io::Cursor::new(&file)));
    checked.unwrap();
    assert!(cost.within(Bounds { mebibytes: 40, seconds: 5 }), "{cost:?}");
}

/// Asks to stop immediately.
struct Leaving(u64);

impl Watch for Leaving {
    fn row(&mut self, _: &TableSchema, _: &[&RawValue]) -> Result<(), Error> {
        panic!("the row has not ended")
    }

    fn progress(&mut self, bytes: u64) -> Result<(), Error> {
        self.0 += bytes;
        Err(Error::Usage("enough"))
    }
}

#[test]
fn whoever_looks_on_can_end_it_inside_a_row_and_inside_a_file() {
    let _alone = Alone::wait();
    let mut long_file = Case::honest();
    long_file.add("files/set/a", &vec![0; 64 * MIB], "file");
    for (file, entry) in
        [(with_row(&format!("\"{}\"", "a".repeat(64 * MIB))), ROWS_ENTRY), (long_file.build(), 2)]
    {
        let mut archive = ArchiveReader::open(std::io::Cursor::new(file), Limits::V1).unwrap();
        let mut leaving = Leaving(0);
        let error = verify_entry(&mut archive, entry, &mut leaving).unwrap_err();
        assert!(matches!(error, Error::Usage("enough")), "{error}");
        assert!(leaving.0 <= 2 * MIB as u64, "{} bytes", leaving.0);
    }
}
