//! The expected messages of an export: a header, contiguous chunks, a trailer. Anything else is a failure.
//!
//! Only the trailer makes a file complete. A stream can end early with an OK status (for example when a proxy
//! restarts), so only the trailer's own figures count.

use std::io::Write;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::export_backup_response::{Chunk, Header, Message, Progress, Trailer};
use strongroom_api::backup::v1::{ExportBackupResponse, LeftOut};

use crate::out_file::is_plain_name;

/// A received and verified archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) archive_id: String,
    /// The server's name for it.
    pub(crate) file_name: String,
    /// Its current path.
    pub(crate) out: String,
    pub(crate) size_bytes: i64,
    /// Hex.
    pub(crate) sha256: String,
    pub(crate) chunks: i64,
    pub(crate) tables: i64,
    pub(crate) rows: i64,
    pub(crate) files: i64,
    /// Parts of the sources that it lacks: the first ones, and the total number.
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) left_out_total: i64,
}

/// Kind of a message.
#[derive(Debug, PartialEq)]
pub(crate) enum Received {
    Header,
    /// Number of bytes so far.
    Bytes(u64),
    Progress(Progress),
    Trailer,
}

/// An export being received into `W`.
pub(crate) struct Download<W> {
    transfer: Option<Transfer<W>>,
    trailer: Option<Trailer>,
}

struct Transfer<W> {
    header: Header,
    sink: W,
    digest: Sha256,
    chunks: i64,
    bytes: i64,
    /// A chunk was shorter than the others, so it was the last one.
    ended: bool,
}

impl<W: Write> Download<W> {
    pub(crate) fn new() -> Self {
        Self { transfer: None, trailer: None }
    }

    /// Whether the header has arrived.
    pub(crate) fn has_begun(&self) -> bool {
        self.transfer.is_some()
    }

    /// Accepts the next message. `create` makes the sink once the header is known.
    ///
    /// # Errors
    /// When the message is not the expected one, or the sink fails. The download is then over.
    pub(crate) fn take(
        &mut self,
        message: ExportBackupResponse,
        create: impl FnOnce(&Header) -> Result<W>,
    ) -> Result<Received> {
        ensure!(self.trailer.is_none(), "the server sent more after the trailer");
        let message =
            message.message.context("the server sent a message that this release does not support")?;
        match (&mut self.transfer, message) {
            (None, Message::Header(header)) => {
                check_header(&header)?;
                let sink = create(&header)?;
                self.transfer = Some(Transfer::begin(header, sink));
                Ok(Received::Header)
            }
            (None, _) => bail!("the server's first message is not the header"),
            (Some(_), Message::Header(_)) => bail!("the server sent a second header"),
            (Some(transfer), Message::Chunk(chunk)) => transfer.write(&chunk),
            (Some(_), Message::Progress(progress)) => Ok(Received::Progress(progress)),
            (Some(transfer), Message::Trailer(trailer)) => {
                transfer.check(&trailer)?;
                self.trailer = Some(trailer);
                Ok(Received::Trailer)
            }
        }
    }

    /// The sink and a summary, once the stream has ended.
    ///
    /// # Errors
    /// When there was no trailer, or the sink cannot be flushed.
    pub(crate) fn finish(self) -> Result<(W, Summary)> {
        let (Some(mut transfer), Some(trailer)) = (self.transfer, self.trailer) else {
            bail!("the stream ended without its trailer: the file is incomplete and was discarded");
        };
        transfer.sink.flush().context(WRITE)?;
        let summary = Summary {
            archive_id: trailer.archive_id,
            file_name: transfer.header.file_name,
            out: String::new(),
            size_bytes: trailer.size_bytes,
            sha256: trailer.sha256,
            chunks: trailer.chunks,
            tables: trailer.tables,
            rows: trailer.rows,
            files: trailer.files,
            left_out: trailer.left_out,
            left_out_total: trailer.left_out_total,
        };
        Ok((transfer.sink, summary))
    }
}

const WRITE: &str = "cannot write the file";

fn check_header(header: &Header) -> Result<()> {
    ensure!(!header.archive_id.is_empty(), "the server's header has no id");
    ensure!(header.chunk_size > 0, "the server's header gives no chunk size");
    let name = &header.file_name;
    ensure!(is_plain_name(name), "the server calls the file {name:?}, which is not a plain file name");
    Ok(())
}

impl<W: Write> Transfer<W> {
    fn begin(header: Header, sink: W) -> Self {
        Self { header, sink, digest: Sha256::new(), chunks: 0, bytes: 0, ended: false }
    }

    fn write(&mut self, chunk: &Chunk) -> Result<Received> {
        let (number, offset) = (chunk.number, chunk.offset);
        let expected = (self.chunks, self.bytes);
        ensure!(
            (number, offset) == expected && !self.ended,
            "the server sent chunk {number} at offset {offset} where chunk {} at {} must follow",
            expected.0,
            expected.1
        );
        let length = i64::try_from(chunk.data.len())?;
        ensure!(length <= self.header.chunk_size, "chunk {number} is longer than the header allows");
        self.ended = length < self.header.chunk_size;
        self.digest.update(&chunk.data);
        self.sink.write_all(&chunk.data).context(WRITE)?;
        self.chunks += 1;
        self.bytes += length;
        Ok(Received::Bytes(u64::try_from(self.bytes)?))
    }

    fn check(&self, trailer: &Trailer) -> Result<()> {
        let (begun, ended) = (&self.header.archive_id, &trailer.archive_id);
        ensure!(begun == ended, "the trailer belongs to another file: {ended:?} after {begun:?}");
        ensure!(
            (self.bytes, self.chunks) == (trailer.size_bytes, trailer.chunks),
            "received {} bytes in {} chunks where the server counted {} in {}",
            self.bytes,
            self.chunks,
            trailer.size_bytes,
            trailer.chunks
        );
        let digest = hex::encode(self.digest.clone().finalize());
        ensure!(
            digest == trailer.sha256,
            "the bytes received have the SHA-256 {digest}, but the server counted {:?}",
            trailer.sha256
        );
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const CHUNK: i64 = 4;

    fn header() -> Message {
        let file_name = "app-backup-2026-05-06-101422.zip".into();
        Message::Header(Header { archive_id: "a".into(), file_name, create_time: None, chunk_size: CHUNK })
    }

    fn chunk(number: i64, offset: i64, data: &'static str) -> Message {
        Message::Chunk(Chunk { number, offset, data: data.into() })
    }

    fn trailer() -> Trailer {
        Trailer {
            archive_id: "a".into(),
            size_bytes: 6,
            chunks: 2,
            sha256: hex::encode(Sha256::digest("abcdef")),
            tables: 1,
            rows: 3,
            files: 0,
            ..Trailer::default()
        }
    }

    fn receive(messages: Vec<Message>) -> Result<(Vec<u8>, Summary)> {
        let mut download = Download::new();
        for message in messages {
            download.take(ExportBackupResponse { message: Some(message) }, |_| Ok(Vec::new()))?;
        }
        download.finish()
    }

    fn whole() -> Vec<Message> {
        let progress = Message::Progress(Progress::default());
        vec![header(), chunk(0, 0, "abcd"), progress, chunk(1, 4, "ef"), Message::Trailer(trailer())]
    }

    #[test]
    fn a_whole_stream_is_taken() {
        let (bytes, summary) = receive(whole()).unwrap();
        assert_eq!(bytes, b"abcdef");
        assert_eq!((summary.size_bytes, summary.rows), (6, 3));
        assert_eq!(summary.file_name, "app-backup-2026-05-06-101422.zip");
    }

    #[test]
    fn everything_else_is_refused() {
        let broken = |change: &dyn Fn(&mut Vec<Message>), expected: &str| {
            let mut messages = whole();
            change(&mut messages);
            let error = format!("{:#}", receive(messages).map(|_| ()).unwrap_err());
            assert!(error.contains(expected), "{error:?} does not say {expected:?}");
        };
        broken(&|all| all.clear(), "without its trailer");
        broken(&|all| drop(all.pop()), "without its trailer");
        broken(&|all| drop(all.remove(0)), "first message is not the header");
        broken(&|all| all.insert(1, header()), "second header");
        broken(&|all| drop(all.remove(1)), "chunk 1 at offset 4 where chunk 0 at 0 must follow");
        broken(&|all| all[3] = chunk(1, 5, "ef"), "chunk 1 at offset 5 where chunk 1 at 4");
        broken(&|all| all[3] = chunk(0, 4, "ef"), "chunk 0 at offset 4 where chunk 1 at 4");
        broken(&|all| all[1] = chunk(0, 0, "abcde"), "longer than the header allows");
        broken(&|all| all.insert(4, chunk(2, 6, "g")), "chunk 2 at offset 6");
        broken(&|all| all[3] = chunk(1, 4, "xx"), "SHA-256");
        broken(&|all| drop(all.remove(3)), "received 4 bytes in 1 chunks");
        broken(&|all| all.push(chunk(2, 6, "")), "after the trailer");
        let other = Trailer { archive_id: "b".into(), ..trailer() };
        broken(&|all| all[4] = Message::Trailer(other.clone()), "another file");
    }

    #[test]
    fn a_file_name_cannot_climb() {
        for name in ["", "../x.zip", "/x.zip", "a/b.zip", ".zip", "a\nb.zip"] {
            let header =
                Header { archive_id: "a".into(), file_name: name.into(), create_time: None, chunk_size: 1 };
            assert!(check_header(&header).is_err(), "{name:?}");
        }
    }
}
