//! Recordings as Gatwy stores them on disk: encrypted with its master key, without authentication.
//!
//! ```text
//! offset  bytes  what
//!      0     10  "GATWY_REC" and a NUL
//!     10      1  version: 1
//!     11     16  first counter block of AES-256-CTR, big-endian
//!     27      n  ciphertext
//! ```
//!
//! A file without this header was recorded before Gatwy encrypted recordings, and is not encrypted.

use std::io::Read;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use strongroom_crypto::SecretBytes;

use super::envelope::Payload;
use crate::error::Result;

const START: &[u8; 11] = b"GATWY_REC\0\x01";
const HEADER_BYTES: usize = 27;

/// The form in which a recording is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Decrypted with the master key of the backup.
    Opened,
    /// Byte for byte: it was not encrypted, or encrypted in an unknown way.
    AsStored,
}

/// Passes the recording of `bytes` bytes to `write`, decrypted if it is encrypted.
pub(super) fn copy<R: Read>(
    payload: &mut Payload<'_, R>,
    bytes: u64,
    master_key: &SecretBytes,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Form> {
    let mut header = [0; HEADER_BYTES];
    let header_bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(HEADER_BYTES);
    let header = &mut header[..header_bytes];
    payload.fill(header)?;
    let left = bytes - header_bytes as u64;
    let Some(mut cipher) = cipher(header, master_key) else {
        write(header)?;
        payload.copy(left, |piece| write(piece))?;
        return Ok(Form::AsStored);
    };
    payload.copy(left, |piece| {
        cipher.apply_keystream(piece);
        write(piece)
    })?;
    Ok(Form::Opened)
}

fn cipher(header: &[u8], master_key: &SecretBytes) -> Option<Ctr128BE<Aes256>> {
    let counter: &[u8; 16] = header.strip_prefix(START)?.try_into().ok()?;
    let key: &[u8; 32] = master_key.expose().try_into().ok()?;
    Some(Ctr128BE::<Aes256>::new(key.into(), counter.into()))
}
