//! Restores that end early: their messages, and what they leave behind.

use strongroom_tables::Error;
use strongroom_tables::SnapshotOptions;
use strongroom_tables::load::{Mode, Purpose, RestoreState, TargetOptions, Wanted};
use tokio::sync::mpsc;

use crate::restoring::archive::Archive;
use crate::restoring::owned::{Owned, PLAIN};
use crate::restoring::restore::{ID, restore, staged, target, tried};

const OLD: &str = "
CREATE TABLE groups (id integer PRIMARY KEY);
CREATE TABLE t (id integer PRIMARY KEY, \"a, b\" text, n text, grp integer, v text);
";
const NEW: &str = "
CREATE TYPE mood AS ENUM ('ok');
CREATE TABLE groups (id integer PRIMARY KEY);
CREATE TABLE t (id integer PRIMARY KEY, \"a, b\" text UNIQUE, n text CHECK (n <> 'secret'), grp integer REFERENCES groups, v text);
CREATE INDEX more ON t (v);
";

/// Each row that the target rejects, with the end of the message. No message may contain the text `secret`.
#[tokio::test]
async fn rows_that_are_not_taken_are_told_by_what_they_violate() {
    let Some(old) = Owned::create(PLAIN, "refused_old").await else { return };
    let new = Owned::create(PLAIN, "refused_new").await.unwrap();
    old.run(OLD).await;
    new.run(NEW).await;
    for (row, problem) in [
        ("(2, 'secret'), (3, 'secret')", "some have the same values in the key t_a, b_key"),
        ("(2, 'x', 'secret')", "some violate the check t_n_check"),
        ("(2, 'x', 'x', 7777)", "the foreign key t_grp_fkey would reference missing rows"),
    ] {
        old.run(&format!("DELETE FROM t; INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES {row}")).await;
        let archive = Archive::of(&old.url).await;
        for mode in [Mode::IntoEmpty, Mode::Replace] {
            let before = new.dumped();
            let error = restore(&new.url, &archive, &archive.wanted(mode)).await.unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
            if mode == Mode::IntoEmpty {
                assert_eq!(
                    error,
                    format!("table t of source app does not accept the archive's rows: {problem}")
                );
            }
            assert_eq!(new.value::<i64>("SELECT count(*) FROM t").await, 0, "{mode:?}");
            discard(&new).await;
            assert_eq!(new.dumped(), before);
        }
    }
    old.drop().await;
    new.drop().await;
}

async fn discard(database: &Owned) {
    let mut target = target(&database.url).await;
    crate::restoring::restore::discard(&mut target, ID).await;
    assert_eq!(target.state_of(ID).await.unwrap(), None);
    target.close().await;
    assert_eq!(
        database.value::<i64>("SELECT count(*) FROM pg_namespace WHERE nspname = 'strongroom'").await,
        0
    );
}

#[tokio::test]
async fn rows_that_end_early_make_no_short_table() {
    let Some(old) = Owned::create(PLAIN, "early_old").await else { return };
    let new = Owned::create(PLAIN, "early_new").await.unwrap();
    old.run(OLD).await;
    old.run("INSERT INTO t SELECT n, 'x' || n FROM generate_series(1, 1000) n").await;
    new.run(NEW).await;
    let before = new.dumped();
    let archive = Archive::of(&old.url).await;
    let at = archive.tables.iter().position(|table| table.schema.name == "t").unwrap();
    for mode in [Mode::IntoEmpty, Mode::Replace] {
        let purpose = Purpose::Restore(ID.to_owned());
        let wanted = archive.wanted(mode);
        let mut target = target(&new.url).await;
        let found = target.inspect(&wanted).await.unwrap();
        let mut stage = target.stage(&wanted, &found.fingerprint, &purpose).await.unwrap();
        let mut encoder = stage.encoder(at);
        archive.table("t").each(|row| assert!(encoder.add(row).unwrap().is_none()));
        let (sender, received) = mpsc::channel(1);
        let mut chunk = encoder.finish();
        chunk.is_last = false;
        sender.send(chunk).await.unwrap();
        drop(sender);
        let ended = stage.load(at, received).await;
        assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
        stage.close().await;
        let mut target = crate::restoring::restore::target(&new.url).await;
        assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Staged));
        target.close().await;
        discard(&new).await;
        assert_eq!(new.dumped(), before);
        assert_eq!(new.value::<i64>("SELECT count(*) FROM t").await, 0);
    }
    old.drop().await;
    new.drop().await;
}

/// A trial loads everything beside the tables, in each mode, and is invisible to other sessions.
#[tokio::test]
async fn a_trial_leaves_nothing_and_locks_nobody_out() {
    let Some(old) = Owned::create(PLAIN, "trial_old").await else { return };
    let new = Owned::create(PLAIN, "trial_new").await.unwrap();
    old.run(OLD).await;
    old.run("INSERT INTO t SELECT n, 'x' || n FROM generate_series(1, 1000) n").await;
    new.run(NEW).await;
    let before = new.dumped();
    let archive = Archive::of(&old.url).await;
    for mode in [Mode::IntoEmpty, Mode::Merge, Mode::Replace] {
        let wanted = archive.wanted(mode);
        let compared = tried(&new.url, &archive, &wanted).await.unwrap();
        let created: Vec<u64> = compared.tables.iter().map(|table| table.created).collect();
        assert_eq!(created, [0, 1000], "{mode:?}");
        let stage = staged(&new.url, &archive, &wanted, &Purpose::Trial).await.unwrap();
        new.run("SET lock_timeout = '1s'; INSERT INTO t VALUES (-1, 'y'); DELETE FROM t; UPDATE groups SET id = 0").await;
        stage.close().await;
    }
    let empty = Owned::create(PLAIN, "trial_empty").await.unwrap();
    let wanted = Wanted { create_tables: true, ..archive.wanted(Mode::IntoEmpty) };
    let compared = tried(&empty.url, &archive, &wanted).await.unwrap();
    assert_eq!(compared.tables[1].created, 1000);
    assert_eq!(empty.value::<i64>("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'strongroom')").await, 0);
    assert_eq!(new.dumped(), before);
    old.drop().await;
    new.drop().await;
    empty.drop().await;
}

/// A table that is not restored can be read while rows are loaded into tables that it references or that reference it.
/// (Inserting into it has to wait: the server opens the referenced table even if nothing is referenced.)
#[tokio::test]
async fn tables_outside_stay_open_and_their_references_hold() {
    let Some(old) = Owned::create(PLAIN, "outside_old").await else { return };
    let new = Owned::create(PLAIN, "outside_new").await.unwrap();
    let tables = "
        CREATE TABLE outside (id integer PRIMARY KEY);
        CREATE TABLE t (id integer PRIMARY KEY, code text UNIQUE, other text UNIQUE, o integer REFERENCES outside DEFERRABLE INITIALLY DEFERRED);
        ALTER TABLE outside ADD t integer REFERENCES t, ADD code text REFERENCES t (code);";
    for database in [&old, &new] {
        database.run(tables).await;
        database.run("INSERT INTO outside VALUES (1), (2)").await;
    }
    old.run("INSERT INTO t SELECT n, 'c' || n, 'd' || n, 1 + n % 2 FROM generate_series(1, 100) n").await;
    let before = new.dumped();
    let archive = Archive::of(&old.url).await.only(&["t"]);
    let wanted = archive.wanted(Mode::IntoEmpty);
    let purpose = Purpose::Restore(ID.to_owned());
    let stage = staged(&new.url, &archive, &wanted, &purpose).await.unwrap();
    new.run("SET lock_timeout = '1s'; SELECT * FROM outside; DELETE FROM outside WHERE id = 3").await;
    stage.swap(&crate::restoring::restore::LIMITS).await.unwrap();
    discard(&new).await;
    assert_eq!(new.dumped(), before);
    assert_eq!(Archive::of(&new.url).await.only(&["t"]).content(), archive.content());

    new.run("DELETE FROM t; DELETE FROM outside WHERE id = 2").await;
    let error = restore(&new.url, &archive, &wanted).await.unwrap_err().to_string();
    assert!(error.ends_with("the foreign key t_o_fkey would reference missing rows"), "{error}");
    assert_eq!(new.value::<i64>("SELECT count(*) FROM t").await, 0);
    old.drop().await;
    new.drop().await;
}

/// A database that accepts arbitrary bytes as text.
#[tokio::test]
async fn text_that_is_no_text_comes_back() {
    use crate::database::FreshDatabase;
    let Some(old) = FreshDatabase::create_with("ascii_old", "SQL_ASCII").await else { return };
    let new = FreshDatabase::create_with("ascii_new", "SQL_ASCII").await.unwrap();
    let utf8 = Owned::create(PLAIN, "ascii_utf8").await.unwrap();
    for database in [&old, &new] {
        database.run("CREATE TABLE t (id integer PRIMARY KEY, a text)").await;
    }
    utf8.run("CREATE TABLE t (id integer PRIMARY KEY, a text)").await;
    old.run(
        "SET client_encoding = 'SQL_ASCII'; INSERT INTO t VALUES (1, E'a\\xff\\\\\\n'), (2, E'\\xc3\\xa9')",
    )
    .await;
    let archive = Archive::of(&old.url).await;
    for mode in [Mode::IntoEmpty, Mode::Replace] {
        if mode == Mode::Replace {
            new.run("DELETE FROM t").await;
            let options = TargetOptions::new(SnapshotOptions::new("app"));
            let url = strongroom_store::DatabaseUrl::parse(&new.url).unwrap();
            let mut target = strongroom_tables::load::Target::open(&url, options).await.unwrap();
            crate::restoring::restore::discard(&mut target, ID).await;
            target.close().await;
        }
        restore(&new.url, &archive, &archive.wanted(mode)).await.unwrap();
        assert_eq!(Archive::of(&new.url).await.content(), archive.content());
    }
    let error = restore(&utf8.url, &archive, &archive.wanted(Mode::IntoEmpty)).await.unwrap_err();
    assert!(error.to_string().starts_with("row 1 of table t: column a cannot take its value: "), "{error}");
    old.drop().await;
    new.drop().await;
    utf8.drop().await;
}

/// Columns that are not in the archive get the target's defaults, however the rows are loaded.
#[tokio::test]
async fn columns_that_the_archive_does_not_have_get_their_defaults() {
    let Some(old) = Owned::create(PLAIN, "defaults_old").await else { return };
    let new = Owned::create(PLAIN, "defaults_new").await.unwrap();
    old.run("CREATE TABLE t (id integer PRIMARY KEY, a integer); INSERT INTO t VALUES (1, 2), (3, NULL)")
        .await;
    new.run(
        "CREATE TABLE t (added text NOT NULL DEFAULT 'new', id integer PRIMARY KEY, a integer,
             computed integer NOT NULL GENERATED ALWAYS AS (id * 2) STORED, CHECK (computed > id AND added <> ''))",
    )
    .await;
    let archive = Archive::of(&old.url).await;
    for mode in [Mode::IntoEmpty, Mode::Merge, Mode::Replace] {
        new.run("DELETE FROM t").await;
        restore(&new.url, &archive, &archive.wanted(mode)).await.unwrap();
        let rows = new.values("SELECT t::text FROM t ORDER BY id").await;
        assert_eq!(rows, ["(new,1,2,2)", "(new,3,,6)"], "{mode:?}");
        discard(&new).await;
    }
    old.drop().await;
    new.drop().await;
}
