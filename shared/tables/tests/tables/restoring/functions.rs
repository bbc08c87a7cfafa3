//! Functions of indexes and checks that name other functions without their schema, and checks that were never validated
//! against older rows.

use strongroom_tables::load::{Mode, Refusal};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{Owned, PLAIN, servers};
use crate::restoring::restore::{ID, restore, roll_back, target, tried};

/// From version 17 on, such an index can no longer be created. The planner expands `folded`, and looks up `plain` in the
/// session's path.
const CALLING: &str = "
    CREATE FUNCTION plain(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN upper($1); END';
    CREATE FUNCTION folded(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS 'SELECT plain($1)';
    CREATE TABLE people (id int PRIMARY KEY, name text, day date);
    CREATE INDEX by_name ON people (folded(name));
    CREATE TABLE parts (id int, name text) PARTITION BY LIST (id);
    CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE INDEX by_part ON parts (folded(name));
    CREATE TABLE others (id int PRIMARY KEY, kind regclass);
    INSERT INTO people VALUES (1, 'Ada', '2026-01-02'), (2, NULL, 'infinity'); INSERT INTO parts VALUES (1, 'x');
    INSERT INTO others VALUES (1, 'people');";

#[tokio::test]
async fn a_table_is_read_whose_index_calls_a_function_without_its_schema() {
    let Some(database) = Owned::create(PLAIN, "calling").await else { return };
    database.run(CALLING).await;
    let archive = Archive::of(&database.url).await;
    let rows =
        |name: &str| archive.tables.iter().find(|table| table.schema.name == name).unwrap().rows.clone();
    assert_eq!(rows("people").len(), 2, "{:?}", rows("people"));
    assert!(rows("people")[0].contains("\"2026-01-02\""), "{:?}", rows("people"));
    assert_eq!(rows("parts").len(), 1);
    assert!(rows("others")[0].contains("public.people"), "what the path decides stays as it was");
    database.drop().await;
}

#[tokio::test]
async fn it_is_not_restored_before_the_function_has_a_path() {
    let Some(database) = Owned::create(PLAIN, "paths").await else { return };
    database.run(CALLING).await;
    let archive = Archive::of(&database.url).await.only(&["people"]);
    let wanted = archive.wanted(Mode::Replace);
    let found = target(&database.url).await.inspect(&wanted).await.unwrap();
    let reasons: Vec<&str> = found.refusals.iter().map(Refusal::reason).collect();
    assert_eq!(reasons, ["FUNCTION_PATH"], "{:?}", found.refusals);
    let said = found.refusals[0].to_string();
    assert!(said.contains("SQL function \"folded\"") && said.contains("ALTER FUNCTION"), "{said}");
    database.run("ALTER FUNCTION folded(text) SET search_path = public").await;
    database.run("UPDATE people SET name = 'Eve' WHERE id = 1; DELETE FROM people WHERE id = 2").await;
    restore(&database.url, &archive, &wanted).await.unwrap();
    assert_eq!(database.values("SELECT name FROM people WHERE id = 1").await, ["Ada"]);
    database.drop().await;
}

#[tokio::test]
async fn rows_that_a_check_was_never_asked_of_stay() {
    for (server, _) in servers() {
        let Some(database) = Owned::create(server, "unasked").await else { return };
        database
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, -5), (2, 2);
                 ALTER TABLE t ADD CONSTRAINT pos CHECK (v > 0) NOT VALID",
            )
            .await;
        let archive = Archive::of(&database.url).await;
        database.run("UPDATE t SET v = 9 WHERE id = 2").await;
        let before = database.dumped();
        restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
        assert_eq!(database.value::<i32>("SELECT v FROM t WHERE id = 2").await, 2);
        assert_eq!(database.dumped(), before);
        roll_back(&database.url, ID, false).await.unwrap();
        assert_eq!(database.value::<i32>("SELECT v FROM t WHERE id = 2").await, 9);
        // A row that comes back is checked.
        database.run("DELETE FROM t WHERE id = 1").await;
        let found = tried(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap().refusals;
        assert!(found[0].to_string().contains("1 rows of table t violate pos"), "{found:?}");
        let refused = restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap_err();
        assert!(refused.to_string().contains("pos"), "{refused}");
        database.drop().await;
    }
}

/// Role settings with which a session begins.
#[tokio::test]
async fn settings_of_the_role_are_not_in_the_way() {
    let Some(database) = Owned::create(PLAIN, "settings").await else { return };
    database.run("CREATE TABLE t (id int PRIMARY KEY, \"Name\" text, text text); INSERT INTO t VALUES (1, 'a', 'b')").await;
    let archive = Archive::of(&database.url).await;
    database.run("UPDATE t SET text = 'c'").await;
    let role: String = database.value("SELECT current_user::text").await;
    database
        .as_superuser(&format!(
            "ALTER ROLE {role} SET default_transaction_read_only = on; ALTER ROLE {role} SET quote_all_identifiers = on;
             ALTER ROLE {role} SET DateStyle = 'German'; ALTER ROLE {role} SET search_path = pg_temp;
             ALTER ROLE {role} SET default_transaction_isolation = 'serializable'"
        ))
        .await;
    restore(&database.url, &archive, &archive.wanted(Mode::Replace)).await.unwrap();
    assert_eq!(Archive::of(&database.url).await.content(), archive.content());
    roll_back(&database.url, ID, false).await.unwrap();
    assert_eq!(database.values("SELECT text FROM public.t").await, ["c"]);
    database.drop().await;
}
