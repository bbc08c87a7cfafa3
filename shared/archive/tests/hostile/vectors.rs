//! Some of the corpus as files: what was refused once stays refused, with the same sentence, whatever becomes of
//! what makes it. `write_the_vectors` wrote them.

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use strongroom_archive::seal::{
    FileKey, Header, Identity, IdentityFile, Recipient, Recipients, SealWriter, SealedFile,
};

use crate::case::{Spoil, spoiled};
use crate::{check, corpus};

/// The key of `vectors/seal`.
const IDENTITY: &[u8] = include_bytes!("../vectors/seal/recovery.txt");

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

fn path(name: &str, extension: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/zip");
    folder.join(format!("bad-{}", name.to_lowercase().replace(' ', "-"))).with_extension(extension)
}

/// What makes the case, and what is said of it.
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

#[test]
fn the_bad_archives_are_refused() {
    for name in PLAIN {
        let file = fs::read(path(name, "zip")).unwrap();
        let error = check(Cursor::new(file)).unwrap_err().to_string();
        assert!(error.contains(case(name).1), "{name} says: {error}");
    }
}

#[test]
fn the_bad_sealed_archives_are_refused() {
    for name in SEALED {
        let file = fs::read(path(name, "zip.age")).unwrap();
        let unlocked = Header::read(&mut file.as_slice()).unwrap().unlock(&identities()).unwrap();
        let archive = SealedFile::open(Cursor::new(&file), &unlocked).unwrap();
        let error = check(archive).unwrap_err().to_string();
        assert!(error.contains(case(name).1), "{name} says: {error}");
    }
}

/// Makes new ones only; those of a release stay.
#[test]
#[ignore = "writes files"]
fn write_the_vectors() {
    for name in PLAIN {
        fs::write(path(name, "zip"), spoiled(case(name).0)).unwrap();
    }
    let Some(Identity::X25519(identity)) = identities().pop() else { panic!("no recovery key") };
    for name in SEALED {
        let recipients = Recipients::Keys(vec![Recipient::X25519(identity.recipient())]);
        let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients).unwrap();
        writer.write_all(&spoiled(case(name).0)).unwrap();
        fs::write(path(name, "zip.age"), writer.finish().unwrap()).unwrap();
    }
}
