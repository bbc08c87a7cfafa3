//! C2SP's vectors for age (CCTV): every file opens, or is refused in the stage that its vector names.
//!
//! `TEST_CCTV` names the module of the npm package `cctv-age`, which `tests/run` installs. Each vector is a base64 text after a comment
//! with its name, and consists of a header of `key: value` lines, an empty line, and the file.

use std::io::Read as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use sha2::{Digest as _, Sha256};
use strongroom_age::{Error, Header, Identity, IdentityFile, Passphrase, SealError, SealReader, SealedFile};

/// Vectors of version 0.2.0 of the package: armored files and others.
const ARMORED: usize = 33;
const BINARY: usize = 110;

struct Vector {
    name: String,
    expect: String,
    payload: Option<String>,
    identities: Vec<Identity>,
    is_armored: bool,
    file: Vec<u8>,
}

/// How far a file could be opened.
#[derive(Debug)]
enum Outcome {
    Header(Error),
    /// The plaintext until the error.
    Payload(Vec<u8>, Error),
    Opened(Vec<u8>),
}

#[test]
fn the_vectors_of_c2sp_hold() {
    let Some(path) = std::env::var_os("TEST_CCTV") else {
        assert!(std::env::var_os("CI").is_none(), "TEST_CCTV names no file: tests/run brings it");
        let _ = writeln!(std::io::stderr(), "skipped: TEST_CCTV names no file, and tests/run brings it");
        return;
    };
    let module = std::fs::read_to_string(path).unwrap();
    let vectors: Vec<Vector> = module.split("\n// ../testdata/").skip(1).map(parse).collect();
    let (armored, binary): (Vec<_>, Vec<_>) = vectors.into_iter().partition(|vector| vector.is_armored);
    assert_eq!((armored.len(), binary.len()), (ARMORED, BINARY));
    for vector in &binary {
        check(vector);
    }
    // Armor is not supported, whatever is in it.
    for Vector { name, file, identities, .. } in &armored {
        let refused = Header::read(&mut file.as_slice()).map(|header| header.unlock(identities));
        let expected = matches!(
            refused,
            Err(Error::Seal(SealError::Armored | SealError::NotSealed | SealError::HeaderCut))
        );
        assert!(expected, "{name}: {refused:?}");
    }
}

fn check(vector: &Vector) {
    let Vector { name, expect, payload, .. } = vector;
    let digest = |plaintext: &[u8]| Some(hex(&Sha256::digest(plaintext)));
    let outcome = open(vector);
    let is_right = match (expect.as_str(), &outcome) {
        ("success", Outcome::Opened(plaintext)) => digest(plaintext) == *payload,
        // Stricter than the reference: the last chunk is not returned either.
        ("payload failure", Outcome::Payload(plaintext, Error::Seal(SealError::Trailing))) => {
            plaintext.len().is_multiple_of(crate::CHUNK)
        }
        ("payload failure", Outcome::Payload(plaintext, Error::Seal(_))) => digest(plaintext) == *payload,
        ("no match", Outcome::Header(Error::Seal(problem))) => {
            matches!(problem, SealError::NoKey { .. } | SealError::WrongPassphrase)
        }
        ("HMAC failure", Outcome::Header(Error::Seal(problem))) => *problem == SealError::HeaderChanged,
        ("header failure", Outcome::Header(Error::Seal(problem))) => !matches!(
            problem,
            SealError::NoKey { .. } | SealError::WrongPassphrase | SealError::HeaderChanged
        ),
        // The specification counts the nonce of the payload to the header.
        ("header failure", Outcome::Payload(plaintext, Error::Seal(SealError::NoPayload))) => {
            plaintext.is_empty()
        }
        _ => false,
    };
    assert!(is_right, "{name}: {expect} was expected, and the outcome is {outcome:?}");
    check_seekable(vector, &outcome);
}

/// Random access must accept and refuse the same files as reading in one pass.
fn check_seekable(vector: &Vector, outcome: &Outcome) {
    let Ok(header) = Header::read(&mut vector.file.as_slice()) else { return };
    let Ok(unlocked) = header.unlock(&vector.identities) else { return };
    let mut plaintext = Vec::new();
    let read = SealedFile::open(std::io::Cursor::new(&vector.file), &unlocked)
        .map_err(|_| ())
        .and_then(|mut file| file.read_to_end(&mut plaintext).map_err(|_| ()));
    match outcome {
        Outcome::Opened(expected) => assert!(read.is_ok() && plaintext == *expected, "{}", vector.name),
        _ => assert!(read.is_err(), "{}", vector.name),
    }
}

fn open(vector: &Vector) -> Outcome {
    let mut file = vector.file.as_slice();
    let unlocked = Header::read(&mut file).and_then(|header| header.unlock(&vector.identities));
    let unlocked = match unlocked {
        Ok(unlocked) => unlocked,
        Err(error) => return Outcome::Header(error),
    };
    let mut plaintext = Vec::new();
    let read = match SealReader::open(file, &unlocked) {
        Ok(mut reader) => reader.read_to_end(&mut plaintext).map_err(|error| error.downcast().unwrap()),
        Err(error) => Err(error),
    };
    match read {
        Ok(_) => Outcome::Opened(plaintext),
        Err(error) => Outcome::Payload(plaintext, error),
    }
}

fn parse(vector: &str) -> Vector {
    let (name, module) = vector.split_once('\n').unwrap();
    let bytes = STANDARD.decode(module.split('"').nth(1).unwrap()).unwrap();
    let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap();
    let header = std::str::from_utf8(&bytes[..end]).unwrap();
    let values = |key: &str| {
        let key = format!("{key}: ");
        header.lines().filter_map(move |line| Some(line.strip_prefix(&key)?.to_owned())).collect::<Vec<_>>()
    };
    let mut identities = Vec::new();
    for text in values("identity") {
        let IdentityFile::Plain(parsed) = IdentityFile::read(text.as_bytes()).unwrap() else {
            unreachable!()
        };
        identities.extend(parsed);
    }
    let passphrases = values("passphrase");
    identities.extend(passphrases.iter().map(|text| Identity::Passphrase(Passphrase::new(text).unwrap())));
    let mut file = bytes[end + 2..].to_vec();
    if values("compressed") == ["zlib"] {
        let mut inflated = Vec::new();
        ZlibDecoder::new(file.as_slice()).read_to_end(&mut inflated).unwrap();
        file = inflated;
    }
    Vector {
        name: name.to_owned(),
        expect: values("expect").remove(0),
        payload: values("payload").pop(),
        identities,
        is_armored: values("armored") == ["yes"],
        file,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
