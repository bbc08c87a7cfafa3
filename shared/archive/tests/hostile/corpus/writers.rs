//! ZIPs that are valid in themselves but contain something that no writer of archives produces.

use super::Row;
use crate::case::{Case, ROWS_ENTRY, SCHEMA_ENTRY};
use crate::raw_zip::{deflated, last};

pub(crate) const WRITERS: &[Row] = &[
    (
        "another mode",
        |case| case.entries[SCHEMA_ENTRY].attributes = 0,
        "the header of the entry \"schema/t.json\" is not in the form that an archive writer gives it",
    ),
    (
        "stored rows",
        |case| drop(case.store_rows().clone()),
        "the header of the entry \"tables/t.json\" is not in the form that an archive writer gives it",
    ),
    (
        "extra field",
        |case| {
            case.add("files/set/a", b"a", "file");
            case.entries[2].extra = vec![0xfe, 0xca, 0, 0];
        },
        "the header of the entry \"files/set/a\" is not in the form",
    ),
    (
        "deflated manifest",
        |case| case.manifest_entry = Some(deflated("manifest.json", case.manifest_text().as_bytes())),
        "the header of the entry \"manifest.json\" is not in the form",
    ),
    (
        "deflated signature",
        |case| case.behind_manifest.push(deflated("manifest.sig", b"signature")),
        "the header of the entry \"manifest.sig\" is not in the form",
    ),
    (
        "ZIP64 end record without need",
        |case| case.frame.zip64_entries = Some(3),
        "the ZIP end record is wrong: it is not in the form that an archive writer gives it",
    ),
    (
        "entry behind the manifest",
        |case| behind(case),
        "the entry \"tables/t.json\" is not at the position that an archive writer gives it",
    ),
    (
        "signature before the manifest",
        |case| case.entries.push(last("manifest.sig", b"signature")),
        "the entry \"manifest.sig\" is not at the position",
    ),
    (
        "directory in another order",
        |case| case.afterwards = |zip| swap_in_directory(&zip),
        "the entry \"schema/t.json\" is not at the position",
    ),
];

fn behind(case: &mut Case) {
    let rows = case.entries.remove(ROWS_ENTRY);
    case.behind_manifest.push(rows);
}

/// Swaps the first two headers of the central directory.
fn swap_in_directory(zip: &[u8]) -> Vec<u8> {
    let starts: Vec<usize> = (0..zip.len()).filter(|at| zip[*at..].starts_with(b"PK\x01\x02")).collect();
    let [first, second, third] = starts.try_into().unwrap();
    [&zip[..first], &zip[second..third], &zip[first..second], &zip[third..]].concat()
}
