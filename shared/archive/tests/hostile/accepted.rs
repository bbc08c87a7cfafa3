//! What must not be refused with all this.

use std::io::Cursor;

use serde_json::json;
use strongroom_archive::{ArchiveReader, Limits};

use crate::bounds::take_turn;
use crate::case::{Case, ROWS_ENTRY};
use crate::check;
use crate::raw_zip::{deflated, stored, zip_of};

fn accepted(case: &Case) {
    check(Cursor::new(case.build())).unwrap();
}

fn refused(case: &Case) -> String {
    check(Cursor::new(case.build())).unwrap_err().to_string()
}

#[test]
fn an_honest_one() {
    let _turn = take_turn();
    let report = check(Cursor::new(Case::honest().build())).unwrap();
    assert_eq!(report.tables, [("t".to_owned(), 2)]);
}

#[test]
fn a_manifest_may_grow() {
    let _turn = take_turn();
    let mut case = Case::honest();
    case.manifest["later"] = json!({"deep": [[[]]]});
    case.rows_record()["later"] = json!(1);
    case.add(stored("more/x", b"new"), "later");
    case.entries.push(stored("manifest.sig", b"signature"));
    accepted(&case);
    let mut archive = ArchiveReader::open(Cursor::new(case.build()), Limits::V1).unwrap();
    let error = archive.signature().unwrap_err().to_string();
    assert!(error.starts_with("manifest.sig is no signature"), "{error}");

    case.entries[2] = stored("more/x", b"old");
    assert!(refused(&case).contains("\"more/x\" does not have the SHA-256"));
}

/// What is inside a file is the application's: it is neither opened nor judged.
#[test]
fn a_zip_as_a_file_of_the_application() {
    let _turn = take_turn();
    let mut case = Case::honest();
    case.add(stored("files/set/a.zip", &zip_of("../x", b"x")), "file");
    accepted(&case);
}

/// Systems other than Unix give no mode, and whoever packs an archive again may choose how.
#[test]
fn an_archive_packed_by_another_tool() {
    let _turn = take_turn();
    let mut case = Case::honest();
    case.entries[ROWS_ENTRY].attributes = 0;
    accepted(&case);
    case.entries[ROWS_ENTRY] = deflated("tables/t.json", &case.entries[ROWS_ENTRY].data);
    accepted(&case);
}
