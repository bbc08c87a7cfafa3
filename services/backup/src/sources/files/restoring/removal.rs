//! Removes a restore's folder, also one whose removal an earlier call has only begun.

use std::ffi::OsStr;
use std::io;

use rustix::fs::{Mode, fchmod, renameat};
use rustix::io::Errno;

use super::moment;
use super::own::{GONE, LOCK, Lock, Restores, names};
use super::place::{Place, sync};
use super::{FilesTarget, Result};
use crate::sources::files::RESTORE_FOLDER;
use crate::sources::files::root::is_elsewhere;

impl Restores {
    /// Removes a restore's data here, and with the last restore the folder of all. The first step makes the restore
    /// unknown; after a crash later on, the next call removes the remaining files.
    pub(super) fn remove(self, target: &FilesTarget, id: &str, lock: Lock) -> Result<()> {
        let gone = format!("{GONE}{id}");
        let failing = |error: io::Error| target.failing("cannot remove", RESTORE_FOLDER)(error);
        moment::reached("files.discarding").map_err(failing)?;
        match renameat(self.folder.as_fd(), id, self.folder.as_fd(), &gone) {
            Ok(()) | Err(Errno::NOENT) => {}
            // An earlier call was interrupted.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                self.empty(OsStr::new(&gone)).map_err(failing)?;
                renameat(self.folder.as_fd(), id, self.folder.as_fd(), &gone)
                    .map_err(|error| failing(error.into()))?;
            }
            Err(error) => return Err(failing(error.into())),
        }
        sync(&self.folder).map_err(failing)?;
        moment::reached("files.discarded").map_err(failing)?;
        self.sweep().map_err(failing)?;
        let others = names(&self.folder).map_err(failing)?;
        if others.iter().all(|name| name == LOCK) {
            Place::in_folder(&self.folder, LOCK).remove_file().map_err(failing)?;
            let place = Place::in_folder(&target.root, RESTORE_FOLDER);
            match place.remove_folder() {
                Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => return Err(failing(error)),
                _ => sync(&target.root).map_err(failing)?,
            }
        }
        drop(lock);
        Ok(())
    }

    /// Removes the remains of discarded restores.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for name in names(&self.folder)? {
            if name.as_encoded_bytes().starts_with(GONE.as_bytes()) {
                self.empty(&name)?;
            }
        }
        Ok(())
    }

    /// Removes a folder with its contents. Folders in it are first moved to its top: however deep they are, only two
    /// are open at a time.
    fn empty(&self, name: &OsStr) -> io::Result<()> {
        let place = Place::in_folder(&self.folder, name);
        let top = match place.open_folder() {
            Ok(top) => top,
            Err(error) if is_elsewhere(&error) => return place.remove_file(),
            Err(error) => return Err(error),
        };
        let mut moved = 0_u64;
        loop {
            let inside = names(&top)?;
            if inside.is_empty() {
                return place.remove_folder();
            }
            for name in inside {
                let place = Place::in_folder(&top, name);
                if place.look()?.is_none_or(|seen| !seen.kind.is_dir()) {
                    place.remove_file()?;
                    continue;
                }
                let folder = place.open_folder()?;
                // A displaced folder keeps its mode, which may deny changes even to its owner.
                let _ = fchmod(folder.as_fd(), Mode::RWXU);
                for name in names(&folder)? {
                    let inner = Place::in_folder(&folder, &name);
                    if inner.look()?.is_some_and(|seen| seen.kind.is_dir()) {
                        moved += 1;
                        let aside = format!("{GONE}{moved}");
                        renameat(folder.as_fd(), &name, top.as_fd(), aside)?;
                    } else {
                        inner.remove_file()?;
                    }
                }
                place.remove_folder()?;
            }
        }
    }
}
