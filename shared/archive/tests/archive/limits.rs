//! Limits at their boundary: the largest value that can be written can be read, and one more is refused by
//! both sides.

use strongroom_archive::{
    ArchiveWriter, Compression, EntryKind, EntryRecord, Error, Limits, ManifestSignature,
};

use crate::sample::{self, Table};

const ROW: &str = r#"{"id":1,"name":"Ann"}"#;

fn tables() -> Vec<Table> {
    vec![sample::table("users", &["id", "name"], &[ROW, ROW])]
}

/// With everything that an archive can contain: the writer reserves an entry for the signature.
fn write(limits: Limits) -> Result<Vec<u8>, Error> {
    let signature = |_: &[u8]| {
        ManifestSignature::new(
            "00112233445566ff",
            &sample::head().archive_id,
            sample::head().created_at,
            &[7; 64],
        )
        .unwrap()
    };
    sample::write_signed(&tables(), limits, signature)
}

/// Finds the smallest limit, set by `set`, with which the sample can be written; the reader must refuse every
/// smaller limit too.
fn edge(most: u64, set: impl Fn(&mut Limits, u64)) -> u64 {
    let with = |limit| {
        let mut limits = Limits::V1;
        set(&mut limits, limit);
        limits
    };
    let whole = write(Limits::V1).unwrap();
    let writable = |limit: &u64| write(with(*limit)).is_ok();
    let edge = (0..=most).find(writable).unwrap();
    assert_eq!(write(with(edge)).unwrap(), whole);
    sample::check(&whole, with(edge)).unwrap();

    let written = write(with(edge - 1)).unwrap_err();
    let read = sample::check(&whole, with(edge - 1)).unwrap_err();
    for error in [&written, &read] {
        let (Error::Limit { limit, .. } | Error::RowLimit { limit, .. }) = error else { panic!("{error}") };
        assert_eq!(*limit, edge - 1);
    }
    assert_eq!(written.to_string(), read.to_string());
    edge
}

#[test]
fn entries() {
    let edge = edge(10, |limits, limit| limits.entries = limit);
    assert_eq!(edge, 5, "schema, rows, ring, manifest and signature");
}

#[test]
fn names() {
    let edge = edge(100, |limits, limit| limits.entry_name_bytes = limit);
    assert_eq!(edge, "schema/users.json".len() as u64);
}

#[test]
fn bytes_of_an_entry_and_of_a_schema() {
    let all = sample::contents(&sample::write(&tables(), Limits::V1).unwrap()).unwrap();
    let longest = all.iter().map(|(_, content)| content.len()).max().unwrap() as u64;
    assert_eq!(edge(10_000, |limits, limit| limits.entry_bytes = limit), longest);
    assert_eq!(edge(10_000, |limits, limit| limits.schema_bytes = limit), longest);
}

#[test]
fn bytes_of_all_entries() {
    let all = sample::contents(&sample::write(&tables(), Limits::V1).unwrap()).unwrap();
    let total = all.iter().map(|(_, content)| content.len()).sum::<usize>() as u64;
    assert_eq!(edge(10_000, |limits, limit| limits.total_bytes = limit), total);
}

#[test]
fn bytes_of_the_manifest() {
    edge(10_000, |limits, limit| limits.manifest_bytes = limit);
}

#[test]
fn bytes_of_a_row() {
    let edge = edge(1000, |limits, limit| limits.row_bytes = limit);
    assert_eq!(edge, ROW.len() as u64);
}

/// No comma follows it, so the length of its line alone is not conclusive.
#[test]
fn bytes_of_the_last_row() {
    let rows = [r#"{"id":1}"#, r#"{"id":12}"#];
    let bytes = sample::write(&[sample::table("t", &["id"], &rows)], Limits::V1).unwrap();
    let with = |row_bytes| sample::check(&bytes, Limits { row_bytes, ..Limits::V1 });
    with(9).unwrap();
    let sentence = r#"row 2 of "tables/t.json" exceeds the limit of 8 bytes in one row"#;
    assert_eq!(with(8).unwrap_err().to_string(), sentence);
}

#[test]
fn expansion_is_counted_on_real_bytes() {
    let zeros = format!("{{\"id\":\"{}\"}}", "0".repeat(1 << 20));
    let bytes = sample::write(&[sample::table("t", &["id"], &[&zeros])], Limits::V1).unwrap();
    sample::check(&bytes, Limits::V1).unwrap();
    let limits = Limits { ratio: 100, ..Limits::V1 };
    let error = sample::check(&bytes, limits).unwrap_err();
    let sentence = r#"the entry "tables/t.json" exceeds the limit of 100 times its compressed size"#;
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn more_entries_than_a_short_end_record_can_count() {
    let mut writer = ArchiveWriter::create(Vec::new(), Limits::V1, Compression::default());
    for number in 0..0x1_0001 {
        let name = format!("files/many/{number}");
        writer.start_entry(EntryRecord::new(&name, EntryKind::File)).unwrap();
        writer.finish_entry().unwrap();
    }
    let (_, bytes) = writer.finish(sample::head()).unwrap();
    assert_eq!(sample::check(&bytes, Limits::V1).unwrap().entries, 0x1_0001);
    let end64 = bytes.len() - 22 - 20 - 56;
    assert!(bytes[end64..].starts_with(b"PK\x06\x06"));
    for at in end64..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(sample::open(&damaged).is_err(), "byte {}", at - end64);
    }

    let mut miscounted = bytes.clone();
    for at in [bytes.len() - 14, bytes.len() - 12] {
        miscounted[at..at + 2].copy_from_slice(&[7, 0]);
    }
    let error = sample::open(&miscounted).map(drop).unwrap_err().to_string();
    assert!(error.contains("disagrees with the ZIP64 end record"), "{error}");

    let mut hiding = bytes.clone();
    hiding.splice(end64 + 56..end64 + 56, *b"more");
    let error = sample::open(&hiding).map(drop).unwrap_err().to_string();
    assert!(error.contains("locator points elsewhere"), "{error}");
}
