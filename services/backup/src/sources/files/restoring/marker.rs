//! The state of a restore of a set, which decides how to continue after a crash.

use serde::{Deserialize, Serialize};

use super::own::{Own, Restores, read_small, write_durably};
use super::{FilesTarget, Result};

const FILE: &str = "marker";
const MOST_BYTES: u64 = 4096;

/// A set's own state of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Marker {
    /// Files were being staged, or have been. Nothing live has changed.
    Staged,
    /// Files were being exchanged, or put back: some are switched and some not. Either direction can be
    /// continued.
    Swapping,
    /// It was applied, and can be rolled back until it is discarded.
    Applied,
}

/// The stored marker.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    pub(super) state: Marker,
    /// Number of the restore, in the order of the set's swaps.
    pub(super) order: u64,
}

impl FilesTarget {
    /// The marker of a restore. A stage has none.
    pub(super) fn note(&self, own: &Own) -> Result<Note> {
        let read = read_small(&own.folder, FILE, MOST_BYTES);
        let Some(bytes) =
            read.map_err(self.failing("cannot read the marker of a restore in", ".strongroom"))?
        else {
            return Ok(Note { state: Marker::Staged, order: 0 });
        };
        serde_json::from_slice(&bytes).map_err(|_| self.foreign(FILE, "it is not a marker"))
    }

    pub(super) fn set_note(&self, own: &Own, note: Note) -> Result<()> {
        let text = serde_json::json!(note).to_string();
        let written = write_durably(&own.folder, FILE, |file| file.write_all(text.as_bytes()));
        written.map_err(self.failing("cannot write the marker of a restore in", ".strongroom"))
    }

    /// The other restores of the set, by id.
    pub(super) fn others(&self, restores: &Restores, id: &str) -> Result<Vec<(String, Note)>> {
        let mut others = Vec::new();
        for other in restores.ids(self)? {
            if other != id
                && let Some(own) = restores.of(self, &other)?
            {
                others.push((other, self.note(&own)?));
            }
        }
        Ok(others)
    }
}
