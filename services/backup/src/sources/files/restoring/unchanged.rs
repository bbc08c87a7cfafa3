//! Checks whether the result of a restore has been changed since.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use strongroom_archive::manifest::TruePath;

use super::actions::{Action, Actions};
use super::error::FilesError;
use super::facts::Seen;
use super::own::Own;
use super::place::as_path;
use super::renames::is_unsettled;
use super::undo_list::{Back, Expected};
use super::{FilesTarget, Result};

/// Maximum number of paths that an error names.
const MOST_NAMED: usize = 3;

impl FilesTarget {
    pub(super) fn check_unchanged(
        &self,
        own: &Own,
        actions: &Actions,
        backs: &[Back],
        discards: bool,
    ) -> Result<()> {
        if discards {
            return Ok(());
        }
        let known: HashSet<&TruePath> = actions.all.iter().map(Action::path).collect();
        let mut changed = Vec::new();
        for back in backs {
            if self.is_pending(own, back)? && !self.is_as_left(back, &known)? {
                changed.push(back.path());
            }
        }
        self.refuse_changed(&changed)
    }

    pub(super) fn refuse_changed(&self, changed: &[&TruePath]) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        let paths = changed.iter().take(MOST_NAMED).map(|path| format!("{:?}", path.to_string_lossy()));
        Err(FilesError::ChangedSince {
            name: self.name.clone(),
            paths: paths.collect(),
            count: changed.len(),
        })
    }

    /// Whether it is still to be done, and was not half done at a crash.
    pub(super) fn is_pending(&self, own: &Own, back: &Back) -> Result<bool> {
        let failing = self.failing("cannot look at a displaced file in", ".strongroom");
        let is_pending = || {
            Ok(match back {
                Back::RemoveFolder { .. } => true,
                Back::Return { slot, inode, .. } => {
                    let slot = own.slot(*slot);
                    slot.look()?.is_some_and(|found| found.facts.inode == *inode) && !is_unsettled(&slot)?
                }
                Back::Remove { slot, .. } => {
                    let slot = own.slot(*slot);
                    slot.look()?.is_none() && !is_unsettled(&slot)?
                }
            })
        };
        is_pending().map_err(failing)
    }

    /// Whether the result of the restore is unchanged.
    fn is_as_left(&self, back: &Back, known: &HashSet<&TruePath>) -> Result<bool> {
        let (path, expected) = match back {
            Back::RemoveFolder { .. } => return Ok(true),
            Back::Remove { path, staged, .. } => (path, &Expected::File(staged.clone())),
            Back::Return { path, expected, .. } => (path, expected),
        };
        // A removed folder is a change too.
        let Some(place) = self.place(path)? else { return Ok(false) };
        let live = place.look().map_err(self.failing("cannot look at", &path.to_string_lossy()))?;
        match (expected, live) {
            // A crash left it under both names.
            (_, Some(live)) if is_in_slot(back, &live) => Ok(true),
            (Expected::Folder, Some(live)) if live.kind.is_dir() => self.holds_only(path, known),
            (expected, live) => Ok(is_expected(live.as_ref(), expected)),
        }
    }

    /// Whether a folder contains only restored entries.
    fn holds_only(&self, path: &TruePath, known: &HashSet<&TruePath>) -> Result<bool> {
        let mut folders = vec![as_path(path.as_bytes()).to_owned()];
        let mut holds = true;
        while let Some(folder) = folders.pop().filter(|_| holds) {
            let listed = self.root.list(&folder, |found| {
                let path = folder.join(&found.name);
                let is_known = TruePath::new(path.as_os_str().as_bytes().to_vec())
                    .is_some_and(|path| known.contains(&path));
                holds &= is_known;
                if found.kind.is_dir() && is_known {
                    folders.push(path);
                }
                Ok::<_, io::Error>(())
            });
            listed.map_err(self.failing("cannot list", &folder.to_string_lossy()))?;
        }
        Ok(holds)
    }
}

fn is_in_slot(back: &Back, live: &Seen) -> bool {
    matches!(back, Back::Return { inode, .. } if *inode == live.facts.inode)
}

/// Whether a name has what the restore left there. A folder that the restore created must be removed by now.
pub(super) fn is_expected(live: Option<&Seen>, expected: &Expected) -> bool {
    match expected {
        Expected::Nothing | Expected::Folder => live.is_none(),
        Expected::File(staged) => live.is_some_and(|live| live.facts == *staged),
    }
}
