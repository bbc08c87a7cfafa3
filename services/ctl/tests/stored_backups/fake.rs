//! A backup service with a few backups and one stored file, which breaks where a test wants it to.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::backup_service_server::{BackupService, BackupServiceServer};
use strongroom_api::backup::v1::download_backup_response::{Chunk, Header, Message, Trailer};
use strongroom_api::backup::v1::*;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Request, Response, Status, Streaming};

pub(crate) const ID: &str = "0197e0a1-0000-7000-8000-00000000000a";

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Recorded requests and prepared answers.
#[derive(Default)]
pub(crate) struct State {
    /// Newest first; the first one is `ID`.
    pub(crate) backups: Vec<Backup>,
    /// The messages of each watch; a watch that is not listed sends nothing and stays open.
    pub(crate) watches: VecDeque<Vec<Result<Backup, Status>>>,
    pub(crate) content: Vec<u8>,
    pub(crate) etag: String,
    /// Number of bytes after which a download sends nothing more.
    pub(crate) cut_after: usize,
    /// Whether an interrupted download stays open.
    pub(crate) hangs: bool,
    pub(crate) verdict: verify_backup_response::Verdict,
    pub(crate) scan: ScanBackupsResponse,
    pub(crate) estimate: EstimateBackupResponse,
    /// Calls, with their relevant arguments.
    pub(crate) asked: Vec<String>,
    pub(crate) created: Option<CreateBackupRequest>,
}

#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

/// A stored backup.
pub(crate) fn backup(state: BackupState) -> Backup {
    Backup {
        id: ID.into(),
        file_name: "app-backup-2026-05-06-101422.zip.age".into(),
        state: state.into(),
        etag: "\"7\"".into(),
        copies: vec![copy("local", BackupCopyState::Stored)],
        content: Some(BackupContent { size_bytes: 2048, root_key_id: "rk-1".into(), ..Default::default() }),
        ..Backup::default()
    }
}

pub(crate) fn copy(destination: &str, state: BackupCopyState) -> BackupCopy {
    BackupCopy { destination: destination.into(), state: state.into(), ..BackupCopy::default() }
}

/// A refusal in the form of the service's.
pub(crate) fn refusal(code: Code, reason: &str, message: &str) -> Status {
    strongroom_runtime::status::status(code, "backup", reason, message, &[])
}

impl Fake {
    /// Serves `state`; also returns the address.
    pub(crate) async fn serve(state: State) -> (Self, String) {
        let fake = Self(Arc::new(Mutex::new(state)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder().add_service(BackupServiceServer::new(fake.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (fake, url)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn ask(&self, call: impl Into<String>) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.asked.push(call.into());
        state
    }

    /// Answers with one backup, which `change` modifies.
    fn one(&self, call: &str, id: &str, change: impl FnOnce(&mut Backup)) -> Result<Backup, Status> {
        let mut state = self.ask(format!("{call} {id}"));
        let known = state.backups.iter_mut().find(|backup| backup.id == id);
        let known =
            known.ok_or_else(|| refusal(Code::NotFound, "BACKUP_NOT_FOUND", "there is no such backup"))?;
        if call == "delete" && known.hold {
            return Err(refusal(Code::FailedPrecondition, "BACKUP_HELD", "the backup is on hold"));
        }
        change(known);
        Ok(known.clone())
    }
}

fn replies<T: Send + 'static>(said: Vec<Result<T, Status>>, hangs: bool) -> Response<Replies<T>> {
    let said = tokio_stream::iter(said);
    Response::new(if hangs { Box::pin(said.chain(tokio_stream::pending())) } else { Box::pin(said) })
}

fn nothing<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("no test asks for it"))
}

#[tonic::async_trait]
impl BackupService for Fake {
    type ExportBackupStream = Replies<ExportBackupResponse>;
    type VerifyBackupStream = Replies<VerifyBackupResponse>;
    type WatchBackupStream = Replies<WatchBackupResponse>;
    type DownloadBackupStream = Replies<DownloadBackupResponse>;
    type VerifyStoredBackupStream = Replies<VerifyStoredBackupResponse>;
    type ReencryptSourceStream = Replies<ReencryptSourceResponse>;

    async fn export_backup(
        &self,
        _: Request<ExportBackupRequest>,
    ) -> Result<Response<Self::ExportBackupStream>, Status> {
        nothing()
    }

    async fn verify_backup(
        &self,
        _: Request<Streaming<VerifyBackupRequest>>,
    ) -> Result<Response<Self::VerifyBackupStream>, Status> {
        nothing()
    }

    async fn reencrypt_source(
        &self,
        _: Request<ReencryptSourceRequest>,
    ) -> Result<Response<Self::ReencryptSourceStream>, Status> {
        nothing()
    }

    async fn list_sources(
        &self,
        _: Request<ListSourcesRequest>,
    ) -> Result<Response<ListSourcesResponse>, Status> {
        nothing()
    }

    async fn create_backup(
        &self,
        request: Request<CreateBackupRequest>,
    ) -> Result<Response<CreateBackupResponse>, Status> {
        let mut state = self.ask("create");
        state.created = Some(request.into_inner());
        Ok(Response::new(CreateBackupResponse { backup: Some(backup(BackupState::Creating)) }))
    }

    async fn get_backup(
        &self,
        request: Request<GetBackupRequest>,
    ) -> Result<Response<GetBackupResponse>, Status> {
        let backup = Some(self.one("get", &request.get_ref().id, |_| ())?);
        Ok(Response::new(GetBackupResponse { backup }))
    }

    /// One backup per page.
    async fn list_backups(
        &self,
        request: Request<ListBackupsRequest>,
    ) -> Result<Response<ListBackupsResponse>, Status> {
        let ListBackupsRequest { states, page_token, .. } = request.into_inner();
        let state = self.ask(format!("list {states:?} {page_token}"));
        let at: usize = page_token.parse().unwrap_or(0);
        let backups = state.backups.get(at).cloned().into_iter().collect();
        let more = at + 1 < state.backups.len();
        let next_page_token = if more { (at + 1).to_string() } else { String::new() };
        Ok(Response::new(ListBackupsResponse { backups, next_page_token }))
    }

    async fn watch_backup(
        &self,
        request: Request<WatchBackupRequest>,
    ) -> Result<Response<Self::WatchBackupStream>, Status> {
        let mut state = self.ask(format!("watch {}", request.get_ref().id));
        let (said, hangs) = state.watches.pop_front().map_or((Vec::new(), true), |said| (said, false));
        let said =
            said.into_iter().map(|said| said.map(|backup| WatchBackupResponse { backup: Some(backup) }));
        Ok(replies(said.collect(), hangs))
    }

    async fn delete_backup(
        &self,
        request: Request<DeleteBackupRequest>,
    ) -> Result<Response<DeleteBackupResponse>, Status> {
        let DeleteBackupRequest { id, etag } = request.into_inner();
        let backup = Some(self.one("delete", &id, |backup| backup.set_state(BackupState::Deleted))?);
        self.state().asked.push(format!("etag {etag}"));
        Ok(Response::new(DeleteBackupResponse { backup }))
    }

    async fn undelete_backup(
        &self,
        request: Request<UndeleteBackupRequest>,
    ) -> Result<Response<UndeleteBackupResponse>, Status> {
        let change = |backup: &mut Backup| backup.set_state(BackupState::Available);
        let backup = Some(self.one("undelete", &request.get_ref().id, change)?);
        Ok(Response::new(UndeleteBackupResponse { backup }))
    }

    async fn hold_backup(
        &self,
        request: Request<HoldBackupRequest>,
    ) -> Result<Response<HoldBackupResponse>, Status> {
        let backup = Some(self.one("hold", &request.get_ref().id, |backup| backup.hold = true)?);
        Ok(Response::new(HoldBackupResponse { backup }))
    }

    async fn release_backup(
        &self,
        request: Request<ReleaseBackupRequest>,
    ) -> Result<Response<ReleaseBackupResponse>, Status> {
        let backup = Some(self.one("release", &request.get_ref().id, |backup| backup.hold = false)?);
        Ok(Response::new(ReleaseBackupResponse { backup }))
    }

    async fn download_backup(
        &self,
        request: Request<DownloadBackupRequest>,
    ) -> Result<Response<Self::DownloadBackupStream>, Status> {
        let DownloadBackupRequest { id, offset, etag, destination } = request.into_inner();
        let state = self.ask(format!("download {id} {offset} {etag} {destination}"));
        if offset > 0 && etag != state.etag {
            return Err(refusal(Code::Aborted, "BACKUP_CHANGED", "the stored file is another one now"));
        }
        let size_bytes = state.content.len() as i64;
        let sha256 = hex::encode(Sha256::digest(&state.content));
        let (mut at, etag) = (offset as usize, state.etag.clone());
        let file_name = "app-backup.zip.age".into();
        let destination = "local".into();
        let header = Header { id, file_name, size_bytes, sha256: sha256.clone(), offset, etag, destination };
        let mut said = vec![Message::Header(header)];
        let end = state.content.len().min(at.saturating_add(state.cut_after));
        while at < end {
            let data: Vec<u8> = state.content[at..end].iter().copied().take(256 << 10).collect();
            let offset = at as i64;
            at += data.len();
            said.push(Message::Chunk(Chunk { offset, data: data.into() }));
        }
        let is_whole = end == state.content.len();
        if is_whole {
            said.push(Message::Trailer(Trailer { size_bytes, sha256 }));
        }
        let say = |message| Ok(DownloadBackupResponse { message: Some(message) });
        Ok(replies(said.into_iter().map(say).collect(), state.hangs && !is_whole))
    }

    async fn verify_stored_backup(
        &self,
        request: Request<VerifyStoredBackupRequest>,
    ) -> Result<Response<Self::VerifyStoredBackupStream>, Status> {
        let VerifyStoredBackupRequest { id, destination } = request.into_inner();
        let state = self.ask(format!("verify {id} {destination}"));
        let message = Some(verify_backup_response::Message::Verdict(state.verdict.clone()));
        let answer = Some(VerifyBackupResponse { message });
        Ok(replies(vec![Ok(VerifyStoredBackupResponse { answer })], false))
    }

    async fn estimate_backup(
        &self,
        _: Request<EstimateBackupRequest>,
    ) -> Result<Response<EstimateBackupResponse>, Status> {
        Ok(Response::new(self.ask("estimate").estimate.clone()))
    }

    async fn scan_backups(
        &self,
        request: Request<ScanBackupsRequest>,
    ) -> Result<Response<ScanBackupsResponse>, Status> {
        Ok(Response::new(self.ask(format!("scan {:?}", request.get_ref().destinations)).scan.clone()))
    }
}
