//! Small data that expands, or claims to.

use serde_json::json;

use super::Row;
use crate::case::{Case, ROWS_ENTRY, SCHEMA_ENTRY};
use crate::raw_zip::{Entry, deflated, last, stored, zip_of};

const MIB: usize = 1 << 20;

/// Entries that expand beyond the size in the manifest.
pub(crate) const BOMBS: &[Row] = &[
    ("bomb", |case| bomb(case, 64 << 20), "its header gives it 67108864 bytes, and manifest.json 23"),
    ("bomb with a small header", |case| bomb(case, 23), "File is larger than its declared uncompressed size"),
    ("bomb for a schema", schema_bomb, "\"schema/t.json\" exceeds the limit of 16777216 bytes"),
    ("bomb for a ring", ring_bomb, "\"keys/ring.json\" exceeds the limit of 16777216 bytes"),
    ("nested bomb", nested_bomb, "and manifest.json 67108864"),
    ("overlapping bomb", overlapping_bomb, "\"files/set/00\" overlaps the data after it"),
    (
        "overlap of one byte",
        |case| case.store_rows().compressed += 1,
        "\"tables/t.json\" overlaps the data after it",
    ),
];

/// Declared sizes and counts beyond the actual ones.
pub(crate) const DECLARED: &[Row] = &[
    (
        "4 GiB in the manifest",
        |case| case.rows_record()["bytes"] = json!(4_u64 << 30),
        "gives it 23 bytes, and manifest.json 4294967296",
    ),
    (
        "2 TiB in the manifest",
        |case| case.rows_record()["bytes"] = json!(2_u64 << 40),
        "the limit of 1099511627776 bytes",
    ),
    (
        "5 TiB in five entries",
        five_large_entries,
        "the archive exceeds the limit of 4398046511104 uncompressed bytes",
    ),
    (
        "4 GiB in the header",
        |case| declare(case, 4 << 30, None),
        "gives it 4294967296 bytes, and manifest.json 23",
    ),
    (
        "4 GiB of data in the header",
        |case| declare(case, 4 << 30, Some(4 << 30)),
        "overlaps the data after it",
    ),
    ("4 GiB on both sides", declare_twice, "\"tables/t.json\" does not have the 4294967296 bytes"),
    ("4 GiB of manifest in the header", large_manifest, "gives it 4294967296 bytes, and it has "),
    ("more data than any file has", |case| declare(case, 23, Some(u64::MAX)), "\"tables/t.json\""),
    (
        "entries without end",
        |case| case.frame.zip64_entries = Some(u64::MAX),
        "the archive exceeds the limit of 100000 entries",
    ),
    (
        "entries beyond the directory",
        |case| case.frame.zip64_entries = Some(99_999),
        "it counts more entries than there are",
    ),
];

/// More entries than allowed, all of them present.
pub(crate) const MANY: &[Row] = &[
    ("too many entries", |case| many(case, 99_998), "the archive exceeds the limit of 100000 entries"),
    ("one name too many", |case| many_alike(case, 60_000), "\"files/59999\" occurs twice"),
];

/// Manifests of the largest possible size.
pub(crate) const MANIFESTS: &[Row] = &[
    ("manifest huge", manifest_bomb, "\"manifest.json\" exceeds the limit of 67108864 bytes"),
    (
        "manifest deep",
        deep_manifest,
        "cannot be understood: EOF while parsing a list at line 1 column 60000000",
    ),
];

/// Rows of the largest possible size.
pub(crate) const ROWS: &[Row] =
    &[("row huge", row_bomb, "\"tables/t.json\" exceeds the limit of 268435456 bytes in one row")];

/// 64 MiB where the manifest says 23 bytes; the ZIP says `declared`.
fn bomb(case: &mut Case, declared: u64) {
    let bomb = deflated("tables/t.json", &vec![b' '; 64 * MIB]);
    case.entries[ROWS_ENTRY] = Entry { uncompressed: declared, ..bomb };
}

fn schema_bomb(case: &mut Case) {
    case.entries[SCHEMA_ENTRY] = deflated("schema/t.json", &vec![b' '; 64 * MIB]);
    case.manifest["entries"][SCHEMA_ENTRY]["bytes"] = json!(64 * MIB);
}

fn ring_bomb(case: &mut Case) {
    case.add("keys/ring.json", &vec![b' '; 64 * MIB], "ring");
    case.manifest["entries"][2]["bytes"] = json!(16 * MIB + 1);
}

/// A ZIP in a ZIP in a ZIP; the manifest describes the innermost content.
fn nested_bomb(case: &mut Case) {
    let mut inner = vec![0; 64 * MIB];
    let size = inner.len();
    for depth in 1..=4 {
        inner = zip_of(&format!("{depth}.zip"), &inner);
    }
    case.add("files/set/4.zip", &inner, "file");
    case.manifest["entries"][2]["bytes"] = json!(size);
}

/// A hundred entries that share one megabyte of zeros: the data of each is a stored block containing the next
/// entry's header, followed by that entry's data (<https://www.bamsoftware.com/hacks/zipbomb/>).
fn overlapping_bomb(case: &mut Case) {
    let kernel = deflated("x", &vec![0; MIB]).data;
    let (mut compressed, mut uncompressed) = (kernel.len(), MIB);
    let mut entries = Vec::new();
    for number in (0..100).rev() {
        let name = format!("files/set/{number:02}");
        let header = u16::try_from(30 + name.len()).unwrap();
        let quote = [&[0][..], &header.to_le_bytes(), &(!header).to_le_bytes()].concat();
        let mut data = kernel.clone();
        if !entries.is_empty() {
            compressed += quote.len() + usize::from(header);
            uncompressed += usize::from(header);
            data = quote;
        }
        entries.push(Entry {
            method: 8,
            compressed: compressed as u64,
            uncompressed: uncompressed as u64,
            data,
            ..stored(&name, b"")
        });
    }
    case.entries.extend(entries.into_iter().rev());
}

fn five_large_entries(case: &mut Case) {
    for number in 0..5 {
        case.add(&format!("files/set/{number}"), b"", "file");
        case.manifest["entries"][2 + number]["bytes"] = json!(1_u64 << 40);
    }
}

/// Declares `size` as the uncompressed size of the rows and, if given, `data` as their compressed size.
fn declare(case: &mut Case, size: u64, data: Option<u64>) {
    let rows = &mut case.entries[ROWS_ENTRY];
    rows.uncompressed = size;
    rows.compressed = data.unwrap_or(rows.compressed);
}

fn declare_twice(case: &mut Case) {
    declare(case, 4 << 30, None);
    case.rows_record()["bytes"] = json!(4_u64 << 30);
}

fn large_manifest(case: &mut Case) {
    let manifest = last("manifest.json", case.manifest_text().as_bytes());
    case.manifest_entry = Some(Entry { uncompressed: 4 << 30, ..manifest });
}

/// Adds `count` entries to the three existing ones, none of them wrong.
fn many(case: &mut Case, count: u64) {
    case.entries.extend((0..count).map(|number| stored(&format!("files/{number}"), b"")));
    case.frame.zip64_entries = Some(count + 3);
}

/// The last name occurs twice.
fn many_alike(case: &mut Case, count: u64) {
    many(case, count);
    case.entries.push(case.entries[1 + usize::try_from(count).unwrap()].clone());
    case.frame.zip64_entries = None;
}

fn manifest_bomb(case: &mut Case) {
    case.manifest_entry = Some(deflated("manifest.json", &vec![b' '; 64 * MIB + 1]));
}

/// Nested in an unknown field, which is not parsed.
fn deep_manifest(case: &mut Case) {
    let mut manifest = String::from("{\"format_version\":1,\"x\":");
    manifest.extend(std::iter::repeat_n('[', 60_000_000 - manifest.len()));
    case.manifest_entry = Some(deflated("manifest.json", manifest.as_bytes()));
}

fn row_bomb(case: &mut Case) {
    let mut rows = b"[\n{\"id\":\"".to_vec();
    rows.resize(300 * MIB, b' ');
    case.describe_rows(&rows);
    case.entries[ROWS_ENTRY] = deflated("tables/t.json", &rows);
}
