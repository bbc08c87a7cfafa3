#![expect(clippy::unwrap_used, reason = "tests")]

mod damage;
mod fuzz;
mod sample;

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sample::{Sample, open};

use super::*;
use crate::error::Error;

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_vector_opens() {
    let vector = sample::vector();
    assert_eq!(vector.len(), 361);
    assert_eq!(sample::sha256(&vector), "d222c9d63735231f4e3fa357807fb5c40d97d19e7cb644110d91cc07ce6e8458");
    // Gatwy's derivation with all its rounds.
    let passphrase = SecretBytes::new(b"correct horse".to_vec());
    let mut geb = Geb::open(Cursor::new(&vector), &passphrase).unwrap();
    let recordings = vec![Recording { name: "a.cast".into(), bytes: 12 }];
    let exported_at = "2026-01-01T00:00:00.000Z".to_owned();
    assert_eq!(*geb.contents(), Contents { exported_at, database_bytes: 32, recordings });
    let shown = format!("{geb:?}");
    assert!(!shown.contains("1111") && !shown.contains("17, 17"), "{shown}");

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new");
    let unpacked = geb.unpack(&out, false).unwrap();
    assert_eq!(unpacked.forms, [Form::AsStored]);
    assert_eq!(unpacked.master_key, None);
    assert_eq!(names(&out), ["gatwy.db", "recordings"]);
    assert_eq!(fs::read(unpacked.database).unwrap(), b"SQLite format 3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(fs::read(out.join("recordings/a.cast")).unwrap(), b"rec-one-data");
    assert_eq!(out.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(out.join("gatwy.db").metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_two_keys_are_those_of_the_vector() {
    let passphrase = SecretBytes::new(b"correct horse".to_vec());
    for (first, expected) in [
        (0x00, "df2e25639dfb2fbc898d14cde3cfd5235bb4098c432323f5da7c848914cc8b0f"),
        (0x80, "b5739e441fe0fff658708d520889d39614c74b1479bdf983c36bee4ecd980f8e"),
    ] {
        let salt = std::array::from_fn(|at| first + u8::try_from(at).unwrap());
        assert_eq!(hex::encode(keys::derive(&passphrase, &salt).expose()), expected);
    }
}

#[test]
fn the_master_key_is_written_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = Sample::new().recording("a.cast", b"one").build();
    for (name, asked) in [("with", true), ("without", false)] {
        let out = folder.path().join(name);
        let unpacked = open(&file).unwrap().unpack(&out, asked).unwrap();
        assert_eq!(out.join("master.key").exists(), asked);
        assert_eq!(unpacked.master_key.is_some(), asked);
    }
    let key = folder.path().join("with/master.key");
    assert_eq!(fs::read_to_string(&key).unwrap(), format!("{}\n", "11".repeat(32)));
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// Made with `openssl enc -aes-256-ctr`, with the key 32 times 0x11 and the counter 20 21 … 2f.
#[test]
fn encrypted_recordings_are_opened() {
    let mut stored = b"GATWY_REC\0\x01".to_vec();
    stored.extend(0x20..0x30);
    stored.extend(hex::decode(sample::ENCRYPTED_RECORDING).unwrap());
    let file =
        Sample::new().recording("a.cast", &stored).recording("b", b"").recording("c", &stored[..20]).build();
    let folder = tempfile::tempdir().unwrap();
    let unpacked = open(&file).unwrap().unpack(folder.path(), false).unwrap();
    assert_eq!(unpacked.forms, [Form::Opened, Form::AsStored, Form::AsStored]);
    let read = |name: &str| fs::read(folder.path().join("recordings").join(name)).unwrap();
    assert_eq!(read("a.cast"), b"{\"version\": 2, \"width\": 80}\n");
    assert_eq!((read("b"), read("c")), (Vec::new(), stored[..20].to_vec()));
}

#[test]
fn nothing_is_overwritten_and_nothing_half_written() {
    let file = Sample::new().recording("a.cast", b"one").build();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "precious").unwrap();
    let error = open(&file).unwrap().unpack(folder.path(), false).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }) && error.to_string().contains("mine"), "{error}");
    assert_eq!(names(folder.path()), ["mine"]);

    // The file changes after it was opened.
    let mut geb = open(&file).unwrap();
    let mut changed = file.clone();
    *changed.iter_mut().nth_back(40).unwrap() ^= 1;
    geb.envelope.replace_source(Cursor::new(changed));
    let out = folder.path().join("new");
    assert!(matches!(geb.unpack(&out, true).unwrap_err(), Error::Damaged));
    assert!(!out.exists());

    let empty = tempfile::tempdir().unwrap();
    assert!(geb.unpack(empty.path(), true).is_err());
    assert_eq!(names(empty.path()), [""; 0]);
}

#[test]
fn more_recordings_than_gatwy_itself_reads_are_unpacked() {
    let mut sample = Sample::new();
    for number in 0..1001 {
        sample = sample.recording(&format!("{number}.cast"), format!("recording {number}").as_bytes());
    }
    let folder = tempfile::tempdir().unwrap();
    let unpacked = open(&sample.build()).unwrap().unpack(folder.path(), false).unwrap();
    assert_eq!(unpacked.forms.len(), 1001);
    assert_eq!(names(&folder.path().join("recordings")).len(), 1001);
    assert_eq!(fs::read(folder.path().join("recordings/1000.cast")).unwrap(), b"recording 1000");
}
