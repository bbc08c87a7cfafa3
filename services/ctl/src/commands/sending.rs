//! A file on its way up: read on a thread of its own, as fast as the service takes it.

use std::fs::File;
use std::io::{Read, Take};
use std::path::Path;

use anyhow::{Context as _, Error, Result, ensure};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

/// As an export's chunks are.
const CHUNK: usize = 256 << 10;
/// Chunks that wait for the connection.
const AHEAD: usize = 4;

/// A piece of an upload, which each service wraps into its own messages.
pub(super) enum Piece {
    Header { file_name: String, size_bytes: i64 },
    Chunk { number: i64, offset: i64, data: Bytes },
    End { sha256: String },
}

/// An upload that has begun.
pub(super) struct Sending<M> {
    /// What the service is sent.
    pub(super) requests: ReceiverStream<M>,
    /// Of the file, in bytes.
    pub(super) size: u64,
    /// Resolves to why the file could not be read, or to nothing.
    pub(super) failed: oneshot::Receiver<Error>,
}

/// Opens `path` and begins to read it. What is before `from` is read for the digest only.
pub(super) fn start<M, W>(path: &Path, from: u64, wrap: W) -> Result<Sending<M>>
where
    M: Send + 'static,
    W: FnMut(Piece) -> M + Send + 'static,
{
    let file = File::open(path).context("cannot open it")?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file() && metadata.len() > 0, "it is no archive, but empty or not a file");
    let size = metadata.len();
    ensure!(from <= size, "it has become shorter than what was sent of it");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let header = Piece::Header { file_name: name.into_owned(), size_bytes: size.try_into()? };
    let (queue, received) = mpsc::channel(AHEAD);
    let (failure, failed) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(file.take(size), header, from, &queue, wrap) {
            let _ = failure.send(error);
        }
    });
    Ok(Sending { requests: ReceiverStream::new(received), size, failed })
}

/// Ends early, and well, once nobody takes what is read.
fn read<M>(
    mut file: Take<File>,
    header: Piece,
    from: u64,
    queue: &mpsc::Sender<M>,
    mut wrap: impl FnMut(Piece) -> M,
) -> Result<()> {
    let size = file.limit();
    let mut digest = Sha256::new();
    // Before the header, because the service does not wait long for what follows it.
    let (mut number, mut offset) = (0, skip(&mut file, from, &mut digest)?);
    let mut taken = queue.blocking_send(wrap(header)).is_ok();
    while taken {
        let data = next(&mut file, CHUNK as u64)?;
        if data.is_empty() {
            ensure!(offset == size, "it has become shorter while it was read");
            let sha256 = hex::encode(digest.finalize());
            let _ = queue.blocking_send(wrap(Piece::End { sha256 }));
            return Ok(());
        }
        digest.update(&data);
        let length = data.len() as u64;
        let chunk = Piece::Chunk { number, offset: offset.try_into()?, data: Bytes::from(data) };
        taken = queue.blocking_send(wrap(chunk)).is_ok();
        number += 1;
        offset += length;
    }
    Ok(())
}

/// Reads what the service has already, and returns how much that is.
fn skip(file: &mut Take<File>, from: u64, digest: &mut Sha256) -> Result<u64> {
    let mut offset = 0;
    while offset < from {
        let data = next(file, (from - offset).min(CHUNK as u64))?;
        ensure!(!data.is_empty(), "it has become shorter while it was read");
        digest.update(&data);
        offset += data.len() as u64;
    }
    Ok(offset)
}

/// Nothing at the end.
fn next(file: &mut Take<File>, most: u64) -> Result<Vec<u8>> {
    let mut data = Vec::with_capacity(CHUNK);
    file.take(most).read_to_end(&mut data).context("cannot read it")?;
    Ok(data)
}
