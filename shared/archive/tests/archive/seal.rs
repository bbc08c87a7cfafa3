//! An archive inside age: random access, and opening with the vault.

mod positions;
mod vault;

use std::io::{Read, Write};

use strongroom_age::{
    FileKey, Identity, IdentityFile, Recipient, Recipients, SealError, SealReader, SealWriter, X25519Identity,
};
use strongroom_archive::Error;
use strongroom_archive::seal::{Header, VaultStanza};

/// Length of a full chunk in the file.
const SEALED_CHUNK: usize = (64 << 10) + 16;

/// The recovery key of the vectors.
fn identities() -> Vec<Identity> {
    let file = include_bytes!("../../../age/tests/vectors/recovery.txt");
    match IdentityFile::read(file).unwrap() {
        IdentityFile::Plain(identities) => identities,
        IdentityFile::Locked(_) => panic!("it is locked"),
    }
}

fn recovery() -> X25519Identity {
    let Some(Identity::X25519(identity)) = identities().pop() else { panic!("no recovery key") };
    identity
}

/// A vault with a meaningless stanza, and the recovery key.
fn two_recipients() -> Recipients {
    let vault = VaultStanza::new("0f1e2d3c4b5a6978", vec![0xab; 88]).unwrap();
    Recipients::Keys(vec![Recipient::from(vault), Recipient::X25519(recovery().recipient())])
}

fn seal(plaintext: &[u8], file_key: &FileKey, recipients: &Recipients) -> Vec<u8> {
    let mut writer = SealWriter::create(Vec::new(), file_key, recipients).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

/// The whole plaintext, in one pass.
fn open(mut sealed: &[u8], identities: &[Identity]) -> Result<Vec<u8>, Error> {
    let unlocked = Header::read(&mut sealed)?.unlock(identities)?;
    let mut plaintext = Vec::new();
    SealReader::open(sealed, &unlocked)?.read_to_end(&mut plaintext).map_err(Error::from_read)?;
    Ok(plaintext)
}

/// The seal error, which the result must be.
fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> SealError {
    match result {
        Err(Error::Seal(error)) => error,
        other => panic!("not refused by the seal: {other:?}"),
    }
}
