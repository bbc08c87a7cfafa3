//! A staged file that came plain and is no archive: its bytes from beginning to end.

use std::fs::File;
use std::io::{BufReader, Seek as _};

use strongroom_age::{Identity, SealedFile};
use strongroom_archive::seal::Header;

use super::staging::Staged;
use crate::error::{Error, Result};

impl Staged {
    /// What the file holds, opened on a thread that may block; `None` of one that came sealed. Only one reader of a file goes
    /// on at a time.
    ///
    /// # Errors
    /// [`Error::Staging`].
    pub(crate) fn contents(&self) -> Result<Option<SealedFile<File>>> {
        let Some(key) = &self.file.own_key else { return Ok(None) };
        let mut file = self.file.file.try_clone().map_err(Error::Staging)?;
        file.rewind().map_err(Error::Staging)?;
        let mut reader = BufReader::new(file);
        let unlocked = Header::read(&mut reader)?.unlock(&[Identity::X25519(key.clone())])?;
        Ok(Some(SealedFile::open(reader.into_inner(), &unlocked)?))
    }
}
