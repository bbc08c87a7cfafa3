//! Attacks on resources that all callers share: slots for verifications, memory, and data that the vault's database has
//! to keep.

mod hostile;

use std::path::Path;
use std::time::{Duration, Instant};

use e2e::{Deployment, Operator, long, source};
use strongroom_api::backup::v1::VerifyBackupRequest;
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_api::backup::v1::verify_backup_request::{Chunk, Header, Message as Question};
use strongroom_api::source::v1::source_service_client::SourceServiceClient;
use strongroom_api::source::v1::{ReadSnapshotRequest, ReadSnapshotResponse};
use strongroom_api::vault::v1::CreateCredentialRequest;
use strongroom_api::vault::v1::credential_service_client::CredentialServiceClient;
use strongroom_runtime::client::{AuthorizedChannel, Bearer, Target};
use strongroom_runtime::rpc::Traced;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::TestDb;
use strongroom_testkit::requests::{CredentialBuilder as _, credential};
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Endpoint;
use tonic::{Code, Status, Streaming};

use crate::unhurried::resident;

/// The backup service's memory that all verifications together may take.
const ABOVE_IDLE: u64 = 128 << 20;

struct Platform {
    deployment: Deployment,
    vault: TestDb,
    _gateway: TestDb,
}

impl Platform {
    fn start() -> Self {
        let (gateway, vault) = (TestDb::sqlite(), TestDb::sqlite());
        gateway.run("CREATE TABLE servers (id INTEGER PRIMARY KEY); INSERT INTO servers VALUES (1)");
        let deployment = Deployment::start(vault.url_text(), &source("gateway", &gateway, &[]));
        Self { deployment, vault, _gateway: gateway }
    }

    fn admin(&self) -> &Operator {
        &self.deployment.admin
    }

    fn path(&self, name: &str) -> String {
        self.deployment.path(name).to_str().unwrap().to_owned()
    }
}

fn channel(url: &str, caller: &Operator) -> AuthorizedChannel {
    let channel = Target { url: url.to_owned(), ..Target::default() }.channel().unwrap();
    AuthorizedChannel::new(Traced::new(channel), Bearer::new(&caller.token).unwrap())
}

/// An upload of a gigabyte, one byte every ten seconds.
fn dribble() -> impl Stream<Item = VerifyBackupRequest> + Send {
    let header = Question::Header(Header { file_name: "slow.zip".into(), size_bytes: 1 << 30 });
    let byte = |at| Question::Chunk(Chunk { number: at, offset: at, data: b"x".as_slice().into() });
    let bytes = tokio_stream::iter(0..).map(byte).throttle(Duration::from_secs(10));
    let messages = tokio_stream::once(header).chain(bytes);
    messages.map(|message| VerifyBackupRequest { message: Some(message) })
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_dribble_keep_nobody_waiting() {
    let platform = Platform::start();
    let archive = platform.path("good.zip");
    let _ = platform.admin().run(&["backup", "export", "--out", &archive, "--plain"]).succeeded();
    let third = platform.admin().issue("auditor");
    let verify = || {
        let began = Instant::now();
        let _ = third.run(&["backup", "verify", &archive]).succeeded();
        began.elapsed()
    };
    let alone = verify();
    let mut held = Vec::new();
    for _ in 0..2 {
        let attacker = platform.admin().issue("auditor");
        let mut client = BackupServiceClient::new(channel(&attacker.backup_url, &attacker));
        held.push(client.verify_backup(dribble()).await.unwrap().into_inner());
    }
    // The fastest of three, because other tests use the processors too.
    let beside = (0..3).map(|_| verify()).min().unwrap();
    assert!(beside < alone + Duration::from_secs(1), "{beside:?}, and {alone:?} without them");
    for mut stream in held {
        let ended = tokio::time::timeout(Duration::from_millis(1), stream.message()).await;
        assert!(!matches!(ended, Ok(Err(_) | Ok(None))), "the slow upload has ended: {ended:?}");
    }
}

#[test]
fn two_hostile_archives_at_once_take_little_memory() {
    let platform = Platform::start();
    let callers = [platform.admin().issue("auditor"), platform.admin().issue("auditor")];
    for (name, bytes) in hostile::archives() {
        // A manifest is stored uncompressed; everything else is compressed.
        assert!(bytes.len() < 8 << 20, "{name}: {} bytes", bytes.len());
        std::fs::write(platform.path(name), bytes).unwrap();
    }
    let idle = resident(&platform.deployment);
    for (name, _) in hostile::archives() {
        let file = platform.path(name);
        std::thread::scope(|scope| {
            for caller in &callers {
                scope.spawn(|| {
                    let told = caller.run(&["backup", "verify", &file]);
                    assert!(told.code.is_some(), "{name}: {}", told.said());
                });
            }
        });
        let above = platform.deployment.backup.peak_memory().saturating_sub(idle);
        assert!(above < ABOVE_IDLE, "{name}: {} MiB above idle, {} MiB", above >> 20, idle >> 20);
    }
}

/// A slow snapshot reader and its vault.
struct Stalled {
    platform: Platform,
    stream: Streaming<ReadSnapshotResponse>,
}

impl Stalled {
    /// Begins a snapshot that is larger than all queues and windows between the vault and the client together, takes
    /// one message, and stops reading.
    async fn begin(platform: Platform) -> Self {
        write(&platform, 60).await;
        let reader = platform.admin().issue("backup-service");
        let endpoint = Endpoint::from_shared(reader.vault_url.clone()).unwrap();
        let endpoint = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
        let channel = endpoint.connect().await.unwrap();
        let mut client = SourceServiceClient::new(AuthorizedChannel::new(
            Traced::new(channel),
            Bearer::new(&reader.token).unwrap(),
        ));
        let mut stream = client.read_snapshot(ReadSnapshotRequest::default()).await.unwrap().into_inner();
        stream.message().await.unwrap().unwrap();
        Self { platform, stream }
    }

    /// Reads the rest of the stream and returns its status.
    async fn end(mut self) -> (Platform, Status) {
        loop {
            match self.stream.message().await {
                Ok(message) => drop(message.expect("it does not end well")),
                Err(status) => return (self.platform, status),
            }
        }
    }
}

/// Creates this many credentials, each some 80 KB in the database.
async fn write(platform: &Platform, credentials: usize) {
    let mut client = CredentialServiceClient::new(channel(&platform.admin().vault_url, platform.admin()));
    for at in 0..credentials {
        let request: CreateCredentialRequest = credential(&format!("Large {at}")).secret([b'x'; 60_000]);
        client.create_credential(request).await.unwrap();
    }
}

/// Size of the vault's write-ahead log in bytes.
fn log(platform: &Platform) -> u64 {
    let file = platform.vault.file().unwrap();
    std::fs::metadata(Path::new(&format!("{}-wal", file.display()))).unwrap().len()
}

/// Asserts that the log starts over: further writes do not make it longer.
async fn assert_reset(platform: &Platform) {
    let before = log(platform);
    write(platform, 100).await;
    assert!(log(platform) < before + (1 << 20), "{} bytes, {before} before", log(platform));
}

/// In the short form the client leaves; in the long form it stays, and the vault has to end the stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_snapshot_ends_and_the_log_begins_anew() {
    let stalled = Stalled::begin(Platform::start()).await;
    let before = log(&stalled.platform);
    write(&stalled.platform, 100).await;
    assert!(log(&stalled.platform) > before + (4 << 20), "the snapshot holds the log back");
    if !long() {
        let Stalled { platform, stream } = stalled;
        drop(stream);
        return anew(&platform).await;
    }
    tokio::time::sleep(Duration::from_secs(62)).await;
    assert_reset(&stalled.platform).await;
    let (platform, status) = stalled.end().await;
    assert_eq!((status.code(), &*reason_of(&status)), (Code::DeadlineExceeded, "STREAM_LIMIT"), "{status:?}");
    anew(&platform).await;
}

/// Waits until the vault has noticed that the client left and the log no longer grows.
async fn anew(platform: &Platform) {
    let mut last = 0;
    let mut writes = 0;
    while log(platform) != last {
        assert!(writes < 10, "the log grows: {last} bytes");
        last = log(platform);
        write(platform, 60).await;
        writes += 1;
    }
}
