//! Gatwy's encrypted backup file.
//!
//! ```text
//! offset  bytes  what
//!      0      6  "ALTBAK"
//!      6      1  version: 1
//!      7     32  salt of the encryption key
//!     39     16  first counter block of AES-256-CTR, big-endian
//!     55     32  salt of the MAC key
//!     87      n  ciphertext
//! 87 + n     32  HMAC-SHA-256 over everything before it
//! ```
//!
//! Both keys are PBKDF2-HMAC-SHA-256 of the passphrase with 200,000 rounds. The plaintext is the manifest's
//! length as four bytes, little-endian; the manifest as JSON; the database, a SQLite file; and the recordings
//! in manifest order. The manifest contains the key that encrypts recordings and columns at rest.
//!
//! The whole file is authenticated before any of it is used, and again while it is unpacked. Content that is
//! written to disk under its final name is therefore authenticated, even if the file changes meanwhile.

mod envelope;
mod fault;
mod folder;
mod keys;
mod manifest;
mod recording;
mod unpack;

use std::fmt;
use std::io::{Read, Seek};

use strongroom_crypto::SecretBytes;

use crate::error::Result;
use envelope::Envelope;
use manifest::Manifest;

pub use manifest::{Contents, MAX_RECORDINGS, Recording};
pub use recording::Form;
pub use unpack::Unpacked;

/// An authentic `.geb` file.
pub struct Geb<R> {
    envelope: Envelope<R>,
    manifest: Manifest,
}

impl<R: Read + Seek> Geb<R> {
    /// Reads the whole of `source` once and verifies that Gatwy wrote it. The key derivation takes a large
    /// part of a second.
    ///
    /// # Errors
    /// A separate one for each fault: another kind of file, a later version, a wrong passphrase, missing,
    /// added or changed bytes, and a manifest that does not match the rest.
    pub fn open(source: R, passphrase: &SecretBytes) -> Result<Self> {
        Self::open_with(source, &mut |salt| keys::derive(passphrase, salt))
    }

    /// The same with another key derivation: tests of many files cannot wait for the real one.
    fn open_with(source: R, derive: &mut dyn FnMut(&[u8; 32]) -> SecretBytes) -> Result<Self> {
        let mut envelope = Envelope::open(source, derive)?;
        if !envelope.is_authentic()? {
            return Err(fault::of(&mut envelope));
        }
        let manifest = Manifest::read(&mut envelope.payload()?)?;
        Ok(Self { envelope, manifest })
    }

    /// The contents of the backup.
    pub fn contents(&self) -> &Contents {
        &self.manifest.contents
    }
}

impl<R: Read + Seek> fmt::Debug for Geb<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Geb").field("contents", self.contents()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
