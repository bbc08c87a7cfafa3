//! Bad input of the methods for stored backups.

use strongroom_api::backup::v1 as proto;
use strongroom_api::backup::v1::create_backup_request::Seal;
use strongroom_api::backup::v1::{BackupState, PassphraseSeal, RecipientSeal};
use strongroom_runtime::status::reason_of;
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::support::{Client, FakeVault, LOGS, Service, database};

/// A service with one backup folder, called `disk`, and a client with all permissions for it.
struct Storing {
    client: Client,
    service: Service,
    _disk: TempDir,
}

impl Storing {
    async fn start() -> Self {
        let (folder, disk) = (database::folder().await, tempfile::tempdir().unwrap());
        let url = disk.path().display();
        let source = format!("{LOGS}\n[[destinations]]\nname = 'disk'\nurl = 'file://{url}'\n");
        let service = Service::start(folder, FakeVault::start().await, "", &source).await;
        let client = service.client_with(&[
            "backup.create",
            "backup.delete",
            "backup.download",
            "backup.estimate",
            "backup.export_passphrase",
            "backup.export_plain",
            "backup.export_recipients",
            "backup.get",
            "backup.hold",
            "backup.list",
            "backup.scan",
            "backup.verify",
        ]);
        Self { client, service, _disk: disk }
    }

    /// An existing backup.
    async fn backup(&self) -> proto::Backup {
        let mut client = self.client.clone();
        let begun = client.create_backup(proto::CreateBackupRequest::default()).await.unwrap();
        let id = begun.into_inner().backup.unwrap().id;
        let request = proto::WatchBackupRequest { id };
        let mut changes = client.watch_backup(request).await.unwrap().into_inner();
        let mut last = None;
        while let Some(change) = changes.message().await.unwrap() {
            last = change.backup;
        }
        let last = last.unwrap();
        assert_eq!(last.state(), BackupState::Available, "{last:?}");
        last
    }
}

fn assert_field(status: &Status, field: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {}", status.message());
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let named: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(named, [field], "{}", status.message());
    assert!(status.message().len() < 1100, "{}", status.message());
    assert!(!status.message().contains('\0'), "{}", status.message());
}

fn assert_refused(status: &Status, code: Code, reason: &str) {
    assert_eq!((status.code(), reason_of(status).as_str()), (code, reason), "{}", status.message());
    assert!(status.message().len() < 1100, "{}", status.message());
}

/// The answers of all methods that take a backup's id. Streams fail in their first message or before.
async fn by_id(client: &mut Client, id: &str) -> Vec<(&'static str, Result<(), Status>)> {
    let id = id.to_owned();
    let (destination, etag) = (String::new(), String::new());
    let download =
        proto::DownloadBackupRequest { id: id.clone(), offset: 0, etag: etag.clone(), destination };
    let verify = proto::VerifyStoredBackupRequest { id: id.clone(), destination: String::new() };
    vec![
        ("get", client.get_backup(proto::GetBackupRequest { id: id.clone() }).await.map(drop)),
        ("watch", client.watch_backup(proto::WatchBackupRequest { id: id.clone() }).await.map(drop)),
        ("delete", client.delete_backup(proto::DeleteBackupRequest { id: id.clone(), etag }).await.map(drop)),
        ("undelete", client.undelete_backup(proto::UndeleteBackupRequest { id: id.clone() }).await.map(drop)),
        ("hold", client.hold_backup(proto::HoldBackupRequest { id: id.clone() }).await.map(drop)),
        ("release", client.release_backup(proto::ReleaseBackupRequest { id: id.clone() }).await.map(drop)),
        ("download", client.download_backup(download).await.map(drop)),
        ("verify", client.verify_stored_backup(verify).await.map(drop)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_id_of_a_backup_is_refused_by_each_method() {
    let mut storing = Storing::start().await;
    let long = "a".repeat(100_000);
    for bad in ["", " ", "a b", "a\0", "a\nb", "../x", "ä", "a'--", &"a".repeat(65), &long] {
        for (method, answer) in by_id(&mut storing.client, bad).await {
            assert_field(&answer.expect_err(method), "id");
        }
    }
    let unknown = Uuid::now_v7().to_string();
    for id in [unknown.as_str(), "1", &unknown.to_uppercase()] {
        for (method, answer) in by_id(&mut storing.client, id).await {
            assert_refused(&answer.expect_err(method), Code::NotFound, "BACKUP_NOT_FOUND");
        }
    }
    assert!(storing.service.vault.events().is_empty(), "nothing was begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_of_a_new_backup_is_refused_with_its_field_named() {
    let mut storing = Storing::start().await;
    let usual = proto::CreateBackupRequest::default;
    let long = "x".repeat(100_000);
    let many = vec!["logs".to_owned(); 10_001];
    let mut cases = vec![
        ("include", proto::CreateBackupRequest { include: many.clone(), ..usual() }),
        ("tables", proto::CreateBackupRequest { tables: many.clone(), ..usual() }),
        ("destinations", proto::CreateBackupRequest { destinations: many, ..usual() }),
    ];
    for name in ["", " ", "Logs", "logs\0", "a\nb", &long] {
        let names = |known: &str| vec![known.to_owned(), name.to_owned()];
        let tables =
            proto::CreateBackupRequest { include: vec!["logs".into()], tables: names("logs"), ..usual() };
        cases.push(("include[1]", proto::CreateBackupRequest { include: names("logs"), ..usual() }));
        cases.push(("tables[1]", tables));
        cases
            .push(("destinations[1]", proto::CreateBackupRequest { destinations: names("disk"), ..usual() }));
    }
    let since = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
    cases.push(("since", proto::CreateBackupRequest { since, ..usual() }));
    let seal = Some(Seal::Passphrase(PassphraseSeal { text: "a\0".into() }));
    cases.push(("passphrase.text", proto::CreateBackupRequest { seal, ..usual() }));
    let seal = Some(Seal::Recipients(RecipientSeal { age: vec!["age1".into()] }));
    cases.push(("recipients.age[0]", proto::CreateBackupRequest { seal, ..usual() }));
    for (field, request) in cases {
        assert_field(&storing.client.create_backup(request).await.unwrap_err(), field);
    }
    let all = proto::ListBackupsRequest::default();
    let listed = storing.client.list_backups(all).await.unwrap().into_inner();
    assert!(listed.backups.is_empty(), "nothing was begun: {listed:?}");
    assert!(storing.service.vault.events().is_empty(), "nothing was begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_and_a_scan_refuse_unknown_names_and_long_lists() {
    let mut storing = Storing::start().await;
    let long = "x".repeat(100_000);
    let many = || vec!["disk".to_owned(); 10_001];
    let estimate = proto::EstimateBackupRequest { include: many(), tables: Vec::new() };
    assert_field(&storing.client.estimate_backup(estimate).await.unwrap_err(), "include");
    let estimate = proto::EstimateBackupRequest { include: Vec::new(), tables: many() };
    assert_field(&storing.client.estimate_backup(estimate).await.unwrap_err(), "tables");
    assert_field(
        &storing.client.scan_backups(proto::ScanBackupsRequest { destinations: many() }).await.unwrap_err(),
        "destinations",
    );
    for name in ["", "nobody", "a\0", &long] {
        let names = vec![name.to_owned()];
        let include = proto::EstimateBackupRequest { include: names.clone(), tables: Vec::new() };
        assert_field(&storing.client.estimate_backup(include).await.unwrap_err(), "include[0]");
        let tables = proto::EstimateBackupRequest { include: Vec::new(), tables: names.clone() };
        assert_field(&storing.client.estimate_backup(tables).await.unwrap_err(), "tables[0]");
        let scan = proto::ScanBackupsRequest { destinations: names };
        assert_field(&storing.client.scan_backups(scan).await.unwrap_err(), "destinations[0]");
    }
    assert!(storing.service.vault.events().is_empty(), "nothing was begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_no_size_from_nowhere_and_of_unknown_states_is_refused() {
    let mut storing = Storing::start().await;
    let usual = proto::ListBackupsRequest::default;
    let hex = |text: &str| hex::encode(text);
    let tokens = [
        "x".to_owned(),
        "0".to_owned(),
        "x".repeat(100_000),
        hex(""),
        hex("1"),
        hex("/"),
        hex("1/"),
        hex("x/a"),
        hex("99999999999999999999/a"),
        hex("1/a\0"),
        hex("1/a'b"),
        hex::encode([0xff, 0xfe]),
        format!("{} ", hex("1/a")),
    ];
    for page_token in tokens.into_iter().filter(|token| !token.is_empty()) {
        let request = proto::ListBackupsRequest { page_token, ..usual() };
        assert_field(&storing.client.list_backups(request).await.unwrap_err(), "page_token");
    }
    for page_size in [-1, i32::MIN] {
        let request = proto::ListBackupsRequest { page_size, ..usual() };
        assert_field(&storing.client.list_backups(request).await.unwrap_err(), "page_size");
    }
    for state in [0, 7, -1, i32::MAX, i32::MIN] {
        let states = vec![BackupState::Failed.into(), state];
        let request = proto::ListBackupsRequest { states, ..usual() };
        assert_field(&storing.client.list_backups(request).await.unwrap_err(), "states[1]");
    }
    let many = vec![BackupState::Failed.into(); 100_000];
    for request in [
        proto::ListBackupsRequest { states: many, ..usual() },
        proto::ListBackupsRequest { page_size: i32::MAX, ..usual() },
        proto::ListBackupsRequest {
            page_token: hex("1/a/creating,available,failed,deleting,unverified"),
            ..usual()
        },
    ] {
        let answer = storing.client.list_backups(request).await.unwrap().into_inner();
        assert_eq!(answer, proto::ListBackupsResponse::default());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_finds_its_backup() {
    let mut storing = Storing::start().await;
    for request_id in [" ", "x", "1", &"a".repeat(100_000)] {
        let request = proto::CreateBackupRequest { request_id: request_id.into(), ..Default::default() };
        assert_field(&storing.client.create_backup(request).await.unwrap_err(), "request_id");
    }
    let request_id = Uuid::now_v7().to_string();
    let request = || proto::CreateBackupRequest { request_id: request_id.clone(), ..Default::default() };
    let (mut one, mut other) = (storing.client.clone(), storing.client.clone());
    let (first, second) = tokio::join!(one.create_backup(request()), other.create_backup(request()));
    let id = |answer: tonic::Response<proto::CreateBackupResponse>| answer.into_inner().backup.unwrap().id;
    let first = id(first.unwrap());
    assert_eq!(id(second.unwrap()), first);
    let upper = proto::CreateBackupRequest { request_id: request_id.to_uppercase(), ..Default::default() };
    assert_eq!(id(storing.client.create_backup(upper).await.unwrap()), first);
    let changed = proto::CreateBackupRequest { include: vec!["logs".into()], ..request() };
    assert_field(&storing.client.create_backup(changed).await.unwrap_err(), "request_id");
    let mut stranger = storing.service.client_with(&["backup.create"]);
    assert_ne!(
        id(stranger.create_backup(request()).await.unwrap()),
        first,
        "another caller's id is another one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_begins_inside_the_file_and_resumes_only_that_one() {
    let mut storing = Storing::start().await;
    let backup = storing.backup().await;
    let size = backup.content.unwrap().size_bytes;
    let usual = || proto::DownloadBackupRequest { id: backup.id.clone(), ..Default::default() };
    for offset in [-1, i64::MIN, size + 1, i64::MAX] {
        let request = proto::DownloadBackupRequest { offset, etag: "x".into(), ..usual() };
        assert_field(&storing.client.download_backup(request).await.unwrap_err(), "offset");
    }
    let resumed = proto::DownloadBackupRequest { offset: 1, ..usual() };
    assert_field(&storing.client.download_backup(resumed).await.unwrap_err(), "etag");
    for etag in [" ", "x", "\0", &"e".repeat(100_000)] {
        for offset in [0, 1, size] {
            let request = proto::DownloadBackupRequest { offset, etag: etag.into(), ..usual() };
            let answer = storing.client.download_backup(request).await.unwrap_err();
            assert_refused(&answer, Code::Aborted, "BACKUP_CHANGED");
        }
    }
    for destination in [" ", "nowhere", "Disk", "disk\0", &"d".repeat(100_000)] {
        let destination = destination.to_owned();
        let request = proto::DownloadBackupRequest { destination: destination.clone(), ..usual() };
        let answer = storing.client.download_backup(request).await.unwrap_err();
        assert_refused(&answer, Code::FailedPrecondition, "COPY_MISSING");
        let request = proto::VerifyStoredBackupRequest { id: backup.id.clone(), destination };
        let answer = storing.client.verify_stored_backup(request).await.unwrap_err();
        assert_refused(&answer, Code::FailedPrecondition, "COPY_MISSING");
    }
    for etag in ["x", "\"", "\0", "\"99\"", &"e".repeat(100_000)] {
        let request = proto::DeleteBackupRequest { id: backup.id.clone(), etag: etag.into() };
        assert_refused(
            &storing.client.delete_backup(request).await.unwrap_err(),
            Code::Aborted,
            "ETAG_MISMATCH",
        );
    }
    let events = storing.service.vault.events();
    let of_the_creation = |event: &str| event.starts_with("backup.create");
    assert!(events.iter().all(|event| of_the_creation(&event.event)), "nothing was begun: {events:?}");
}
