//! An exported and restored database is exported again, and every table has the same rows.

use std::path::Path;

use strongroom_tables::load::{Mode, RestoreState};

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::restore::{compare, discard, inspect, restore, target};
use crate::restoring_sqlite::{ID, database, files, intact, run, schema};

const ODD: &str = include_str!("../fixtures/odd.sqlite.sql");

/// Restores into a database in which the tables do not exist.
async fn into_created(path: &Path, archive: &Archive) {
    let mut wanted = archive.wanted(Mode::IntoEmpty);
    wanted.create_tables = true;
    let found = inspect(path, &wanted).await;
    assert_eq!(found.refusals, []);
    assert_eq!(found.creates.len(), archive.tables.len());
    let trial = compare(path, archive, &wanted).await.unwrap();
    let swapped = restore(path, archive, &wanted, ID).await.unwrap();
    for (at, (_, rows)) in archive.tables.iter().enumerate() {
        assert_eq!(trial.tables[at].created, rows.len() as u64);
        assert_eq!(swapped.tables[at].created, rows.len() as u64);
    }
}

#[tokio::test]
async fn odd_values_come_back_into_created_tables() {
    for encoding in ["UTF-8", "UTF-16le"] {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
        let mut app = database(&old, &format!("PRAGMA encoding = '{encoding}'; {ODD}")).await;
        run(&mut app, "PRAGMA user_version = 7; PRAGMA application_id = 9").await;
        let archive = export(&old).await;
        database(&new, &format!("PRAGMA encoding = '{encoding}'; CREATE TABLE gone (a); DROP TABLE gone"))
            .await;
        into_created(&new, &archive).await;
        let again = export(&new).await;
        again.equals(&archive);
        for ((one, rows), (other, expected)) in again.tables.iter().zip(&archive.tables) {
            assert_eq!(one, other);
            assert_eq!(
                rows.first().map(|row| &row[..row.len().min(200)]),
                expected.first().map(|row| &row[..row.len().min(200)]),
                "{}",
                one.name
            );
            assert!(rows == expected, "order of {}", one.name);
        }
        assert_eq!(again.views, archive.views);
        assert_eq!(again.record.sequences, archive.record.sequences);
        assert_eq!((again.record.user_version, again.record.application_id), (Some(7), Some(9)));
        discard(&new, ID).await;
        let mut new = database(&new, "").await;
        let ours: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE name LIKE '%strongroom%'")
                .fetch_all(&mut new)
                .await
                .unwrap();
        assert!(ours.is_empty(), "{ours:?}");
        drop(new);
        assert!(!files(folder.path()).iter().any(|name| name.contains("strongroom")));
    }
}

#[tokio::test]
async fn odd_values_come_back_into_a_changed_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    database(&old, ODD).await;
    let archive = export(&old).await;
    let mut app = database(&new, ODD).await;
    let changes = "
        UPDATE \"values\" SET i = 7, t = 'changed' WHERE id % 2; DELETE FROM \"values\" WHERE id % 3 = 0;
        INSERT INTO \"values\" (id) VALUES (77);
        UPDATE \"values\" SET untyped = CAST(untyped AS TEXT), b = CAST(b AS BLOB);
        DELETE FROM no_key WHERE rowid = 1; INSERT INTO no_key VALUES (1, 'new'), (NULL, NULL), (NULL, NULL);
        UPDATE without_rowid SET c = 7; DELETE FROM without_rowid WHERE a = 'y'; INSERT INTO without_rowid VALUES ('z', 9, 9);
        UPDATE strict_one SET a = 1 WHERE id = 1; DELETE FROM counted; INSERT INTO counted (t) VALUES ('new');
        UPDATE generated SET a = 6; DELETE FROM children; INSERT INTO parents VALUES (7, 'x');
        DELETE FROM duplicate_key WHERE id IS NULL; INSERT INTO duplicate_key VALUES ('2');
        UPDATE search SET body = 'other words'; INSERT INTO search VALUES ('more');";
    run(&mut app, changes).await;
    let before = schema(&mut app).await;
    let changed = export(&new).await;
    let wanted = archive.wanted(Mode::Replace);
    assert_eq!(inspect(&new, &wanted).await.refusals, []);
    let trial = compare(&new, &archive, &wanted).await.unwrap();
    assert_eq!(trial.refusals, []);
    export(&new).await.equals(&changed);
    let swapped = restore(&new, &archive, &wanted, ID).await.unwrap();
    for (one, other) in trial.tables.iter().zip(&swapped.tables) {
        assert_eq!(
            (one.created, one.changed, one.deleted, one.kept),
            (other.created, other.changed, other.deleted, other.kept)
        );
    }
    export(&new).await.equals(&archive);
    assert_eq!(schema(&mut app).await, before);
    let found: Vec<String> = sqlx::query_scalar("SELECT body FROM search WHERE search MATCH 'find'")
        .fetch_all(&mut app)
        .await
        .unwrap();
    assert_eq!(found, ["words to find"]);
    run(&mut app, "INSERT INTO search (search) VALUES ('integrity-check')").await;
    intact(&mut app).await;

    let mut target = target(&new).await;
    assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Applied));
    target.roll_back(ID, false, std::time::Duration::from_secs(1)).await.unwrap();
    assert_eq!(target.state_of(ID).await.unwrap(), None);
    target.close().await;
    export(&new).await.equals(&changed);
    assert_eq!(schema(&mut app).await, before);
}
