//! Uploads an archive, over as many connections as necessary.
//!
//! A sealed archive is uploaded under an id that is generated here, so any interruption can be resumed. The service
//! seals a plain archive as it arrives, so it must arrive in a single stream.

use std::io::BufReader;
use std::sync::Arc;

use anyhow::{Context as _, Error, Result, anyhow, bail};
use strongroom_age::SealError;
use strongroom_api::backup::v1::upload_archive_request::{Chunk, End, Header, Message};
use strongroom_api::backup::v1::{DeleteUploadRequest, GetUploadRequest, Upload, UploadArchiveRequest};
use strongroom_archive::Error as ArchiveError;
use strongroom_archive::seal;
use tonic::{Code, Request, Status};

use crate::client::{Connection, unary};
use crate::commands::progress::Progress;
use crate::commands::retries::{Retries, is_broken};
use crate::commands::sending::{self, Piece, Sending};
use crate::input::Input;

/// Sends the file, and returns the upload's id.
///
/// # Errors
/// When the file cannot be read, or when the service refuses it or stays unavailable.
pub(super) async fn send(service: &Connection, file: &Input) -> Result<String> {
    let mut upload = if is_sealed(file)? { begun() } else { Upload::default() };
    let mut retries = Retries::new();
    let mut is_resumed = false;
    loop {
        let stream = Stream { service, file, upload: &upload, is_resumed };
        let broken = match stream.send().await? {
            Sent::Whole(id) => return Ok(id),
            Sent::Broken(error) if upload.id.is_empty() => {
                return Err(error.context("the upload of a plain archive cannot be resumed"));
            }
            Sent::Broken(error) => error,
        };
        let now = again(service, &upload.id, &mut retries, broken).await?;
        if now.complete {
            // Only the answer was lost.
            return Ok(now.id);
        }
        if now.received_bytes > upload.received_bytes {
            retries.went_on();
        }
        (upload, is_resumed) = (now, true);
    }
}

/// Removes an upload that is not needed: it would take room for a day. If it cannot be removed now, it is removed then.
pub(super) async fn delete(service: &Connection, id: String) {
    let _ = service.restores().delete_upload(unary(DeleteUploadRequest { id })).await;
}

/// The service reports any other problem of the seal.
fn is_sealed(file: &Input) -> Result<bool> {
    let header = seal::Header::read(&mut BufReader::new(file.open()?));
    Ok(!matches!(header, Err(ArchiveError::Seal(SealError::NotSealed))))
}

/// An upload of which nothing has arrived.
fn begun() -> Upload {
    Upload { id: uuid::Uuid::now_v7().to_string(), ..Upload::default() }
}

/// Waits, and asks how much has arrived.
async fn again(service: &Connection, id: &str, retries: &mut Retries, broken: Error) -> Result<Upload> {
    while retries.another().await {
        let request = unary(GetUploadRequest { id: id.to_owned() });
        match service.restores().get_upload(request).await {
            Ok(answer) => {
                return answer.into_inner().upload.context("the backup service answered without an upload");
            }
            // The connection broke before the service had the header.
            Err(status) if status.code() == Code::NotFound => {
                return Ok(Upload { id: id.to_owned(), ..Upload::default() });
            }
            Err(status) => {
                let failed = service.failed(&status);
                if !is_broken(&status, &failed) {
                    return Err(failed.into());
                }
            }
        }
    }
    Err(broken.context("the upload broke off"))
}

/// How a stream ended.
enum Sent {
    /// Completely; contains the upload's id.
    Whole(String),
    /// Early, and another stream can continue.
    Broken(Error),
}

struct Stream<'a> {
    service: &'a Connection,
    file: &'a Input,
    upload: &'a Upload,
    /// Whether another stream broke before it.
    is_resumed: bool,
}

impl Stream<'_> {
    /// # Errors
    /// An error that another stream would end with too.
    async fn send(&self) -> Result<Sent> {
        let from = u64::try_from(self.upload.received_bytes).context("the backup service sent no size")?;
        let progress = Arc::new(Progress::of_upload(self.file.open()?.metadata()?.len()));
        let (shown, id) = (Arc::clone(&progress), self.upload.id.clone());
        let Sending { requests, failed, .. } = sending::start(self.file.path(), from, move |piece| {
            if let Piece::Chunk { offset, .. } = &piece {
                shown.received(u64::try_from(*offset).unwrap_or(0));
            }
            request(piece, &id)
        })?;
        let answer = self.service.restores().upload_archive(Request::new(requests)).await;
        // A file that cannot be read ends the upload; the service sees only the end.
        if let Ok(error) = failed.await {
            bail!(error);
        }
        progress.finish();
        match answer {
            Ok(answer) => Ok(ended(answer.into_inner().upload)),
            Err(status) => self.broken(&status),
        }
    }

    fn broken(&self, status: &Status) -> Result<Sent> {
        let failed = self.service.failed(status);
        // The service may still count the broken stream towards its limit.
        let is_counted = self.is_resumed && status.code() == Code::ResourceExhausted;
        let may_pass = is_counted || is_broken(status, &failed);
        if may_pass { Ok(Sent::Broken(failed.into())) } else { Err(failed.into()) }
    }
}

fn ended(upload: Option<Upload>) -> Sent {
    match upload {
        Some(upload) if upload.complete => Sent::Whole(upload.id),
        _ => Sent::Broken(anyhow!("the backup service ended the upload early")),
    }
}

fn request(piece: Piece, upload_id: &str) -> UploadArchiveRequest {
    let message = match piece {
        Piece::Header { file_name, size_bytes } => {
            Message::Header(Header { file_name, size_bytes, upload_id: upload_id.to_owned() })
        }
        Piece::Chunk { number, offset, data } => Message::Chunk(Chunk { number, offset, data }),
        Piece::End { sha256 } => Message::End(End { sha256 }),
    };
    UploadArchiveRequest { message: Some(message) }
}
