//! Random access: only the chunks that an entry needs are read, and only their damage is reported.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::rc::Rc;
use std::sync::OnceLock;

use strongroom_age::{FileKey, SealError, SealedFile};
use strongroom_archive::seal::Header;
use strongroom_archive::{ArchiveReader, Error, Limits};

use super::{SEALED_CHUNK, identities, refusal, two_recipients};
use crate::sample;

fn seal(plaintext: &[u8]) -> Vec<u8> {
    super::seal(plaintext, &FileKey::generate(), &two_recipients())
}

/// Incompressible bytes.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn open<R: Read + Seek>(mut sealed: R) -> Result<SealedFile<R>, Error> {
    let unlocked = Header::read(&mut BufReader::new(&mut sealed))?.unlock(&identities())?;
    Ok(SealedFile::open(sealed, &unlocked)?)
}

/// Counts the bytes read.
struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.set(self.read.get() + length as u64);
        Ok(length)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Eight tables of rows that hardly compress, sealed: 4 MB.
fn sealed_archive() -> &'static [u8] {
    static SEALED: OnceLock<Vec<u8>> = OnceLock::new();
    SEALED.get_or_init(|| seal(&archive(450_000)))
}

/// Eight tables with rows of about this many bytes of noise each.
fn archive(noise_bytes: usize) -> Vec<u8> {
    let tables: Vec<sample::Table> = (0..8)
        .map(|number| {
            let rows: Vec<String> = noise(noise_bytes + number)
                .chunks(1000)
                .map(|bytes| format!(r#"{{"id":"{}"}}"#, hex::encode(bytes)))
                .collect();
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            sample::table(&format!("t{number}"), &["id"], &rows)
        })
        .collect();
    sample::write(&tables, Limits::V1).unwrap()
}

#[test]
fn one_table_opens_without_reading_the_others() {
    let sealed = sealed_archive();
    let (length, read) = (sealed.len() as u64, Rc::new(Cell::new(0)));
    let counted = Counted { inner: Cursor::new(sealed), read: Rc::clone(&read) };
    let mut archive = ArchiveReader::open(open(counted).unwrap(), Limits::V1).unwrap();
    // Header, end, directory, manifest, and the chunks in which entries begin and end.
    let structure = read.get();
    assert!(structure < 24 * SEALED_CHUNK as u64, "{structure} of {length}");
    archive.entry("tables/t5.json").unwrap().finish().unwrap();
    let table = read.get() - structure;
    assert!(table < length / 8 + 3 * SEALED_CHUNK as u64, "{table} of {length}");
    assert!(read.get() < length / 2, "{} of {length}", read.get());
}

#[test]
fn damage_inside_an_entry_is_told_in_the_seals_words() {
    let mut sealed = sealed_archive().to_vec();
    // Far from the beginning or end of any of the eight tables.
    let inside = sealed.len() / 16 * 9;
    sealed[inside] ^= 1;
    let mut archive = ArchiveReader::open(open(Cursor::new(sealed)).unwrap(), Limits::V1).unwrap();
    let names: Vec<String> = archive.entries().iter().map(|entry| entry.name.clone()).collect();
    let mut refused = Vec::new();
    for name in names {
        match archive.entry(&name).unwrap().finish() {
            Ok(_) => {}
            Err(Error::Seal(SealError::Chunk { .. })) => refused.push(name),
            Err(other) => panic!("{name}: {other}"),
        }
    }
    assert_eq!(refused.len(), 1, "{refused:?}");
}

/// Small enough for an entry to begin or end in every chunk.
#[test]
fn damage_where_entries_begin_and_end_is_told_so_too() {
    let sealed = seal(&archive(40_000));
    let chunks = sealed.len() / SEALED_CHUNK;
    for chunk in 0..chunks {
        let mut damaged = sealed.clone();
        damaged[600 + chunk * SEALED_CHUNK] ^= 1;
        let opened = ArchiveReader::open(open(Cursor::new(damaged)).unwrap(), Limits::V1);
        assert_eq!(refusal(opened.map(drop)), SealError::Chunk { chunk: chunk as u64 });
    }
    assert!(chunks > 3, "{chunks}");
}
