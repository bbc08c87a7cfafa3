//! Directories: a file has no snapshot, so its size is fixed when the directory is listed, and it is looked at
//! again when it is read.
//!
//! Only plain files are kept. Links and special files are left out and named in the manifest; a name that no
//! archive holds fails the export, because that file's bytes would be missing.

use std::fs::{self, DirEntry, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_archive::manifest::{Skipped, Snapshot, SourceRecord};
use strongroom_archive::{FileCheck, Limits};

use super::listing::{Choice, Listing};
use crate::config::SourceConfig;
use crate::error::{Error, Result};

/// As it stands in the configuration.
const KIND: &str = "files";
/// How many left-out files a manifest names; the others are counted.
const MAX_SKIPPED: usize = 100;

/// A directory.
#[derive(Clone)]
pub(crate) struct FilesSource {
    name: String,
    root: PathBuf,
    group: Option<String>,
}

impl FilesSource {
    /// A source from its configuration; nothing is opened.
    ///
    /// # Errors
    /// [`Error::Config`] without a path.
    pub(crate) fn create(config: &SourceConfig) -> Result<Self> {
        let name = config.name.clone();
        let Some(root) = config.path.clone() else {
            return Err(Error::Config(format!("source {name}: a files source needs a path")));
        };
        let group = config.optional.first().map(|group| group.name.clone());
        Ok(Self { name, root, group })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn groups(&self) -> Vec<String> {
        self.group.iter().cloned().collect()
    }

    /// Whether the directory is there; its files are listed by exports alone.
    pub(super) fn list(&self) -> Result<Listing> {
        self.entries(&self.root)?;
        let group = self.group.clone().unwrap_or_default();
        Ok(Listing { source: self.name.clone(), kind: KIND, group, tables: Vec::new() })
    }

    /// Lists the directory, unless its group was not asked for.
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
        let mut set = FileSet::create(self);
        let mut check = FileCheck::create(Limits::V1);
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in self.entries(&folder)? {
                let entry = entry.map_err(|error| self.unreadable(&folder, error))?;
                let path = entry.path();
                let Some(metadata) = self.metadata(&entry)? else { continue };
                if metadata.is_dir() {
                    folders.push(path);
                } else {
                    set.add(&path, &metadata, &mut check)?;
                }
            }
        }
        set.files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        set.end_skipped();
        Ok(set)
    }

    fn entries(&self, folder: &Path) -> Result<fs::ReadDir> {
        fs::read_dir(folder).map_err(|error| self.unreadable(folder, error))
    }

    /// Of the entry itself, not of what it links to; nothing when it is gone by now.
    fn metadata(&self, entry: &DirEntry) -> Result<Option<Metadata>> {
        match entry.metadata() {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unreadable(&entry.path(), error)),
        }
    }

    fn unreadable(&self, path: &Path, source: std::io::Error) -> Error {
        Error::FileUnreadable { name: self.name.clone(), path: path.to_owned(), source }
    }
}

/// The files of a source as they were listed.
pub(crate) struct FileSet {
    name: String,
    root: PathBuf,
    record: SourceRecord,
    files: Vec<ListedFile>,
    left_out: usize,
}

/// A file at the time of the listing.
pub(crate) struct ListedFile {
    /// Below the set's directory, with `/` between its parts.
    pub(crate) path: String,
    /// Its size then: what the archive will hold.
    pub(crate) bytes: u64,
    device: u64,
    inode: u64,
}

impl FileSet {
    fn create(source: &FilesSource) -> Self {
        let record = SourceRecord {
            name: source.name.clone(),
            kind: KIND.to_owned(),
            engine: "directory".to_owned(),
            snapshot: Snapshot::PerFile,
            skipped: Vec::new(),
        };
        let (name, root) = (source.name.clone(), source.root.clone());
        Self { name, root, record, files: Vec::new(), left_out: 0 }
    }

    /// The set's name, which is its source's.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// By path.
    pub(crate) fn files(&self) -> &[ListedFile] {
        &self.files
    }

    pub(super) fn record(&self) -> &SourceRecord {
        &self.record
    }

    fn add(&mut self, path: &Path, metadata: &Metadata, check: &mut FileCheck) -> Result<()> {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        if !metadata.is_file() {
            let reason = if metadata.is_symlink() { "a symbolic link" } else { "a special file" };
            self.skip(below, reason);
            return Ok(());
        }
        let refused = |problem: String| Error::FileRefused { name: self.name.clone(), problem };
        let Some(text) = below.to_str() else {
            return Err(refused(format!("the name of the file {below:?} is not UTF-8")));
        };
        check.add(&self.name, text, metadata.len()).map_err(|error| refused(error.to_string()))?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        self.files.push(ListedFile { path: text.to_owned(), bytes: metadata.len(), device, inode });
        Ok(())
    }

    fn skip(&mut self, path: &Path, reason: &str) {
        self.left_out += 1;
        let name = path.to_string_lossy().into_owned();
        tracing::warn!(source = self.name, file = name, "{reason} is left out of the backup");
        if self.left_out <= MAX_SKIPPED {
            self.record.skipped.push(Skipped { name, reason: reason.to_owned() });
        }
    }

    fn end_skipped(&mut self) {
        self.record.skipped.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        if self.left_out > MAX_SKIPPED {
            let reason = format!("{} more links and special files", self.left_out - MAX_SKIPPED);
            self.record.skipped.push(Skipped { name: "…".to_owned(), reason });
        }
    }

    /// Opens the very file that was listed.
    ///
    /// # Errors
    /// [`Error::FileReplaced`] when there is none or another, and [`Error::FileUnreadable`].
    pub(crate) fn open(&self, file: &ListedFile) -> Result<File> {
        let path = self.root.join(&file.path);
        let is_it =
            |found: &Metadata| found.is_file() && (found.dev(), found.ino()) == (file.device, file.inode);
        // Before it is opened, because a pipe in its place would wait for a writer; and after, because only
        // the open file cannot be exchanged any more.
        let before = fs::symlink_metadata(&path).map_err(|error| self.failed(file, error))?;
        if !is_it(&before) {
            return Err(self.replaced(file));
        }
        let open = File::open(&path).map_err(|error| self.failed(file, error))?;
        let after = open.metadata().map_err(|error| self.failed(file, error))?;
        if is_it(&after) { Ok(open) } else { Err(self.replaced(file)) }
    }

    /// What reading the file failed with.
    pub(crate) fn failed(&self, file: &ListedFile, error: std::io::Error) -> Error {
        if error.kind() == ErrorKind::NotFound {
            return self.replaced(file);
        }
        Error::FileUnreadable { name: self.name.clone(), path: self.root.join(&file.path), source: error }
    }

    fn replaced(&self, file: &ListedFile) -> Error {
        Error::FileReplaced { name: self.name.clone(), path: file.path.clone() }
    }
}
