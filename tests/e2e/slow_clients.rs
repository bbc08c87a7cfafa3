//! Clients that read an export slowly or not at all: the service's reader waits for them, memory does not grow, and no
//! snapshot is held for ever.

use std::time::{Duration, Instant};

use e2e::{Deployment, PATIENCE, eventually, long, source};
use strongroom_api::backup::v1::ExportBackupResponse;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::TestDb;
use tonic::{Code, Status, Streaming};

use crate::unhurried::{ONE_EXPORT, client, data, plain, resident};

/// An archive of some 25 MB, which is more than a service may hold while it waits for its client.
const NOISE: &str = "CREATE TABLE noise AS
    SELECT n AS id, md5(n || 'a') || md5(n || 'b') || md5(n || 'c') || md5(n || 'd') AS body
    FROM generate_series(1, 350000) AS n";
/// Sessions in a transaction, other than the querying one.
const OPEN: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL \
    AND backend_type = 'client backend'";

/// A service with a table that exceeds all queues and windows between it and a client.
struct Noisy {
    deployment: Deployment,
    db: TestDb,
    _vault_database: TestDb,
}

impl Noisy {
    /// Starts it with `limits` in the service's section; `None` without a PostgreSQL server.
    fn start(limits: &str) -> Option<Self> {
        let db = TestDb::postgres()?;
        db.run(NOISE);
        let vault_database = TestDb::sqlite();
        let config = format!("{limits}\n{}", source("gateway", &db, &[]));
        let deployment = Deployment::start(vault_database.url_text(), &config);
        Some(Self { deployment, db, _vault_database: vault_database })
    }

    /// An export of which the client has read 1 MiB.
    async fn begin(&self) -> Streaming<ExportBackupResponse> {
        let mut client = client(&self.deployment).await;
        let mut stream = client.export_backup(plain()).await.unwrap().into_inner();
        let mut taken = 0;
        while taken < 1 << 20 {
            taken += data(&stream.message().await.unwrap().unwrap());
        }
        stream
    }

    /// Waits until no snapshot is open.
    fn released(&self) {
        let released = || (self.db.number(OPEN) == 0).then_some(());
        eventually("the end of the transaction", PATIENCE, released);
    }
}

fn assert_ended(status: &Status, reason: &str, sentence: &str) {
    assert_eq!((status.code(), &*reason_of(status)), (Code::DeadlineExceeded, reason));
    assert_eq!(status.message(), sentence);
}

/// Continues reading, one chunk after each pause, until the service ends the stream, for at most two minutes.
async fn end_of(stream: Streaming<ExportBackupResponse>, pause: Duration) -> Status {
    let ended = tokio::time::timeout(Duration::from_secs(120), read_on(stream, pause)).await;
    ended.expect("nobody ended it")
}

async fn read_on(mut stream: Streaming<ExportBackupResponse>, pause: Duration) -> Status {
    loop {
        let message = match stream.message().await {
            Ok(message) => message.expect("it does not end well"),
            Err(status) => return status,
        };
        if data(&message) > 0 {
            tokio::time::sleep(pause).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_slows_the_reader_and_memory_stays_flat() {
    let Some(service) = Noisy::start("") else { return };
    let (deployment, db) = (&service.deployment, &service.db);
    let idle = resident(deployment);
    let mut stream = service.begin().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let turns = if long() { 15 } else { 2 };
    let mut most = resident(deployment);
    for _ in 0..turns {
        tokio::time::sleep(Duration::from_secs(4)).await;
        while data(&stream.message().await.unwrap().unwrap()) == 0 {}
        most = most.max(resident(deployment));
    }
    let held = most.saturating_sub(idle);
    assert!(held < ONE_EXPORT, "the service holds {} KiB for a client that waits", held >> 10);
    assert_eq!(db.number(OPEN), 1, "the snapshot waits for its client");
    drop(stream);
    service.released();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stalls_is_ended_and_its_snapshot_released() {
    let Some(service) = Noisy::start("stall_seconds = 3") else { return };
    let began = Instant::now();
    let stream = service.begin().await;
    assert_eq!(service.db.number(OPEN), 1, "the snapshot is open");
    service.released();
    let held = began.elapsed();
    assert!(held >= Duration::from_secs(3), "it was given up after {held:?}");
    let sentence =
        "the client read nothing for 3 s, and a snapshot is not held that long; use a stored backup instead";
    assert_ended(&end_of(stream, Duration::ZERO).await, "CLIENT_STALLED", sentence);
}

/// The client never stalls: it takes a chunk every two seconds, a third of the stall limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_slow_for_too_long_is_advised_and_its_snapshot_released() {
    let seconds = if long() { 60 } else { 8 };
    let limits = format!("stall_seconds = 6\nexport_limit_seconds = {seconds}");
    let Some(service) = Noisy::start(&limits) else { return };
    let began = Instant::now();
    let stream = service.begin().await;
    assert_eq!(service.db.number(OPEN), 1, "the snapshot is open");
    let status = end_of(stream, Duration::from_secs(2)).await;
    let sentence = format!(
        "the export took longer than {seconds} s, and a snapshot is not held for ever; \
         use a stored backup, whose download can be resumed"
    );
    assert_ended(&status, "EXPORT_TOO_LONG", &sentence);
    assert!(began.elapsed() >= Duration::from_secs(seconds), "after {:?}", began.elapsed());
    service.released();
}
