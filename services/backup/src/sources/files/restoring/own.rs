//! The folder `.strongroom` at the top of a set, with one folder for each restore.
//!
//! It is inside the set because only there a rename is certain to be possible. An attacker with write access to the set
//! can also move this folder away, or put another one in its place: a link is not followed, and a folder of another
//! user is not used.
//!
//! One restore's folder contains `files`, in which each action has a slot: the new file before the swap, the displaced
//! one after it; `actions`, `marker` and, during a rollback, `undo`.

use std::ffi::OsString;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat, renameat};
use rustix::io::Errno;

use super::error::FilesError;
use super::owner::own_user;
use super::place::{Place, sync};
use super::{FilesTarget, Result};
use crate::sources::files::RESTORE_FOLDER;
use crate::sources::files::root::{Root, is_elsewhere};

pub(super) const LOCK: &str = "lock";
const FILES: &str = "files";
/// Prefix of a discarded restore's folder until it is removed. No id begins with it.
pub(super) const GONE: &str = ".gone-";
/// How long to wait for the lock of a process that is about to end. A child that this process has just started also
/// holds the lock until it executes its program.
const PATIENCE: Duration = Duration::from_millis(200);
const BETWEEN_TRIES: Duration = Duration::from_millis(10);
/// Maximum length of an id: the text of a UUID has 36 bytes.
const MOST_ID_BYTES: usize = 64;

/// The folder of all restores of a set.
pub(super) struct Restores {
    pub(super) folder: Root,
}

/// The folder of one restore.
pub(super) struct Own {
    pub(super) folder: Root,
    pub(super) slots: Root,
}

/// Held during changes. Dropping it lets other processes work.
pub(super) struct Lock(#[expect(dead_code, reason = "the descriptor holds the lock")] rustix::fd::OwnedFd);

impl Own {
    pub(super) fn slot(&self, number: u64) -> Place<'_> {
        Place::in_folder(&self.slots, number.to_string())
    }
}

impl Restores {
    /// The folder of a restore; `None` if there is none.
    pub(super) fn of(&self, target: &FilesTarget, id: &str) -> Result<Option<Own>> {
        check_id(id)?;
        let Some(folder) = target.open_ours(&Place::in_folder(&self.folder, id))? else { return Ok(None) };
        let slots = target.open_ours(&Place::in_folder(&folder, FILES))?;
        let slots = slots.ok_or_else(|| target.foreign(FILES, "it is gone"))?;
        Ok(Some(Own { folder, slots }))
    }

    /// Creates the folder of a new restore together with its contents.
    pub(super) fn create(&self, target: &FilesTarget, id: &str) -> Result<Own> {
        check_id(id)?;
        let failing = |error: io::Error| target.failing("cannot make the folder", RESTORE_FOLDER)(error);
        let new = Place::in_folder(&self.folder, format!("{GONE}{id}"));
        new.create_folder().map_err(failing)?;
        let folder = new.open_folder().map_err(failing)?;
        Place::in_folder(&folder, FILES).create_folder().map_err(failing)?;
        match renameat(self.folder.as_fd(), &new.name, self.folder.as_fd(), id) {
            Ok(()) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                return Err(FilesError::Exists { name: target.name.clone(), restore: id.to_owned() });
            }
            Err(error) => return Err(failing(error.into())),
        }
        let own = self.of(target, id)?;
        own.ok_or_else(|| target.foreign(id, "it was removed"))
    }

    /// The ids of all restores with data here.
    pub(super) fn ids(&self, target: &FilesTarget) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for name in names(&self.folder).map_err(target.failing("cannot list", RESTORE_FOLDER))? {
            ids.extend(name.into_string().ok().filter(|name| name != LOCK && check_id(name).is_ok()));
        }
        Ok(ids)
    }

    /// Waits only for [`PATIENCE`].
    ///
    /// # Errors
    /// [`FilesError::Locked`].
    pub(super) fn lock(&self, target: &FilesTarget) -> Result<Lock> {
        let failing = |error: Errno| target.failing("cannot lock", RESTORE_FOLDER)(error.into());
        let flags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
        let started = Instant::now();
        // If another process removed the folder meanwhile, it has also removed the opened file.
        loop {
            let file =
                openat(self.folder.as_fd(), LOCK, flags, Mode::RUSR.union(Mode::WUSR)).map_err(failing)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) if started.elapsed() < PATIENCE => {
                    std::thread::sleep(BETWEEN_TRIES);
                    continue;
                }
                Err(Errno::WOULDBLOCK) => return Err(FilesError::Locked { name: target.name.clone() }),
                Err(error) => return Err(failing(error)),
            }
            let held = rustix::fs::fstat(&file).map_err(failing)?;
            let named = Place::in_folder(&self.folder, LOCK).look();
            let named = named.map_err(target.failing("cannot lock", RESTORE_FOLDER))?;
            if named.is_some_and(|named| named.facts.inode == held.st_ino) {
                return Ok(Lock(file));
            }
        }
    }
}

impl FilesTarget {
    /// The folder of all restores, if there is one.
    pub(super) fn restores(&self) -> Result<Option<Restores>> {
        let folder = self.open_ours(&Place::in_folder(&self.root, RESTORE_FOLDER))?;
        Ok(folder.map(|folder| Restores { folder }))
    }

    pub(super) fn make_restores(&self) -> Result<Restores> {
        let place = Place::in_folder(&self.root, RESTORE_FOLDER);
        place.create_folder().map_err(self.failing("cannot make the folder", RESTORE_FOLDER))?;
        let restores = self.restores()?;
        restores.ok_or_else(|| self.foreign(RESTORE_FOLDER, "it was removed"))
    }

    /// Opens a folder created by this service.
    fn open_ours(&self, place: &Place<'_>) -> Result<Option<Root>> {
        let shown = place.name.to_string_lossy();
        let folder = match place.open_folder() {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if is_elsewhere(&error) => {
                return Err(self.foreign(&shown, "it is a link, not a folder, or on another file system"));
            }
            Err(error) => return Err(self.failing("cannot open", &shown)(error)),
        };
        let stat = rustix::fs::fstat(folder.as_fd())
            .map_err(|error| self.failing("cannot open", &shown)(error.into()))?;
        if stat.st_uid != own_user() || stat.st_mode & 0o077 != 0 {
            return Err(self.foreign(&shown, "it belongs to another user, or others can open it"));
        }
        Ok(Some(folder))
    }

    pub(super) fn foreign(&self, below: &str, problem: &str) -> FilesError {
        let path = self.path.join(RESTORE_FOLDER);
        let path = if below == RESTORE_FOLDER { path } else { path.join(below) };
        FilesError::Foreign { name: self.name.clone(), path, problem: problem.to_owned() }
    }

    /// Adds the operation and the path to a system error.
    pub(super) fn failing(
        &self,
        what: &'static str,
        below: &str,
    ) -> impl Fn(io::Error) -> FilesError + use<> {
        let (name, path): (String, PathBuf) = (self.name.clone(), self.path.join(below));
        move |source| FilesError::Failed { name: name.clone(), what, path: path.clone(), source }
    }
}

/// Replaces a small file of ours atomically and durably.
pub(super) fn write_durably(
    folder: &Root,
    name: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let new = Place::in_folder(folder, format!("{name}.new"));
    new.remove_file()?;
    let mut file = io::BufWriter::new(new.create_file()?);
    write(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    renameat(folder.as_fd(), &new.name, folder.as_fd(), name)?;
    sync(folder)
}

/// A small file of ours; `None` if it is missing.
pub(super) fn read_small(folder: &Root, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match Place::in_folder(folder, name).open_file() {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

pub(super) fn names(folder: &Root) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    folder.list(std::path::Path::new(""), |found| {
        names.push(found.name);
        Ok::<_, io::Error>(())
    })?;
    Ok(names)
}

/// An id becomes the name of a folder.
fn check_id(id: &str) -> Result<()> {
    let fits = !id.is_empty()
        && id.len() <= MOST_ID_BYTES
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(()) } else { Err(FilesError::Defect(format!("{id:?} is not the id of a restore"))) }
}
