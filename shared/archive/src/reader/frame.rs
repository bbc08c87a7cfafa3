//! Compares the ZIP structures around the entries with those that an archive's writer produces: FORMAT.md §2.
//!
//! Most header fields do not affect what is read, so a changed one would go unnoticed. This is the last
//! check, because the errors of the earlier ones are more specific.

use std::io::{BufReader, Read, Seek, SeekFrom};

use crate::error::{Error, Result};
use crate::manifest::{MANIFEST_ENTRY, SIGNATURE_ENTRY};
use crate::zip::{Entry, Form, end_records};

const OTHER_END: Error = Error::EndRecord("it is not in the form that an archive writer gives it");

/// Compares the central directory, the end records and the local headers that `zip_sha256` does not cover.
/// `names` are in the order of the central directory, `entries` in file order. Returns the start of the
/// manifest.
pub(super) fn check<R: Read + Seek>(
    reader: &mut R,
    names: &[String],
    entries: &[Entry],
    directory_start: u64,
) -> Result<u64> {
    let last = check_places(names, entries)?;
    check_directory(reader, entries, directory_start)?;
    last.iter().try_for_each(|entry| check_local(reader, entry))?;
    last.first().map(|manifest| manifest.header_start).ok_or(Error::NoManifest)
}

/// Entries must be in the listed order, followed only by the manifest and its signature, which are returned.
fn check_places<'a>(names: &[String], entries: &'a [Entry]) -> Result<&'a [Entry]> {
    let listed = entries.iter().take_while(|entry| !is_last(entry)).count();
    let last = entries.get(listed..).unwrap_or_default();
    let mut expected = [MANIFEST_ENTRY, SIGNATURE_ENTRY].into_iter();
    let other = names.iter().zip(entries).find(|(name, entry)| **name != entry.name).map(|(_, entry)| entry);
    let late = || last.iter().find(|entry| expected.next() != Some(entry.name.as_str()));
    match other.or_else(late) {
        Some(entry) => Err(Error::Place { entry: entry.name.clone() }),
        None => Ok(last),
    }
}

fn is_last(entry: &Entry) -> bool {
    entry.name == MANIFEST_ENTRY || entry.name == SIGNATURE_ENTRY
}

/// Stored entries are marked as stored and have a single size.
fn has_form(entry: &Entry) -> bool {
    match entry.form {
        Form::Stored => is_last(entry) && entry.compressed == entry.uncompressed,
        Form::Deflated => !is_last(entry),
    }
}

fn check_directory<R: Read + Seek>(reader: &mut R, entries: &[Entry], start: u64) -> Result<()> {
    reader.seek(SeekFrom::Start(start)).map_err(Error::from_read)?;
    let mut directory = BufReader::new(reader);
    let mut bytes = 0;
    for entry in entries {
        let header = entry.central_header();
        bytes += header.len() as u64;
        if !has_form(entry) || !continues_with(&mut directory, &header)? {
            return Err(Error::Header { entry: entry.name.clone() });
        }
    }
    let end = end_records(entries.len() as u64, start, bytes);
    if !continues_with(&mut directory, &end)? || !is_at_end(&mut directory)? {
        return Err(OTHER_END);
    }
    Ok(())
}

fn check_local<R: Read + Seek>(reader: &mut R, entry: &Entry) -> Result<()> {
    reader.seek(SeekFrom::Start(entry.header_start)).map_err(Error::from_read)?;
    if !continues_with(reader, &entry.local_header())? {
        return Err(Error::Header { entry: entry.name.clone() });
    }
    Ok(())
}

fn continues_with<R: Read>(reader: &mut R, expected: &[u8]) -> Result<bool> {
    let mut found = Vec::with_capacity(expected.len());
    reader.take(expected.len() as u64).read_to_end(&mut found).map_err(Error::from_read)?;
    Ok(found == expected)
}

fn is_at_end<R: Read>(reader: &mut R) -> Result<bool> {
    let rest = reader.read(&mut [0]).map_err(Error::from_read)?;
    Ok(rest == 0)
}
