//! A staged file that was plain when it arrived and is not an archive: its bytes from beginning to end.

use std::fs::File;
use std::io::{BufReader, Seek as _};

use strongroom_age::{Identity, SealedFile};
use strongroom_archive::seal::Header;

use super::staging::Staged;
use crate::error::{Error, Result};

impl Staged {
    /// The file's contents, opened on a blocking thread; `None` if the file was sealed when it arrived. A file can have
    /// only one active reader at a time.
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
