//! Structures around the entries.

use super::Row;
use crate::raw_zip::stored;

const END_BYTES: usize = 22;

/// Bytes that belong to nothing. After a descriptor, its 24 bytes are included in the count.
pub(crate) const AROUND: &[Row] = &[
    ("trailing data", |case| case.frame.trailing = b"more".to_vec(), "or something was added after it"),
    ("archive comment", |case| case.frame.comment = b"hello".to_vec(), "the ZIP archive has a comment"),
    ("script in front", |case| case.frame.prefix = b"#!/bin/sh\n".to_vec(), "10 bytes before the end record"),
    ("after the directory", |case| case.frame.before_end = vec![0; 7], "7 bytes before the end record"),
    (
        "before the first entry",
        |case| case.entries[0].before = vec![0; 5],
        "5 bytes before \"schema/t.json\"",
    ),
    ("between two entries", |case| case.entries[1].before = vec![0; 6], "30 bytes before \"tables/t.json\""),
    ("whole entry between two", hide_an_entry, "62 bytes before \"tables/t.json\""),
    ("another kind of file", |case| case.afterwards = |_| vec![b'x'; 1000], "it begins with other bytes"),
];

/// End records that contradict each other or the actual contents.
pub(crate) const ENDS: &[Row] = &[
    ("fewer entries", |case| case.frame.miscount = -1, "it counts fewer entries than there are"),
    ("more entries", |case| case.frame.miscount = 1, "it counts more entries than there are"),
    ("two counts", |case| case.frame.second_count = Some(7), "it gives two different entry counts"),
    ("second disk", |case| case.frame.disk = 1, "it names more than one disk"),
    ("end record twice", |case| case.afterwards = end_twice, "22 bytes before the end record"),
    (
        "end record in a comment",
        |case| case.afterwards = |zip| end_in_comment(&zip),
        "23 bytes before the end record",
    ),
    ("two archives", |case| case.afterwards = |zip| [zip.clone(), zip].concat(), "before the end record"),
    ("directory from elsewhere", |case| case.afterwards = |zip| set(zip, 16, 7), "before the end record"),
    ("directory beyond the file", |case| case.afterwards = |zip| set(zip, 12, u32::MAX), "beyond itself"),
    ("empty directory", |case| case.afterwards = |zip| set(zip, 12, 0), "before the end record"),
    ("two ZIP64 counts", |case| case.frame.zip64_entries = Some(2), "disagrees with the ZIP64 end record"),
    ("ZIP64 locator astray", |case| case.afterwards = |zip| astray(&zip), "locator points elsewhere"),
];

/// Hides an entry that a reader finds if it scans the file from the start.
fn hide_an_entry(case: &mut crate::case::Case) {
    let hidden = crate::raw_zip::build(&[stored("files/x", b"x")], &crate::raw_zip::Frame::default());
    case.entries[1].before = hidden[..30 + "files/xx".len()].to_vec();
}

fn end_twice(mut zip: Vec<u8>) -> Vec<u8> {
    zip.extend_from_within(zip.len() - END_BYTES..);
    zip
}

/// The comment of the first end record is the second one, which a search from the end finds.
fn end_in_comment(zip: &[u8]) -> Vec<u8> {
    let (all, end) = zip.split_at(zip.len() - END_BYTES);
    let first = &end[..END_BYTES - 2];
    [all, first, &[END_BYTES as u8 + 1, 0], b"!", end].concat()
}

/// Writes a number into the end record.
fn set(mut zip: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
    let place = zip.len() - END_BYTES + at;
    zip[place..place + 4].copy_from_slice(&value.to_le_bytes());
    zip
}

fn astray(zip: &[u8]) -> Vec<u8> {
    let (all, end) = zip.split_at(zip.len() - END_BYTES);
    let locator = [&b"PK\x06\x07"[..], &[0; 4], &5_u64.to_le_bytes(), &1_u32.to_le_bytes()].concat();
    [all, &locator, end].concat()
}
