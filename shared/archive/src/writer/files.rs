//! Files of a file set: an entry each, and a check that they will fit before the first one is read.

use std::collections::HashSet;
use std::io::Write;

use super::ArchiveWriter;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::manifest::{EntryKind, EntryRecord};
use crate::zip::{check_name, fold_case};

/// Tells of a list of files whether an archive takes them, so that an export need not fail half-way.
///
/// The writer and every reader check the same again.
#[derive(Debug)]
pub struct FileCheck {
    limits: Limits,
    folded_names: HashSet<String>,
    bytes: u64,
}

impl FileCheck {
    /// With no file yet.
    #[must_use]
    pub fn create(limits: Limits) -> Self {
        Self { limits, folded_names: HashSet::new(), bytes: 0 }
    }

    /// Adds the file `path` of `set`, with `bytes` bytes.
    ///
    /// # Errors
    /// [`Error::Name`] and [`Error::CaseDuplicate`] for what no archive holds, [`Error::Limit`] for what is too
    /// much.
    pub fn add(&mut self, set: &str, path: &str, bytes: u64) -> Result<()> {
        let name = entry_name(set, path);
        check_name(&name, &self.limits)?;
        self.limits.check_entry(&name, bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        self.limits.check_total(self.bytes)?;
        if !self.folded_names.insert(fold_case(&name)) {
            return Err(Error::CaseDuplicate { entry: name });
        }
        self.limits.check_entries(self.folded_names.len() as u64)
    }
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins `files/<set>/<path>`; its bytes follow with [`ArchiveWriter::write`].
    pub fn start_file(&mut self, set: &str, path: &str) -> Result<()> {
        let source = Some(set.to_owned());
        let name = entry_name(set, path);
        self.start_entry(EntryRecord { source, ..EntryRecord::new(&name, EntryKind::File) })
    }

    /// Ends the file. `grew` says in the manifest that there was more of it than the entry holds.
    pub fn finish_file(&mut self, grew: bool) -> Result<()> {
        self.note(|record| record.grew = grew);
        self.finish_entry().map(drop)
    }
}

fn entry_name(set: &str, path: &str) -> String {
    format!("files/{set}/{path}")
}
