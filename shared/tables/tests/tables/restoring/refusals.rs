//! Reasons against a restore, each by name: in the inspection, and again when a stage begins.

use strongroom_tables::load::{Mode, Purpose, Refusal, Wanted};
use strongroom_tables::{Error, MigrationsTable, SnapshotOptions};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{GRANTED, Owned, PLAIN, Server};
use crate::restoring::restore::{ID, discard, staged, target};

const MADE: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE t (id int PRIMARY KEY, a int, m mood);
    CREATE TABLE other (id int PRIMARY KEY, t int REFERENCES t);
    CREATE TABLE migrations (id int PRIMARY KEY, version text);
    INSERT INTO t VALUES (1, 1, 'ok'); INSERT INTO other VALUES (1, 1);
    INSERT INTO migrations VALUES (1, '001'), (2, '002');";

struct Case {
    /// Statements run as the owner, after those run as the superuser; `ROLE` and `DATABASE` are replaced.
    changes: &'static str,
    as_superuser: &'static str,
    mode: Mode,
    only: &'static [&'static str],
    reasons: &'static [&'static str],
    /// Part of the first message.
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
    let found =
        crate::restoring::restore::target_with(&database.url, &options).await.inspect(&wanted).await.unwrap();
    let reasons: Vec<&str> = found.refusals.iter().map(Refusal::reason).collect();
    assert_eq!(reasons, case.reasons, "{} {}: {:?}", case.changes, case.as_superuser, found.refusals);
    if let Some(first) = found.refusals.first() {
        assert!(first.to_string().contains(&filled(case.says)), "{first}");
        let target = crate::restoring::restore::target_with(&database.url, &options).await;
        let purpose = Purpose::Restore(ID.to_owned());
        let refused = target.stage(&wanted, &found.fingerprint, &purpose).await.err().unwrap();
        let Error::Refused { refusals, .. } = refused else { panic!("{refused}") };
        assert_eq!(refusals, found.refusals);
        let others = "SELECT nspname::text FROM pg_namespace WHERE nspname = 'strongroom' AND nspowner <> 10";
        assert_eq!(database.values(others).await, [""; 0]);
    }
    database.drop().await;
}

const CASES: &[Case] = &[
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
        says: "has no right to create the schema strongroom: GRANT CREATE ON DATABASE \"DATABASE_NAME\" TO \"ROLE\"",
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
        changes: "DELETE FROM other; DELETE FROM t",
        as_superuser: "ALTER DATABASE DATABASE_NAME OWNER TO CURRENT_USER; GRANT CREATE ON DATABASE DATABASE_NAME TO ROLE",
        mode: Mode::IntoEmpty,
        reasons: &["RIGHT_MISSING"],
        says: "GRANT CREATE ON SCHEMA \"public\" TO \"ROLE\"",
        ..CASE
    },
    Case {
        changes: "DELETE FROM other; DELETE FROM t; ALTER TABLE other DROP CONSTRAINT other_t_fkey;
                  ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE other DROP CONSTRAINT other_pkey",
        as_superuser: "ALTER DATABASE DATABASE_NAME OWNER TO CURRENT_USER; GRANT CREATE ON DATABASE DATABASE_NAME TO ROLE",
        mode: Mode::IntoEmpty,
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
        changes: "UPDATE migrations SET version = version || '.'; INSERT INTO migrations SELECT i, 'x' || i FROM generate_series(3, 9999) i",
        reasons: &["NEWER_MIGRATIONS"],
        says: "001, 002 among them",
        ..CASE
    },
    Case {
        changes: "DELETE FROM other; DELETE FROM t; DELETE FROM migrations",
        mode: Mode::IntoEmpty,
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

#[tokio::test]
async fn each_by_its_name() {
    for case in CASES {
        refuses(GRANTED, case).await;
    }
    // Without the grant, the referencing table must be owned, because its foreign key is dropped temporarily.
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
async fn tables_are_created_only_where_their_schemas_allow_it() {
    let Some(database) = Owned::create(GRANTED, "schemas").await else { return };
    database.run("CREATE SCHEMA theirs; CREATE TABLE theirs.t (a int); CREATE TABLE u (a int)").await;
    let archive = Archive::of(&database.url).await;
    let role: String = database.value("SELECT current_user::text").await;
    let name: String = database.value("SELECT current_database()::text").await;
    database.run("DROP SCHEMA theirs CASCADE; DROP TABLE u").await;
    let taken = format!("CREATE SCHEMA strongroom; GRANT ALL ON SCHEMA strongroom TO {role}");
    database.as_superuser(&format!("ALTER DATABASE {name} OWNER TO CURRENT_USER; {taken}")).await;
    let mut wanted = archive.wanted(Mode::IntoEmpty);
    wanted.create_tables = true;
    let found = target(&database.url).await.inspect(&wanted).await.unwrap();
    let said: Vec<String> = found.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains(&format!("GRANT CREATE ON SCHEMA \"public\" TO \"{role}\"")), "{said:?}");
    assert!(said[1].contains(&format!("GRANT CREATE ON DATABASE \"{name}\" TO \"{role}\"")), "{said:?}");
    database.drop().await;
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
    // Two begin at the same time: one of them is refused because of the other.
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
    // Cleaning up, concurrently and repeatedly.
    for _ in 0..2 {
        let discards = (0..4).map(|_| async {
            let mut target = target(&database.url).await;
            discard(&mut target, winner).await;
            assert_eq!(target.state_of(winner).await.unwrap(), None);
        });
        futures_util::future::join_all(discards).await;
    }
    let ours = "SELECT nspname::text FROM pg_namespace WHERE nspname = 'strongroom'";
    assert_eq!(database.values(ours).await, [""; 0]);
    database.drop().await;
}

/// The table of restores is created and dropped by other restores, even between two statements of a reader.
#[tokio::test]
async fn looking_while_the_last_restore_goes() {
    let Some(database) = Owned::create(GRANTED, "looking").await else { return };
    let come_and_go = async {
        for _ in 0..200 {
            let made = "CREATE SCHEMA strongroom; CREATE TABLE strongroom.restores AS
                        SELECT ''::text AS id, 'staged'::text AS state, 0::bigint AS applied, NULL::text AS tables";
            database.run(made).await;
            database.run("DROP SCHEMA strongroom CASCADE").await;
        }
    };
    let look = async {
        let mut target = target(&database.url).await;
        for _ in 0..1_000 {
            assert_eq!(target.state_of(ID).await.unwrap(), None);
        }
        target.close().await;
    };
    tokio::join!(come_and_go, look);
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
        // A change before the stage begins, and one between that and the swap.
        let staged = staged(&database.url, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await;
        let mut stage = staged.unwrap();
        stage.keep().await.unwrap();
        database.run("INSERT INTO other VALUES (7)").await;
        database.run(change).await;
        let swapped = stage.swap(&crate::restoring::restore::LIMITS).await;
        discard(&mut target(&database.url).await, ID).await;
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
}

/// The refusal names ten, however many there are.
#[tokio::test]
async fn ten_newer_migrations_are_named() {
    let Some(database) = Owned::create(PLAIN, "newer").await else { return };
    database.run(MADE).await;
    let options = SnapshotOptions {
        migrations: Some(MigrationsTable { table: "migrations".to_owned(), column: None }),
        ..SnapshotOptions::new("app")
    };
    let mut archive = Archive::with(&database.url, &options).await.only(&["t"]);
    let migrations = archive.record.migrations.as_mut().unwrap();
    migrations.ids.extend((100..5000).map(|id| format!("it's {id}")));
    let ten: Vec<String> = (100..110).map(|id| format!("it's {id}")).collect();
    for gone in ["SELECT", "DROP TABLE migrations"] {
        database.run(gone).await;
        let mut looking = crate::restoring::restore::target_with(&database.url, &options).await;
        let found = looking.inspect(&archive.wanted(Mode::Replace)).await.unwrap();
        looking.close().await;
        let [Refusal::NewerMigrations { ids }] = &found.refusals[..] else { panic!("{:?}", found.refusals) };
        let first = if gone == "SELECT" { 0 } else { 2 };
        assert_eq!(ids.split(", ").skip(first).collect::<Vec<_>>(), ten[..10 - first], "{gone}");
    }
    database.drop().await;
}
