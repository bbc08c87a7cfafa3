//! Unusual files that must not be refused.

use std::io::Cursor;

use serde_json::json;
use strongroom_archive::{ArchiveReader, Limits, PlainZip};

use crate::bounds::Alone;
use crate::case::{Case, spoiled};
use crate::raw_zip::{deflated, last, zip_of};
use crate::{check, corpus};

fn accepted(case: &Case) {
    check(Cursor::new(case.build())).unwrap();
}

fn refused(case: &Case) -> String {
    check(Cursor::new(case.build())).unwrap_err().to_string()
}

#[test]
fn an_honest_one() {
    let _alone = Alone::wait();
    let report = check(Cursor::new(Case::honest().build())).unwrap();
    assert_eq!(report.tables, [("t".to_owned(), 2)]);
}

#[test]
fn a_manifest_may_grow() {
    let _alone = Alone::wait();
    let mut case = Case::honest();
    case.manifest["later"] = json!({"deep": [[[]]]});
    case.rows_record()["later"] = json!(1);
    case.add("more/x", b"new", "later");
    case.behind_manifest.push(last("manifest.sig", b"signature"));
    accepted(&case);
    let mut archive = ArchiveReader::open(Cursor::new(case.build()), Limits::V1).unwrap();
    let error = archive.signature().unwrap_err().to_string();
    assert!(error.starts_with("manifest.sig is not a signature"), "{error}");

    case.entries[2] = deflated("more/x", b"old");
    assert!(refused(&case).contains("\"more/x\" does not have the SHA-256"));
}

/// The content of a file belongs to the application: it is neither opened nor judged.
#[test]
fn a_zip_as_a_file_of_the_application() {
    let _alone = Alone::wait();
    let mut case = Case::honest();
    case.add("files/set/a.zip", &zip_of("../x", b"x"), "file");
    accepted(&case);
}

/// The features in `corpus::writers` for which archives are refused are common in other ZIPs.
#[test]
fn a_zip_of_another_tool_that_is_no_archive() {
    let _alone = Alone::wait();
    for (name, spoil, _) in corpus::WRITERS {
        let file = Cursor::new(spoiled(*spoil));
        let zip = PlainZip::open(file, Limits::V1);
        assert!(zip.is_ok(), "{name}: {}", zip.map(drop).unwrap_err());
    }
}
