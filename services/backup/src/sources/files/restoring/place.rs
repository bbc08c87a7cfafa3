//! A name in an open folder: it stays the same place even if the folders above it are renamed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, fsync, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;
use strongroom_archive::manifest::TruePath;

use super::facts::Seen;
use super::wanted::parent;
use crate::sources::files::root::Root;

const NEW: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const OLD: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A name in an open folder.
pub(super) struct Place<'a> {
    pub(super) folder: Folder<'a>,
    pub(super) name: OsString,
}

/// Owned or borrowed.
pub(super) enum Folder<'a> {
    Own(Root),
    Lent(&'a Root),
}

impl Folder<'_> {
    pub(super) fn root(&self) -> &Root {
        match self {
            Self::Own(root) => root,
            Self::Lent(root) => root,
        }
    }
}

/// For system calls.
pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

impl Place<'static> {
    /// The place of a path of the set; `None` if one of its folders is missing.
    ///
    /// # Errors
    /// As for [`Root::open_folder`].
    pub(super) fn of(root: &Root, path: &TruePath) -> io::Result<Option<Self>> {
        let bytes = path.as_bytes();
        let above = parent(bytes);
        let name = above.map_or(bytes, |above| &bytes[above.len() + 1..]);
        match root.open_folder(as_path(above.unwrap_or_default())) {
            Ok(folder) => {
                let name = OsStr::from_bytes(name).to_owned();
                Ok(Some(Self { folder: Folder::Own(folder), name }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<'a> Place<'a> {
    pub(super) fn in_folder(folder: &'a Root, name: impl Into<OsString>) -> Self {
        Self { folder: Folder::Lent(folder), name: name.into() }
    }

    /// The entry, if there is one.
    pub(super) fn look(&self) -> io::Result<Option<Seen>> {
        match statat(self.folder.root().as_fd(), &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Seen::of(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a file that only this process's user can read.
    pub(super) fn create_file(&self) -> io::Result<File> {
        let file = openat(self.folder.root().as_fd(), &self.name, NEW, Mode::RUSR.union(Mode::WUSR))?;
        Ok(File::from(file))
    }

    /// Opens a file of ours for reading.
    pub(super) fn open_file(&self) -> io::Result<File> {
        Ok(File::from(openat(self.folder.root().as_fd(), &self.name, OLD, Mode::empty())?))
    }

    /// Creates a folder; false if it exists.
    pub(super) fn create_folder(&self) -> io::Result<bool> {
        match mkdirat(self.folder.root().as_fd(), &self.name, Mode::RWXU) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) if self.look()?.is_some_and(|seen| seen.kind.is_dir()) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn open_folder(&self) -> io::Result<Root> {
        self.folder.root().open_folder(Path::new(&self.name))
    }

    /// A missing file is not an error.
    pub(super) fn remove_file(&self) -> io::Result<()> {
        self.remove(AtFlags::empty())
    }

    /// Removes an empty folder; a missing one is not an error.
    pub(super) fn remove_folder(&self) -> io::Result<()> {
        self.remove(AtFlags::REMOVEDIR)
    }

    fn remove(&self, flags: AtFlags) -> io::Result<()> {
        match unlinkat(self.folder.root().as_fd(), &self.name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync(folder: &Root) -> io::Result<()> {
    Ok(fsync(folder.as_fd())?)
}
