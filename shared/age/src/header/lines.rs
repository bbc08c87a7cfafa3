//! The header's grammar, line by line, with a length limit: a header is untrusted input.

use std::io::{BufRead, Read};

use crate::error::{Error, Result, SealError};
use crate::stanza::{self, COLUMNS};

/// Longest header that is written or read: about 400 recipients.
pub const MAX_HEADER_BYTES: usize = 64 << 10;

/// The first line: format and version.
pub(super) const INTRO: &str = "age-encryption.org/v1\n";
const FAMILY: &[u8] = b"age-encryption.org/";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPT";

/// The header lines read so far, with their bytes for the MAC.
pub(super) struct Lines<'r, R> {
    reader: &'r mut R,
    bytes: Vec<u8>,
    line: usize,
}

impl<'r, R: BufRead> Lines<'r, R> {
    /// Reads the first line, which names the format and its version.
    pub(super) fn start(reader: &'r mut R) -> Result<Self> {
        let mut bytes = Vec::with_capacity(1024);
        reader.by_ref().take(INTRO.len() as u64).read_to_end(&mut bytes).map_err(Error::from_read)?;
        if bytes == INTRO.as_bytes() {
            return Ok(Self { reader, bytes, line: 1 });
        }
        if INTRO.as_bytes().starts_with(&bytes) {
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
    pub(super) fn next(&mut self) -> Result<String> {
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

    pub(super) fn problem(&self, problem: &'static str) -> Error {
        SealError::Header { line: self.line, problem }.into()
    }

    /// A body's lines: full lines, then exactly one shorter line.
    pub(super) fn read_body(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.next()?;
            let decoded = stanza::decode(&line).filter(|_| line.len() <= COLUMNS);
            body.extend(decoded.ok_or_else(|| self.problem("is not a line of base64 in age's form"))?);
            if line.len() < COLUMNS {
                return Ok(body);
            }
        }
    }

    /// All bytes read.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
