//! Replacing and merging rows of tables that are in use.

use strongroom_tables::load::Mode;

use crate::restoring::archive::Archive;
use crate::restoring::owned::{Owned, Server, servers};
use crate::restoring::restore::{ID, restore, roll_back, tried};

const ODD: &str = include_str!("../fixtures/odd.postgres.sql");
/// Every table has rows deleted, added and changed, as far as its columns allow.
const CHANGED: &str = include_str!("changed.sql");

#[tokio::test]
async fn replaced_tables_hold_what_the_archive_has() {
    for (server, name) in servers() {
        replaces(server, name).await;
    }
}

async fn replaces(server: Server, name: &str) {
    let Some(database) = Owned::create(server, &format!("replace_{name}")).await else { return };
    database.run(ODD).await;
    let archive = Archive::of(&database.url).await;
    database.run(CHANGED).await;
    let changed = Archive::of(&database.url).await;
    assert_ne!(changed.content(), archive.content());
    let before = database.dumped();
    let wanted = archive.wanted(Mode::Replace);

    let compared = tried(&database.url, &archive, &wanted).await.unwrap();
    assert_eq!(compared.refusals, []);
    let swapped = restore(&database.url, &archive, &wanted).await.unwrap();
    for (compared, swapped) in compared.tables.iter().zip(&swapped.tables) {
        let mut compared = compared.clone();
        compared.examples.clear();
        assert_eq!(compared, *swapped);
    }
    assert_eq!(Archive::of(&database.url).await.content(), archive.content());
    assert_eq!(database.dumped(), before);

    roll_back(&database.url, ID, false).await.unwrap();
    assert_eq!(Archive::of(&database.url).await.content(), changed.content());
    assert_eq!(database.dumped(), before);
    assert_eq!(
        database.values("SELECT nspname::text FROM pg_namespace WHERE nspname = 'strongroom'").await,
        [""; 0]
    );
    database.drop().await;
}
