<<<<<<< HEAD
//! Restores that end early: what they say, and what they leave.

use strongroom_tables::Error;
use strongroom_tables::SnapshotOptions;
use strongroom_tables::load::{Mode, Purpose, RestoreState, TargetOptions, Wanted};
use tokio::sync::mpsc;

use crate::archive::Archive;
use crate::owned::{Owned, PLAIN};
use crate::restore::{ID, restore, staged, target, tried};

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

/// Each row that the target does not take: by what its message ends with. The text `secret` must be in none.
#[tokio::test]
async fn rows_that_are_not_taken_are_told_by_what_they_violate() {
    let Some(old) = Owned::create(PLAIN, "refused_old").await else { return };
    let new = Owned::create(PLAIN, "refused_new").await.unwrap();
    old.run(OLD).await;
    new.run(NEW).await;
    for (row, problem) in [
        ("(2, 'secret'), (3, 'secret')", "some have the same values in the key t_a, b_key"),
        ("(2, 'x', 'secret')", "some violate the check t_n_check"),
        ("(2, 'x', 'x', 7777)", "the foreign key t_grp_fkey would lead nowhere"),
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
                    format!("table t of source app does not take the archive's rows: {problem}")
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
    target.discard(ID).await.unwrap();
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
        let mut target = crate::restore::target(&new.url).await;
        assert_eq!(target.state_of(ID).await.unwrap(), Some(RestoreState::Staged));
        target.close().await;
        discard(&new).await;
        assert_eq!(new.dumped(), before);
        assert_eq!(new.value::<i64>("SELECT count(*) FROM t").await, 0);
    }
    old.drop().await;
    new.drop().await;
}

/// A trial loads everything beside the tables, for each mode, and nobody sees anything of it.
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

/// A table that is not restored can be read while rows come into those that it references, or that reference it.
/// (Whoever adds a row to it waits: the server opens the referenced table even where nothing is referenced.)
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
    stage.swap(&crate::restore::LIMITS).await.unwrap();
    discard(&new).await;
    assert_eq!(new.dumped(), before);
    assert_eq!(Archive::of(&new.url).await.only(&["t"]).content(), archive.content());

    new.run("DELETE FROM t; DELETE FROM outside WHERE id = 2").await;
    let error = restore(&new.url, &archive, &wanted).await.unwrap_err().to_string();
    assert!(error.ends_with("the foreign key t_o_fkey would lead nowhere"), "{error}");
    assert_eq!(new.value::<i64>("SELECT count(*) FROM t").await, 0);
    old.drop().await;
    new.drop().await;
}

/// A database that takes any bytes for text.
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
            target.discard(ID).await.unwrap();
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
=======
//! What stands against a restore, each by name: in the inspection, and again when a stage begins.

use strongroom_tables::load::{Mode, Purpose, Refusal, Wanted};
use strongroom_tables::{Error, MigrationsTable, SnapshotOptions};

use crate::archive::Archive;
use crate::owned::{GRANTED, Owned, PLAIN, Server};
use crate::restore::{ID, staged, target};

const MADE: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE t (id int PRIMARY KEY, a int, m mood);
    CREATE TABLE other (id int PRIMARY KEY, t int REFERENCES t);
    CREATE TABLE migrations (id int PRIMARY KEY, version text);
    INSERT INTO t VALUES (1, 1, 'ok'); INSERT INTO other VALUES (1, 1);
    INSERT INTO migrations VALUES (1, '001'), (2, '002');";

struct Case {
    /// As the owner, and before that as the superuser; `ROLE` and `DATABASE` are replaced.
    changes: &'static str,
    as_superuser: &'static str,
    mode: Mode,
    only: &'static [&'static str],
    reasons: &'static [&'static str],
    /// A part of the first message.
    says: &'static str,
}

const CASE: Case = Case {
    changes: "",
    as_superuser: "",
    mode: Mode::Replace,
    only: &["t", "other"],
    reasons: &[],
    says: "",
};

async fn refuses(server: Server, case: &Case) {
    let Some(database) = Owned::create(server, "refuses").await else { return };
    database.run(MADE).await;
    let options = SnapshotOptions {
        migrations: Some(MigrationsTable { table: "migrations".to_owned(), column: None }),
        ..SnapshotOptions::new("app")
    };
    let archive = Archive::with(&database.url, &options).await.only(case.only);
    let role: String = database.value("SELECT current_user::text").await;
    let name: String = database.value("SELECT current_database()::text").await;
    let filled = |sql: &str| sql.replace("ROLE", &role).replace("DATABASE_NAME", &name);
    database.run(&filled(case.changes)).await;
    database.as_superuser(&filled(case.as_superuser)).await;
    let wanted = archive.wanted(case.mode);
    let found = crate::restore::target_with(&database.url, &options).await.inspect(&wanted).await.unwrap();
    let reasons: Vec<&str> = found.refusals.iter().map(Refusal::reason).collect();
    assert_eq!(reasons, case.reasons, "{} {}: {:?}", case.changes, case.as_superuser, found.refusals);
    if let Some(first) = found.refusals.first() {
        assert!(first.to_string().contains(&filled(case.says)), "{first}");
        let target = crate::restore::target_with(&database.url, &options).await;
        let purpose = Purpose::Restore(ID.to_owned());
        let refused = target.stage(&wanted, &found.fingerprint, &purpose).await.err().unwrap();
        let Error::Refused { refusals, .. } = refused else { panic!("{refused}") };
        assert_eq!(refusals, found.refusals);
        let others = "SELECT nspname::text FROM pg_namespace WHERE nspname = 'strongroom' AND nspowner <> 10";
        assert_eq!(database.values(others).await, [""; 0]);
    }
    database.drop().await;
}

#[tokio::test]
async fn each_by_its_name() {
    let cases = [
        CASE,
        Case { changes: "DROP TABLE other", reasons: &["TABLE_MISSING"], says: "other", ..CASE },
        Case {
            mode: Mode::IntoEmpty,
            reasons: &["TABLE_NOT_EMPTY", "TABLE_NOT_EMPTY"],
            says: "is not empty",
            ..CASE
        },
        Case {
            changes: "ALTER TABLE t DROP COLUMN a",
            reasons: &["COLUMN_MISSING"],
            says: "no column a",
            ..CASE
        },
        Case {
            changes: "DELETE FROM other; DELETE FROM t; ALTER TABLE t ADD COLUMN n int NOT NULL",
            reasons: &["COLUMN_NEEDED"],
            says: "column n",
            ..CASE
        },
        Case {
            changes: "ALTER TABLE t ALTER COLUMN a TYPE bigint",
            reasons: &["COLUMN_TYPE"],
            says: "is integer in the archive and bigint",
            ..CASE
        },
        Case {
            changes: "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
            reasons: &["COLUMN_NOT_NULL"],
            says: "column a",
            ..CASE
        },
        Case {
            changes: "ALTER TABLE t DROP COLUMN a, ADD COLUMN a int GENERATED ALWAYS AS (id) STORED",
            reasons: &["COLUMN_FORM"],
            says: "computes",
            ..CASE
        },
        Case {
            changes: "ALTER TABLE other DROP CONSTRAINT other_pkey",
            mode: Mode::Merge,
            reasons: &["NO_KEY"],
            says: "other",
            ..CASE
        },
        Case {
            changes: "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = 1)",
            only: &["t"],
            reasons: &["ROW_SECURITY"],
            says: "hides rows from ROLE",
            ..CASE
        },
        Case {
            changes: "CREATE RULE quiet AS ON INSERT TO t DO INSTEAD NOTHING",
            reasons: &["RULE"],
            says: "rule quiet",
            ..CASE
        },
        Case {
            changes: "CREATE PUBLICATION p FOR TABLE t; ALTER TABLE t REPLICA IDENTITY NOTHING",
            reasons: &["REPLICA_IDENTITY"],
            says: "publication p",
            ..CASE
        },
        Case {
            changes: "CREATE PUBLICATION p FOR TABLE t; ALTER TABLE t REPLICA IDENTITY NOTHING",
            mode: Mode::Merge,
            ..CASE
        },
        Case {
            changes: "CREATE PUBLICATION p FOR TABLE t WITH (publish = 'insert'); ALTER TABLE t REPLICA IDENTITY NOTHING",
            ..CASE
        },
        Case {
            changes: "DROP TABLE other, t; DROP TYPE mood; CREATE TYPE mood AS ENUM ('sad');
                CREATE TABLE t (id int PRIMARY KEY, a int, m mood);
                CREATE TABLE other (id int PRIMARY KEY, t int REFERENCES t);",
            reasons: &["ENUM_LABEL"],
            says: "ADD VALUE 'ok'",
            ..CASE
        },
        Case {
            as_superuser: "ALTER DATABASE DATABASE_NAME OWNER TO CURRENT_USER",
            reasons: &["RIGHT_MISSING"],
            says: "may not create the schema strongroom: GRANT CREATE ON DATABASE \"DATABASE_NAME\" TO \"ROLE\"",
            ..CASE
        },
        Case {
            as_superuser: "CREATE SCHEMA strongroom",
            reasons: &["RIGHT_MISSING"],
            says: "GRANT USAGE, CREATE ON SCHEMA strongroom TO \"ROLE\"",
            ..CASE
        },
        Case {
            as_superuser: "ALTER DATABASE DATABASE_NAME OWNER TO CURRENT_USER; CREATE SCHEMA strongroom;
                GRANT USAGE, CREATE ON SCHEMA strongroom TO ROLE",
            ..CASE
        },
        Case {
            as_superuser: "ALTER TABLE public.other OWNER TO CURRENT_USER; GRANT ALL ON public.other TO ROLE",
            reasons: &["NOT_OWNER"],
            says: "table other belongs to",
            ..CASE
        },
        Case {
            changes: "DELETE FROM migrations WHERE id = 2",
            reasons: &["NEWER_MIGRATIONS"],
            says: "002",
            ..CASE
        },
        Case {
            as_superuser: "CREATE TABLE public.hidden (t int REFERENCES public.t)",
            reasons: &["RIGHT_MISSING"],
            says: "GRANT SELECT ON \"public\".\"hidden\" TO \"ROLE\"",
            ..CASE
        },
        Case {
            changes: "CREATE SEQUENCE s; ALTER TABLE t ALTER COLUMN a SET DEFAULT nextval('s')",
            as_superuser: "ALTER SEQUENCE public.s OWNER TO CURRENT_USER; GRANT USAGE ON SEQUENCE public.s TO ROLE",
            reasons: &["RIGHT_MISSING"],
            says: "GRANT UPDATE ON SEQUENCE",
            ..CASE
        },
    ];
    for case in &cases {
        refuses(GRANTED, case).await;
    }
    // Without the grant the table of a foreign key must be owned, because it is dropped for a while.
    let plain = Case {
        as_superuser: "CREATE TABLE public.theirs (t int REFERENCES public.t); GRANT SELECT ON public.theirs TO ROLE",
        reasons: &["NOT_OWNER"],
        says: "table theirs belongs to",
        ..CASE
    };
    refuses(PLAIN, &plain).await;
    refuses(GRANTED, &Case { reasons: &[], ..plain }).await;
}

#[tokio::test]
async fn a_partial_entry_replaces_nothing() {
    let Some(database) = Owned::create(GRANTED, "partial").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await;
    let mut wanted = archive.wanted(Mode::Replace);
    wanted.tables[1].is_partial = true;
    let found = target(&database.url).await.inspect(&wanted).await.unwrap();
    let table = wanted.tables[1].schema.name.clone();
    assert_eq!(found.refusals, [Refusal::Partial { table }]);
    let merged = Wanted { mode: Mode::Merge, ..wanted };
    assert_eq!(target(&database.url).await.inspect(&merged).await.unwrap().refusals, []);
    database.drop().await;
}

#[tokio::test]
async fn one_restore_at_a_time_and_nothing_left_of_it() {
    let Some(database) = Owned::create(GRANTED, "one_at_a_time").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await;
    let wanted = archive.wanted(Mode::Replace);
    // Two begin at the same time: one of them is told of the other.
    let ids = [ID.to_owned(), ID.replace('0', "f")];
    let [first, second] = ids.clone().map(Purpose::Restore);
    let both = tokio::join!(
        staged(&database.url, &archive, &wanted, &first),
        staged(&database.url, &archive, &wanted, &second)
    );
    let (mut stage, winner) = match both {
        (Ok(stage), Err(Error::Refused { refusals, .. })) => {
            assert_eq!(refusals, [Refusal::OtherRestore { id: ids[0].clone() }]);
            (stage, &ids[0])
        }
        (Err(Error::Refused { refusals, .. }), Ok(stage)) => {
            assert_eq!(refusals, [Refusal::OtherRestore { id: ids[1].clone() }]);
            (stage, &ids[1])
        }
        (first, second) => panic!("{:?} {:?}", first.err(), second.err()),
    };
    stage.keep().await.unwrap();
    stage.close().await;
    let found = target(&database.url).await.inspect(&wanted).await.unwrap();
    assert_eq!(found.refusals, [Refusal::OtherRestore { id: winner.clone() }]);
    // Cleaning up, several at once and twice.
    for _ in 0..2 {
        let discards = (0..4).map(|_| async {
            let mut target = target(&database.url).await;
            target.discard(winner).await.unwrap();
            assert_eq!(target.state_of(winner).await.unwrap(), None);
        });
        futures_util::future::join_all(discards).await;
    }
    let ours = "SELECT nspname::text FROM pg_namespace WHERE nspname = 'strongroom'";
    assert_eq!(database.values(ours).await, [""; 0]);
    database.drop().await;
}

#[tokio::test]
async fn a_plan_is_stale_by_one_column_trigger_or_constraint() {
    let Some(database) = Owned::create(GRANTED, "stale").await else { return };
    database.run(MADE).await;
    database
        .run(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
             CREATE TRIGGER there BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing()",
        )
        .await;
    let archive = Archive::of(&database.url).await;
    let wanted = Wanted {
        tables: archive.wanted(Mode::Replace).tables.into_iter().take(3).collect(),
        ..archive.wanted(Mode::Replace)
    };
    for change in [
        "ALTER TABLE t ADD COLUMN n int",
        "ALTER TABLE t ALTER COLUMN n SET DEFAULT 3",
        "CREATE TRIGGER more BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing()",
        "ALTER TABLE t DISABLE TRIGGER there",
        "ALTER TABLE t ENABLE ALWAYS TRIGGER there",
        "ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0)",
        "CREATE TABLE refers (t int)",
        "ALTER TABLE refers ADD FOREIGN KEY (t) REFERENCES t",
        "CREATE POLICY p ON t",
        "CREATE INDEX ON t (a)",
        "CREATE SEQUENCE s OWNED BY t.a",
    ] {
        let found = target(&database.url).await.inspect(&wanted).await.unwrap();
        let again = target(&database.url).await.inspect(&wanted).await.unwrap();
        assert_eq!(found.fingerprint, again.fingerprint);
        // Before the stage begins, and between that and the swap.
        let staged = staged(&database.url, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await;
        let mut stage = staged.unwrap();
        stage.keep().await.unwrap();
        database.run("INSERT INTO other VALUES (7)").await;
        database.run(change).await;
        let swapped = stage.swap(&crate::restore::LIMITS).await;
        target(&database.url).await.discard(ID).await.unwrap();
        let begun = target(&database.url).await.stage(&wanted, &found.fingerprint, &Purpose::Trial).await;
        let rows: i64 = database.value("SELECT count(*) FROM other WHERE id = 7").await;
        database.run("DELETE FROM other WHERE id = 7").await;
        let other_table = change.starts_with("CREATE TABLE");
        assert_eq!(
            matches!(swapped, Err(Error::Stale { .. })),
            !other_table,
            "{change}: {:?}",
            swapped.err()
        );
        assert_eq!(matches!(begun, Err(Error::Stale { .. })), !other_table, "{change}: {:?}", begun.err());
        assert_eq!(rows, i64::from(!other_table));
    }
    database.drop().await;
}

#[tokio::test]
async fn readers_wait_only_without_the_grant_and_are_told_what_helps() {
    for (server, waits) in [(PLAIN, true), (GRANTED, false)] {
        let Some(database) = Owned::create(server, "pauses").await else { return };
        database.run(MADE).await;
        database
            .run("CREATE VIEW v AS SELECT a FROM t; CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM v")
            .await;
        let archive = Archive::of(&database.url).await;
        let found = target(&database.url).await.inspect(&archive.wanted(Mode::Replace)).await.unwrap();
        assert_eq!(found.pause.readers, waits);
        let role: String = database.value("SELECT current_user::text").await;
        let grant = format!("GRANT SET ON PARAMETER session_replication_role TO \"{role}\"");
        assert_eq!(found.pause.remedy, if waits { grant } else { String::new() });
        assert!(
            found.warnings.iter().any(|one| one.contains("REFRESH MATERIALIZED VIEW public.mv")),
            "{found:?}"
        );
        assert!(found.needed_bytes > 0);
        database.drop().await;
    }
>>>>>>> pg-load
}
