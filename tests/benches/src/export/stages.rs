//! Each stage of an export alone, in this process: what one costs when nothing else runs.

use std::io::Write as _;
use std::time::Instant;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use strongroom_archive::{ArchiveWriter, Compression, Limits};
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Block, SnapshotOptions, open_snapshot};
use tokio::sync::mpsc;

use super::data::TABLE;
use super::megabytes;

/// Blocks that are kept for the stages after reading: about 128 MiB.
const KEPT: usize = 1000;

/// Prints what each stage does in a second.
pub(super) async fn measure(postgres: &DatabaseUrl, sqlite: &DatabaseUrl) {
    println!("\nstages alone, MB/s of JSON");
    let (_, bytes, seconds) = read(sqlite).await;
    println!("  read SQLite: {:.0}", megabytes(bytes) / seconds);
    let (blocks, bytes, seconds) = read(postgres).await;
    println!("  read PostgreSQL: {:.0}", megabytes(bytes) / seconds);
    let json: u64 = blocks.iter().map(|block| block.bytes.len() as u64).sum();
    let began = Instant::now();
    for block in &blocks {
        std::hint::black_box(Sha256::digest(&block.bytes));
    }
    println!("  SHA-256: {:.0}", megabytes(json) / began.elapsed().as_secs_f64());
    for level in [1, 2, 3, 6] {
        let (size, seconds) = compress(&blocks, level);
        let rate = megabytes(json) / seconds;
        println!("  archive writer, deflate {level}: {rate:.0}, ratio {:.3}", size as f64 / json as f64);
    }
}

/// Reads the whole table and keeps its first blocks.
async fn read(url: &DatabaseUrl) -> (Vec<Block>, u64, f64) {
    let mut snapshot = open_snapshot(url, &SnapshotOptions::new("bench")).await.unwrap();
    let (sender, mut received) = mpsc::channel::<Block>(4);
    let began = Instant::now();
    let reader = tokio::spawn(async move {
        snapshot.read_table(TABLE, None, &sender).await.unwrap();
    });
    let (mut kept, mut bytes) = (Vec::new(), 0);
    while let Some(block) = received.recv().await {
        bytes += block.bytes.len() as u64;
        if kept.len() < KEPT {
            // A copy of its own, or the allocator would be measured too.
            kept.push(Block { bytes: Bytes::copy_from_slice(&block.bytes), rows: block.rows });
        }
    }
    reader.await.unwrap();
    (kept, bytes, began.elapsed().as_secs_f64())
}

/// Writes `blocks` as one table; the bytes it took, and the seconds.
fn compress(blocks: &[Block], level: u8) -> (u64, f64) {
    let began = Instant::now();
    let mut counter = Counter(0);
    let mut archive = ArchiveWriter::create(&mut counter, Limits::V1, Compression::level(level).unwrap());
    archive.start_table(TABLE, "bench").unwrap();
    for block in blocks {
        archive.write_rows(&block.bytes, block.rows).unwrap();
    }
    archive.finish_table().unwrap();
    drop(archive);
    counter.flush().unwrap();
    (counter.0, began.elapsed().as_secs_f64())
}

/// Takes bytes and only counts them.
struct Counter(u64);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
