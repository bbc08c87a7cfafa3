//! The state of a set before a restore, and the reasons to refuse one.

use std::collections::HashSet;
use std::path::PathBuf;
use std::{fs, io};

use rustix::fs::{Access, AtFlags, accessat, fstatvfs};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use strongroom_archive::manifest::TruePath;
use strongroom_tables::load::TableChanges;

use super::difference::Difference;
use super::error::FilesError;
use super::facts::Seen;
use super::marker::Marker;
use super::owner::{Owner, own_user};
use super::place::as_path;
use super::refusal::FilesRefusal;
use super::wanted::{WantedFiles, parent};
use super::{FilesTarget, Result};
use crate::error::Error;

/// The engine's name in archives.
const ENGINE: &str = "directory";

/// The result of [`FilesTarget::inspect`]. Nothing was written.
#[derive(Debug, Clone)]
pub(crate) struct FilesInspection {
    /// The changes, and up to a hundred examples: a key is the JSON array of a path.
    pub(crate) changes: TableChanges,
    /// The reasons why it cannot be done; empty if it can.
    pub(crate) refusals: Vec<FilesRefusal>,
    /// Sentences that an operator should read before continuing.
    pub(crate) warnings: Vec<String>,
    /// Size of the files that are staged, in bytes.
    pub(crate) needed_bytes: u64,
    /// Lower-case hex SHA-256 over device, inode and path of the directory.
    pub(crate) fingerprint: String,
    /// The directory, without links in its path.
    pub(crate) place: PathBuf,
    /// As in [`strongroom_archive::manifest::SourceRecord`].
    pub(crate) engine: String,
}

impl FilesTarget {
    /// Compares the set with the archive's files, and writes nothing.
    ///
    /// # Errors
    /// [`Error::FileUnreadable`] for a file that cannot be compared. Reasons to refuse the restore are not errors, but
    /// [`FilesInspection::refusals`].
    pub(crate) fn inspect(&self, wanted: &WantedFiles) -> Result<FilesInspection, Error> {
        Ok(self.look(wanted)?.0)
    }

    pub(super) fn look(&self, wanted: &WantedFiles) -> Result<(FilesInspection, Difference), Error> {
        let room =
            fstatvfs(self.root.as_fd()).map_err(|error| self.failing("cannot look at", "")(error.into()))?;
        let mut difference = self.difference(wanted, room.f_namemax)?;
        let staged = difference
            .staged(wanted)
            .fold((0_u64, 0_u64), |(files, bytes), file| (files + 1, bytes.saturating_add(file.bytes)));
        let (files, needed_bytes) = (staged.0 + difference.folders.len() as u64, staged.1);
        let available = room.f_bavail.saturating_mul(room.f_frsize);
        if needed_bytes > available {
            let message = format!(
                "{needed_bytes} bytes are needed in the directory and {available} are free: free some"
            );
            difference.refusals.add("DISK_SPACE", message);
        } else if room.f_files > 0 && files > room.f_favail {
            let message =
                format!("the file system has room for {} more files, and {files} are needed", room.f_favail);
            difference.refusals.add("DISK_SPACE", message);
        }
        self.check_folders(wanted, &mut difference)?;
        self.check_others(&mut difference)?;
        self.check_owner(&mut difference);
        let warnings = self.warnings(wanted, &difference)?;
        let inspection = FilesInspection {
            changes: difference.changes.clone(),
            refusals: std::mem::take(&mut difference.refusals).into_inner(),
            warnings,
            needed_bytes,
            fingerprint: self.fingerprint()?,
            place: fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone()),
            engine: ENGINE.to_owned(),
        };
        Ok((inspection, difference))
    }

    pub(super) fn fingerprint(&self) -> Result<String> {
        let own = self.own_facts()?;
        let mut hash = Sha256::new();
        hash.update(own.device.to_be_bytes());
        hash.update(own.facts.inode.to_be_bytes());
        hash.update(self.path.as_os_str().as_encoded_bytes());
        Ok(hex::encode(hash.finalize()))
    }

    fn own_facts(&self) -> Result<Seen> {
        let stat = rustix::fs::fstat(self.root.as_fd());
        Ok(Seen::of(&stat.map_err(|error| self.failing("cannot look at", "")(error.into()))?))
    }

    /// Each existing folder in which a file would change must allow renames.
    fn check_folders(&self, wanted: &WantedFiles, difference: &mut Difference) -> Result<()> {
        let mut refusals = std::mem::take(&mut difference.refusals);
        let mut touched: HashSet<&[u8]> = HashSet::from([&b""[..]]);
        let new: HashSet<&[u8]> = difference.folders.iter().map(TruePath::as_bytes).collect();
        let staged = difference.staged(wanted).map(|file| &file.path);
        for path in staged.chain(difference.removed.iter().map(|removed| &removed.path)) {
            let mut folder = parent(path.as_bytes()).unwrap_or_default();
            while new.contains(folder) {
                folder = parent(folder).unwrap_or_default();
            }
            touched.insert(folder);
        }
        // A folder's own link to its parent changes when it moves.
        touched.extend(difference.displaced.iter().map(TruePath::as_bytes));
        let mut touched: Vec<_> = touched.into_iter().collect();
        touched.sort_unstable();
        for folder in touched {
            let shown =
                if folder.is_empty() { "the directory".into() } else { String::from_utf8_lossy(folder) };
            match self.check_folder(folder) {
                Ok(()) => {}
                Err(Errno::XDEV) => {
                    let message = format!(
                        "{shown} is on another file system, or mounted on its own, where files cannot be renamed from the \
                         directory: make it a source of its own"
                    );
                    refusals.add("OTHER_FILE_SYSTEM", message);
                }
                Err(Errno::ROFS) => {
                    let message = format!(
                        "{shown} is on a file system that is mounted read-only: mount it for writing"
                    );
                    refusals.add("NOT_WRITABLE", message);
                }
                Err(Errno::ACCESS | Errno::PERM) => {
                    let message = format!(
                        "the backup service (user {}) has no right to write to {shown}: give it the right, \
                         or run it as a user who has it",
                        own_user()
                    );
                    refusals.add("NOT_WRITABLE", message);
                }
                // The comparison has reported the object in its place.
                Err(Errno::LOOP | Errno::NOTDIR | Errno::NOENT) => {}
                Err(error) => return Err(self.failing("cannot look at", &shown)(error.into())),
            }
        }
        difference.refusals = refusals;
        Ok(())
    }

    fn check_folder(&self, folder: &[u8]) -> Result<(), Errno> {
        let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let folder = self.root.open_folder(as_path(folder)).map_err(errno)?;
        accessat(folder.as_fd(), ".", Access::WRITE_OK.union(Access::EXEC_OK), AtFlags::EACCESS)
    }

    /// A set cannot have two unfinished restores.
    fn check_others(&self, difference: &mut Difference) -> Result<()> {
        let restores = match self.restores() {
            Ok(Some(restores)) => restores,
            Ok(None) => return Ok(()),
            Err(error @ FilesError::Foreign { .. }) => {
                difference.refusals.add("RESTORE_FOLDER", error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for (id, note) in self.others(&restores, "")? {
            if note.state != Marker::Applied {
                let message = format!(
                    "the restore {id} has files staged in the directory: wait until it ends; `strongroom restore get {id}` shows \
                     its state"
                );
                difference.refusals.add("OTHER_RESTORE", message);
            }
        }
        Ok(())
    }

    /// Checks that restored files can belong to their configured owner.
    fn check_owner(&self, difference: &mut Difference) {
        match self.owner.as_deref().map(Owner::resolve) {
            Some(Ok(owner)) if !owner.may_be_given() => {
                let message = format!(
                    "restore_owner is {owner}, and the backup service (user {}) cannot give files to it: \
                     give the service the capability CAP_CHOWN, or run it as that user",
                    own_user()
                );
                difference.refusals.add("RESTORE_OWNER", message);
            }
            Some(Err(problem)) => {
                let message =
                    format!("restore_owner: {problem}; write numbers, or a name that this machine knows");
                difference.refusals.add("RESTORE_OWNER", message);
            }
            _ => {}
        }
    }

    fn warnings(&self, wanted: &WantedFiles, difference: &Difference) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let (own, of_root) = (own_user(), self.own_facts()?.owner);
        if self.owner.is_none() && own != of_root {
            warnings.push(format!(
                "restored files will belong to the backup service's user {own}, and the directory belongs to \
                 user {of_root}: restore_owner sets the owner of restored files"
            ));
        }
        let set_id = difference.staged(wanted).filter(|file| file.has_set_id()).count();
        if set_id > 0 {
            warnings.push(format!(
                "{set_id} files have the set-user-id or set-group-id bit in the archive, which is not restored: set it by hand \
                 where it is needed"
            ));
        }
        if difference.changes.deleted > 0 {
            warnings.push("folders that become empty stay".to_owned());
        }
        Ok(warnings)
    }
}
