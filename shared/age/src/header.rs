//! The header: who may open the file, and the MAC that binds all of it to the file key.

use std::io::{BufRead, Read};

use hmac::Mac;

use super::error::{SealError, SealResult};
use super::identity::Identity;
use super::keys::FileKey;
use super::passphrase::{self, Passphrase};
use super::stanza::{self, COLUMNS, Stanza};
use super::vault::{self, VaultStanza};
use super::x25519;
use crate::error::{Error, Result};

/// Longest header that is written or read: some 400 recipients.
pub const MAX_HEADER_BYTES: usize = 64 << 10;

const FAMILY: &[u8] = b"age-encryption.org/";
const INTRO: &[u8] = b"age-encryption.org/v1\n";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPT";

/// A parsed header. Nothing in it is authentic before one of the `unlock` functions returns.
#[derive(Debug)]
pub struct Header {
    stanzas: Vec<Stanza>,
    mac: [u8; 32],
    /// All that the MAC covers: to the three dashes before it.
    covered: Vec<u8>,
    length: u64,
}

/// A header whose MAC was verified: what the readers of the payload need.
#[derive(Debug)]
pub struct Unlocked {
    pub(crate) file_key: FileKey,
    /// Length of the header in bytes; the payload follows.
    pub(crate) header_bytes: u64,
}

impl Header {
    /// Reads a header from the start of a sealed file and leaves the reader behind it.
    ///
    /// # Errors
    /// [`crate::Error::Seal`] for what is no age v1 header, or longer than [`MAX_HEADER_BYTES`].
    pub fn read<R: BufRead>(reader: &mut R) -> Result<Self> {
        let mut lines = Lines::start(reader)?;
        let mut stanzas = Vec::new();
        loop {
            let line = lines.next()?;
            if let Some(arguments) = line.strip_prefix("-> ") {
                let stanza = Stanza::parse_arguments(arguments);
                let mut stanza = stanza.ok_or_else(|| lines.problem("has an empty or odd argument"))?;
                stanza.body = read_body(&mut lines)?;
                stanzas.push(stanza);
            } else if let Some(mac) = line.strip_prefix("--- ") {
                let mac = stanza::decode_array(mac);
                let mac = mac.ok_or_else(|| lines.problem("has a MAC that is not 32 bytes of base64"))?;
                return Self::check(stanzas, mac, lines.bytes);
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
        // Behind the dashes stand a space, the MAC in base64 and a line feed.
        covered.truncate(covered.len() - 1 - 43 - 1);
        Ok(Self { stanzas, mac, covered, length })
    }

    /// The header's bytes for these stanzas.
    pub(crate) fn encode(file_key: &FileKey, stanzas: &[Stanza]) -> Result<Vec<u8>> {
        let mut text = String::from("age-encryption.org/v1\n");
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

    /// What the vault may be asked to unwrap, in the header's order.
    pub fn vault_stanzas(&self) -> impl Iterator<Item = VaultStanza> {
        // Those that do not parse were refused by `read`.
        self.of_kind(vault::KIND).filter_map(|stanza| VaultStanza::parse(stanza).ok())
    }

    /// Whether a passphrase opens it, and so nothing else.
    #[must_use]
    pub fn needs_passphrase(&self) -> bool {
        self.of_kind(passphrase::KIND).next().is_some()
    }

    /// Finds the file key with what the caller holds, and verifies the header.
    ///
    /// # Errors
    /// [`crate::Error::Seal`], which names whom the file is sealed to where nothing fits.
    pub fn unlock(&self, identities: &[Identity]) -> Result<Unlocked> {
        self.unlock_with(self.find_key(identities)?)
    }

    /// Verifies the header with a file key that the vault unwrapped.
    ///
    /// # Errors
    /// [`SealError::HeaderChanged`] if it is not the key of this very header.
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
            let Identity::X25519(identity) = identity else { continue };
            for stanza in self.of_kind(x25519::KIND) {
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
        let mut sealed_to = Vec::new();
        for stanza in self.vault_stanzas() {
            sealed_to.push(format!("the vault that has the root key {}", stanza.root_key_id()));
        }
        let recovery = self.of_kind(x25519::KIND).count();
        let others = self.stanzas.len() - sealed_to.len() - recovery;
        if recovery > 0 {
            sealed_to.push(format!("recovery keys: {recovery}"));
        }
        if others > 0 {
            sealed_to.push(format!("recipients of other kinds: {others}"));
        }
        SealError::NoKey { sealed_to: sealed_to.join(", ") }
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

/// Stanzas of types that are known here must be right also where another one opens the file.
fn check_stanza(stanza: &Stanza, is_alone: bool) -> SealResult<()> {
    match stanza.kind.as_str() {
        x25519::KIND => x25519::parse(stanza).map(drop),
        vault::KIND => VaultStanza::parse(stanza).map(drop),
        passphrase::KIND if !is_alone => Err(SealError::PassphraseNotAlone),
        passphrase::KIND => passphrase::parse(stanza).map(drop),
        _ => Ok(()),
    }
}

/// The lines of a header, kept for the MAC.
struct Lines<'r, R> {
    reader: &'r mut R,
    bytes: Vec<u8>,
    line: usize,
}

impl<'r, R: BufRead> Lines<'r, R> {
    /// Reads the first line, which says what this is.
    fn start(reader: &'r mut R) -> Result<Self> {
        let mut bytes = Vec::with_capacity(1024);
        reader.by_ref().take(INTRO.len() as u64).read_to_end(&mut bytes).map_err(Error::from_read)?;
        if bytes == INTRO {
            return Ok(Self { reader, bytes, line: 1 });
        }
        if INTRO.starts_with(&bytes) {
            return Err(SealError::HeaderCut.into());
        }
        if bytes.starts_with(ARMOR) {
            return Err(SealError::Armored.into());
        }
        let Some(version) = bytes.strip_prefix(FAMILY) else {
            return Err(SealError::NotSealed.into());
        };
        let version = version.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Err(SealError::UnknownVersion { found: String::from_utf8_lossy(version).into_owned() }.into())
    }

    /// The next line, without its line feed.
    fn next(&mut self) -> Result<String> {
        self.line += 1;
        let start = self.bytes.len();
        let room = (MAX_HEADER_BYTES - start) as u64;
        self.reader.by_ref().take(room).read_until(b'\n', &mut self.bytes).map_err(Error::from_read)?;
        let Some(line) = self.bytes[start..].strip_suffix(b"\n") else {
            let is_full = self.bytes.len() == MAX_HEADER_BYTES;
            let too_long = SealError::HeaderTooLong { limit: MAX_HEADER_BYTES };
            return Err(if is_full { too_long } else { SealError::HeaderCut }.into());
        };
        let line = std::str::from_utf8(line).map_err(|_| self.problem("is not text"))?;
        Ok(line.to_owned())
    }

    fn problem(&self, problem: &'static str) -> Error {
        SealError::Header { line: self.line, problem }.into()
    }
}

/// A body's lines: full ones, then exactly one that is not.
fn read_body<R: BufRead>(lines: &mut Lines<'_, R>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = lines.next()?;
        let decoded = stanza::decode(&line).filter(|_| line.len() <= COLUMNS);
        body.extend(decoded.ok_or_else(|| lines.problem("is no line of base64 as age writes it"))?);
        if line.len() < COLUMNS {
            return Ok(body);
        }
    }
}
