//! Writer to reader to verifier.

use std::collections::HashSet;
use std::io::Read as _;

use jiff::Timestamp;
use strongroom_archive::manifest::{Manifest, TruePath};
use strongroom_archive::{
    ArchiveWriter, Compression, EntryKind, EntryRecord, Error, FileCheck, Limits, SqliteValue,
};

use crate::sample;

#[test]
fn odd_table_names_come_back_and_every_file_is_plain() {
    let long = "é".repeat(300);
    let names = [
        "users",
        "Users",
        "USERS",
        "a/b",
        "..",
        ".",
        "",
        "con",
        "nul.txt",
        "%41",
        "A",
        "quo\"te",
        "back\\slash",
        "new\nline",
        "🔑 keys",
        " edge ",
        "trailing.",
        "C:",
        "a~2",
        "ſ",
        "s",
        &long,
    ];
    let tables: Vec<_> = names.iter().map(|name| sample::table(name, &["id", name], &[&row(name)])).collect();
    let bytes = sample::write(&tables, Limits::V1).unwrap();
    let report = sample::check(&bytes, Limits::V1).unwrap();
    let expected: Vec<_> = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
    assert_eq!(report.tables, expected);

    let mut archive = sample::open(&bytes).unwrap();
    let counted: Vec<_> = archive.manifest().tables.iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(counted, names);
    let folded: HashSet<_> = archive.entries().iter().map(|e| e.name.to_lowercase()).collect();
    assert_eq!(folded.len(), archive.entries().len());
    for name in names {
        let schema = archive.read_schema(name).unwrap();
        let mut rows = archive.rows(&schema).unwrap();
        let values = rows.next_row().unwrap().unwrap();
        let value = SqliteValue::from_json(values[1]).unwrap();
        assert_eq!(value, SqliteValue::Text(name.to_owned()));
        assert!(rows.next_row().unwrap().is_none());
        assert!(rows.next_row().unwrap().is_none());
    }
}

fn row(name: &str) -> String {
    let mut text = Vec::new();
    strongroom_archive::json::write_string(&mut text, name);
    let text = String::from_utf8(text).unwrap();
    format!("{{\"id\":1,{text}:{text}}}")
}

#[test]
fn the_manifest_has_the_seeds_fields_first_and_reads_back() {
    let bytes = sample::write(&sample::two_tables(), Limits::V1).unwrap();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
    let json = std::io::read_to_string(zip.by_name("manifest.json").unwrap()).unwrap();
    let order = [
        "format_version",
        "app_name",
        "app_url",
        "created_at",
        "tables",
        "options",
        "note",
        "archive_id",
        "producer",
        "root_key_id",
        "kids",
        "audit_head",
        "sources",
        "zip_sha256",
        "entries",
        "partial",
    ];
    let places: Vec<_> = order.iter().map(|key| json.find(&format!("\n  \"{key}\": ")).unwrap()).collect();
    assert!(places.is_sorted(), "{json}");
    assert!(json.contains("\"created_at\": \"2026-05-06T10:14:22Z\""));
    assert!(json.contains("\"snapshot\":\"read-transaction\""));
    assert!(json.find("\"users\": 2").unwrap() < json.find("\"empty\": 0").unwrap());

    let read: Manifest = serde_json::from_str(&json).unwrap();
    assert_eq!(&read, sample::open(&bytes).unwrap().manifest());
    assert_eq!(read.options.get("include_gateway_logs"), Some(false));
}

#[test]
fn equal_data_gives_equal_bytes_with_one_library() {
    let write = || sample::write(&sample::two_tables(), Limits::V1).unwrap();
    assert_eq!(write(), write());
}

#[test]
fn progress_rises_to_the_sum_of_all_entries() {
    let rows: Vec<String> = (0..60_000).map(|id| format!("{{\"id\":{id},\"name\":\"{id:050}\"}}")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let bytes = sample::write(&[sample::table("t", &["id", "name"], &rows)], Limits::V1).unwrap();
    let mut archive = sample::open(&bytes).unwrap();
    let mut seen = Vec::new();
    let report = strongroom_archive::verify(&mut archive, &mut |bytes| seen.push(bytes)).unwrap();
    assert!(seen.len() > 4 && seen.is_sorted());
    assert_eq!(seen.last(), Some(&report.bytes));
    assert_eq!(report.tables, [("t".to_owned(), 60_000)]);
}

#[test]
fn every_level_is_read_and_others_are_refused() {
    for level in 1..=9 {
        let compression = Compression::level(level).unwrap();
        let writer = ArchiveWriter::create(Vec::new(), Limits::V1, compression);
        let (_, bytes) = writer.finish(sample::head()).unwrap();
        assert!(sample::check(&bytes, Limits::V1).is_ok());
    }
    assert!(Compression::level(0).is_err());
    assert!(Compression::level(10).is_err());
}

#[test]
fn the_writer_refuses_what_makes_no_archive() {
    let table = &sample::two_tables()[0].schema;
    let create = || ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    let entry = EntryRecord::new;

    let mut writer = create();
    assert!(matches!(writer.write(b"x"), Err(Error::Usage(_))));
    assert!(matches!(writer.finish_table(), Err(Error::Usage(_))));
    assert!(matches!(writer.write_ring(b"{"), Err(Error::Json { .. })));
    for name in ["manifest.json", "manifest.sig"] {
        assert!(matches!(writer.start_entry(entry(name, EntryKind::File)), Err(Error::Usage(_))));
    }
    let climbing = writer.start_entry(entry("files/../x", EntryKind::File));
    assert!(matches!(climbing, Err(Error::Name { .. })));

    writer.start_table(table, None).unwrap();
    assert!(matches!(writer.write_schema(table), Err(Error::Usage(_))));
    for (block, rows) in [(&b"{}"[..], 0), (b"", 1), (b"{},\n", 1), (b",\n{}", 1)] {
        assert!(matches!(writer.write_rows(block, rows), Err(Error::Usage(_))));
    }
    writer.finish_table().unwrap();
    let again = writer.start_table(table, None);
    assert!(matches!(again, Err(Error::CaseDuplicate { .. })));
    let without_schema = writer.finish(sample::head()).map(drop);
    assert!(matches!(without_schema, Err(Error::NoSchema { .. })));

    let mut writer = create();
    writer.write_schema(table).unwrap();
    let without_rows = writer.finish(sample::head()).map(drop);
    assert!(matches!(without_rows, Err(Error::Manifest { .. })));
}

fn path(path: impl Into<Vec<u8>>) -> TruePath {
    TruePath::new(path.into()).unwrap()
}

/// Whether the check and the writer accept the files, each with its number of bytes. Both must agree.
fn added(files: &[(TruePath, u64)], limits: Limits) -> Result<(), Error> {
    let mut check = FileCheck::create(limits);
    let checked = files.iter().try_for_each(|(path, bytes)| check.add("set", path, *bytes));
    let mut writer = ArchiveWriter::create(Vec::new(), limits, Compression::default());
    let mut write = |(path, bytes): &(TruePath, u64)| {
        writer.start_file("set", path, 0o644, Timestamp::UNIX_EPOCH)?;
        writer.write(&vec![0; *bytes as usize])?;
        writer.finish_file(false)
    };
    let written =
        files.iter().try_for_each(&mut write).and_then(|()| writer.finish(sample::head()).map(drop));
    assert_eq!(checked.is_ok(), written.is_ok(), "{checked:?} {written:?}");
    checked
}

#[test]
fn files_that_will_not_fit_are_known_before_they_are_read() {
    let limits = Limits { entries: 5, entry_bytes: 100, total_bytes: 150, ..Limits::V1 };
    let refused = |files: &[(&str, u64)]| {
        let files: Vec<_> = files.iter().map(|(name, bytes)| (path(*name), *bytes)).collect();
        match added(&files, limits) {
            Ok(()) => false,
            Err(error) => matches!(error, Error::Limit { .. }) || panic!("{error}"),
        }
    };
    assert!(!refused(&[("a", 100), ("b/a", 50), ("c", 0)]));
    assert!(refused(&[("a", 101)]));
    assert!(refused(&[("a", 100), ("b", 51)]));
    assert!(refused(&[("a", 0), ("b", 0), ("c", 0), ("d", 0)]));
    assert!(!refused(&[("A", 0), ("a", 0), ("a~2", 0)]));
    assert!(!refused(&[(&"x".repeat(1020), 0), (&"x".repeat(4095), 0), ("new\nline", 0)]));
    let long = |number: u32| (path(format!("{number:\u{1}<4000}")), 0);
    let limits = Limits { manifest_bytes: 1 << 20, ..Limits::V1 };
    assert!(added(&(1000..1035).map(long).collect::<Vec<_>>(), limits).is_ok());
    assert!(matches!(added(&(1000..1050).map(long).collect::<Vec<_>>(), limits), Err(Error::Limit { .. })));
}

#[test]
fn odd_paths_come_back_with_mode_and_time() {
    let mut odd: Vec<Vec<u8>> =
        (1..=u8::MAX).filter(|byte| *byte != b'/').map(|byte| vec![b'_', byte]).collect();
    odd.extend([&b"a%0A"[..], b"a\n", b"a%0A~2", b"Case", b"case", b"CASE", b"\xff\xfe"].map(Vec::from));
    let deep = [&b"d/".repeat(2000)[..], b"x"].concat();
    odd.extend([deep, vec![b'\n'; 4095], "\u{202e}".repeat(500).into()]);
    let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    let time = |at: usize| Timestamp::new(at as i64 - 9, 123_456_789).unwrap();
    for (at, name) in odd.iter().enumerate() {
        writer.start_file("set", &path(name.as_slice()), 0o100_000 | at as u32, time(at)).unwrap();
        writer.write(name).unwrap();
        writer.finish_file(false).unwrap();
    }
    let (_, bytes) = writer.finish(sample::head()).unwrap();
    sample::check(&bytes, Limits::V1).unwrap();
    let mut archive = sample::open(&bytes).unwrap();
    for (at, (entry, name)) in archive.entries().to_vec().iter().zip(&odd).enumerate() {
        assert_eq!(entry.file_path(), Some(("set", path(name.as_slice()))));
        let is_name = entry.name.as_bytes() == [b"files/set/", name.as_slice()].concat();
        assert_eq!(entry.path.is_none(), is_name, "{}", entry.name);
        assert_eq!(entry.mode, Some(format!("{at:04o}")));
        assert_eq!(entry.modified_at, Some(time(at)));
        let mut content = Vec::new();
        archive.entry(&entry.name).unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(&content, name);
    }
}

#[test]
fn what_is_said_of_a_file_is_said_of_files_only_and_of_each_once() {
    let finish = |records: &[EntryRecord]| {
        let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
        for record in records {
            writer.start_entry(record.clone()).unwrap();
            writer.finish_entry().unwrap();
        }
        writer.finish(sample::head()).map(drop)
    };
    let file = |name| EntryRecord::new(name, EntryKind::File);
    let (a, b) = (file("files/set/a"), file("files/set/b"));
    let mode = |mode: &str| Some(mode.to_owned());
    let as_a = EntryRecord { path: Some(path("a")), ..b.clone() };
    finish(&[EntryRecord { mode: mode("7777"), ..a.clone() }, b]).unwrap();
    finish(&[as_a.clone(), file("files/other/a")]).unwrap();
    for refused in ["644", "00644", "0648", "0x1f", ""] {
        assert!(matches!(
            finish(&[EntryRecord { mode: mode(refused), ..a.clone() }]),
            Err(Error::Manifest { .. })
        ));
    }
    assert!(matches!(finish(&[a, as_a]), Err(Error::Manifest { .. })), "two entries of one file");
    let other = EntryRecord::new("other", EntryKind::Other);
    for record in [
        EntryRecord { path: Some(path("a")), ..other.clone() },
        EntryRecord { mode: mode("0644"), ..other.clone() },
        EntryRecord { modified_at: Some(Timestamp::UNIX_EPOCH), ..other },
    ] {
        assert!(matches!(finish(&[record]), Err(Error::Manifest { .. })));
    }
}
