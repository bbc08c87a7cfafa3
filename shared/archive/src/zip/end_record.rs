//! The end of a ZIP: the end of central directory record and, above 65,535 entries or 4 GiB, the ZIP64 record
//! and its locator. APPNOTE 4.3.14 to 4.3.16.

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::{Error, Result};

const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: u64 = 22;
const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_BYTES: u64 = 20;
const END64_SIGNATURE: [u8; 4] = *b"PK\x06\x06";
const END64_BYTES: u64 = 56;
const LONGEST_COMMENT: u64 = 0xffff;

/// The location of the central directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndRecord {
    pub(crate) entries: u64,
    pub(crate) directory_start: u64,
    pub(crate) directory_bytes: u64,
}

/// Reads the end record from the end of the file and requires that it directly follows the central directory.
pub(crate) fn read<R: Read + Seek>(reader: &mut R) -> Result<EndRecord> {
    let length = reader.seek(SeekFrom::End(0)).map_err(Error::from_read)?;
    let Some(start) = length.checked_sub(END_BYTES) else {
        return Err(Error::NoEndRecord);
    };
    let end: [u8; END_BYTES as usize] = read_at(reader, start)?;
    if !end.starts_with(&END_SIGNATURE) {
        return Err(what_else(reader, length)?);
    }
    if u16_at(&end, 20) != 0 {
        return Err(Error::NoEndRecord);
    }
    if u16_at(&end, 4) != 0 || u16_at(&end, 6) != 0 {
        return Err(Error::EndRecord("it names more than one disk"));
    }
    if u16_at(&end, 8) != u16_at(&end, 10) {
        return Err(Error::EndRecord("it gives two different entry counts"));
    }
    let short = EndRecord {
        entries: u64::from(u16_at(&end, 10)),
        directory_start: u64::from(u32_at(&end, 16)),
        directory_bytes: u64::from(u32_at(&end, 12)),
    };
    match read_zip64(reader, start)? {
        Some((zip64_start, long)) => {
            let filled = |short: u64, all_ones: u64, long: u64| short == all_ones || short == long;
            let agree = filled(short.entries, 0xffff, long.entries)
                && filled(short.directory_start, 0xffff_ffff, long.directory_start)
                && filled(short.directory_bytes, 0xffff_ffff, long.directory_bytes);
            if !agree {
                return Err(Error::EndRecord("it disagrees with the ZIP64 end record"));
            }
            follows_directory(long, zip64_start)
        }
        None => follows_directory(short, start),
    }
}

fn read_zip64<R: Read + Seek>(reader: &mut R, end_start: u64) -> Result<Option<(u64, EndRecord)>> {
    let Some(locator_start) = end_start.checked_sub(LOCATOR_BYTES) else {
        return Ok(None);
    };
    let locator: [u8; LOCATOR_BYTES as usize] = read_at(reader, locator_start)?;
    if !locator.starts_with(&LOCATOR_SIGNATURE) {
        return Ok(None);
    }
    let start = u64_at(&locator, 8);
    if locator_start.checked_sub(END64_BYTES) != Some(start) {
        return Err(Error::EndRecord("its ZIP64 locator points elsewhere"));
    }
    let end64: [u8; END64_BYTES as usize] = read_at(reader, start)?;
    if !end64.starts_with(&END64_SIGNATURE) || u64_at(&end64, 4) != END64_BYTES - 12 {
        return Err(Error::EndRecord("there is no ZIP64 end record where its locator points"));
    }
    let disks = [u32_at(&locator, 4), u32_at(&end64, 16), u32_at(&end64, 20)];
    if disks != [0; 3] || u32_at(&locator, 16) != 1 {
        return Err(Error::EndRecord("it names more than one disk"));
    }
    if u64_at(&end64, 24) != u64_at(&end64, 32) {
        return Err(Error::EndRecord("it gives two different entry counts"));
    }
    let record = EndRecord {
        entries: u64_at(&end64, 32),
        directory_start: u64_at(&end64, 48),
        directory_bytes: u64_at(&end64, 40),
    };
    Ok(Some((start, record)))
}

fn follows_directory(record: EndRecord, start: u64) -> Result<EndRecord> {
    match record.directory_start.checked_add(record.directory_bytes) {
        Some(end) if end == start => Ok(record),
        Some(end) if end < start => {
            let before = "the end record".to_owned();
            Err(Error::Hidden { before, bytes: start - end })
        }
        _ => Err(Error::EndRecord("it places the central directory beyond itself")),
    }
}

/// Distinguishes an archive with a comment from one without an end, and both from another kind of file.
fn what_else<R: Read + Seek>(reader: &mut R, length: u64) -> Result<Error> {
    if !begins_like_zip(reader)? {
        return Ok(Error::NotZip);
    }
    let start = length.saturating_sub(END_BYTES + LONGEST_COMMENT);
    reader.seek(SeekFrom::Start(start)).map_err(Error::from_read)?;
    let mut tail = Vec::new();
    reader.take(END_BYTES + LONGEST_COMMENT).read_to_end(&mut tail).map_err(Error::from_read)?;
    let has_comment = tail.windows(END_BYTES as usize).enumerate().any(|(at, window)| {
        let comment = usize::from(u16_at(window, 20));
        window.starts_with(&END_SIGNATURE) && at + window.len() + comment == tail.len()
    });
    Ok(if has_comment { Error::Comment } else { Error::NoEndRecord })
}

/// Every archive begins with an entry's local header.
fn begins_like_zip<R: Read + Seek>(reader: &mut R) -> Result<bool> {
    Ok(read_at::<R, 4>(reader, 0)? == LOCAL_SIGNATURE)
}

fn read_at<R: Read + Seek, const N: usize>(reader: &mut R, start: u64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut read = || -> io::Result<()> {
        reader.seek(SeekFrom::Start(start))?;
        reader.read_exact(&mut bytes)
    };
    read().map_err(Error::from_read)?;
    Ok(bytes)
}

/// Little-endian numbers at offsets that every caller keeps within a record of fixed size.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
