//! The swap: each staged file changes places with the live one.
//!
//! It can be resumed wherever it ended. The slots show which actions were done, so none is done twice.

use std::collections::HashSet;
use std::io;

use strongroom_archive::manifest::TruePath;
use strongroom_tables::load::TableChanges;

use super::actions::{Action, Actions, Head};
use super::error::FilesError;
use super::facts::Facts;
use super::marker::{Marker, Note};
use super::moment;
use super::own::{Own, Restores};
use super::renames::{exchange, rename_new, settle};
use super::wanted::parent;
use super::{FilesTarget, Result};

/// How often a file may appear and disappear between a look and a rename.
const MOST_TRIES: usize = 100;

/// The result of a swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilesSwapped {
    /// As at staging, without examples.
    pub(crate) changes: TableChanges,
}

impl FilesTarget {
    /// Applies a kept stage. Everything that can be checked is checked before the first change; from the first rename
    /// on, [`Self::state_of`] returns [`Marker::Swapping`] until all renames are done and durable. For a restore that
    /// is already applied, it does nothing.
    ///
    /// # Errors
    /// [`FilesError::NotStaged`], [`FilesError::Locked`], and before the first rename [`FilesError::ChangedMeanwhile`];
    /// [`FilesError::InTheWay`] and errors of the file system also later. Then another call continues once the cause is
    /// removed, or [`Self::roll_back`] undoes it.
    pub(crate) fn swap(&self, id: &str) -> Result<FilesSwapped> {
        let not_staged = || FilesError::NotStaged { name: self.name.clone(), restore: id.to_owned() };
        let restores = self.restores()?.ok_or_else(not_staged)?;
        let _lock = restores.lock(self)?;
        let own = restores.of(self, id)?.ok_or_else(not_staged)?;
        let actions = self.read_actions(&own)?.ok_or_else(not_staged)?;
        let note = self.note(&own)?;
        if note.state != Marker::Applied {
            let order = self.begin(&restores, (&own, id), &actions, note)?;
            for action in &actions.all {
                self.perform(&own, action, actions.head.merges)?;
            }
            self.sync_touched(&own, &actions.all)?;
            moment::reached("files.swapped").map_err(self.failing("cannot swap in", ""))?;
            self.set_note(&own, Note { state: Marker::Applied, order })?;
            moment::reached("files.applied").map_err(self.failing("cannot swap in", ""))?;
        }
        Ok(FilesSwapped { changes: changes(&actions.head) })
    }

    /// Returns the restore's number in the order of swaps.
    fn begin(&self, restores: &Restores, own: (&Own, &str), actions: &Actions, note: Note) -> Result<u64> {
        let (own, id) = own;
        if note.state == Marker::Swapping {
            return if self.is_rolling_back(own)? {
                Err(FilesError::RollingBack { name: self.name.clone(), restore: id.to_owned() })
            } else {
                Ok(note.order)
            };
        }
        let taken: HashSet<&TruePath> = actions
            .all
            .iter()
            .filter_map(|action| if let Action::Take { path, .. } = action { Some(path) } else { None })
            .collect();
        for action in &actions.all {
            self.check(own, action, &taken)?;
        }
        let others = self.others(restores, id)?;
        let order = others.iter().map(|(_, note)| note.order).max().unwrap_or_default().saturating_add(1);
        moment::reached("files.begin").map_err(self.failing("cannot swap in", ""))?;
        self.set_note(own, Note { state: Marker::Swapping, order })?;
        moment::reached("files.begun").map_err(self.failing("cannot swap in", ""))?;
        Ok(order)
    }

    /// Checks, before the first rename, for anything that would stop a swap half-way or make it wrong.
    fn check(&self, own: &Own, action: &Action, taken: &HashSet<&TruePath>) -> Result<()> {
        let path = action.path();
        // Below a file that gives way, nothing exists yet.
        let place = if is_below(path, taken) { None } else { self.place(path)? };
        let failing = self.failing("cannot look at", &path.to_string_lossy());
        let live = place.map(|place| place.look()).transpose().map_err(&failing)?.flatten();
        match action {
            Action::Keep { facts, .. } if live.as_ref().is_none_or(|live| live.facts != *facts) => {
                let path = path.to_string_lossy().into_owned();
                Err(FilesError::ChangedMeanwhile { name: self.name.clone(), path })
            }
            Action::Put { slot, staged, over_folder, .. } => {
                let in_slot = own.slot(*slot).look().map_err(&failing)?;
                if in_slot.is_none_or(|found| found.facts != *staged) {
                    return Err(self.foreign(&slot.to_string(), "a staged file was changed"));
                }
                match live {
                    Some(live) if !(live.kind.is_file() || *over_folder && live.kind.is_dir()) => {
                        Err(self.in_the_way(path, live.named()))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn perform(&self, own: &Own, action: &Action, merges: bool) -> Result<()> {
        let failing = self.failing("cannot swap", &action.path().to_string_lossy());
        moment::reached("files.action").map_err(&failing)?;
        match action {
            Action::Keep { .. } => Ok(()),
            Action::Folder { path } => self.make_folders(own, path),
            Action::Take { slot, path } => self.take(own, *slot, path),
            Action::Put { slot, path, staged, over_folder } => {
                self.put(own, (*slot, path, staged), *over_folder, merges)
            }
        }
    }

    /// An entry that is no longer a file is left alone.
    fn take(&self, own: &Own, slot: u64, path: &TruePath) -> Result<()> {
        let Some(live) = self.place(path)? else { return Ok(()) };
        let slot = own.slot(slot);
        let take = || {
            settle(&slot, Some(&live))?;
            if slot.look()?.is_some() || live.look()?.is_none_or(|seen| !seen.kind.is_file()) {
                return Ok(());
            }
            match rename_new(&live, &slot) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                renamed => renamed,
            }
        };
        take().map_err(self.failing("cannot move away", &path.to_string_lossy()))
    }

    fn put(&self, own: &Own, what: (u64, &TruePath, &Facts), over_folder: bool, merges: bool) -> Result<()> {
        let (slot, path, staged) = what;
        let failing = self.failing("cannot swap", &path.to_string_lossy());
        let (live, slot) = (self.place_made(own, path)?, own.slot(slot));
        settle(&slot, Some(&live)).map_err(&failing)?;
        if slot.look().map_err(&failing)?.is_none_or(|found| found.facts.inode != staged.inode) {
            return Ok(());
        }
        for _ in 0..MOST_TRIES {
            let renamed = match live.look().map_err(&failing)? {
                None => rename_new(&slot, &live),
                // Created meanwhile: a merge keeps existing files.
                Some(_) if merges => return Ok(()),
                Some(found) if found.kind.is_file() || over_folder && found.kind.is_dir() => {
                    exchange(&slot, &live)
                }
                Some(found) => return Err(self.in_the_way(path, found.named())),
            };
            match renamed {
                Err(error) if is_moved(&error) => {}
                renamed => return renamed.map_err(failing),
            }
        }
        Err(self.in_the_way(path, "a process that keeps creating and removing it"))
    }
}

fn is_below(path: &TruePath, taken: &HashSet<&TruePath>) -> bool {
    let mut folders = std::iter::successors(parent(path.as_bytes()), |folder| parent(folder));
    folders.any(|folder| TruePath::new(folder.to_owned()).is_some_and(|folder| taken.contains(&folder)))
}

/// Whether an application has created or removed the file between the look and the rename.
pub(super) fn is_moved(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
}

fn changes(head: &Head) -> TableChanges {
    TableChanges {
        created: head.created,
        changed: head.changed,
        deleted: head.deleted,
        kept: head.kept,
        conflicts: head.conflicts,
        examples: Vec::new(),
    }
}
