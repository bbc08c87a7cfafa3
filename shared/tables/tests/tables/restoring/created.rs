//! Restores into tables that the restore creates.

use strongroom_tables::load::{Mode, Wanted};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{NEWEST, Owned, PLAIN, Server};
use crate::restoring::restore::{ID, discard, restore, target};

const ODD: &str = include_str!("../fixtures/odd.postgres.sql");

fn creating(archive: &Archive) -> Wanted {
    Wanted { create_tables: true, ..archive.wanted(Mode::IntoEmpty) }
}

#[tokio::test]
async fn an_empty_database_becomes_the_odd_one() {
    becomes(PLAIN, "created").await;
}

#[tokio::test]
async fn an_empty_database_becomes_the_odd_one_on_the_newest_server() {
    becomes(NEWEST, "created_18").await;
}

async fn becomes(server: Server, purpose: &str) {
    let Some(old) = Owned::create(server, &format!("{purpose}_old")).await else { return };
    let new = Owned::create(server, &format!("{purpose}_new")).await.unwrap();
    old.run(ODD).await;
    old.run(
        "CREATE SEQUENCE alone INCREMENT 7; SELECT nextval('alone');
         CREATE UNIQUE INDEX odd_index ON \"Select\" (lower(\"Where\")) WHERE \"user\" IS NOT NULL;
         CREATE INDEX of_events ON events (kind); CREATE INDEX of_one ON events_old (kind, id);
         ALTER TABLE no_rows ALTER id SET DEFAULT nextval('alone'), REPLICA IDENTITY FULL;
         CREATE TABLE collated (a text COLLATE \"C\" CHECK (a <> 'x'), EXCLUDE USING gist (b WITH &&), b int4range)",
    )
    .await;
    let archive = Archive::of(&old.url).await;
    restore(&new.url, &archive, &creating(&archive)).await.unwrap();
    let again = Archive::of(&new.url).await;
    assert_eq!(again.content(), archive.content());
    for (new, old) in again.tables.iter().zip(&archive.tables) {
        assert_eq!(new.schema, old.schema);
    }
    assert_eq!(again.views, archive.views);
    assert_eq!(again.record.sequences, archive.record.sequences);
    if server.variable == PLAIN.variable {
        // The owners differ, as the roles do.
        let lines = |database: &Owned| -> Vec<String> {
            let dumped = database.dumped().into_iter();
            dumped.filter(|line| !line.contains("Owner: ") && !line.contains("OWNER TO")).collect()
        };
        assert_eq!(lines(&new), lines(&old));
    }
    old.drop().await;
    new.drop().await;
}

const SHOP: &str = "
CREATE FUNCTION here() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE FUNCTION \"not here\"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE people (id integer PRIMARY KEY, name text);
CREATE TABLE orders (id integer PRIMARY KEY, person integer CONSTRAINT theirs REFERENCES people);
CREATE TRIGGER kept BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION here();
ALTER TABLE orders ENABLE ALWAYS TRIGGER kept;
CREATE TRIGGER \"left (EXECUTE FUNCTION x(\" BEFORE INSERT ON orders FOR EACH ROW WHEN (new.id > 7) EXECUTE FUNCTION \"not here\"('a(');
CREATE RULE logged AS ON DELETE TO orders DO ALSO NOTIFY gone;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON orders USING (true);
CREATE VIEW named AS SELECT o.id, p.name FROM orders o JOIN people p ON p.id = o.person;
CREATE VIEW plain AS SELECT id FROM orders;
INSERT INTO people VALUES (1, 'x');
INSERT INTO orders VALUES (1, 1), (2, NULL);
";

#[tokio::test]
async fn what_is_left_out_is_named() {
    let Some(old) = Owned::create(PLAIN, "left_out_old").await else { return };
    let new = Owned::create(PLAIN, "left_out_new").await.unwrap();
    old.run(SHOP).await;
    new.run("CREATE FUNCTION here() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'").await;
    let archive = Archive::of(&old.url).await.only(&["orders"]);
    let mut looking = target(&new.url).await;
    let found = looking.inspect(&creating(&archive)).await.unwrap();
    looking.close().await;
    assert_eq!(found.refusals, []);
    assert_eq!(found.creates, ["orders"]);
    let all = found.warnings.join("\n");
    for left_out in [
        "belong to the restoring role",
        "policy own of table orders",
        "rule logged of table orders",
        "foreign key theirs of table orders",
        "trigger left (EXECUTE FUNCTION x( of table orders",
        "view named",
    ] {
        assert_eq!(all.matches(left_out).count(), 1, "{left_out} in\n{all}");
    }
    assert!(!all.contains("kept") && !all.contains("plain"), "{all}");

    restore(&new.url, &archive, &creating(&archive)).await.unwrap();
    let dumped = new.dumped();
    for line in [
        "ALTER TABLE public.orders ENABLE ALWAYS TRIGGER kept;",
        "ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;",
        "CREATE VIEW public.plain AS",
    ] {
        assert!(dumped.contains(line), "{line}");
    }
    assert_eq!(new.value::<i64>("SELECT count(*) FROM plain").await, 2);
    old.drop().await;
    new.drop().await;
}

/// Tables are created in the same transaction that loads them.
#[tokio::test]
async fn after_a_failure_nothing_is_there() {
    let Some(old) = Owned::create(PLAIN, "failed_old").await else { return };
    let new = Owned::create(PLAIN, "failed_new").await.unwrap();
    old.run("CREATE TABLE a (id integer PRIMARY KEY); INSERT INTO a VALUES (1), (2)").await;
    let before = new.dumped();
    let mut archive = Archive::of(&old.url).await;
    archive.tables.iter_mut().for_each(|table| table.rows.push(table.rows[0].clone()));
    let error = restore(&new.url, &archive, &creating(&archive)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "table a of source app does not accept the archive's rows: some have the same values in the key a_pkey"
    );
    let mut discarding = target(&new.url).await;
    discard(&mut discarding, ID).await;
    discarding.close().await;
    assert_eq!(new.dumped(), before);
    assert_eq!(new.value::<i64>("SELECT count(*) FROM pg_namespace WHERE nspname = 'strongroom'").await, 0);
    old.drop().await;
    new.drop().await;
}
