//! Entries that are not what they appear to be.

use super::Row;
use crate::case::{Case, ROWS_ENTRY};
use crate::raw_zip::{self, Entry, stored};

/// Entries of kinds that archives do not use.
pub(crate) const KINDS: &[Row] = &[
    ("symbolic link", |case| rows(case).attributes = 0o120_777 << 16, "is a symbolic link"),
    ("device", |case| rows(case).attributes = 0o020_666 << 16, "is a device"),
    ("folder by its name", |case| case.entries.push(stored("tables/", b"")), "\"tables/\" is a directory"),
    (
        "folder by its mode",
        |case| rows(case).attributes = 0o040_755 << 16,
        "\"tables/t.json\" is a directory",
    ),
    ("encrypted", |case| rows(case).flags |= 1, "\"tables/t.json\" is encrypted"),
    ("strongly encrypted", |case| case.entries[0].flags |= 1 << 6, "\"schema/t.json\" is encrypted"),
    ("method shrunk", |case| rows(case).method = 1, "compression method 1;"),
    ("method deflate64", |case| rows(case).method = 9, "compression method 9;"),
    ("method bzip2", |case| rows(case).method = 12, "compression method 12;"),
    ("method LZMA", |case| rows(case).method = 14, "compression method 14;"),
    ("method zstd", |case| rows(case).method = 93, "compression method 93;"),
    ("method AES", |case| rows(case).method = 99, "compression method 99;"),
    ("method unknown", |case| rows(case).method = 0xfffe, "compression method 65534;"),
    ("entry comment", |case| rows(case).comment = b"hello".to_vec(), "has a comment"),
];

/// Entries with two contradictory descriptions.
pub(crate) const TWO_SIDES: &[Row] = &[
    ("local name", |case| case.lie_locally(|local| local.name = b"tables/u.json".to_vec()), "disagree: "),
    ("local method", |case| case.lie_locally(|local| local.method = 8), "disagree: "),
    ("local checksum", |case| case.lie_locally(|local| local.crc32 ^= 1), "disagree: "),
    ("local compressed size", |case| case.lie_locally(|local| local.compressed += 1), "disagree: "),
    ("local size", |case| case.lie_locally(|local| local.uncompressed += 1), "disagree: "),
    ("local encryption", |case| case.lie_locally(|local| local.flags |= 1), "disagree: "),
    ("local descriptor", |case| case.lie_locally(|local| local.flags |= 1 << 3), "disagree: "),
    ("name in an extra field", |case| rows(case).extra = unicode_path(), "UnicodePath"),
    ("another's header", share_a_header, "\"files/x\" is described in two ways that disagree"),
    ("descriptor that is not there", |case| case.store_rows().flags |= 1 << 3, "belong to no entry"),
    (
        "descriptor that disagrees",
        |case| {
            case.store_rows().flags |= 1 << 3;
            rows(case).data.extend_from_slice(b"PK\x07\x08............");
        },
        "its data descriptor gives other sizes or checksums",
    ),
];

fn rows(case: &mut Case) -> &mut Entry {
    &mut case.entries[ROWS_ENTRY]
}

fn share_a_header(case: &mut Case) {
    let entry = Entry { shares_first: true, ..stored("files/x", b"") };
    case.entries.push(entry);
}

/// An Info-ZIP Unicode Path field with another name for `tables/t.json`.
fn unicode_path() -> Vec<u8> {
    let name = b"tables/u.json";
    let mut field = vec![0x75, 0x70];
    field.extend_from_slice(&u16::try_from(name.len() + 5).unwrap().to_le_bytes());
    field.push(1);
    field.extend_from_slice(&raw_zip::crc32(b"tables/t.json").to_le_bytes());
    field.extend_from_slice(name);
    field
}
