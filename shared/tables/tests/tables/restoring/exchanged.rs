//! Tables whose rows cannot be replaced one by one: keys that are exchanged between rows, circular references, rows that are
//! referenced by others, values that only the database generates.

use strongroom_tables::Error;
use strongroom_tables::load::{Mode, Refusal, Wanted};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{GRANTED, Owned, PLAIN, Server, servers};
use crate::restoring::restore::{ID, discard, restore, roll_back, tried};

/// Replaces the rows with those from before `changes`, and rolls that back.
async fn there_and_back(purpose: &str, made: &str, changes: &str) {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("{purpose}_{name}")).await else { return };
        database.run(made).await;
        let archive = Archive::of(&database.url).await;
        database.run(changes).await;
        let changed = Archive::of(&database.url).await;
        assert_ne!(changed.content(), archive.content());
        let before = database.dumped();

        let wanted = archive.wanted(Mode::Replace);
        let compared = tried(&database.url, &archive, &wanted).await.unwrap();
        assert_eq!(compared.refusals, [], "{purpose} {name}");
        restore(&database.url, &archive, &wanted).await.unwrap();
        assert_eq!(Archive::of(&database.url).await.content(), archive.content(), "{purpose} {name}");
        assert_eq!(database.dumped(), before);
        roll_back(&database.url, ID, false).await.unwrap();
        assert_eq!(Archive::of(&database.url).await.content(), changed.content(), "{purpose} {name}");
        assert_eq!(database.dumped(), before);
        database.drop().await;
    }
}

#[tokio::test]
async fn references_in_circles() {
    let made = "
        CREATE TABLE a (id int PRIMARY KEY, b int);
        CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a ON DELETE RESTRICT);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b ON DELETE RESTRICT;
        COMMENT ON CONSTRAINT b_a_fkey ON b IS 'it''s \\ kept';
        CREATE TABLE itself (id int PRIMARY KEY, up int REFERENCES itself ON DELETE CASCADE);
        INSERT INTO a VALUES (1), (2);
        INSERT INTO b VALUES (1, 2), (2, 1);
        UPDATE a SET b = id;
        INSERT INTO itself VALUES (1, 1), (2, 1), (3, 2);";
    let changes = "
        UPDATE a SET b = NULL; DELETE FROM b; DELETE FROM a WHERE id = 2; INSERT INTO a VALUES (3);
        INSERT INTO b VALUES (5, 3); UPDATE a SET b = 5;
        DELETE FROM itself; INSERT INTO itself VALUES (9, 9), (1, 9);";
    there_and_back("circles", made, changes).await;
}

#[tokio::test]
async fn unique_values_that_change_places() {
    let made = r#"
        CREATE TABLE places (id int PRIMARY KEY, place int NOT NULL UNIQUE, late int UNIQUE DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE spans (id int PRIMARY KEY, span int4range, EXCLUDE USING gist (span WITH &&),
                            late int4range, EXCLUDE USING gist (late WITH &&) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE folded (name text, tenant int, n int);
        CREATE UNIQUE INDEX ON folded (lower(name), tenant) WHERE n > 0;
        INSERT INTO places SELECT i, i, i FROM generate_series(1, 50) i;
        INSERT INTO spans SELECT i, int4range(i * 10, i * 10 + 10), int4range(i * 10, i * 10 + 10)
            FROM generate_series(1, 20) i;
        INSERT INTO folded VALUES ('A', 1, 1), ('a', 1, 0), ('b', 1, 1);"#;
    let changes = "
        UPDATE places SET place = place + 1000; UPDATE places SET place = 1051 - place, late = 51 - late;
        UPDATE spans SET span = int4range(210 + id * 10, 220 + id * 10);
        UPDATE spans SET span = int4range(210 - id * 10, 220 - id * 10), late = int4range(210 - id * 10, 220 - id * 10);
        UPDATE folded SET n = 1 - n;";
    there_and_back("places", made, changes).await;
}

#[tokio::test]
async fn values_that_only_the_database_gives() {
    let made = "
        CREATE TABLE given (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
                            twice int GENERATED ALWAYS AS (a * 2) STORED UNIQUE, UNIQUE (id, twice));
        CREATE TABLE only_computed (a int DEFAULT 3, b int GENERATED ALWAYS AS (a + 1) STORED);
        CREATE TABLE of_given (id bigint PRIMARY KEY, twice int, FOREIGN KEY (id, twice) REFERENCES given (id, twice));
        INSERT INTO given (a) SELECT i FROM generate_series(1, 10) i;
        INSERT INTO only_computed VALUES (1), (1), (2);
        INSERT INTO of_given SELECT id, twice FROM given;";
    let changes = "DELETE FROM of_given; DELETE FROM given WHERE id < 5; UPDATE given SET a = a + 100;
        INSERT INTO given (a) VALUES (1), (2); INSERT INTO of_given SELECT id, twice FROM given LIMIT 2;
        DELETE FROM only_computed WHERE a = 2;";
    there_and_back("given", made, changes).await;
}

#[tokio::test]
async fn odd_names_and_many_columns() {
    let columns: Vec<String> = (1..1600).map(|at| format!("c{at} smallint")).collect();
    let made = format!(
        r#"CREATE SCHEMA "od""d
schema";
        CREATE TABLE "od""d
schema"."ta'b""le
$1 \ 🦀" ("k""e'y
" text, "other \ " int, v text, PRIMARY KEY ("k""e'y
", "other \ "));
        CREATE TABLE "od""d
schema"."refers ""to" (id int PRIMARY KEY, "a " text, b int,
            CONSTRAINT "it's ""so""" FOREIGN KEY ("a ", b) REFERENCES "od""d
schema"."ta'b""le
$1 \ 🦀" MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
        INSERT INTO "od""d
schema"."ta'b""le
$1 \ 🦀" VALUES ('a''\', 1, 'x'), ('b', 2, 'y');
        INSERT INTO "od""d
schema"."refers ""to" VALUES (1, 'a''\', 1), (2, NULL, NULL);
        CREATE TABLE wide (id int PRIMARY KEY, {});
        INSERT INTO wide (id, c1, c1599) VALUES (1, 1, 1), (2, NULL, 2);
        CREATE TABLE wide_without_key (id int, {});
        INSERT INTO wide_without_key (id, c1, c1599) VALUES (1, 1, 1), (1, 1, 1), (2, NULL, 2);"#,
        columns.join(", "),
        columns.join(", ")
    );
    let changes = r#"DELETE FROM "od""d
schema"."ta'b""le
$1 \ 🦀" WHERE v = 'x';
        UPDATE "od""d
schema"."ta'b""le
$1 \ 🦀" SET v = 'z';
        UPDATE wide SET c1599 = c1599 + 1; DELETE FROM wide_without_key WHERE id = 2;
        INSERT INTO wide_without_key (id) VALUES (1)"#;
    there_and_back("odd_names", &made, changes).await;
}

#[tokio::test]
async fn partitions_and_their_own_keys() {
    let made = "
        CREATE TABLE kinds (id int PRIMARY KEY);
        CREATE TABLE parts (id int, day int, kind int, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
        CREATE TABLE parts_2 (note text, kind int, day int NOT NULL, id int NOT NULL);
        ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20);
        ALTER TABLE parts_2 ADD FOREIGN KEY (kind) REFERENCES kinds;
        CREATE TABLE of_parts (id int PRIMARY KEY, part int, day int, FOREIGN KEY (part, day) REFERENCES parts);
        CREATE TABLE of_one (id int, day int, FOREIGN KEY (id, day) REFERENCES parts_1);
        CREATE TABLE bare (id int, day int) PARTITION BY LIST (day);
        CREATE TABLE bare_1 PARTITION OF bare DEFAULT;
        INSERT INTO kinds VALUES (1), (2);
        INSERT INTO parts SELECT i, i % 20, 1, 'n' FROM generate_series(1, 60) i;
        INSERT INTO of_parts SELECT id, id, day FROM parts;
        INSERT INTO of_one SELECT id, day FROM parts_1;
        INSERT INTO bare VALUES (1, 1), (1, 1), (2, 2);";
    let changes = "
        DELETE FROM of_parts WHERE id > 20; DELETE FROM of_one; DELETE FROM parts WHERE id > 20;
        UPDATE parts SET note = 'm', kind = 2 WHERE id > 5; DELETE FROM kinds WHERE id = 1 AND false;
        INSERT INTO bare VALUES (1, 1); DELETE FROM bare WHERE id = 2;";
    there_and_back("partitions", made, changes).await;
}

#[tokio::test]
async fn keys_that_compare_in_their_own_way() {
    let Some(database) = Owned::create(GRANTED, "own_equality").await else { return };
    database.as_superuser("CREATE EXTENSION citext SCHEMA public").await;
    database
        .run(
            "CREATE TABLE people (name citext PRIMARY KEY, age int);
             CREATE TABLE pets (id int PRIMARY KEY, owner citext REFERENCES people);
             INSERT INTO people VALUES ('Ada', 1), ('Bob', 2); INSERT INTO pets VALUES (1, 'ADA'), (2, 'bob');",
        )
        .await;
    let archive = Archive::of(&database.url).await;
    database
        .run("UPDATE people SET name = 'ada', age = 3 WHERE name = 'ada'; DELETE FROM pets WHERE id = 2")
        .await;
    database.run("DELETE FROM people WHERE name = 'bob'").await;
    let merged = restore(&database.url, &archive, &archive.wanted(Mode::Merge)).await.unwrap();
    let counts: Vec<_> = merged.tables.iter().map(|one| (one.created, one.conflicts, one.kept)).collect();
    assert_eq!(counts, [(1, 1, 0), (1, 0, 1)]);
    let names = database.values("SELECT name::text FROM people ORDER BY 1").await;
    assert_eq!(names, ["Bob", "ada"]);
    roll_back(&database.url, ID, false).await.unwrap();
    let replaced = restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
    assert_eq!((replaced.tables[0].created, replaced.tables[0].changed), (1, 1));
    assert_eq!(Archive::of(&database.url).await.content(), archive.content());
    database.drop().await;
}

#[tokio::test]
async fn columns_that_the_archive_lacks_keep_their_values() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("lacking_{name}")).await else { return };
        database
            .run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
            .await;
        let archive = Archive::of(&database.url).await;
        database
            .run(
                "ALTER TABLE t ADD COLUMN later text DEFAULT 'new'; UPDATE t SET later = 'mine ' || id, a = a * (id % 2);
                 DELETE FROM t WHERE id = 3",
            )
            .await;
        restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
        let rows = database.values("SELECT (id, a, later)::text FROM t ORDER BY id").await;
        assert_eq!(rows, ["(1,1,\"mine 1\")", "(2,2,\"mine 2\")", "(3,3,new)"]);
        roll_back(&database.url, ID, false).await.unwrap();
        let rows = database.values("SELECT (id, a, later)::text FROM t ORDER BY id").await;
        assert_eq!(rows, ["(1,1,\"mine 1\")", "(2,0,\"mine 2\")"]);
        database.drop().await;
    }
}

const OUTSIDE: &str = "
    CREATE TABLE owners (id int PRIMARY KEY, name text);
    INSERT INTO owners VALUES (0, 'default'), (1, 'old');
    CREATE TABLE things (id int PRIMARY KEY, owner int DEFAULT 0 REFERENCES owners ON DELETE CASCADE, note text);
    CREATE TABLE parts (id int PRIMARY KEY, thing int REFERENCES things ON DELETE CASCADE);
    CREATE TABLE notes (id int PRIMARY KEY, owner int REFERENCES owners ON DELETE SET NULL, other int);
    CREATE TABLE marks (id int PRIMARY KEY, owner int DEFAULT 0 REFERENCES owners ON DELETE SET DEFAULT);
    CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired'; END $$;";

const NEWER: &str = "
    INSERT INTO owners VALUES (2, 'new'), (3, 'newer');
    INSERT INTO things VALUES (1, 1, 'stays'), (2, 2, 'goes'), (3, 3, 'goes'), (4, NULL, 'stays');
    INSERT INTO parts VALUES (1, 1), (2, 2), (3, 3), (4, NULL);
    INSERT INTO notes VALUES (1, 1, 7), (2, 2, 8);
    INSERT INTO marks VALUES (1, 1), (2, 3);
    CREATE TRIGGER loud BEFORE DELETE OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION fire();
    ALTER TABLE things ENABLE ALWAYS TRIGGER loud;";

#[tokio::test]
async fn rows_outside_go_only_if_that_is_accepted_and_come_back() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("cascade_{name}")).await else { return };
        database.run(OUTSIDE).await;
        let archive = Archive::of(&database.url).await.only(&["owners"]);
        database.run(NEWER).await;
        let (changed, before) = (Archive::of(&database.url).await.content(), database.dumped());
        let wanted = archive.wanted(Mode::Replace);
        let refused = refusals_of(&database, &archive, &wanted).await;
        let named: Vec<_> = refused.iter().map(said).collect();
        assert_eq!(
            named,
            ["marks_owner_fkey 1", "notes_owner_fkey 1", "things_owner_fkey 2"],
            "{name}: {refused:?}"
        );
        assert_eq!(Archive::of(&database.url).await.content(), changed);

        let wanted = Wanted { accept_cascade: true, ..wanted };
        assert_eq!(tried(&database.url, &archive, &wanted).await.unwrap().refusals, []);
        restore(&database.url, &archive, &wanted).await.unwrap();
        for (sql, expected) in [
            ("SELECT owners::text FROM owners ORDER BY id", &["(0,default)", "(1,old)"][..]),
            ("SELECT things::text FROM things ORDER BY id", &["(1,1,stays)", "(4,,stays)"]),
            ("SELECT parts::text FROM parts ORDER BY id", &["(1,1)", "(4,)"]),
            ("SELECT notes::text FROM notes ORDER BY id", &["(1,1,7)", "(2,,8)"]),
            ("SELECT marks::text FROM marks ORDER BY id", &["(1,1)", "(2,0)"]),
        ] {
            assert_eq!(database.values(sql).await, expected, "{name} {sql}");
        }
        assert_eq!(database.dumped(), before);
        database.run("UPDATE notes SET other = 9 WHERE id = 2").await;
        roll_back(&database.url, ID, false).await.unwrap();
        database.run("UPDATE notes SET other = 8 WHERE id = 2").await;
        assert_eq!(Archive::of(&database.url).await.content(), changed);
        assert_eq!(database.dumped(), before);
        database.drop().await;
    }
}

#[tokio::test]
async fn rows_that_others_hold_are_never_taken() {
    for (server, name) in servers() {
        for action in ["RESTRICT", "NO ACTION"] {
            let Some(database) = Owned::create(server, &format!("held_{name}")).await else { return };
            database.run("CREATE TABLE o (id int PRIMARY KEY); INSERT INTO o VALUES (1)").await;
            let archive = Archive::of(&database.url).await;
            database
                .run(&format!(
                    "INSERT INTO o VALUES (2); CREATE TABLE c (id int PRIMARY KEY, o int REFERENCES o ON DELETE CASCADE);
                     CREATE TABLE d (c int REFERENCES c ON DELETE {action}); INSERT INTO c VALUES (1, 2), (2, 1);
                     INSERT INTO d VALUES (1)"
                ))
                .await;
            let before = (Archive::of(&database.url).await.content(), database.dumped());
            let wanted = Wanted { accept_cascade: true, ..archive.wanted(Mode::Replace) };
            let refused = refusals_of(&database, &archive, &wanted).await;
            assert_eq!(refused.iter().map(said).collect::<Vec<_>>(), ["d_c_fkey 1"]);
            assert_eq!((Archive::of(&database.url).await.content(), database.dumped()), before);
            database.drop().await;
        }
    }
}

fn said(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Referenced { constraint, rows, .. } | Refusal::Dangling { constraint, rows, .. } => {
            format!("{constraint} {rows}")
        }
        Refusal::Violated { table, constraint, .. } => format!("{table} {constraint}"),
        other => other.reason().to_owned(),
    }
}

/// The swap's refusals. The trial must report the same, as far as it can know.
async fn refusals_of(database: &Owned, archive: &Archive, wanted: &Wanted) -> Vec<Refusal> {
    let failed = restore(&database.url, archive, wanted).await;
    let mut discarding = crate::restoring::restore::target(&database.url).await;
    discard(&mut discarding, ID).await;
    discarding.close().await;
    match failed.unwrap_err() {
        Error::Refused { refusals, .. } => refusals,
        other => panic!("{other}"),
    }
}

/// The violations reported by trial and swap.
async fn violated(
    server: Server,
    made: &str,
    changes: &str,
    only: &[&str],
    mode: Mode,
) -> Option<[Vec<String>; 2]> {
    let database = Owned::create(server, "violated").await?;
    database.run(made).await;
    let archive = Archive::of(&database.url).await.only(only);
    database.run(changes).await;
    let before = (Archive::of(&database.url).await.content(), database.dumped());
    let wanted = archive.wanted(mode);
    let compared = tried(&database.url, &archive, &wanted).await.unwrap();
    let swapped = refusals_of(&database, &archive, &wanted).await;
    assert_eq!((Archive::of(&database.url).await.content(), database.dumped()), before);
    database.drop().await;
    Some([compared.refusals.iter().map(said).collect(), swapped.iter().map(said).collect()])
}

const PAIR: &str =
    "CREATE TABLE p (id int PRIMARY KEY, v int); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);
                INSERT INTO p VALUES (1, 1), (2, 1); INSERT INTO c VALUES (1, 1), (2, 2);";
const SPANS: &str =
    "CREATE TABLE s (id int PRIMARY KEY, r int4range); INSERT INTO s VALUES (1, '[1,5)'), (2, '[4,9)');";
const EXCLUDE: &str = "DELETE FROM s; ALTER TABLE s ADD EXCLUDE USING gist (r WITH &&)";

/// A schema with rows, changes, and the archive's tables; then the trial's and the swap's reports.
type Violating = (&'static str, &'static str, &'static [&'static str], Mode, &'static str, &'static str);
const VIOLATING: &[Violating] = &[
    (PAIR, "DELETE FROM c; DELETE FROM p WHERE id = 2", &["c"], Mode::Replace, "c_p_fkey 1", "c_p_fkey 1"),
    (PAIR, "DELETE FROM c; DELETE FROM p WHERE id = 2", &["c"], Mode::Merge, "c_p_fkey 1", "c_p_fkey 1"),
    (
        PAIR,
        "DELETE FROM c; DELETE FROM p; ALTER TABLE p ADD UNIQUE (v)",
        &["p"],
        Mode::Replace,
        "p p_v_key",
        "p p_v_key",
    ),
    (
        PAIR,
        "DELETE FROM c; DELETE FROM p; ALTER TABLE p ADD UNIQUE (v) DEFERRABLE INITIALLY DEFERRED",
        &["p"],
        Mode::Replace,
        "p p_v_key",
        "p p_v_key",
    ),
    (
        PAIR,
        "DELETE FROM c; DELETE FROM p WHERE id = 2; ALTER TABLE p ADD UNIQUE (v)",
        &["p"],
        Mode::Merge,
        "p p_v_key",
        "p p_v_key",
    ),
    (SPANS, EXCLUDE, &["s"], Mode::Replace, "s s_r_excl", "s s_r_excl"),
    (
        SPANS,
        "DELETE FROM s; ALTER TABLE s ADD EXCLUDE USING gist (r WITH &&) DEFERRABLE INITIALLY DEFERRED",
        &["s"],
        Mode::Replace,
        "s s_r_excl",
        "s s_r_excl",
    ),
    (
        "CREATE TABLE g (id int PRIMARY KEY, a int); INSERT INTO g VALUES (1, 1), (2, -1);",
        "DELETE FROM g; ALTER TABLE g ADD COLUMN b int GENERATED ALWAYS AS (abs(a)) STORED UNIQUE",
        &["g"],
        Mode::Replace,
        "",
        "g g_b_key",
    ),
];

#[tokio::test]
async fn what_the_target_would_not_take_is_named() {
    for &(made, changes, only, mode, compared, swapped) in VIOLATING {
        for server in [PLAIN, GRANTED] {
            let Some(found) = violated(server, made, changes, only, mode).await else { return };
            let [first, second] =
                [compared, swapped].map(|one| if one.is_empty() { Vec::new() } else { vec![one.to_owned()] });
            assert_eq!(found, [first, second], "{changes}");
        }
    }
}
