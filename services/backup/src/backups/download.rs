//! Downloads of stored backups, from any offset.
//!
//! A download sends the object that the header names, to its last byte: if the object is replaced meanwhile, the stream
//! ends with an error. A download from the first byte is hashed, and gets no trailer if the object has changed.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::DownloadBackupResponse;
use strongroom_api::backup::v1::download_backup_response::{Chunk, Header, Message, Trailer};
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::Caller;

use super::catalogue::{Catalogue, readable_copy};
use super::destinations::{Destination, Destinations, Problem, StorageError};
use super::record::content_of;
use crate::assembly::CHUNK_SIZE;
use crate::error::{Error, Result};
use crate::membership::Membership;
use crate::metrics::{KindMetrics, Size};
use crate::operation::{AuditRecord, Ended, Kind, Limits, Metadata, Operations, Outlet, Replies, put};
use crate::vault_client::VaultClient;

/// The operation kind of downloads.
pub(crate) static KIND: Kind = Kind {
    name: "download",
    started: Some("backup.download_started"),
    ended: "backup.downloaded",
    keeps: false,
    hands_on: false,
    // Chunks of at most 256 KiB each.
    queue: 4,
    busy: Error::DownloadsBusy,
    too_long: Error::DownloadTooLong,
    stalled: Error::DownloadStalled,
};

/// The request of a client.
pub(crate) struct DownloadRequest {
    pub(crate) id: String,
    pub(crate) offset: i64,
    /// The etag in the header of an earlier download; empty for a new one.
    pub(crate) etag: String,
    /// Empty means the first destination that has the backup.
    pub(crate) destination: String,
}

/// Sends stored backups; one instance per process.
pub(crate) struct Downloads {
    catalogue: Catalogue,
    destinations: Arc<Destinations>,
    vault: VaultClient,
    membership: Arc<Membership>,
    operations: Operations,
}

impl Downloads {
    pub(crate) fn create(
        catalogue: Catalogue,
        destinations: Arc<Destinations>,
        (vault, membership): (VaultClient, Arc<Membership>),
        (limits, metrics): (Limits, KindMetrics),
    ) -> Self {
        let operations = Operations::create(&KIND, limits, metrics);
        Self { catalogue, destinations, vault, membership, operations }
    }

    /// Begins a download for `caller`.
    ///
    /// # Errors
    /// [`Error::DownloadsBusy`], [`Error::BackupNotFound`], [`Error::BackupState`], [`Error::CopyMissing`],
    /// [`Error::BackupChanged`], [`Error::BackupDamaged`], [`Error::Field`], and those of the destination.
    pub(crate) async fn begin(
        &self,
        caller: &Caller,
        request: DownloadRequest,
    ) -> Result<Replies<DownloadBackupResponse>> {
        let permit = self.operations.admit()?;
        let backup = self.catalogue.get(&request.id).await?;
        let copy = readable_copy(&backup, &request.destination)?.clone();
        let content = content_of(&backup.row)?;
        let offset = check_offset(&request, content.size_bytes)?;
        let destination = Arc::clone(self.destinations.get(&copy.destination)?);
        let Some(object) = destination.head(&copy.key).await? else {
            return Err(damaged(&request.id, &copy.destination, "it no longer exists"));
        };
        if !request.etag.is_empty() && request.etag != object.etag {
            return Err(Error::BackupChanged(request.id));
        }
        if i64::try_from(object.size) != Ok(content.size_bytes) {
            let problem = format!("it has {} bytes instead of {}", object.size, content.size_bytes);
            return Err(damaged(&request.id, &copy.destination, &problem));
        }
        let header = Header {
            id: request.id,
            file_name: backup.row.file_name.clone(),
            size_bytes: content.size_bytes,
            sha256: content.sha256,
            offset: request.offset,
            etag: object.etag,
            destination: copy.destination,
        };
        let operation = uuid::Uuid::now_v7().to_string();
        let mut metadata = Metadata::new();
        put(&mut metadata, "archive_id", header.id.as_str());
        put(&mut metadata, "destination", header.destination.as_str());
        put(&mut metadata, "offset", header.offset);
        let member = self.membership.current();
        let record = AuditRecord::create(self.vault.clone(), &KIND, caller, &operation, &header.file_name)
            .with(metadata)
            .with_at_start("instance", member.id.as_str());
        let work = |outlet, _stop| Download { destination, key: copy.key, header, offset, outlet }.send();
        Ok(self.operations.start(permit, record, work, |_| async {}))
    }

    /// Ends running operations and waits for their closing events.
    pub(crate) async fn stop(&self) {
        self.operations.stop().await;
    }
}

fn check_offset(request: &DownloadRequest, size: i64) -> Result<u64> {
    if request.offset < 0 || request.offset > size {
        let problem = format!("is {}; must be 0 to {size}, the file's size", request.offset);
        return Err(Error::field("offset", problem));
    }
    if request.offset > 0 && request.etag.is_empty() {
        return Err(Error::field("etag", "must be that of the header of the download to resume"));
    }
    Ok(request.offset.unsigned_abs())
}

fn damaged(id: &str, destination: &str, problem: &str) -> Error {
    let (id, destination) = (id.to_owned(), destination.to_owned());
    Error::BackupDamaged { id, destination, problem: problem.to_owned() }
}

/// One download.
struct Download {
    destination: Arc<Destination>,
    key: String,
    header: Header,
    offset: u64,
    outlet: Outlet<DownloadBackupResponse>,
}

impl Download {
    async fn send(self) -> Result<Ended<DownloadBackupResponse>> {
        let size = self.header.size_bytes.unsigned_abs();
        self.reply(Message::Header(self.header.clone())).await?;
        let (mut digest, mut offset) = (Sha256::new(), self.offset);
        if offset < size {
            let etag = Some(self.header.etag.as_str());
            let read = self.destination.read(&self.key, offset..size, etag).await;
            let mut pieces = read.map_err(|error| self.changed(error))?;
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|error| self.changed(error))?;
                digest.update(&piece);
                offset = self.send_piece(piece, offset).await?;
            }
        }
        if self.offset == 0 && hex::encode(digest.finalize()) != self.header.sha256 {
            let Header { id, destination, .. } = &self.header;
            return Err(damaged(id, destination, "its bytes have a different SHA-256"));
        }
        self.outlet.taken().await?;
        let (size_bytes, sha256) = (self.header.size_bytes, self.header.sha256);
        let trailer = Message::Trailer(Trailer { size_bytes, sha256 });
        let replies = vec![DownloadBackupResponse { message: Some(trailer) }];
        let (outcome, sent) = (AuditOutcome::Success, (offset - self.offset) as i64);
        let mut metadata = Metadata::new();
        put(&mut metadata, "size_bytes", sent);
        Ok(Ended { outcome, metadata, replies, size: Size { bytes: sent, rows: 0 } })
    }

    /// Sends a piece in chunks, and returns the offset of the next one.
    async fn send_piece(&self, mut piece: Bytes, mut offset: u64) -> Result<u64> {
        while !piece.is_empty() {
            let data = piece.split_to(piece.len().min(CHUNK_SIZE));
            let length = data.len() as u64;
            self.reply(Message::Chunk(Chunk { offset: offset as i64, data })).await?;
            offset += length;
        }
        Ok(offset)
    }

    async fn reply(&self, message: Message) -> Result<()> {
        self.outlet.send(DownloadBackupResponse { message: Some(message) }).await
    }

    fn changed(&self, error: StorageError) -> Error {
        match error.problem {
            Problem::ObjectChanged => Error::BackupChanged(self.header.id.clone()),
            _ => error.into(),
        }
    }
}
