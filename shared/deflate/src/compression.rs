//! The compression level.

use crate::error::{Error, Result};

/// Selects the encoder: this crate's own, made for rows (the default), or zlib's at a level from 1 to 9.
///
/// The default is faster than zlib's level 1 and about as small as its level 2. Choose 6 if size matters more
/// than time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compression(Option<u8>);

impl Compression {
    /// One of zlib's levels, from 1 to 9.
    ///
    /// # Errors
    /// [`Error::Level`] for any other.
    pub fn level(level: u8) -> Result<Self> {
        if (1..=9).contains(&level) {
            return Ok(Self(Some(level)));
        }
        Err(Error::Level)
    }

    pub(crate) fn zlib_level(self) -> Option<u8> {
        self.0
    }
}
