//! A service with a few restores and one upload, which breaks where a test wants it to.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::restore_service_server::{RestoreService, RestoreServiceServer};
use strongroom_api::backup::v1::upload_archive_request::{Header, Message};
use strongroom_api::backup::v1::*;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::fake::refusal;

pub(super) const ID: &str = "0198e0a1-0000-7000-8000-00000000000a";
pub(super) const UPLOAD: &str = "0199e0a1-0000-7000-8000-00000000000a";

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Said = Vec<Result<Restore, Status>>;

/// Recorded requests and prepared answers.
#[derive(Default)]
pub(super) struct State {
    /// Newest first.
    pub(super) restores: Vec<Restore>,
    /// The messages of each plan; the first restore if none is listed.
    pub(super) plans: VecDeque<Vec<Result<plan_restore_response::Message, Status>>>,
    /// Whether a plan sends nothing and stays open.
    pub(super) hangs: bool,
    /// The messages of an application or a rollback; one that is not listed sends nothing and stays open.
    pub(super) changes: VecDeque<Said>,
    /// The next answers to requests for a restore, before those from `restores`.
    pub(super) gets: VecDeque<Result<Restore, Status>>,
    /// The id that the client generated.
    pub(super) upload_id: Option<String>,
    /// Received bytes of the upload.
    pub(super) received: Vec<u8>,
    /// Number of bytes after which an upload's stream is refused, and the refusal.
    pub(super) refused_after: Option<(usize, Status)>,
    /// Whether everything has arrived.
    pub(super) is_complete: bool,
    /// Whether the answer to an upload's end is lost.
    pub(super) loses_answer: bool,
    /// Calls, with their relevant arguments.
    pub(super) asked: Vec<String>,
    pub(super) planned: Option<PlanRestoreRequest>,
    pub(super) applied: Option<ApplyRestoreRequest>,
}

#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<State>>);

impl Fake {
    /// Serves `state`; also returns the address.
    pub(super) async fn serve(state: State) -> (Self, String) {
        let fake = Self(Arc::new(Mutex::new(state)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder().add_service(RestoreServiceServer::new(fake.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (fake, url)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn ask(&self, call: impl Into<String>) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.asked.push(call.into());
        state
    }

    fn upload(&self, header: &Header) -> Upload {
        let state = self.state();
        let Header { file_name, size_bytes, .. } = header.clone();
        let received_bytes = state.received.len() as i64;
        let complete = state.is_complete;
        let id = state.upload_id.clone().unwrap_or_else(|| UPLOAD.to_owned());
        Upload { id, file_name, size_bytes, received_bytes, complete, ..Upload::default() }
    }

    /// Accepts a message that must follow the `number` chunks before it.
    fn take(&self, message: Message, number: &mut i64) -> Result<(), Status> {
        let mut state = self.state();
        match message {
            Message::Header(_) => Err(Status::invalid_argument("a second header")),
            Message::Chunk(chunk) => {
                assert_eq!((chunk.number, chunk.offset), (*number, state.received.len() as i64));
                *number += 1;
                state.received.extend_from_slice(&chunk.data);
                let received = state.received.len();
                let refused = state.refused_after.take_if(|(after, _)| received > *after);
                refused.map_or(Ok(()), |(_, status)| Err(status))
            }
            Message::End(end) => {
                assert_eq!(end.sha256, hex::encode(Sha256::digest(&state.received)));
                state.is_complete = true;
                if state.loses_answer { Err(Status::unavailable("the service stops")) } else { Ok(()) }
            }
        }
    }

    fn changes(&self, call: String) -> Replies<Option<Restore>> {
        let said = self.ask(call).changes.pop_front();
        let hangs = said.is_none();
        let said = tokio_stream::iter(said.unwrap_or_default()).map(|said| said.map(Some));
        if hangs { Box::pin(said.chain(tokio_stream::pending())) } else { Box::pin(said) }
    }
}

#[tonic::async_trait]
impl RestoreService for Fake {
    type PlanRestoreStream = Replies<PlanRestoreResponse>;
    type ApplyRestoreStream = Replies<ApplyRestoreResponse>;
    type RollbackRestoreStream = Replies<RollbackRestoreResponse>;

    async fn upload_archive(
        &self,
        request: Request<Streaming<UploadArchiveRequest>>,
    ) -> Result<Response<UploadArchiveResponse>, Status> {
        let mut stream = request.into_inner();
        let first = stream.message().await?.and_then(|first| first.message);
        let Some(Message::Header(header)) = first else {
            return Err(Status::invalid_argument("no header"));
        };
        let Header { file_name, size_bytes, upload_id } = &header;
        drop(self.ask(format!("upload {file_name} {size_bytes} {upload_id:?}")));
        if !upload_id.is_empty() {
            self.state().upload_id = Some(upload_id.clone());
        }
        let mut number = 0;
        while let Some(next) = stream.message().await? {
            self.take(next.message.unwrap(), &mut number)?;
        }
        Ok(Response::new(UploadArchiveResponse { upload: Some(self.upload(&header)) }))
    }

    async fn get_upload(
        &self,
        request: Request<GetUploadRequest>,
    ) -> Result<Response<GetUploadResponse>, Status> {
        drop(self.ask(format!("get upload {}", request.get_ref().id)));
        let upload = Some(self.upload(&Header::default()));
        Ok(Response::new(GetUploadResponse { upload }))
    }

    async fn delete_upload(
        &self,
        request: Request<DeleteUploadRequest>,
    ) -> Result<Response<DeleteUploadResponse>, Status> {
        drop(self.ask(format!("delete upload {}", request.get_ref().id)));
        Ok(Response::new(DeleteUploadResponse {}))
    }

    async fn plan_restore(
        &self,
        request: Request<PlanRestoreRequest>,
    ) -> Result<Response<Self::PlanRestoreStream>, Status> {
        let mut state = self.ask("plan");
        state.planned = Some(request.into_inner());
        if state.hangs {
            return Ok(Response::new(Box::pin(tokio_stream::pending())));
        }
        let first = state.restores.first().cloned().unwrap_or_default();
        let listed = state.plans.pop_front();
        let said = listed.unwrap_or_else(|| vec![Ok(plan_restore_response::Message::Restore(first))]);
        let said =
            said.into_iter().map(|said| said.map(|message| PlanRestoreResponse { message: Some(message) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(said.collect::<Vec<_>>()))))
    }

    async fn apply_restore(
        &self,
        request: Request<ApplyRestoreRequest>,
    ) -> Result<Response<Self::ApplyRestoreStream>, Status> {
        let request = request.into_inner();
        self.state().applied = Some(request.clone());
        let changes = self.changes(format!("apply {} {:?}", request.id, request.confirm));
        Ok(Response::new(Box::pin(changes.map(|said| said.map(|restore| ApplyRestoreResponse { restore })))))
    }

    async fn get_restore(
        &self,
        request: Request<GetRestoreRequest>,
    ) -> Result<Response<GetRestoreResponse>, Status> {
        let id = &request.get_ref().id;
        let mut state = self.ask(format!("get {id}"));
        if let Some(said) = state.gets.pop_front() {
            return Ok(Response::new(GetRestoreResponse { restore: Some(said?) }));
        }
        let known = state.restores.iter().find(|restore| restore.id == *id).cloned();
        let unknown = || refusal(Code::NotFound, "RESTORE_NOT_FOUND", "there is no such restore");
        Ok(Response::new(GetRestoreResponse { restore: Some(known.ok_or_else(unknown)?) }))
    }

    /// One restore per page.
    async fn list_restores(
        &self,
        request: Request<ListRestoresRequest>,
    ) -> Result<Response<ListRestoresResponse>, Status> {
        let at: usize = request.get_ref().page_token.parse().unwrap_or(0);
        let state = self.ask(format!("list {at}"));
        let restores: Vec<_> = state.restores.get(at).cloned().into_iter().collect();
        let more = at + 1 < state.restores.len();
        let next_page_token = if more { (at + 1).to_string() } else { String::new() };
        Ok(Response::new(ListRestoresResponse { restores, next_page_token }))
    }

    async fn rollback_restore(
        &self,
        request: Request<RollbackRestoreRequest>,
    ) -> Result<Response<Self::RollbackRestoreStream>, Status> {
        let RollbackRestoreRequest { id, discard_changes } = request.into_inner();
        let changes = self.changes(format!("rollback {id} {discard_changes}"));
        Ok(Response::new(Box::pin(
            changes.map(|said| said.map(|restore| RollbackRestoreResponse { restore })),
        )))
    }
}
