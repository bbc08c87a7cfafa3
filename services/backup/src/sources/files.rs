//! Directories: a file has no snapshot, so its size is fixed when the directory is listed, and it is checked again when
//! it is read.
//!
//! Only regular files are backed up, under any names. Links and special files are left out and named in the manifest.
//! No link is ever followed, even if somebody replaces a folder with one between listing and reading ([`root`]).

pub(super) mod restoring;
mod root;
mod set;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_archive::{FileCheck, Limits};

use super::listing::{Choice, Listing};
use crate::config::SourceConfig;
use crate::error::{Error, Result};
pub(crate) use restoring::{FilesInspection, FilesTarget, Marker as FilesMarker, WantedFile, WantedFiles};
use root::{Root, is_elsewhere};
pub(crate) use set::{FileSet, ListedFile, OpenFile};

/// The folder in which a restore stages files, and keeps the files that it replaced. It is not part of the set.
const RESTORE_FOLDER: &str = ".strongroom";

/// The kind's name in the configuration.
const KIND: &str = "files";

/// A directory.
#[derive(Clone)]
pub(crate) struct FilesSource {
    name: String,
    path: PathBuf,
    group: Option<String>,
    /// The owner of restored files.
    restore_owner: Option<String>,
}

impl FilesSource {
    /// Creates the source from its configuration, without opening anything.
    ///
    /// # Errors
    /// [`Error::Config`] without a path.
    pub(crate) fn create(config: &SourceConfig) -> Result<Self> {
        let name = config.name.clone();
        let Some(path) = config.path.clone() else {
            return Err(Error::Config(format!("source {name}: a files source needs a path")));
        };
        let group = config.optional.first().map(|group| group.name.clone());
        let restore_owner = config.restore_owner.clone();
        Ok(Self { name, path, group, restore_owner })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> &'static str {
        KIND
    }

    /// The group of the whole directory; empty if there is none.
    pub(super) fn group(&self) -> &str {
        self.group.as_deref().unwrap_or_default()
    }

    pub(super) fn groups(&self) -> Vec<String> {
        self.group.iter().cloned().collect()
    }

    /// Checks that the directory exists; only exports list its files.
    pub(super) fn list(&self) -> Result<Listing> {
        self.root()?;
        Ok(Listing::default())
    }

    /// Lists the directory, unless its group was not requested.
    pub(super) async fn open(&self, choice: &Choice) -> Result<Arc<FileSet>> {
        if self.group.as_ref().is_some_and(|group| !choice.includes(group)) {
            return Ok(Arc::new(FileSet::create(self)));
        }
        let source = self.clone();
        let listed = tokio::task::spawn_blocking(move || source.walk()).await;
        let listed = listed.map_err(|error| Error::Defect(format!("the listing died: {error}")))?;
        Ok(Arc::new(listed?))
    }

    fn walk(&self) -> Result<FileSet> {
        let root = self.root()?;
        let mut listed = FileSet::create(self);
        let mut check = FileCheck::create(Limits::V1);
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let listing = root.list(&folder, |found| {
                let path = folder.join(&found.name);
                if path.as_os_str() == RESTORE_FOLDER {
                    Ok(())
                } else if found.kind.is_dir() {
                    listed.true_path(&path).map_err(Stopped::Refused)?;
                    folders.push(path);
                    Ok(())
                } else {
                    listed.add(&path, &found, &mut check).map_err(Stopped::Refused)
                }
            });
            match listing {
                Ok(()) => {}
                Err(Stopped::Refused(error)) => return Err(error),
                Err(Stopped::Failed(error)) if folder.as_os_str().is_empty() => {
                    return Err(self.unreadable(&folder, error));
                }
                Err(Stopped::Failed(error)) if error.kind() == ErrorKind::NotFound => {}
                Err(Stopped::Failed(error)) if is_elsewhere(&error) => {
                    listed.skip(&folder, "a folder that was replaced while it was listed");
                }
                Err(Stopped::Failed(error)) => return Err(self.unreadable(&folder, error)),
            }
        }
        Ok(listed.complete(root))
    }

    fn root(&self) -> Result<Root> {
        Root::open(&self.path).map_err(|error| self.unreadable(Path::new(""), error))
    }

    fn unreadable(&self, below: &Path, source: std::io::Error) -> Error {
        let path = if below.as_os_str().is_empty() { self.path.clone() } else { self.path.join(below) };
        Error::FileUnreadable { name: self.name.clone(), path, source }
    }
}

/// The reason why listing a folder stopped.
enum Stopped {
    Failed(std::io::Error),
    Refused(Error),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
