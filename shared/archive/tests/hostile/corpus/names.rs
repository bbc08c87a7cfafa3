//! Names that lead elsewhere, or that readers interpret differently.

use super::Row;
use crate::case::ROWS_ENTRY;
use crate::raw_zip::stored;

pub(crate) const NAMES: &[Row] = &[
    ("climbing", |case| case.rename("../t.json"), "\"../t.json\" climbs out of its folder"),
    ("climbing from below", |case| case.rename("tables/../../t.json"), "climbs out of its folder"),
    ("climbing at the end", |case| case.rename("tables/.."), "climbs out of its folder"),
    ("absolute", |case| case.rename("/tables/t.json"), "is an absolute path"),
    ("drive letter", |case| case.rename("C:/t.json"), "begins with a drive letter"),
    ("drive letter without a slash", |case| case.rename("c:t.json"), "begins with a drive letter"),
    ("network share", |case| case.rename("\\\\host\\t.json"), "contains a backslash"),
    ("backslash", |case| case.rename("tables\\..\\t.json"), "contains a backslash"),
    ("NUL", |case| case.rename("tables/t.json\0.txt"), "contains a NUL"),
    ("line feed", |case| case.rename("tables/\n.json"), "contains a control character"),
    ("C1 control character", |case| case.rename("tables/\u{9b}.json"), "contains a control character"),
    ("empty part", |case| case.rename("tables//t.json"), "has an empty part"),
    ("dot", |case| case.rename("./tables/t.json"), "has an empty part"),
    ("no name", |case| case.rename(""), "is empty"),
    ("long name", |case| case.rename(&"x".repeat(1025)), "exceeds the limit of 1024 bytes"),
    ("longest name", |case| case.rename(&"y".repeat(0xffff)), "larger than its entries can need"),
    ("not UTF-8", |case| case.entries[ROWS_ENTRY].name = b"tables/\xff.json".to_vec(), "is not UTF-8, or"),
    (
        "not marked UTF-8",
        |case| {
            case.rename("tables/é.json");
            case.entries[ROWS_ENTRY].flags = 0;
        },
        "not marked as UTF-8",
    ),
    ("twice", |case| case.entries.push(case.entries[ROWS_ENTRY].clone()), "\"tables/t.json\" occurs twice"),
    (
        "two manifests",
        |case| case.entries.push(stored("manifest.json", b"{}")),
        "\"manifest.json\" occurs twice",
    ),
    ("letter case", |case| case.entries.push(stored("TABLES/T.json", b"x")), "only in letter case"),
    (
        "letter case outside ASCII",
        |case| {
            case.entries.push(stored("files/ſ", b"x"));
            case.entries.push(stored("files/S", b"x"));
        },
        "\"files/S\" differs from another one only in letter case",
    ),
];
