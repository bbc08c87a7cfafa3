//! Many concurrent exports: the cost of one for the service and for the others.

use std::time::{Duration, Instant};

use e2e::{Deployment, bulk_table, long, source};
use strongroom_api::backup::v1::backup_service_client::BackupServiceClient;
use strongroom_api::backup::v1::export_backup_response::{Message, Trailer};
use strongroom_runtime::client::AuthorizedChannel;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::TestDb;
use tokio::sync::watch;
use tonic::Code;

use crate::unhurried::{ABOVE_IDLE, ONE_EXPORT, client, data, plain, resident};

/// The default of `concurrent_exports`.
const PLACES: usize = 10;

/// How long clients let an export wait, until all its buffers are full.
const WAIT: Duration = Duration::from_secs(2);

/// Reads an export to its end once `begin` is set; reports every byte to `progress`.
async fn read_all(
    mut client: BackupServiceClient<AuthorizedChannel>,
    mut begin: watch::Receiver<bool>,
    progress: watch::Sender<u64>,
) -> Trailer {
    let mut stream = client.export_backup(plain()).await.unwrap().into_inner();
    progress.send_modify(|bytes| *bytes += 1);
    begin.wait_for(|begun| *begun).await.unwrap();
    loop {
        let message = stream.message().await.unwrap().expect("a trailer before the end");
        progress.send_modify(|bytes| *bytes += data(&message));
        if let Some(Message::Trailer(trailer)) = message.message {
            return trailer;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_exports_share_the_service_and_the_eleventh_is_asked_to_wait() {
    let Some(db) = TestDb::postgres() else { return };
    bulk_table(&db, if long() { 400_000 } else { 100_000 });
    let vault_database = TestDb::sqlite();
    let deployment = Deployment::start(vault_database.url_text(), &source("gateway", &db, &[]));
    let idle = resident(&deployment);
    let (begin, begun) = watch::channel(false);
    let one = tokio::spawn(read_all(client(&deployment).await, begun.clone(), watch::channel(0).0));
    tokio::time::sleep(WAIT).await;
    begin.send(true).unwrap();
    let alone = one.await.unwrap();
    let one = deployment.backup.peak_memory() - idle;

    let (begin, begun) = watch::channel(false);
    let mut readers = Vec::new();
    for _ in 0..PLACES {
        let (progress, seen) = watch::channel(0);
        let reading = read_all(client(&deployment).await, begun.clone(), progress);
        readers.push((tokio::spawn(reading), seen));
    }
    for (_, seen) in &mut readers {
        seen.wait_for(|bytes| *bytes > 0).await.unwrap();
    }
    let refusal = client(&deployment).await.export_backup(plain()).await.unwrap_err();
    assert_eq!(reason_of(&refusal), "EXPORTS_BUSY", "{refusal:?}");
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    // The type name of the error detail that contains the delay.
    assert!(String::from_utf8_lossy(refusal.details()).contains("google.rpc.RetryInfo"));

    tokio::time::sleep(WAIT).await;
    let began = Instant::now();
    begin.send(true).unwrap();
    let first = first_to_end(&mut readers).await;
    let shortest = began.elapsed();
    for (reader, _) in readers {
        assert_eq!(reader.await.unwrap().rows, alone.rows);
    }
    assert_eq!(first.rows, alone.rows);
    let longest = began.elapsed();
    // Exports that take turns end at about the same time; one after the other, the last would need ten times as long as
    // the first. Four is far from both.
    assert!(longest < 4 * shortest, "the first export took {shortest:?}, the last one {longest:?}");
    let ten = deployment.backup.peak_memory() - idle;
    assert!(one < ABOVE_IDLE, "idle {idle}: one export took {} KiB more", one >> 10);
    assert!(ten < PLACES as u64 * ONE_EXPORT, "idle {idle}: ten exports took {} KiB more", ten >> 10);
    // Its slot is free again at once.
    assert_eq!(read_all(client(&deployment).await, begun, watch::channel(0).0).await.rows, alone.rows);
}

type Reader = (tokio::task::JoinHandle<Trailer>, watch::Receiver<u64>);

/// The trailer of the export that ends first; it is removed from `readers`.
async fn first_to_end(readers: &mut Vec<Reader>) -> Trailer {
    loop {
        if let Some(at) = readers.iter().position(|(reader, _)| reader.is_finished()) {
            return readers.remove(at).0.await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
