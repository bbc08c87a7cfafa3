//! A client that reads an export as slowly as a test wants, and the effect on the service.

use e2e::Deployment;
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_api::backup::v1::export_backup_request::Seal;
use strongroom_api::backup::v1::export_backup_response::Message;
use strongroom_api::backup::v1::{ExportBackupRequest, ExportBackupResponse};
use strongroom_runtime::client::{AuthorizedChannel, Bearer};
use strongroom_runtime::rpc::Traced;
use tonic::transport::Endpoint;

/// Maximum peak memory of the backup service above idle, independent of the size of tables (docs/performance.md).
pub(crate) const ABOVE_IDLE: u64 = 64 << 20;

/// The most memory that one export may hold. Its queues between database and client (ARCHITECTURE.md, "Taking a
/// backup") hold 4 blocks of 128 KiB (0.5 MiB); two pieces for each of at most 4 threads, each piece with 256 KiB before
/// and 256 KiB after compression (4 MiB); and 4 chunks of 256 KiB (1 MiB). HTTP/2 holds about another 1 MiB, so together
/// they hold less than 7 MiB. The allocator keeps memory that other threads have freed, so the limit is twice as high, and
/// still well below the size of the archives of these tests.
pub(crate) const ONE_EXPORT: u64 = 14 << 20;

/// The client's receive window. It is small, or a whole archive would wait in the client's memory and the test would
/// measure nothing of the service.
const WINDOW: u32 = 256 << 10;

/// A separate connection for every export; otherwise one export would wait in another's window.
pub(crate) async fn client(deployment: &Deployment) -> BackupServiceClient<AuthorizedChannel> {
    let endpoint = Endpoint::from_shared(deployment.admin.backup_url.clone()).unwrap();
    let endpoint = endpoint.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let bearer = Bearer::new(&deployment.admin.token).unwrap();
    BackupServiceClient::new(AuthorizedChannel::new(Traced::new(endpoint.connect().await.unwrap()), bearer))
}

/// A plain export of everything.
pub(crate) fn plain() -> ExportBackupRequest {
    ExportBackupRequest { seal: Some(Seal::Plain(true)), ..ExportBackupRequest::default() }
}

/// Bytes of data in a message.
pub(crate) fn data(message: &ExportBackupResponse) -> u64 {
    match &message.message {
        Some(Message::Chunk(chunk)) => chunk.data.len() as u64,
        _ => 0,
    }
}

/// The process's own resident memory in bytes, without pages of the program file: those depend on the size of the debug
/// build and on which of them have been touched.
pub(crate) fn resident(deployment: &Deployment) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", deployment.backup.pid())).unwrap();
    let pages: Vec<u64> = statm.split_whitespace().map(|pages| pages.parse().unwrap()).collect();
    (pages[1] - pages[2]) * 4096
}
