//! A file on its way up: one header, chunks without gaps, one end with a digest.
//!
//! Nothing is said of a file that did not arrive whole, so that no verdict is about a part of it.

use std::path::Path;
use std::time::{Duration, Instant};

use strongroom_api::backup::v1::VerifyBackupRequest;
use strongroom_api::backup::v1::verify_backup_request::{Chunk, End, Header, Message};
use strongroom_api::backup::v1::verify_backup_response::Progress;
use tonic::{Code, Streaming};

use super::answers::{INTERVAL, Outlet};
use super::staging::{Staged, Staging};
use crate::error::{Error, Result};

/// Most bytes of a chunk.
const MAX_CHUNK: usize = 512 << 10;
/// Longest file name in bytes.
const MAX_NAME: usize = 255;

/// An upload whose header was read.
pub(super) struct Upload {
    requests: Streaming<VerifyBackupRequest>,
    stall: Duration,
    file_name: String,
    /// As the header says.
    size: u64,
    /// Chunks and bytes that arrived.
    chunks: i64,
    bytes: u64,
}

impl Upload {
    /// Reads the header of a file of at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::ClientSilent`], [`Error::ClientLeft`].
    pub(super) async fn begin(
        mut requests: Streaming<VerifyBackupRequest>,
        stall: Duration,
        limit: u64,
    ) -> Result<Self> {
        let Some(Message::Header(header)) = next(&mut requests, stall).await? else {
            return Err(Error::field("header", "must be the first message"));
        };
        check_name(&header)?;
        let size = u64::try_from(header.size_bytes).unwrap_or(0);
        if size == 0 || size > limit {
            let problem = format!("is {}; must be 1 to {limit}, the limit of this server", header.size_bytes);
            return Err(Error::field("header.size_bytes", problem));
        }
        Ok(Self { requests, stall, file_name: header.file_name, size, chunks: 0, bytes: 0 })
    }

    pub(super) fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Takes up the whole file and stages it in `folder`.
    ///
    /// # Errors
    /// [`Error::Field`] for one that is not what header and end say, [`Error::Staging`], and those of
    /// [`Self::begin`].
    pub(super) async fn receive(mut self, folder: &Path, outlet: &Outlet) -> Result<Staged> {
        let mut staging = Staging::create(folder.to_owned());
        let mut told = Instant::now();
        loop {
            match next(&mut self.requests, self.stall).await? {
                Some(Message::Chunk(chunk)) => {
                    self.check_chunk(&chunk)?;
                    self.chunks += 1;
                    self.bytes += chunk.data.len() as u64;
                    staging = staging.write(chunk.data).await?;
                }
                Some(Message::End(_)) if self.bytes != self.size => {
                    return Err(Error::field("end", self.so_far("came early")));
                }
                Some(Message::End(end)) => return check_digest(&end, staging.finish().await?),
                Some(Message::Header(_)) => return Err(Error::field("header", "was sent already")),
                None => return Err(Error::field("end", self.so_far("is missing"))),
            }
            if told.elapsed() >= INTERVAL {
                told = Instant::now();
                outlet.progress(Progress { bytes_received: self.bytes as i64, ..Progress::default() });
            }
        }
    }

    fn check_chunk(&self, chunk: &Chunk) -> Result<()> {
        let length = chunk.data.len();
        if chunk.number != self.chunks {
            let problem = format!("is {} where {} follows", chunk.number, self.chunks);
            return Err(Error::field("chunk.number", problem));
        }
        if u64::try_from(chunk.offset) != Ok(self.bytes) {
            let problem = format!("is {} behind {} bytes", chunk.offset, self.bytes);
            return Err(Error::field("chunk.offset", problem));
        }
        if !(1..=MAX_CHUNK).contains(&length) {
            let problem = format!("has {length} bytes; must have 1 to {MAX_CHUNK}");
            return Err(Error::field("chunk.data", problem));
        }
        if self.bytes + length as u64 > self.size {
            let problem = format!("goes beyond the {} bytes of the header", self.size);
            return Err(Error::field("chunk.data", problem));
        }
        Ok(())
    }

    fn so_far(&self, problem: &str) -> String {
        format!("{problem}: {} of {} bytes arrived; send the file again", self.bytes, self.size)
    }
}

async fn next(requests: &mut Streaming<VerifyBackupRequest>, stall: Duration) -> Result<Option<Message>> {
    let next = tokio::time::timeout(stall, requests.message()).await;
    match next.map_err(|_| Error::ClientSilent(stall.as_secs()))? {
        Ok(None) => Ok(None),
        Ok(Some(VerifyBackupRequest { message: Some(message) })) => Ok(Some(message)),
        Ok(Some(_)) => Err(Error::field("message", "is none of header, chunk and end")),
        Err(status) if status.code() == Code::OutOfRange => {
            Err(Error::field("chunk.data", format!("is too long; at most {MAX_CHUNK} bytes are allowed")))
        }
        Err(_) => Err(Error::ClientLeft),
    }
}

fn check_digest(end: &End, staged: Staged) -> Result<Staged> {
    if end.sha256 == staged.sha256 {
        return Ok(staged);
    }
    let problem = format!("is not that of the bytes that arrived, which is {}", staged.sha256);
    Err(Error::field("end.sha256", problem))
}

fn check_name(header: &Header) -> Result<()> {
    const FIELD: &str = "header.file_name";
    let name = &header.file_name;
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Error::field(FIELD, format!("has {} bytes; must have 1 to {MAX_NAME}", name.len())));
    }
    if name.chars().any(|character| character.is_control() || character == '/') {
        return Err(Error::field(FIELD, "must not contain control characters or /"));
    }
    Ok(())
}
