//! Exports and stored backups of one deployment: vault, backup service and client are separate processes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::{Deployment, source};
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_api::backup::v1::{BackupState, CreateBackupRequest, GetBackupRequest, ListBackupsRequest};
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::rpc::Traced;
use strongroom_testkit::TestDb;

use super::s3::Server;
use crate::export::memory;
use crate::export::recovery::Recovery;
use crate::processors;

/// Interval at which the client asks whether the backup is stored. The answer ends the measurement; asking more often
/// would cost processor time.
const LOOK: Duration = Duration::from_millis(20);

/// Cost of one backup.
pub(super) struct Cost {
    pub(super) seconds: f64,
    /// Processor time of all processes together.
    pub(super) processors: f64,
    /// The S3 server's share of that time.
    pub(super) server: f64,
    /// Seconds in which the S3 server assembled the parts.
    pub(super) completion: f64,
    /// Peak memory in bytes, above idle.
    pub(super) memory: u64,
}

/// Names of the destinations.
pub(super) const DISK: &str = "disk";
pub(super) const BUCKET: &str = "bucket";

/// A vault and a backup service with one source and both destinations.
pub(super) struct Ours {
    deployment: Deployment,
    client: BackupServiceClient<AuthorizedChannel>,
    /// File of an export.
    out: PathBuf,
    /// Memory of the backup service before its first backup.
    idle: u64,
    _vault_database: TestDb,
}

impl Ours {
    /// Stores backups below `folder` and in `s3`; `recovery` and the vault can open sealed archives.
    pub(super) async fn start(database: &TestDb, recovery: &Recovery, folder: &Path, s3: &Server) -> Self {
        let vault_database = TestDb::sqlite();
        let disk = folder.join("disk");
        std::fs::create_dir(&disk).unwrap();
        let sources = format!(
            "[seal]\nrecovery_recipients = [\"{}\"]\n\n{}\n\
             [[destinations]]\nname = \"disk\"\nurl = \"file://{}\"\n\n{}",
            recovery.recipient,
            source("gateway", database, &[]),
            disk.display(),
            s3.destination(folder),
        );
        let deployment = Deployment::start(vault_database.url_text(), &sources);
        let admin = &deployment.admin;
        let channel = Target { url: admin.backup_url.clone(), ..Target::default() }.channel().unwrap();
        let channel = AuthorizedChannel::new(Traced::new(channel), Bearer::new(&admin.token).unwrap());
        let mut client = BackupServiceClient::new(channel);
        client.list_backups(ListBackupsRequest::default()).await.unwrap();
        let idle = memory::resident(deployment.backup.pid());
        Self { deployment, client, out: folder.join("export"), idle, _vault_database: vault_database }
    }

    /// Exports to a file with the operator's command.
    pub(super) fn export(&self) -> Cost {
        let _ = std::fs::remove_file(&self.out);
        let arguments = ["backup", "export", "--out", self.out.to_str().unwrap()];
        let mut command = self.deployment.admin.command(&arguments);
        let pid = self.deployment.backup.pid();
        memory::forget_peak(pid);
        let (began, busy) = (Instant::now(), processors::busy());
        let status = command.stdout(Stdio::null()).status().unwrap();
        let seconds = began.elapsed().as_secs_f64();
        let processors = (processors::busy() - busy).as_secs_f64();
        assert!(status.success(), "{}", self.deployment.backup.log());
        let memory = memory::peak(pid).saturating_sub(self.idle);
        Cost { seconds, processors, server: 0.0, completion: 0.0, memory }
    }

    /// Stores a backup in `destination`, measured from the call until the backup is available.
    pub(super) async fn create(&self, destination: &str, s3: &Server) -> Cost {
        let pid = self.deployment.backup.pid();
        memory::forget_peak(pid);
        let (began, busy, server) = (Instant::now(), processors::busy(), s3.busy());
        self.store(destination).await;
        let seconds = began.elapsed().as_secs_f64();
        let processors = (processors::busy() - busy).as_secs_f64();
        let server = (s3.busy() - server).as_secs_f64();
        let completion = if destination == BUCKET { s3.completion() } else { 0.0 };
        let memory = memory::peak(pid).saturating_sub(self.idle);
        Cost { seconds, processors, server, completion, memory }
    }

    async fn store(&self, destination: &str) {
        let mut client = self.client.clone();
        let request =
            CreateBackupRequest { destinations: vec![destination.to_owned()], ..Default::default() };
        let id = client.create_backup(request).await.unwrap().into_inner().backup.unwrap().id;
        loop {
            let request = GetBackupRequest { id: id.clone() };
            let backup = client.get_backup(request).await.unwrap().into_inner().backup.unwrap();
            match backup.state() {
                BackupState::Creating => tokio::time::sleep(LOOK).await,
                BackupState::Available => return,
                other => panic!("the backup is {other:?}: {}", backup.problem),
            }
        }
    }

    /// Panics unless the newest backup passes a verification: a fast but unreadable backup is void.
    pub(super) fn verify_newest(&self) {
        let newest = self.deployment.admin.json(&["backup", "list"]);
        let id = newest[0]["id"].as_str().unwrap().to_owned();
        let _ = self.deployment.admin.run(&["backup", "verify", &id]).succeeded();
    }
}
