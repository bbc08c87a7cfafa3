//! How hard to compress.

use crate::error::{Error, Result};

/// By which encoder: the one made here for rows (the default), or zlib's at a level from 1 to 9.
///
/// The default is faster than zlib's 1 and about as small as its 2. Whoever has more time than room takes 6.
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
