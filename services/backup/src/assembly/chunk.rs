//! Cuts an archive into the numbered chunks of `ExportBackup`, and hashes and counts it.

use std::io::{self, Write};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use strongroom_api::backup::v1::export_backup_response::Chunk;

/// Bytes of every chunk but the last: 256 KiB. Smaller chunks cost more calls into HTTP/2, larger ones only need more
/// memory.
pub(crate) const CHUNK_SIZE: usize = 256 * 1024;

/// Summary of the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileSummary {
    /// Number of bytes.
    pub(crate) bytes: i64,
    /// Number of chunks.
    pub(crate) chunks: i64,
    /// Its SHA-256, lower-case hex.
    pub(crate) sha256: String,
}

/// Collects the written bytes and passes them on in chunks.
///
/// A writer that is dropped before [`Self::finish`] does not pass on the last, smaller chunk.
pub(crate) struct ChunkWriter<F> {
    hand_on: F,
    buffer: Vec<u8>,
    number: i64,
    offset: i64,
    digest: Sha256,
}

impl<F: FnMut(Chunk) -> io::Result<()>> ChunkWriter<F> {
    /// Passes each chunk to `hand_on`; its error ends the writing.
    pub(crate) fn create(hand_on: F) -> Self {
        let buffer = Vec::with_capacity(CHUNK_SIZE);
        Self { hand_on, buffer, number: 0, offset: 0, digest: Sha256::new() }
    }

    /// Passes on the remaining bytes.
    pub(crate) fn finish(mut self) -> io::Result<FileSummary> {
        if !self.buffer.is_empty() {
            self.send()?;
        }
        Ok(FileSummary {
            bytes: self.offset,
            chunks: self.number,
            sha256: hex::encode(self.digest.finalize()),
        })
    }

    fn send(&mut self) -> io::Result<()> {
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK_SIZE));
        self.digest.update(&full);
        let length = full.len() as i64;
        let chunk = Chunk { number: self.number, offset: self.offset, data: Bytes::from(full) };
        (self.hand_on)(chunk)?;
        self.number += 1;
        self.offset += length;
        Ok(())
    }
}

impl<F: FnMut(Chunk) -> io::Result<()>> Write for ChunkWriter<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let free = CHUNK_SIZE - self.buffer.len();
        let taken = free.min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == CHUNK_SIZE {
            self.send()?;
        }
        Ok(taken)
    }

    /// Chunks leave only when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn cut(length: usize, step: usize) -> (Vec<Chunk>, FileSummary, Vec<u8>) {
        let data: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let mut chunks = Vec::new();
        let mut writer = ChunkWriter::create(|chunk| {
            chunks.push(chunk);
            Ok(())
        });
        for piece in data.chunks(step) {
            writer.write_all(piece).unwrap();
        }
        let summary = writer.finish().unwrap();
        (chunks, summary, data)
    }

    #[test]
    fn numbers_offsets_and_sizes_at_the_edges() {
        for (length, sizes) in [
            (0, vec![]),
            (1, vec![1]),
            (CHUNK_SIZE - 1, vec![CHUNK_SIZE - 1]),
            (CHUNK_SIZE, vec![CHUNK_SIZE]),
            (CHUNK_SIZE + 1, vec![CHUNK_SIZE, 1]),
            (3 * CHUNK_SIZE, vec![CHUNK_SIZE; 3]),
        ] {
            for step in [1000, CHUNK_SIZE - 1, CHUNK_SIZE, 2 * CHUNK_SIZE + 7] {
                let (chunks, summary, data) = cut(length, step);
                assert_eq!(chunks.iter().map(|chunk| chunk.data.len()).collect::<Vec<_>>(), sizes);
                let mut joined = Vec::new();
                for (number, chunk) in chunks.iter().enumerate() {
                    assert_eq!((chunk.number, chunk.offset), (number as i64, joined.len() as i64));
                    joined.extend_from_slice(&chunk.data);
                }
                assert_eq!(joined, data);
                assert_eq!((summary.bytes, summary.chunks), (length as i64, sizes.len() as i64));
                assert_eq!(summary.sha256, hex::encode(Sha256::digest(&data)));
            }
        }
    }

    #[test]
    fn a_refused_chunk_ends_the_writing() {
        let mut writer = ChunkWriter::create(|_| Err(io::ErrorKind::BrokenPipe.into()));
        let error = writer.write_all(&vec![0; CHUNK_SIZE]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
