//! Successful exports: the archive's content, the messages on the wire and the audit log.

use std::io::{Cursor, Read as _};

use crate::support::vault::{KID, ROOT_KEY_ID};
use crate::support::{FakeVault, Received, Service, database, plain, receive};
use sha2::{Digest as _, Sha256};
use strongroom_api::backup::v1::{ExportBackupRequest, ListSourcesRequest};
use strongroom_api::vault::v1::AuditOutcome;
use strongroom_archive::manifest::{CANARY_ENTRY, RING_ENTRY, Snapshot};
use strongroom_archive::{ArchiveReader, Limits, Manifest, verify};

fn reader(received: &Received) -> ArchiveReader<Cursor<Vec<u8>>> {
    ArchiveReader::open(Cursor::new(received.file.clone()), Limits::V1).unwrap()
}

fn tables(manifest: &Manifest) -> Vec<(&str, u64)> {
    manifest.tables.iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_needs_is_pinned_before_and_narrowed_after() {
    let service = Service::usual("").await;
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    let received = receive(stream).await.unwrap();
    let steps = ["pin", "pin", "narrow"].map(|step| (step, received.header.archive_id.clone()));
    assert_eq!(service.vault.pin_steps(), steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_and_is_recorded() {
    let service = Service::usual("").await;
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    let received = receive(stream).await.unwrap();

    let (header, trailer) = (&received.header, &received.trailer);
    assert!(header.file_name.starts_with("prompt-gate-backup-2"), "{}", header.file_name);
    assert_eq!(trailer.archive_id, header.archive_id);
    assert_eq!((trailer.size_bytes, trailer.chunks), (received.file.len() as i64, received.chunks));
    assert_eq!(trailer.sha256, hex::encode(Sha256::digest(&received.file)));
    assert_eq!((trailer.tables, trailer.rows), (3, 5));
    assert_eq!(received.progress.last(), Some(&("users".to_owned(), 5)));

    let mut reader = reader(&received);
    verify(&mut reader, &mut |_| {}).unwrap();
    assert_eq!(reader.manifest().deployment_id.as_deref(), Some("deployment-1"));
    let mut canary = String::new();
    reader.entry(CANARY_ENTRY).unwrap().read_to_string(&mut canary).unwrap();
    assert_eq!(canary.trim_end().len(), 64);
    let users = reader.entries().iter().find(|entry| entry.name == "tables/users.json").unwrap();
    assert_eq!((users.source.as_deref(), users.own_table.as_deref()), (Some("gateway"), Some("users")));
    let mut ring = String::new();
    reader.entry(RING_ENTRY).unwrap().read_to_string(&mut ring).unwrap();
    let ring: serde_json::Value = serde_json::from_str(&ring).unwrap();
    assert_eq!(ring["root_key_id"], ROOT_KEY_ID);
    assert_eq!(ring["kids"], serde_json::json!([KID]), "the versions that its values need");

    let manifest = reader.manifest();
    assert_eq!(tables(manifest), [("credentials", 2), ("empty", 0), ("users", 3)]);
    assert_eq!(manifest.archive_id, header.archive_id);
    assert_eq!(manifest.root_key_id.as_deref(), Some(ROOT_KEY_ID));
    assert_eq!(manifest.kids, [KID]);
    assert_eq!(manifest.audit_head.as_ref().unwrap().sequence, 1);
    assert_eq!(manifest.partial, None);
    let sources: Vec<_> =
        manifest.sources.iter().map(|source| (source.name.as_str(), source.snapshot)).collect();
    assert_eq!(sources, [("vault", Snapshot::ReadTransaction), ("gateway", Snapshot::ReadTransaction)]);

    let events = service.vault.events();
    let names: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names, ["backup.export_started", "backup.exported"]);
    for event in &events {
        assert!(event.actor.starts_with("token:"));
        assert_eq!((&event.target, &event.operation_id), (&header.file_name, &header.archive_id));
        assert_eq!(event.metadata["options"], r#"{"include_logs":false,"include_audit":false}"#);
        assert_eq!(event.outcome, i32::from(AuditOutcome::Success));
    }
    assert!(events[0].metadata["instance"].len() > 30, "the process: {:?}", events[0].metadata);
    assert_eq!(events[1].metadata["size_bytes"], received.file.len().to_string());
    assert_eq!(events[1].metadata["sha256"], format!("{:?}", trailer.sha256));
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_chunks_make_one_file() {
    let folder = database::large_folder().await;
    let service = Service::start(folder, FakeVault::start().await, "", "").await;
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    let received = receive(stream).await.unwrap();
    assert!(received.chunks > 10, "{}", received.chunks);
    verify(&mut reader(&received), &mut |_| {}).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_tables_and_times_are_chosen() {
    let service = Service::usual("").await;
    let mut client = service.client();
    let since = Some(prost_types::Timestamp { seconds: 1_767_225_600, nanos: 0 });
    let request = ExportBackupRequest { include: vec!["audit".into(), "logs".into()], since, ..plain() };
    let received = receive(client.export_backup(request).await.unwrap().into_inner()).await.unwrap();
    let archive = reader(&received);
    let manifest = archive.manifest();
    let expected = [("credentials", 2), ("audit_logs", 1), ("empty", 0), ("logs", 1), ("users", 3)];
    assert_eq!(tables(manifest), expected);
    assert_eq!(manifest.options.get("include_logs"), Some(true));
    assert_eq!(manifest.partial, None);
    let limited = manifest.entries.iter().filter(|entry| entry.since.is_some());
    let limited: Vec<_> =
        limited.map(|entry| (entry.table.as_deref().unwrap(), entry.since.unwrap().to_string())).collect();
    assert_eq!(limited, [("logs", "2026-01-01T00:00:00Z".to_owned())]);

    let request = ExportBackupRequest { tables: vec!["users".into()], ..plain() };
    let received = receive(client.export_backup(request).await.unwrap().into_inner()).await.unwrap();
    let archive = reader(&received);
    assert_eq!(tables(archive.manifest()), [("users", 3)]);
    assert_eq!(archive.manifest().partial.as_ref().unwrap().tables, ["users"]);
    assert_eq!(archive.manifest().sources.len(), 1, "the vault is not opened for it");
    assert_eq!(service.vault.introspections(), 1, "the answer about a token is kept for seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_listed_with_their_groups() {
    let service = Service::usual("").await;
    let answer = service.client().list_sources(ListSourcesRequest {}).await.unwrap().into_inner();
    let mut found = Vec::new();
    for source in &answer.sources {
        for table in &source.tables {
            found.push(format!("{}({}) {} {}", source.name, source.kind, table.name, table.group));
        }
    }
    let expected = [
        "vault(vault) credentials ",
        "vault(vault) audit_logs audit",
        "gateway(sqlite) empty ",
        "gateway(sqlite) logs logs",
        "gateway(sqlite) users ",
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_away_for_a_moment_does_not_fail_an_export() {
    let service = Service::usual("").await;
    service.vault.refuse("backup.exported", tonic::Code::Unavailable);
    let stream = service.client().export_backup(plain()).await.unwrap().into_inner();
    receive(stream).await.unwrap();
    assert_eq!(service.vault.events().len(), 2);
}
