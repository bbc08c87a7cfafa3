//! Files that mean harm: each refused, each with its own sentence.

use std::collections::HashMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use strongroom_archive::Limits;

use crate::raw_zip::{self, Entry, Frame, stored};
use crate::sample;

const ROWS: &str = "[\n{\"id\":1},\n{\"id\":2}\n]\n";

/// An archive of one table before it is put together: all that a case can spoil.
struct Case {
    entries: Vec<Entry>,
    manifest: Value,
    frame: Frame,
    /// Written as it is instead of `manifest`.
    manifest_text: Option<String>,
    without_manifest: bool,
}

impl Case {
    fn honest() -> Self {
        Self::with_rows(ROWS, 2)
    }

    fn with_rows(rows: &str, count: u64) -> Self {
        let schema = serde_json::to_vec(&sample::table("t", &["id"], &[]).schema).unwrap();
        let entries = vec![stored("schema/t.json", &schema), stored("tables/t.json", rows.as_bytes())];
        let record = |entry: &Entry, kind: &str| {
            json!({
                "name": String::from_utf8_lossy(&entry.name),
                "bytes": entry.data.len(),
                "sha256": hex::encode(Sha256::digest(&entry.data)),
                "kind": kind,
                "table": "t",
            })
        };
        let mut table = record(&entries[1], "table");
        table["rows"] = json!(count);
        let manifest = json!({
            "format_version": 1,
            "app_name": "PromptGate",
            "app_url": "",
            "created_at": "2026-05-06T10:14:22Z",
            "tables": {"t": count},
            "options": {},
            "note": "",
            "archive_id": "1",
            "producer": "test",
            "entries": [record(&entries[0], "schema"), table],
        });
        Self { entries, manifest, frame: Frame::default(), manifest_text: None, without_manifest: false }
    }

    fn build(&self) -> Vec<u8> {
        let mut entries = self.entries.clone();
        if !self.without_manifest {
            let text = self.manifest_text.clone().unwrap_or(self.manifest.to_string());
            entries.push(stored("manifest.json", text.as_bytes()));
        }
        raw_zip::build(&entries, &self.frame)
    }

    /// Gives the rows entry another name, in the ZIP and in the manifest.
    fn rename(&mut self, name: &str) {
        self.entries[1].name = name.as_bytes().to_vec();
        self.manifest["entries"][1]["name"] = json!(name);
    }
}

type Spoil = fn(&mut Case);

/// Runs each case, requires its sentence, and that no two cases of a table share one.
fn refuse(cases: &[(Spoil, &str)]) {
    let mut sentences = HashMap::new();
    for (index, (spoil, sentence)) in cases.iter().enumerate() {
        let mut case = Case::honest();
        spoil(&mut case);
        let error = sample::check(&case.build(), Limits::V1).map(drop).unwrap_err().to_string();
        assert!(error.contains(sentence), "case {index} says: {error}");
        if let Some(other) = sentences.insert(error.clone(), index) {
            panic!("cases {other} and {index} say the same: {error}");
        }
    }
}

#[test]
fn an_honest_one_passes() {
    let report = sample::check(&Case::honest().build(), Limits::V1).unwrap();
    assert_eq!(report.tables, [("t".to_owned(), 2)]);
}

#[test]
fn names_that_lead_elsewhere() {
    refuse(&[
        (|case| case.rename("../t.json"), "climbs out"),
        (|case| case.rename("tables/../../t.json"), "climbs out"),
        (|case| case.rename("/tables/t.json"), "is an absolute path"),
        (|case| case.rename("C:/t.json"), "drive letter"),
        (|case| case.rename("tables\\t.json"), "backslash"),
        (|case| case.rename("tables/t.json\0"), "NUL"),
        (|case| case.rename("tables/\n.json"), "control character"),
        (|case| case.rename("tables//t.json"), "empty part"),
        (|case| case.rename("./tables/t.json"), "empty part"),
        (|case| case.rename(""), "is empty"),
        (|case| case.entries[1].name = b"tables/\xff.json".to_vec(), "UTF-8"),
        (
            |case| {
                case.rename("tables/é.json");
                case.entries[1].flags = 0;
            },
            "UTF-8",
        ),
        (|case| case.rename(&"x".repeat(1025)), "exceeds the limit of 1024 bytes"),
    ]);
}

#[test]
fn entries_that_are_not_what_they_seem() {
    refuse(&[
        (|case| case.entries.push(case.entries[1].clone()), "\"tables/t.json\" occurs twice"),
        (|case| case.entries.push(stored("TABLES/T.json", b"x")), "only in letter case"),
        (|case| case.entries[1].attributes = 0o120_777 << 16, "a symbolic link"),
        (|case| case.entries[1].attributes = 0o020_666 << 16, "a device"),
        (|case| case.entries.push(stored("tables/", b"")), "a directory"),
        (|case| case.entries[1].flags |= 1, "is encrypted"),
        (|case| case.entries[1].method = 93, "method 93"),
        (|case| case.entries[1].method = 12, "method 12"),
        (|case| case.entries[1].comment = b"hello".to_vec(), "has a comment"),
        (|case| case.entries[1].local_name = Some(b"tables/x.json".to_vec()), "disagree"),
        (|case| case.entries[1].extra = unicode_path(), "UnicodePath"),
        (
            |case| {
                case.entries.push(stored("files/x", b""));
                case.entries[2].shares_first = true;
            },
            "disagree",
        ),
        (|case| case.entries[1].compressed += 9, "overlaps"),
        (|case| case.entries[1].flags |= 1 << 3, "belong to no entry"),
    ]);
}

/// An Info-ZIP Unicode Path field that gives `tables/t.json` another name.
fn unicode_path() -> Vec<u8> {
    let name = b"tables/u.json";
    let mut field = vec![0x75, 0x70];
    field.extend_from_slice(&u16::try_from(name.len() + 5).unwrap().to_le_bytes());
    field.push(1);
    field.extend_from_slice(&raw_zip::crc32(b"tables/t.json").to_le_bytes());
    field.extend_from_slice(name);
    field
}

#[test]
fn bytes_around_the_entries() {
    refuse(&[
        (|case| case.frame.trailing = b"more".to_vec(), "added after it"),
        (|case| case.frame.comment = b"hello".to_vec(), "the ZIP archive has a comment"),
        (|case| case.frame.prefix = b"#!/bin/sh\n".to_vec(), "10 bytes before the end record"),
        (|case| case.frame.before_end = vec![0; 7], "7 bytes before the end record"),
        (|case| case.entries[0].before = vec![0; 5], "5 bytes before \"schema/t.json\""),
        (|case| case.entries[1].before = vec![0; 6], "6 bytes before \"tables/t.json\""),
        (|case| case.frame.miscount = -1, "fewer entries"),
        (|case| case.frame.miscount = 1, "more entries"),
        (|case| case.frame.second_count = Some(7), "two counts of entries"),
        (|case| case.frame.disk = 1, "more than one disk"),
    ]);
}

#[test]
fn a_file_of_another_kind_is_called_that() {
    let text = std::io::Cursor::new(b"-- a dump in plain SQL, longer than any end record\n".to_vec());
    let refused = strongroom_archive::ArchiveReader::open(text, strongroom_archive::Limits::V1);
    assert!(refused.err().unwrap().to_string().starts_with("this is not a ZIP archive"));
}

#[test]
fn manifests_that_lie() {
    refuse(&[
        (|case| case.without_manifest = true, "there is no manifest.json"),
        (|case| case.manifest_text = Some("{\"format_version\":1".to_owned()), "cannot be understood"),
        (|case| case.manifest_text = Some("[".repeat(200_000)), "cannot be understood"),
        (|case| case.manifest["format_version"] = json!(2), "format version 2"),
        (|case| case.manifest_text = Some("{\"format_version\":3,\"x\":[]}".to_owned()), "format version 3"),
        (|case| case.manifest["tables"]["t"] = json!(3), "two different row counts"),
        (|case| case.manifest["tables"] = json!({}), "does not count its table"),
        (|case| case.manifest["tables"]["u"] = json!(0), "lists no rows of it"),
        (|case| case.entries.push(stored("files/a/b", b"x")), "is not listed in manifest.json"),
        (|case| drop(case.entries.remove(1)), "is not in the archive"),
        (|case| case.manifest["entries"][1]["bytes"] = json!(4), "does not have the 4 bytes"),
        (|case| case.manifest["entries"][1]["bytes"] = json!(400), "does not have the 400 bytes"),
        (|case| case.manifest["entries"][1]["bytes"] = json!(2_u64 << 40), "1099511627776 bytes"),
        (|case| case.manifest["entries"][1]["sha256"] = json!("00".repeat(32)), "the SHA-256"),
        (|case| case.manifest["entries"][1]["sha256"] = json!("AB".repeat(32)), "64 lower-case hex"),
        (|case| case.manifest["entries"][1]["kind"] = json!("ring"), "does not belong there"),
        (|case| case.rename("tables/u.json"), "names one table's entries differently"),
        (
            |case| {
                let schema = case.manifest["entries"][0].clone();
                case.manifest["entries"].as_array_mut().unwrap().push(schema);
            },
            "twice",
        ),
        (
            |case| {
                let text = case.manifest.to_string();
                case.manifest_text = Some(text.replace("{\"t\":2}", "{\"t\":2,\"t\":2}"));
            },
            "the name \"t\" occurs twice",
        ),
        (
            |case| {
                case.manifest["entries"].as_array_mut().unwrap().remove(0);
                case.entries.remove(0);
            },
            "the table \"t\" has no schema entry",
        ),
        (|case| case.entries[1].crc32 ^= 1, "is damaged"),
    ]);
}

#[test]
fn a_manifest_may_grow() {
    let mut case = Case::honest();
    case.manifest["later"] = json!({"deep": [[[]]]});
    case.manifest["entries"][1]["later"] = json!(1);
    case.manifest["entries"][0]["later"] = json!(null);
    sample::check(&case.build(), Limits::V1).unwrap();

    let other = stored("more/x", b"new");
    let digest = hex::encode(Sha256::digest(&other.data));
    let record = json!({"name": "more/x", "bytes": 3, "sha256": digest, "kind": "later"});
    case.manifest["entries"].as_array_mut().unwrap().push(record);
    case.entries.push(other);
    case.entries.push(stored("manifest.sig", b"signature"));
    sample::check(&case.build(), Limits::V1).unwrap();
    let error = sample::open(&case.build()).unwrap().signature().unwrap_err();
    assert!(error.to_string().starts_with("manifest.sig is no signature"), "{error}");
    case.entries[2].data = b"old".to_vec();
    case.entries[2].crc32 = raw_zip::crc32(b"old");
    let error = sample::check(&case.build(), Limits::V1).unwrap_err();
    assert!(error.to_string().contains("\"more/x\" does not have the SHA-256"), "{error}");

    case = Case::honest();
    case.entries.push(stored("manifest.sig", &[b'x'; (64 << 10) + 1]));
    let error = sample::check(&case.build(), Limits::V1).unwrap_err();
    assert!(error.to_string().contains("\"manifest.sig\" exceeds the limit"), "{error}");
}

#[test]
fn rows_that_are_none() {
    for (rows, count, sentence) in [
        (ROWS, 3, "has 2 rows where manifest.json counts 3"),
        ("", 0, "line 1 of \"tables/t.json\" does not open an array"),
        ("[{\"id\":1}]\n", 1, "does not open an array"),
        ("[\n]\n", 0, "line 2 of \"tables/t.json\" is not a row"),
        ("[\n{\"id\":1},\n]\n", 1, "line 3 of \"tables/t.json\" is not a row"),
        ("[\n{\"id\":1}\n{\"id\":2}\n]\n", 2, "does not close the array"),
        ("[\n{\"id\":1}\n]", 1, "does not close the array"),
        ("[\n{\"id\":1}", 1, "ends without a line feed"),
        ("[]\n[]\n", 0, "follows the end of the array"),
        ("[\n{\"id\":1}]\n]\n", 1, "trailing characters"),
        ("[\n{\"no\":1}\n]\n", 1, "the column \"id\" is expected, not \"no\""),
        ("[\n{}\n]\n", 1, "the column \"id\" is missing"),
        ("[\n{\"id\":1,\"id\":2}\n]\n", 1, "more columns than the schema has"),
        ("[\n{\"id\":01}\n]\n", 1, "invalid number"),
        ("[\n{\"id\":true}\n]\n", 1, "an array or a truth value"),
        ("[\n{\"id\":{\"$blob\":\"?\"}}\n]\n", 1, "not padded base64"),
        ("[\n{\"id\":{\"$exec\":\"x\"}}\n]\n", 1, "none of the known tags"),
    ] {
        let error = sample::check(&Case::with_rows(rows, count).build(), Limits::V1);
        let error = error.map(drop).unwrap_err().to_string();
        assert!(error.contains(sentence), "{rows:?} says: {error}");
    }
}

#[test]
fn a_bomb_is_stopped_by_what_it_really_holds() {
    let bomb = deflated(&vec![b' '; 64 << 20]);
    for (declared, sentence) in [(10, "is damaged"), (64 << 20, "does not have the 10 bytes")] {
        let mut case = Case::honest();
        case.entries[1] = Entry {
            method: 8,
            compressed: u32::try_from(bomb.len()).unwrap(),
            uncompressed: declared,
            crc32: 0,
            data: bomb.clone(),
            ..case.entries[1].clone()
        };
        case.manifest["entries"][1]["bytes"] = json!(10);
        let error = sample::check(&case.build(), Limits::V1).unwrap_err().to_string();
        assert!(error.contains(sentence), "{error}");
    }
    let mut case = Case::honest();
    let manifest = stored("manifest.json", b"");
    case.without_manifest = true;
    case.entries.push(Entry {
        method: 8,
        compressed: u32::try_from(bomb.len()).unwrap(),
        uncompressed: 64 << 20,
        data: bomb,
        ..manifest
    });
    let limits = Limits { manifest_bytes: 1 << 20, ..Limits::V1 };
    let error = sample::check(&case.build(), limits).unwrap_err().to_string();
    assert!(error.contains("\"manifest.json\" exceeds the limit of 1048576 bytes"), "{error}");
}

/// The deflate stream of `data`, cut out of a ZIP of one entry.
fn deflated(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("x", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(data).unwrap();
    let mut zip = writer.finish_into_readable().unwrap();
    let mut raw = Vec::new();
    std::io::Read::read_to_end(&mut zip.by_index_raw(0).unwrap(), &mut raw).unwrap();
    raw
}
