//! A file while it is looked at: on the disk, never in the clear, and without a name.
//!
//! A sealed file is kept as it came. A plain one is sealed while it is written, to a key that lives in this process
//! only. The file has no name in its folder, so that the system takes it back when the process ends in whatever way.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use strongroom_age::{FileKey, Recipient, Recipients, SealWriter, X25519Identity};

use crate::error::{Error, Result};

/// How a sealed file begins.
const SEALED: &[u8] = b"age-encryption.org/";

/// An intact file.
pub(crate) struct Staged {
    pub(crate) file: StagedFile,
    /// Bytes as they were sent.
    pub(crate) size: u64,
    /// Of those bytes: SHA-256, lower-case hex.
    pub(crate) sha256: String,
}

/// An age file, or bytes that begin like one.
pub(crate) struct StagedFile {
    pub(super) file: File,
    /// What opens it, where it came plain.
    pub(super) own_key: Option<X25519Identity>,
}

/// Takes a file piece by piece, each on a thread that may wait for the disk.
pub(super) struct Staging {
    folder: PathBuf,
    /// None until the first bytes tell what it is.
    out: Option<Out>,
    size: u64,
    digest: Sha256,
}

enum Out {
    Sealed(BufWriter<File>),
    Plain(Box<SealWriter<BufWriter<File>>>, X25519Identity),
}

/// Says once, in the log, that nothing can be staged.
pub(crate) fn warn(folder: &Path) {
    if let Err(error) = tempfile::tempfile_in(folder) {
        let folder = folder.display();
        tracing::warn!(%folder, %error, "archives cannot be verified: set [backup] staging_dir to a folder");
    }
}

impl Staging {
    /// In `folder`; nothing is made before the first bytes.
    pub(super) fn create(folder: PathBuf) -> Self {
        Self { folder, out: None, size: 0, digest: Sha256::new() }
    }

    /// Appends `bytes`, which are not empty.
    pub(super) async fn write(mut self, bytes: Bytes) -> Result<Self> {
        tokio::task::spawn_blocking(move || {
            self.append(&bytes)?;
            Ok(self)
        })
        .await?
    }

    /// The file is complete.
    pub(super) async fn finish(self) -> Result<Staged> {
        tokio::task::spawn_blocking(move || {
            let file = match self.out {
                None => return Err(Error::Defect("a file without bytes was staged".into())),
                Some(Out::Sealed(out)) => StagedFile { file: flushed(out)?, own_key: None },
                Some(Out::Plain(writer, key)) => {
                    StagedFile { file: flushed(writer.finish().map_err(disk)?)?, own_key: Some(key) }
                }
            };
            Ok(Staged { file, size: self.size, sha256: hex::encode(self.digest.finalize()) })
        })
        .await?
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        self.digest.update(bytes);
        let out = match self.out.take() {
            Some(out) => out,
            None => Out::create(&self.folder, bytes)?,
        };
        let written = match self.out.insert(out) {
            Out::Sealed(out) => out.write_all(bytes),
            Out::Plain(out, _) => out.write_all(bytes),
        };
        written.map_err(Error::Staging)
    }
}

impl Out {
    /// No ZIP begins like a sealed file, so that what lies here in the clear is no archive.
    fn create(folder: &Path, first: &[u8]) -> Result<Self> {
        let out = BufWriter::new(tempfile::tempfile_in(folder).map_err(Error::Staging)?);
        let compared = first.len().min(SEALED.len());
        if first[..compared] == SEALED[..compared] {
            return Ok(Self::Sealed(out));
        }
        let key = X25519Identity::generate();
        let recipients = Recipients::Keys(vec![Recipient::X25519(key.recipient())]);
        let writer = SealWriter::create(out, &FileKey::generate(), &recipients).map_err(disk)?;
        Ok(Self::Plain(Box::new(writer), key))
    }
}

fn flushed(out: BufWriter<File>) -> Result<File> {
    out.into_inner().map_err(|error| Error::Staging(error.into_error()))
}

/// Sealing fails with the disk only.
fn disk(error: strongroom_age::Error) -> Error {
    match error {
        strongroom_age::Error::Sink(error) | strongroom_age::Error::Read(error) => Error::Staging(error),
        other => other.into(),
    }
}
