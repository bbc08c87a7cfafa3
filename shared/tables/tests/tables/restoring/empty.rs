//! Restores into an application's empty tables.

use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Purpose, Refusal};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{GRANTED, NEWEST, Owned, PLAIN, Server, servers};
use crate::restoring::restore::{ID, LIMITS, discard, restore, roll_back, staged, target, tried};

const ODD: &str = include_str!("../fixtures/odd.postgres.sql");

#[tokio::test]
async fn what_was_read_comes_back() {
    for (server, name) in [(PLAIN, "plain"), (GRANTED, "granted")] {
        comes_back(server, name).await;
    }
}

#[tokio::test]
async fn what_was_read_comes_back_on_the_newest_server() {
    comes_back(NEWEST, "newest").await;
}

async fn comes_back(server: Server, name: &str) {
    let Some(old) = Owned::create(server, &format!("empty_{name}_old")).await else { return };
    let new = Owned::create(server, &format!("empty_{name}_new")).await.unwrap();
    old.run(ODD).await;
    old.run("SELECT lo_from_bytea(4711, decode(repeat('00ff5c', 100000), 'hex')); SELECT lo_create(4712)")
        .await;
    new.run(ODD).await;
    new.run(EMPTIED).await;
    let before = if server.variable == NEWEST.variable { None } else { Some(new.dumped()) };

    let archive = Archive::of(&old.url).await;
    let swapped = restore(&new.url, &archive, &archive.wanted(Mode::IntoEmpty)).await.unwrap();
    let created: Vec<u64> = swapped.tables.iter().map(|table| table.created).collect();
    let expected: Vec<u64> = archive.tables.iter().map(|table| table.rows.len() as u64).collect();
    assert_eq!(created, expected);

    let again = Archive::of(&new.url).await;
    assert_eq!(again.content(), archive.content());
    assert_eq!(again.large_objects, archive.large_objects);
    if let Some(before) = before {
        assert_eq!(new.dumped(), before);
    }
    for _ in 0..3 {
        new.run("INSERT INTO children (self) VALUES (NULL)").await;
    }
    old.drop().await;
    new.drop().await;
}

/// A NOT VALID check is valid for partitions that were created after it.
#[tokio::test]
async fn checks_of_partitions_stay_as_valid_as_they_were() {
    for (server, name) in [(PLAIN, "checks"), (NEWEST, "checks_18")] {
        let Some(database) = Owned::create(server, name).await else { return };
        database
            .run(
                "CREATE TABLE t (id int, part int) PARTITION BY LIST (part);
                 CREATE TABLE old PARTITION OF t FOR VALUES IN (1);
                 INSERT INTO t VALUES (-1, 1);
                 ALTER TABLE t ADD CONSTRAINT \"more than 0\" CHECK (id > 0) NOT VALID;
                 CREATE TABLE new PARTITION OF t FOR VALUES IN (2);
                 CREATE TABLE tree PARTITION OF t DEFAULT PARTITION BY RANGE (id);
                 CREATE TABLE leaf PARTITION OF tree DEFAULT;
                 INSERT INTO t VALUES (1, 2), (2, 3)",
            )
            .await;
        let archive = Archive::of(&database.url).await;
        database.run("DELETE FROM t").await;
        let valid = "SELECT conrelid::regclass || ' ' || convalidated FROM pg_constraint WHERE contype = 'c' AND conrelid > 0 ORDER BY 1";
        let before = (database.dumped(), database.values(valid).await);
        assert_eq!(before.1, ["leaf true", "new true", "old false", "t false", "tree true"]);
        restore(&database.url, &archive, &archive.wanted(Mode::IntoEmpty)).await.unwrap();
        assert_eq!(Archive::of(&database.url).await.content(), archive.content());
        assert_eq!((database.dumped(), database.values(valid).await), before);
        database.drop().await;
    }
}

/// DELETE rather than TRUNCATE, so that sequences keep their values.
const EMPTIED: &str = "DO $$ DECLARE one text; BEGIN
    FOR one IN SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'audit', 'Odd Schema')
               ORDER BY c.relname = 'events', c.relname = 'parents', c.relname LIKE 'events%' LOOP
        EXECUTE 'DELETE FROM ' || one;
    END LOOP;
END $$";

#[tokio::test]
async fn large_objects_come_with_the_swap_and_go_with_the_rollback() {
    let Some(old) = Owned::create(PLAIN, "objects_old").await else { return };
    let new = Owned::create(PLAIN, "objects_new").await.unwrap();
    for database in [&old, &new] {
        database.run("CREATE TABLE t (id integer PRIMARY KEY, o oid)").await;
    }
    old.run("INSERT INTO t VALUES (1, 4711); SELECT lo_from_bytea(4711, decode(repeat('00ff5c', 100000), 'hex')); SELECT lo_create(4712)")
        .await;
    let archive = Archive::of(&old.url).await;
    let wanted = archive.wanted(Mode::Replace);
    assert_eq!(tried(&new.url, &archive, &wanted).await.unwrap().tables[0].created, 1);
    let mut stage = staged(&new.url, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
    stage.compare().await.unwrap();
    stage.keep().await.unwrap();
    assert_eq!(Archive::of(&new.url).await.large_objects, []);
    stage.swap(&LIMITS).await.unwrap();
    assert_eq!(Archive::of(&new.url).await.large_objects, archive.large_objects);
    let mut target = target(&new.url).await;
    target.roll_back(ID, false, LIMITS.lock).await.unwrap();
    target.close().await;
    assert_eq!(Archive::of(&new.url).await.large_objects, []);
    old.drop().await;
    new.drop().await;
}

#[tokio::test]
async fn a_large_object_stays_where_it_is_the_same_and_is_never_overwritten() {
    for (server, _) in servers() {
        let Some(database) = Owned::create(server, "same_objects").await else { return };
        let content = "decode(repeat('00ff5c', 100000), 'hex')";
        database
            .run(&format!(
                "CREATE TABLE t (id integer PRIMARY KEY, o oid); INSERT INTO t VALUES (1, 4711), (2, 4712), (3, 4713);
                 SELECT lo_from_bytea(4711, {content}); SELECT lo_create(4712); SELECT lo_from_bytea(4713, {content})"
            ))
            .await;
        let archive = Archive::of(&database.url).await;
        let wanted = archive.wanted(Mode::Replace);
        database.run("DELETE FROM t WHERE id = 3; SELECT lo_unlink(4713)").await;
        let before = Archive::of(&database.url).await;
        assert_eq!(tried(&database.url, &archive, &wanted).await.unwrap().refusals, []);
        restore(&database.url, &archive, &wanted).await.unwrap();
        assert_eq!(Archive::of(&database.url).await.large_objects, archive.large_objects);
        roll_back(&database.url, ID, false).await.unwrap();
        assert_eq!(Archive::of(&database.url).await.large_objects, before.large_objects, "the others stay");
        for (change, oid) in [
            ("SELECT lo_put(4711, 299999, '\\x00')", 4711),
            ("SELECT lo_put(4712, 0, '\\x00')", 4712),
            ("SELECT lo_put(4711, 300000, '\\x00')", 4711),
        ] {
            database.run(change).await;
            let found = tried(&database.url, &archive, &wanted).await.unwrap().refusals;
            assert!(found.contains(&Refusal::LargeObjectTaken { oid }), "{change}: {found:?}");
            let refused = restore(&database.url, &archive, &wanted).await.unwrap_err();
            assert!(refused.to_string().contains(&oid.to_string()), "{refused}");
            discard(&mut target(&database.url).await, ID).await;
        }
        database.drop().await;
    }
}

#[tokio::test]
async fn tables_that_are_not_empty_or_in_use_are_left_alone() {
    let Some(old) = Owned::create(PLAIN, "in_use_old").await else { return };
    let new = Owned::create(PLAIN, "in_use_new").await.unwrap();
    for database in [&old, &new] {
        database
            .run("CREATE TABLE a (id integer PRIMARY KEY, n integer UNIQUE); CREATE TABLE b (id integer)")
            .await;
    }
    old.run("INSERT INTO a VALUES (1, 2)").await;
    let archive = Archive::of(&old.url).await;
    let wanted = archive.wanted(Mode::IntoEmpty);
    let mut looking = target(&new.url).await;
    let fingerprint = looking.inspect(&wanted).await.unwrap().fingerprint;
    looking.close().await;

    // Another session reads.
    let mut reader = new.connect().await;
    sqlx::raw_sql("BEGIN; SELECT * FROM b").execute(&mut reader).await.unwrap();
    let began = std::time::Instant::now();
    let purpose = Purpose::Restore(ID.to_owned());
    let stage = target(&new.url).await.stage(&wanted, &fingerprint, &purpose).await;
    let Err(Error::Locked { holders, .. }) = stage else { panic!("a table in use was taken") };
    assert!(holders.contains("idle in transaction) holds AccessShareLock; "), "{holders}");
    assert!(began.elapsed().as_secs() < 12, "{:?}", began.elapsed());
    drop(reader);
    let mut discarding = target(&new.url).await;
    discard(&mut discarding, ID).await;

    // A row is inserted between the inspection and the lock.
    let mut writer = new.connect().await;
    sqlx::raw_sql("BEGIN; INSERT INTO a VALUES (7, 7)").execute(&mut writer).await.unwrap();
    let waiting = target(&new.url).await;
    let (wanted_then, fingerprint_then, purpose_then) =
        (wanted.clone(), fingerprint.clone(), purpose.clone());
    let stage =
        tokio::spawn(
            async move { waiting.stage(&wanted_then, &fingerprint_then, &purpose_then).await.map(drop) },
        );
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    let error = stage.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("table a is not empty"), "{error}");
    discard(&mut discarding, ID).await;
    new.run("DELETE FROM a").await;

    // A row was inserted before the inspection.
    new.run("INSERT INTO a VALUES (7, 7)").await;
    let before = new.dumped();
    let stage = discarding.stage(&wanted, &fingerprint, &purpose).await;
    let Err(error) = stage else { panic!("a table with a row was taken for an empty one") };
    assert!(error.to_string().contains("table a is not empty"), "{error}");
    assert_eq!(new.dumped(), before);
    old.drop().await;
    new.drop().await;
}
