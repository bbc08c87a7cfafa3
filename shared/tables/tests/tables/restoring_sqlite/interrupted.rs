//! Interrupted restores: the rows are the old ones, the database records its state, and discarding leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use strongroom_tables::load::{Mode, Purpose, RestoreState};
use tokio::sync::mpsc;

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::restore::{discard, inspect, load, restore, stage, target};
use crate::restoring_sqlite::{ID, connect, database, files, intact, run, schema};

const SQL: &str = "
    CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE b (id TEXT PRIMARY KEY NOT NULL, v);
    CREATE INDEX i ON a (v); CREATE TRIGGER tr AFTER INSERT ON a BEGIN SELECT 1; END;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO a SELECT i, hex(randomblob(20)) FROM n;
    INSERT INTO b SELECT id, v FROM a;";
const CHANGES: &str = "UPDATE a SET v = 'changed' WHERE id % 3 = 0; DELETE FROM b WHERE rowid % 2 = 0; INSERT INTO a (v) VALUES ('x')";

async fn app(folder: &Path) -> (PathBuf, Archive, Archive) {
    let path = folder.join("app.db");
    let mut app = database(&path, SQL).await;
    let archive = export(&path).await;
    run(&mut app, CHANGES).await;
    (path.clone(), archive, export(&path).await)
}

async fn state(path: &Path) -> Option<RestoreState> {
    let mut target = target(path).await;
    let state = target.state_of(ID).await.unwrap();
    target.close().await;
    state
}

/// Nothing of ours remains, and a new restore works.
async fn works_again(path: &Path, archive: &Archive) {
    discard(path, ID).await;
    discard(path, ID).await;
    assert_eq!(state(path).await, None);
    let files = files(path.parent().unwrap());
    assert!(!files.iter().any(|name| name.contains("strongroom")), "{files:?}");
    let mut app = connect(path).await;
    assert!(!schema_text(&mut app).await.contains("strongroom"));
    intact(&mut app).await;
    restore(path, archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
    export(path).await.equals(archive);
}

async fn schema_text(app: &mut sqlx::sqlite::SqliteConnection) -> String {
    let all: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema").fetch_all(app).await.unwrap();
    all.join(" ")
}

#[tokio::test]
async fn a_stage_that_is_dropped_is_found_and_discarded() {
    for loaded in 0..=2 {
        let folder = tempfile::tempdir().unwrap();
        let (path, archive, before) = app(folder.path()).await;
        let wanted = archive.wanted(Mode::Replace);
        let planned = inspect(&path, &wanted).await;
        let purpose = Purpose::Restore(ID.to_owned());
        let mut stage = target(&path).await.stage(&wanted, &planned.fingerprint, &purpose).await.unwrap();
        for at in 0..loaded {
            let (table, rows) = &archive.tables[at];
            load(&mut stage, at, table, rows).await.unwrap();
        }
        let (staged, mode) = file_of(folder.path());
        assert_eq!(mode, 0o600, "{staged}");
        drop(stage);
        assert_eq!(state(&path).await, Some(RestoreState::Staged));
        export(&path).await.equals(&before);
        works_again(&path, &archive).await;
    }
}

/// The stage's file and its mode.
fn file_of(folder: &Path) -> (String, u32) {
    use std::os::unix::fs::PermissionsExt;
    let staged: Vec<String> = files(folder).into_iter().filter(|name| name.contains("strongroom")).collect();
    assert_eq!(staged.len(), 1, "{staged:?}");
    assert_eq!(staged[0], format!("app.db.strongroom-{}", ID.replace('-', "")));
    let mode = std::fs::metadata(folder.join(&staged[0])).unwrap().permissions().mode();
    (staged[0].clone(), mode & 0o777)
}

#[tokio::test]
async fn only_the_file_is_enough_to_find_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let (path, archive, before) = app(folder.path()).await;
    let staged =
        stage(&path, &archive, &archive.wanted(Mode::Replace), &Purpose::Restore(ID.to_owned())).await;
    staged.unwrap().close().await;
    run(&mut connect(&path).await, "DROP TABLE _strongroom_restores").await;
    assert_eq!(state(&path).await, Some(RestoreState::Staged));
    export(&path).await.equals(&before);
    works_again(&path, &archive).await;
}

#[tokio::test]
async fn rows_without_an_end_make_no_short_table() {
    let folder = tempfile::tempdir().unwrap();
    let (path, archive, _) = app(folder.path()).await;
    let wanted = archive.wanted(Mode::Replace);
    let planned = inspect(&path, &wanted).await;
    let mut stage = target(&path).await.stage(&wanted, &planned.fingerprint, &Purpose::Trial).await.unwrap();
    let (sender, receiver) = mpsc::channel(1);
    drop(sender);
    let error = stage.load(0, receiver).await.unwrap_err();
    assert!(matches!(error, strongroom_tables::Error::Cancelled), "{error}");
}

#[tokio::test]
async fn a_load_into_empty_tables_that_is_dropped_leaves_them_empty() {
    let folder = tempfile::tempdir().unwrap();
    let (path, archive, _) = app(folder.path()).await;
    let mut app = connect(&path).await;
    run(&mut app, "DELETE FROM a; DELETE FROM b").await;
    let statements = schema(&mut app).await;
    let wanted = archive.wanted(Mode::IntoEmpty);
    let staged = stage(&path, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
    assert_eq!(state(&path).await, Some(RestoreState::Staged));
    drop(staged);
    discard(&path, ID).await;
    assert_eq!(schema(&mut app).await, statements);
    assert!(export(&path).await.tables.iter().all(|(_, rows)| rows.is_empty()));
    works_again(&path, &archive).await;
}

/// Names the database of a process that is to be killed.
const VICTIM: &str = "STRONGROOM_TEST_VICTIM";

#[tokio::test]
async fn a_process_that_is_killed_leaves_old_rows_or_new_ones() {
    if let Some(path) = std::env::var_os(VICTIM) {
        return victim(Path::new(&path)).await;
    }
    let test = "restoring_sqlite::interrupted::a_process_that_is_killed_leaves_old_rows_or_new_ones";
    let (mut staged, mut applied) = (0, 0);
    for round in 0..12_u64 {
        let folder = tempfile::tempdir().unwrap();
        let (path, archive, before) = app(folder.path()).await;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test]).env(VICTIM, &path).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        while state(&path).await.is_none() {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(round * round * 8)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        match state(&path).await {
            Some(RestoreState::Applied) => {
                applied += 1;
                let mut target = target(&path).await;
                target.roll_back(ID, false, Duration::from_secs(1)).await.unwrap();
            }
            Some(RestoreState::Staged) => staged += 1,
            None => {}
        }
        export(&path).await.equals(&before);
        works_again(&path, &archive).await;
    }
    assert!(staged > 0 && applied > 0, "{staged} staged, {applied} applied");
}

/// Restores the rows of a changed copy of the database into the database, and waits to be killed.
async fn victim(path: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    run(&mut connect(path).await, &format!("VACUUM INTO '{}'", copy.display())).await;
    run(&mut connect(&copy).await, "UPDATE a SET v = 'other'; DELETE FROM b WHERE rowid < 1000").await;
    let archive = export(&copy).await;
    restore(path, &archive, &archive.wanted(Mode::Replace), ID).await.unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_rows() {
    let script = "mount -t tmpfs -o size=8m tmpfs \"$1\"";
    let test = "restoring_sqlite::interrupted::a_full_disk_leaves_the_old_rows";
    let Some(folder) = strongroom_testkit::in_mount_namespace(test, script) else { return };
    let (path, archive, before) = app(&folder).await;
    let wanted = archive.wanted(Mode::Replace);
    let (mut full, mut room) = (0, 100 << 10);
    // A little more space is free each time, until the whole restore fits.
    loop {
        let free = rustix::fs::statvfs(&folder).unwrap();
        let free = usize::try_from(free.f_bavail * free.f_frsize).unwrap();
        std::fs::write(folder.join("ballast"), vec![0; free.saturating_sub(room)]).unwrap();
        let mut small = wanted.clone();
        small.tables.iter_mut().for_each(|table| table.rows = 0);
        let done = restore(&path, &archive, &small, ID).await;
        std::fs::remove_file(folder.join("ballast")).unwrap();
        if done.is_ok() {
            break;
        }
        full += 1;
        room += 150 << 10;
        export(&path).await.equals(&before);
        discard(&path, ID).await;
        intact(&mut connect(&path).await).await;
        assert!(!files(&folder).iter().any(|name| name.contains("strongroom")));
    }
    assert!(full > 2, "{full}");
    export(&path).await.equals(&archive);
}
