//! Streams that end early, and two streams that fill one stage.

use bytes::Bytes;
use strongroom_api::source::v1::stage_tables_request::{Begin, Message, Rows};
use strongroom_api::source::v1::{RestoreMode, StageTablesRequest, Table};
use strongroom_testkit::requests::{credential, secret_of};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Archive, Restore, verified};
use crate::support::{TestVault, eventually};

/// A stream that stays open until its sender is dropped.
struct Open {
    messages: mpsc::Sender<StageTablesRequest>,
    call: JoinHandle<Result<(), Status>>,
}

impl Open {
    async fn begin(restore: &mut Restore, is_plan: bool) -> Self {
        let grant = restore.grant(restore.terms()).await.unwrap();
        let (messages, queue) = mpsc::channel(4);
        let mut source = restore.service.source.clone();
        let call =
            tokio::spawn(async move { source.stage_tables(ReceiverStream::new(queue)).await.map(drop) });
        let open = Self { messages, call };
        let begin = Begin { grant: (!is_plan).then_some(grant), dry_run: is_plan, ..restore.begin.clone() };
        open.send(Message::Begin(begin)).await;
        open.send(Message::Table(Table { name: "credentials".into(), ..Table::default() })).await;
        open
    }

    async fn send(&self, message: Message) {
        self.messages.send(StageTablesRequest { message: Some(message) }).await.unwrap();
    }

    async fn send_rows(&self, text: &[u8]) {
        let parts = text.chunks(100_000).map(Bytes::copy_from_slice);
        for json in parts {
            self.send(Message::Rows(Rows { json })).await;
        }
    }
}

/// A vault with more credentials than one batch stores, and its archive.
async fn scene(vault: &TestVault) -> (Archive, String) {
    let mut admin = vault.admin().await;
    let id = admin.create(credential("One")).await.id;
    for number in 0..250 {
        let _ = admin.create(credential(&number.to_string())).await;
    }
    (Archive::of(vault).await, id)
}

async fn number_is(vault: &TestVault, sql: &str, expected: bool) {
    eventually(async || ((vault.number(sql) > 0) == expected).then_some(())).await;
}

const STAGES: &str = "SELECT count(*) FROM restore_stages";
const ROWS: &str = "SELECT count(*) FROM restore_rows";

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_leaves_nothing() {
    for vault in TestVault::each().await {
        let (mut archive, _) = scene(&vault).await;
        for is_plan in [true, false] {
            let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
            let open = Open::begin(&mut restore, is_plan).await;
            open.send_rows(&archive.table("credentials").1).await;
            number_is(&vault, ROWS, true).await;
            open.call.abort();
            number_is(&vault, STAGES, false).await;
            assert_eq!(vault.number(ROWS), 0);
        }
    }
}

#[tokio::test]
async fn an_older_stream_neither_adds_to_what_a_newer_one_stages_nor_drops_it() {
    for vault in TestVault::each().await {
        let (mut archive, id) = scene(&vault).await;
        let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
        let older = Open::begin(&mut restore, false).await;
        number_is(&vault, STAGES, true).await;
        let _ = restore.stage().await.unwrap();
        older.send_rows(&archive.table("credentials").1).await;
        let refused = older.call.await.unwrap().unwrap_err();
        super::refused_as(&refused, tonic::Code::InvalidArgument, "STAGE_PROTOCOL");
        let _ = restore.commit().await.unwrap();
        assert_eq!(restore.admin.reveal(&id).await.unwrap(), secret_of("One"));
        verified(&mut restore.admin).await;
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_at_once_drops_nobodys_stage() {
    let vault = TestVault::sqlite().await;
    let (archive, _) = scene(&vault).await;
    let mut restore = Restore::of(&archive, &vault, RestoreMode::Replace).await;
    let _ = restore.stage().await.unwrap();
    let without_a_grant = restore.begin.clone();
    let refused = restore.send(without_a_grant).await.unwrap_err();
    super::refused_as(&refused, tonic::Code::PermissionDenied, "GRANT_MISSING");
    let _ = restore.commit().await.unwrap();
}
