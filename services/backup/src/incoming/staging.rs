//! A file while it is examined: on the disk, and never in the clear.
//!
//! A sealed file is kept as it arrived. A plain one is sealed while it is written. Usually the file has no name in its
//! folder, so the system reclaims it however the process ends, and the key of a plain file exists only in this process.
//! A file that must outlast the process has a name, and a plain one is then sealed to the vault.

use std::fs::File;
use std::io::{BufWriter, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use strongroom_age::{FileKey, Recipient, Recipients, SealWriter, X25519Identity};

use crate::error::{Error, Result};
use crate::seal::Seal;

/// Permissions of a named file: an archive is as secret as the data in it.
const OWN: u32 = 0o600;

/// The first bytes of a sealed file.
const SEALED: &[u8] = b"age-encryption.org/";

/// A file that arrived intact.
pub(crate) struct Staged {
    pub(crate) file: StagedFile,
    /// Number of bytes as sent.
    pub(crate) size: u64,
    /// SHA-256 of those bytes, lower-case hex.
    pub(crate) sha256: String,
}

impl Staged {
    /// A second handle to the same file. Both share one offset, so only one of them may be read at a time; each reader
    /// begins with a rewind.
    ///
    /// # Errors
    /// [`Error::Staging`].
    pub(crate) fn again(&self) -> Result<Self> {
        let file = self.file.file.try_clone().map_err(Error::Staging)?;
        let file = StagedFile { file, own_key: self.file.own_key.clone() };
        Ok(Self { file, size: self.size, sha256: self.sha256.clone() })
    }

    /// A sealed file on the disk.
    pub(crate) fn sealed(file: File, size: u64, sha256: String) -> Self {
        Self { file: StagedFile { file, own_key: None }, size, sha256 }
    }
}

/// An age file, or bytes that begin like one.
pub(crate) struct StagedFile {
    pub(super) file: File,
    /// The key that opens it, if it was plain when it arrived.
    pub(super) own_key: Option<X25519Identity>,
}

/// The location of a staged file.
pub(crate) enum Place {
    /// In this folder, without a name.
    Unnamed(PathBuf),
    /// At `sealed`, or at `plain` if it arrives plain and is sealed here. Neither exists yet.
    Named { sealed: PathBuf, plain: PathBuf, seal: Box<Seal> },
    /// Appended to the part of a sealed file that has arrived.
    Resumed(PathBuf),
}

/// Writes a file piece by piece, each on a blocking thread.
pub(crate) struct Staging {
    place: Place,
    /// `None` until the first bytes show whether it is sealed.
    out: Option<Out>,
    size: u64,
    digest: Sha256,
}

enum Out {
    Sealed(BufWriter<File>),
    /// An archive that arrives plain and is sealed here, with the key that opens it, unless it is sealed to the vault.
    Plain(Box<SealWriter<BufWriter<File>>>, Option<X25519Identity>),
}

/// Logs a warning if nothing can be staged.
pub(crate) fn warn(folder: &Path) {
    if let Err(error) = tempfile::tempfile_in(folder) {
        let folder = folder.display();
        tracing::warn!(%folder, %error, "archives cannot be verified: set [backup] staging_dir to a folder");
    }
}

/// A plain file of these bytes.
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) async fn staged(bytes: Vec<u8>) -> Staged {
    let staging = Staging::create(Place::Unnamed(std::env::temp_dir())).write(bytes.into()).await.unwrap();
    staging.finish().await.unwrap()
}

impl Staging {
    /// At `place`; nothing is created before the first bytes arrive.
    pub(super) fn create(place: Place) -> Self {
        Self { place, out: None, size: 0, digest: Sha256::new() }
    }

    /// Resumes a sealed file at `path`, which is read once for the digest.
    ///
    /// # Errors
    /// [`Error::Staging`].
    pub(super) async fn resume(path: PathBuf) -> Result<Self> {
        tokio::task::spawn_blocking(move || {
            let mut file = File::options().read(true).append(true).open(&path).map_err(Error::Staging)?;
            let (size, digest) = digest_of(&mut file).map_err(Error::Staging)?;
            let out = Some(Out::Sealed(BufWriter::new(file)));
            Ok(Self { place: Place::Resumed(path), out, size, digest })
        })
        .await?
    }

    /// Number of bytes that have arrived.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Appends `bytes`, which are not empty.
    pub(super) async fn write(mut self, bytes: Bytes) -> Result<Self> {
        tokio::task::spawn_blocking(move || {
            self.append(&bytes)?;
            Ok(self)
        })
        .await?
    }

    /// Completes the file.
    pub(super) async fn finish(self) -> Result<Staged> {
        tokio::task::spawn_blocking(move || {
            let file = match self.out {
                None => return Err(Error::Defect("a file without bytes was staged".into())),
                Some(Out::Sealed(out)) => StagedFile { file: flushed(out)?, own_key: None },
                Some(Out::Plain(writer, own_key)) => {
                    StagedFile { file: flushed(writer.finish().map_err(disk)?)?, own_key }
                }
            };
            self.place.keep(&file.file)?;
            Ok(Staged { file, size: self.size, sha256: hex::encode(self.digest.finalize()) })
        })
        .await?
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.size += bytes.len() as u64;
        self.digest.update(bytes);
        let out = match self.out.take() {
            Some(out) => out,
            None => Out::create(&self.place, bytes)?,
        };
        let written = match self.out.insert(out) {
            Out::Sealed(out) => out.write_all(bytes),
            Out::Plain(out, _) => out.write_all(bytes),
        };
        written.map_err(Error::Staging)
    }
}

impl Place {
    fn create(&self, is_sealed: bool) -> Result<File> {
        let file = match self {
            Self::Unnamed(folder) => tempfile::tempfile_in(folder),
            Self::Named { sealed, plain, .. } => create_named(if is_sealed { sealed } else { plain }),
            Self::Resumed(path) => create_named(path),
        };
        file.map_err(Error::Staging)
    }

    /// Makes a named file durable.
    fn keep(&self, file: &File) -> Result<()> {
        let (Self::Named { sealed: path, .. } | Self::Resumed(path)) = self else { return Ok(()) };
        let folder = path.parent().unwrap_or(path);
        let kept = file.sync_all().and_then(|()| File::open(folder)?.sync_all());
        kept.map_err(Error::Staging)
    }
}

fn digest_of(file: &mut File) -> std::io::Result<(u64, Sha256)> {
    let (mut digest, mut buffer, mut size) = (Sha256::new(), vec![0; 256 << 10], 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((size, digest)),
            Ok(length) => {
                digest.update(&buffer[..length]);
                size += length as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn create_named(path: &Path) -> std::io::Result<File> {
    File::options().read(true).append(true).create_new(true).mode(OWN).open(path)
}

impl Out {
    /// A file that begins like an age file is stored as it is; it cannot be a plain ZIP.
    fn create(place: &Place, first: &[u8]) -> Result<Self> {
        let compared = first.len().min(SEALED.len());
        let is_sealed = first[..compared] == SEALED[..compared];
        let out = BufWriter::new(place.create(is_sealed)?);
        if is_sealed {
            return Ok(Self::Sealed(out));
        }
        if let Place::Named { seal, .. } = place {
            let writer = SealWriter::create(out, &seal.file_key, &seal.recipients).map_err(disk)?;
            return Ok(Self::Plain(Box::new(writer), None));
        }
        let key = X25519Identity::generate();
        let recipients = Recipients::Keys(vec![Recipient::X25519(key.recipient())]);
        let writer = SealWriter::create(out, &FileKey::generate(), &recipients).map_err(disk)?;
        Ok(Self::Plain(Box::new(writer), Some(key)))
    }
}

fn flushed(out: BufWriter<File>) -> Result<File> {
    out.into_inner().map_err(|error| Error::Staging(error.into_error()))
}

/// Sealing fails only because of the disk.
fn disk(error: strongroom_age::Error) -> Error {
    match error {
        strongroom_age::Error::Sink(error) | strongroom_age::Error::Read(error) => Error::Staging(error),
        other => other.into(),
    }
}
