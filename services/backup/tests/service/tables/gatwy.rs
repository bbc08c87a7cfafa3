//! Gatwy's connection export, imported by the same method.

use strongroom_runtime::status::reason_of;
use strongroom_testkit::TestDb;
use tonic::Code;

use super::{replaced, text};
use crate::support::database::{folder, run};
use crate::support::tables::{Moving, counts, reasons};
use crate::support::{FakeVault, LOGS, Service};

const SAMPLE: &[u8] = include_bytes!("../../../../../shared/import/tests/gatwy-connections.json");

const SNAKE: &str = "CREATE TABLE connection_groups (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL,
        parent_id TEXT REFERENCES connection_groups (id), sort_order INTEGER);
    CREATE TABLE connections (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, protocol TEXT NOT NULL, host TEXT NOT NULL,
        port INTEGER, username TEXT, group_id TEXT REFERENCES connection_groups (id), shared BOOLEAN NOT NULL DEFAULT 0,
        tags TEXT NOT NULL DEFAULT '')";

const ALL: &str = "SELECT group_concat(id || ' ' || name || ' ' || ifnull(port, '-') || ' ' || shared, '; ')
    FROM (SELECT * FROM connections ORDER BY id)";

async fn service(sql: &str) -> (Service, Moving) {
    let folder = folder().await;
    run(folder.path(), sql).await;
    let service = Service::start(folder, FakeVault::start().await, "", LOGS).await;
    let client = Moving::of(&service);
    (service, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_comes_in_twice_with_the_same_result() {
    let (service, mut client) = service(SNAKE).await;
    let folder = service.folder.path().to_owned();
    for (dry_run, created, kept) in [(true, 4, 0), (false, 4, 0), (false, 0, 4), (true, 0, 4)] {
        let done = client.import(SAMPLE, dry_run).await.unwrap();
        let expected = [4, created, kept, 0];
        assert_eq!(counts(&done), [("connection_groups", expected), ("connections", expected)], "{done:?}");
    }
    let expected =
        "c-1 db-eu-1 22 1; c-2 db-eu-2 2222 1; c-3 Windows build host 3389 0; c-4 Wiki \"old\" - 0";
    assert_eq!(text(&folder, ALL).await, expected);
    let parents = "SELECT group_concat(id || '<' || ifnull(parent_id, ''), ' ') FROM (SELECT * FROM connection_groups ORDER BY id)";
    assert_eq!(text(&folder, parents).await, "g-lab< g-prod< g-prod-db<g-prod g-prod-db-eu<g-prod-db");
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_may_be_spelled_in_both_ways_and_must_be_there() {
    let camel = "CREATE TABLE groups (id TEXT PRIMARY KEY NOT NULL, name TEXT, parentId TEXT, sortOrder INTEGER);
        CREATE TABLE connections (id TEXT PRIMARY KEY NOT NULL, name TEXT, protocol TEXT, host TEXT, port INTEGER, username TEXT,
            groupId TEXT, shared INTEGER)";
    let (service, mut client) = service(camel).await;
    let folder = service.folder.path().to_owned();
    let done = client.import(SAMPLE, false).await.unwrap();
    assert_eq!(counts(&done)[0], ("groups", [4, 4, 0, 0]), "{done:?}");
    run(
        &folder,
        "ALTER TABLE connections ADD COLUMN owner TEXT NOT NULL DEFAULT 'x'; DELETE FROM connections",
    )
    .await;
    assert_eq!(reasons(&client.import(SAMPLE, true).await.unwrap()), [""; 0]);
    run(&folder, "DROP TABLE connections; CREATE TABLE connections (id TEXT PRIMARY KEY NOT NULL, name TEXT, protocol TEXT,
        host TEXT, port INTEGER, username TEXT, groupId TEXT, shared INTEGER, owner TEXT NOT NULL)").await;
    let refused = client.import(SAMPLE, false).await.unwrap();
    assert_eq!(reasons(&refused), ["COLUMN_NEEDED"]);
    assert!(refused.refusals[0].message.contains("owner"), "{refused:?}");
    run(&folder, "ALTER TABLE connections DROP COLUMN owner; ALTER TABLE connections DROP COLUMN groupId")
        .await;
    let refused = client.import(SAMPLE, false).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::FailedPrecondition, "COLUMN_MISSING"));
    assert!(refused.message().contains("group_id or groupId"), "{}", refused.message());
    run(&folder, "DROP TABLE connections").await;
    let refused = client.import(SAMPLE, false).await.unwrap_err();
    assert_eq!(reason_of(&refused), "TABLE_MISSING", "{refused:?}");
    for (from, to) in [("\"version\": 1", "\"version\": 2"), ("\"host\": \"10.0.4.11\"", "\"host\": \"\"")] {
        let refused = client.import(&replaced(SAMPLE, from, to), false).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason_of(&refused).as_str()),
            (Code::InvalidArgument, "DOCUMENT_INVALID")
        );
    }
    service.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_takes_them_with_its_own_types() {
    let Some(db) = TestDb::postgres() else { return };
    db.run(
        "CREATE TABLE groups (id text PRIMARY KEY, name text NOT NULL, parent_id text REFERENCES groups (id), sort_order int);
         CREATE TABLE connections (id text PRIMARY KEY, name text NOT NULL, protocol text NOT NULL, host text NOT NULL, port int,
             username text, group_id text REFERENCES groups (id), shared boolean NOT NULL)",
    );
    let folder = folder().await;
    let file = folder.path().join("desk.url");
    strongroom_testkit::write_private(&file, db.url_text());
    let source = format!(
        "{LOGS}\n[[sources]]\nname = 'desk'\nkind = 'postgres'\nurl = '{}'\nrestore_url_file = '{}'",
        db.url_text(),
        file.display()
    );
    let service = Service::start(folder, FakeVault::start().await, "", &source).await;
    let mut client = Moving::of(&service);
    for created in [4, 0] {
        let done = client.import(SAMPLE, false).await.unwrap();
        assert_eq!(counts(&done)[1], ("connections", [4, created, 4 - created, 0]), "{done:?}");
    }
    assert_eq!(db.number("SELECT count(*) FROM connections WHERE shared AND port IN (22, 2222)"), 2);
    assert_eq!(db.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'strongroom'"), 0);
    service.stop().await.unwrap();
}
