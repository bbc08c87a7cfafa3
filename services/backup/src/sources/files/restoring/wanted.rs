//! An archive's files for one file set.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use strongroom_archive::manifest::{EntryRecord, TruePath};
use strongroom_tables::load::Mode;

use super::MOST;
use super::refusal::Refusals;
use crate::sources::files::RESTORE_FOLDER;

/// Maximum size of the paths of all folders, which are kept in memory: an archive's paths may have many parts.
const MOST_FOLDER_BYTES: usize = 16 << 20;

/// Set-user-id and set-group-id: a restore does not give programs the rights of other users.
pub(super) const SET_ID: u32 = 0o6000;

/// The files to be restored into one set.
#[derive(Debug)]
pub(crate) struct WantedFiles {
    /// The treatment of existing files.
    pub(crate) mode: Mode,
    /// A file's index in this list identifies it in every later call.
    pub(crate) files: Vec<WantedFile>,
    /// The archive has only some files of the set: they can be merged, but cannot replace the set.
    pub(crate) is_partial: bool,
}

/// A file of the archive.
#[derive(Debug)]
pub(crate) struct WantedFile {
    /// Path below the set.
    pub(crate) path: TruePath,
    /// Length in bytes.
    pub(crate) bytes: u64,
    /// SHA-256 of its content, lower-case hex.
    pub(crate) sha256: String,
    /// Permission bits; 0644 if the archive has none.
    pub(crate) mode: Option<u32>,
    /// When its content last changed, if the archive knows.
    pub(crate) modified_at: Option<Timestamp>,
}

impl WantedFile {
    /// The set of an entry, and its file; `None` if it is not a file of a set.
    pub(crate) fn of(record: &EntryRecord) -> Option<(&str, Self)> {
        let (set, path) = record.file_path()?;
        let mode = record.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        let (sha256, modified_at) = (record.sha256.clone(), record.modified_at);
        let mode = mode.map(|mode| mode & 0o7777);
        Some((set, Self { path, bytes: record.bytes, sha256, mode, modified_at }))
    }

    /// The permission bits of the restored file.
    pub(super) fn restored_mode(&self) -> u32 {
        self.mode.unwrap_or(0o644) & 0o7777 & !SET_ID
    }

    pub(super) fn has_set_id(&self) -> bool {
        self.mode.is_some_and(|mode| mode & SET_ID != 0)
    }
}

/// The wanted files by path, and the folders that they need.
pub(super) struct Lookup<'a> {
    files: HashMap<&'a [u8], usize>,
    folders: HashSet<&'a [u8]>,
    /// Size of the folders' paths.
    bytes: usize,
}

impl<'a> Lookup<'a> {
    /// Refuses paths that cannot exist together in a directory: an archive need not come from one.
    pub(super) fn create(wanted: &'a WantedFiles, longest_name: u64, refusals: &mut Refusals) -> Self {
        let mut lookup =
            Self { files: HashMap::with_capacity(wanted.files.len()), folders: HashSet::new(), bytes: 0 };
        for (at, file) in wanted.files.iter().enumerate() {
            let path = file.path.as_bytes();
            if path.split(|byte| *byte == b'/').any(|name| name.len() as u64 > longest_name) {
                let message = format!(
                    "has a name of more than {longest_name} bytes, which the file system cannot hold"
                );
                refusals.add_at("NAME_TOO_LONG", &file.path, &message);
            }
            if path.split(|byte| *byte == b'/').next() == Some(RESTORE_FOLDER.as_bytes()) {
                refusals.add_at("PATH_RESERVED", &file.path, "is where restores keep their own files");
            }
            if lookup.files.insert(path, at).is_some() {
                refusals.add_at("PATH_TWICE", &file.path, "occurs twice in the archive");
            }
            lookup.add_folders(path);
            if lookup.folders.len() > MOST || lookup.bytes > MOST_FOLDER_BYTES {
                let message = format!(
                    "the archive's files need more than {MOST} folders, or their paths more than {MOST_FOLDER_BYTES} bytes"
                );
                refusals.add("TOO_MANY_FILES", message);
                break;
            }
        }
        for file in wanted.files.iter().filter(|file| lookup.folders.contains(file.path.as_bytes())) {
            refusals.add_at("PATH_TWICE", &file.path, "is a file and a folder in the archive");
        }
        lookup
    }

    pub(super) fn file(&self, path: &[u8]) -> Option<usize> {
        self.files.get(path).copied()
    }

    pub(super) fn has_folder(&self, path: &[u8]) -> bool {
        self.folders.contains(path)
    }

    /// Innermost first: if a folder is known, its parents are too.
    fn add_folders(&mut self, path: &'a [u8]) {
        let mut rest = path;
        while let Some(parent) = parent(rest) {
            if !self.folders.insert(parent) {
                return;
            }
            self.bytes += parent.len();
            rest = parent;
        }
    }
}

/// The folder of a path; `None` for the set's directory itself.
pub(super) fn parent(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').map(|slash| &path[..slash])
}
