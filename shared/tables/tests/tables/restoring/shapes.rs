//! The objects that an application attaches to its tables, each kind in its own test.

use strongroom_tables::load::Mode;

use crate::restoring::archive::Archive;
use crate::restoring::owned::{GRANTED, Owned, PLAIN};
use crate::restoring::restore::restore;

/// Restores `old` into a copy of its schema. `pg_dump -s` of the copy must not change, and its rows must become those of
/// `old`.
async fn round_trip(old: &Owned, new: &Owned) -> Archive {
    new.like(old).await;
    let before = new.dumped();
    let archive = Archive::of(&old.url).await;
    restore(&new.url, &archive, &archive.wanted(Mode::IntoEmpty)).await.unwrap();
    assert_eq!(Archive::of(&new.url).await.content(), archive.content());
    assert_eq!(new.dumped(), before);
    archive
}

async fn two(purpose: &str) -> Option<(Owned, Owned)> {
    let old = Owned::create(PLAIN, &format!("{purpose}_old")).await?;
    Some((old, Owned::create(GRANTED, &format!("{purpose}_new")).await.unwrap()))
}

const TRIGGERS: &str = "
CREATE TABLE fired (what text, at text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.fired VALUES (tg_name, tg_table_name); RETURN new; END';
CREATE TABLE things (id integer PRIMARY KEY);
CREATE TRIGGER plain BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER statement AFTER INSERT ON things EXECUTE FUNCTION note();
CREATE TRIGGER always AFTER INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER replica AFTER INSERT ON things FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER \"off, 'now'\" AFTER INSERT ON things FOR EACH ROW EXECUTE FUNCTION note();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE things ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER \"off, 'now'\";
CREATE TABLE parts (id integer) PARTITION BY LIST (id);
CREATE TRIGGER of_all AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);
ALTER TABLE part_2 ENABLE ALWAYS TRIGGER of_all;
";

#[tokio::test]
async fn triggers_fire_for_the_application_and_not_for_a_restore() {
    let Some((old, new)) = two("triggers").await else { return };
    old.run(TRIGGERS).await;
    old.run("INSERT INTO things SELECT * FROM generate_series(1, 9); INSERT INTO parts VALUES (1), (2)")
        .await;
    old.run("DELETE FROM fired").await;
    round_trip(&old, &new).await;
    assert_eq!(new.value::<i64>("SELECT count(*) FROM fired").await, 0);
    new.run("INSERT INTO things VALUES (10); INSERT INTO parts VALUES (1), (2)").await;
    let fired = new.values("SELECT what || ' of ' || at FROM fired ORDER BY 1").await;
    let expected =
        ["always of things", "late of things", "of_all of part_1", "of_all of part_2", "plain of things"];
    assert_eq!(fired[..5], expected);
    assert_eq!(fired[5..], ["statement of things"]);
    old.drop().await;
    new.drop().await;
}

const KEYS: &str = "
CREATE TABLE people (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE \"C\" NOT NULL, boss bigint, team integer, place integer,
    span int4range, mail text, CONSTRAINT one_mail UNIQUE (mail) INCLUDE (name), UNIQUE NULLS NOT DISTINCT (team, place),
    CONSTRAINT apart EXCLUDE USING gist (span WITH &&), CHECK (boss <> id)
);
CREATE TABLE teams (id integer, lead bigint, PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED, code text UNIQUE);
ALTER TABLE people ADD CONSTRAINT \"own boss\" FOREIGN KEY (boss) REFERENCES people ON DELETE SET NULL;
ALTER TABLE teams ADD CONSTRAINT lead FOREIGN KEY (lead) REFERENCES people DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE codes (code text REFERENCES teams (code) ON UPDATE CASCADE, seen text);
ALTER TABLE codes ADD CONSTRAINT old_ones FOREIGN KEY (seen) REFERENCES teams (code) NOT VALID;
COMMENT ON CONSTRAINT \"own boss\" ON people IS 'a person''s';
COMMENT ON CONSTRAINT one_mail ON people IS 'one';
COMMENT ON INDEX one_mail IS 'its index';
CREATE INDEX by_name ON people USING hash (name);
CREATE INDEX \"lower \"\"name\"\"\" ON people (lower(name) DESC NULLS LAST) WHERE boss IS NOT NULL;
COMMENT ON INDEX by_name IS 'by name \\ it''s';
CREATE UNIQUE INDEX identity ON people (name, id);
ALTER TABLE people REPLICA IDENTITY USING INDEX identity;
CREATE INDEX clustered ON codes (code);
ALTER TABLE codes CLUSTER ON clustered;
CREATE INDEX counted ON codes ((code || seen));
ALTER INDEX counted ALTER COLUMN 1 SET STATISTICS 300;
CREATE VIEW grouped AS SELECT p.id, p.name, count(*) FROM people p JOIN teams t ON t.lead = p.id GROUP BY p.id;
CREATE TABLE nothing_but_generated (a integer GENERATED ALWAYS AS (7) STORED);
CREATE TABLE parts (id integer, at integer, code text, PRIMARY KEY (id, at), UNIQUE (at, id, code)) PARTITION BY RANGE (at);
CREATE TABLE part_a PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE part_b PARTITION OF parts FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id);
CREATE TABLE part_b_1 PARTITION OF part_b FOR VALUES IN (1);
CREATE TABLE part_b_rest PARTITION OF part_b DEFAULT;
CREATE INDEX of_all ON parts (code);
CREATE INDEX of_one ON part_a (code, at);
ALTER INDEX part_a_code_idx RENAME TO \"another name\";
COMMENT ON INDEX \"another name\" IS 'of a partition';
CREATE TABLE to_parts (id integer, at integer, FOREIGN KEY (id, at) REFERENCES parts);
";

#[tokio::test]
async fn keys_and_indexes_come_back_as_they_were() {
    let Some((old, new)) = two("keys").await else { return };
    old.run(KEYS).await;
    old.run(
        "INSERT INTO people (name, boss, team, place, span, mail)
         SELECT 'p' || n, nullif(n - 1, 0), n, NULL, int4range(n, n + 1), 'm' || n FROM generate_series(1, 500) n;
         UPDATE people SET boss = 500 WHERE id = 1;
         INSERT INTO teams VALUES (1, 7, 'x'), (2, NULL, 'y');
         INSERT INTO codes VALUES ('x', 'y'), (NULL, NULL);
         INSERT INTO nothing_but_generated DEFAULT VALUES;
         INSERT INTO parts SELECT n % 3, n, 'c' || n FROM generate_series(0, 19) n;
         INSERT INTO to_parts SELECT id, at FROM parts",
    )
    .await;
    round_trip(&old, &new).await;
    new.run("INSERT INTO people (name) VALUES ('next')").await;
    assert_eq!(new.value::<i64>("SELECT max(id) FROM people").await, 501);
    for (broken, what) in [
        ("INSERT INTO people (name, team, mail) VALUES ('x', -1, 'm7')", "one_mail"),
        ("INSERT INTO people (name, team) VALUES ('x', 7)", "team_place"),
        ("INSERT INTO people (name, team, span) VALUES ('x', -2, '[7,9)')", "apart"),
        ("INSERT INTO people (name, team, boss) VALUES ('x', -3, 99999)", "own boss"),
        ("INSERT INTO teams VALUES (1, NULL, NULL)", "teams_pkey"),
        ("INSERT INTO codes VALUES (NULL, 'z')", "old_ones"),
        ("INSERT INTO part_b_1 VALUES (1, 19, 'c19'), (1, 19, 'c18')", "part_b_1"),
        ("INSERT INTO to_parts VALUES (7, 7)", "to_parts"),
    ] {
        let said = new.fails(broken).await;
        assert!(said.contains(what), "{said}: {broken}");
    }
    old.drop().await;
    new.drop().await;
}

const SEQUENCES: &str = "
CREATE SEQUENCE shared START 7 INCREMENT 3;
CREATE SEQUENCE down INCREMENT -1;
CREATE SEQUENCE round MINVALUE 1 MAXVALUE 5 CYCLE;
CREATE SEQUENCE \"set, \"\"but\"\" not called\" START 1;
CREATE TABLE a (id serial PRIMARY KEY, n bigint UNIQUE DEFAULT nextval('shared'));
CREATE TABLE b (n bigint UNIQUE DEFAULT nextval('shared'), d integer UNIQUE DEFAULT nextval('down'));
CREATE TABLE c (id smallint GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY -2) PRIMARY KEY, r integer DEFAULT nextval('round'));
CREATE TABLE d (id numeric PRIMARY KEY DEFAULT nextval('\"set, \"\"but\"\" not called\"'));
CREATE TABLE \"with, space\" (\"the \"\"id\" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
";

#[tokio::test]
async fn every_sequence_gives_a_number_that_is_free() {
    let Some((old, new)) = two("sequences").await else { return };
    old.run(SEQUENCES).await;
    old.run(
        "INSERT INTO a SELECT FROM generate_series(1, 10); INSERT INTO a VALUES (1000, 1000);
         INSERT INTO b SELECT FROM generate_series(1, 10); INSERT INTO b VALUES (5000, -70);
         INSERT INTO c SELECT FROM generate_series(1, 7);
         SELECT setval('\"set, \"\"but\"\" not called\"', 77, false);
         INSERT INTO \"with, space\" SELECT FROM generate_series(1, 7)",
    )
    .await;
    round_trip(&old, &new).await;
    for _ in 0..3 {
        for table in ["a", "b", "c", "d", "\"with, space\""] {
            new.run(&format!("INSERT INTO {table} DEFAULT VALUES")).await;
        }
    }
    assert_eq!(new.value::<i32>("SELECT min(id) FROM a WHERE id > 1000").await, 1001);
    assert_eq!(new.value::<i64>("SELECT count(*) FROM a WHERE n > 5000").await, 3);
    assert_eq!(new.value::<i32>("SELECT min(d) FROM b").await, -73);
    assert_eq!(new.value::<i16>("SELECT min(id) FROM c").await, -19);
    assert_eq!(new.value::<i64>("SELECT min(id)::int8 FROM d").await, 77);
    // 1 to 5 and then 1 and 2 were used: 3, 4, 5 follow.
    assert_eq!(new.value::<i64>("SELECT sum(r) FROM c WHERE id < -13").await, 12);
    old.drop().await;
    new.drop().await;
}

#[tokio::test]
async fn the_widest_table_and_the_longest_names() {
    let Some((old, new)) = two("wide").await else { return };
    let columns: Vec<String> = (0..1600).map(|at| format!("\"c {at}\" smallint")).collect();
    let values: Vec<String> =
        (0..1600).map(|at| if at % 7 == 0 { "NULL".to_owned() } else { at.to_string() }).collect();
    let long = "ü".repeat(31);
    old.run(&format!(
        "CREATE TABLE \"{long}\" ({}); INSERT INTO \"{long}\" VALUES ({}); CREATE UNIQUE INDEX \"i{long}\" ON \"{long}\" (\"c 1\");
         CREATE TABLE \"a\nb\" (\"c\td\" text); INSERT INTO \"a\nb\" VALUES ('x')",
        columns.join(", "),
        values.join(", ")
    ))
    .await;
    round_trip(&old, &new).await;
    old.drop().await;
    new.drop().await;
}
