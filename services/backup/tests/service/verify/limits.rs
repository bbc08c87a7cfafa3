//! Limits on the cost of an archive and its sender: memory, processor time, disk space, and other callers' time.

use std::time::Duration;

use strongroom_api::backup::v1::VerifyBackupResponse;
use strongroom_api::backup::v1::verify_backup_response::Message;
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::ManifestHead;
use strongroom_runtime::status::reason_of;
use strongroom_testkit::archives::{empty, files, head, sealed_table};
use tokio_stream::StreamExt as _;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use super::upload::{chunk, end_of, ended, header_of, send_some, start};
use super::{Told, ask, questions, request};
use crate::support::{Client, Service};

/// The longest that a served caller may wait; the machine is busy with other tests.
const SOON: Duration = Duration::from_secs(5);

async fn told(service: &Service, file: &[u8]) -> Result<Told, Status> {
    ask(&mut service.client(), questions(file)).await
}

fn refused(status: &Status, code: Code, reason: &str, words: &[&str]) {
    assert_eq!((status.code(), reason_of(status).as_str()), (code, reason), "{status:?}");
    for word in words {
        assert!(status.message().contains(word), "{word}: {}", status.message());
    }
}

/// Peak memory of this process since the last [`forget`], in MiB (proc(5)).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

fn forget() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_repeat_a_long_key_take_its_memory_once() {
    let service = start("").await;
    let key = "a".repeat(24 << 20);
    let bombs = [
        sealed_table(&key, &[], 1, &"{k}".repeat(341), 1),
        sealed_table(&key, &["k"], 990, "{k}", 1),
        sealed_table(&key.replace("aaaaaa", r"\u0061"), &["k"], 990, "x", 1),
    ];
    drop(key);
    for (bomb, opens) in bombs.iter().zip([false, false, false]) {
        assert!(bomb.len() < 500_000, "{}", bomb.len());
        forget();
        let before = peak();
        let told = told(&service, bomb).await.unwrap();
        // Other tests of this process run at the same time; the first bomb asks for 8 GiB.
        assert!(peak() < before + 256, "{} MiB, {before} before", peak());
        assert_eq!(told.columns[0].decryptable == 1, opens);
        assert!(told.columns.iter().all(|column| column.values == 1 && column.rows.len() == 1));
        assert!(told.columns[0].rows[0].id.chars().count() <= 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_this_server_does_not_hold_is_not_called_damaged() {
    let service = start("verify_row_limit_bytes = 1000").await;
    let status = told(&service, &sealed_table(&"a".repeat(1000), &[], 0, "x", 1)).await.unwrap_err();
    let words =
        ["row 1 of table \"t\"", "1000 bytes", "verify_row_limit_bytes", "does not mean that it is damaged"];
    refused(&status, Code::ResourceExhausted, "VERIFY_ROW_TOO_LARGE", &words);
    ended(&service, AuditOutcome::Failed, "\"VERIFY_ROW_TOO_LARGE\"").await;
    assert!(told(&service, &sealed_table("a", &[], 0, "x", 3)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_this_server_does_not_hold_is_not_called_damaged() {
    let service = start("verify_manifest_limit_bytes = 1048576").await;
    let head = ManifestHead { app_url: "a".repeat(2 << 20), ..head(Vec::new()) };
    let status = told(&service, &empty(head)).await.unwrap_err();
    let words = ["manifest.json", "1048576 bytes", "verify_manifest_limit_bytes"];
    refused(&status, Code::ResourceExhausted, "VERIFY_DOCUMENT_TOO_LARGE", &words);
}

/// The vault refuses an event with a text of 6 MiB, and no client accepts a message with one, so both get a shortened
/// text.
#[tokio::test(flavor = "multi_thread")]
async fn long_texts_of_an_archive_are_cut_in_what_is_said_of_it() {
    let service = start("").await;
    let long = "a".repeat(6 << 20);
    let head = ManifestHead { app_name: long.clone(), ..head(Vec::new()) };
    let verdict = told(&service, &empty(head)).await.unwrap().verdict;
    assert_eq!(verdict.app_name, format!("{}…", &long[..1000]));
    let head = ManifestHead { archive_id: long, ..strongroom_testkit::archives::head(Vec::new()) };
    let verdict = told(&service, &empty(head)).await.unwrap().verdict;
    assert_eq!(verdict.archive_id.chars().count(), 1001);
    let event = service.vault.events().pop().unwrap();
    assert!(event.metadata["archive_id"].len() < 1100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_is_given_for_the_size_of_a_file() {
    let service = start("verify_processor_seconds = 1").await;
    // 34,100 empty texts a row. A fast machine checks 6,000 such rows in a second.
    let file = sealed_table("", &[], 100, &"{k}".repeat(341), 20_000);
    let status = told(&service, &file).await.unwrap_err();
    let words = ["verify_processor_seconds", " s of processor time"];
    refused(&status, Code::ResourceExhausted, "VERIFY_PROCESSOR_LIMIT", &words);
    ended(&service, AuditOutcome::Failed, "\"VERIFY_PROCESSOR_LIMIT\"").await;
}

/// Sends a byte every 200 ms.
async fn dribble(mut client: Client, size: i64) -> Result<Streaming<VerifyBackupResponse>, Status> {
    let bytes =
        tokio_stream::iter(0..size).throttle(Duration::from_millis(200)).map(|at| chunk(at, at, b"x"));
    let requests = tokio_stream::once(header_of("slow.zip", size)).chain(bytes).map(request);
    Ok(client.verify_backup(requests).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_dribble_take_nobody_elses_turn() {
    let service = start("").await;
    let (first, second) = (service.client(), service.client());
    let mut held = Vec::new();
    for client in [&first, &first, &second, &second] {
        held.push(dribble(client.clone(), 1 << 30).await.unwrap());
    }
    let status = dribble(first, 1 << 30).await.unwrap_err();
    refused(&status, Code::ResourceExhausted, "CALLER_BUSY", &["2 archives of this caller"]);
    assert!(status.get_details_retry_info().is_some());
    let file = sealed_table("a", &[], 0, "x", 1);
    tokio::time::timeout(SOON, told(&service, &file)).await.expect("in time").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_dribbles_is_ended() {
    let service = start("stall_seconds = 1").await;
    let stream = dribble(service.client(), 1 << 20).await.unwrap();
    let status = tokio::time::timeout(SOON, end_of(stream)).await.expect("in time");
    refused(&status, Code::DeadlineExceeded, "CLIENT_TOO_SLOW", &["65536 bytes within each 1 s"]);
    ended(&service, AuditOutcome::Aborted, "\"CLIENT_TOO_SLOW\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_room_of_all_uploads_is_bounded_together() {
    let service = start("staging_limit_bytes = 5000").await;
    // Each sends 3000 bytes; the one that exceeds the limit is refused, and the other waits.
    let one = send_some(service.client(), vec![7; 10_000]);
    let other = send_some(service.client(), vec![7; 10_000]);
    let status = tokio::select! { status = one => status, status = other => status };
    refused(&status, Code::ResourceExhausted, "STAGING_BUSY", &["5000 bytes", "staging_limit_bytes"]);
    assert!(status.get_details_retry_info().is_some());
}

/// Holds its turn: the archive has so many entries that the answers overflow the windows of its client, which reads
/// none.
async fn keep_turn(service: &Service) -> Streaming<VerifyBackupResponse> {
    let requests = tokio_stream::iter(questions(&files(2000, 1)).into_iter().map(request));
    let stream = service.client().verify_backup(requests).await.unwrap().into_inner();
    tokio::time::sleep(Duration::from_secs(1)).await;
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_waited_for_with_progress() {
    let service = start("concurrent_verifications = 1").await;
    let kept = keep_turn(&service).await;
    let file = sealed_table("a", &[], 0, "x", 1);
    let requests = tokio_stream::iter(questions(&file).into_iter().map(request));
    let mut waiting = service.client().verify_backup(requests).await.unwrap().into_inner();
    for _ in 0..2 {
        let answer = waiting.message().await.unwrap().unwrap().message;
        let Some(Message::Progress(progress)) = answer else { panic!("{answer:?}") };
        assert_eq!((progress.bytes_received, progress.bytes_total), (file.len() as i64, 0));
    }
    // A caller that leaves the queue does not block it.
    drop(waiting);
    ended(&service, AuditOutcome::Aborted, "\"CLIENT_LEFT\"").await;
    drop(kept);
    tokio::time::timeout(SOON, told(&service, &file)).await.expect("in time").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_ends_when_the_client_leaves_in_the_middle_of_an_entry() {
    let service = start("concurrent_verifications = 1").await;
    let file = files(1, 3 << 30);
    let requests = tokio_stream::iter(questions(&file).into_iter().map(request));
    let mut stream = service.client().verify_backup(requests).await.unwrap().into_inner();
    loop {
        let answer = stream.message().await.unwrap().unwrap().message;
        let Some(Message::Progress(progress)) = answer else { panic!("it has ended: {answer:?}") };
        if progress.bytes_verified > 0 {
            assert!(progress.bytes_verified < 1 << 30, "there is more to do: {progress:?}");
            break;
        }
    }
    drop(stream);
    // The reading thread gives the turn back when it ends.
    let small = sealed_table("a", &[], 0, "x", 1);
    tokio::time::timeout(Duration::from_secs(1), told(&service, &small)).await.expect("in time").unwrap();
}
