//! The actions of a swap, one line of JSON each: durable before the first file is renamed.
//!
//! Inode numbers show whether an action was done. The staged file's number is recorded; while that file is in the slot,
//! it has not been swapped. The displaced file, which the slot holds after the swap, cannot have the same number: both
//! files existed at the same time, and a file keeps its number while it exists.

use std::io::{self, BufRead, BufReader, Read as _, Write};

use serde::{Deserialize, Serialize};
use strongroom_archive::manifest::TruePath;

use super::facts::Facts;
use super::own::{Own, write_durably};
use super::place::Place;
use super::{FilesTarget, MOST, Result};

const FILE: &str = "actions";
/// A path has at most 4,095 bytes, and JSON takes up to six bytes for one.
pub(super) const MOST_LINE_BYTES: u64 = 32 << 10;
/// For files that are added, removed or kept, and new folders.
pub(super) const MOST_ACTIONS: usize = 4 * MOST;

/// All actions of a restore, in the order of execution.
#[derive(Debug, Default)]
pub(super) struct Actions {
    pub(super) head: Head,
    pub(super) all: Vec<Action>,
}

/// The first line.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// Whether a file that an application has created meanwhile stays.
    pub(super) merges: bool,
    pub(super) created: u64,
    pub(super) changed: u64,
    pub(super) deleted: u64,
    pub(super) kept: u64,
    pub(super) conflicts: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Action {
    /// Moves a live file into its slot.
    Take { slot: u64, path: TruePath },
    /// Creates a folder.
    Folder { path: TruePath },
    /// Moves the slot's file to the path. In exchange, a file at the path moves into the slot; with `over_folder`, a
    /// folder does so too.
    Put { slot: u64, path: TruePath, staged: Facts, over_folder: bool },
    /// The file is already as wanted, and must not have changed when the swap begins.
    Keep { path: TruePath, facts: Facts },
}

impl Action {
    pub(super) fn path(&self) -> &TruePath {
        match self {
            Self::Take { path, .. }
            | Self::Folder { path }
            | Self::Put { path, .. }
            | Self::Keep { path, .. } => path,
        }
    }
}

impl FilesTarget {
    pub(super) fn write_actions(&self, own: &Own, actions: &Actions) -> Result<()> {
        let write = |file: &mut dyn Write| {
            write_line(file, &actions.head)?;
            actions.all.iter().try_for_each(|action| write_line(file, action))
        };
        write_durably(&own.folder, FILE, write)
            .map_err(self.failing("cannot write a list into", ".strongroom"))
    }

    /// `None` if the stage was not completed.
    pub(super) fn read_actions(&self, own: &Own) -> Result<Option<Actions>> {
        let file = match Place::in_folder(&own.folder, FILE).open_file() {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failing("cannot read a list in", ".strongroom")(error)),
        };
        let read = parse(BufReader::new(file));
        let actions = read.map_err(|problem| self.foreign(FILE, &problem))?;
        Ok(Some(actions))
    }
}

pub(super) fn write_line(file: &mut dyn Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}

/// `TruePath` refuses paths that would lead out of the set.
fn parse(mut file: impl BufRead) -> Result<Actions, String> {
    let mut actions = Actions::default();
    let mut line = Vec::new();
    let mut number = 0_usize;
    loop {
        line.clear();
        let read = file.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line);
        if read.map_err(|error| error.to_string())? == 0 {
            break;
        }
        let wrong = |error: serde_json::Error| format!("line {}: {error}", number + 1);
        if number == 0 {
            actions.head = serde_json::from_slice(&line).map_err(wrong)?;
        } else {
            actions.all.push(serde_json::from_slice(&line).map_err(wrong)?);
        }
        number += 1;
        if number > MOST_ACTIONS {
            return Err(format!("it has more than {MOST_ACTIONS} lines"));
        }
    }
    if number == 0 { Err("it is empty".to_owned()) } else { Ok(actions) }
}
