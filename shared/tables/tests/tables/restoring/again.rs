//! Continuing after a crash: the stage of a dead process is discarded, and staged again under the same id.

use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Purpose, Refusal, RestoreState, Stage, Wanted};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{GRANTED, Owned, servers};
use crate::restoring::restore::{ID, LIMITS, restore, roll_back, staged, target};

const MADE: &str = "
    CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t);
    INSERT INTO t VALUES (1, 'a'), (2, 'b'); INSERT INTO u VALUES (1, 1), (2, 2);";
const MODES: [(Mode, &str); 3] = [
    (Mode::IntoEmpty, "DELETE FROM u; DELETE FROM t"),
    (Mode::Merge, "DELETE FROM u WHERE id = 1; INSERT INTO t VALUES (9, 'x')"),
    (Mode::Replace, "UPDATE t SET v = 'x'; DELETE FROM u; INSERT INTO u VALUES (3, 2)"),
];

async fn kept(url: &str, archive: &Archive, wanted: &Wanted) -> Result<Stage, Error> {
    let mut stage = staged(url, archive, wanted, &Purpose::Restore(ID.to_owned())).await?;
    stage.keep().await?;
    Ok(stage)
}

async fn is_other_restore(url: &str, archive: &Archive, wanted: &Wanted) {
    let Err(Error::Refused { refusals, .. }) = kept(url, archive, wanted).await else { panic!() };
    assert_eq!(refusals, [Refusal::OtherRestore { id: ID.to_owned() }]);
}

#[tokio::test]
async fn a_kept_stage_is_discarded_and_staged_again() {
    for (server, name) in servers() {
        for (mode, changes) in MODES {
            let Some(database) = Owned::create(server, &format!("again_{name}")).await else { return };
            database.run(MADE).await;
            let archive = Archive::of(&database.url).await;
            database.run(changes).await;
            let before = Archive::of(&database.url).await.content();
            let (url, wanted) = (&database.url, archive.wanted(mode));
            kept(url, &archive, &wanted).await.unwrap().close().await;
            let mut target = target(url).await;
            for _ in 0..2 {
                assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Staged), "{mode:?}");
                is_other_restore(url, &archive, &wanted).await;
                target.end_sessions(ID).await.unwrap();
                assert!(target.discard(ID, RestoreState::Staged).await.unwrap());
                assert_eq!(target.state_of(ID).await.unwrap(), None);
                assert_eq!(Archive::of(url).await.content(), before);
                kept(url, &archive, &wanted).await.unwrap().close().await;
            }
            assert!(target.discard(ID, RestoreState::Staged).await.unwrap());
            kept(url, &archive, &wanted).await.unwrap().swap(&LIMITS).await.unwrap();
            // An applied restore is neither staged again nor discarded as if it were not applied.
            if mode == Mode::IntoEmpty {
                database.run(changes).await;
            }
            let now = Archive::of(url).await.content();
            is_other_restore(url, &archive, &wanted).await;
            assert!(!target.discard(ID, RestoreState::Staged).await.unwrap());
            assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Applied));
            assert_eq!(Archive::of(url).await.content(), now);
            roll_back(url, ID, mode == Mode::IntoEmpty).await.unwrap();
            assert_eq!(Archive::of(url).await.content(), before, "{mode:?}");
            target.close().await;
            database.drop().await;
        }
    }
}

/// A process that was only suspended has staged under the same id. The tables of both processes have the same names, and the
/// tables of its successor have no rows yet.
#[tokio::test]
async fn what_was_staged_before_is_not_applied() {
    for (mode, changes) in &MODES[1..] {
        let Some(database) = Owned::create(GRANTED, "suspended").await else { return };
        database.run(MADE).await;
        let archive = Archive::of(&database.url).await;
        database.run(changes).await;
        let before = Archive::of(&database.url).await.content();
        let (url, wanted) = (&database.url, archive.wanted(*mode));
        let suspended = kept(url, &archive, &wanted).await.unwrap();
        let mut heir = target(url).await;
        heir.end_sessions(ID).await.unwrap();
        assert!(heir.discard(ID, RestoreState::Staged).await.unwrap());
        let found = heir.inspect(&wanted).await.unwrap();
        let purpose = Purpose::Restore(ID.to_owned());
        let heir = heir.stage(&wanted, &found.fingerprint, &purpose).await.unwrap();
        let error = suspended.swap(&LIMITS).await.unwrap_err();
        assert!(matches!(error, Error::NotApplied { .. }), "{error}");
        assert_eq!(Archive::of(url).await.content(), before);
        heir.close().await;
        assert!(target(url).await.discard(ID, RestoreState::Staged).await.unwrap());
        restore(url, &archive, &wanted).await.unwrap();
        roll_back(url, ID, false).await.unwrap();
        assert_eq!(Archive::of(url).await.content(), before);
        database.drop().await;
    }
}
