//! Parent folders of restored files: opened without following links, created if missing, and made durable.

use std::collections::BTreeSet;
use std::io;

use rustix::fs::{Mode, fchmod, fstat};
use strongroom_archive::manifest::TruePath;

use super::actions::Action;
use super::error::FilesError;
use super::moment;
use super::own::Own;
use super::place::{Place, as_path, sync};
use super::renames::rename_new;
use super::wanted::parent;
use super::{FilesTarget, Result};
use crate::sources::files::root::is_elsewhere;

/// A new folder's name until it is finished.
const NEW: &str = "folder";
/// The mode bits that a new folder takes over from its parent, whose mode decides who may see names there: for its
/// group, if both have the same group, and for others, who never get write permission.
const OF_GROUP: Mode = Mode::RWXG.union(Mode::SGID);
const OF_OTHERS: Mode = Mode::RGRP.union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);

impl FilesTarget {
    /// `None` if a folder of the path is missing.
    ///
    /// # Errors
    /// [`FilesError::InTheWay`] if another object is in the place of a folder.
    pub(super) fn place(&self, path: &TruePath) -> Result<Option<Place<'static>>> {
        Place::of(&self.root, path).map_err(|error| {
            if is_elsewhere(&error) {
                self.in_the_way(path, "a link, a file or another file system in the place of a folder")
            } else {
                self.failing("cannot open the folder of", &path.to_string_lossy())(error)
            }
        })
    }

    /// Like [`Self::place`], but creates missing folders.
    pub(super) fn place_made(&self, own: &Own, path: &TruePath) -> Result<Place<'static>> {
        if let Some(place) = self.place(path)? {
            return Ok(place);
        }
        if let Some(above) = parent(path.as_bytes()).and_then(|above| TruePath::new(above.to_owned())) {
            self.make_folders(own, &above)?;
        }
        self.place(path)?.ok_or_else(|| self.in_the_way(path, "a process that removes its folder"))
    }

    /// Creates a folder and its parents, unless they exist.
    pub(super) fn make_folders(&self, own: &Own, path: &TruePath) -> Result<()> {
        let bytes = path.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([bytes.len()]) {
            let Some(folder) = TruePath::new(bytes[..end].to_owned()) else { continue };
            let Some(place) = self.place(&folder)? else {
                return Err(self.in_the_way(&folder, "a process that removes its folder"));
            };
            let failing = self.failing("cannot create the folder", &folder.to_string_lossy());
            match place.look().map_err(&failing)? {
                Some(seen) if seen.kind.is_dir() => {}
                Some(seen) => return Err(self.in_the_way(&folder, seen.named())),
                None => self.make_folder(own, &place, failing)?,
            }
        }
        Ok(())
    }

    /// Archives do not contain modes of folders. A new folder appears with its parent's mode and with its owner, so
    /// that a crash leaves none without.
    fn make_folder(
        &self,
        own: &Own,
        place: &Place<'_>,
        failing: impl Fn(io::Error) -> FilesError,
    ) -> Result<()> {
        let owner = self.owner()?;
        let make = || {
            let new = Place::in_folder(&own.folder, NEW);
            new.remove_folder()?;
            new.create_folder()?;
            let folder = new.open_folder()?;
            if let Some(owner) = owner {
                owner.give(folder.as_fd())?;
            }
            let (above, own) = (fstat(place.folder.root().as_fd())?, fstat(folder.as_fd())?);
            let shared = if above.st_gid == own.st_gid { OF_GROUP.union(OF_OTHERS) } else { OF_OTHERS };
            let bits = Mode::from_raw_mode(above.st_mode).intersection(shared);
            fchmod(folder.as_fd(), bits.union(Mode::RWXU))?;
            sync(&folder)?;
            match rename_new(&new, place) {
                // An application has created it first.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                renamed => renamed?,
            }
            sync(place.folder.root())
        };
        make().map_err(failing)
    }

    pub(super) fn in_the_way(&self, path: &TruePath, found: &'static str) -> FilesError {
        FilesError::InTheWay { name: self.name.clone(), path: path.to_string_lossy().into_owned(), found }
    }

    /// Makes all renames durable: those in the set, and those in the restore's own folder.
    pub(super) fn sync_touched(&self, own: &Own, actions: &[Action]) -> Result<()> {
        let failing =
            |folder: &[u8]| self.failing("cannot write out the folder", &String::from_utf8_lossy(folder));
        moment::reached("files.sync").map_err(failing(b""))?;
        let touched = actions.iter().filter(|action| !matches!(action, Action::Keep { .. }));
        let folders: BTreeSet<&[u8]> =
            touched.map(|action| parent(action.path().as_bytes()).unwrap_or_default()).collect();
        for folder in folders {
            match self.root.open_folder(as_path(folder)) {
                Ok(open) => sync(&open).map_err(failing(folder))?,
                // Removed, or moved away, together with its contents.
                Err(error) if error.kind() == io::ErrorKind::NotFound || is_elsewhere(&error) => {}
                Err(error) => return Err(failing(folder)(error)),
            }
        }
        sync(&own.slots).map_err(failing(b".strongroom"))
    }
}
