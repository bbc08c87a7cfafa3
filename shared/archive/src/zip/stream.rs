//! Writes the ZIP around the entries, according to FORMAT.md §2.
//!
//! A separate implementation, because entries arrive compressed, in pieces from several threads, and `zip`
//! only accepts data that it compresses itself. There is no seeking: sizes follow the data in a descriptor,
//! or are known beforehand.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::header::{Entry, Form, end_records};

/// Writes entries whose bytes are already deflated, followed by stored ones. After a failure the output is
/// not a valid archive.
pub(crate) struct ZipStream<W> {
    out: W,
    position: u64,
    entries: Vec<Entry>,
    /// Start of the open entry's data.
    data_start: u64,
    /// Of everything so far; taken by [`Self::take_sha256`].
    digest: Option<Sha256>,
}

impl<W: Write> ZipStream<W> {
    /// Nothing is written before the first entry.
    pub(crate) fn create(out: W) -> Self {
        Self { out, position: 0, entries: Vec::new(), data_start: 0, digest: Some(Sha256::new()) }
    }

    /// Writes the local header of a deflated entry. The entry before it must have ended.
    pub(crate) fn start(&mut self, name: &str) -> io::Result<()> {
        let entry = self.next_entry(name, Form::Deflated);
        self.write_all(&entry.local_header())?;
        self.data_start = self.position;
        self.entries.push(entry);
        Ok(())
    }

    /// Ends the open entry with its data descriptor.
    pub(crate) fn end(&mut self, crc32: u32, uncompressed: u64) -> io::Result<()> {
        let compressed = self.position - self.data_start;
        let Some(entry) = self.entries.last_mut() else { return Ok(()) };
        (entry.crc32, entry.compressed, entry.uncompressed) = (crc32, compressed, uncompressed);
        let descriptor = entry.descriptor();
        self.write_all(&descriptor)
    }

    /// Writes a whole entry uncompressed.
    pub(crate) fn store(&mut self, name: &str, bytes: &[u8], crc32: u32) -> io::Result<()> {
        let size = bytes.len() as u64;
        let place = self.next_entry(name, Form::Stored);
        let entry = Entry { crc32, compressed: size, uncompressed: size, ..place };
        self.write_all(&entry.local_header())?;
        self.entries.push(entry);
        self.write_all(bytes)
    }

    /// The SHA-256 of everything written so far, in hex. The manifest, which contains it, and everything
    /// after it are not hashed.
    pub(crate) fn take_sha256(&mut self) -> String {
        hex::encode(self.digest.take().unwrap_or_default().finalize())
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

    /// An entry without data yet, at the current end of the output.
    fn next_entry(&self, name: &str, form: Form) -> Entry {
        let (name, header_start) = (name.to_owned(), self.position);
        Entry { name, form, header_start, crc32: 0, compressed: 0, uncompressed: 0 }
    }
}

/// Appends to the open entry.
impl<W: Write> Write for ZipStream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.position += written as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A deflated entry without data.
    const EMPTY: [u8; 2] = [3, 0];

    /// Pretends that `start` bytes were already written.
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
