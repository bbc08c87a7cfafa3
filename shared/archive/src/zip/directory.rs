//! The central directory, header by header. APPNOTE 4.3.12.
//!
//! Read directly from the file: the `zip` crate merges entries of the same name and lets extra fields replace
//! names; both are refused here.

use std::collections::HashSet;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::end_record::{EndRecord, u16_at, u32_at};
use super::entry_name::{check_name, fold_case};
use crate::error::{Error, Result};
use crate::limits::Limits;

const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const FIXED_BYTES: usize = 46;
/// Size of the extra fields that common tools write: ZIP64, times, owners.
const EXTRA_BYTES: u64 = 256;

/// Bits 0, 6 and 13: encrypted, strongly encrypted, masked headers.
const ENCRYPTION_FLAGS: u16 = 1 | 1 << 6 | 1 << 13;
const UTF8_FLAG: u16 = 1 << 11;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The names of all entries in order; each is checked, and no two are alike.
pub(crate) fn read_names<R: Read + Seek>(
    reader: &mut R,
    end: &EndRecord,
    limits: &Limits,
) -> Result<Vec<String>> {
    let most = FIXED_BYTES as u64 + limits.entry_name_bytes + EXTRA_BYTES;
    if end.directory_bytes > end.entries.saturating_mul(most) {
        return Err(Error::EndRecord("the central directory is larger than its entries can need"));
    }
    reader.seek(SeekFrom::Start(end.directory_start)).map_err(Error::from_read)?;
    let mut directory = BufReader::new(reader.take(end.directory_bytes));
    let mut names = Vec::new();
    let mut exact = HashSet::new();
    let mut folded = HashSet::new();
    for _ in 0..end.entries {
        let name = read_header(&mut directory, limits)?;
        if !exact.insert(name.clone()) {
            return Err(Error::Duplicate { entry: name });
        }
        if !folded.insert(fold_case(&name)) {
            return Err(Error::CaseDuplicate { entry: name });
        }
        names.push(name);
    }
    let mut rest = [0];
    match directory.read(&mut rest).map_err(Error::from_read)? {
        0 => Ok(names),
        _ => Err(Error::EndRecord("it counts fewer entries than there are")),
    }
}

fn read_header<R: Read>(directory: &mut R, limits: &Limits) -> Result<String> {
    let mut fixed = [0; FIXED_BYTES];
    fill(directory, &mut fixed)?;
    if !fixed.starts_with(&SIGNATURE) {
        return Err(Error::EndRecord("it counts more entries than there are"));
    }
    let mut name = vec![0; usize::from(u16_at(&fixed, 28))];
    fill(directory, &mut name)?;
    let mut extra = vec![0; usize::from(u16_at(&fixed, 30)) + usize::from(u16_at(&fixed, 32))];
    fill(directory, &mut extra)?;

    let shown = String::from_utf8_lossy(&name).into_owned();
    let flags = u16_at(&fixed, 8);
    let readable = name.is_ascii() || flags & UTF8_FLAG != 0;
    let name = match String::from_utf8(name) {
        Ok(name) if readable => name,
        _ => return Err(Error::Name { entry: shown, problem: "is not UTF-8, or not marked as UTF-8" }),
    };
    check_kind(&name, u32_at(&fixed, 38))?;
    check_name(&name, limits)?;
    if flags & ENCRYPTION_FLAGS != 0 {
        return Err(Error::Encrypted { entry: name });
    }
    let method = u16_at(&fixed, 10);
    if method != STORED && method != DEFLATED {
        return Err(Error::Method { entry: name, method });
    }
    if u16_at(&fixed, 32) != 0 {
        return Err(Error::EntryComment { entry: name });
    }
    Ok(name)
}

/// The Unix file type is in the upper half of the external attributes; it is zero if the entry was not made
/// on Unix.
fn check_kind(name: &str, external_attributes: u32) -> Result<()> {
    let what = match external_attributes >> 28 {
        _ if name.ends_with('/') => "a directory",
        0 | 0o10 => return Ok(()),
        0o04 => "a directory",
        0o12 => "a symbolic link",
        _ => "a device or another special file",
    };
    Err(Error::NotAFile { entry: name.to_owned(), what })
}

fn fill<R: Read>(directory: &mut R, bytes: &mut [u8]) -> Result<()> {
    directory.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::EndRecord("it counts more entries than there are"),
        _ => Error::from_read(error),
    })
}
