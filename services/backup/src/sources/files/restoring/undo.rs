//! Taking a restore back: each displaced file changes places with the restored one again.
//!
//! A restored file that was changed since is not touched without being told to: another inode, size, time or mode than when it
//! was staged, or something at a path that was to be empty.

use std::collections::HashSet;
use std::io;

use strongroom_archive::manifest::TruePath;
use strongroom_tables::load::TableChanges;

use super::actions::{Action, Actions};
use super::error::FilesError;
use super::facts::Seen;
use super::marker::{Marker, Note};
use super::moment;
use super::own::{Own, Restores};
use super::place::as_path;
use super::renames::{exchange, is_unsettled, rename_new, settle};
use super::swap::is_moved;
use super::undo_list::{Back, Expected};
use super::{FilesTarget, Result};

/// Paths that an error names.
const MOST_NAMED: usize = 3;
const MOST_TRIES: usize = 100;

/// What rolling back has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FilesRolledBack {
    /// `created` are files that came back.
    pub(crate) changes: TableChanges,
}

impl FilesTarget {
    /// Takes a restore back that was applied, or half applied, and discards it. A call that a crash ended is made again.
    /// `discard_changes` also takes back what was changed since.
    ///
    /// # Errors
    /// [`FilesError::NotApplied`], [`FilesError::Superseded`] by a newer restore of the set, [`FilesError::ChangedSince`],
    /// [`FilesError::Locked`], [`FilesError::InTheWay`], and what the file system says.
    pub(crate) fn roll_back(&self, id: &str, discard_changes: bool) -> Result<FilesRolledBack> {
        let restores = self.restores()?.ok_or_else(|| self.not_applied(id))?;
        let lock = restores.lock(self)?;
        let own = restores.of(self, id)?.ok_or_else(|| self.not_applied(id))?;
        let (actions, note) = self.applied(&restores, &own, id)?;
        self.settle_all(&own, &actions)?;
        let backs = self.backs(&own, &actions)?;
        self.check_unchanged(&own, &actions, &backs, discard_changes)?;
        let failing = self.failing("cannot roll back in", "");
        moment::reached("files.back").map_err(&failing)?;
        self.write_backs(&own, &backs)?;
        moment::reached("files.back-listed").map_err(&failing)?;
        self.set_note(&own, Note { state: Marker::Swapping, ..note })?;
        for back in &backs {
            moment::reached("files.back-action").map_err(&failing)?;
            self.take_back(&own, back, discard_changes)?;
        }
        self.sync_touched(&own, &actions.all)?;
        moment::reached("files.backed").map_err(&failing)?;
        restores.remove(self, id, lock)?;
        Ok(FilesRolledBack { changes: changes(&backs) })
    }

    /// Fails as [`Self::roll_back`] would, and changes nothing.
    ///
    /// # Errors
    /// As [`Self::roll_back`].
    pub(crate) fn check_roll_back(&self, id: &str, discard_changes: bool) -> Result<()> {
        let restores = self.restores()?.ok_or_else(|| self.not_applied(id))?;
        let own = restores.of(self, id)?.ok_or_else(|| self.not_applied(id))?;
        let (actions, _) = self.applied(&restores, &own, id)?;
        let backs = self.backs(&own, &actions)?;
        self.check_unchanged(&own, &actions, &backs, discard_changes)
    }

    fn not_applied(&self, id: &str) -> FilesError {
        FilesError::NotApplied { name: self.name.clone(), restore: id.to_owned() }
    }

    fn applied(&self, restores: &Restores, own: &Own, id: &str) -> Result<(Actions, Note)> {
        let note = self.note(own)?;
        if note.state == Marker::Staged {
            return Err(self.not_applied(id));
        }
        let others = self.others(restores, id)?;
        if let Some((newer, _)) = others.into_iter().find(|(_, other)| other.order > note.order) {
            return Err(FilesError::Superseded { name: self.name.clone(), newer });
        }
        let actions =
            self.read_actions(own)?.ok_or_else(|| self.foreign(id, "its list of actions is gone"))?;
        Ok((actions, note))
    }

    /// Ends what a crash left in between, so that the slots say what was done.
    fn settle_all(&self, own: &Own, actions: &Actions) -> Result<()> {
        for action in &actions.all {
            if let Action::Put { slot, path, .. } | Action::Take { slot, path } = action {
                // Below a file that has come back there is nothing any more.
                let live = match self.place(path) {
                    Err(FilesError::InTheWay { .. }) => None,
                    live => live?,
                };
                let settled = settle(&own.slot(*slot), live.as_ref());
                settled.map_err(self.failing("cannot roll back", &path.to_string_lossy()))?;
            }
        }
        Ok(())
    }

    fn check_unchanged(&self, own: &Own, actions: &Actions, backs: &[Back], discards: bool) -> Result<()> {
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

    fn refuse_changed(&self, changed: &[&TruePath]) -> Result<()> {
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

    /// Whether it is still to be done, and a crash has not ended it half-way.
    fn is_pending(&self, own: &Own, back: &Back) -> Result<bool> {
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

    /// Whether nobody has changed what the restore left.
    fn is_as_left(&self, back: &Back, known: &HashSet<&TruePath>) -> Result<bool> {
        let (path, expected) = match back {
            Back::RemoveFolder { .. } => return Ok(true),
            Back::Remove { path, staged, .. } => (path, &Expected::File(staged.clone())),
            Back::Return { path, expected, .. } => (path, expected),
        };
        // A folder that somebody removed is a change too.
        let Some(place) = self.place(path)? else { return Ok(false) };
        let live = place.look().map_err(self.failing("cannot look at", &path.to_string_lossy()))?;
        match (expected, live) {
            // A crash left it under both names.
            (_, Some(live)) if is_in_slot(back, &live) => Ok(true),
            (Expected::Folder, Some(live)) if live.kind.is_dir() => self.holds_only(path, known),
            (expected, live) => Ok(is_expected(live.as_ref(), expected)),
        }
    }

    /// Whether a folder has nothing but what the restore brought.
    fn holds_only(&self, path: &TruePath, known: &HashSet<&TruePath>) -> Result<bool> {
        use std::os::unix::ffi::OsStrExt as _;

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

    fn take_back(&self, own: &Own, back: &Back, discards: bool) -> Result<()> {
        let failing = self.failing("cannot take back", &back.path().to_string_lossy());
        if !self.is_pending(own, back)? {
            return Ok(());
        }
        match back {
            Back::RemoveFolder { path } => self.remove_folder(path),
            Back::Remove { slot, path, staged } => {
                let Some(live) = self.place(path)? else { return Ok(()) };
                let slot = own.slot(*slot);
                match live.look().map_err(&failing)? {
                    None => Ok(()),
                    Some(found) if discards || found.facts == *staged => {
                        rename_new(&live, &slot).map_err(failing)
                    }
                    Some(_) => self.refuse_changed(&[path]),
                }
            }
            Back::Return { slot, path, expected, .. } => self.put_back(own, *slot, path, expected, discards),
        }
    }

    /// It stays where others have files in it.
    fn remove_folder(&self, path: &TruePath) -> Result<()> {
        use io::ErrorKind::{DirectoryNotEmpty, NotADirectory};

        let place = match self.place(path) {
            // The file that it had displaced is back already.
            Ok(None) | Err(FilesError::InTheWay { .. }) => return Ok(()),
            Ok(Some(place)) => place,
            Err(error) => return Err(error),
        };
        match place.remove_folder() {
            Err(error) if matches!(error.kind(), DirectoryNotEmpty | NotADirectory) => Ok(()),
            removed => removed.map_err(self.failing("cannot take back", &path.to_string_lossy())),
        }
    }

    fn put_back(
        &self,
        own: &Own,
        slot: u64,
        path: &TruePath,
        expected: &Expected,
        discards: bool,
    ) -> Result<()> {
        let failing = self.failing("cannot take back", &path.to_string_lossy());
        let (live, slot) = (self.place_made(own, path)?, own.slot(slot));
        for _ in 0..MOST_TRIES {
            let found = live.look().map_err(&failing)?;
            // A moment ago it was; an application may be faster.
            if !discards && !is_expected(found.as_ref(), expected) {
                return self.refuse_changed(&[path]);
            }
            let renamed = if found.is_none() { rename_new(&slot, &live) } else { exchange(&slot, &live) };
            match renamed {
                Err(error) if is_moved(&error) => {}
                renamed => return renamed.map_err(failing),
            }
        }
        Err(self.in_the_way(path, "somebody who creates and removes it all the time"))
    }
}

fn is_in_slot(back: &Back, live: &Seen) -> bool {
    matches!(back, Back::Return { inode, .. } if *inode == live.facts.inode)
}

/// By now a folder of the restore's is gone.
fn is_expected(live: Option<&Seen>, expected: &Expected) -> bool {
    match expected {
        Expected::Nothing | Expected::Folder => live.is_none(),
        Expected::File(staged) => live.is_some_and(|live| live.facts == *staged),
    }
}

fn changes(backs: &[Back]) -> TableChanges {
    let mut changes = TableChanges::default();
    for back in backs {
        match back {
            Back::Return { expected: Expected::File(_), .. } => changes.changed += 1,
            Back::Return { .. } => changes.created += 1,
            Back::Remove { .. } => changes.deleted += 1,
            Back::RemoveFolder { .. } => {}
        }
    }
    changes
}
