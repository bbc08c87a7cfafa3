//! Failed exports: the status, the audit event, and that no work continues afterwards.

use std::time::Duration;

use crate::support::{FakeVault, LOGS, Service, database, failure, plain, receive};
use strongroom_api::backup::v1::ExportBackupRequest;
use strongroom_api::vault::v1::{AuditEvent, AuditOutcome};
use strongroom_runtime::status::reason_of;
use tonic::{Code, Status};

fn assert_status(status: &Status, code: Code, reason: &str) {
    assert_eq!((status.code(), reason_of(status).as_str()), (code, reason), "{}", status.message());
}

fn assert_ended(event: &AuditEvent, outcome: AuditOutcome, reason: &str) {
    assert_eq!(event.outcome, i32::from(outcome), "{event:?}");
    assert_eq!(event.metadata["reason"], format!("{reason:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cannot_be_meant_are_refused_before_anything_begins() {
    let service = Service::usual("").await;
    let mut client = service.client();
    let with = |include: &[&str], tables: &[&str]| ExportBackupRequest {
        include: include.iter().map(|name| (*name).to_owned()).collect(),
        tables: tables.iter().map(|name| (*name).to_owned()).collect(),
        ..plain()
    };
    for (request, expected) in [
        (with(&["recordings"], &[]), "include[0]: there is no group \"recordings\""),
        (with(&[], &["nothing"]), "tables[0]: no source has a table \"nothing\""),
        (with(&[], &["logs"]), "tables[0]: table \"logs\" belongs to the group \"logs\""),
        (with(&[""], &[]), "include[0]: must not be empty"),
    ] {
        let status = client.export_backup(request).await.unwrap_err();
        assert_status(&status, Code::InvalidArgument, "INVALID_FIELD");
        assert!(status.message().starts_with(expected), "{}", status.message());
    }
    let since = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
    let status = client.export_backup(ExportBackupRequest { since, ..plain() }).await.unwrap_err();
    assert_status(&status, Code::InvalidArgument, "INVALID_FIELD");
    assert!(service.vault.events().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_export() {
    let folder = database::large_folder().await;
    let service = Service::start(folder, FakeVault::start().await, "concurrent_exports = 1", LOGS).await;
    let mut client = service.client();
    let mut stream = client.export_backup(plain()).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    drop(stream);
    assert_ended(&service.end_event().await, AuditOutcome::Aborted, "CLIENT_LEFT");
    let released = async {
        while service.vault.pin_steps().last().is_none_or(|(step, _)| *step != "release") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), released).await.expect("its pins are released");
    // Its slot is free again, and so is the database.
    let stream = client.export_backup(plain()).await.unwrap().into_inner();
    receive(stream).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_not_waited_for() {
    let folder = database::large_folder().await;
    let service = Service::start(folder, FakeVault::start().await, "stall_seconds = 1", LOGS).await;
    let mut client = service.client();
    let stream = client.export_backup(plain()).await.unwrap().into_inner();
    assert_ended(&service.end_event().await, AuditOutcome::Aborted, "CLIENT_STALLED");
    assert_status(&failure(stream).await, Code::DeadlineExceeded, "CLIENT_STALLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_absolute_limit_ends_an_export() {
    let folder = database::large_folder().await;
    let service = Service::start(folder, FakeVault::start().await, "export_limit_seconds = 1", LOGS).await;
    let mut client = service.client();
    let stream = client.export_backup(plain()).await.unwrap().into_inner();
    assert_ended(&service.end_event().await, AuditOutcome::Aborted, "EXPORT_TOO_LONG");
    let status = failure(stream).await;
    assert_status(&status, Code::DeadlineExceeded, "EXPORT_TOO_LONG");
    assert!(status.message().contains("stored backup"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_export_too_many_is_asked_to_wait() {
    let folder = database::large_folder().await;
    let service = Service::start(folder, FakeVault::start().await, "concurrent_exports = 1", LOGS).await;
    let mut client = service.client();
    let first = client.export_backup(plain()).await.unwrap().into_inner();
    let status = client.export_backup(plain()).await.unwrap_err();
    assert_status(&status, Code::ResourceExhausted, "EXPORTS_BUSY");
    receive(first).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trailer_leaves_before_its_event() {
    let service = Service::usual("").await;
    service.vault.refuse("backup.exported", Code::PermissionDenied);
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    assert_status(&failure(stream).await, Code::Internal, "VAULT_REFUSED");
    assert_ended(&service.end_event().await, AuditOutcome::Failed, "VAULT_REFUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_first_event_nothing_is_read() {
    let service = Service::usual("").await;
    service.vault.refuse("backup.export_started", Code::Unavailable);
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    assert_status(&failure(stream).await, Code::Unavailable, "VAULT_UNAVAILABLE");
    assert_eq!(service.vault.snapshots(), 0);
    // The vault may have recorded the start before its answer was lost.
    assert_ended(&service.end_event().await, AuditOutcome::Failed, "VAULT_UNAVAILABLE");
    assert_eq!(service.vault.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_first_event_has_no_end() {
    let service = Service::usual("").await;
    service.vault.refuse("backup.export_started", Code::PermissionDenied);
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    assert_status(&failure(stream).await, Code::Internal, "VAULT_REFUSED");
    let vault = service.vault.clone();
    service.stop().await.unwrap();
    assert!(vault.events().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_away_is_said_so() {
    let folder = database::folder().await;
    let mut vault = FakeVault::start().await;
    // Nothing listens on port 1.
    vault.url = "http://127.0.0.1:1".to_owned();
    let service = Service::start(folder, vault, "", LOGS).await;
    let status = service.client().export_backup(plain()).await.unwrap_err();
    assert_status(&status, Code::Unavailable, "VAULT_UNAVAILABLE");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_breaks_off_is_no_whole_source() {
    let service = Service::usual("").await;
    service.vault.be_hasty();
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    assert_status(&failure(stream).await, Code::Internal, "SOURCE_PROTOCOL");
    assert_ended(&service.end_event().await, AuditOutcome::Failed, "SOURCE_PROTOCOL");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_or_database_that_vanished_is_named() {
    let service = Service::usual("").await;
    let mut client = service.client();
    receive(client.export_backup(plain()).await.unwrap().into_inner()).await.unwrap();
    database::run(service.folder.path(), "DROP TABLE logs").await;
    let request = ExportBackupRequest { include: vec!["logs".into()], ..plain() };
    let status = failure(client.export_backup(request).await.unwrap().into_inner()).await;
    assert_status(&status, Code::FailedPrecondition, "TABLE_MISSING");
    assert!(status.message().contains("\"logs\""), "{}", status.message());

    std::fs::remove_file(service.folder.path().join("gateway.db")).unwrap();
    let status = failure(client.export_backup(plain()).await.unwrap().into_inner()).await;
    assert_status(&status, Code::FailedPrecondition, "DATABASE_MISSING");
}

/// The vault ends a stream that the service does not read, and opening a database can take minutes.
#[tokio::test(flavor = "multi_thread")]
async fn the_vault_s_snapshot_is_begun_when_the_databases_are_open() {
    let service = Service::usual("").await;
    let mut client = service.client();
    receive(client.export_backup(plain()).await.unwrap().into_inner()).await.unwrap();
    assert_eq!(service.vault.snapshots(), 1);
    // Opening this database takes a while, because a computed column is read through; then a table is missing.
    database::run(
        service.folder.path(),
        "CREATE TABLE slow (id INTEGER);
         INSERT INTO slow WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n;
         ALTER TABLE slow ADD COLUMN length AS (length(replace(hex(zeroblob(50000 + id)), '0', 'ab')));
         DROP TABLE logs",
    )
    .await;
    let request = ExportBackupRequest { include: vec!["logs".into()], ..plain() };
    let status = failure(client.export_backup(request).await.unwrap().into_inner()).await;
    assert_status(&status, Code::FailedPrecondition, "TABLE_MISSING");
    assert_eq!(service.vault.snapshots(), 1, "nobody would have read it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_ends_its_exports() {
    let folder = database::large_folder().await;
    let service = Service::start(folder, FakeVault::start().await, "", LOGS).await;
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    service.vault.wait_for("backup.export_started").await;
    let vault = service.vault.clone();
    // Running calls have 20 s to finish.
    service.stop().await.unwrap();
    let event = vault.wait_for("backup.exported").await;
    assert_ended(&event, AuditOutcome::Failed, "SHUTTING_DOWN");
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_to_be_running_is_closed_at_start() {
    let service = Service::usual("").await;
    let closing = service.vault.first_closing().await;
    assert_eq!(closing.instance, "");
    assert_eq!(closing.started_event, "backup.export_started");
    assert_eq!(closing.ended_event, "backup.exported");
    assert!(closing.started_before.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_do_not_fit_keep_the_service_from_starting() {
    for (source, expected) in [
        (
            LOGS.replace("['logs']", "['logs', 'users']"),
            "has no column \"users.at\", which its optional group \"logs\" names as time_column",
        ),
        (
            "encrypted_columns = [{ column = 'users.bearer', key = 'k', aad = 'a' }]".to_owned(),
            "has no column \"users.bearer\"",
        ),
    ] {
        let service = Service::start(database::folder().await, FakeVault::start().await, "", &source).await;
        let message = service.refusal().await;
        assert!(message.contains(expected), "{message}");
    }
}

/// A restore or a migration can create the table later.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_table_of_an_optional_group_keeps_no_service_from_starting() {
    let source = LOGS.replace("['logs']", "['nothing']");
    let service = Service::start(database::folder().await, FakeVault::start().await, "", &source).await;
    let mut client = service.client();
    let without = client.export_backup(plain()).await;
    assert!(without.is_ok(), "{without:?}");
    let group = ExportBackupRequest { include: vec!["logs".into()], ..plain() };
    let status = match client.export_backup(group).await {
        Ok(stream) => failure(stream.into_inner()).await,
        Err(status) => status,
    };
    assert!(status.message().contains("has no table \"nothing\""), "{}", status.message());
}
