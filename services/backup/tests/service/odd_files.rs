//! Files under every kind of name that a Linux file system allows: all come back unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{Cursor, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use strongroom_archive::ArchiveReader;

use crate::files::{Recordings, archive, files};
use crate::support::plain;

const FILES: usize = 2000;
/// Names with a meaning for a shell, for Windows, for a path parser or for the naming rule.
const SPECIAL: &[&str] = &[
    "..x",
    "...",
    "x..",
    "x.",
    "x ",
    " ",
    ".hidden",
    "-rf",
    "~",
    "$HOME",
    "*",
    "a\"b",
    "C:",
    "C:\\x",
    "\\\\host\\x",
    "con",
    "CON",
    "Con",
    "nul.txt",
    "com1",
    "COM¹",
    "aux ",
    "a%0Ab",
    "a\nb",
    "a%0Ab~2",
    "A%0ab",
    "%0A",
    "%250A",
    "%",
    "%%",
    "%2F",
    "a~2",
    "a~3",
    "x~2",
    "X~2",
    "Straße",
    "STRASSE",
    "straſse",
    "Σ",
    "σ",
    "ς",
    "é",
    "e\u{301}",
    "\u{202e}gpj.exe",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "🔑",
    "manifest.json",
    "%FF",
    "~060025fe",
];

type Content = (Vec<u8>, u32, Timestamp);

/// Paths below the directory. No file has the path of another file's folder.
fn paths() -> BTreeSet<Vec<u8>> {
    let mut paths = BTreeSet::new();
    for byte in (1..=u8::MAX).filter(|byte| *byte != b'/') {
        paths.extend([vec![byte], vec![b'x', byte], vec![byte, b'x'], vec![b'x', byte, b'x']]);
        paths.insert([b"folder", &[byte][..], b"/file"].concat());
    }
    paths.remove(&b"."[..]);
    paths.extend(SPECIAL.iter().map(|name| name.as_bytes().to_vec()));
    paths.extend([&b"L"[..], b"l", b"\xff", b"\n", b"%"].map(|unit| unit.repeat(255)));
    paths
        .extend([&b"D"[..], b"\x01", b"\xc3"].map(|unit| [&unit.repeat(250), &b"/"[..]].concat().repeat(13)));
    let deep: Vec<_> = paths.iter().filter(|path| path.ends_with(b"/")).cloned().collect();
    for folder in deep {
        paths.remove(&folder);
        paths.extend([&b"file"[..], b"FILE", b"\n"].map(|name| [&folder, name].concat()));
    }
    let some = (0_u32..).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes().to_vec());
    let mut some = some.filter(|name| !name.contains(&0) && !name.contains(&b'/'));
    while paths.len() < FILES {
        paths.extend(some.next());
    }
    paths
}

fn write(root: &Path, path: &[u8], (bytes, mode, time): &Content) {
    let path = root.join(OsStr::from_bytes(path));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let since = Duration::try_from(time.duration_since(Timestamp::UNIX_EPOCH)).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH + since).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
}

fn read(archive: &mut ArchiveReader<Cursor<Vec<u8>>>) -> BTreeMap<Vec<u8>, Content> {
    let mut found = BTreeMap::new();
    for entry in files(archive) {
        let (set, path) = entry.file_path().unwrap();
        assert_eq!(set, "recs");
        let mut bytes = Vec::new();
        archive.entry(&entry.name).unwrap().read_to_end(&mut bytes).unwrap();
        let mode = u32::from_str_radix(entry.mode.as_ref().unwrap(), 8).unwrap();
        found.insert(path.as_bytes().to_vec(), (bytes, mode, entry.modified_at.unwrap()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_any_name_come_back_with_their_bytes_modes_and_times() {
    let recordings = Recordings::start(&[], "").await;
    let mut given = BTreeMap::new();
    for (at, path) in paths().into_iter().enumerate() {
        // The service can read all of them, whichever user it runs as.
        let mode = 0o400 | (at as u32 % 0o10000);
        let time = Timestamp::new(at as i64 * 1_000_003, 123_456_789).unwrap();
        let content = (path.clone(), mode, time);
        write(&recordings.root, &path, &content);
        given.insert(path, content);
    }
    assert_eq!(given.len(), FILES);
    let received = recordings.export(plain()).await.unwrap();
    assert_eq!(received.trailer.files, FILES as i64);
    let mut archive = archive(&received.file);
    assert!(archive.manifest().sources.last().unwrap().skipped.is_empty());
    let found = read(&mut archive);
    for (path, content) in &given {
        assert_eq!(found.get(path), Some(content), "{}", path.escape_ascii());
    }
    assert_eq!(found.len(), FILES);
}
