//! The ZIP around the entries, by FORMAT.md §2.
//!
//! Written here because entries arrive compressed, a piece from each thread, and `zip` takes only what it
//! compresses itself. Nothing is sought: sizes follow the data in a descriptor. Section numbers are APPNOTE's
//! (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>).

use std::io::{self, Write};

/// ZIP64 is needed to extract: every entry has its sizes in eight bytes.
const VERSION: u16 = 45;
/// Unix, so that the mode below is understood (4.4.2).
const MADE_BY: u16 = 3 << 8 | VERSION;
/// A regular file, 0644 (4.4.15).
const MODE: u32 = 0o100_644 << 16;
/// 1980-01-01 00:00:00 (4.4.6).
const TIME: u32 = 0x0021_0000;
const DEFLATED: u16 = 8;
/// Bit 3: CRC and sizes follow the data. Bit 11: the name is UTF-8.
const DESCRIPTOR_FLAG: u16 = 1 << 3;
const UTF8_FLAG: u16 = 1 << 11;
/// Stands for a size or offset that is in the ZIP64 extra field (4.5.3).
const IN_ZIP64: u32 = u32::MAX;
const ZIP64_EXTRA: u16 = 1;

/// Writes entries whose bytes are deflated already. What it wrote before a failure is no archive.
pub(crate) struct ZipStream<W> {
    out: W,
    position: u64,
    entries: Vec<Entry>,
    /// Where the data of the open entry began.
    data_start: u64,
}

/// What the central directory says of an entry.
struct Entry {
    name: String,
    header_start: u64,
    crc32: u32,
    compressed: u64,
    uncompressed: u64,
}

impl<W: Write> ZipStream<W> {
    /// Nothing is written before the first entry.
    pub(crate) fn create(out: W) -> Self {
        Self { out, position: 0, entries: Vec::new(), data_start: 0 }
    }

    /// Writes a local header (4.3.7). The entry before it must have ended.
    pub(crate) fn start(&mut self, name: &str) -> io::Result<()> {
        let header_start = self.position;
        let mut header = Record::signed(*b"PK\x03\x04");
        header.u16(VERSION).method(name).u32(0).u32(IN_ZIP64).u32(IN_ZIP64).len(name.len());
        header.u16(20).bytes(name.as_bytes()).u16(ZIP64_EXTRA).u16(16).u64(0).u64(0);
        self.write_all(&header.0)?;
        self.data_start = self.position;
        let name = name.to_owned();
        self.entries.push(Entry { name, header_start, crc32: 0, compressed: 0, uncompressed: 0 });
        Ok(())
    }

    /// Ends the open entry with its data descriptor (4.3.9).
    pub(crate) fn end(&mut self, crc32: u32, uncompressed: u64) -> io::Result<()> {
        let compressed = self.position - self.data_start;
        if let Some(entry) = self.entries.last_mut() {
            (entry.crc32, entry.compressed, entry.uncompressed) = (crc32, compressed, uncompressed);
        }
        let mut descriptor = Record::signed(*b"PK\x07\x08");
        descriptor.u32(crc32).u64(compressed).u64(uncompressed);
        self.write_all(&descriptor.0)
    }

    /// Writes the central directory and the end of the file.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let start = self.position;
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            self.write_all(&entry.central_header())?;
        }
        let (count, bytes) = (entries.len() as u64, self.position - start);
        let end = end_records(count, start, bytes);
        self.write_all(&end)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Appends to the open entry.
impl<W: Write> Write for ZipStream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Entry {
    /// 4.3.12. The sizes are in the ZIP64 field as in the local header; the offset is there when it must be.
    fn central_header(&self) -> Vec<u8> {
        let far = u32::try_from(self.header_start).ok().filter(|offset| *offset != IN_ZIP64);
        let extra_bytes = if far.is_some() { 16 } else { 24 };
        let mut header = Record::signed(*b"PK\x01\x02");
        header.u16(MADE_BY).u16(VERSION).method(&self.name).u32(self.crc32).u32(IN_ZIP64).u32(IN_ZIP64);
        header.len(self.name.len()).u16(extra_bytes + 4).u16(0).u16(0).u16(0).u32(MODE);
        header.u32(far.unwrap_or(IN_ZIP64)).bytes(self.name.as_bytes());
        header.u16(ZIP64_EXTRA).u16(extra_bytes).u64(self.uncompressed).u64(self.compressed);
        if far.is_none() {
            header.u64(self.header_start);
        }
        header.0
    }
}

/// The end record (4.3.16), behind the ZIP64 end record and its locator (4.3.14, 4.3.15) where a figure needs them.
fn end_records(count: u64, start: u64, bytes: u64) -> Vec<u8> {
    let short_count = u16::try_from(count).unwrap_or(u16::MAX);
    let [short_bytes, short_start] = [bytes, start].map(|figure| u32::try_from(figure).unwrap_or(IN_ZIP64));
    let mut end = Record(Vec::new());
    if short_count == u16::MAX || short_bytes == IN_ZIP64 || short_start == IN_ZIP64 {
        end.bytes(b"PK\x06\x06").u64(44).u16(MADE_BY).u16(VERSION).u32(0).u32(0);
        end.u64(count).u64(count).u64(bytes).u64(start);
        end.bytes(b"PK\x06\x07").u32(0).u64(start + bytes).u32(1);
    }
    end.bytes(b"PK\x05\x06").u16(0).u16(0).u16(short_count).u16(short_count);
    end.u32(short_bytes).u32(short_start).u16(0);
    end.0
}

/// Little-endian fields, one after the other.
struct Record(Vec<u8>);

impl Record {
    fn signed(signature: [u8; 4]) -> Self {
        Self(signature.to_vec())
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// A length that [`crate::Limits`] keep far below the field's bound.
    fn len(&mut self, length: usize) -> &mut Self {
        self.u16(u16::try_from(length).unwrap_or(u16::MAX))
    }

    /// Flags, method and time, which both headers have alike.
    fn method(&mut self, name: &str) -> &mut Self {
        let utf8 = if name.is_ascii() { 0 } else { UTF8_FLAG };
        self.u16(DESCRIPTOR_FLAG | utf8).u16(DEFLATED).u32(TIME)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// An entry of no bytes, deflated.
    const EMPTY: [u8; 2] = [3, 0];

    /// Takes every byte before `start` for written already.
    fn archive_at(start: u64) -> Vec<u8> {
        let mut zip = ZipStream::create(Vec::new());
        zip.position = start;
        for name in ["first", "größe"] {
            zip.start(name).unwrap();
            zip.write_all(&EMPTY).unwrap();
            zip.end(0, 0).unwrap();
        }
        zip.finish().unwrap()
    }

    #[test]
    fn offsets_beyond_four_gigabytes_are_in_the_zip64_fields() {
        let near = archive_at(0);
        assert_eq!(near.len() - 22, near.windows(4).position(|bytes| bytes == b"PK\x05\x06").unwrap());
        assert!(!near.windows(4).any(|bytes| bytes == b"PK\x06\x06"));
        for start in [u64::from(u32::MAX) - 60, u64::from(u32::MAX), 1 << 40] {
            let mut file = tempfile::tempfile().unwrap();
            io::Seek::seek(&mut file, io::SeekFrom::Start(start)).unwrap();
            file.write_all(&archive_at(start)).unwrap();
            let mut zip = zip::ZipArchive::new(file).unwrap();
            let offsets: Vec<u64> = (0..2).map(|at| zip.by_index(at).unwrap().header_start()).collect();
            assert_eq!(offsets[0], start);
            assert!(offsets[1] > start + 50);
        }
    }

    #[test]
    fn more_entries_than_a_short_record_counts() {
        for count in [65_534, 65_535, 65_536_usize] {
            let mut zip = ZipStream::create(Vec::new());
            for number in 0..count {
                zip.start(&number.to_string()).unwrap();
                zip.write_all(&EMPTY).unwrap();
                zip.end(0, 0).unwrap();
            }
            let archive = zip::ZipArchive::new(Cursor::new(zip.finish().unwrap())).unwrap();
            assert_eq!(archive.len(), count);
        }
    }
}
