//! Rolling back restores.

use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Purpose, RestoreState, Wanted};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{GRANTED, Owned, servers};
use crate::restoring::restore::{ID, LIMITS, discard, restore, restore_as, roll_back, staged, target};

const MADE: &str = "
    CREATE TABLE keyed (id int PRIMARY KEY, a text);
    CREATE TABLE bare (a text);
    CREATE TABLE refers (id int PRIMARY KEY, keyed int REFERENCES keyed);
    INSERT INTO keyed SELECT i, 'old ' || i FROM generate_series(1, 10) i;
    INSERT INTO bare VALUES ('x'), ('x'), ('y');
    INSERT INTO refers SELECT i, i FROM generate_series(1, 10) i;";
const CHANGED: &str = "
    DELETE FROM refers WHERE id < 3; DELETE FROM keyed WHERE id = 1; UPDATE keyed SET a = 'new' WHERE id = 2;
    INSERT INTO keyed VALUES (11, 'new'); INSERT INTO refers VALUES (11, 11); INSERT INTO bare VALUES ('x'), ('z');";

/// Each of these changes is detected, and discarded on request.
const SINCE: [&str; 6] = [
    "UPDATE keyed SET a = 'since' WHERE id = 5",
    "UPDATE keyed SET a = 'since' WHERE id = 2",
    "INSERT INTO keyed VALUES (12, 'since')",
    "DELETE FROM refers WHERE id = 10",
    "DELETE FROM bare WHERE ctid = (SELECT min(ctid) FROM bare)",
    "INSERT INTO keyed VALUES (11, 'since'); UPDATE keyed SET id = 20 WHERE id = 11; INSERT INTO refers VALUES (20, 20)",
];

#[tokio::test]
async fn one_changed_row_refuses_it_unless_it_may_go() {
    for (server, name) in servers() {
        for since in SINCE {
            let Some(database) = Owned::create(server, &format!("since_{name}")).await else { return };
            database.run(MADE).await;
            let archive = Archive::of(&database.url).await;
            database.run(CHANGED).await;
            let changed = Archive::of(&database.url).await.content();
            restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
            database.run(since).await;
            let now = Archive::of(&database.url).await.content();
            let refused = roll_back(&database.url, ID, false).await.unwrap_err();
            assert!(matches!(refused, Error::ChangedSince { rows: 1.., .. }), "{since}: {refused}");
            assert_eq!(Archive::of(&database.url).await.content(), now);
            roll_back(&database.url, ID, true).await.unwrap();
            assert_eq!(Archive::of(&database.url).await.content(), changed, "{name} {since}");
            let gone = roll_back(&database.url, ID, true).await.unwrap_err();
            assert!(matches!(gone, Error::NotApplied { .. }), "{gone}");
            database.drop().await;
        }
    }
}

#[tokio::test]
async fn a_check_changes_nothing() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("checked_{name}")).await else { return };
        database.run(MADE).await;
        let archive = Archive::of(&database.url).await;
        database.run(CHANGED).await;
        let changed = Archive::of(&database.url).await.content();
        restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
        database.run(SINCE[0]).await;
        let now = Archive::of(&database.url).await.content();
        let schema = database.dumped();
        let mut target = target(&database.url).await;
        for (discard, is_refused) in [(false, true), (true, false), (true, false)] {
            let checked = target.check_roll_back(ID, discard, LIMITS.lock).await;
            assert_eq!(
                matches!(checked, Err(Error::ChangedSince { rows: 1, .. })),
                is_refused,
                "{checked:?}"
            );
            assert_eq!(Archive::of(&database.url).await.content(), now, "{name}");
            assert_eq!(database.dumped(), schema);
            assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Applied));
        }
        roll_back(&database.url, ID, true).await.unwrap();
        assert_eq!(Archive::of(&database.url).await.content(), changed, "{name}");
        let gone = target.check_roll_back(ID, true, LIMITS.lock).await.unwrap_err();
        assert!(matches!(gone, Error::NotApplied { .. }), "{gone}");
        database.drop().await;
    }
}

#[tokio::test]
async fn what_it_says_it_has_done() {
    let Some(database) = Owned::create(GRANTED, "said").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await;
    database.run(CHANGED).await;
    restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
    let done = roll_back(&database.url, ID, false).await.unwrap();
    let said: Vec<_> = done
        .tables
        .iter()
        .map(|(name, one)| (name.as_str(), one.created, one.changed, one.deleted, one.kept))
        .collect();
    assert_eq!(said, [("bare", 5, 0, 3, 0), ("keyed", 1, 1, 1, 8), ("refers", 1, 0, 2, 8)]);
    database.drop().await;
}

#[tokio::test]
async fn a_merge_takes_back_what_it_has_added_and_nothing_else() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("merge_back_{name}")).await else { return };
        database.run(MADE).await;
        let archive = Archive::of(&database.url).await.only(&["keyed", "refers"]);
        database.run(CHANGED).await;
        let merged = restore(&database.url, &archive, &archive.wanted(Mode::Merge)).await.unwrap();
        let counts: Vec<_> = merged.tables.iter().map(|one| (one.created, one.conflicts, one.kept)).collect();
        assert_eq!(counts, [(1, 1, 9), (2, 0, 9)]);
        let a: Vec<String> =
            database.values("SELECT id || a FROM keyed WHERE id IN (1, 2, 11) ORDER BY id").await;
        assert_eq!(a, ["1old 1", "2new", "11new"]);
        database.run("UPDATE keyed SET a = 'mine' WHERE id = 5").await;
        let kept = Archive::of(&database.url).await.content();
        database.run("UPDATE keyed SET a = 'since' WHERE id = 1").await;
        let refused = roll_back(&database.url, ID, false).await.unwrap_err();
        assert!(matches!(refused, Error::ChangedSince { rows: 1, .. }), "{refused}");
        database.run("UPDATE keyed SET a = 'old 1' WHERE id = 1").await;
        assert_eq!(Archive::of(&database.url).await.content(), kept);
        database.run("INSERT INTO refers VALUES (100, 1)").await;
        let refused = roll_back(&database.url, ID, true).await.unwrap_err();
        assert!(refused.to_string().contains("refers_keyed_fkey"), "{refused}");
        database.run("DELETE FROM refers WHERE id = 100").await;
        roll_back(&database.url, ID, false).await.unwrap();
        let rows: Vec<String> =
            database.values("SELECT id || a FROM keyed WHERE id IN (1, 2, 5, 11) ORDER BY id").await;
        assert_eq!(rows, ["2new", "5mine", "11new"]);
        database.drop().await;
    }
}

#[tokio::test]
async fn rows_of_empty_tables_go_only_if_the_caller_says_so() {
    let Some(database) = Owned::create(GRANTED, "empty_back").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await;
    database.run("DELETE FROM refers; DELETE FROM keyed; DELETE FROM bare").await;
    let before = database.dumped();
    restore(&database.url, &archive, &archive.wanted(Mode::IntoEmpty)).await.unwrap();
    let refused = roll_back(&database.url, ID, false).await.unwrap_err();
    assert!(refused.to_string().contains("was empty before the restore"), "{refused}");
    assert_eq!(Archive::of(&database.url).await.content(), archive.content());
    roll_back(&database.url, ID, true).await.unwrap();
    assert!(Archive::of(&database.url).await.tables.iter().all(|table| table.rows.is_empty()));
    assert_eq!(database.dumped(), before);
    database.drop().await;
}

/// A newer version may have written it: a wrong guess would empty the tables.
#[tokio::test]
async fn an_unknown_mode_is_not_guessed() {
    let Some(database) = Owned::create(GRANTED, "mode").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await;
    database.run(CHANGED).await;
    restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
    let mode = "SELECT tables::json ->> 'mode' FROM strongroom.restores";
    assert_eq!(database.values(mode).await, ["replace"]);
    database.run("UPDATE strongroom.restores SET tables = replace(tables, '\"replace\"', '\"other\"')").await;
    assert_eq!(database.values(mode).await, ["other"]);
    for discard in [false, true] {
        let refused = roll_back(&database.url, ID, discard).await.unwrap_err();
        assert!(refused.to_string().contains("that this version can read"), "{refused}");
        assert_eq!(Archive::of(&database.url).await.content(), archive.content());
    }
    discard(&mut target(&database.url).await, ID).await;
    database.drop().await;
}

#[tokio::test]
async fn the_newest_first() {
    let Some(database) = Owned::create(GRANTED, "newest").await else { return };
    database.run(MADE).await;
    let first = Archive::of(&database.url).await;
    database.run(CHANGED).await;
    let second = Archive::of(&database.url).await;
    database.run("INSERT INTO keyed VALUES (30, 'third')").await;
    let third = Archive::of(&database.url).await;
    let [one, two, three] = ["1", "2", "3"].map(|last| format!("{}{last}", &ID[..35]));
    restore_as(&one, &database.url, &second, &second.wanted(Mode::Replace)).await.unwrap();
    restore_as(&two, &database.url, &first, &first.wanted(Mode::Replace)).await.unwrap();
    let bare = Archive::of(&database.url).await.only(&["bare"]);
    let wanted = bare.wanted(Mode::Replace);
    restore_as(&three, &database.url, &bare, &wanted).await.unwrap();
    for (id, newer) in [(&one, &three), (&two, &three)] {
        let refused = roll_back(&database.url, id, true).await.unwrap_err();
        assert!(matches!(&refused, Error::Superseded { newer: by, .. } if by == newer), "{refused}");
    }
    roll_back(&database.url, &three, false).await.unwrap();
    let refused = roll_back(&database.url, &one, false).await.unwrap_err();
    assert!(matches!(&refused, Error::Superseded { newer, .. } if *newer == two), "{refused}");
    roll_back(&database.url, &two, false).await.unwrap();
    assert_eq!(Archive::of(&database.url).await.content(), second.content());
    assert_eq!(target(&database.url).await.state_of(&one).await.unwrap(), Some(RestoreState::Applied));
    roll_back(&database.url, &one, false).await.unwrap();
    assert_eq!(Archive::of(&database.url).await.content(), third.content());
    assert_eq!(target(&database.url).await.state_of(&one).await.unwrap(), None);
    database.drop().await;
}

#[tokio::test]
async fn restores_of_other_tables_are_not_in_the_way() {
    let Some(database) = Owned::create(GRANTED, "apart").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await;
    database.run("INSERT INTO bare VALUES ('new'); DELETE FROM refers").await;
    let [one, two] = ["1", "2"].map(|last| format!("{}{last}", &ID[..35]));
    let bare = Archive { ..archive }.only(&["bare"]);
    restore_as(&one, &database.url, &bare, &bare.wanted(Mode::Replace)).await.unwrap();
    let refers = Archive::of(&database.url).await.only(&["refers"]);
    restore_as(&two, &database.url, &refers, &refers.wanted(Mode::Replace)).await.unwrap();
    roll_back(&database.url, &one, false).await.unwrap();
    discard(&mut target(&database.url).await, &two).await;
    database.drop().await;
}

#[tokio::test]
async fn a_staged_restore_is_told_and_discarded() {
    let Some(database) = Owned::create(GRANTED, "told").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await;
    database.run(CHANGED).await;
    let changed = Archive::of(&database.url).await.content();
    let wanted = Wanted { large_objects: Vec::new(), ..archive.wanted(Mode::Replace) };
    let mut stage = staged(&database.url, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
    stage.keep().await.unwrap();
    assert_eq!(target(&database.url).await.state_of(ID).await.unwrap(), Some(RestoreState::Staged));
    let refused = roll_back(&database.url, ID, false).await.unwrap_err();
    assert!(matches!(refused, Error::NotApplied { .. }), "{refused}");
    // An export in between does not include it.
    assert_eq!(Archive::of(&database.url).await.content(), changed);
    stage.swap(&LIMITS).await.unwrap();
    assert_eq!(Archive::of(&database.url).await.content(), archive.content());
    discard(&mut target(&database.url).await, ID).await;
    assert_eq!(target(&database.url).await.state_of(ID).await.unwrap(), None);
    let ours = "SELECT nspname::text FROM pg_namespace WHERE nspname = 'strongroom'";
    assert_eq!(database.values(ours).await, [""; 0]);
    database.drop().await;
}
