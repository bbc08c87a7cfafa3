//! A ZIP made by hand, every field of which can lie.

use std::io::{Cursor, Read, Write};

/// One entry; what it says of itself need not be true.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// What the local header says, when it says something else.
    pub(crate) local: Option<Box<Entry>>,
    /// The bytes in the file.
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc32: u32,
    pub(crate) compressed: u32,
    pub(crate) uncompressed: u32,
    pub(crate) attributes: u32,
    pub(crate) extra: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    /// Bytes between this entry and the one before it.
    pub(crate) before: Vec<u8>,
    /// Points at the header of the first entry instead of its own.
    pub(crate) shares_first: bool,
}

/// A stored entry that tells the truth.
pub(crate) fn stored(name: &str, data: &[u8]) -> Entry {
    let length = u32::try_from(data.len()).unwrap();
    Entry {
        name: name.as_bytes().to_vec(),
        local: None,
        data: data.to_vec(),
        method: 0,
        flags: 1 << 11,
        crc32: crc32(data),
        compressed: length,
        uncompressed: length,
        attributes: 0o100_644 << 16,
        extra: Vec::new(),
        comment: Vec::new(),
        before: Vec::new(),
        shares_first: false,
    }
}

/// A deflated entry that tells the truth.
pub(crate) fn deflated(name: &str, content: &[u8]) -> Entry {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip_of("x", content))).unwrap();
    let mut raw = zip.by_index_raw(0).unwrap();
    let mut data = Vec::new();
    raw.read_to_end(&mut data).unwrap();
    Entry {
        method: 8,
        crc32: raw.crc32(),
        compressed: u32::try_from(data.len()).unwrap(),
        uncompressed: u32::try_from(content.len()).unwrap(),
        data,
        ..stored(name, b"")
    }
}

/// An ordinary ZIP with one entry.
pub(crate) fn zip_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

/// The end record, and what surrounds the entries.
#[derive(Clone, Default)]
pub(crate) struct Frame {
    /// Bytes before the first entry; offsets take no account of them.
    pub(crate) prefix: Vec<u8>,
    /// Bytes between the central directory and the end record.
    pub(crate) before_end: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) trailing: Vec<u8>,
    /// Added to the counts of the end record.
    pub(crate) miscount: i16,
    /// The count of this disk's entries, when it is another one.
    pub(crate) second_count: Option<u16>,
    pub(crate) disk: u16,
    /// The count of a ZIP64 end record, when there is one.
    pub(crate) zip64_entries: Option<u64>,
}

pub(crate) fn build(entries: &[Entry], frame: &Frame) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        file.extend_from_slice(&entry.before);
        let offset = if entry.shares_first { 0 } else { u32::try_from(file.len()).unwrap() };
        if !entry.shares_first {
            let local = entry.local.as_deref().unwrap_or(entry);
            file.extend_from_slice(b"PK\x03\x04");
            file.extend_from_slice(&common(local));
            file.extend_from_slice(&local.name);
            file.extend_from_slice(&local.extra);
            file.extend_from_slice(&entry.data);
        }
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        directory.extend_from_slice(&common(entry));
        directory.extend_from_slice(&u16::try_from(entry.comment.len()).unwrap().to_le_bytes());
        directory.extend_from_slice(&[0; 4]);
        directory.extend_from_slice(&entry.attributes.to_le_bytes());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(&entry.name);
        directory.extend_from_slice(&entry.extra);
        directory.extend_from_slice(&entry.comment);
    }
    let start = u32::try_from(file.len()).unwrap();
    let count = frame.zip64_entries.filter(|count| *count > 0xffff).unwrap_or(entries.len() as u64);
    let count = u16::try_from(count).unwrap_or(u16::MAX).wrapping_add_signed(frame.miscount);
    let mut all = frame.prefix.clone();
    all.extend_from_slice(&file);
    all.extend_from_slice(&directory);
    if let Some(entries) = frame.zip64_entries {
        all.extend_from_slice(&zip64_end(all.len() as u64, entries, directory.len() as u64, start));
    }
    all.extend_from_slice(&frame.before_end);
    all.extend_from_slice(b"PK\x05\x06");
    for field in [frame.disk, frame.disk, frame.second_count.unwrap_or(count), count] {
        all.extend_from_slice(&field.to_le_bytes());
    }
    all.extend_from_slice(&u32::try_from(directory.len()).unwrap().to_le_bytes());
    all.extend_from_slice(&start.to_le_bytes());
    all.extend_from_slice(&u16::try_from(frame.comment.len()).unwrap().to_le_bytes());
    all.extend_from_slice(&frame.comment);
    all.extend_from_slice(&frame.trailing);
    all
}

/// A ZIP64 end record that begins at `place`, and its locator.
fn zip64_end(place: u64, entries: u64, directory_bytes: u64, directory_start: u32) -> Vec<u8> {
    let mut bytes = b"PK\x06\x06".to_vec();
    bytes.extend_from_slice(&44_u64.to_le_bytes());
    bytes.extend_from_slice(&[45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for field in [entries, entries, directory_bytes, u64::from(directory_start)] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    bytes.extend_from_slice(&place.to_le_bytes());
    bytes.extend_from_slice(&1_u32.to_le_bytes());
    bytes
}

/// The fields that local and central header have in common, in the order of both.
fn common(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [20, entry.flags, entry.method, 0, 0x21] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for field in [entry.crc32, entry.compressed, entry.uncompressed] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for length in [entry.name.len(), entry.extra.len()] {
        bytes.extend_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
    }
    bytes
}

/// CRC-32 as ZIP uses it, bit by bit.
pub(crate) fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = 0_u32.wrapping_sub(crc & 1);
            crc = (crc >> 1) ^ (0xedb8_8320 & carry);
        }
    }
    !crc
}
