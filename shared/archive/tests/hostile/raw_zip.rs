//! A ZIP assembled by hand, in which every field can lie.

use std::io::{Cursor, Read, Write};

/// One entry; its declarations need not be true.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// The local header's data, if different.
    pub(crate) local: Option<Box<Entry>>,
    /// The bytes in the file.
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc32: u32,
    pub(crate) compressed: u64,
    pub(crate) uncompressed: u64,
    /// Has the sizes in a ZIP64 field before `extra`, and placeholders in the normal fields.
    pub(crate) zip64: bool,
    /// Has a descriptor after the data, and zeros in the local header instead.
    pub(crate) descriptor: bool,
    pub(crate) attributes: u32,
    pub(crate) extra: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    /// Bytes between this entry and the one before it.
    pub(crate) before: Vec<u8>,
    /// Points to the header of the first entry instead of its own.
    pub(crate) shares_first: bool,
}

/// A truthful stored entry, as simple tools write it.
pub(crate) fn stored(name: &str, data: &[u8]) -> Entry {
    Entry {
        name: name.as_bytes().to_vec(),
        local: None,
        data: data.to_vec(),
        method: 0,
        flags: 1 << 11,
        crc32: crc32(data),
        compressed: data.len() as u64,
        uncompressed: data.len() as u64,
        zip64: false,
        descriptor: false,
        attributes: 0o100_644 << 16,
        extra: Vec::new(),
        comment: Vec::new(),
        before: Vec::new(),
        shares_first: false,
    }
}

/// A stored entry as an archive's writer makes the last two entries.
pub(crate) fn last(name: &str, data: &[u8]) -> Entry {
    Entry { flags: utf8_flag(name), zip64: true, ..stored(name, data) }
}

/// A truthful deflated entry, as an archive's writer makes it.
pub(crate) fn deflated(name: &str, content: &[u8]) -> Entry {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip_of("x", content))).unwrap();
    let mut raw = zip.by_index_raw(0).unwrap();
    let mut data = Vec::new();
    raw.read_to_end(&mut data).unwrap();
    Entry {
        method: 8,
        flags: 1 << 3 | utf8_flag(name),
        crc32: raw.crc32(),
        compressed: data.len() as u64,
        uncompressed: content.len() as u64,
        zip64: true,
        descriptor: true,
        data,
        ..stored(name, b"")
    }
}

fn utf8_flag(name: &str) -> u16 {
    if name.is_ascii() { 0 } else { 1 << 11 }
}

/// An ordinary ZIP with one entry.
pub(crate) fn zip_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    writer.start_file(name, options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

/// The end record, and the bytes around the entries.
#[derive(Clone, Default)]
pub(crate) struct Frame {
    /// Bytes before the first entry; offsets do not account for them.
    pub(crate) prefix: Vec<u8>,
    /// Bytes between the central directory and the end record.
    pub(crate) before_end: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) trailing: Vec<u8>,
    /// Added to the counts of the end record.
    pub(crate) miscount: i16,
    /// The entry count of this disk, if different.
    pub(crate) second_count: Option<u16>,
    pub(crate) disk: u16,
    /// The entry count of a ZIP64 end record, if there is one.
    pub(crate) zip64_entries: Option<u64>,
}

pub(crate) fn build(entries: &[Entry], frame: &Frame) -> Vec<u8> {
    let file = local_part(entries);
    let mut directory = Vec::new();
    let mut offset = 0;
    for entry in entries {
        let after = offset + local_bytes(entry).len();
        let start = if entry.shares_first { 0 } else { offset + entry.before.len() };
        offset = after;
        let common = Common::of(entry);
        directory.extend_from_slice(if entry.zip64 { b"PK\x01\x02\x2d\x03" } else { b"PK\x01\x02\x14\x03" });
        directory.extend_from_slice(&common.fields);
        directory.extend_from_slice(&u16::try_from(entry.comment.len()).unwrap().to_le_bytes());
        directory.extend_from_slice(&[0; 4]);
        directory.extend_from_slice(&entry.attributes.to_le_bytes());
        directory.extend_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
        directory.extend_from_slice(&entry.name);
        directory.extend_from_slice(&common.extra);
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

/// Everything before the central directory.
pub(crate) fn local_part(entries: &[Entry]) -> Vec<u8> {
    entries.iter().flat_map(local_bytes).collect()
}

fn local_bytes(entry: &Entry) -> Vec<u8> {
    let mut bytes = entry.before.clone();
    if entry.shares_first {
        return bytes;
    }
    let local = match entry.local.as_deref() {
        Some(local) => local.clone(),
        None if entry.descriptor => Entry { crc32: 0, compressed: 0, uncompressed: 0, ..entry.clone() },
        None => entry.clone(),
    };
    let common = Common::of(&local);
    bytes.extend_from_slice(b"PK\x03\x04");
    bytes.extend_from_slice(&common.fields);
    bytes.extend_from_slice(&local.name);
    bytes.extend_from_slice(&common.extra);
    bytes.extend_from_slice(&entry.data);
    if entry.descriptor {
        bytes.extend_from_slice(b"PK\x07\x08");
        bytes.extend_from_slice(&entry.crc32.to_le_bytes());
        bytes.extend_from_slice(&entry.compressed.to_le_bytes());
        bytes.extend_from_slice(&entry.uncompressed.to_le_bytes());
    }
    bytes
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

/// The common part of a local and a central header.
struct Common {
    /// In the order of both headers.
    fields: Vec<u8>,
    extra: Vec<u8>,
}

impl Common {
    fn of(entry: &Entry) -> Self {
        let sizes = [entry.compressed, entry.uncompressed];
        let mut extra = Vec::new();
        if entry.zip64 {
            extra.extend_from_slice(&[1, 0, 16, 0]);
            extra.extend_from_slice(&entry.uncompressed.to_le_bytes());
            extra.extend_from_slice(&entry.compressed.to_le_bytes());
        }
        extra.extend_from_slice(&entry.extra);
        let mut fields = Vec::new();
        for field in [if entry.zip64 { 45 } else { 20 }, entry.flags, entry.method, 0, 0x21] {
            fields.extend_from_slice(&field.to_le_bytes());
        }
        fields.extend_from_slice(&entry.crc32.to_le_bytes());
        for size in sizes {
            let short = if entry.zip64 { u32::MAX } else { u32::try_from(size).unwrap() };
            fields.extend_from_slice(&short.to_le_bytes());
        }
        for length in [entry.name.len(), extra.len()] {
            fields.extend_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
        }
        Self { fields, extra }
    }
}

/// CRC-32 as in ZIP, computed bit by bit.
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
