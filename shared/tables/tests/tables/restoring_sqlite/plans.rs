//! A plan is valid only for the database for which it was made.

use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Purpose, Refusal};

use crate::restoring_sqlite::refusals::two;
use crate::restoring_sqlite::restore::{discard, inspect, restore, stage, target};
use crate::restoring_sqlite::{ID, run};

#[tokio::test]
async fn another_restore_and_a_stale_plan() {
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'); CREATE TABLE other (t REFERENCES t)";
    let (_folder, path, archive, mut app) = two(t, t).await;
    let archive = archive.only(&["t"]);
    let wanted = archive.wanted(Mode::Replace);
    let first = stage(&path, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
    let found = inspect(&path, &wanted).await;
    assert_eq!(found.refusals, [Refusal::OtherRestore { id: ID.to_owned() }]);
    first.close().await;
    discard(&path, ID).await;

    let planned = inspect(&path, &wanted).await;
    assert_eq!(planned.refusals, []);
    let mut number = 0;
    for change in [
        "ALTER TABLE t ADD COLUMN more",
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE INDEX i ON t (v)",
        "CREATE VIEW w AS SELECT * FROM \"t\"",
        "CREATE TABLE third (id INTEGER REFERENCES T)",
        "CREATE TRIGGER elsewhere AFTER INSERT ON other BEGIN DELETE FROM t; END",
        "DROP TABLE t",
    ] {
        number += 1;
        let before = inspect(&path, &wanted).await.fingerprint;
        let id = format!("01900000-0000-7000-8000-00000000010{number}");
        let staged = stage(&path, &archive, &wanted, &Purpose::Restore(id.clone())).await.unwrap();
        run(&mut app, change).await;
        assert_ne!(inspect(&path, &wanted).await.fingerprint, before, "{change}");
        let error = staged.swap(&crate::restoring_sqlite::restore::LIMITS).await.unwrap_err();
        assert!(matches!(error, Error::Stale { .. }), "{change}: {error}");
        discard(&path, &id).await;
        let error = target(&path).await.stage(&wanted, &planned.fingerprint, &Purpose::Trial).await;
        assert!(matches!(error, Err(Error::Stale { .. })), "{change}");
    }
    let files = crate::restoring_sqlite::files(path.parent().unwrap());
    assert!(!files.iter().any(|name| name.contains("strongroom")), "{files:?}");
}

#[tokio::test]
async fn what_does_not_matter_makes_no_plan_stale() {
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')";
    let (_folder, path, archive, mut app) = two(t, t).await;
    let wanted = archive.wanted(Mode::Replace);
    let planned = inspect(&path, &wanted).await;
    run(&mut app, "CREATE TABLE u (a); INSERT INTO t VALUES (2, 'b'); CREATE VIEW w AS SELECT * FROM u; ANALYZE; VACUUM").await;
    restore(&path, &archive, &wanted, ID).await.unwrap();
    assert_eq!(inspect(&path, &wanted).await.fingerprint, planned.fingerprint);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_of_two_restores_stages() {
    let t = "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a')";
    let (_folder, path, archive, _) = two(t, t).await;
    let wanted = archive.wanted(Mode::Replace);
    for round in 0..20 {
        let ids = [1, 2].map(|number| format!("01900000-0000-7000-8000-0000000{round:02}00{number}"));
        let staging = |id: &String| {
            let (path, archive, wanted) = (path.clone(), archive.clone(), wanted.clone());
            let purpose = Purpose::Restore(id.clone());
            tokio::spawn(async move {
                let staged = stage(&path, &archive, &wanted, &purpose).await;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                match staged {
                    Ok(stage) => stage.close().await,
                    Err(error) => return Some(error),
                }
                None
            })
        };
        let [one, other] = ids.each_ref().map(staging);
        let found: Vec<Error> = [one.await.unwrap(), other.await.unwrap()].into_iter().flatten().collect();
        let is_refused = matches!(&found[..], [Error::Refused { refusals, .. }]
            if matches!(refusals[..], [Refusal::OtherRestore { .. }]));
        assert!(is_refused, "{found:?}");
        let mut states = Vec::new();
        for id in &ids {
            let mut target = target(&path).await;
            states.push(target.state_of(id).await.unwrap());
            target.close().await;
            discard(&path, id).await;
        }
        assert_eq!(states.iter().flatten().count(), 1);
    }
}

#[tokio::test]
async fn a_rehearsal_finds_what_the_swap_of_a_merge_would_find_and_leaves_nothing() {
    let table = |more: &str| format!("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT{more});");
    let rows = "INSERT INTO t VALUES (1, 'a'), (2, 'b')";
    for (constraint, other, is_refused) in [
        ("", "x", false),
        (" UNIQUE", "x", false),
        (" UNIQUE", "b", true),
        (" CHECK (v <> 'b')", "x", true),
        (" COLLATE NOCASE UNIQUE", "B", true),
    ] {
        let live = format!("{} INSERT INTO t VALUES (7, '{other}')", table(constraint));
        let (_folder, path, archive, mut app) = two(&format!("{}{rows}", table("")), &live).await;
        let wanted = archive.wanted(Mode::Merge);
        let mut trial = stage(&path, &archive, &wanted, &Purpose::Trial).await.unwrap();
        assert!(trial.compare().await.unwrap().refusals.is_empty(), "{constraint}");
        let rehearsed = trial.rehearse(&crate::restoring_sqlite::restore::LIMITS).await;
        trial.close().await;
        assert_eq!(
            matches!(rehearsed, Err(Error::Constraint { .. })),
            is_refused,
            "{constraint} {rehearsed:?}"
        );
        let left: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_schema UNION ALL SELECT CAST(id AS TEXT) FROM t")
                .fetch_all(&mut app)
                .await
                .unwrap();
        assert!(left.iter().all(|name| !name.contains("strongroom")), "{left:?}");
        assert!(!left.contains(&"1".to_owned()), "{left:?}");
        let restored = restore(&path, &archive, &wanted, ID).await;
        assert_eq!(restored.is_err(), is_refused, "{constraint} {restored:?}");
    }
}
