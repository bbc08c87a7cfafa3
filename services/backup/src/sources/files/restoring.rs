//! Restores files of an archive into a set while applications use it.
//!
//! Live files are never overwritten. New files are written into a folder of ours inside the set (the stage); then each
//! changes places with the live one by one atomic rename, so a reader that opens a path gets the old file or the new
//! one, and a process that has a file open keeps it. Displaced files stay in that folder (the undo), for a rollback of
//! the restore. The reasons are in docs/decisions/restore.md.
//!
//! Order of calls: [`FilesTarget::inspect`], then [`FilesTarget::stage`] with its result, [`stage::FilesStage::add`] for each
//! file that the stage needs, and [`stage::FilesStage::keep`], which makes the stage survive a crash. [`FilesTarget::swap`]
//! applies it, and continues after a crash. The data of a restore is found by its id: [`FilesTarget::state_of`],
//! [`FilesTarget::roll_back`], [`FilesTarget::discard`].
//!
//! No path is followed out of the set, not even one from the list of actions that a swap reads back, since it may have
//! been edited. A rename names a file by the open descriptor of its folder and a single name, never by a longer path.

mod actions;
mod compare;
mod content;
mod difference;
mod discard;
mod error;
mod facts;
mod folders;
mod inspect;
mod marker;
mod moment;
mod own;
mod owner;
mod place;
mod refusal;
mod removal;
mod renames;
mod stage;
mod swap;
mod unchanged;
mod undo;
mod undo_list;
mod wanted;

use std::path::{Path, PathBuf};

use super::FilesSource;
use super::root::Root;
pub use error::FilesError;
pub(crate) use inspect::FilesInspection;
pub(crate) use marker::Marker;
pub use refusal::FilesRefusal;
pub(crate) use wanted::{WantedFile, WantedFiles};

use owner::Owner;

type Result<T, E = FilesError> = std::result::Result<T, E>;

/// Maximum number of files of a set that a restore removes, and of folders that it creates: as many as an archive has
/// entries.
const MOST: usize = 100_000;

/// A set into which files are restored. Its directory is opened once.
pub(crate) struct FilesTarget {
    name: String,
    path: PathBuf,
    root: Root,
    /// As configured: `user:group`.
    owner: Option<String>,
}

impl FilesSource {
    /// Opens the directory for a restore.
    ///
    /// # Errors
    /// [`crate::error::Error::FileUnreadable`].
    pub(crate) fn target(&self) -> crate::error::Result<FilesTarget> {
        let root = Root::open(&self.path).map_err(|error| self.unreadable(Path::new(""), error))?;
        let (name, path, owner) = (self.name.clone(), self.path.clone(), self.restore_owner.clone());
        Ok(FilesTarget { name, path, root, owner })
    }
}

impl FilesTarget {
    /// The owner of restored files, if configured.
    fn owner(&self) -> Result<Option<Owner>> {
        let owner = self.owner.as_deref().map(Owner::resolve).transpose();
        owner.map_err(|problem| FilesError::Failed {
            name: self.name.clone(),
            what: "restore_owner does not fit this machine, for files in",
            path: self.path.clone(),
            source: std::io::Error::other(problem),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
