//! Stages files of an archive in a set, beside the live ones.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Arc;

use rustix::fs::{Mode as Bits, Timespec, Timestamps, UTIME_OMIT, fchmod, futimens};
use strongroom_tables::load::Mode;

use super::actions::{Action, Actions, Head};
use super::compare::time_parts;
use super::content::copy;
use super::difference::{Difference, Fate};
use super::error::FilesError;
use super::facts::{Facts, Seen};
use super::moment;
use super::own::{Lock, Own, Restores};
use super::owner::Owner;
use super::place::{Place, sync};
use super::renames::can_exchange;
use super::wanted::{WantedFile, WantedFiles};
use super::{FilesTarget, Result};
use crate::error::Error;

/// Files being staged. When it is dropped, [`FilesTarget::discard`] can remove its data.
pub(crate) struct FilesStage {
    target: FilesTarget,
    wanted: Arc<WantedFiles>,
    difference: Difference,
    owner: Option<Owner>,
    restores: Restores,
    own: Own,
    /// Facts of the staged files.
    facts: Vec<Option<Facts>>,
    _lock: Lock,
}

impl FilesTarget {
    /// Begins to stage. The set is compared again: `fingerprint` is that of the planned inspection, and `id` the
    /// restore's id (a UUID's text). From here on, [`Self::state_of`] finds it.
    ///
    /// # Errors
    /// [`FilesError::Stale`], [`FilesError::Refused`], [`FilesError::Exists`], [`FilesError::Locked`],
    /// [`FilesError::NoExchange`], and errors of the file system.
    pub(crate) fn stage(
        self,
        wanted: &Arc<WantedFiles>,
        fingerprint: &str,
        id: &str,
    ) -> Result<FilesStage, Error> {
        if self.fingerprint()? != fingerprint {
            return Err(FilesError::Stale(self.name).into());
        }
        let (inspection, difference) = self.look(wanted)?;
        if !inspection.refusals.is_empty() {
            return Err(FilesError::Refused { name: self.name, refusals: inspection.refusals }.into());
        }
        let owner = self.owner()?;
        let (restores, lock) = self.lock_new()?;
        restores.sweep().map_err(self.failing("cannot remove an old restore from", ".strongroom"))?;
        moment::reached("files.staging").map_err(self.failing("cannot stage into", ""))?;
        let own = restores.create(&self, id)?;
        let (one, other) =
            (Place::in_folder(&own.slots, "one.probe"), Place::in_folder(&own.slots, "other.probe"));
        if !can_exchange(&one, &other).map_err(self.failing("cannot exchange files in", ".strongroom"))? {
            return Err(FilesError::NoExchange { name: self.name }.into());
        }
        let facts = vec![None; wanted.files.len()];
        let wanted = Arc::clone(wanted);
        Ok(FilesStage { target: self, wanted, difference, owner, restores, own, facts, _lock: lock })
    }

    /// The process that ends the last restore removes the folder, which may happen between creating and locking it.
    fn lock_new(&self) -> Result<(Restores, Lock)> {
        loop {
            let restores = self.make_restores()?;
            match restores.lock(self) {
                Err(FilesError::Failed { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                locked => return Ok((restores, locked?)),
            }
        }
    }
}

impl FilesStage {
    /// Whether [`Self::add`] needs the file at `index`: files that already exist are not staged.
    pub(crate) fn needs(&self, index: usize) -> bool {
        self.difference.is_staged(index)
    }

    /// Stages the file at `index`.
    ///
    /// # Errors
    /// [`FilesError::Content`] if its length or SHA-256 differs from the manifest, and errors of reading or of the file
    /// system.
    pub(crate) fn add(&mut self, index: usize, from: &mut dyn Read) -> Result<()> {
        let wanted =
            self.wanted.files.get(index).filter(|_| self.needs(index) && self.facts[index].is_none());
        let wanted =
            wanted.ok_or_else(|| FilesError::Defect(format!("the file {index} is not to be staged")))?;
        let failing = self.target.failing("cannot stage", &wanted.path.to_string_lossy());
        moment::reached("files.add").map_err(&failing)?;
        let mut file = self.own.slot(index as u64).create_file().map_err(&failing)?;
        let (bytes, digest) = copy(from, &mut file, wanted.bytes).map_err(&failing)?;
        check_content(wanted, bytes, &digest)?;
        let facts = self.settle(wanted, &file).map_err(&failing)?;
        moment::reached("files.added").map_err(&failing)?;
        self.facts[index] = Some(facts);
        Ok(())
    }

    /// The owner is set first, because changing it clears bits of the mode.
    fn settle(&self, wanted: &WantedFile, file: &std::fs::File) -> io::Result<Facts> {
        if let Some(owner) = self.owner {
            owner.give(file)?;
        }
        fchmod(file, Bits::from_raw_mode(wanted.restored_mode()))?;
        if let Some(time) = wanted.modified_at {
            let (tv_sec, tv_nsec) = time_parts(time);
            let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
            let modified = Timespec { tv_sec, tv_nsec };
            futimens(file, &Timestamps { last_access: omit, last_modification: modified })?;
        }
        file.sync_all()?;
        Ok(Seen::of(&rustix::fs::fstat(file)?).facts)
    }

    /// Makes the stage survive a crash, ready for [`FilesTarget::swap`].
    ///
    /// # Errors
    /// [`FilesError::Defect`] if a file was not added, and errors of the file system.
    pub(crate) fn keep(self) -> Result<()> {
        let actions = self.actions()?;
        let failing = self.target.failing("cannot keep the stage in", ".strongroom");
        moment::reached("files.keep").map_err(&failing)?;
        sync(&self.own.slots).map_err(&failing)?;
        self.target.write_actions(&self.own, &actions)?;
        moment::reached("files.listed").map_err(&failing)?;
        sync(&self.restores.folder).and_then(|()| sync(&self.target.root)).map_err(&failing)?;
        moment::reached("files.kept").map_err(&failing)
    }

    /// Order: files that give way to folders, then folders, then files, and the other removals last.
    fn actions(&self) -> Result<Actions> {
        let Difference { fates, removed, folders, displaced, changes, .. } = &self.difference;
        let displaced: HashSet<_> = displaced.iter().collect();
        let mut all = Vec::with_capacity(fates.len() + removed.len() + folders.len());
        let mut last = Vec::new();
        for (slot, removed) in (fates.len() as u64..).zip(removed) {
            let action = Action::Take { slot, path: removed.path.clone() };
            if removed.is_in_the_way { all.push(action) } else { last.push(action) }
        }
        all.extend(folders.iter().map(|path| Action::Folder { path: path.clone() }));
        for (at, (file, fate)) in self.wanted.files.iter().zip(fates).enumerate() {
            let path = file.path.clone();
            match fate {
                Fate::Create | Fate::Change => {
                    let staged = self.facts[at].clone();
                    let staged =
                        staged.ok_or_else(|| FilesError::Defect(format!("{path:?} was not staged")))?;
                    let over_folder = displaced.contains(&path);
                    all.push(Action::Put { slot: at as u64, path, staged, over_folder });
                }
                Fate::Keep(facts) if self.wanted.mode == Mode::Replace => {
                    all.push(Action::Keep { path, facts: facts.clone() });
                }
                Fate::Keep(_) | Fate::Conflict => {}
            }
        }
        all.append(&mut last);
        let head = Head {
            merges: self.wanted.mode == Mode::Merge,
            created: changes.created,
            changed: changes.changed,
            deleted: changes.deleted,
            kept: changes.kept,
            conflicts: changes.conflicts,
        };
        Ok(Actions { head, all })
    }
}

fn check_content(wanted: &WantedFile, bytes: u64, digest: &str) -> Result<()> {
    let problem = if bytes != wanted.bytes {
        format!("it does not have {} bytes", wanted.bytes)
    } else if digest != wanted.sha256 {
        "its SHA-256 is different".to_owned()
    } else {
        return Ok(());
    };
    Err(FilesError::Content { path: wanted.path.to_string_lossy().into_owned(), problem })
}
