//! Writing: digests, deflate and the seal, each in one thread as in the product.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};
use strongroom_archive::seal::{FileKey, Recipient, Recipients, SealWriter, X25519Identity};
use strongroom_archive::{ArchiveWriter, Compression, Limits};

use super::reading::Json;
use super::{TABLE, middle};

/// What a sample of the log table chooses.
const LEVEL: u8 = 2;

/// Returns the length of an archive of all rows.
pub(super) fn measure(json: &Json) -> u64 {
    let kept = json.blocks.iter().map(|block| block.bytes.len() as u64).sum();
    middle(|| digest(json)).print("SHA-256 of the rows", kept, json.bytes);
    let mut archive = 0;
    for level in [1, LEVEL, 3, 6] {
        let mut ratio = 0.0;
        let cost = middle(|| ratio = deflate(json, level) as f64 / kept as f64);
        cost.print(&format!("archive writer, deflate {level}, ratio {ratio:.3}"), kept, json.bytes);
        if level == LEVEL {
            archive = (json.bytes as f64 * ratio) as u64;
        }
    }
    middle(|| seal(json)).print("seal of the archive", kept, archive);
    archive
}

fn digest(json: &Json) {
    for block in &json.blocks {
        std::hint::black_box(Sha256::digest(&block.bytes));
    }
}

/// Writes the blocks as one table; the bytes it took.
fn deflate(json: &Json, level: u8) -> u64 {
    let mut counter = Counter(0);
    let mut archive = ArchiveWriter::create(&mut counter, Limits::V1, Compression::level(level).unwrap());
    archive.start_table(TABLE, "bench").unwrap();
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

/// Takes bytes and only counts them.
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
