//! The expected messages of a download: a header, contiguous chunks, a trailer. Another stream continues one that ends
//! before its trailer; its header must describe the same bytes.
//!
//! The digest covers the whole file, including the bytes that earlier streams and earlier processes received.

use std::io::Write;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::download_backup_response::{Chunk, Header, Message, Trailer};
use strongroom_api::backup::v1::{DownloadBackupRequest, DownloadBackupResponse};

use super::object::Object;

/// A download being received into `W`.
pub(super) struct Transfer<W> {
    id: String,
    /// The destination to read from; if empty, the server chooses.
    destination: String,
    begun: Option<Begun<W>>,
    stream: Stream,
}

/// The file so far.
pub(super) struct Begun<W> {
    pub(super) object: Object,
    pub(super) sink: W,
    /// Bytes in the sink.
    pub(super) received: u64,
    /// Digest of these bytes.
    pub(super) digest: Sha256,
}

/// State of the current stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    New,
    Open,
    Complete,
}

/// Why a message was not accepted.
#[derive(Debug)]
pub(super) enum Untaken {
    /// The sink does not accept it: for example, the disk is full. The bytes so far stay valid.
    Unwritten(anyhow::Error),
    /// The message is not allowed here, so nothing of this download can be trusted.
    Wrong(anyhow::Error),
}

impl<W: Write> Transfer<W> {
    /// A download from the first byte.
    pub(super) fn new(id: String, destination: String) -> Self {
        Self { id, destination, begun: None, stream: Stream::New }
    }

    /// A download that continues `begun`.
    pub(super) fn resume(begun: Begun<W>) -> Self {
        let Object { id, destination, .. } = begun.object.clone();
        Self { id, destination, begun: Some(begun), stream: Stream::New }
    }

    /// Whether the last requested stream has sent its header.
    pub(super) fn was_answered(&self) -> bool {
        self.stream != Stream::New
    }

    /// Bytes in the sink.
    pub(super) fn received(&self) -> u64 {
        self.begun.as_ref().map_or(0, |begun| begun.received)
    }

    /// Requests the rest; the next message begins a stream.
    pub(super) fn request(&mut self) -> Result<DownloadBackupRequest> {
        self.stream = Stream::New;
        let (id, begun) = (self.id.clone(), self.begun.as_ref());
        Ok(DownloadBackupRequest {
            id,
            offset: self.received().try_into()?,
            etag: begun.map(|begun| begun.object.etag.clone()).unwrap_or_default(),
            destination: begun.map_or(&self.destination, |begun| &begun.object.destination).clone(),
        })
    }

    /// Accepts the next message. `create` makes the sink once the first header is known. True for the trailer.
    pub(super) fn take(
        &mut self,
        message: DownloadBackupResponse,
        create: impl FnOnce(&Object) -> Result<W>,
    ) -> Result<bool, Untaken> {
        let unsupported = || anyhow!("the server sent a message that this release does not support");
        match (self.stream, message.message.ok_or_else(unsupported).map_err(Untaken::Wrong)?) {
            (Stream::New, Message::Header(header)) => self.begin(header, create)?,
            (Stream::New, _) => return Err(wrong("the server's first message is not the header")),
            (Stream::Open, Message::Chunk(chunk)) => self.write(&chunk)?,
            (Stream::Open, Message::Trailer(trailer)) => {
                self.check(&trailer).map_err(Untaken::Wrong)?;
                self.stream = Stream::Complete;
            }
            (Stream::Open, Message::Header(_)) => return Err(wrong("the server sent a second header")),
            (Stream::Complete, _) => return Err(wrong("the server sent more after the trailer")),
        }
        Ok(self.stream == Stream::Complete)
    }

    fn begin(&mut self, header: Header, create: impl FnOnce(&Object) -> Result<W>) -> Result<(), Untaken> {
        let offset = header.offset;
        let object = Object::of(header, &self.id).map_err(Untaken::Wrong)?;
        if u64::try_from(offset) != Ok(self.received()) {
            let asked = self.received();
            return Err(Untaken::Wrong(anyhow!("the server begins at byte {offset} instead of {asked}")));
        }
        match &self.begun {
            Some(begun) if begun.object == object => {}
            Some(_) => {
                return Err(wrong("the stored backup is no longer the one that the download began with"));
            }
            None => {
                let sink = create(&object).map_err(Untaken::Unwritten)?;
                self.begun = Some(Begun { object, sink, received: 0, digest: Sha256::new() });
            }
        }
        self.stream = Stream::Open;
        Ok(())
    }

    fn write(&mut self, chunk: &Chunk) -> Result<(), Untaken> {
        let Some(begun) = &mut self.begun else {
            return Err(wrong("the server sent a chunk before the header"));
        };
        let (offset, length, at) = (chunk.offset, chunk.data.len() as u64, begun.received);
        if u64::try_from(offset) != Ok(at) || length == 0 || length > begun.object.size.saturating_sub(at) {
            let size = begun.object.size;
            return Err(Untaken::Wrong(anyhow!(
                "the server sent {length} bytes at byte {offset} where byte {at} of {size} must follow"
            )));
        }
        begun.sink.write_all(&chunk.data).context("cannot write the archive").map_err(Untaken::Unwritten)?;
        begun.digest.update(&chunk.data);
        begun.received += length;
        Ok(())
    }

    fn check(&self, trailer: &Trailer) -> Result<()> {
        let begun = self.begun.as_ref().context("the server sent a trailer before the header")?;
        let Object { size, sha256, .. } = &begun.object;
        ensure!(
            u64::try_from(trailer.size_bytes) == Ok(*size) && trailer.sha256.eq_ignore_ascii_case(sha256),
            "the trailer belongs to another file than the header"
        );
        ensure!(begun.received == *size, "the server ended after {} of {size} bytes", begun.received);
        let digest = hex::encode(begun.digest.clone().finalize());
        ensure!(
            digest == *sha256,
            "the bytes received have the SHA-256 {digest}, but the backup has {sha256}"
        );
        Ok(())
    }

    /// The file, once the trailer has been received.
    pub(super) fn finish(self) -> Result<(W, Object)> {
        match self.begun {
            Some(mut begun) if self.stream == Stream::Complete => {
                begun.sink.flush().context("cannot write the archive")?;
                Ok((begun.sink, begun.object))
            }
            _ => bail!("the download is incomplete"),
        }
    }
}

fn wrong(sentence: &'static str) -> Untaken {
    Untaken::Wrong(anyhow!(sentence))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ID: &str = "0197e0a1-0000-7000-8000-00000000000a";

    fn header(offset: i64) -> Header {
        Header {
            id: ID.into(),
            file_name: "app-backup.zip".into(),
            size_bytes: 6,
            sha256: hex::encode(Sha256::digest("abcdef")),
            offset,
            etag: "\"1\"".into(),
            destination: "local".into(),
        }
    }

    fn chunk(offset: i64, data: &'static str) -> Message {
        Message::Chunk(Chunk { offset, data: data.into() })
    }

    fn trailer() -> Trailer {
        Trailer { size_bytes: 6, sha256: header(0).sha256 }
    }

    fn whole() -> Vec<Message> {
        vec![Message::Header(header(0)), chunk(0, "abcd"), chunk(4, "ef"), Message::Trailer(trailer())]
    }

    fn take(transfer: &mut Transfer<Vec<u8>>, messages: Vec<Message>) -> Result<()> {
        for message in messages {
            let message = DownloadBackupResponse { message: Some(message) };
            transfer.take(message, |_| Ok(Vec::new())).map_err(|untaken| match untaken {
                Untaken::Unwritten(error) | Untaken::Wrong(error) => error,
            })?;
        }
        Ok(())
    }

    fn received(messages: Vec<Message>) -> Result<Vec<u8>> {
        let mut transfer = Transfer::new(ID.into(), String::new());
        take(&mut transfer, messages)?;
        Ok(transfer.finish()?.0)
    }

    #[test]
    fn a_whole_stream_is_taken() {
        assert_eq!(received(whole()).unwrap(), b"abcdef");
    }

    #[test]
    fn everything_else_is_refused() {
        let broken = |change: &dyn Fn(&mut Vec<Message>), expected: &str| {
            let mut messages = whole();
            change(&mut messages);
            let error = format!("{:#}", received(messages).unwrap_err());
            assert!(error.contains(expected), "{error:?} does not say {expected:?}");
        };
        let headed = |change: &dyn Fn(&mut Header)| {
            let mut header = header(0);
            change(&mut header);
            Message::Header(header)
        };
        broken(&|all| all.clear(), "incomplete");
        broken(&|all| drop(all.pop()), "incomplete");
        broken(&|all| drop(all.remove(0)), "first message is not the header");
        broken(&|all| all.insert(1, Message::Header(header(0))), "second header");
        broken(&|all| drop(all.remove(1)), "2 bytes at byte 4 where byte 0 of 6 must follow");
        broken(&|all| drop(all.remove(2)), "ended after 4 of 6 bytes");
        broken(&|all| all[2] = chunk(4, "efg"), "3 bytes at byte 4 where byte 4 of 6");
        broken(&|all| all[2] = chunk(4, ""), "0 bytes at byte 4");
        broken(&|all| all[2] = chunk(-4, "ef"), "at byte -4");
        broken(&|all| all[2] = chunk(4, "xx"), "SHA-256");
        broken(&|all| all.push(chunk(6, "g")), "after the trailer");
        broken(&|all| all[3] = Message::Trailer(Trailer { size_bytes: 7, ..trailer() }), "another file");
        broken(&|all| all[0] = Message::Header(header(1)), "begins at byte 1 instead of 0");
        broken(&|all| all[0] = headed(&|header| header.id = "b".into()), "sent the backup \"b\"");
        broken(&|all| all[0] = headed(&|header| header.size_bytes = -1), "gives no size");
        broken(&|all| all[0] = headed(&|header| header.sha256 = "abc".into()), "gives no SHA-256");
        broken(&|all| all[0] = headed(&|header| header.etag = String::new()), "gives no etag");
        broken(&|all| all[0] = headed(&|header| header.size_bytes = 5), "byte 4 of 5 must follow");
    }

    #[test]
    fn a_stream_goes_on_where_the_last_one_ended() {
        let mut transfer = Transfer::new(ID.into(), "local".into());
        assert_eq!(transfer.request().unwrap().etag, "");
        take(&mut transfer, whole()[..2].to_vec()).unwrap();
        let request = transfer.request().unwrap();
        assert_eq!((request.offset, &*request.etag, &*request.destination), (4, "\"1\"", "local"));
        let rest = vec![Message::Header(header(4)), chunk(4, "ef"), Message::Trailer(trailer())];
        take(&mut transfer, rest).unwrap();
        assert_eq!(transfer.finish().unwrap().0, b"abcdef");
    }

    #[test]
    fn a_stream_of_other_bytes_does_not_go_on() {
        let changes: [&dyn Fn(&mut Header); 4] = [
            &|header| header.etag = "\"2\"".into(),
            &|header| header.size_bytes = 5,
            &|header| header.sha256 = "0".repeat(64),
            &|header| header.destination = "offsite".into(),
        ];
        for change in changes {
            let mut transfer = Transfer::new(ID.into(), String::new());
            take(&mut transfer, whole()[..2].to_vec()).unwrap();
            transfer.request().unwrap();
            let mut other = header(4);
            change(&mut other);
            let error = take(&mut transfer, vec![Message::Header(other)]).unwrap_err();
            assert!(error.to_string().contains("no longer the one"), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_there_needs_only_its_trailer() {
        let object = Object::of(header(0), ID).unwrap();
        let begun =
            Begun { object, sink: Vec::new(), received: 6, digest: Sha256::new_with_prefix("abcdef") };
        let mut transfer = Transfer::resume(begun);
        assert_eq!(transfer.request().unwrap().offset, 6);
        take(&mut transfer, vec![Message::Header(header(6)), Message::Trailer(trailer())]).unwrap();
        transfer.finish().unwrap();
    }
}
