//! age files from outside: round trips, damage, all kinds of headers, the stock `age` program, vectors.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cctv;
mod damage;
mod fuzz;
mod headers;
mod hybrid;
mod identities;
#[path = "../kept/mod.rs"]
mod kept;
mod raw;
mod round_trip;
mod seeking;
mod stock_age;
mod vectors;

use std::io::{Cursor, Read, Write};

use strongroom_age::{
    Error, FileKey, Header, Identity, IdentityFile, Recipient, Recipients, SealError, SealReader, SealWriter,
    SealedFile, Stanza, X25519Identity,
};

/// Plaintext of a full chunk, and its length in the file.
pub(crate) const CHUNK: usize = 64 << 10;
pub(crate) const SEALED_CHUNK: usize = CHUNK + 16;

/// A key for these tests, the one of the vectors.
pub(crate) const IDENTITY: &str = include_str!("../vectors/recovery.txt");

pub(crate) fn identities() -> Vec<Identity> {
    match IdentityFile::read(IDENTITY.as_bytes()).unwrap() {
        IdentityFile::Plain(identities) => identities,
        IdentityFile::Locked(_) => panic!("it is locked"),
    }
}

pub(crate) fn recovery() -> X25519Identity {
    let Some(Identity::X25519(identity)) = identities().pop() else { panic!("no X25519 identity") };
    identity
}

/// The key, and a meaningless stanza of another type.
pub(crate) fn two_recipients() -> Recipients {
    let other = Stanza::new("example.org/other", vec!["0f1e2d3c4b5a6978".to_owned()], vec![0xab; 88]);
    Recipients::Keys(vec![Recipient::Stanza(other), Recipient::X25519(recovery().recipient())])
}

pub(crate) fn seal(plaintext: &[u8], recipients: &Recipients) -> Vec<u8> {
    let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), recipients).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

/// The whole plaintext, in one pass.
pub(crate) fn open(mut sealed: &[u8], identities: &[Identity]) -> Result<Vec<u8>, Error> {
    let unlocked = Header::read(&mut sealed)?.unlock(identities)?;
    read_all(SealReader::open(sealed, &unlocked)?)
}

/// The whole plaintext, by random access.
pub(crate) fn open_file(sealed: &[u8], identities: &[Identity]) -> Result<Vec<u8>, Error> {
    let unlocked = Header::read(&mut { sealed })?.unlock(identities)?;
    read_all(SealedFile::open(Cursor::new(sealed), &unlocked)?)
}

pub(crate) fn read_all(mut reader: impl Read) -> Result<Vec<u8>, Error> {
    let mut plaintext = Vec::new();
    match reader.read_to_end(&mut plaintext) {
        Ok(_) => Ok(plaintext),
        Err(error) => Err(error.downcast::<Error>().unwrap()),
    }
}

/// The seal error, which the result must be.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> SealError {
    match result {
        Err(Error::Seal(error)) => error,
        other => panic!("not refused by the seal: {other:?}"),
    }
}

/// Bytes that do not repeat from chunk to chunk.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}
