//! Identity files: lines of `AGE-SECRET-KEY-1…` or `AGE-SECRET-KEY-PQ-1…`, as plain text or inside an age file with a passphrase, as
//! `age-keygen | age -p` makes it.

use std::io::{Read, Write};

use zeroize::Zeroizing;

use crate::error::{Error, Result, SealError, SealResult};
use crate::header::Header;
use crate::hybrid::HybridIdentity;
use crate::identity::Identity;
use crate::keys::FileKey;
use crate::passphrase::Passphrase;
use crate::public_key::PublicKey;
use crate::reader::SealReader;
use crate::recipient::Recipients;
use crate::writer::SealWriter;
use crate::x25519::X25519Identity;

/// Longest identity file that is accepted: thousands of identities.
const MAX_FILE_BYTES: usize = 1 << 20;

/// A parsed identity file.
#[derive(Debug)]
pub enum IdentityFile {
    /// The identities of a plain file.
    Plain(Vec<Identity>),
    /// A file that needs a passphrase first.
    Locked(LockedIdentities),
}

/// An identity file encrypted with a passphrase.
#[derive(Debug)]
pub struct LockedIdentities {
    header: Header,
    payload: Vec<u8>,
}

impl IdentityFile {
    /// Reads an identity file: one identity per line; empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`Error::Seal`] for a malformed line, which the error identifies by number without repeating it; for a
    /// file of more than 1 MiB; for an armored file.
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
        // Allocated with its final capacity: growing would leave copies of the keys behind.
        let mut text = Zeroizing::new(Vec::with_capacity(self.payload.len()));
        let mut reader = SealReader::open(self.payload.as_slice(), &unlocked)?;
        reader.read_to_end(&mut text).map_err(Error::from_read)?;
        Ok(parse(&text)?)
    }
}

/// The file of a new identity, encrypted with a passphrase, for an operator to store safely. Stock `age -d`
/// shows its text.
///
/// # Errors
/// Only those of writing to memory.
pub fn lock_identity(public: &PublicKey, secret: &str, passphrase: Passphrase) -> Result<Vec<u8>> {
    let recipients = Recipients::Passphrase(passphrase);
    let mut writer = SealWriter::create(Vec::new(), &FileKey::generate(), &recipients)?;
    let public = format!("# public key: {public}\n");
    for part in [public.as_str(), secret, "\n"] {
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
        identities.push(parse_line(line).ok_or(SealError::IdentityForm { line: index + 1 })?);
    }
    if identities.is_empty() {
        return Err(SealError::NoIdentity);
    }
    Ok(identities)
}

fn parse_line(line: &str) -> Option<Identity> {
    let hybrid = || HybridIdentity::parse(line).map(|identity| Identity::Hybrid(Box::new(identity)));
    X25519Identity::parse(line).map(Identity::X25519).or_else(hybrid)
}
