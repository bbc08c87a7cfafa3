//! The listed files of a source, to be opened one after the other.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use strongroom_archive::FileCheck;
use strongroom_archive::manifest::{Skipped, Snapshot, SourceRecord, TruePath};

use super::root::{Found, Identity, Root, is_elsewhere, look_at};
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
    /// Path below the set's directory, with `/` between its parts.
    pub(crate) path: TruePath,
    /// Its size at that time, which is the size in the archive.
    pub(crate) bytes: u64,
    identity: Identity,
}

/// A listed file that is open. Its metadata in the archive comes from the same descriptor as its bytes.
pub(crate) struct OpenFile {
    pub(crate) file: File,
    pub(crate) mode: u32,
    pub(crate) modified_at: Timestamp,
}

impl ListedFile {
    /// Its path for display.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        self.path.to_string_lossy()
    }

    fn below(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.path.as_bytes()))
    }
}

impl FileSet {
    pub(super) fn create(source: &FilesSource) -> Self {
        let record = SourceRecord::new(&source.name, KIND, "directory", Snapshot::PerFile);
        let (name, path) = (source.name.clone(), source.path.clone());
        Self { name, path, root: None, record, files: Vec::new(), left_out: FirstFew::default() }
    }

    /// The set's name, which is that of its source.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// All files, sorted by path.
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
        let true_path = self.true_path(path)?;
        let added = check.add(&self.name, &true_path, found.bytes);
        added.map_err(|error| self.too_much(error.to_string()))?;
        self.files.push(ListedFile { path: true_path, bytes: found.bytes, identity: found.identity });
        Ok(())
    }

    /// # Errors
    /// [`Error::FileLimit`] for a path that is too long to be opened in one step, by this service or by a restore.
    pub(super) fn true_path(&self, path: &Path) -> Result<TruePath> {
        let true_path = TruePath::new(path.as_os_str().as_bytes().to_vec());
        true_path.ok_or_else(|| {
            let shown: String = path.to_string_lossy().chars().take(60).collect();
            self.too_much(format!("the path {shown:?}… has more than 4095 bytes"))
        })
    }

    fn too_much(&self, problem: String) -> Error {
        Error::FileLimit { name: self.name.clone(), problem }
    }

    pub(super) fn skip(&mut self, path: &Path, reason: &str) {
        let name = path.to_string_lossy().into_owned();
        tracing::warn!(source = self.name, file = name, "{reason} is left out of the backup");
        self.left_out.add(Skipped { name, reason: reason.to_owned() });
    }

    /// Completes the listing.
    pub(super) fn complete(mut self, root: Root) -> Self {
        self.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        self.record.skipped = std::mem::take(&mut self.left_out).into_skipped("links and special files");
        self.root = Some(root);
        self
    }

    /// Opens the file that was listed; `None` if it no longer exists.
    ///
    /// # Errors
    /// [`Error::FileReplaced`] if there is another file, or a link in its path, and [`Error::FileUnreadable`].
    pub(crate) fn open(&self, file: &ListedFile) -> Result<Option<OpenFile>> {
        let Some(root) = &self.root else {
            return Err(Error::Defect(format!("the set {} was not listed", self.name)));
        };
        let open = match root.open_file(file.below()) {
            Ok(open) => open,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if is_elsewhere(&error) => return Err(self.replaced(file)),
            Err(error) => return Err(self.failed(file, error)),
        };
        let opened = look_at(&open).map_err(|error| self.failed(file, error))?;
        let Some(opened) = opened.filter(|opened| opened.identity == file.identity) else {
            return Err(self.replaced(file));
        };
        Ok(Some(OpenFile { file: open, mode: opened.mode, modified_at: opened.modified_at }))
    }

    /// The error of reading the file.
    pub(crate) fn failed(&self, file: &ListedFile, error: std::io::Error) -> Error {
        Error::FileUnreadable { name: self.name.clone(), path: self.path.join(file.below()), source: error }
    }

    fn replaced(&self, file: &ListedFile) -> Error {
        Error::FileReplaced { name: self.name.clone(), path: file.shown().into_owned() }
    }
}
