//! A directory whose links are never followed, even if it is changed meanwhile.
//!
//! The directory is opened once. Everything below it is opened relative to that descriptor, by one call that refuses
//! links (`openat2`, <https://man7.org/linux/man-pages/man2/openat2.2.html>), or folder by folder if a kernel or a
//! sandbox does not support that call. A path that is checked and then opened by name could lead elsewhere by then.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, open, openat, statat};
use rustix::io::Errno;

/// Without `NONBLOCK`, opening a pipe in the place of a file would wait for a writer.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Only an intermediate step: search permission on the folder is enough.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = FOLDER;

/// An open directory.
pub(super) struct Root(OwnedFd);

/// An entry of a folder, without following links.
pub(super) struct Found {
    pub(super) name: OsString,
    pub(super) kind: FileType,
    /// Size of a file, in bytes.
    pub(super) bytes: u64,
    pub(super) identity: Identity,
}

/// The state of an open file when it was examined.
#[derive(Debug, PartialEq)]
pub(super) struct Opened {
    pub(super) identity: Identity,
    /// Including the file type bits.
    pub(super) mode: u32,
    pub(super) modified_at: Timestamp,
}

/// Device and inode: they show whether two names, or two points in time, refer to the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Root {
    /// Opens `path`, which comes from the configuration: links in it are followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
        Ok(Self(open(path, flags, Mode::empty())?))
    }

    /// Opens the file at `path` below the directory, whatever its kind: only [`look_at`] determines that.
    ///
    /// # Errors
    /// [`is_elsewhere`] for links.
    pub(super) fn open_file(&self, path: &Path) -> io::Result<File> {
        Ok(File::from(self.open_below(path, FILE)?))
    }

    /// Calls `visit` for each entry of the folder at `path` below the directory; "" is the directory itself. Entries
    /// that disappear meanwhile are skipped.
    ///
    /// # Errors
    /// [`is_elsewhere`] for links, and errors of `visit`.
    pub(super) fn list<E: From<io::Error>>(
        &self,
        path: &Path,
        mut visit: impl FnMut(Found) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let folder = self.open_below(path, FOLDER)?;
        let mut entries = Dir::read_from(&folder).map_err(io::Error::from)?;
        while let Some(entry) = entries.read() {
            let entry = entry.map_err(io::Error::from)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => visit(Found::create(name, &stat))?,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(())
    }

    /// Opens the folder at `path` below the directory, to change its entries. Files can be renamed into it.
    ///
    /// # Errors
    /// [`is_elsewhere`] for links, and for a folder on another file system or under another mount.
    pub(super) fn open_folder(&self, path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match self.open_on_mount(path) {
            Err(Errno::NOSYS | Errno::PERM) => {
                let folder = self.open_by_steps(path, FOLDER)?;
                let (own, other) = (rustix::fs::fstat(&self.0)?, rustix::fs::fstat(&folder)?);
                if own.st_dev == other.st_dev { Ok(Self(folder)) } else { Err(Errno::XDEV.into()) }
            }
            opened => Ok(Self(opened?)),
        }
    }

    /// The descriptor, for operations in this very folder by a name without a slash.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn open_below(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        match self.open_at_once(path, flags) {
            // A sandbox reports an unknown call as EPERM.
            Err(Errno::NOSYS | Errno::PERM) => Ok(self.open_by_steps(path, flags)?),
            opened => Ok(opened?),
        }
    }

    #[cfg(target_os = "linux")]
    fn open_at_once(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        use rustix::fs::{ResolveFlags, openat2};

        let resolve = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);
        openat2(&self.0, path, flags, Mode::empty(), resolve)
    }

    #[cfg(target_os = "linux")]
    fn open_on_mount(&self, path: &Path) -> Result<OwnedFd, Errno> {
        use rustix::fs::{ResolveFlags, openat2};

        let resolve = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_XDEV);
        openat2(&self.0, path, FOLDER, Mode::empty(), resolve)
    }

    #[cfg(not(target_os = "linux"))]
    fn open_on_mount(&self, _: &Path) -> Result<OwnedFd, Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(not(target_os = "linux"))]
    fn open_at_once(&self, _: &Path, _: OFlags) -> Result<OwnedFd, Errno> {
        Err(Errno::NOSYS)
    }

    fn open_by_steps(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut folder: Option<OwnedFd> = None;
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            let Component::Normal(name) = part else {
                // Only the directory itself is requested as ".".
                return openat(&self.0, ".", flags, Mode::empty());
            };
            let flags = if parts.peek().is_none() { flags } else { STEP };
            let from = folder.as_ref().unwrap_or(&self.0);
            folder = Some(openat(from, name, flags, Mode::empty())?);
        }
        folder.ok_or(Errno::NOENT)
    }
}

impl Found {
    fn create(name: &OsStr, stat: &Stat) -> Self {
        let kind = FileType::from_raw_mode(stat.st_mode);
        let bytes = u64::try_from(stat.st_size).unwrap_or_default();
        Self { name: name.to_owned(), kind, bytes, identity: Identity::of(stat) }
    }
}

impl Identity {
    #[expect(clippy::unnecessary_cast, reason = "the types of these fields are not the same on every system")]
    fn of(stat: &Stat) -> Self {
        Self(stat.st_dev as u64, stat.st_ino as u64)
    }
}

/// Examines an open file; `None` if it is something else, such as a pipe.
pub(super) fn look_at(file: &File) -> io::Result<Option<Opened>> {
    let stat = rustix::fs::fstat(file)?;
    let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
    let (identity, modified_at) = (Identity::of(&stat), modified_at(&stat));
    Ok(is_file.then_some(Opened { identity, mode: stat.st_mode, modified_at }))
}

/// The nearest representable timestamp: some file systems support times outside its range.
#[expect(clippy::unnecessary_cast, reason = "the types of these fields are not the same on every system")]
fn modified_at(stat: &Stat) -> Timestamp {
    let seconds = stat.st_mtime as i64;
    let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::new(seconds, stat.st_mtime_nsec as i32).unwrap_or(nearest)
}

/// Whether a path led to a link or a socket, or through something that is not (or no longer) a folder.
pub(super) fn is_elsewhere(error: &io::Error) -> bool {
    let code = Errno::from_io_error(error);
    matches!(code, Some(Errno::LOOP | Errno::NOTDIR | Errno::XDEV | Errno::NXIO))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests;
