//! Files of a file set: one entry each, and a check that they will fit before the first one is read.

use std::collections::HashSet;
use std::io::Write;

use jiff::Timestamp;

use super::ArchiveWriter;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::manifest::{EntryKind, EntryRecord, MANIFEST_ENTRY, TruePath};
use crate::zip::{FilePaths, check_name, fold_case};

/// The permission bits of a mode, including set-user-ID, set-group-ID and sticky.
const PERMISSIONS: u32 = 0o7777;

/// Checks whether an archive can contain a list of files, so that an export does not fail midway.
///
/// The writer and every reader repeat the same checks.
#[derive(Debug)]
pub struct FileCheck {
    limits: Limits,
    paths: FilePaths,
    folded_names: HashSet<String>,
    bytes: u64,
    manifest_bytes: u64,
}

impl FileCheck {
    /// A check without files yet.
    #[must_use]
    pub fn create(limits: Limits) -> Self {
        let (paths, folded_names) = (FilePaths::default(), HashSet::new());
        Self { limits, paths, folded_names, bytes: 0, manifest_bytes: 0 }
    }

    /// Adds the file `path` of `set`, with `bytes` bytes.
    ///
    /// # Errors
    /// [`Error::Limit`] if a limit is exceeded. Every name is accepted.
    pub fn add(&mut self, set: &str, path: &TruePath, bytes: u64) -> Result<()> {
        let name = self.paths.name(set, path, &self.limits, &self.folded_names);
        check_name(&name, &self.limits)?;
        self.limits.check_entry(&name, bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        self.limits.check_total(self.bytes)?;
        self.folded_names.insert(fold_case(&name));
        // Two more entries: the manifest and its signature.
        self.limits.check_entries(self.folded_names.len() as u64 + 2)?;
        let record = file_record(set, path, &name, 0, Timestamp::MAX);
        self.check_manifest(EntryRecord { bytes, ..record })
    }

    /// With long paths, the manifest reaches its limit before the number of entries does.
    fn check_manifest(&mut self, mut record: EntryRecord) -> Result<()> {
        record.sha256 = "0".repeat(64);
        let json = serde_json::to_vec(&record).map_err(Error::ManifestJson)?;
        // It is indented by four characters in the list, and ends in a comma and a line feed.
        self.manifest_bytes += (json.len() + 6) as u64;
        if self.manifest_bytes > self.limits.manifest_bytes {
            return Err(Error::entry_limit(MANIFEST_ENTRY, self.limits.manifest_bytes, "bytes"));
        }
        Ok(())
    }
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins the file `path` of `set`; its bytes follow with [`ArchiveWriter::write`]. Only the permission
    /// bits of `mode` are kept.
    pub fn start_file(
        &mut self,
        set: &str,
        path: &TruePath,
        mode: u32,
        modified_at: Timestamp,
    ) -> Result<()> {
        let name = self.paths.name(set, path, &self.limits, &self.folded_names);
        self.start_entry(file_record(set, path, &name, mode, modified_at))
    }

    /// Ends the file. `grew` records in the manifest that the file had more bytes than the entry.
    pub fn finish_file(&mut self, grew: bool) -> Result<()> {
        self.note(|record| record.grew = grew);
        self.finish_entry().map(drop)
    }
}

fn file_record(set: &str, path: &TruePath, name: &str, mode: u32, modified_at: Timestamp) -> EntryRecord {
    let mut record = EntryRecord::new(name, EntryKind::File);
    record.source = Some(set.to_owned());
    let is_name = record.file_path_bytes() == Some((set, path.as_bytes()));
    record.path = (!is_name).then(|| path.clone());
    record.mode = Some(format!("{:04o}", mode & PERMISSIONS));
    record.modified_at = Some(modified_at);
    record
}
