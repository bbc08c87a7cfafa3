//! Strict reading of a ZIP: FORMAT.md §2.
//!
//! A ZIP states most things twice, and tools that trust different statements see different archives. The end
//! record and the central directory are therefore read here, entry by entry, before the `zip` crate's view of
//! them is used, and every byte of the file must belong to some structure.

use std::io::{Read, Seek};
use std::sync::Arc;

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config, ZipArchiveMetadata};

use super::header::Entry;
use super::{directory, end_record, layout};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// A ZIP that complies, and the names of its entries in the order of the central directory.
pub(crate) struct CheckedZip<R> {
    pub(crate) metadata: Arc<ZipArchiveMetadata>,
    pub(crate) reader: R,
    pub(crate) names: Vec<String>,
    /// The same entries in file order.
    pub(crate) entries: Vec<Entry>,
    pub(crate) directory_start: u64,
}

/// Opens a ZIP and checks its whole structure, but none of its contents.
pub(crate) fn open_zip<R: Read + Seek>(mut reader: R, limits: &Limits) -> Result<CheckedZip<R>> {
    let end = end_record::read(&mut reader)?;
    limits.check_entries(end.entries)?;
    let names = directory::read_names(&mut reader, &end, limits)?;
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let zip = ZipArchive::with_config(config, reader).map_err(Error::from_zip)?;
    if zip.len() != names.len() || zip.central_directory_start() != end.directory_start {
        return Err(Error::EndRecord("a second one contradicts it"));
    }
    let metadata = zip.metadata();
    let (reader, entries) = layout::check(zip, &names)?;
    Ok(CheckedZip { metadata, reader, names, entries, directory_start: end.directory_start })
}
