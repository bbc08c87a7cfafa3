//! Checks that the entries fill the file: each local header agrees with the central directory, and the
//! header, data and data descriptor of one entry end where the next entry begins.

use std::io::{Read, Seek, SeekFrom};

use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::end_record::{u32_at, u64_at};
use super::header::{Entry, Form};
use crate::error::{Error, Result};

const DESCRIPTOR_SIGNATURE: [u8; 4] = *b"PK\x07\x08";

/// The location of one entry, and the required content of its descriptor.
struct Extent {
    entry: Entry,
    data_end: u64,
    has_descriptor: bool,
}

/// Checks the layout of all entries; `names` are those of the central directory, in order. Returns the
/// entries in file order.
pub(crate) fn check<R: Read + Seek>(mut zip: ZipArchive<R>, names: &[String]) -> Result<(R, Vec<Entry>)> {
    let mut extents = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        extents.push(extent(&mut zip, index, name)?);
    }
    extents.sort_by_key(|extent| extent.entry.header_start);
    let directory_start = zip.central_directory_start();
    let mut reader = zip.into_inner();
    let mut expected = 0;
    for (index, extent) in extents.iter().enumerate() {
        if extent.entry.header_start > expected {
            let bytes = extent.entry.header_start - expected;
            return Err(Error::Hidden { before: format!("{:?}", extent.entry.name), bytes });
        }
        let next = extents.get(index + 1);
        expected = next.map_or(directory_start, |next| next.entry.header_start);
        let Some(gap) = expected.checked_sub(extent.data_end) else {
            return Err(Error::Overlap { entry: extent.entry.name.clone() });
        };
        if extent.has_descriptor && matches!(gap, 12 | 16 | 20 | 24) {
            check_descriptor(&mut reader, extent, gap)?;
        } else if extent.has_descriptor || gap > 0 {
            let directory = "the central directory".to_owned();
            let before = next.map_or(directory, |next| format!("{:?}", next.entry.name));
            return Err(Error::Hidden { before, bytes: gap });
        }
    }
    Ok((reader, extents.into_iter().map(|extent| extent.entry).collect()))
}

fn extent<R: Read + Seek>(zip: &mut ZipArchive<R>, index: usize, name: &str) -> Result<Extent> {
    let options = ZipReadOptions::new().enforce_header_consistency(true);
    let file = zip.by_index_with_options(index, options);
    let file = file.map_err(|error| match error {
        zip::result::ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::from_read(error)
        }
        other => inconsistent(name, &other.to_string()),
    })?;
    if file.name_raw() != name.as_bytes() {
        return Err(inconsistent(name, "an extra field replaces its name"));
    }
    let data_start = file.data_start().ok_or_else(|| inconsistent(name, "it has no data"))?;
    let data_end = data_start.checked_add(file.compressed_size());
    let entry = Entry {
        name: name.to_owned(),
        form: if file.compression() == CompressionMethod::Stored { Form::Stored } else { Form::Deflated },
        header_start: file.header_start(),
        crc32: file.crc32(),
        compressed: file.compressed_size(),
        uncompressed: file.size(),
    };
    Ok(Extent {
        entry,
        data_end: data_end.ok_or_else(|| inconsistent(name, "its size exceeds that of any file"))?,
        has_descriptor: file.flags().is_using_data_descriptor(),
    })
}

/// Descriptors have an optional signature and sizes of 4 or 8 bytes: their length, known from the gap,
/// determines the form (APPNOTE 4.3.9).
fn check_descriptor<R: Read + Seek>(reader: &mut R, extent: &Extent, length: u64) -> Result<()> {
    let Extent { entry, data_end, .. } = extent;
    let mut bytes = Vec::with_capacity(24);
    reader.seek(SeekFrom::Start(*data_end)).map_err(Error::from_read)?;
    reader.take(length).read_to_end(&mut bytes).map_err(Error::from_read)?;
    let fields = match bytes.strip_prefix(&DESCRIPTOR_SIGNATURE) {
        Some(fields) if matches!(length, 16 | 24) => fields,
        _ => bytes.as_slice(),
    };
    let found = match fields.len() {
        12 => (u32_at(fields, 0), u64::from(u32_at(fields, 4)), u64::from(u32_at(fields, 8))),
        20 => (u32_at(fields, 0), u64_at(fields, 4), u64_at(fields, 12)),
        _ => return Err(inconsistent(&entry.name, "its data descriptor has no signature")),
    };
    if found != (entry.crc32, entry.compressed, entry.uncompressed) {
        return Err(inconsistent(&entry.name, "its data descriptor gives other sizes or checksums"));
    }
    Ok(())
}

fn inconsistent(name: &str, detail: &str) -> Error {
    Error::Inconsistent { entry: name.to_owned(), detail: detail.to_owned() }
}
