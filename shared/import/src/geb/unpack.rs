//! Unpacks a backup into files.

use std::fs::File;
use std::io::{Read, Seek, Write as _};
use std::path::{Path, PathBuf};

use strongroom_crypto::SecretBytes;

use super::folder::Folder;
use super::recording::{self, Form};
use super::{Geb, Recording};
use crate::error::{Error, Result};

const DATABASE: &str = "gatwy.db";
const RECORDINGS: &str = "recordings";
const MASTER_KEY: &str = "master.key";

/// The files written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The SQLite database.
    pub database: PathBuf,
    /// The folder of the recordings, if there are any.
    pub recordings: Option<PathBuf>,
    /// The form of each recording, in the order of [`super::Contents::recordings`].
    pub forms: Vec<Form>,
    /// The file with the master key as 64 hex digits, if requested.
    pub master_key: Option<PathBuf>,
}

impl<R: Read + Seek> Geb<R> {
    /// Writes the database and the recordings to `out`, which must be new or empty; only their owner can read
    /// them. Recordings are decrypted; columns of the database stay as stored. The master key is written only
    /// if `with_master_key` is set.
    ///
    /// # Errors
    /// If `out` is not empty or cannot be written, or if the file has changed since it was opened; no files
    /// are left then.
    pub fn unpack(&mut self, out: &Path, with_master_key: bool) -> Result<Unpacked> {
        let folder = Folder::prepare(out)?;
        let forms = self.write_payload(&folder)?;
        if with_master_key {
            let (file, path) = folder.create(MASTER_KEY)?;
            let digits = SecretBytes::new(hex::encode(self.manifest.master_key.expose()).into_bytes());
            write(&file, &path, digits.expose())?;
            write(&file, &path, b"\n")?;
            sync(&file, &path)?;
        }
        folder.finish()?;
        Ok(Unpacked {
            database: out.join(DATABASE),
            recordings: (!forms.is_empty()).then(|| out.join(RECORDINGS)),
            forms,
            master_key: with_master_key.then(|| out.join(MASTER_KEY)),
        })
    }

    fn write_payload(&mut self, folder: &Folder) -> Result<Vec<Form>> {
        let contents = &self.manifest.contents;
        let recordings = contents.recordings.iter().map(|recording| recording.bytes);
        let files = contents.database_bytes + recordings.sum::<u64>();
        let manifest_bytes = self.envelope.payload_bytes() - files;
        let mut payload = self.envelope.payload()?;
        payload.copy(manifest_bytes, |_| Ok(()))?;

        let (file, path) = folder.create(DATABASE)?;
        payload.copy(contents.database_bytes, |piece| write(&file, &path, piece))?;
        sync(&file, &path)?;
        let mut forms = Vec::new();
        for Recording { name, bytes } in &contents.recordings {
            let (file, path) = folder.create(&format!("{RECORDINGS}/{name}"))?;
            let key = &self.manifest.master_key;
            forms.push(recording::copy(&mut payload, *bytes, key, |piece| write(&file, &path, piece))?);
            sync(&file, &path)?;
        }
        if payload.finish()? { Ok(forms) } else { Err(Error::Damaged) }
    }
}

fn write(mut file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    file.write_all(bytes).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn sync(file: &File, path: &Path) -> Result<()> {
    file.sync_all().map_err(|source| Error::Write { path: path.to_owned(), source })
}
