//! Compares the files of a set with those of an archive.
//!
//! The set is walked folder by folder; only paths and facts are kept in memory.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use strongroom_archive::manifest::TruePath;
use strongroom_tables::load::{Change, Example, MOST_EXAMPLES, Mode, TableChanges};

use super::facts::{Facts, named};
use super::refusal::Refusals;
use super::wanted::{Lookup, WantedFile, WantedFiles, parent};
use super::{FilesTarget, MOST, Result};
use crate::error::Error;
use crate::sources::files::RESTORE_FOLDER;
use crate::sources::files::root::{Found, is_elsewhere};

/// Maximum length of an example's key, in bytes.
const MOST_KEY_BYTES: usize = 200;

/// The treatment of a wanted file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    /// Its path is free, or has a folder that is removed.
    Create,
    /// Its path has another file.
    Change,
    /// Its path already has the wanted file.
    Keep(Facts),
    /// Its path has another file, which stays.
    Conflict,
}

/// A live file to be removed.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) path: TruePath,
    /// A folder is needed in its place.
    pub(super) is_in_the_way: bool,
}

/// The changes that a restore would make.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// One for each wanted file, in the same order.
    pub(super) fates: Vec<Fate>,
    pub(super) removed: Vec<Removed>,
    /// Folders to be created, outermost first.
    pub(super) folders: Vec<TruePath>,
    /// Live folders to be removed with their contents.
    pub(super) displaced: Vec<TruePath>,
    pub(super) changes: TableChanges,
    pub(super) refusals: Refusals,
    /// Number of live files found so far. In a set that must be empty, only the first one is reported.
    present: u64,
}

struct Walk<'a> {
    target: &'a FilesTarget,
    wanted: &'a WantedFiles,
    lookup: Lookup<'a>,
    done: Difference,
    /// Wanted folders that exist.
    folders: HashSet<Vec<u8>>,
    /// Folders still to be walked, and whether each is removed as a whole.
    waiting: Vec<(PathBuf, bool)>,
}

impl FilesTarget {
    /// # Errors
    /// [`Error::FileUnreadable`], [`Error::FileLimit`].
    pub(super) fn difference(&self, wanted: &WantedFiles, longest_name: u64) -> Result<Difference, Error> {
        let mut done = Difference { fates: vec![Fate::Create; wanted.files.len()], ..Difference::default() };
        let lookup = Lookup::create(wanted, longest_name, &mut done.refusals);
        let waiting = vec![(PathBuf::new(), false)];
        let folders = HashSet::new();
        let mut walk = Walk { target: self, wanted, lookup, done, folders, waiting };
        while let Some((folder, goes)) = walk.waiting.pop() {
            walk.folder(&folder, goes)?;
        }
        walk.finish()
    }
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, goes: bool) -> Result<(), Error> {
        let mut found = Vec::new();
        let listed = self.target.root.list(folder, |entry| {
            // Nobody restores into more files than an archive can hold.
            if found.len() > MOST {
                Err(io::Error::other("too many files"))
            } else {
                found.push(entry);
                Ok(())
            }
        });
        match listed {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.as_os_str().is_empty() => {
                return Ok(());
            }
            Err(error) if is_elsewhere(&error) => {
                return self.target.true_path(folder).map(|path| {
                    self.done.refusals.add_at(
                        "FILE_IN_THE_WAY",
                        &path,
                        "was replaced while it was inspected: try again",
                    );
                });
            }
            Err(error) => return Err(self.target.unreadable(folder, error)),
        }
        for entry in found {
            let path = folder.join(&entry.name);
            if path.as_os_str() != RESTORE_FOLDER {
                self.entry(&path, &entry, goes)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, found: &Found, goes: bool) -> Result<(), Error> {
        let true_path = self.target.true_path(path)?;
        let bytes = true_path.as_bytes();
        let (file, is_folder) = (self.lookup.file(bytes), self.lookup.has_folder(bytes));
        if found.kind.is_dir() {
            if is_folder {
                self.folders.insert(bytes.to_owned());
            }
            if file.is_some() && !goes {
                self.folder_in_the_way(&true_path);
            }
            self.waiting.push((path.to_owned(), goes || file.is_some()));
        } else if found.kind.is_file() {
            self.file(true_path, found, file, goes)?;
        } else if file.is_some() || is_folder || goes {
            let message = format!(
                "is {}, which a restore does not touch, but the restore needs this path: move it away first",
                named(found.kind)
            );
            self.done.refusals.add_at("FILE_IN_THE_WAY", &true_path, &message);
        }
        Ok(())
    }

    fn folder_in_the_way(&mut self, path: &TruePath) {
        if self.wanted.mode == Mode::Merge {
            let message =
                "is a folder here, a file in the archive: restore with --mode replace, or move it away";
            self.done.refusals.add_at("FILE_IN_THE_WAY", path, message);
        }
        self.done.displaced.push(path.clone());
    }

    fn file(
        &mut self,
        path: TruePath,
        found: &Found,
        wanted: Option<usize>,
        goes: bool,
    ) -> Result<(), Error> {
        let is_in_the_way = self.lookup.has_folder(path.as_bytes());
        self.done.present += 1;
        if self.done.present == 1 && self.wanted.mode == Mode::IntoEmpty {
            let message =
                "exists, and the set must be empty: restore with --mode replace or merge, or empty it first";
            self.done.refusals.add_at("FILES_NOT_EMPTY", &path, message);
        }
        match (wanted, self.wanted.mode) {
            // A set that must be empty is not compared.
            (_, Mode::IntoEmpty) => {}
            (Some(at), _) => self.compare(at, &path, found)?,
            (None, Mode::Merge) if is_in_the_way => {
                let message =
                    "is a file here, a folder in the archive: restore with --mode replace, or move it away";
                self.done.refusals.add_at("FILE_IN_THE_WAY", &path, message);
            }
            (None, Mode::Merge) => self.done.changes.kept += 1,
            (None, Mode::Replace) => {
                self.done.changes.deleted += 1;
                self.done.example(Change::Deleted, &path);
                if !goes && self.done.removed.len() <= MOST {
                    self.done.removed.push(Removed { path, is_in_the_way });
                }
            }
        }
        Ok(())
    }

    fn compare(&mut self, at: usize, path: &TruePath, found: &Found) -> Result<(), Error> {
        let is_merge = self.wanted.mode == Mode::Merge;
        let fate = match self.target.equal(&self.wanted.files[at], found)? {
            Some(facts) => Fate::Keep(facts),
            None if is_merge => Fate::Conflict,
            None => Fate::Change,
        };
        match &fate {
            Fate::Keep(_) => self.done.changes.kept += 1,
            Fate::Conflict => {
                self.done.changes.conflicts += 1;
                self.done.example(Change::Conflict, path);
            }
            _ => {
                self.done.changes.changed += 1;
                self.done.example(Change::Changed, path);
            }
        }
        self.done.fates[at] = fate;
        Ok(())
    }

    fn finish(mut self) -> Result<Difference, Error> {
        for (file, _) in
            self.wanted.files.iter().zip(&self.done.fates).filter(|(_, fate)| **fate == Fate::Create)
        {
            self.done.changes.created += 1;
            example(&mut self.done.changes, Change::Created, &file.path);
            let mut path = file.path.as_bytes();
            // A refused restore needs no folders.
            while self.done.refusals.is_empty()
                && let Some(above) = parent(path)
            {
                if !self.folders.insert(above.to_owned()) {
                    break;
                }
                self.done.folders.extend(TruePath::new(above.to_owned()));
                path = above;
            }
        }
        self.done.folders.sort_unstable();
        self.done.removed.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        if self.done.removed.len() > MOST {
            let message = format!("more than {MOST} files would be removed: restore into another directory");
            self.done.refusals.add("TOO_MANY_FILES", message);
        }
        if self.wanted.is_partial && self.wanted.mode == Mode::Replace {
            let message = "the archive has only some files of the set, and replacing would remove all others: use --mode merge";
            self.done.refusals.add("PARTIAL_SET", message.to_owned());
        }
        Ok(self.done)
    }
}

impl Difference {
    fn example(&mut self, change: Change, path: &TruePath) {
        example(&mut self.changes, change, path);
    }

    /// The files to be staged.
    pub(super) fn staged<'a>(&'a self, wanted: &'a WantedFiles) -> impl Iterator<Item = &'a WantedFile> {
        let files = wanted.files.iter().enumerate();
        files.filter(|(at, _)| self.is_staged(*at)).map(|(_, file)| file)
    }

    /// Whether the file at this index is staged.
    pub(super) fn is_staged(&self, at: usize) -> bool {
        matches!(self.fates.get(at), Some(Fate::Create | Fate::Change))
    }
}

impl FilesTarget {
    fn true_path(&self, path: &Path) -> Result<TruePath, Error> {
        use std::os::unix::ffi::OsStrExt as _;

        TruePath::new(path.as_os_str().as_bytes().to_vec()).ok_or_else(|| Error::FileLimit {
            name: self.name.clone(),
            problem: "a path has more than 4095 bytes".to_owned(),
        })
    }
}

fn example(changes: &mut TableChanges, change: Change, path: &TruePath) {
    if changes.examples.len() < MOST_EXAMPLES {
        let mut key = serde_json::json!([path.to_string_lossy()]).to_string();
        key.truncate(key.floor_char_boundary(MOST_KEY_BYTES));
        changes.examples.push(Example { change, key });
    }
}
