//! Other recipients for the same sealed file.

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::chunk::CHUNK_BYTES;
use crate::error::{Error, Result};
use crate::reader::SealReader;
use crate::writer::SealWriter;

/// Copies a sealed file to other recipients: `to` was created with a file key of its own. The plaintext
/// passes through memory chunk by chunk. Only what was verified to its end gets a last chunk.
///
/// # Errors
/// [`Error::Seal`] if what is read is damaged, [`Error::Read`] or [`Error::Sink`] if a side fails. What was
/// written then does not open; remove it.
pub fn reseal<R: Read, W: Write>(mut from: SealReader<R>, mut to: SealWriter<W>) -> Result<W> {
    let mut buffer = Zeroizing::new(vec![0; CHUNK_BYTES]);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return to.finish(),
            Ok(length) => to.write_all(&buffer[..length]).map_err(Error::Sink)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::from_read(error)),
        }
    }
}
