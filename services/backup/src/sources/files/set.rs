//! The files of a source as they were listed, to be opened one after the other.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use strongroom_archive::FileCheck;
use strongroom_archive::manifest::{Skipped, Snapshot, SourceRecord};

use super::root::{Found, Identity, Root, file_identity, is_elsewhere};
use super::{FilesSource, KIND};
use crate::error::{Error, Result};
use crate::left_out::FirstFew;

/// A listed directory.
pub(crate) struct FileSet {
    name: String,
    path: PathBuf,
    /// `None` for a set without files.
    root: Option<Root>,
    record: SourceRecord,
    files: Vec<ListedFile>,
    left_out: FirstFew<Skipped>,
}

/// A file at the time of the listing.
pub(crate) struct ListedFile {
    /// Below the set's directory, with `/` between its parts.
    pub(crate) path: String,
    /// Its size then: what the archive will hold.
    pub(crate) bytes: u64,
    identity: Identity,
}

impl FileSet {
    pub(super) fn create(source: &FilesSource) -> Self {
        let record = SourceRecord::new(&source.name, KIND, "directory", Snapshot::PerFile);
        let (name, path) = (source.name.clone(), source.path.clone());
        Self { name, path, root: None, record, files: Vec::new(), left_out: FirstFew::default() }
    }

    /// The set's name, which is its source's.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// By path.
    pub(crate) fn files(&self) -> &[ListedFile] {
        &self.files
    }

    pub(in crate::sources) fn record(&self) -> &SourceRecord {
        &self.record
    }

    pub(super) fn add(&mut self, path: &Path, found: &Found, check: &mut FileCheck) -> Result<()> {
        if !found.kind.is_file() {
            let reason = if found.kind.is_symlink() { "a symbolic link" } else { "a special file" };
            self.skip(path, reason);
            return Ok(());
        }
        let refused = |problem: String| Error::FileRefused { name: self.name.clone(), problem };
        let Some(text) = path.to_str() else {
            return Err(refused(format!("the name of the file {path:?} is not UTF-8")));
        };
        check.add(&self.name, text, found.bytes).map_err(|error| match error {
            strongroom_archive::Error::Limit { .. } => {
                Error::FileLimit { name: self.name.clone(), problem: error.to_string() }
            }
            error => refused(error.to_string()),
        })?;
        let (path, bytes, identity) = (text.to_owned(), found.bytes, found.identity);
        self.files.push(ListedFile { path, bytes, identity });
        Ok(())
    }

    pub(super) fn skip(&mut self, path: &Path, reason: &str) {
        let name = path.to_string_lossy().into_owned();
        tracing::warn!(source = self.name, file = name, "{reason} is left out of the backup");
        self.left_out.add(Skipped { name, reason: reason.to_owned() });
    }

    /// Everything was listed.
    pub(super) fn complete(mut self, root: Root) -> Self {
        self.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        self.record.skipped = std::mem::take(&mut self.left_out).into_skipped("links and special files");
        self.root = Some(root);
        self
    }

    /// Opens the very file that was listed; `None` when it is gone by now.
    ///
    /// # Errors
    /// [`Error::FileReplaced`] when there is another, or a link on the way to it, and [`Error::FileUnreadable`].
    pub(crate) fn open(&self, file: &ListedFile) -> Result<Option<File>> {
        let Some(root) = &self.root else {
            return Err(Error::Defect(format!("the set {} was not listed", self.name)));
        };
        let open = match root.open_file(Path::new(&file.path)) {
            Ok(open) => open,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if is_elsewhere(&error) => return Err(self.replaced(file)),
            Err(error) => return Err(self.failed(file, error)),
        };
        let found = file_identity(&open).map_err(|error| self.failed(file, error))?;
        if found == Some(file.identity) { Ok(Some(open)) } else { Err(self.replaced(file)) }
    }

    /// What reading the file failed with.
    pub(crate) fn failed(&self, file: &ListedFile, error: std::io::Error) -> Error {
        Error::FileUnreadable { name: self.name.clone(), path: self.path.join(&file.path), source: error }
    }

    fn replaced(&self, file: &ListedFile) -> Error {
        Error::FileReplaced { name: self.name.clone(), path: file.path.clone() }
    }
}
