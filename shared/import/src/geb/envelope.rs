//! The outer layer of the file: header, encryption, MAC.

use std::io::{Read, Seek, SeekFrom, Take};

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use strongroom_crypto::SecretBytes;

use crate::error::{Error, Result};

const MAGIC: &[u8; 6] = b"ALTBAK";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 87;
const TAG_BYTES: u64 = 32;

/// Large enough to make the cost of system calls negligible.
const BUFFER_BYTES: usize = 256 << 10;

/// The file, and its keys.
pub(super) struct Envelope<R> {
    source: R,
    header: [u8; HEADER_BYTES],
    payload_bytes: u64,
    encryption_key: SecretBytes,
    mac_key: SecretBytes,
}

impl<R: Read + Seek> Envelope<R> {
    /// Reads the header. Nothing is authentic yet.
    pub(super) fn open(mut source: R, derive: &mut dyn FnMut(&[u8; 32]) -> SecretBytes) -> Result<Self> {
        let length = source.seek(SeekFrom::End(0)).map_err(Error::Read)?;
        source.seek(SeekFrom::Start(0)).map_err(Error::Read)?;
        let header = read_header(&mut source)?;
        let least = HEADER_BYTES as u64 + TAG_BYTES;
        let payload_bytes = length.checked_sub(least).ok_or(Error::Truncated(least - length.min(least)))?;
        let encryption_key = derive(&array(&header[7..39]));
        let mac_key = derive(&array(&header[55..87]));
        Ok(Self { source, header, payload_bytes, encryption_key, mac_key })
    }

    /// Number of bytes between the header and the MAC.
    pub(super) fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Reads everything once and verifies the MAC at the end.
    pub(super) fn is_authentic(&mut self) -> Result<bool> {
        let mut payload = self.payload()?;
        payload.skip_rest()?;
        payload.finish()
    }

    /// The payload from its start, decrypted as it is read.
    pub(super) fn payload(&mut self) -> Result<Payload<'_, R>> {
        self.source.seek(SeekFrom::Start(HEADER_BYTES as u64)).map_err(Error::Read)?;
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.mac_key.expose()).expect("HMAC takes keys of any length");
        mac.update(&self.header);
        let key = array::<32>(self.encryption_key.expose());
        let counter = array::<16>(&self.header[39..55]);
        let cipher = Ctr128BE::<Aes256>::new(&key.into(), &counter.into());
        Ok(Payload { source: (&mut self.source).take(self.payload_bytes), cipher, mac })
    }
}

/// The plaintext as it is read, and the MAC of the bytes read so far.
pub(super) struct Payload<'a, R> {
    source: Take<&'a mut R>,
    cipher: Ctr128BE<Aes256>,
    mac: Hmac<Sha256>,
}

impl<R: Read> Payload<'_, R> {
    /// Number of unread bytes.
    pub(super) fn left(&self) -> u64 {
        self.source.limit()
    }

    /// Fills `buffer` completely, or fails.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.source.read_exact(buffer).map_err(Error::Read)?;
        self.mac.update(buffer);
        self.cipher.apply_keystream(buffer);
        Ok(())
    }

    /// Passes the next `bytes` bytes to `take`, piece by piece.
    pub(super) fn copy(&mut self, bytes: u64, mut take: impl FnMut(&mut [u8]) -> Result<()>) -> Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut left = bytes;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            self.fill(&mut buffer[..length])?;
            take(&mut buffer[..length])?;
            left -= length as u64;
        }
        Ok(())
    }

    /// Authenticates the rest without decrypting it.
    fn skip_rest(&mut self) -> Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        while self.left() > 0 {
            let length = usize::try_from(self.left()).unwrap_or(usize::MAX).min(BUFFER_BYTES);
            self.source.read_exact(&mut buffer[..length]).map_err(Error::Read)?;
            self.mac.update(&buffer[..length]);
        }
        Ok(())
    }

    /// Whether the MAC after the payload matches; the payload must have been read to its end.
    pub(super) fn finish(self) -> Result<bool> {
        let mut tag = [0; TAG_BYTES as usize];
        self.source.into_inner().read_exact(&mut tag).map_err(Error::Read)?;
        Ok(self.mac.verify_slice(&tag).is_ok())
    }
}

fn read_header<R: Read>(source: &mut R) -> Result<[u8; HEADER_BYTES]> {
    let mut found = Vec::with_capacity(HEADER_BYTES);
    source.take(HEADER_BYTES as u64).read_to_end(&mut found).map_err(Error::Read)?;
    if !found.starts_with(MAGIC) {
        return Err(Error::NotGeb);
    }
    if let Some(version) = found.get(MAGIC.len()).filter(|version| **version != VERSION) {
        return Err(Error::FutureGeb(u64::from(*version), "file layout"));
    }
    let missing = (HEADER_BYTES - found.len()) as u64 + TAG_BYTES;
    found.try_into().map_err(|_| Error::Truncated(missing))
}

/// `bytes` as an array of their length, which every caller knows.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

#[cfg(test)]
impl<R> Envelope<R> {
    /// Simulates a write to the file while it is being read.
    pub(super) fn replace_source(&mut self, source: R) {
        self.source = source;
    }
}
