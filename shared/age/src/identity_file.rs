//! Files that hold identities: `AGE-SECRET-KEY-1…` lines, as they are or inside an age file with a passphrase,
//! as `age-keygen | age -p` makes it.

use std::io::{Read, Write};

use zeroize::Zeroizing;

use crate::error::{Error, Result, SealError, SealResult};
use crate::header::Header;
use crate::identity::Identity;
use crate::keys::FileKey;
use crate::passphrase::Passphrase;
use crate::reader::SealReader;
use crate::recipient::Recipients;
use crate::writer::SealWriter;
use crate::x25519::X25519Identity;

/// Longest identity file that is read: thousands of identities.
const MAX_FILE_BYTES: usize = 1 << 20;

/// An identity file, read.
#[derive(Debug)]
pub enum IdentityFile {
    /// It holds these, as they are.
    Plain(Vec<Identity>),
    /// A passphrase is needed first.
    Locked(LockedIdentities),
}

/// An identity file under a passphrase.
#[derive(Debug)]
pub struct LockedIdentities {
    header: Header,
    payload: Vec<u8>,
}

impl IdentityFile {
    /// Reads an identity file: one identity a line; empty lines and those that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`Error::Seal`] for a line of another form, which it names by its number and does not repeat; for a
    /// file of more than 1 MiB; for an armored one.
    pub fn read(file: &[u8]) -> Result<Self> {
        if file.len() > MAX_FILE_BYTES {
            return Err(SealError::NotIdentities.into());
        }
        let mut payload = file;
        match Header::read(&mut payload) {
            Ok(header) => Ok(Self::Locked(LockedIdentities { header, payload: payload.to_vec() })),
            Err(Error::Seal(SealError::NotSealed)) => Ok(Self::Plain(parse(file)?)),
            Err(error) => Err(error),
        }
    }
}

impl LockedIdentities {
    /// The identities inside.
    ///
    /// # Errors
    /// [`SealError::WrongPassphrase`], [`SealError::WorkFactor`], those of a damaged file, and those of
    /// [`IdentityFile::read`].
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<Vec<Identity>> {
        let unlocked = self.header.unlock_passphrase(passphrase)?;
        // With its final capacity from the start: growing would leave copies of the keys behind.
        let mut text = Zeroizing::new(Vec::with_capacity(self.payload.len()));
        let mut reader = SealReader::open(self.payload.as_slice(), &unlocked)?;
        reader.read_to_end(&mut text).map_err(Error::from_read)?;
        Ok(parse(&text)?)
    }
}

/// The file of a new identity, under a passphrase: for an operator's safe. Stock `age -d` shows its text.
///
/// # Errors
/// None but those of writing to memory.
pub fn lock_identity(identity: &X25519Identity, passphrase: Passphrase) -> Result<Vec<u8>> {
    let recipients = Recipients::Passphrase(passphrase);
    let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients)?;
    let public = format!("# public key: {}\n", identity.recipient());
    for part in [public.as_str(), identity.to_text().as_str(), "\n"] {
        writer.write_all(part.as_bytes()).map_err(Error::Sink)?;
    }
    writer.finish()
}

fn parse(file: &[u8]) -> SealResult<Vec<Identity>> {
    let text = std::str::from_utf8(file).map_err(|_| SealError::NotIdentities)?;
    let mut identities = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let identity = X25519Identity::parse(line).ok_or(SealError::IdentityForm { line: index + 1 })?;
        identities.push(Identity::X25519(identity));
    }
    if identities.is_empty() {
        return Err(SealError::NoIdentity);
    }
    Ok(identities)
}
