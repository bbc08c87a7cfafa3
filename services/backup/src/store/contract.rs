//! The contract of every store, run on both engines: tests of each method.
#![expect(clippy::unwrap_used, reason = "tests")]

mod backup;
mod change;
mod drill;
mod import;
mod operation;
mod process;
mod restore;
mod schedule;
mod tending;

use std::sync::Arc;

use strongroom_testkit::TestDb;

use super::{
    BackupRow, BackupState, CopyRow, CopyState, OperationRow, ProcessRow, Store, StoredBackup, open,
};

/// Number of rounds of a race, because its outcome varies.
const ROUNDS: usize = 20;

/// Stores under test with the databases behind them.
async fn stores() -> Vec<(TestDb, Arc<dyn Store>)> {
    let mut stores = Vec::new();
    for database in TestDb::each() {
        let store = open(&database.url()).await.unwrap();
        stores.push((database, store));
    }
    stores
}

fn process(id: &str) -> ProcessRow {
    ProcessRow { id: id.into(), host: format!("host of {id}"), beat: 0, start_time: 5, heir: String::new() }
}

/// Adds processes that serve.
async fn serve(store: &dyn Store, ids: &[&str]) {
    for id in ids {
        store.register_process(&process(id)).await.unwrap();
    }
}

fn operation(id: &str, owner: &str) -> OperationRow {
    OperationRow {
        id: id.into(),
        kind: "create".into(),
        owner: owner.into(),
        fence: 1,
        delegation: vec![0, 255, 7],
        target: format!("{id}.zip"),
        trace_id: "trace".into(),
        start_time: 3,
    }
}

/// A backup being made, without copies.
fn backup(id: &str, create_time: i64) -> StoredBackup {
    let row = BackupRow {
        id: id.into(),
        file_name: format!("{id}.zip"),
        state: BackupState::Creating,
        creator: "token:a".into(),
        request: None,
        create_time,
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
    };
    StoredBackup { row, copies: Vec::new() }
}

fn copy(backup_id: &str, destination: &str, position: i64) -> CopyRow {
    CopyRow {
        backup_id: backup_id.into(),
        destination: destination.into(),
        position,
        key: format!("prefix/{backup_id}.zip"),
        state: CopyState::Uploading,
        reason: String::new(),
        problem: String::new(),
        upload_id: String::new(),
        etag: String::new(),
        recorded: 0,
    }
}

/// A process `owner` with an operation that makes the backup `id`, and the backup.
async fn begin(store: &dyn Store, id: &str, owner: &str) -> (StoredBackup, OperationRow) {
    serve(store, &[owner]).await;
    let mut begun = backup(id, 10);
    begun.copies = vec![copy(id, "first", 0), copy(id, "second", 1)];
    let operation = operation(id, owner);
    assert!(store.create_backup(&begun, &operation).await.unwrap());
    (begun, operation)
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |folder: &str| {
        let path = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[tokio::test]
async fn opening_again_changes_nothing() {
    for (database, store) in stores().await {
        serve(store.as_ref(), &["a"]).await;
        let again = open(&database.url()).await.unwrap();
        assert_eq!(again.processes().await.unwrap(), [process("a")]);
    }
}
