//! Part of the corpus as files: a file once refused must stay refused, with the same message, even if the
//! code that makes it changes. Each is compared with a newly made one.

use std::io::{Cursor, Write};
use std::path::Path;

use strongroom_age::{FileKey, Identity, IdentityFile, Recipient, Recipients, SealWriter, SealedFile};
use strongroom_archive::seal::Header;

use crate::bounds::Alone;
use crate::case::{Spoil, spoiled};
use crate::kept::keep;
use crate::{check, corpus};

/// The key that the vectors are sealed to.
const IDENTITY: &[u8] = include_bytes!("../../../age/tests/vectors/recovery.txt");

const PLAIN: [&str; 16] = [
    "climbing",
    "absolute",
    "backslash",
    "NUL",
    "twice",
    "letter case",
    "symbolic link",
    "method zstd",
    "local name",
    "trailing data",
    "end record twice",
    "manifest absent",
    "version next",
    "rows counted more twice",
    "other digest",
    "overlapping bomb",
];
const SEALED: [&str; 3] = ["climbing", "version next", "other digest"];

/// The file name below `tests/vectors`.
fn file_name(name: &str, extension: &str) -> String {
    format!("zip/bad-{}.{extension}", name.to_lowercase().replace(' ', "-"))
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

/// The function that makes the case, and its error message.
fn case(name: &str) -> (Spoil, &'static str) {
    let mut cases = corpus::GROUPS.iter().flat_map(|group| group.cases);
    let (_, spoil, sentence) = cases.find(|(known, ..)| *known == name).unwrap();
    (*spoil, sentence)
}

fn identities() -> Vec<Identity> {
    match IdentityFile::read(IDENTITY).unwrap() {
        IdentityFile::Plain(identities) => identities,
        IdentityFile::Locked(_) => panic!("it is locked"),
    }
}

fn seal(archive: &[u8]) -> Vec<u8> {
    let Some(Identity::X25519(identity)) = identities().pop() else { panic!("no recovery key") };
    let recipients = Recipients::Keys(vec![Recipient::X25519(identity.recipient())]);
    let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients).unwrap();
    writer.write_all(archive).unwrap();
    writer.finish().unwrap()
}

/// Makes and writes a file: all of them before the first is checked, so that they can replace vectors that
/// are now refused for another reason.
fn made(name: &str, extension: &str, pack: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let file = pack(spoiled(case(name).0));
    keep(&file_name(name, extension), &file);
    file
}

#[test]
fn the_bad_archives_are_refused() {
    let _alone = Alone::wait();
    let made = PLAIN.map(|name| made(name, "zip", |archive| archive));
    for (name, new) in PLAIN.into_iter().zip(made) {
        let sentence = case(name).1;
        for file in [read(&file_name(name, "zip")), new] {
            let error = check(Cursor::new(file)).unwrap_err().to_string();
            assert!(error.contains(sentence), "{name} says: {error}");
        }
    }
}

#[test]
fn the_bad_sealed_archives_are_refused() {
    let _alone = Alone::wait();
    let made = SEALED.map(|name| made(name, "zip.age", |archive| seal(&archive)));
    for (name, new) in SEALED.into_iter().zip(made) {
        let sentence = case(name).1;
        for file in [read(&file_name(name, "zip.age")), new] {
            let unlocked = Header::read(&mut file.as_slice()).unwrap().unlock(&identities()).unwrap();
            let archive = SealedFile::open(Cursor::new(&file), &unlocked).unwrap();
            let error = check(archive).unwrap_err().to_string();
            assert!(error.contains(sentence), "{name} says: {error}");
        }
    }
}
