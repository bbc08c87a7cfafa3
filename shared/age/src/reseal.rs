//! Resealing a file to other recipients.

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::chunk::CHUNK_BYTES;
use crate::error::{Error, Result};
use crate::reader::SealReader;
use crate::writer::SealWriter;

/// Copies a sealed file to other recipients; `to` was created with its own file key. The plaintext passes
/// through memory chunk by chunk. The last chunk is written only after the input was verified completely.
///
/// # Errors
/// [`Error::Seal`] if the input is damaged, [`Error::Read`] or [`Error::Sink`] if a side fails. The output
/// written so far then cannot be opened; remove it.
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
