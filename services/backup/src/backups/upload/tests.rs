//! Uploads with too many parts, and the memory that uploads take.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use strongroom_testkit::s3::{BUCKET, Effect, Fault, KEYS};
use strongroom_testkit::{S3, TestDb, write_private};
use tempfile::TempDir;

use super::super::destinations::Destinations;
use super::*;
use crate::config::DestinationConfig;
use crate::store::{BackupRow, BackupState, CopyState, ProcessRow, StoredBackup, open};

const KEY: &str = "app-20261129T010203Z-0190.zip.age";

/// An upload of a backup `b`, with its dependencies.
struct Fixture {
    upload: Upload,
    destinations: Destinations,
    folder: TempDir,
    _s3: Vec<S3>,
    _database: TestDb,
}

impl Fixture {
    /// Uploads to so many slow S3 services, or to a folder if there are none, in parts of so many bytes.
    async fn create(buckets: usize, part: u64) -> Self {
        let (folder, database) = (tempfile::tempdir().unwrap(), TestDb::sqlite());
        let (mut s3, mut configs) = (Vec::new(), Vec::new());
        for at in 0..buckets {
            let service = S3::start().await;
            // Each has a pace of its own.
            service.fail(Fault::always(Effect::Wait(Duration::from_millis(5 + 10 * at as u64))));
            configs.push(bucket(at, &service, folder.path()));
            s3.push(service);
        }
        if buckets == 0 {
            let url = format!("file://{}", folder.path().display());
            configs.push(config(serde_json::json!({ "name": "near", "url": url })));
        }
        let destinations = Destinations::create(&configs).unwrap();
        let store = open(&database.url()).await.unwrap();
        let operation = operation();
        let copies: Vec<CopyRow> = configs.iter().map(|config| copy(&config.name)).collect();
        let process = ProcessRow {
            id: operation.owner.clone(),
            host: "here".into(),
            beat: 0,
            start_time: 0,
            heir: String::new(),
        };
        store.register_process(&process).await.unwrap();
        let backup = StoredBackup { row: row(), copies: copies.clone() };
        assert!(store.create_backup(&backup, &operation).await.unwrap());
        let places = destinations.all().iter().cloned().zip(copies);
        let places = places.map(|(destination, copy)| Place { destination, copy }).collect();
        let upload = Upload::create(store, operation, PartSize::of(part), places);
        Self { upload, destinations, folder, _s3: s3, _database: database }
    }

    async fn send(&self, data: Bytes) -> Result<()> {
        self.upload.chunk(export::Chunk { number: 0, offset: 0, data }).await
    }
}

fn config(json: serde_json::Value) -> DestinationConfig {
    serde_json::from_value(json).unwrap()
}

fn bucket(at: usize, s3: &S3, folder: &std::path::Path) -> DestinationConfig {
    let file = folder.join(format!("credentials-{at}"));
    write_private(&file, S3::credentials(KEYS));
    config(serde_json::json!({
        "name": format!("bucket-{at}"),
        "url": format!("s3://{BUCKET}/prefix"),
        "endpoint": s3.endpoint(),
        "path_style": true,
        "credentials_file": file,
    }))
}

fn operation() -> OperationRow {
    OperationRow {
        id: "b".into(),
        kind: "create".into(),
        owner: "p".into(),
        fence: 1,
        delegation: Vec::new(),
        target: "b.zip".into(),
        trace_id: String::new(),
        start_time: 0,
    }
}

fn row() -> BackupRow {
    BackupRow {
        id: "b".into(),
        file_name: "b.zip".into(),
        state: BackupState::Creating,
        creator: "token:a".into(),
        request: None,
        create_time: 0,
        end_time: None,
        reason: String::new(),
        problem: String::new(),
        selection: "{}".into(),
        content: String::new(),
        hold: false,
        delete_time: None,
        purge_time: None,
        verify_time: None,
        verification: String::new(),
        progress: String::new(),
        revision: 1,
        record_revision: 1,
        schedule: None,
        due_time: None,
    }
}

fn copy(destination: &str) -> CopyRow {
    CopyRow {
        backup_id: "b".into(),
        destination: destination.into(),
        position: 0,
        key: KEY.into(),
        state: CopyState::Uploading,
        reason: String::new(),
        problem: String::new(),
        upload_id: String::new(),
        etag: String::new(),
        recorded: 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_as_many_parts_as_there_may_be_is_stored_and_one_byte_more_is_refused() {
    let whole = Fixture::create(0, 16).await;
    whole.upload.begin().await.unwrap();
    for _ in 0..10_000 {
        whole.send(Bytes::from_static(&[7; 16])).await.unwrap();
    }
    let uploaded = whole.upload.finish().await.unwrap().remove(0);
    assert_eq!(uploaded.ended.unwrap().size, 160_000);

    let longer = Fixture::create(0, 16).await;
    longer.upload.begin().await.unwrap();
    for _ in 0..10_000 {
        longer.send(Bytes::from_static(&[7; 16])).await.unwrap();
    }
    longer.send(Bytes::from_static(&[7])).await.unwrap();
    let error = longer.upload.finish().await.err().unwrap();
    assert_eq!(error.reason(), "ARCHIVE_OUTGREW_ESTIMATE");
    assert!(error.to_string().contains("make the backup again"), "{error}");
    let destination = &longer.destinations.all()[0];
    assert_eq!(destination.head(KEY).await.unwrap(), None, "never a short object");
    let stored = longer.upload.store.backup("b").await.unwrap().unwrap();
    destination.abort(KEY, &stored.copies[0].upload_id).await.unwrap();
    assert_eq!(std::fs::read_dir(longer.folder.path()).unwrap().count(), 0);
}

/// Counts the pieces that are still held.
struct Counted(Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &[7; 1024]
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Maximum number of pieces held at once, with eight pieces per part.
async fn most_pieces(buckets: usize) -> usize {
    let fixture = Fixture::create(buckets, 8 * 1024).await;
    fixture.upload.begin().await.unwrap();
    let (live, mut most) = (Arc::new(AtomicUsize::new(0)), 0);
    for _ in 0..8 * 20 {
        live.fetch_add(1, Ordering::SeqCst);
        fixture.send(Bytes::from_owner(Counted(Arc::clone(&live)))).await.unwrap();
        most = most.max(live.load(Ordering::SeqCst));
    }
    // S3 does not complete an upload of such small parts.
    drop(fixture);
    while live.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn three_destinations_take_no_more_memory_than_one() {
    let (one, three) = (most_pieces(1).await, most_pieces(3).await);
    assert!(one > 8, "{one}: the server is slow, and parts wait");
    for most in [one, three] {
        assert!(most <= 3 * 8, "{most} pieces are more than three parts");
    }
}
