//! Writing: digests, deflate and the seal. The archive writer compresses on every core; the rest runs in one thread.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};
use strongroom_age::{FileKey, Recipient, Recipients, SealWriter, X25519Identity};
use strongroom_archive::schema::{Engine, TableSchema};
use strongroom_archive::{ArchiveWriter, Compression, Limits};

use super::reading::Json;
use super::{TABLE, middle};

/// Returns the length of an archive of all rows.
pub(super) fn measure(json: &Json) -> u64 {
    let kept = json.blocks.iter().map(|block| block.bytes.len() as u64).sum();
    middle(|| digest(json)).print("SHA-256 of the rows", kept, json.bytes);
    let archive = measure_deflate("by default", Compression::default(), kept, json);
    for level in [1, 2, 6] {
        let name = format!("at zlib's level {level}");
        measure_deflate(&name, Compression::level(level).unwrap(), kept, json);
    }
    middle(|| seal(json)).print("seal of the archive", kept, archive);
    archive
}

/// Returns the length of an archive of all rows.
fn measure_deflate(name: &str, compression: Compression, kept: u64, json: &Json) -> u64 {
    let mut ratio = 0.0;
    let cost = middle(|| ratio = deflate(json, compression) as f64 / kept as f64);
    cost.print(&format!("archive writer {name}, ratio {ratio:.3}"), kept, json.bytes);
    (json.bytes as f64 * ratio) as u64
}

fn digest(json: &Json) {
    for block in &json.blocks {
        std::hint::black_box(Sha256::digest(&block.bytes));
    }
}

/// Writes the blocks as one table and returns the number of bytes written.
fn deflate(json: &Json, compression: Compression) -> u64 {
    let mut counter = Counter(0);
    let mut archive = ArchiveWriter::create(&mut counter, Limits::V1, compression);
    archive.start_table(&TableSchema::empty("bench", Engine::Postgres, TABLE), None).unwrap();
    for block in &json.blocks {
        archive.write_rows(&block.bytes, block.rows).unwrap();
    }
    archive.finish_table().unwrap();
    drop(archive);
    counter.0
}

fn seal(json: &Json) {
    let recipient = Recipient::X25519(X25519Identity::generate().recipient());
    let recipients = Recipients::Keys(vec![recipient]);
    let mut writer = SealWriter::create(Counter(0), &FileKey::generate(), &recipients).unwrap();
    for block in &json.blocks {
        writer.write_all(&block.bytes).unwrap();
    }
    writer.finish().unwrap();
}

/// Discards bytes and counts them.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
