//! Continuing after a crash: the stage of a dead process is discarded, and staged again under the same id.

use std::path::{Path, PathBuf};
use std::time::Duration;

use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Purpose, Refusal, RestoreState, Stage, Wanted};

use crate::restoring_sqlite::archive::{Archive, export};
use crate::restoring_sqlite::restore::{LIMITS, stage, target};
use crate::restoring_sqlite::{ID, database, files, run};

const SQL: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE u (id TEXT PRIMARY KEY NOT NULL, t INTEGER REFERENCES t);
    INSERT INTO t VALUES (1, 'a'), (2, 'b'); INSERT INTO u VALUES ('x', 1), ('y', 77);";
const MODES: [(Mode, &str); 3] = [
    (Mode::IntoEmpty, "DELETE FROM t; DELETE FROM u"),
    (Mode::Merge, "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (9, 'x')"),
    (Mode::Replace, "UPDATE t SET v = 'x'; DELETE FROM u; INSERT INTO u VALUES ('z', 2)"),
];

async fn app(folder: &Path, changes: &str) -> (PathBuf, Archive, Archive) {
    let path = folder.join("app.db");
    let mut app = database(&path, SQL).await;
    let archive = export(&path).await;
    run(&mut app, changes).await;
    (path.clone(), archive, export(&path).await)
}

async fn kept(path: &Path, archive: &Archive, wanted: &Wanted) -> Result<Stage, Error> {
    let mut stage = stage(path, archive, wanted, &Purpose::Restore(ID.to_owned())).await?;
    stage.keep().await?;
    Ok(stage)
}

async fn is_other_restore(path: &Path, archive: &Archive, wanted: &Wanted) {
    let Err(Error::Refused { refusals, .. }) = kept(path, archive, wanted).await else { panic!() };
    assert_eq!(refusals, [Refusal::OtherRestore { id: ID.to_owned() }]);
}

#[tokio::test]
async fn a_kept_stage_is_discarded_and_staged_again() {
    for (mode, changes) in MODES {
        let folder = tempfile::tempdir().unwrap();
        let (path, archive, before) = app(folder.path(), changes).await;
        let wanted = archive.wanted(mode);
        drop(kept(&path, &archive, &wanted).await.unwrap());
        let mut target = target(&path).await;
        for _ in 0..2 {
            assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Staged), "{mode:?}");
            is_other_restore(&path, &archive, &wanted).await;
            assert!(target.discard(ID, RestoreState::Staged).await.unwrap());
            assert_eq!(target.state_of(ID).await.unwrap(), None);
            export(&path).await.equals(&before);
            drop(kept(&path, &archive, &wanted).await.unwrap());
        }
        assert!(target.discard(ID, RestoreState::Staged).await.unwrap());
        kept(&path, &archive, &wanted).await.unwrap().swap(&LIMITS).await.unwrap();
        assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Applied));
        let after = export(&path).await;
        // An applied restore is neither staged again nor discarded as if it were not applied.
        if mode == Mode::IntoEmpty {
            run(&mut crate::restoring_sqlite::connect(&path).await, "DELETE FROM t; DELETE FROM u").await;
        }
        let now = export(&path).await;
        is_other_restore(&path, &archive, &wanted).await;
        assert!(!target.discard(ID, RestoreState::Staged).await.unwrap());
        assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Applied));
        export(&path).await.equals(&now);
        if mode != Mode::IntoEmpty {
            now.equals(&after);
        }
        target.roll_back(ID, mode == Mode::IntoEmpty, Duration::from_secs(1)).await.unwrap();
        export(&path).await.equals(&before);
        assert!(!files(folder.path()).iter().any(|name| name.contains("strongroom")));
    }
}

/// A process that was only suspended has staged under the same id.
#[tokio::test]
async fn what_was_staged_before_is_not_applied() {
    for (mode, changes) in &MODES[1..] {
        let folder = tempfile::tempdir().unwrap();
        let (path, archive, before) = app(folder.path(), changes).await;
        let wanted = archive.wanted(*mode);
        let suspended = kept(&path, &archive, &wanted).await.unwrap();
        assert!(target(&path).await.discard(ID, RestoreState::Staged).await.unwrap());
        let heir = stage(&path, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
        suspended.swap(&LIMITS).await.unwrap_err();
        export(&path).await.equals(&before);
        assert_eq!(target(&path).await.state_of(ID).await.unwrap(), Some(RestoreState::Staged));
        heir.swap(&LIMITS).await.unwrap();
        assert_eq!(target(&path).await.state_of(ID).await.unwrap(), Some(RestoreState::Applied));
        target(&path).await.roll_back(ID, false, Duration::from_secs(1)).await.unwrap();
        export(&path).await.equals(&before);
    }
}
