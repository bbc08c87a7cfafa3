//! The strict reading of a ZIP: FORMAT.md §2.
//!
//! ZIP says most things twice, and tools that believe different halves see different archives. So the end
//! record and the central directory are walked here, entry by entry, before the `zip` crate's view of
//! them is used, and every byte of the file must belong to something.

use std::io::{Read, Seek};
use std::sync::Arc;

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config, ZipArchiveMetadata};

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::{directory, end_record, layout};

/// A ZIP that passed, and the names of its entries in the order of the central directory.
pub(crate) struct CheckedZip<R> {
    pub(crate) metadata: Arc<ZipArchiveMetadata>,
    pub(crate) reader: R,
    pub(crate) names: Vec<String>,
}

/// Opens a ZIP and checks all of its structure, but none of its contents.
pub(crate) fn open<R: Read + Seek>(mut reader: R, limits: &Limits) -> Result<CheckedZip<R>> {
    let end = end_record::read(&mut reader)?;
    limits.check_entries(end.entries)?;
    let names = directory::read_names(&mut reader, &end, limits)?;
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let zip = ZipArchive::with_config(config, reader).map_err(Error::from_zip)?;
    if zip.len() != names.len() || zip.central_directory_start() != end.directory_start {
        return Err(Error::EndRecord("a second one says something else"));
    }
    let metadata = zip.metadata();
    let reader = layout::check(zip, &names)?;
    Ok(CheckedZip { metadata, reader, names })
}

/// Refuses a name that could lead anywhere but below the folder it is unpacked in, on any system.
pub(crate) fn check_name(name: &str, limits: &Limits) -> Result<()> {
    if name.len() as u64 > limits.entry_name_bytes {
        let shown: String = name.chars().take(60).collect();
        let subject = format!("the name of the entry {shown:?}…");
        let limit = limits.entry_name_bytes;
        return Err(Error::Limit { subject, limit, unit: "bytes" });
    }
    let problem = match name.as_bytes() {
        [] => "is empty",
        [b'/', ..] => "is an absolute path",
        [drive, b':', ..] if drive.is_ascii_alphabetic() => "begins with a drive letter",
        bytes if bytes.contains(&b'\\') => "contains a backslash",
        bytes if bytes.contains(&0) => "contains a NUL",
        _ if name.contains(char::is_control) => "contains a control character",
        _ if name.split('/').any(|part| part == "..") => "climbs out of its folder with \"..\"",
        _ if name.split('/').any(|part| part.is_empty() || part == ".") => "has an empty part",
        _ => return Ok(()),
    };
    Err(Error::Name { entry: name.to_owned(), problem })
}
