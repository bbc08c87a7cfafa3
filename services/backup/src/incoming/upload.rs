//! Receives an upload: one header, chunks without gaps, one end with a digest.
//!
//! Nothing is reported about a file that did not arrive intact, so a verdict never applies to a part of it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_stream::{Stream, StreamExt as _};

use super::admission::Slot;
use super::pace::Pace;
use super::staging::{Place, Staged, Staging};
use crate::error::{Error, Result};
use crate::operation::PROGRESS_INTERVAL;

/// Maximum number of bytes of a chunk.
pub(crate) const MAX_CHUNK: usize = 512 << 10;
/// Maximum length of a file name in bytes.
const MAX_NAME: usize = 255;

/// A message of an upload, whichever call it belongs to.
#[derive(Debug)]
pub(crate) enum Part {
    /// The file about to be sent.
    Header { file_name: String, size_bytes: i64 },
    /// A piece of the file: its number, from 0, and its offset.
    Chunk { number: i64, offset: i64, data: Bytes },
    /// The file is complete; its SHA-256, lower-case hex, if the sender knows it.
    End { sha256: Option<String> },
}

/// The messages of an upload.
pub(crate) type Parts = Pin<Box<dyn Stream<Item = Result<Part>> + Send>>;

/// An upload whose header was read.
pub(crate) struct Upload {
    parts: Parts,
    pace: Pace,
    slot: Arc<Slot>,
    file_name: String,
    /// The size in the header; the maximum size if the header has none.
    size: u64,
    is_known: bool,
    /// Chunks and bytes that arrived.
    chunks: i64,
    bytes: u64,
}

impl Upload {
    /// Reads the header. The client has the time `stall` for it, and the same time for each 64 KiB that follow
    /// ([`Pace`]).
    ///
    /// # Errors
    /// [`Error::Field`], [`Error::ClientSilent`], [`Error::ClientLeft`].
    pub(crate) async fn begin(mut parts: Parts, slot: Arc<Slot>, stall: Duration) -> Result<Self> {
        let mut pace = Pace::create(stall);
        let Some(Part::Header { file_name, size_bytes }) = pace.wait(parts.next()).await?.transpose()? else {
            return Err(Error::field("header", "must be the first message"));
        };
        let limit = slot.limits().bytes;
        check_name(&file_name)?;
        let size = u64::try_from(size_bytes).unwrap_or(0);
        if size == 0 || size > limit {
            let problem = format!(
                "is {size_bytes}; must be 1 to {limit}, the limit of this server: [backup] upload_limit_bytes"
            );
            return Err(Error::field("header.size_bytes", problem));
        }
        Ok(Self { parts, pace, slot, file_name, size, is_known: true, chunks: 0, bytes: 0 })
    }

    /// The same for a file whose header was already read, and whose size is unknown until its end.
    ///
    /// # Errors
    /// [`Error::Field`] for its name.
    pub(crate) fn of_unknown_size(
        parts: Parts,
        slot: Arc<Slot>,
        stall: Duration,
        file_name: String,
    ) -> Result<Self> {
        check_name(&file_name)?;
        let (pace, size) = (Pace::create(stall), slot.limits().bytes);
        Ok(Self { parts, pace, slot, file_name, size, is_known: false, chunks: 0, bytes: 0 })
    }

    /// Size of the whole file, from the header.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The client's name of the file.
    pub(crate) fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Receives the whole file and stages it. At intervals, `progress` gets the number of bytes so far.
    ///
    /// # Errors
    /// [`Error::Field`] for a file that differs from its header or end, [`Error::ClientTooSlow`], [`Error::Staging`],
    /// [`Error::StagingBusy`], and the errors of [`Self::begin`].
    pub(crate) async fn receive(self, progress: impl Fn(u64)) -> Result<Staged> {
        let place = Place::Unnamed(self.slot.limits().staging_dir.clone());
        self.receive_into(Staging::create(place), progress).await
    }

    /// The same, into a durable file at `place`.
    ///
    /// # Errors
    /// As for [`Self::receive`].
    pub(crate) async fn receive_at(mut self, place: Place, progress: impl Fn(u64)) -> Result<Staged> {
        let staging = match place {
            Place::Resumed(path) => Staging::resume(path).await?,
            place => Staging::create(place),
        };
        self.bytes = staging.size();
        self.receive_into(staging, progress).await
    }

    async fn receive_into(mut self, mut staging: Staging, progress: impl Fn(u64)) -> Result<Staged> {
        let mut told = Instant::now();
        loop {
            match self.pace.wait(self.parts.next()).await?.transpose()? {
                Some(Part::Chunk { number, offset, data }) => {
                    self.check_chunk(number, offset, data.len())?;
                    let bytes = data.len() as u64;
                    self.slot.stage(bytes)?;
                    self.pace.arrived(bytes);
                    self.chunks += 1;
                    self.bytes += bytes;
                    staging = staging.write(data).await?;
                }
                Some(Part::End { .. }) if !self.is_whole() => {
                    return Err(Error::field("end", self.so_far("came early")));
                }
                Some(Part::End { sha256 }) => {
                    let staged = staging.finish().await?;
                    return sha256.map_or(Ok(()), |sha256| check_digest(&sha256, &staged)).map(|()| staged);
                }
                Some(Part::Header { .. }) => return Err(Error::field("header", "was sent already")),
                None => return Err(Error::field("end", self.so_far("is missing"))),
            }
            if told.elapsed() >= PROGRESS_INTERVAL {
                told = Instant::now();
                progress(self.bytes);
            }
        }
    }

    fn is_whole(&self) -> bool {
        if self.is_known { self.bytes == self.size } else { self.bytes > 0 }
    }

    fn check_chunk(&self, number: i64, offset: i64, length: usize) -> Result<()> {
        if number != self.chunks {
            let problem = format!("is {number}; expected {}", self.chunks);
            return Err(Error::field("chunk.number", problem));
        }
        if u64::try_from(offset) != Ok(self.bytes) {
            let problem = format!("is {offset}; expected {}", self.bytes);
            return Err(Error::field("chunk.offset", problem));
        }
        if !(1..=MAX_CHUNK).contains(&length) {
            let problem = format!("has {length} bytes; must have 1 to {MAX_CHUNK}");
            return Err(Error::field("chunk.data", problem));
        }
        if self.bytes + length as u64 > self.size {
            let whose = if self.is_known { "that the header announced" } else { "that this server takes" };
            let problem = format!("goes beyond the {} bytes {whose}", self.size);
            return Err(Error::field("chunk.data", problem));
        }
        Ok(())
    }

    fn so_far(&self, problem: &str) -> String {
        match self.is_known {
            true => format!("{problem}: {} of {} bytes arrived; send the file again", self.bytes, self.size),
            false => format!("{problem}: {} bytes arrived; send the file again", self.bytes),
        }
    }
}

fn check_digest(sha256: &str, staged: &Staged) -> Result<()> {
    if sha256 == staged.sha256 {
        return Ok(());
    }
    let problem = format!("does not match the bytes that arrived, whose SHA-256 is {}", staged.sha256);
    Err(Error::field("end.sha256", problem))
}

fn check_name(name: &str) -> Result<()> {
    const FIELD: &str = "header.file_name";
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Error::field(FIELD, format!("has {} bytes; must have 1 to {MAX_NAME}", name.len())));
    }
    if name.chars().any(|character| character.is_control() || character == '/') {
        return Err(Error::field(FIELD, "must not contain control characters or /"));
    }
    Ok(())
}
