use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use strongroom_archive::manifest::TruePath;
use strongroom_tables::load::Mode;
use tempfile::TempDir;

use super::super::swap::FilesSwapped;
use super::super::*;
use crate::error::Error;

pub(super) const RESTORE: &str = "01900000-0000-7000-8000-000000000001";
pub(super) const OTHER: &str = "01900000-0000-7000-8000-000000000002";

pub(super) struct Set {
    folder: TempDir,
    pub(super) owner: Option<String>,
}

/// The properties of an entry that a restore must bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) content: Vec<u8>,
    pub(super) mode: u32,
    /// For files only: a folder's time changes with its contents.
    pub(super) time: Option<(i64, i64)>,
    pub(super) owner: (u32, u32),
}

pub(super) type Tree = BTreeMap<String, Entry>;

pub(super) struct Archive {
    pub(super) wanted: Arc<WantedFiles>,
    pub(super) contents: Vec<Vec<u8>>,
}

/// An archive's description of a file, and its content.
pub(super) fn file(path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> (WantedFile, Vec<u8>) {
    let content = content.as_ref().to_vec();
    let file = WantedFile {
        path: TruePath::new(path.as_ref().to_vec()).unwrap(),
        bytes: content.len() as u64,
        sha256: hex::encode(Sha256::digest(&content)),
        mode: Some(0o640),
        modified_at: Some(Timestamp::new(1_000_000_000, 123_456_789).unwrap()),
    };
    (file, content)
}

impl Archive {
    pub(super) fn create(mode: Mode, files: impl IntoIterator<Item = (WantedFile, Vec<u8>)>) -> Self {
        let (files, contents) = files.into_iter().unzip();
        Self { wanted: Arc::new(WantedFiles { mode, files, is_partial: false }), contents }
    }

    pub(super) fn of(mode: Mode, files: &[(&str, &str)]) -> Self {
        Self::create(mode, files.iter().map(|(path, content)| file(path, content)))
    }

    /// Stages all files that are needed, and keeps the stage.
    pub(super) fn stage(&self, set: &Set, id: &str) -> Result<(), Error> {
        let fingerprint = set.target().inspect(&self.wanted)?.fingerprint;
        let mut stage = set.target().stage(&self.wanted, &fingerprint, id)?;
        for (at, content) in self.contents.iter().enumerate() {
            if stage.needs(at) {
                stage.add(at, &mut &content[..])?;
            }
        }
        Ok(stage.keep()?)
    }

    pub(super) fn apply(&self, set: &Set, id: &str) -> FilesSwapped {
        self.stage(set, id).unwrap();
        let swapped = set.target().swap(id).unwrap();
        assert_eq!(set.target().state_of(id).unwrap(), Some(Marker::Applied));
        swapped
    }

    pub(super) fn inspect(&self, set: &Set) -> FilesInspection {
        let before = set.everything();
        let inspection = set.target().inspect(&self.wanted).unwrap();
        assert_eq!(set.everything(), before, "inspecting writes nothing");
        inspection
    }

    pub(super) fn reasons(&self, set: &Set) -> Vec<&'static str> {
        self.inspect(set).refusals.iter().map(|refusal| refusal.reason).collect()
    }
}

impl Set {
    /// Files have mode 0600 and a time in 2020.
    pub(super) fn create(files: &[(&str, &str)]) -> Self {
        let set = Self { folder: tempfile::tempdir().unwrap(), owner: None };
        fs::create_dir(set.at("")).unwrap();
        fs::create_dir(set.outside()).unwrap();
        for (path, content) in files {
            set.write(path, content);
        }
        set
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_577_836_800, 5);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }

    pub(super) fn at(&self, path: impl AsRef<OsStr>) -> PathBuf {
        let inside = self.folder.path().join("inside");
        if path.as_ref().is_empty() { inside } else { inside.join(Path::new(&path)) }
    }

    pub(super) fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    pub(super) fn source(&self) -> FilesSource {
        let path = self.at("");
        FilesSource { name: "recs".into(), path, group: None, restore_owner: self.owner.clone() }
    }

    pub(super) fn target(&self) -> FilesTarget {
        self.source().target().unwrap()
    }

    /// Everything except our own folder.
    pub(super) fn tree(&self) -> Tree {
        let mut tree = self.everything();
        tree.retain(|path, _| !path.starts_with(".strongroom"));
        tree
    }

    /// Only files, with their contents.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let files = self.tree().into_iter().filter(|(_, entry)| entry.time.is_some());
        files.map(|(path, entry)| (path, String::from_utf8_lossy(&entry.content).into_owned())).collect()
    }

    pub(super) fn everything(&self) -> Tree {
        let mut tree = Tree::new();
        walk(&self.at(""), Path::new(""), &mut tree);
        tree
    }

    pub(super) fn has_nothing_of_ours(&self) -> bool {
        fs::symlink_metadata(self.at(".strongroom")).is_err()
    }
}

fn walk(root: &Path, below: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        let data = fs::symlink_metadata(root.join(&path)).unwrap();
        let content = if data.is_file() {
            fs::read(root.join(&path)).unwrap()
        } else if data.is_symlink() {
            fs::read_link(root.join(&path)).unwrap().as_os_str().as_bytes().to_vec()
        } else {
            Vec::new()
        };
        let time = (!data.is_dir()).then(|| (data.mtime(), data.mtime_nsec()));
        let entry = Entry { content, mode: data.mode(), time, owner: (data.uid(), data.gid()) };
        tree.insert(path.to_string_lossy().into_owned(), entry);
        if data.is_dir() {
            walk(root, &path, tree);
        }
    }
}
