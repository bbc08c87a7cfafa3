//! `strongroom.backup.v1.BackupService`.

use std::sync::Arc;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::backup_service_server::BackupService;
use strongroom_api::backup::v1::export_backup_request;
use strongroom_api::backup::v1::verify_backup_request::{Chunk, End, Header, Message};
use strongroom_api::time::to_jiff;
use strongroom_runtime::auth::permission_denied;
use strongroom_runtime::{Authenticator, Caller, Shutdown};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Response, Status, Streaming};

use super::answer::{answer, to_its_end};
use super::request::{check_id, check_names, of_create, parse, parse_seal};
use super::stored;
use super::watch::Watch;
use crate::assembly::Plan;
use crate::backups::{DownloadRequest, Order, StoredBackups};
use crate::error::{DOMAIN, Error, Result};
use crate::export::Exports;
use crate::incoming::{MAX_CHUNK, Part};
use crate::operation::Replies;
use crate::reencryption::Reencryptions;
use crate::seal::SealChoice;
use crate::sources::{ListedTable, Sources, Survey};
use crate::verification::Verifications;

const EXPORT: &str = "strongroom.backup.v1.BackupService/ExportBackup";
const CREATE: &str = "strongroom.backup.v1.BackupService/CreateBackup";

/// The service implementation for tonic.
pub(crate) struct BackupGrpc {
    pub(crate) exports: Arc<Exports>,
    pub(crate) stored: StoredBackups,
    pub(crate) shutdown: Shutdown,
    pub(crate) verifications: Arc<Verifications>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) reencryptions: Reencryptions,
    /// Records refusals that only a handler can detect.
    pub(crate) authenticator: Arc<dyn Authenticator>,
}

#[tonic::async_trait]
impl BackupService for BackupGrpc {
    type ExportBackupStream = Replies<proto::ExportBackupResponse>;

    async fn export_backup(
        &self,
        request: Request<proto::ExportBackupRequest>,
    ) -> Result<Response<Self::ExportBackupStream>, Status> {
        let caller = Caller::of(&request)?;
        let proto::ExportBackupRequest { include, tables, since, seal } = request.into_inner();
        let choice = self.seal(&caller, EXPORT, seal).await?;
        let request = parse(include, tables, since.as_ref().map(to_jiff)).map_err(|error| error.status())?;
        answer(self.exports.begin(&caller, &request, choice).await)
    }

    type VerifyBackupStream = Replies<proto::VerifyBackupResponse>;

    async fn verify_backup(
        &self,
        request: Request<Streaming<proto::VerifyBackupRequest>>,
    ) -> Result<Response<Self::VerifyBackupStream>, Status> {
        let caller = Caller::of(&request)?;
        let parts = request.into_inner().map(part);
        answer(self.verifications.begin(&caller, Box::pin(parts)).await)
    }

    async fn create_backup(
        &self,
        request: Request<proto::CreateBackupRequest>,
    ) -> Result<Response<proto::CreateBackupResponse>, Status> {
        let caller = Caller::of(&request)?;
        let proto::CreateBackupRequest { include, tables, since, seal, destinations, request_id } =
            request.into_inner();
        let choice = self.seal(&caller, CREATE, seal.map(of_create)).await?;
        let checked = parse(include, tables, since.as_ref().map(to_jiff))
            .and_then(|request| check_names("destinations", &destinations).map(|()| request));
        let request = checked.map_err(|error| error.status())?;
        let creations = Arc::clone(&self.stored.creations);
        let begun = to_its_end(async move {
            let order = Order { destinations: &destinations, request_id: &request_id, run: None };
            creations.begin(&caller, &request, choice, order).await
        });
        let backup = begun.await.map(stored::backup);
        answer(backup.map(|backup| proto::CreateBackupResponse { backup: Some(backup) }))
    }

    async fn get_backup(
        &self,
        request: Request<proto::GetBackupRequest>,
    ) -> Result<Response<proto::GetBackupResponse>, Status> {
        let id = backup_id(request.into_inner().id)?;
        let backup = self.stored.catalogue.get(&id).await.map(stored::backup);
        answer(backup.map(|backup| proto::GetBackupResponse { backup: Some(backup) }))
    }

    async fn list_backups(
        &self,
        request: Request<proto::ListBackupsRequest>,
    ) -> Result<Response<proto::ListBackupsResponse>, Status> {
        answer(self.list(&request.into_inner()).await)
    }

    type WatchBackupStream = Watch<proto::WatchBackupResponse>;

    async fn watch_backup(
        &self,
        request: Request<proto::WatchBackupRequest>,
    ) -> Result<Response<Self::WatchBackupStream>, Status> {
        let id = backup_id(request.into_inner().id)?;
        let catalogue = self.stored.catalogue.clone();
        let look = move || {
            let (catalogue, id) = (catalogue.clone(), id.clone());
            async move { Ok(stored::seen(catalogue.get(&id).await?)) }
        };
        answer(Watch::begin(look, self.shutdown.clone()).await)
    }

    async fn delete_backup(
        &self,
        request: Request<proto::DeleteBackupRequest>,
    ) -> Result<Response<proto::DeleteBackupResponse>, Status> {
        let caller = Caller::of(&request)?;
        let proto::DeleteBackupRequest { id, etag } = request.into_inner();
        let id = backup_id(id)?;
        let catalogue = self.stored.catalogue.clone();
        let deleted = to_its_end(async move { catalogue.delete(&caller, &id, &etag).await });
        let backup = deleted.await.map(stored::backup);
        answer(backup.map(|backup| proto::DeleteBackupResponse { backup: Some(backup) }))
    }

    async fn undelete_backup(
        &self,
        request: Request<proto::UndeleteBackupRequest>,
    ) -> Result<Response<proto::UndeleteBackupResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = backup_id(request.into_inner().id)?;
        let catalogue = self.stored.catalogue.clone();
        let changed = to_its_end(async move { catalogue.undelete(&caller, &id).await });
        let backup = changed.await.map(stored::backup);
        answer(backup.map(|backup| proto::UndeleteBackupResponse { backup: Some(backup) }))
    }

    async fn hold_backup(
        &self,
        request: Request<proto::HoldBackupRequest>,
    ) -> Result<Response<proto::HoldBackupResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = backup_id(request.into_inner().id)?;
        let catalogue = self.stored.catalogue.clone();
        let changed = to_its_end(async move { catalogue.hold(&caller, &id).await });
        let backup = changed.await.map(stored::backup);
        answer(backup.map(|backup| proto::HoldBackupResponse { backup: Some(backup) }))
    }

    async fn release_backup(
        &self,
        request: Request<proto::ReleaseBackupRequest>,
    ) -> Result<Response<proto::ReleaseBackupResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = backup_id(request.into_inner().id)?;
        let catalogue = self.stored.catalogue.clone();
        let changed = to_its_end(async move { catalogue.release(&caller, &id).await });
        let backup = changed.await.map(stored::backup);
        answer(backup.map(|backup| proto::ReleaseBackupResponse { backup: Some(backup) }))
    }

    type DownloadBackupStream = Replies<proto::DownloadBackupResponse>;

    async fn download_backup(
        &self,
        request: Request<proto::DownloadBackupRequest>,
    ) -> Result<Response<Self::DownloadBackupStream>, Status> {
        let caller = Caller::of(&request)?;
        let proto::DownloadBackupRequest { id, offset, etag, destination } = request.into_inner();
        let request = DownloadRequest { id: backup_id(id)?, offset, etag, destination };
        answer(self.stored.downloads.begin(&caller, request).await)
    }

    type VerifyStoredBackupStream = stored::Answers;

    async fn verify_stored_backup(
        &self,
        request: Request<proto::VerifyStoredBackupRequest>,
    ) -> Result<Response<Self::VerifyStoredBackupStream>, Status> {
        let caller = Caller::of(&request)?;
        let proto::VerifyStoredBackupRequest { id, destination } = request.into_inner();
        let id = backup_id(id)?;
        let begun = self.stored.rereading.begin(&self.verifications, &caller, &id, &destination).await;
        answer(begun.map(stored::answers))
    }

    async fn estimate_backup(
        &self,
        request: Request<proto::EstimateBackupRequest>,
    ) -> Result<Response<proto::EstimateBackupResponse>, Status> {
        answer(self.estimate(request.into_inner()).await)
    }

    async fn scan_backups(
        &self,
        request: Request<proto::ScanBackupsRequest>,
    ) -> Result<Response<proto::ScanBackupsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let destinations = request.into_inner().destinations;
        check_names("destinations", &destinations).map_err(|error| error.status())?;
        let scans = self.stored.scans.scan(&caller, &destinations).await;
        answer(scans.map(|destinations| proto::ScanBackupsResponse { destinations }))
    }

    async fn list_sources(
        &self,
        _request: Request<proto::ListSourcesRequest>,
    ) -> Result<Response<proto::ListSourcesResponse>, Status> {
        let survey = self.sources.survey().await;
        let sources = (0..survey.sources.len()).map(|at| source(&survey, at)).collect();
        Ok(Response::new(proto::ListSourcesResponse { sources }))
    }

    type ReencryptSourceStream = Replies<proto::ReencryptSourceResponse>;

    async fn reencrypt_source(
        &self,
        request: Request<proto::ReencryptSourceRequest>,
    ) -> Result<Response<Self::ReencryptSourceStream>, Status> {
        let caller = Caller::of(&request)?;
        let proto::ReencryptSourceRequest { source, rows_per_second } = request.into_inner();
        answer(self.reencryptions.begin(&caller, &source, rows_per_second).await)
    }
}

impl BackupGrpc {
    /// The seal that `caller` requests for an archive, if the caller has permission.
    async fn seal(
        &self,
        caller: &Caller,
        method: &str,
        seal: Option<export_backup_request::Seal>,
    ) -> Result<SealChoice, Status> {
        let choice = parse_seal(seal);
        let permission = choice.as_ref().ok().and_then(SealChoice::permission);
        if let Some(permission) = permission.filter(|permission| !caller.principal.may(permission)) {
            self.authenticator.denied(caller, method, permission).await;
            return Err(permission_denied(DOMAIN, caller.principal.noun(), method, permission));
        }
        choice.map_err(|error| error.status())
    }

    async fn list(&self, request: &proto::ListBackupsRequest) -> Result<proto::ListBackupsResponse> {
        let page = stored::page(request)?;
        let found = self.stored.catalogue.list(&page.filter, page.size).await?;
        Ok(stored::answer_page(found, &page))
    }

    async fn estimate(&self, request: proto::EstimateBackupRequest) -> Result<proto::EstimateBackupResponse> {
        let request = parse(request.include, request.tables, None)?;
        let plan = Plan::create(&self.sources, &request).await?;
        let estimate = plan.estimate(&self.sources).await;
        let likely = self.stored.catalogue.last_size(&request).await?;
        Ok(stored::estimate(&estimate, likely))
    }
}

fn backup_id(id: String) -> Result<String, Status> {
    check_id(&id).map(|()| id).map_err(|error| error.status())
}

fn part(request: Result<proto::VerifyBackupRequest, Status>) -> Result<Part> {
    let message = match request {
        Ok(request) => request.message,
        Err(status) if status.code() == Code::OutOfRange => {
            let problem = format!("is too long; at most {MAX_CHUNK} bytes are allowed");
            return Err(Error::field("chunk.data", problem));
        }
        Err(_) => return Err(Error::ClientLeft),
    };
    match message {
        Some(Message::Header(Header { file_name, size_bytes })) => Ok(Part::Header { file_name, size_bytes }),
        Some(Message::Chunk(Chunk { number, offset, data })) => Ok(Part::Chunk { number, offset, data }),
        Some(Message::End(End { sha256 })) => Ok(Part::End { sha256: Some(sha256) }),
        None => Err(Error::field("message", "is not a header, a chunk or an end")),
    }
}

/// A table whose name is taken is not in archives, and therefore not listed; the error names it.
fn source(survey: &Survey, at: usize) -> proto::Source {
    let found = &survey.sources[at];
    let taken = survey.names.check_source(at).err();
    let table = |table: &ListedTable| {
        let name = survey.names.of(at, &table.name)?;
        Some(proto::SourceTable { name: name.to_owned(), group: table.group.clone() })
    };
    proto::Source {
        name: found.source.clone(),
        kind: found.kind.to_owned(),
        tables: found.tables.iter().flatten().filter_map(table).collect(),
        group: found.group.clone(),
        error: found.error.as_ref().or(taken.as_ref()).map(source_error),
    }
}

/// Details that a status omits have been in the log since the source failed ([`crate::source_watch`]).
fn source_error(error: &Error) -> proto::SourceError {
    let (status, reason) = (error.status(), error.reason());
    proto::SourceError {
        code: status.code().into(),
        reason: reason.to_owned(),
        message: status.message().to_owned(),
    }
}
