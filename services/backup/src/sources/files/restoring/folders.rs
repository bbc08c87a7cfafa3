//! Parent folders of restored files: opened without following links, created if missing, and made durable.

use std::collections::BTreeSet;
use std::io;

use rustix::fs::{Mode, RawMode, fchmod, fstat};
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
/// Bits of the parent's group. A new folder gets them if it has the same group.
const OF_GROUP: Mode = Mode::RWXG.union(Mode::SGID);
/// Bits of the parent's others. A new folder gets them without write permission.
const OF_OTHERS: Mode = Mode::ROTH.union(Mode::XOTH);

/// The mode of a new folder in a folder of mode `above`. The members of another group are others to the parent, so
/// they get what others get.
fn mode(above: RawMode, has_same_group: bool) -> Mode {
    let above = Mode::from_raw_mode(above);
    let others = above.intersection(OF_OTHERS);
    let group = match has_same_group {
        true => above.intersection(OF_GROUP),
        false => Mode::from_raw_mode(others.as_raw_mode() << 3),
    };
    Mode::RWXU.union(group).union(others)
}

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

    /// Archives do not contain modes of folders. A new folder gets its mode and its owner before it gets its name, so
    /// that no crash leaves a folder without them.
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
            fchmod(folder.as_fd(), mode(above.st_mode, above.st_gid == own.st_gid))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_permits_nobody_more_than_its_parent() {
        for (above, has_same_group, expected) in [
            (0o755, true, 0o755),
            (0o755, false, 0o755),
            (0o2770, true, 0o2770),
            (0o2770, false, 0o700),
            (0o751, false, 0o711),
            (0o1777, true, 0o775),
            (0o777, false, 0o755),
            (0o500, true, 0o700),
        ] {
            let found = mode(above, has_same_group).as_raw_mode();
            assert_eq!(found, expected, "{above:o} {has_same_group}: {found:o}");
        }
    }
}
