//! The folder that a backup is unpacked into: empty before; afterwards complete, or empty again.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// Files in a temporary folder inside the target folder. They are moved out only once all are complete.
pub(super) struct Folder {
    out: PathBuf,
    made: bool,
    partial: Option<TempDir>,
}

impl Folder {
    /// Creates `out` (mode 0700), or uses it if it is empty.
    pub(super) fn prepare(out: &Path) -> Result<Self> {
        let made = match DirBuilder::new().mode(0o700).create(out) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(source) => return Err(Error::Write { path: out.to_owned(), source }),
        };
        let failed = |source| Error::Write { path: out.to_owned(), source };
        if let Some(entry) = out.read_dir().map_err(failed)?.next() {
            let found = entry.map_err(failed)?.file_name().into();
            return Err(Error::NotEmpty { out: out.to_owned(), found });
        }
        let mut folder = Self { out: out.to_owned(), made, partial: None };
        folder.partial = Some(tempfile::Builder::new().prefix(".partial-").tempdir_in(out).map_err(failed)?);
        Ok(folder)
    }

    /// Creates a file (mode 0600), and its folder.
    pub(super) fn create(&self, name: &str) -> Result<(File, PathBuf)> {
        let path = self.partial_path().join(name);
        let failed = |source| Error::Write { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        Ok((file.map_err(failed)?, path))
    }

    /// Gives all files their final names.
    pub(super) fn finish(mut self) -> Result<()> {
        let partial = self.partial_path().to_owned();
        let failed = |source| Error::Write { path: partial.clone(), source };
        for entry in partial.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = self.out.join(entry.file_name());
            if path.symlink_metadata().is_ok() {
                return Err(Error::NotEmpty { out: self.out.clone(), found: entry.file_name().into() });
            }
            let moved = sync(&entry.path()).and_then(|()| std::fs::rename(entry.path(), &path));
            moved.map_err(|source| Error::Write { path, source })?;
        }
        self.partial = None;
        self.made = false;
        sync(&self.out).map_err(|source| Error::Write { path: self.out.clone(), source })
    }

    fn partial_path(&self) -> &Path {
        self.partial.as_ref().map_or(&self.out, TempDir::path)
    }
}

/// Removes the temporary folder, and the target folder if it was created here.
impl Drop for Folder {
    fn drop(&mut self) {
        self.partial = None;
        if self.made {
            let _ = std::fs::remove_dir(&self.out);
        }
    }
}

/// A name is durable once its folder is synced; the files themselves were synced individually.
fn sync(path: &Path) -> io::Result<()> {
    if path.is_dir() { File::open(path)?.sync_all() } else { Ok(()) }
}
