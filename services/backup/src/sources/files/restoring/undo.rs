//! Rolls a restore back: each displaced file changes places with the restored one again.
//!
//! Without `discard_changes`, nothing that has changed since the restore is touched: neither a restored file whose
//! inode, size, time or mode differs from that of the staged file, nor an entry at a path that should be free.

use std::io;

use strongroom_archive::manifest::TruePath;
use strongroom_tables::load::TableChanges;

use super::actions::{Action, Actions};
use super::error::FilesError;
use super::marker::{Marker, Note};
use super::moment;
use super::own::{Own, Restores};
use super::renames::{exchange, rename_new, settle};
use super::swap::is_moved;
use super::unchanged::is_expected;
use super::undo_list::{Back, Expected};
use super::{FilesTarget, Result};

const MOST_TRIES: usize = 100;

/// The result of a rollback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FilesRolledBack {
    /// `created` counts files that came back.
    pub(crate) changes: TableChanges,
}

impl FilesTarget {
    /// Rolls back a restore that was applied, or half applied, and discards it. A call that a crash interrupted can be
    /// repeated. `discard_changes` also undoes later changes.
    ///
    /// # Errors
    /// [`FilesError::NotApplied`], [`FilesError::Superseded`] by a newer restore of the set,
    /// [`FilesError::ChangedSince`], [`FilesError::Locked`], [`FilesError::InTheWay`], and errors of the file system.
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

    /// Fails if [`Self::roll_back`] would, and changes nothing.
    ///
    /// # Errors
    /// As for [`Self::roll_back`].
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

    /// Completes actions that a crash left half done, so that the slots show which actions were done.
    fn settle_all(&self, own: &Own, actions: &Actions) -> Result<()> {
        for action in &actions.all {
            if let Action::Put { slot, path, .. } | Action::Take { slot, path } = action {
                // Below a file that was put back, nothing exists any more.
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

    fn take_back(&self, own: &Own, back: &Back, discards: bool) -> Result<()> {
        let failing = self.failing("cannot roll back", &back.path().to_string_lossy());
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

    /// It stays if others have files in it.
    fn remove_folder(&self, path: &TruePath) -> Result<()> {
        use io::ErrorKind::{DirectoryNotEmpty, NotADirectory};

        let place = match self.place(path) {
            // The file that it had displaced is already back.
            Ok(None) | Err(FilesError::InTheWay { .. }) => return Ok(()),
            Ok(Some(place)) => place,
            Err(error) => return Err(error),
        };
        match place.remove_folder() {
            Err(error) if matches!(error.kind(), DirectoryNotEmpty | NotADirectory) => Ok(()),
            removed => removed.map_err(self.failing("cannot roll back", &path.to_string_lossy())),
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
        let failing = self.failing("cannot roll back", &path.to_string_lossy());
        let (live, slot) = (self.place_made(own, path)?, own.slot(slot));
        for _ in 0..MOST_TRIES {
            let found = live.look().map_err(&failing)?;
            // It was as expected a moment ago, but an application may be faster.
            if !discards && !is_expected(found.as_ref(), expected) {
                return self.refuse_changed(&[path]);
            }
            let renamed = if found.is_none() { rename_new(&slot, &live) } else { exchange(&slot, &live) };
            match renamed {
                Err(error) if is_moved(&error) => {}
                renamed => return renamed.map_err(failing),
            }
        }
        Err(self.in_the_way(path, "a process that keeps creating and removing it"))
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
