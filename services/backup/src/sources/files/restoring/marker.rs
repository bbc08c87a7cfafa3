//! How far a restore of a set is: what decides after a crash.

use serde::{Deserialize, Serialize};

use super::own::{Own, Restores, read_small, write_durably};
use super::{FilesTarget, Result};

const FILE: &str = "marker";
const MOST_BYTES: u64 = 4096;

/// What a set's own marker says of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Marker {
    /// Files were being staged, or are. Nothing live has changed.
    Staged,
    /// Files were being exchanged, or put back: some are new and some old. It goes on either way.
    Swapping,
    /// It was applied, and can be rolled back until it is discarded.
    Applied,
}

/// The marker as it is stored.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    pub(super) state: Marker,
    /// Restores of a set are numbered in the order of their swaps.
    pub(super) order: u64,
}

impl FilesTarget {
    /// What a restore's marker says. A stage needs none.
    pub(super) fn note(&self, own: &Own) -> Result<Note> {
        let read = read_small(&own.folder, FILE, MOST_BYTES);
        let Some(bytes) =
            read.map_err(self.failing("cannot read the marker of a restore in", ".strongroom"))?
        else {
            return Ok(Note { state: Marker::Staged, order: 0 });
        };
        serde_json::from_slice(&bytes).map_err(|_| self.foreign(FILE, "it is no marker"))
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
