//! Our export as operators run it: three processes over real sockets.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::{Deployment, source};
use strongroom_api::backup::v1::ExportBackupRequest;
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_api::backup::v1::export_backup_request::Seal;
use strongroom_api::backup::v1::export_backup_response::Message;
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::rpc::Traced;
use strongroom_testkit::TestDb;

use super::data::TABLE;
use super::recovery::{Recovery, check};
use super::{Sample, memory};
use crate::processors;

/// A vault, and a backup service with one source.
pub(super) struct Ours {
    deployment: Deployment,
    /// Memory of the backup service before its first export.
    idle: u64,
    _vault_database: TestDb,
}

impl Ours {
    /// Starts both on `database`; `recovery` and the vault can open sealed archives.
    pub(super) fn start(database: &TestDb, recovery: &Recovery) -> Self {
        let vault_database = TestDb::sqlite();
        let seal = format!("[seal]\nrecovery_recipients = [\"{}\"]\n\n", recovery.recipient);
        let sources = format!("{seal}{}", source("gateway", database, &[]));
        let deployment = Deployment::start(vault_database.url_text(), &sources);
        let idle = memory::resident(deployment.backup.pid());
        Self { deployment, idle, _vault_database: vault_database }
    }

    /// Runs one export, leaves it in `folder`, and measures the backup service's memory above its idle state.
    pub(super) async fn run(&self, folder: &Path, sealed: bool) -> Sample {
        let first_byte = Some(self.first_byte(sealed).await);
        let out = folder.join("ours");
        let _ = std::fs::remove_file(&out);
        memory::forget_peak(self.deployment.backup.pid());
        let mut arguments = vec!["backup", "export", "--out", out.to_str().unwrap()];
        if !sealed {
            arguments.push("--plain");
        }
        let (began, busy) = (Instant::now(), processors::busy());
        let mut command = self.deployment.admin.command(&arguments);
        let status = command.stdout(Stdio::null()).status().unwrap();
        let seconds = began.elapsed().as_secs_f64();
        let processors = processors::busy() - busy;
        assert!(status.success(), "{}", self.deployment.backup.log());
        let memory = memory::peak(self.deployment.backup.pid()).saturating_sub(self.idle);
        Sample { seconds, processors, memory, size: out.metadata().unwrap().len(), first_byte }
    }

    /// Panics unless the archive of the last run has `rows` rows.
    pub(super) fn check(folder: &Path, recovery: Option<&Recovery>, rows: u64) {
        let out = folder.join("ours");
        let opened = recovery.map(|recovery| recovery.open(&out));
        let mut unpack = Command::new("unzip");
        unpack.arg("-p").arg(opened.as_deref().unwrap_or(&out)).arg(format!("tables/{TABLE}.json"));
        check(unpack, rows);
        opened.inspect(|opened| std::fs::remove_file(opened).unwrap());
    }

    /// Time from the call to the first chunk, on an existing connection.
    async fn first_byte(&self, sealed: bool) -> Duration {
        let mut client = BackupServiceClient::new(self.channel());
        client.list_sources(strongroom_api::backup::v1::ListSourcesRequest {}).await.unwrap();
        let began = Instant::now();
        let seal = (!sealed).then_some(Seal::Plain(true));
        let request = ExportBackupRequest { seal, ..Default::default() };
        let mut stream = client.export_backup(request).await.unwrap().into_inner();
        while let Some(message) = stream.message().await.unwrap() {
            if matches!(message.message, Some(Message::Chunk(_))) {
                break;
            }
        }
        let taken = began.elapsed();
        drop(stream);
        // The server's remaining work for this export must not count towards the next one.
        tokio::time::sleep(Duration::from_millis(500)).await;
        taken
    }

    fn channel(&self) -> AuthorizedChannel {
        let admin = &self.deployment.admin;
        let channel = Target { url: admin.backup_url.clone(), ..Target::default() }.channel().unwrap();
        AuthorizedChannel::new(Traced::new(channel), Bearer::new(&admin.token).unwrap())
    }
}
