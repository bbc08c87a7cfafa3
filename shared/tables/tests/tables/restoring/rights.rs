//! Rights in addition to a table owner's: the plan requests each with a statement, and with them the restore works.

use sqlx::AssertSqlSafe;
use strongroom_tables::load::{Mode, Refusal, Wanted};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{NEWEST, Owned, PLAIN};
use crate::restoring::restore::{ID, discard, restore, target};

/// The statements that the plan requests.
async fn asked(database: &Owned, wanted: &Wanted) -> Vec<String> {
    let mut looking = target(&database.url).await;
    let found = looking.inspect(wanted).await.unwrap();
    looking.close().await;
    let grant = |refusal: &Refusal| match refusal {
        Refusal::Right { grant, .. } => grant.clone(),
        other => panic!("{other}"),
    };
    found.refusals.iter().map(grant).collect()
}

async fn restored(database: &Owned, archive: &Archive, wanted: &Wanted) {
    restore(&database.url, archive, wanted).await.unwrap();
    assert_eq!(Archive::of(&database.url).await.content(), archive.content());
    let mut discarding = target(&database.url).await;
    discard(&mut discarding, ID).await;
    discarding.close().await;
}

#[tokio::test]
async fn indexes_are_built_again_in_their_tablespaces() {
    for (server, name) in [(PLAIN, "spaces"), (NEWEST, "spaces_18")] {
        let Some(database) = Owned::create(server, name).await else { return };
        let role: String = database.value("SELECT current_user::text").await;
        let space = format!("strongroom \"{name}\" of {}", std::process::id());
        let quoted = format!("\"{}\"", space.replace('"', "\"\""));
        let mut superuser = database.superuser().await;
        for sql in [
            "SET allow_in_place_tablespaces = true".to_owned(),
            format!("CREATE TABLESPACE {quoted} LOCATION ''"),
            format!("GRANT CREATE ON TABLESPACE {quoted} TO {role}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut superuser).await.unwrap();
        }
        database
            .run(&format!(
                "CREATE TABLE plain (id int PRIMARY KEY USING INDEX TABLESPACE {quoted}, a int);
                 CREATE TABLE parts (id int) PARTITION BY LIST (id);
                 CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
                 CREATE INDEX ON parts_1 (id) TABLESPACE {quoted};
                 CREATE INDEX ON plain (a);
                 INSERT INTO plain VALUES (1, 1), (2, 2); INSERT INTO parts VALUES (1)"
            ))
            .await;
        let archive = Archive::of(&database.url).await;
        database.run("DELETE FROM plain; DELETE FROM parts").await;
        let before = database.dumped();
        let grant = format!("GRANT CREATE ON TABLESPACE {quoted} TO \"{role}\"");
        database.as_superuser(&format!("REVOKE CREATE ON TABLESPACE {quoted} FROM {role}")).await;
        let empty = archive.wanted(Mode::IntoEmpty);
        assert_eq!(asked(&database, &empty).await, [grant.clone(), grant.clone()]);
        database.as_superuser(&grant).await;
        assert_eq!(asked(&database, &empty).await, [""; 0]);
        restored(&database, &archive, &empty).await;
        assert_eq!(database.dumped(), before);

        // When rows are exchanged, no index is built.
        database.as_superuser(&format!("REVOKE CREATE ON TABLESPACE {quoted} FROM {role}")).await;
        database.run("DELETE FROM plain WHERE id = 1; UPDATE plain SET a = 7; DELETE FROM parts").await;
        let replace = archive.wanted(Mode::Replace);
        assert_eq!(asked(&database, &replace).await, [""; 0]);
        restored(&database, &archive, &replace).await;
        database.run("DROP TABLE plain, parts").await;
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLESPACE {quoted}")))
            .execute(&mut superuser)
            .await
            .unwrap();
        database.drop().await;
    }
}

#[tokio::test]
async fn partitions_are_in_schemas_that_may_be_used() {
    let Some(database) = Owned::create(PLAIN, "closed").await else { return };
    let role: String = database.value("SELECT current_user::text").await;
    database.as_superuser(&format!("CREATE SCHEMA \"a b\"; GRANT ALL ON SCHEMA \"a b\" TO {role}")).await;
    database
        .run(
            "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
             CREATE TABLE \"a b\".half PARTITION OF parts FOR VALUES FROM (0) TO (10) PARTITION BY LIST (id);
             CREATE TABLE \"a b\".one PARTITION OF \"a b\".half DEFAULT; INSERT INTO parts VALUES (1), (2)",
        )
        .await;
    let archive = Archive::of(&database.url).await;
    database.run("DELETE FROM parts WHERE id = 2").await;
    database.as_superuser(&format!("REVOKE USAGE ON SCHEMA \"a b\" FROM {role}")).await;
    let grant = format!("GRANT USAGE ON SCHEMA \"a b\" TO \"{role}\"");
    let wanted = archive.wanted(Mode::Replace);
    assert_eq!(asked(&database, &wanted).await, [&*grant]);
    database.as_superuser(&grant).await;
    assert_eq!(asked(&database, &wanted).await, [""; 0]);
    restored(&database, &archive, &wanted).await;
    database.drop().await;
}

/// A view or a sequence can be the only object in its schema.
#[tokio::test]
async fn schemas_of_views_and_sequences_are_created() {
    let Some(old) = Owned::create(PLAIN, "schemas_old").await else { return };
    let new = Owned::create(PLAIN, "schemas_new").await.unwrap();
    old.run(
        "CREATE SCHEMA views; CREATE SCHEMA \"kept views\"; CREATE SCHEMA counters; CREATE SCHEMA others;
         CREATE TABLE others.t (id int); CREATE VIEW others.left_out AS SELECT id FROM others.t;
         CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2);
         CREATE VIEW views.v AS SELECT id FROM t;
         CREATE MATERIALIZED VIEW \"kept views\".m AS SELECT id FROM views.v;
         CREATE SEQUENCE counters.alone; SELECT nextval('counters.alone'), nextval('counters.alone')",
    )
    .await;
    let archive = Archive::of(&old.url).await.only(&["t"]);
    let wanted = Wanted { create_tables: true, ..archive.wanted(Mode::IntoEmpty) };
    let role: String = new.value("SELECT current_user::text").await;
    let name: String = new.value("SELECT current_database()::text").await;
    new.as_superuser(&format!(
        "ALTER DATABASE {name} OWNER TO CURRENT_USER; CREATE SCHEMA strongroom AUTHORIZATION {role};
         GRANT CREATE ON SCHEMA public TO {role}"
    ))
    .await;
    let grant = format!("GRANT CREATE ON DATABASE \"{name}\" TO \"{role}\"");
    assert_eq!(asked(&new, &wanted).await, [grant.clone(), grant.clone(), grant.clone()]);
    new.as_superuser(&grant).await;
    assert_eq!(asked(&new, &wanted).await, [""; 0]);
    restore(&new.url, &archive, &wanted).await.unwrap();
    assert_eq!(new.value::<i64>("SELECT count(*) FROM \"kept views\".m").await, 2);
    assert_eq!(new.value::<i64>("SELECT count(*) FROM views.v").await, 2);
    assert_eq!(new.value::<i64>("SELECT nextval('counters.alone')").await, 3);
    assert_eq!(new.value::<i64>("SELECT count(*) FROM pg_namespace WHERE nspname = 'others'").await, 0);
    old.drop().await;
    new.drop().await;
}
