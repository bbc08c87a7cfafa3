//! Into the empty tables of an application.

use strongroom_tables::load::Mode;

use crate::archive::Archive;
use crate::owned::{GRANTED, NEWEST, Owned, PLAIN, Server};
use crate::restore::restore;

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

/// DELETE and not TRUNCATE, so that sequences stay where they are.
const EMPTIED: &str = "DO $$ DECLARE one text; BEGIN
    FOR one IN SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'audit', 'Odd Schema')
               ORDER BY c.relname = 'events', c.relname = 'parents', c.relname LIKE 'events%' LOOP
        EXECUTE 'DELETE FROM ' || one;
    END LOOP;
END $$";
