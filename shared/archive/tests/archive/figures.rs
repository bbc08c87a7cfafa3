//! The limits of FORMAT.md at their full size, where a test can reach it: the largest allowed value can be
//! written and read, and one more is refused by the writer. `limits` shows with small values, and the hostile
//! files show, that the reader refuses it too. The limits of 1 TiB for an entry and 4 TiB in total are only
//! tested with small values.

use std::time::{Duration, Instant};

use serde_json::json;
use strongroom_archive::manifest::Migrations;
use strongroom_archive::{
    ArchiveWriter, Compression, EntryKind, EntryRecord, Error, Limits, ManifestHead, ManifestSignature,
    Report,
};

use crate::sample;

const LIMITS: Limits = Limits::V1;
const FORMAT: &str = include_str!("../../FORMAT.md");

fn create() -> ArchiveWriter<Vec<u8>> {
    ArchiveWriter::create(Vec::new(), LIMITS, Compression::default())
}

fn add(writer: &mut ArchiveWriter<Vec<u8>>, name: &str) -> Result<(), Error> {
    writer.start_entry(EntryRecord::new(name, EntryKind::File))?;
    writer.finish_entry().map(drop)
}

/// Finishes the archive and reads it completely.
fn read_back(writer: ArchiveWriter<Vec<u8>>, head: ManifestHead) -> Result<Report, Error> {
    let (_, bytes) = writer.finish(head)?;
    sample::check(&bytes, LIMITS)
}

fn is_over(error: &Error, most: u64) -> bool {
    matches!(error, Error::Limit { limit, .. } | Error::RowLimit { limit, .. } if *limit == most)
}

#[test]
fn the_document_has_the_same() {
    let tib = |bytes: u64| format!("{} TiB", bytes >> 40);
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    for (what, limit) in [
        ("entries, the manifest and its signature included", "100,000".to_owned()),
        ("an entry's name", "1,024 bytes".to_owned()),
        ("one entry", tib(LIMITS.entry_bytes)),
        ("all entries together, without the manifest", tib(LIMITS.total_bytes)),
        ("the manifest", mib(LIMITS.manifest_bytes)),
        ("a schema or database entry, the key ring, the schedules, the canary", mib(LIMITS.schema_bytes)),
        ("one row", mib(LIMITS.row_bytes)),
    ] {
        let line = format!("| {what} | {limit} |");
        assert!(FORMAT.contains(&line), "FORMAT.md has no line {line}");
    }
    assert_eq!((LIMITS.entries, LIMITS.entry_name_bytes, LIMITS.ratio), (100_000, 1024, 1100));
}

#[test]
fn as_many_entries_as_there_may_be() {
    let mut writer = create();
    let listed = LIMITS.entries - 2;
    for number in 0..listed {
        add(&mut writer, &format!("files/many/{number}")).unwrap();
    }
    assert!(is_over(&add(&mut writer, "files/more").unwrap_err(), LIMITS.entries));
    let signature = |_: &[u8]| {
        Ok(ManifestSignature::new(
            "00112233445566ff",
            &sample::head().archive_id,
            sample::head().created_at,
            &[7; 64],
        )
        .unwrap())
    };
    let (_, bytes) = writer.finish_signed(sample::head(), signature).unwrap();
    assert_eq!(sample::check(&bytes, LIMITS).unwrap().entries, listed);
}

#[test]
fn a_name_as_long_as_it_may_be() {
    let mut writer = create();
    let name = format!("files/{:0>1$}", "", 1024 - "files/".len());
    assert!(is_over(&add(&mut writer, &format!("{name}0")).unwrap_err(), LIMITS.entry_name_bytes));
    add(&mut writer, &name).unwrap();
    assert_eq!(read_back(writer, sample::head()).unwrap().entries, 1);
}

#[test]
fn a_schema_as_large_as_it_may_be() {
    let mut table = sample::table("t", &["id"], &[]).schema;
    table.sql = Some(String::new());
    let rest = serde_json::to_vec_pretty(&table).unwrap().len() + 1;
    let padding = usize::try_from(LIMITS.schema_bytes).unwrap() - rest;
    let mut writer = create();
    table.sql = Some("x".repeat(padding + 1));
    assert!(is_over(&writer.write_schema(&table).unwrap_err(), LIMITS.schema_bytes));
    table.sql = Some("x".repeat(padding));
    writer.write_schema(&table).unwrap();
    writer.start_table(&table, None).unwrap();
    writer.finish_table().unwrap();
    assert!(read_back(writer, sample::head()).unwrap().bytes > LIMITS.schema_bytes);
}

#[test]
fn a_ring_as_large_as_it_may_be() {
    let ring = |bytes: u64| format!("\"{}\"", "x".repeat(usize::try_from(bytes).unwrap() - 2)).into_bytes();
    let mut writer = create();
    let error = writer.write_ring(&ring(LIMITS.schema_bytes + 1)).unwrap_err();
    assert!(is_over(&error, LIMITS.schema_bytes));
    writer.write_ring(&ring(LIMITS.schema_bytes)).unwrap();
    assert_eq!(read_back(writer, sample::head()).unwrap().bytes, LIMITS.schema_bytes);
}

#[test]
fn a_manifest_as_large_as_it_may_be() {
    let head = |padding: usize| ManifestHead { app_url: "x".repeat(padding), ..sample::head() };
    let (manifest, _) = create().finish(head(0)).unwrap();
    let rest = manifest.to_json().unwrap().len();
    let padding = usize::try_from(LIMITS.manifest_bytes).unwrap() - rest;
    read_back(create(), head(padding)).unwrap();
    let error = read_back(create(), head(padding + 1)).unwrap_err();
    assert!(is_over(&error, LIMITS.manifest_bytes));
}

/// With names of PostgreSQL's maximum length, one sequence each, and a thousand migrations.
#[test]
fn the_manifest_of_a_thousand_tables_is_small() {
    let name = |at: usize| format!("{at:0>63}");
    let mut writer = create();
    let mut head = sample::head();
    head.sources[0].migrations = Some(Migrations {
        table: "migrations".to_owned(),
        column: "migration".to_owned(),
        ids: (0..1000).map(name).collect(),
    });
    for at in 0..1000 {
        let table = sample::table(&name(at), &["id"], &[]).schema;
        writer.write_schema(&table).unwrap();
        writer.start_table(&table, None).unwrap();
        writer.finish_table().unwrap();
        let sequence = json!({"namespace": "public", "name": name(at), "last_value": i64::MAX, "is_called": true,
            "range": {"type": "bigint", "start": 1, "increment": 1, "min": 1, "max": i64::MAX, "cache": 1, "cycle": false},
            "owner": {"namespace": "public", "table": name(at), "column": "id"}});
        head.sources[0].sequences.push(serde_json::from_value(sequence).unwrap());
    }
    let (manifest, _) = writer.finish(head).unwrap();
    // The backup service verifies manifests of up to 8 MiB (`verify_manifest_limit_bytes`).
    assert!(manifest.to_json().unwrap().len() < 2 << 20);
}

/// An archive determines the number of tables: each must be compared with its own entries only.
#[test]
fn as_many_tables_as_there_may_be_are_verified_in_time() {
    let mut writer = create();
    for at in 0..45_000 {
        let table = sample::table(&format!("{at:0>60}"), &["id"], &[]).schema;
        writer.write_schema(&table).unwrap();
        writer.start_table(&table, None).unwrap();
        writer.finish_table().unwrap();
    }
    let (_, bytes) = writer.finish(sample::head()).unwrap();
    let began = Instant::now();
    let report = sample::check(&bytes, LIMITS).unwrap();
    // About 3 s unoptimised; 45,000 times 90,000 comparisons take half a minute.
    assert!(
        report.tables.len() == 45_000 && began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

/// Once with a comma after it, and once as the last row.
#[test]
fn a_row_as_large_as_it_may_be() {
    let row = |bytes: u64| format!("{{\"id\":\"{}\"}}", "x".repeat(usize::try_from(bytes).unwrap() - 9));
    let table = sample::table("t", &["id"], &[]).schema;
    let mut writer = create();
    writer.write_schema(&table).unwrap();
    writer.start_table(&table, None).unwrap();
    let error = writer.write_rows(row(LIMITS.row_bytes + 1).as_bytes(), 1).unwrap_err();
    assert!(is_over(&error, LIMITS.row_bytes));
    let largest = row(LIMITS.row_bytes);
    for _ in 0..2 {
        writer.write_rows(largest.as_bytes(), 1).unwrap();
    }
    writer.finish_table().unwrap();
    assert_eq!(read_back(writer, sample::head()).unwrap().tables, [("t".to_owned(), 2)]);
}

/// Written data must not expand beyond the limit, however well it compresses.
#[test]
fn what_expands_most_is_read() {
    for level in 1..=9 {
        let mut writer = ArchiveWriter::create(Vec::new(), LIMITS, Compression::level(level).unwrap());
        let name = "files/zeros".to_owned();
        writer.start_entry(EntryRecord::new(&name, EntryKind::File)).unwrap();
        for _ in 0..16 {
            writer.write(&[0; 1 << 20]).unwrap();
        }
        writer.finish_entry().unwrap();
        let (_, bytes) = writer.finish(sample::head()).unwrap();
        assert!(bytes.len() < 200_000, "level {level}: {} bytes do not expand much", bytes.len());
        sample::check(&bytes, LIMITS).unwrap();
    }
}
