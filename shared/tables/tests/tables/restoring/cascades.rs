//! Rows that a cascade reaches indirectly. A row outside the restored tables references a restored row that is removed
//! (first level); further rows outside reference that row, which the cascade deletes (second level), and so on. The
//! plan counts the rows of every level, and requires the rights to change them.

use strongroom_tables::load::{Comparison, Mode, Refusal, Wanted};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{Owned, servers};
use crate::restoring::restore::{ID, restore, roll_back, target, tried};

const MADE: &str = "
    CREATE TABLE a (id int PRIMARY KEY);
    CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE, code text UNIQUE);
    CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b ON DELETE CASCADE, up int REFERENCES c ON DELETE CASCADE);
    CREATE TABLE d (id int PRIMARY KEY, code text REFERENCES b (code) ON DELETE SET NULL, c int REFERENCES c ON DELETE CASCADE);
    CREATE TABLE parts (id int, c int REFERENCES c ON DELETE CASCADE) PARTITION BY HASH (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO a VALUES (1);";
const LATER: &str = "
    INSERT INTO a VALUES (2);
    INSERT INTO b VALUES (1, 1, 'stays'), (2, 2, 'goes'), (3, 2, NULL), (4, NULL, 'free');
    INSERT INTO c VALUES (1, 1, 1), (2, 2, NULL), (3, NULL, 2), (4, 1, 3), (5, NULL, NULL);
    INSERT INTO d VALUES (1, 'stays', 1), (2, 'goes', 1), (3, 'goes', 4), (4, NULL, 2);
    INSERT INTO parts SELECT i, 1 + i % 5 FROM generate_series(1, 50) i;";

async fn planned(database: &Owned, archive: &Archive, accept_cascade: bool) -> (Wanted, Comparison) {
    let wanted = Wanted { accept_cascade, ..archive.wanted(Mode::Replace) };
    let compared = tried(&database.url, archive, &wanted).await.unwrap();
    (wanted, compared)
}

fn counted(compared: &Comparison) -> Vec<String> {
    let one = |refusal: &Refusal| match refusal {
        Refusal::Referenced { constraint, rows, .. } => format!("{constraint} {rows}"),
        other => panic!("{other}"),
    };
    compared.refusals.iter().map(one).collect()
}

#[tokio::test]
async fn rows_at_every_level_are_counted() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("levels_{name}")).await else { return };
        database.run(MADE).await;
        let archive = Archive::of(&database.url).await.only(&["a"]);
        database.run(LATER).await;
        let (changed, before) = (Archive::of(&database.url).await.content(), database.dumped());
        let (_, compared) = planned(&database, &archive, false).await;
        assert_eq!(
            counted(&compared),
            ["b_a_fkey 2", "c_b_fkey 1", "d_code_fkey 1", "c_up_fkey 2", "d_c_fkey 2", "parts_c_fkey 30"],
            "{name}"
        );
        assert_eq!(compared.warnings, [""; 0]);

        let (wanted, compared) = planned(&database, &archive, true).await;
        assert_eq!(compared.refusals, []);
        assert_eq!(
            compared.warnings,
            [
                "2 rows of b are removed with the rows of a that they reference (constraint b_a_fkey)",
                "1 rows of c are removed with the rows of b that they reference (constraint c_b_fkey)",
                "1 rows of d lose their references to removed rows of b (constraint d_code_fkey)",
                "2 rows of c are removed with the rows of c that they reference (constraint c_up_fkey)",
                "2 rows of d are removed with the rows of c that they reference (constraint d_c_fkey)",
                "30 rows of parts are removed with the rows of c that they reference (constraint parts_c_fkey)",
            ]
        );
        assert_eq!(
            (Archive::of(&database.url).await.content(), database.dumped()),
            (changed.clone(), before.clone())
        );
        restore(&database.url, &archive, &wanted).await.unwrap();
        for (sql, expected) in [
            ("SELECT b::text FROM b ORDER BY id", &["(1,1,stays)", "(4,,free)"][..]),
            ("SELECT c::text FROM c ORDER BY id", &["(1,1,1)", "(5,,)"]),
            ("SELECT d::text FROM d ORDER BY id", &["(1,stays,1)", "(2,,1)"]),
            ("SELECT c || ' ' || count(*) FROM parts GROUP BY c ORDER BY c", &["1 10", "5 10"]),
        ] {
            assert_eq!(database.values(sql).await, expected, "{name} {sql}");
        }
        roll_back(&database.url, ID, false).await.unwrap();
        assert_eq!((Archive::of(&database.url).await.content(), database.dumped()), (changed, before));
        database.drop().await;
    }
}

/// The plan shows what the swap would find.
#[tokio::test]
async fn rows_that_are_held_at_the_second_level_stand_against_the_plan() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("held_deep_{name}")).await else { return };
        database.run(MADE).await;
        let archive = Archive::of(&database.url).await.only(&["a"]);
        database.run(LATER).await;
        database.run("CREATE TABLE e (c int REFERENCES c); INSERT INTO e VALUES (1), (4), (4)").await;
        let (_, compared) = planned(&database, &archive, true).await;
        assert_eq!(counted(&compared), ["e_c_fkey 2"], "{name}");
        database.drop().await;
    }
}

/// The restoring role must own the tables that lose rows, and must be able to read the tables that could block this.
#[tokio::test]
async fn rights_at_the_second_level_are_asked_for() {
    for (server, name) in servers() {
        let Some(database) = Owned::create(server, &format!("deep_rights_{name}")).await else { return };
        database.run("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)").await;
        let archive = Archive::of(&database.url).await;
        database
            .run("INSERT INTO a VALUES (2); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE); INSERT INTO b VALUES (2, 2)")
            .await;
        database
            .as_superuser(
                "CREATE TABLE public.c (b int REFERENCES public.b ON DELETE CASCADE); INSERT INTO public.c VALUES (2)",
            )
            .await;
        let mut reasons = Vec::new();
        for accept_cascade in [false, true] {
            let wanted = Wanted { accept_cascade, ..archive.wanted(Mode::Replace) };
            let mut looking = target(&database.url).await;
            let found = looking.inspect(&wanted).await.unwrap();
            looking.close().await;
            reasons.push(found.refusals.iter().map(Refusal::reason).collect::<Vec<_>>());
        }
        assert_eq!(reasons, [vec![], vec!["RIGHT_MISSING", "NOT_OWNER"]], "{name}");
        // If this role cannot read the rows at the second level, they are not counted.
        let (_, compared) = planned(&database, &archive, false).await;
        assert_eq!(counted(&compared), ["b_a_fkey 1"]);
        database.drop().await;
    }
}
