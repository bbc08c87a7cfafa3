//! The actions of a rollback, one line of JSON each: durable before the first file is renamed back.
//!
//! They follow from the actions of the swap and the contents of the slots, which change during the rollback.

use std::io::{BufRead, BufReader, Read as _, Write};

use serde::{Deserialize, Serialize};
use strongroom_archive::manifest::TruePath;

use super::actions::{Action, Actions, MOST_ACTIONS, MOST_LINE_BYTES, write_line};
use super::facts::Facts;
use super::own::{Own, write_durably};
use super::place::Place;
use super::{FilesTarget, Result};

const FILE: &str = "undo";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Back {
    /// Moves the slot's entry, which has that inode, back to its path, and the entry there into the slot.
    Return { slot: u64, path: TruePath, inode: u64, expected: Expected },
    /// Moves a file that the restore created into its empty slot.
    Remove { slot: u64, path: TruePath, staged: Facts },
    /// Removes a folder that the restore created, if it is empty.
    RemoveFolder { path: TruePath },
}

/// The entry that a restore has left at a path.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Expected {
    Nothing,
    /// A folder that the restore created, and that is removed first.
    Folder,
    File(Facts),
}

impl Back {
    pub(super) fn path(&self) -> &TruePath {
        match self {
            Self::Return { path, .. } | Self::Remove { path, .. } | Self::RemoveFolder { path } => path,
        }
    }
}

impl FilesTarget {
    /// Whether a restore is being rolled back.
    pub(super) fn is_rolling_back(&self, own: &Own) -> Result<bool> {
        let found = Place::in_folder(&own.folder, FILE).look();
        Ok(found.map_err(self.failing("cannot look at a list in", ".strongroom"))?.is_some())
    }

    /// What a rollback does, from the last action to the first: the list of a rollback that has begun, or a new one.
    pub(super) fn backs(&self, own: &Own, actions: &Actions) -> Result<Vec<Back>> {
        if self.is_rolling_back(own)? {
            let file = Place::in_folder(&own.folder, FILE).open_file();
            let file = file.map_err(self.failing("cannot read a list in", ".strongroom"))?;
            return parse(BufReader::new(file)).map_err(|problem| self.foreign(FILE, &problem));
        }
        let folders: std::collections::HashSet<_> = actions
            .all
            .iter()
            .filter_map(|action| if let Action::Folder { path } = action { Some(path) } else { None })
            .collect();
        let mut backs = Vec::new();
        for action in actions.all.iter().rev() {
            let is_folder = folders.contains(action.path());
            let back = back(own, action, is_folder);
            backs.extend(back.map_err(self.failing("cannot look at a staged file in", ".strongroom"))?);
        }
        Ok(backs)
    }

    pub(super) fn write_backs(&self, own: &Own, backs: &[Back]) -> Result<()> {
        let write = |file: &mut dyn Write| backs.iter().try_for_each(|back| write_line(file, back));
        write_durably(&own.folder, FILE, write)
            .map_err(self.failing("cannot write a list into", ".strongroom"))
    }
}

/// `None` for an action that was not done.
fn back(own: &Own, action: &Action, is_folder: bool) -> std::io::Result<Option<Back>> {
    Ok(match action {
        Action::Keep { .. } => None,
        Action::Folder { path } => Some(Back::RemoveFolder { path: path.clone() }),
        Action::Take { slot, path } => own.slot(*slot).look()?.map(|found| Back::Return {
            slot: *slot,
            path: path.clone(),
            inode: found.facts.inode,
            expected: if is_folder { Expected::Folder } else { Expected::Nothing },
        }),
        Action::Put { slot, path, staged, .. } => match own.slot(*slot).look()? {
            Some(found) if found.facts.inode == staged.inode => None,
            Some(found) => Some(Back::Return {
                slot: *slot,
                path: path.clone(),
                inode: found.facts.inode,
                expected: Expected::File(staged.clone()),
            }),
            None => Some(Back::Remove { slot: *slot, path: path.clone(), staged: staged.clone() }),
        },
    })
}

fn parse(mut file: impl BufRead) -> Result<Vec<Back>, String> {
    let (mut backs, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let read = file.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line);
        if read.map_err(|error| error.to_string())? == 0 {
            return Ok(backs);
        }
        let back =
            serde_json::from_slice(&line).map_err(|error| format!("line {}: {error}", backs.len() + 1))?;
        backs.push(back);
        if backs.len() > MOST_ACTIONS {
            return Err(format!("it has more than {MOST_ACTIONS} lines"));
        }
    }
}
