//! Uploads: refusals with their field, waiting, and the data on disk in the meantime.

use std::time::Duration;

use strongroom_api::backup::v1::VerifyBackupResponse;
use strongroom_api::backup::v1::verify_backup_request::{Chunk, End, Header, Message as Question};
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_runtime::status::reason_of;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use super::{ask, chunks, end, export, header, questions, request};
use crate::support::{Client, FakeVault, LOGS, Service, database, plain};

pub(super) fn header_of(file_name: &str, size_bytes: i64) -> Question {
    Question::Header(Header { file_name: file_name.into(), size_bytes })
}

pub(super) fn chunk(number: i64, offset: i64, data: &[u8]) -> Question {
    Question::Chunk(Chunk { number, offset, data: data.to_vec().into() })
}

fn named(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let [violation] = violations.as_slice() else { panic!("{violations:?}") };
    violation.field.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_not_whole_is_refused_with_its_field_named() {
    let service = Service::usual("").await;
    let mut client = service.client();
    let file = vec![7_u8; 2500];
    let head = || header(&file);
    let sha = |sha256: &str| Question::End(End { sha256: sha256.into() });
    let long = vec![0_u8; (512 << 10) + 1];
    let huge = vec![0_u8; 2 << 20];
    let whole = |last: Question| [vec![head()], chunks(&file), vec![last]].concat();
    for (field, asked) in [
        ("header", vec![]),
        ("header", chunks(&file)),
        ("header.file_name", vec![header_of("", 1)]),
        ("header.file_name", vec![header_of("a/b", 1)]),
        ("header.file_name", vec![header_of("a\nb", 1)]),
        ("header.file_name", vec![header_of(&"a".repeat(256), 1)]),
        ("header.size_bytes", vec![header_of("a", 0)]),
        ("header.size_bytes", vec![header_of("a", -1)]),
        ("header.size_bytes", vec![header_of("a", i64::MAX)]),
        ("header", vec![head(), head()]),
        ("chunk.number", vec![head(), chunk(1, 0, b"x")]),
        ("chunk.number", vec![head(), chunk(0, 0, b"x"), chunk(0, 1, b"x")]),
        ("chunk.offset", vec![head(), chunk(0, 1, b"x")]),
        ("chunk.offset", vec![head(), chunk(0, -1, b"x")]),
        ("chunk.data", vec![head(), chunk(0, 0, b"")]),
        ("chunk.data", vec![head(), chunk(0, 0, &long)]),
        ("chunk.data", vec![head(), chunk(0, 0, &huge)]),
        ("chunk.data", vec![head(), chunk(0, 0, &file), chunk(1, 2500, b"x")]),
        ("end", vec![head()]),
        ("end", vec![head(), end(&[])]),
        ("end", [vec![head()], chunks(&file[..2000])].concat()),
        ("end", [vec![head()], chunks(&file[..2000]), vec![end(&file[..2000])]].concat()),
        ("end", [vec![head()], chunks(&file)].concat()),
        ("end.sha256", whole(sha(""))),
        ("end.sha256", whole(sha("x"))),
        ("end.sha256", whole(end(b"another file"))),
    ] {
        let status = ask(&mut client, asked).await.unwrap_err();
        assert_eq!(named(&status), field, "{}", status.message());
    }
    for event in service.vault.events() {
        assert_eq!((event.event.as_str(), event.outcome), ("backup.verified", AuditOutcome::Failed.into()));
    }
}

/// Sends part of a file and then nothing. The service answers once the verification has begun.
pub(super) async fn begin(
    mut client: Client,
    file: Vec<u8>,
) -> Result<Streaming<VerifyBackupResponse>, Status> {
    let some = [vec![header(&file)], chunks(&file).into_iter().take(3).collect()].concat();
    let requests = tokio_stream::iter(some.into_iter().map(request)).chain(tokio_stream::pending());
    Ok(client.verify_backup(requests).await?.into_inner())
}

/// The status that ends the answers.
pub(super) async fn end_of(mut stream: Streaming<VerifyBackupResponse>) -> Status {
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended well"),
            Err(status) => return status,
        }
    }
}

/// [`begin`] and [`end_of`]: sends part of a file and waits for the end.
pub(super) async fn send_some(client: Client, file: Vec<u8>) -> Status {
    match begin(client, file).await {
        Ok(stream) => end_of(stream).await,
        Err(status) => status,
    }
}

pub(super) async fn start(backup: &str) -> Service {
    Service::start(database::folder().await, FakeVault::start().await, backup, LOGS).await
}

pub(super) async fn ended(service: &Service, outcome: AuditOutcome, reason: &str) {
    let event = service.vault.wait_for("backup.verified").await;
    assert_eq!((event.outcome, event.metadata["reason"].as_str()), (outcome.into(), reason), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_nothing_is_not_waited_for() {
    let service = start("stall_seconds = 1").await;
    let head = tokio_stream::iter([request(header(&[0; 10_000]))]).chain(tokio_stream::pending());
    let status = end_of(service.client().verify_backup(head).await.unwrap().into_inner()).await;
    assert_eq!((status.code(), reason_of(&status).as_str()), (Code::DeadlineExceeded, "CLIENT_STALLED"));
    ended(&service, AuditOutcome::Aborted, "\"CLIENT_STALLED\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_absolute_limit_ends_a_verification() {
    let service = start("verify_limit_seconds = 1").await;
    assert_eq!(reason_of(&send_some(service.client(), vec![0; 10_000]).await), "VERIFICATION_TOO_LONG");
    ended(&service, AuditOutcome::Aborted, "\"VERIFICATION_TOO_LONG\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_upload_too_many_is_asked_to_wait_and_a_place_becomes_free() {
    let service = start("concurrent_uploads = 1").await;
    let file = export(&service, plain()).await;
    // A separate runtime serves as a separate process: shutting it down closes its connections.
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = {
        let _inside = other.enter();
        service.client()
    };
    let _stream = other.spawn(begin(client, file.clone())).await.unwrap().unwrap();
    let status = ask(&mut service.client(), questions(&file)).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_str()), (Code::ResourceExhausted, "UPLOADS_BUSY"));
    other.shutdown_background();
    ended(&service, AuditOutcome::Aborted, "\"CLIENT_LEFT\"").await;
    ask(&mut service.client(), questions(&file)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_above_the_server_s_limit_is_refused_at_once() {
    let service = start("upload_limit_bytes = 9999").await;
    let status = ask(&mut service.client(), vec![header(&[0; 10_000])]).await.unwrap_err();
    assert_eq!(named(&status), "header.size_bytes");
    assert!(status.message().contains("9999"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_says_so() {
    let service = start("").await;
    let calling = tokio::spawn(end_of(begin(service.client(), vec![0; 10_000]).await.unwrap()));
    let vault = service.vault.clone();
    service.stop().await.unwrap();
    assert_eq!(reason_of(&calling.await.unwrap()), "SHUTTING_DOWN");
    assert_eq!(vault.wait_for("backup.verified").await.metadata["reason"], "\"SHUTTING_DOWN\"");
}

/// The contents of this process's open files that are, or were, in `folder`.
fn staged(folder: &str) -> Vec<Vec<u8>> {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten().map(|entry| entry.path());
    let of_folder = open
        .filter(|fd| std::fs::read_link(fd).is_ok_and(|target| target.to_string_lossy().starts_with(folder)));
    of_folder.map(|fd| std::fs::read(fd).unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_archive_is_staged_sealed_and_without_a_name() {
    let folder = database::folder().await;
    let staging = folder.path().join("staging");
    std::fs::create_dir(&staging).unwrap();
    let path = staging.to_str().unwrap().to_owned();
    let limits = format!("staging_dir = '{path}'");
    let service = Service::start(folder, FakeVault::start().await, &limits, LOGS).await;
    // Longer than a single write to the disk.
    let file = [b"PK\x03\x04 a plain archive".as_slice(), &b"in the clear ".repeat(30_000)].concat();
    let (sender, receiver) = mpsc::channel(1000);
    for part in [vec![header(&file)], chunks(&file)].concat() {
        sender.send(part).await.unwrap();
    }
    let mut client = service.client();
    let requests = ReceiverStream::new(receiver).map(request);
    let _answers = client.verify_backup(requests).await.unwrap();
    let mut found = Vec::new();
    for _ in 0..100 {
        found = staged(&path);
        if found.first().is_some_and(|bytes| bytes.len() > 300_000) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let [bytes] = found.as_slice() else { panic!("{} files", found.len()) };
    assert!(bytes.starts_with(b"age-encryption.org/v1\n") && bytes.len() > 300_000, "{}", bytes.len());
    assert!(!bytes.windows(12).any(|window| window == b"in the clear"));
    assert_eq!(std::fs::read_dir(&staging).unwrap().count(), 0, "it has no name");
    drop(sender);
    service.vault.wait_for("backup.verified").await;
    for _ in 0..100 {
        if staged(&path).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the file is still open");
}
