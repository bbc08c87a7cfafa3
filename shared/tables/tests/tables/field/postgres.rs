//! PostgreSQL: rights, poolers, server errors, times as text, long rows, data outside tables.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Error, Kind, Outside, Since, SnapshotOptions, list_tables, open_snapshot};
use tokio::sync::mpsc;

use crate::database::FreshDatabase;
use crate::field::{everything, read, server, skipped};

/// A role for this process, and the URL with which it connects.
fn role(database: &FreshDatabase, purpose: &str) -> (String, String) {
    let role = format!("strongroom_{purpose}_{}", std::process::id());
    let (_, place) = database.url.rsplit_once('@').unwrap();
    let url = format!("postgres://{role}:only-a-test@{place}");
    (role, url)
}

async fn drop_with(database: FreshDatabase, role: &str) {
    database.drop().await;
    let server = std::env::var("TEST_DATABASE_URL").unwrap();
    let mut connection = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("DROP ROLE {role}"))).execute(&mut connection).await.unwrap();
}

/// This user gets what COPY gives: no type or function needs a right, and the database owner's casts are not used.
#[tokio::test]
async fn types_need_no_rights() {
    let Some(database) = FreshDatabase::create("type_rights").await else { return };
    let (role, url) = role(&database, "types");
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'only-a-test'; CREATE SCHEMA kinds;
         CREATE TYPE kinds.point3 AS (x integer, tag text); CREATE DOMAIN kinds.place AS kinds.point3;
         CREATE TYPE kinds.level AS ENUM ('low', 'high'); CREATE TYPE kinds.span AS RANGE (subtype = kinds.level);
         CREATE FUNCTION kinds.secretly(kinds.level) RETURNS text LANGUAGE sql AS $$ SELECT 'not what COPY gives' $$;
         CREATE CAST (kinds.level AS text) WITH FUNCTION kinds.secretly(kinds.level) AS IMPLICIT;
         REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kinds FROM PUBLIC;
         CREATE TABLE t (id integer, p kinds.place, l kinds.level, s kinds.span, a kinds.point3[], c refcursor, d date[]);
         INSERT INTO t VALUES (1, ROW(1, 'a \"b\"'), 'high', '[low,high]', ARRAY[ROW(2, NULL)::kinds.point3], 'cur', '{{infinity}}'),
             (2, ROW(NULL, NULL), NULL, NULL, NULL, NULL, NULL), (3, NULL, NULL, NULL, NULL, NULL, NULL);
         GRANT SELECT ON t TO {role}"
    );
    database.run(&sql).await;
    let mut owner = database.connect().await;
    let copied: Vec<(Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT CASE WHEN num_nulls(p) = 0 THEN format('%s', p) END, format('%s', s) FROM public.t ORDER BY id",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(copied[0].0.as_deref(), Some("(1,\"a \"\"b\"\"\")"));

    let (rows, _) = read(&url, &everything(), "t", None).await.unwrap();
    let expected = [
        r#"{"id":1,"p":"(1,\"a \"\"b\"\"\")","l":"high","s":"[low,high]","a":"{\"(2,)\"}","c":"cur","d":"{infinity}"}"#,
        r#"{"id":2,"p":"(,)","l":null,"s":null,"a":null,"c":null,"d":null}"#,
        r#"{"id":3,"p":null,"l":null,"s":null,"a":null,"c":null,"d":null}"#,
    ];
    assert_eq!(rows, expected);
    drop(owner);
    drop_with(database, &role).await;
}

/// A pooler knows three parameters that the driver always sends, and passes the server connection, including the statements
/// prepared on it, on to other clients.
#[tokio::test]
async fn poolers_are_sent_nothing_that_they_refuse() {
    let Some(database) = FreshDatabase::create("pooler").await else { return };
    database.run("CREATE TABLE t (x float8, i interval); INSERT INTO t VALUES (0.1::float8 + 0.2, '1 day 2 hours')").await;
    let (account, place) = database.url.rsplit_once('@').unwrap();
    let (upstream, name) = place.split_once('/').unwrap();
    let (address, seen) = server::pooler(upstream.to_owned()).await;
    let url = format!("{account}@{address}/{name}");

    list_tables(&DatabaseUrl::parse(&url).unwrap(), &everything()).await.unwrap();
    let (rows, _) = read(&url, &everything(), "t", None).await.unwrap();
    assert_eq!(rows, [r#"{"x":0.30000000000000004,"i":"1 day 02:00:00"}"#]);

    let mut seen = seen.lock().unwrap().clone();
    seen.parameters.sort();
    seen.parameters.dedup();
    assert_eq!(seen.parameters, ["DateStyle", "TimeZone", "client_encoding", "database", "user"]);
    assert!(
        !seen.statements.is_empty() && seen.statements.iter().all(String::is_empty),
        "{:?}",
        seen.statements
    );
    database.drop().await;
}

#[tokio::test]
async fn the_servers_errors_keep_their_class_and_hint() {
    const LOCKS: &str = "You might need to increase max_locks_per_transaction.";
    for (fields, kind, said, unsaid) in [
        (["53200", "out of shared memory", "", LOCKS], Kind::Precondition, LOCKS, "try again"),
        (
            [
                "40001",
                "canceling statement due to conflict with recovery",
                "User was holding a relation lock for too long.",
                "",
            ],
            Kind::Unavailable,
            "try again",
            "User was",
        ),
        (["53300", "too many connections", "", ""], Kind::Unavailable, "too many connections", "hint"),
        (
            ["0A000", "cannot access temporary or unlogged relations during recovery", "", ""],
            Kind::Precondition,
            "unlogged",
            "try again",
        ),
        (
            ["22P02", "invalid input syntax for type integer: \"sk-hidden\"", "sk-hidden", "Use a number."],
            Kind::Internal,
            "22P02; hint: Use a number.",
            "sk-hidden",
        ),
        (["42601", "syntax error at or near \"hidden\"", "", ""], Kind::Internal, "42601", "hidden"),
    ] {
        let address = server::refusing(fields).await;
        let url = DatabaseUrl::parse(&format!("postgres://app@{address}/app")).unwrap();
        let error = list_tables(&url, &everything()).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(
            text.contains("source shop, beginning the snapshot: ")
                && text.contains(said)
                && !text.contains(unsaid),
            "{text}"
        );
    }
}

/// A wrong password is not a transient error, nor is a database that does not exist.
#[tokio::test]
async fn refused_connections_are_not_called_passing() {
    let Some(database) = FreshDatabase::create("refused").await else { return };
    let nowhere = format!("{}_no", database.url);
    let error = list_tables(&DatabaseUrl::parse(&nowhere).unwrap(), &everything()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    database.drop().await;
}

#[tokio::test]
async fn times_in_text_columns_are_compared_as_times() {
    let Some(database) = FreshDatabase::create("text_times").await else { return };
    database
        .run(
            "CREATE DOMAIN written AS varchar(60); CREATE TABLE t (id integer, at written);
             INSERT INTO t VALUES (1, '2024-02-29 23:30:00-05:00'), (2, '2024-03-01T00:30:00+02:00'),
                 (3, 'last Tuesday'), (4, NULL), (5, '1709251200'), (6, '2024-02-29 23:59:59.999999Z'),
                 (7, '2024-03-01 00:00:00.000 UTC'), (8, '')",
        )
        .await;
    // 2024-03-01 00:00:00 UTC.
    let since = Since { column: "at".to_owned(), from: 1_709_251_200_000_000 };
    let (rows, info) = read(&database.url, &everything(), "t", Some(&since)).await.unwrap();
    let ids: Vec<&str> = rows.iter().map(|row| &row[6..7]).collect();
    assert_eq!(ids, ["1", "3", "5", "7", "8"]);
    let [unreadable] = &info.unreadable_times[..] else { panic!("{info:?}") };
    assert_eq!((&*unreadable.table, &*unreadable.column, unreadable.rows), ("t", "at", 2));
    database.drop().await;
}

/// The value is stopped in the server: it is text made of escapes, printed by the server's own function.
#[tokio::test]
async fn a_row_that_is_too_long_is_named_before_it_is_sent() {
    let Some(database) = FreshDatabase::create("long_row").await else { return };
    database
        .run(
            "CREATE TABLE t (id integer, j json, x xml); ALTER TABLE t ALTER x SET STORAGE EXTERNAL;
             INSERT INTO t VALUES (1, '1', '<a/>');
             INSERT INTO t SELECT 2, NULL, ('<a>' || repeat('0123456789abcdef', 17 << 20) || '</a>')::xml",
        )
        .await;
    let error = read(&database.url, &everything(), "t", None).await.unwrap_err();
    assert!(
        matches!(&error, Error::RowTooLarge { table, row, .. } if table == "t" && row.starts_with("the row at ctid (0,2) with 285")),
        "{error}"
    );
    assert_eq!(error.kind(), Kind::Precondition);
    database.drop().await;
}

#[tokio::test]
async fn data_outside_of_tables_is_read() {
    let Some(database) = FreshDatabase::create("outside").await else { return };
    let (role, url) = role(&database, "outside");
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'only-a-test'; CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO {role};
         CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY); CREATE SEQUENCE app.invoice_no START 4410;
         CREATE SEQUENCE unused; CREATE SEQUENCE hidden; SELECT nextval('app.invoice_no'), nextval('hidden');
         ALTER TABLE t ALTER id RESTART WITH 7; INSERT INTO t DEFAULT VALUES; SELECT lo_create(4711);
         SELECT lo_from_bytea(4712, convert_to(repeat('x', 2500000), 'UTF8')), lo_create(4713);
         GRANT SELECT ON LARGE OBJECT 4712 TO {role}; GRANT SELECT ON LARGE OBJECT 4713 TO PUBLIC;
         CREATE SEQUENCE set; SELECT setval('set', 5, false);
         GRANT SELECT ON t, app.invoice_no, unused, set TO {role}; GRANT USAGE ON SEQUENCE t_id_seq TO {role}"
    );
    database.run(&sql).await;
    let url = DatabaseUrl::parse(&url).unwrap();
    let mut snapshot = open_snapshot(&url, &everything()).await.unwrap();
    let stands = |outside: &Outside| -> Vec<(String, i64, bool)> {
        let of = outside.sequences.iter();
        of.map(|one| (format!("{}.{}", one.namespace, one.name), one.last_value, one.is_called)).collect()
    };
    let own = ("public.t_id_seq".to_owned(), 7, true);
    let all = [
        ("app.invoice_no".to_owned(), 4410, true),
        ("public.set".to_owned(), 5, false),
        own.clone(),
        ("public.unused".to_owned(), 1, false),
    ];
    assert_eq!(stands(snapshot.outside()), all);
    let owner = snapshot.outside().sequences[2].owner.clone().unwrap();
    assert_eq!((&*owner.namespace, &*owner.table, &*owner.column), ("public", "t", "id"));
    let expected = [
        "hidden: sequence: the database user has no right to read its value; GRANT SELECT ON SEQUENCE \"public\".\"hidden\" to it",
        "large objects: the database user has no right to read 1 of them; GRANT SELECT ON LARGE OBJECT 4711 to it, and so on",
    ];
    assert_eq!(skipped(snapshot.info()), expected);
    assert_eq!(snapshot.outside().large_objects, [4712, 4713]);
    let (pieces, mut received) = mpsc::channel(8);
    assert_eq!(snapshot.read_large_object(4712, &pieces).await.unwrap(), 2_500_000);
    assert_eq!(snapshot.read_large_object(4713, &pieces).await.unwrap(), 0);
    drop(pieces);
    let mut bytes = Vec::new();
    while let Some(piece) = received.recv().await {
        bytes.extend_from_slice(&piece);
    }
    assert!(bytes.len() == 2_500_000 && bytes.iter().all(|byte| *byte == b'x'));
    snapshot.close().await;
    let only = SnapshotOptions { only: Some(vec!["t".to_owned()]), ..everything() };
    let snapshot = open_snapshot(&url, &only).await.unwrap();
    assert_eq!(stands(snapshot.outside()), [own], "a part of the database says nothing of the rest");
    assert!(snapshot.info().skipped.is_empty() && snapshot.outside().large_objects.is_empty());
    snapshot.close().await;
    drop_with(database, &role).await;
}

/// A view that is being refreshed, an excluded partition, a failed index.
#[tokio::test]
async fn what_others_do_to_what_is_not_read_blocks_nothing() {
    let Some(database) = FreshDatabase::create("locked").await else { return };
    database
        .run(
            "CREATE TABLE p (id int, at int) PARTITION BY RANGE (at);
             CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2);
             CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (2) TO (3);
             CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1);
             CREATE MATERIALIZED VIEW m AS SELECT id FROM t; CREATE VIEW v AS SELECT id FROM t",
        )
        .await;
    let mut other = database.connect().await;
    let failed = sqlx::raw_sql("CREATE UNIQUE INDEX CONCURRENTLY t_id ON t (id)").execute(&mut other).await;
    assert!(failed.is_err(), "two rows are alike");
    let hold = "BEGIN; REFRESH MATERIALIZED VIEW m; LOCK TABLE p2 IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();

    let url = DatabaseUrl::parse(&database.url).unwrap();
    let options = SnapshotOptions { exclude: vec!["p2".to_owned()], ..everything() };
    let snapshot = open_snapshot(&url, &options).await.unwrap();
    let views: Vec<&str> = snapshot.outside().schema.views.iter().map(|view| &*view.name).collect();
    assert_eq!(views, ["v"]);
    let named = skipped(snapshot.info());
    assert!(
        named.iter().any(|one| one.starts_with("m: view: its definition could not be read")),
        "{named:?}"
    );
    let table = |name: &str| snapshot.tables().iter().find(|table| table.name == name).unwrap();
    let bounds: Vec<&str> = table("p").partitions.iter().map(|one| &*one.bound).collect();
    assert_eq!(bounds, ["FOR VALUES FROM (1) TO (2)", "FOR VALUES FROM (2) TO (3)"]);
    assert!(table("t").indexes.is_empty(), "it is not valid");
    snapshot.close().await;
    drop(other);
    database.drop().await;
}

/// As for a schema that an application keeps to itself.
#[tokio::test]
async fn a_sequence_in_a_schema_without_a_right_to_it_is_named() {
    let Some(database) = FreshDatabase::create("closed").await else { return };
    let (role, url) = role(&database, "closed");
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'only-a-test'; CREATE SCHEMA own; CREATE TABLE t (id int);
         CREATE SEQUENCE own.numbers START 7; SELECT nextval('own.numbers'); CREATE TABLE own.kept (id serial);
         GRANT SELECT ON t, own.numbers TO {role}"
    );
    database.run(&sql).await;
    let options = SnapshotOptions { exclude: vec!["own.kept".to_owned()], ..everything() };
    let snapshot = open_snapshot(&DatabaseUrl::parse(&url).unwrap(), &options).await.unwrap();
    let [sequence] = &snapshot.outside().sequences[..] else { panic!("{:?}", snapshot.outside().sequences) };
    assert_eq!(
        (&*sequence.name, sequence.last_value),
        ("numbers", 7),
        "that of a table that is left out is not there"
    );
    assert!(skipped(snapshot.info()).is_empty());
    snapshot.close().await;
    drop_with(database, &role).await;
}
