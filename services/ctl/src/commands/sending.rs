//! Uploads a file: a separate thread reads it as fast as the service accepts it.

use std::fs::File;
use std::io::{Read, Take};
use std::path::Path;

use anyhow::{Context as _, Error, Result, ensure};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

/// The chunk size of an export.
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
    /// The requests for the service.
    pub(super) requests: ReceiverStream<M>,
    /// Size of the file in bytes; 0 for standard input.
    pub(super) size: u64,
    /// Resolves to the error of reading the file, or to nothing.
    pub(super) failed: oneshot::Receiver<Error>,
}

/// Opens `path` and begins to read it. Bytes before `from` are read only for the digest.
pub(super) fn start<M, W>(path: &Path, from: u64, wrap: W) -> Result<Sending<M>>
where
    M: Send + 'static,
    W: FnMut(Piece) -> M + Send + 'static,
{
    let file = File::open(path).context("cannot open it")?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file() && metadata.len() > 0, "it is empty, or not a file");
    let size = metadata.len();
    ensure!(from <= size, "it has become shorter than the part that was sent");
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let header = Piece::Header { file_name: name.into_owned(), size_bytes: size.try_into()? };
    Ok(begin(file.take(size), Some(size), header, from, wrap))
}

/// Begins to read standard input, whose size is unknown.
pub(super) fn start_stdin<M, W>(wrap: W) -> Sending<M>
where
    M: Send + 'static,
    W: FnMut(Piece) -> M + Send + 'static,
{
    let header = Piece::Header { file_name: "stdin".to_owned(), size_bytes: 0 };
    begin(std::io::stdin().take(u64::MAX), None, header, 0, wrap)
}

fn begin<R, M, W>(file: Take<R>, size: Option<u64>, header: Piece, from: u64, wrap: W) -> Sending<M>
where
    R: Read + Send + 'static,
    M: Send + 'static,
    W: FnMut(Piece) -> M + Send + 'static,
{
    let (queue, received) = mpsc::channel(AHEAD);
    let (failure, failed) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(file, size, header, from, &queue, wrap) {
            let _ = failure.send(error);
        }
    });
    Sending { requests: ReceiverStream::new(received), size: size.unwrap_or(0), failed }
}

/// Ends early, without an error, once nobody receives the chunks.
fn read<R: Read, M>(
    mut file: Take<R>,
    size: Option<u64>,
    header: Piece,
    from: u64,
    queue: &mpsc::Sender<M>,
    mut wrap: impl FnMut(Piece) -> M,
) -> Result<()> {
    let mut digest = Sha256::new();
    // Before the header, because the service does not wait long for the chunk after it.
    let (mut number, mut offset) = (0, skip(&mut file, from, &mut digest)?);
    let mut taken = queue.blocking_send(wrap(header)).is_ok();
    while taken {
        let data = next(&mut file, CHUNK as u64)?;
        if data.is_empty() {
            ensure!(size.is_none_or(|size| offset == size), "it has become shorter while it was read");
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

/// Reads the bytes that the service already has, and returns their number.
fn skip<R: Read>(file: &mut Take<R>, from: u64, digest: &mut Sha256) -> Result<u64> {
    let mut offset = 0;
    while offset < from {
        let data = next(file, (from - offset).min(CHUNK as u64))?;
        ensure!(!data.is_empty(), "it has become shorter while it was read");
        digest.update(&data);
        offset += data.len() as u64;
    }
    Ok(offset)
}

/// The next chunk; empty at the end.
fn next<R: Read>(file: &mut Take<R>, most: u64) -> Result<Vec<u8>> {
    let mut data = Vec::with_capacity(CHUNK);
    file.take(most).read_to_end(&mut data).context("cannot read it")?;
    Ok(data)
}
