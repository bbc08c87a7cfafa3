//! The header: a file's recipients, and the MAC that binds them to the file key.

mod lines;

use std::io::BufRead;

use hmac::Mac;

pub use self::lines::MAX_HEADER_BYTES;
use self::lines::{INTRO, Lines};
use crate::error::{Result, SealError, SealResult};
use crate::hybrid;
use crate::identity::Identity;
use crate::keys::FileKey;
use crate::passphrase::{self, Passphrase};
use crate::stanza::{self, Stanza};
use crate::x25519;

/// A parsed header. Nothing in it is authentic before one of the `unlock` functions returns.
#[derive(Debug)]
pub struct Header {
    stanzas: Vec<Stanza>,
    mac: [u8; 32],
    /// The bytes covered by the MAC: up to the three dashes before it.
    covered: Vec<u8>,
    length: u64,
}

/// A header whose MAC was verified; required to read the payload.
#[derive(Debug)]
pub struct Unlocked {
    pub(crate) file_key: FileKey,
    /// Length of the header in bytes; the payload follows.
    pub(crate) header_bytes: u64,
}

impl Header {
    /// Reads a header from the start of a sealed file and leaves the reader at the payload.
    ///
    /// # Errors
    /// [`crate::Error::Seal`] if the bytes are not an age v1 header, or if the header is longer than
    /// [`MAX_HEADER_BYTES`].
    pub fn read<R: BufRead>(reader: &mut R) -> Result<Self> {
        let mut lines = Lines::start(reader)?;
        let mut stanzas = Vec::new();
        loop {
            let line = lines.next()?;
            if let Some(arguments) = line.strip_prefix("-> ") {
                let stanza = Stanza::parse_arguments(arguments);
                let mut stanza = stanza.ok_or_else(|| lines.problem("has an empty or odd argument"))?;
                stanza.body = lines.read_body()?;
                stanzas.push(stanza);
            } else if let Some(mac) = line.strip_prefix("--- ") {
                let mac = stanza::decode_array(mac);
                let mac = mac.ok_or_else(|| lines.problem("has a MAC that is not 32 bytes of base64"))?;
                return Self::check(stanzas, mac, lines.into_bytes());
            } else {
                return Err(lines.problem("begins neither a recipient nor the end"));
            }
        }
    }

    fn check(stanzas: Vec<Stanza>, mac: [u8; 32], bytes: Vec<u8>) -> Result<Self> {
        if stanzas.is_empty() {
            return Err(SealError::NoRecipients.into());
        }
        for stanza in &stanzas {
            check_stanza(stanza, stanzas.len() == 1)?;
        }
        let length = bytes.len() as u64;
        let mut covered = bytes;
        // The dashes are followed by a space, the MAC in base64 and a line feed.
        covered.truncate(covered.len() - 1 - 43 - 1);
        Ok(Self { stanzas, mac, covered, length })
    }

    /// The header's bytes for these stanzas.
    pub(crate) fn encode(file_key: &FileKey, stanzas: &[Stanza]) -> Result<Vec<u8>> {
        let mut text = INTRO.to_owned();
        for stanza in stanzas {
            stanza.write(&mut text);
        }
        text.push_str("---");
        let mac = file_key.header_mac(text.as_bytes()).finalize().into_bytes();
        text.push(' ');
        text.push_str(&stanza::encode(&mac));
        text.push('\n');
        if text.len() > MAX_HEADER_BYTES {
            return Err(SealError::HeaderTooLong { limit: MAX_HEADER_BYTES }.into());
        }
        Ok(text.into_bytes())
    }

    /// All recipients in header order: those of age's own types, which are well-formed, and any others.
    #[must_use]
    pub fn stanzas(&self) -> &[Stanza] {
        &self.stanzas
    }

    /// Whether it can be opened with a passphrase, and only with that.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        self.of_kind(passphrase::KIND).next().is_some()
    }

    /// Finds the file key with one of `identities`, and verifies the header.
    ///
    /// # Errors
    /// [`SealError::NoKey`] if no identity fits, [`SealError::NeedsPassphrase`],
    /// [`SealError::WrongPassphrase`], [`SealError::WorkFactor`], [`SealError::Stanza`],
    /// [`SealError::HeaderChanged`].
    pub fn unlock(&self, identities: &[Identity]) -> Result<Unlocked> {
        self.unlock_with(self.find_key(identities)?)
    }

    /// Verifies the header with a file key that the caller unwrapped from its own type of stanza.
    ///
    /// # Errors
    /// [`SealError::HeaderChanged`] if the key does not belong to this header.
    pub fn unlock_with(&self, file_key: FileKey) -> Result<Unlocked> {
        let mac = file_key.header_mac(&self.covered);
        mac.verify_slice(&self.mac).map_err(|_| SealError::HeaderChanged)?;
        Ok(Unlocked { file_key, header_bytes: self.length })
    }

    /// [`Header::unlock`] with one passphrase.
    pub(crate) fn unlock_passphrase(&self, passphrase: &Passphrase) -> Result<Unlocked> {
        let Some(stanza) = self.of_kind(passphrase::KIND).next() else {
            return Err(self.no_key().into());
        };
        self.unlock_with(passphrase.unwrap(stanza)?)
    }

    fn find_key(&self, identities: &[Identity]) -> SealResult<FileKey> {
        if let Some(stanza) = self.of_kind(passphrase::KIND).next() {
            return try_passphrases(stanza, identities);
        }
        for identity in identities {
            for stanza in &self.stanzas {
                if let Some(file_key) = identity.unwrap(stanza)? {
                    return Ok(file_key);
                }
            }
        }
        Err(self.no_key())
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Stanza> {
        self.stanzas.iter().filter(move |stanza| stanza.kind == kind)
    }

    fn no_key(&self) -> SealError {
        let x25519 = self.of_kind(x25519::KIND).count();
        let hybrid = self.of_kind(hybrid::KIND).count();
        SealError::NoKey { x25519, hybrid, others: self.stanzas.len() - x25519 - hybrid }
    }
}

fn try_passphrases(stanza: &Stanza, identities: &[Identity]) -> SealResult<FileKey> {
    let mut result = Err(SealError::NeedsPassphrase);
    for identity in identities {
        if let Identity::Passphrase(passphrase) = identity {
            result = passphrase.unwrap(stanza);
        }
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Stanzas of known types must be well-formed even if another one opens the file.
fn check_stanza(stanza: &Stanza, is_alone: bool) -> SealResult<()> {
    match stanza.kind.as_str() {
        x25519::KIND => x25519::parse(stanza).map(drop),
        hybrid::KIND => hybrid::parse(stanza).map(drop),
        passphrase::KIND if !is_alone => Err(SealError::PassphraseNotAlone),
        passphrase::KIND => passphrase::parse(stanza).map(drop),
        _ => Ok(()),
    }
}
