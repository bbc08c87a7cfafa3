//! A file on its way up: read on a thread of its own, as fast as the service takes it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, Error, Result, ensure};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use strongroom_api::backup::v1::VerifyBackupRequest;
use strongroom_api::backup::v1::verify_backup_request::{Chunk, End, Header, Message};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

/// As an export's chunks are.
const CHUNK: usize = 256 << 10;
/// Chunks that wait for the connection.
const AHEAD: usize = 4;

/// What the service is sent.
pub(super) type Requests = ReceiverStream<VerifyBackupRequest>;

/// An upload that has begun.
pub(super) struct Sending {
    pub(super) requests: Requests,
    /// Of the file, in bytes.
    pub(super) size: u64,
    /// Resolves to why the file could not be read, or to nothing.
    pub(super) failed: oneshot::Receiver<Error>,
}

/// Opens `path` and begins to read it.
pub(super) fn start(path: &Path) -> Result<Sending> {
    let file = File::open(path).context("cannot open it")?;
    let metadata = file.metadata()?;
    ensure!(metadata.is_file() && metadata.len() > 0, "it is no archive, but empty or not a file");
    let size = metadata.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let header = Header { file_name: name.into_owned(), size_bytes: size.try_into()? };
    let (queue, received) = mpsc::channel(AHEAD);
    let (failure, failed) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(file.take(size), header, &queue) {
            let _ = failure.send(error);
        }
    });
    Ok(Sending { requests: ReceiverStream::new(received), size, failed })
}

/// Ends early, and well, once nobody takes what is read.
fn read(mut file: impl Read, header: Header, queue: &mpsc::Sender<VerifyBackupRequest>) -> Result<()> {
    let send = |message| queue.blocking_send(VerifyBackupRequest { message: Some(message) }).is_ok();
    let size = header.size_bytes;
    let (mut number, mut offset, mut digest) = (0, 0, Sha256::new());
    let mut taken = send(Message::Header(header));
    while taken {
        let mut data = Vec::with_capacity(CHUNK);
        file.by_ref().take(CHUNK as u64).read_to_end(&mut data).context("cannot read it")?;
        if data.is_empty() {
            ensure!(offset == size, "it has become shorter while it was read");
            send(Message::End(End { sha256: hex::encode(digest.finalize()) }));
            return Ok(());
        }
        digest.update(&data);
        let length = data.len() as i64;
        taken = send(Message::Chunk(Chunk { number, offset, data: Bytes::from(data) }));
        number += 1;
        offset += length;
    }
    Ok(())
}
