//! Output files of commands that write an archive (`--out`). A file gets its name only when it is complete.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::error::{Local, Refused};
use crate::files::{folder_of, sync_folder_of};
use crate::output::{DataOut, data_out};

/// The meaning of `--out`, checked before any call to the server.
#[derive(Debug, PartialEq)]
pub(crate) enum OutPath {
    Stdout,
    /// This exact file.
    File(PathBuf),
    /// A file with the server's name in this folder.
    Folder {
        folder: PathBuf,
        /// Whether to replace an existing file of that name.
        force: bool,
    },
}

impl OutPath {
    /// # Errors
    /// When nothing could be written there, and for an existing file without `force`.
    pub(crate) fn check(out: &Path, force: bool) -> Result<Self> {
        if out == Path::new("-") {
            ensure!(
                !data_out().is_terminal(),
                "an archive cannot be written to a terminal: give a file or a pipe"
            );
            return Ok(Self::Stdout);
        }
        if out.is_dir() {
            return Ok(Self::Folder { folder: out.to_owned(), force });
        }
        let folder = folder_of(out);
        let is_folder_name = out.as_os_str().as_encoded_bytes().ends_with(b"/");
        ensure!(
            !is_folder_name && folder.is_dir(),
            "there is no folder {}",
            folder_named(out, is_folder_name)
        );
        // A device or pipe must not be replaced by a rename.
        let special = out.metadata().is_ok_and(|known| !known.is_file());
        ensure!(!special, "{} is not a regular file; `--out -` streams to standard output", out.display());
        refuse_existing(out, force)?;
        Ok(Self::File(out.to_owned()))
    }

    /// The path of the archive that the server calls `file_name`; `None` for standard output.
    pub(crate) fn file(&self, file_name: &str) -> Option<PathBuf> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(path.clone()),
            Self::Folder { folder, .. } => Some(folder.join(file_name)),
        }
    }

    /// Creates the output of the archive.
    pub(crate) fn create(&self, file_name: &str) -> Result<OutFile> {
        let Some(path) = self.file(file_name) else { return Ok(OutFile::Stdout(data_out())) };
        if let Self::Folder { force, .. } = self {
            refuse_existing(&path, *force)?;
        }
        Ok(OutFile::File(PartialFile::create(path)?))
    }
}

/// # Errors
/// When `path` exists, unless `force` is set.
pub(crate) fn refuse_existing(path: &Path, force: bool) -> Result<()> {
    let sentence = || format!("{} exists; `--force` replaces it", path.display());
    ensure!(force || path.symlink_metadata().is_err(), Refused::new(Local::FileExists, sentence()));
    Ok(())
}

/// Whether a name from a server is safe as a file name.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain)
}

fn folder_named(out: &Path, is_folder_name: bool) -> String {
    let folder = if is_folder_name { out } else { folder_of(out) };
    folder.display().to_string()
}

/// The output of an archive that is not complete yet.
#[derive(Debug)]
pub(crate) enum OutFile {
    Stdout(DataOut),
    File(PartialFile),
}

impl OutFile {
    /// Makes the output permanent, and returns its path.
    pub(crate) fn finish(self) -> Result<String> {
        match self {
            Self::Stdout(_) => Ok("-".to_owned()),
            Self::File(file) => file.finish(),
        }
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(partial) => partial.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(partial) => partial.file.flush(),
        }
    }
}

/// `FILE.partial`, removed when dropped.
#[derive(Debug)]
pub(crate) struct PartialFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    renamed: bool,
}

impl PartialFile {
    fn create(path: PathBuf) -> Result<Self> {
        let mut partial = path.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let failed = || format!("cannot create {}", partial.display());
        let file = open_locked(&partial).with_context(failed)?;
        file.set_len(0).with_context(failed)?;
        Ok(Self { file, partial, path, renamed: false })
    }

    fn finish(mut self) -> Result<String> {
        let failed = || format!("cannot complete {}", self.path.display());
        self.file.sync_all().with_context(failed)?;
        std::fs::rename(&self.partial, &self.path).with_context(failed)?;
        self.renamed = true;
        sync_folder_of(&self.path)?;
        Ok(self.path.display().to_string())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Opens `FILE.partial` as it is, or creates it (mode 0600). The leftover of a killed command is reused; a file that
/// another command is writing is not.
pub(crate) fn open_locked(partial: &Path) -> Result<File> {
    let foreign = partial.symlink_metadata().is_ok_and(|known| !known.is_file());
    ensure!(!foreign, "that name belongs to something that is not a regular file");
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(partial)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("another command is writing it"),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    // Between the two calls, another command may have completed and renamed it.
    let is_it = partial.symlink_metadata().is_ok_and(|known| Some(known.ino()) == inode(&file));
    ensure!(is_it, "another command has just completed it; try again");
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn inode(file: &File) -> Option<u64> {
    file.metadata().ok().map(|known| known.ino())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_only_when_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        std::fs::write(&path, "old").unwrap();
        std::fs::write(folder.path().join("a.zip.partial"), "left by a kill").unwrap();

        let mut failed = OutPath::check(&path, true).unwrap().create("server.zip").unwrap();
        failed.write_all(b"ne").unwrap();
        drop(failed);
        assert_eq!(names(folder.path()), ["a.zip"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");

        let mut whole = OutPath::check(&path, true).unwrap().create("server.zip").unwrap();
        whole.write_all(b"new").unwrap();
        assert_eq!(names(folder.path()), ["a.zip", "a.zip.partial"]);
        assert_eq!(whole.finish().unwrap(), path.display().to_string());
        assert_eq!(names(folder.path()), ["a.zip"]);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_takes_the_server_s_name() {
        let folder = tempfile::tempdir().unwrap();
        let out = OutPath::check(folder.path(), false).unwrap();
        out.create("server.zip").unwrap().finish().unwrap();
        assert_eq!(names(folder.path()), ["server.zip"]);
        assert!(out.create("server.zip").unwrap_err().to_string().contains("--force"));
        let _ = OutPath::check(folder.path(), true).unwrap().create("server.zip").unwrap();
        let file = folder.path().join("server.zip");
        assert!(OutPath::check(&file, false).unwrap_err().to_string().contains("--force"));
    }

    #[test]
    fn two_exports_do_not_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let out = OutPath::check(&folder.path().join("a.zip"), false).unwrap();
        let first = out.create("").unwrap();
        let error = out.create("").unwrap_err();
        assert!(format!("{error:#}").contains("another command"), "{error:#}");
        first.finish().unwrap();
        assert_eq!(names(folder.path()), ["a.zip"]);
    }

    #[test]
    fn paths_that_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        for out in [folder.path().join("no/a.zip"), folder.path().join("no/"), "/dev/null".into()] {
            assert!(OutPath::check(&out, true).is_err(), "{}", out.display());
        }
        assert_eq!(OutPath::check(Path::new("-"), false).unwrap(), OutPath::Stdout);
    }
}
