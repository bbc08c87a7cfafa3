//! `strongroom.backup.v1.RestoreService`.

use std::time::Duration;

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::restore_service_server::RestoreService;
use strongroom_api::backup::v1::upload_archive_request::{Chunk, End, Header, Message};
use strongroom_api::time::timestamp;
use strongroom_runtime::{Caller, Shutdown};
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Response, Status, Streaming};

use super::answer::{answer, refused, to_its_end};
use super::paging::{page, token};
use super::restore_request::{check_id, parse_plan, parse_signers};
use super::watch::{Seen, Watch};
use crate::error::{Error, Result};
use crate::incoming::{MAX_CHUNK, Part};
use crate::operation::Replies;
use crate::restore::{Arrived, Restores, convert};
use crate::store::RestoreRow;

/// Maximum number of bytes of a grant.
const MAX_GRANT: usize = 4096;

/// The service implementation for tonic.
pub(crate) struct RestoreGrpc {
    pub(crate) restores: Restores,
    pub(crate) shutdown: Shutdown,
}

#[tonic::async_trait]
impl RestoreService for RestoreGrpc {
    async fn upload_archive(
        &self,
        request: Request<Streaming<proto::UploadArchiveRequest>>,
    ) -> Result<Response<proto::UploadArchiveResponse>, Status> {
        let caller = Caller::of(&request)?;
        answer(self.receive(&caller.principal.id, request.into_inner()).await)
    }

    async fn get_upload(
        &self,
        request: Request<proto::GetUploadRequest>,
    ) -> Result<Response<proto::GetUploadResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = checked(request.into_inner().id)?;
        let found = self.restores.uploads().get(&caller.principal.id, &id).await;
        answer(found.map(|found| proto::GetUploadResponse { upload: Some(upload(found)) }))
    }

    async fn delete_upload(
        &self,
        request: Request<proto::DeleteUploadRequest>,
    ) -> Result<Response<proto::DeleteUploadResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = checked(request.into_inner().id)?;
        let deleted = self.restores.uploads().delete(&caller.principal.id, &id).await;
        answer(deleted.map(|()| proto::DeleteUploadResponse {}))
    }

    type PlanRestoreStream = Replies<proto::PlanRestoreResponse>;

    async fn plan_restore(
        &self,
        request: Request<proto::PlanRestoreRequest>,
    ) -> Result<Response<Self::PlanRestoreStream>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let parsed = parse_signers(&request.signer)
            .and_then(|signers| Ok((parse_plan(request, &caller.principal.id)?, signers)));
        let (request, signers) = parsed.map_err(|error| refused(&error))?;
        answer(self.restores.plan(&caller, request, signers))
    }

    type ApplyRestoreStream = Watch<proto::ApplyRestoreResponse>;

    async fn apply_restore(
        &self,
        request: Request<proto::ApplyRestoreRequest>,
    ) -> Result<Response<Self::ApplyRestoreStream>, Status> {
        let caller = Caller::of(&request)?;
        let proto::ApplyRestoreRequest { id, confirm, max_pause, grant } = request.into_inner();
        let id = checked(id)?;
        let max_pause = max_pause.map(pause).transpose().map_err(|error| refused(&error))?;
        let (restores, of) = (self.restores.clone(), id.clone());
        let grant = grant.map(|grant| grant.statement).unwrap_or_default();
        if grant.len() > MAX_GRANT {
            return Err(refused(&Error::field("grant", "is longer than any grant of the vault")));
        }
        let apply = async move { restores.apply(&caller, &of, &confirm, (max_pause, &grant)).await };
        let begun = to_its_end(apply);
        begun.await.map_err(|error| refused(&error))?;
        answer(self.watch(id, |restore| proto::ApplyRestoreResponse { restore: Some(restore) }).await)
    }

    async fn get_restore(
        &self,
        request: Request<proto::GetRestoreRequest>,
    ) -> Result<Response<proto::GetRestoreResponse>, Status> {
        let id = checked(request.into_inner().id)?;
        let found = self.restores.get(&id).await.and_then(|row| convert::restore(&row));
        answer(found.map(|restore| proto::GetRestoreResponse { restore: Some(restore) }))
    }

    async fn list_restores(
        &self,
        request: Request<proto::ListRestoresRequest>,
    ) -> Result<Response<proto::ListRestoresResponse>, Status> {
        answer(self.list(&request.into_inner()).await)
    }

    type RollbackRestoreStream = Watch<proto::RollbackRestoreResponse>;

    async fn rollback_restore(
        &self,
        request: Request<proto::RollbackRestoreRequest>,
    ) -> Result<Response<Self::RollbackRestoreStream>, Status> {
        let caller = Caller::of(&request)?;
        let proto::RollbackRestoreRequest { id, discard_changes } = request.into_inner();
        let id = checked(id)?;
        let (restores, of) = (self.restores.clone(), id.clone());
        let begun = to_its_end(async move { restores.roll_back(&caller, &of, discard_changes).await });
        begun.await.map_err(|error| refused(&error))?;
        answer(self.watch(id, |restore| proto::RollbackRestoreResponse { restore: Some(restore) }).await)
    }
}

impl RestoreGrpc {
    async fn receive(
        &self,
        caller: &str,
        mut requests: Streaming<proto::UploadArchiveRequest>,
    ) -> Result<proto::UploadArchiveResponse> {
        let first = requests.next().await.ok_or(Error::ClientLeft)?;
        let resumed = match &first {
            Ok(proto::UploadArchiveRequest { message: Some(Message::Header(header)) }) => {
                header.upload_id.clone()
            }
            _ => String::new(),
        };
        let is_id = uuid::Uuid::parse_str(&resumed).is_ok() && check_id(&resumed, "header.upload_id").is_ok();
        if !resumed.is_empty() && !is_id {
            return Err(Error::field("header.upload_id", "must be a UUID, or empty"));
        }
        let parts = tokio_stream::once(first).chain(requests).map(part);
        let arrived = self.restores.uploads().receive(caller, &resumed, Box::pin(parts)).await?;
        Ok(proto::UploadArchiveResponse { upload: Some(upload(arrived)) })
    }

    async fn list(&self, request: &proto::ListRestoresRequest) -> Result<proto::ListRestoresResponse> {
        let (before, size) = page(request.page_size, &request.page_token)?;
        let rows = self.restores.list(before.as_ref(), size).await?;
        let next_page_token = match rows.last() {
            Some(last) if rows.len() as i64 == size => token(last.create_time, &last.id),
            _ => String::new(),
        };
        let restores = rows.iter().map(convert::listed).collect::<Result<_>>()?;
        Ok(proto::ListRestoresResponse { restores, next_page_token })
    }

    async fn watch<A: Send + 'static>(
        &self,
        id: String,
        wrap: impl Fn(proto::Restore) -> A + Copy + Send + Sync + 'static,
    ) -> Result<Watch<A>> {
        let restores = self.restores.clone();
        let look = move || {
            let (restores, id) = (restores.clone(), id.clone());
            async move { seen(&restores.get(&id).await?, wrap) }
        };
        Watch::begin(look, self.shutdown.clone()).await
    }
}

fn seen<A>(row: &RestoreRow, wrap: impl Fn(proto::Restore) -> A) -> Result<Seen<A>> {
    let answer = wrap(convert::restore(row)?);
    Ok(Seen { revision: row.revision, is_over: !row.state.is_busy(), answer })
}

fn upload(arrived: Arrived) -> proto::Upload {
    let Arrived { row, received } = arrived;
    proto::Upload {
        complete: !row.sha256.is_empty(),
        id: row.id,
        file_name: row.file_name,
        size_bytes: row.size_bytes,
        received_bytes: i64::try_from(received).unwrap_or(i64::MAX),
        sha256: row.sha256,
        create_time: Some(timestamp(row.create_time)),
        expire_time: Some(timestamp(row.expire_time)),
    }
}

fn checked(id: String) -> Result<String, Status> {
    check_id(&id, "id").map(|()| id).map_err(|error| error.status())
}

/// The library's conversion overflows for the minimum number of seconds.
fn pause(given: prost_types::Duration) -> Result<Duration> {
    let (seconds, nanos) = (u64::try_from(given.seconds).ok(), u32::try_from(given.nanos).ok());
    let pause = seconds.zip(nanos.filter(|nanos| *nanos < 1_000_000_000));
    let pause = pause.map(|(seconds, nanos)| Duration::new(seconds, nanos)).filter(|pause| !pause.is_zero());
    pause.ok_or_else(|| Error::field("max_pause", "must be longer than 0"))
}

fn part(request: Result<proto::UploadArchiveRequest, Status>) -> Result<Part> {
    let message = match request {
        Ok(request) => request.message,
        Err(status) if status.code() == Code::OutOfRange => {
            let problem = format!("is too long; at most {MAX_CHUNK} bytes are allowed");
            return Err(Error::field("chunk.data", problem));
        }
        Err(_) => return Err(Error::ClientLeft),
    };
    match message {
        Some(Message::Header(Header { file_name, size_bytes, .. })) => {
            Ok(Part::Header { file_name, size_bytes })
        }
        Some(Message::Chunk(Chunk { number, offset, data })) => Ok(Part::Chunk { number, offset, data }),
        Some(Message::End(End { sha256 })) => Ok(Part::End { sha256: Some(sha256) }),
        None => Err(Error::field("message", "is not a header, a chunk or an end")),
    }
}
