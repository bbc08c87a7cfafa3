//! Every fault of a file is refused with its own message.

use std::io::Cursor;

use super::sample::{Sample, open, quick, remembered, vector};
use crate::Error;
use crate::geb::{Geb, MAX_RECORDINGS};

fn refused(file: &[u8]) -> Error {
    open(file).map(|geb| format!("{geb:?}")).unwrap_err()
}

#[test]
fn every_flipped_bit_of_the_vector_is_refused() {
    let vector = vector();
    let mut derive = remembered();
    assert!(Geb::open_with(Cursor::new(&vector), &mut derive).is_ok());
    for bit in 0..vector.len() * 8 {
        let mut flipped = vector.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = Geb::open_with(Cursor::new(&flipped), &mut derive).map(drop).unwrap_err();
        match bit / 8 {
            0..6 => assert!(matches!(error, Error::NotGeb), "{bit}: {error}"),
            6 => assert!(matches!(error, Error::FutureGeb(..)), "{bit}: {error}"),
            // A changed salt yields another key, and a changed initial counter decrypts the first block to
            // something else: both look like a wrong passphrase.
            7..55 => assert!(matches!(error, Error::WrongPassphrase), "{bit}: {error}"),
            // The database, the recording, the MAC: the beginning is intact.
            285.. => assert!(matches!(error, Error::Damaged), "{bit}: {error}"),
            _ => {}
        }
    }
}

#[test]
fn every_shorter_and_every_longer_file_is_refused() {
    let file = Sample::new().recording("a.cast", b"rec-one-data").build();
    for length in 0..file.len() {
        let error = refused(&file[..length]);
        match length {
            0..6 => assert!(matches!(error, Error::NotGeb), "{length}: {error}"),
            // Too short to contain the beginning by which the passphrase is judged.
            119..133 => assert!(matches!(error, Error::WrongPassphrase), "{length}: {error}"),
            _ => assert!(matches!(error, Error::Truncated(1..)), "{length}: {error}"),
        }
    }
    let missing = refused(&file[..file.len() - 5]);
    assert!(matches!(missing, Error::Truncated(5)), "{missing}");
    for added in [1, 32, 1000] {
        let error = refused(&[&file[..], &vec![7; added]].concat());
        assert!(matches!(error, Error::Trailing(found) if found == added as u64), "{error}");
    }
}

#[test]
fn a_wrong_passphrase_has_its_own_sentence() {
    let error = Geb::open_with(Cursor::new(vector()), &mut quick).map(drop).unwrap_err();
    assert!(matches!(error, Error::WrongPassphrase), "{error}");
    assert!(error.to_string().contains("passphrase does not open"), "{error}");
}

#[test]
fn authentic_files_that_make_no_sense_are_refused() {
    let sample = Sample::new;
    let future = Sample { version: 2, ..sample() };
    let error = refused(&future.build());
    assert!(matches!(error, Error::FutureGeb(2, "manifest")), "{error}");
    let error = refused(&Sample { extra: vec![0; 3], ..sample() }.build());
    assert!(error.to_string().contains("leaves 3 bytes at the end"), "{error}");
    let error = refused(&sample().listed("a.cast", 13).build());
    assert!(error.to_string().contains("\"a.cast\" is too large: its stated size is 13 bytes"), "{error}");
    let error = refused(&sample().listed("a", u64::MAX).listed("b", u64::MAX).build());
    assert!(matches!(error, Error::TooLarge { left: 0, .. }), "{error}");
    for manifest in ["", "{", "[]", "{\"version\":1}", "{\"version\":1,\"dbSize\":\"1111\"}"] {
        let error = refused(&Sample { manifest: Some(manifest.to_owned()), ..sample() }.build()).to_string();
        assert!(error.contains("not in Gatwy's form") && !error.contains("1111"), "{manifest}: {error}");
    }
    for key in ["", "11", "zz", &"1".repeat(63), &"1z".repeat(32)] {
        let manifest = format!(
            "{{\"version\":1,\"exportedAt\":\"\",\"dbSize\":32,\"recordings\":[],\"encryptionKeyHex\":\"{key}\"}}"
        );
        let error = refused(&Sample { manifest: Some(manifest), ..sample() }.build()).to_string();
        assert!(error.ends_with("has a master key that is not 64 hex digits"), "{error}");
    }
}

#[test]
fn too_many_recordings_are_refused() {
    let names = (0..=MAX_RECORDINGS).map(|number| format!("{{\"name\":\"{number}\",\"size\":0}}"));
    let manifest = format!(
        "{{\"version\":1,\"exportedAt\":\"\",\"dbSize\":32,\"recordings\":[{}],\"encryptionKeyHex\":\"{}\"}}",
        names.collect::<Vec<_>>().join(","),
        "11".repeat(32)
    );
    let error = refused(&Sample { manifest: Some(manifest), ..Sample::new() }.build());
    assert!(matches!(error, Error::TooManyRecordings { found: 100_001, .. }), "{error}");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let long = "x".repeat(256);
    for name in [
        "",
        ".",
        "..",
        "../a",
        "a/b",
        "/etc/passwd",
        "..\\a",
        "C:",
        "c:x",
        "a\0b",
        "a\u{1b}[2J",
        long.as_str(),
    ] {
        let error = refused(&Sample::new().recording(name, b"x").build());
        assert!(matches!(error, Error::RecordingName { .. }), "{name:?}: {error}");
    }
    let error = refused(&Sample::new().recording("a.cast", b"x").recording("A.CAST", b"y").build());
    assert!(error.to_string().contains("occurs twice"), "{error}");
}
