//! The headers of entries as this crate writes them, according to FORMAT.md §2. Section numbers are those of
//! APPNOTE (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>).
//!
//! Separate from the writer, because a reader rebuilds them for comparison.

/// Extraction needs ZIP64: every entry has its sizes in eight bytes.
const VERSION: u16 = 45;
/// Unix, so that the mode below is interpreted (4.4.2).
const MADE_BY: u16 = 3 << 8 | VERSION;
/// A regular file, 0644 (4.4.15).
const MODE: u32 = 0o100_644 << 16;
/// 1980-01-01 00:00:00 (4.4.6).
const TIME: u32 = 0x0021_0000;
/// Bit 3: CRC and sizes follow the data. Bit 11: the name is UTF-8.
const DESCRIPTOR_FLAG: u16 = 1 << 3;
const UTF8_FLAG: u16 = 1 << 11;
/// Placeholder for a size or offset in the ZIP64 extra field (4.5.3).
const IN_ZIP64: u32 = u32::MAX;
const ZIP64_EXTRA: u16 = 1;

/// The header data of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) form: Form,
    pub(crate) header_start: u64,
    pub(crate) crc32: u32,
    pub(crate) compressed: u64,
    pub(crate) uncompressed: u64,
}

/// How an entry's bytes are stored in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Uncompressed, after a header with their size and CRC.
    Stored,
    /// Compressed in a stream: CRC and sizes follow in a descriptor.
    Deflated,
}

impl Form {
    fn method(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }

    fn flags(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => DESCRIPTOR_FLAG,
        }
    }
}

impl Entry {
    /// 4.3.7. Zeros are placeholders for the values in a descriptor.
    pub(crate) fn local_header(&self) -> Vec<u8> {
        let (crc32, uncompressed, compressed) = match self.form {
            Form::Stored => (self.crc32, self.uncompressed, self.compressed),
            Form::Deflated => (0, 0, 0),
        };
        let mut header = Record::signed(*b"PK\x03\x04");
        header.u16(VERSION).method(self).u32(crc32).u32(IN_ZIP64).u32(IN_ZIP64).len(self.name.len());
        header.u16(20).bytes(self.name.as_bytes()).u16(ZIP64_EXTRA).u16(16).u64(uncompressed).u64(compressed);
        header.0
    }

    /// 4.3.9.
    pub(crate) fn descriptor(&self) -> Vec<u8> {
        let mut descriptor = Record::signed(*b"PK\x07\x08");
        descriptor.u32(self.crc32).u64(self.compressed).u64(self.uncompressed);
        descriptor.0
    }

    /// 4.3.12. The sizes are in the ZIP64 field as in the local header; the offset is there only if
    /// necessary.
    pub(crate) fn central_header(&self) -> Vec<u8> {
        let far = u32::try_from(self.header_start).ok().filter(|offset| *offset != IN_ZIP64);
        let extra_bytes = if far.is_some() { 16 } else { 24 };
        let mut header = Record::signed(*b"PK\x01\x02");
        header.u16(MADE_BY).u16(VERSION).method(self).u32(self.crc32).u32(IN_ZIP64).u32(IN_ZIP64);
        header.len(self.name.len()).u16(extra_bytes + 4).u16(0).u16(0).u16(0).u32(MODE);
        header.u32(far.unwrap_or(IN_ZIP64)).bytes(self.name.as_bytes());
        header.u16(ZIP64_EXTRA).u16(extra_bytes).u64(self.uncompressed).u64(self.compressed);
        if far.is_none() {
            header.u64(self.header_start);
        }
        header.0
    }
}

/// The end record (4.3.16), preceded by the ZIP64 end record and its locator (4.3.14, 4.3.15) if a value
/// needs them.
pub(crate) fn end_records(count: u64, start: u64, bytes: u64) -> Vec<u8> {
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

/// Consecutive little-endian fields.
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

    /// A length that [`crate::Limits`] keeps far below the field's maximum.
    fn len(&mut self, length: usize) -> &mut Self {
        self.u16(u16::try_from(length).unwrap_or(u16::MAX))
    }

    /// Flags, method and time, which are the same in both headers.
    fn method(&mut self, entry: &Entry) -> &mut Self {
        let utf8 = if entry.name.is_ascii() { 0 } else { UTF8_FLAG };
        self.u16(entry.form.flags() | utf8).u16(entry.form.method()).u32(TIME)
    }
}
