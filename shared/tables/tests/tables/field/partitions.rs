//! Partitions whose rows must be left out.

use strongroom_store::DatabaseUrl;
use strongroom_tables::{Error, list_tables};

use crate::database::FreshDatabase;
use crate::field::{everything, excluding, read, skipped};

/// Two levels; the partition on the second level has its columns in a different order.
const LOGS: &str = "CREATE TABLE logs (l text, k integer) PARTITION BY LIST (k);
    CREATE TABLE logs_1 PARTITION OF logs FOR VALUES IN (1);
    CREATE TABLE logs_2 (k integer, l text) PARTITION BY LIST (l);
    ALTER TABLE logs ATTACH PARTITION logs_2 FOR VALUES IN (2);
    CREATE TABLE logs_2_public (l text, k integer); ALTER TABLE logs_2 ATTACH PARTITION logs_2_public FOR VALUES IN ('x');
    CREATE TABLE logs_2_private (gone text, k integer, l text); ALTER TABLE logs_2_private DROP COLUMN gone;
    ALTER TABLE logs_2 ATTACH PARTITION logs_2_private FOR VALUES IN ('y');
    INSERT INTO logs VALUES ('one', 1), ('x', 2), ('y', 2);";

#[tokio::test]
async fn an_excluded_partition_stays_out_at_any_level() {
    let Some(database) = FreshDatabase::create("partitions").await else { return };
    database.run(LOGS).await;
    let (one, x, y) = (r#"{"l":"one","k":1}"#, r#"{"l":"x","k":2}"#, r#"{"l":"y","k":2}"#);
    for (exclude, expected, named) in [
        (&[][..], &[one, x, y][..], 0),
        (&["logs_2_private"], &[one, x], 1),
        (&["logs_2"], &[one], 1),
        (&["logs_1", "logs_2_public"], &[y], 2),
        (&["logs_1", "logs_2"], &[], 2),
    ] {
        let (mut rows, info) = read(&database.url, &excluding(exclude), "logs", None).await.unwrap();
        rows.sort();
        assert_eq!(rows, expected, "{exclude:?}");
        assert_eq!(info.skipped.len(), named, "{exclude:?}");
    }
    database.drop().await;
}

#[tokio::test]
async fn a_foreign_partition_stays_out_and_is_named() {
    let Some(database) = FreshDatabase::create("foreign").await else { return };
    // The foreign server does not exist, and is never contacted.
    database
        .run(&format!(
            "{LOGS} CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER away FOREIGN DATA WRAPPER nowhere;
             CREATE FOREIGN TABLE logs_3 PARTITION OF logs FOR VALUES IN (3) SERVER away"
        ))
        .await;
    let (rows, info) = read(&database.url, &everything(), "logs", None).await.unwrap();
    assert_eq!(rows.len(), 3);
    let expected = ["logs_3: partition of logs: foreign table: its rows live in another database"];
    assert_eq!(skipped(&info), expected);
    database.drop().await;
}

/// At start, an excluded name that matches nothing is refused. Later it is accepted, because the table may have been
/// dropped.
#[tokio::test]
async fn excluded_names_must_exist_at_start() {
    let Some(database) = FreshDatabase::create("mistyped").await else { return };
    database.run(&format!("{LOGS} CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM logs")).await;
    let url = DatabaseUrl::parse(&database.url).unwrap();
    list_tables(&url, &excluding(&["logs_2_private", "counts"])).await.unwrap();
    for wrong in ["tokns", "Logs", "public.logs"] {
        let error = list_tables(&url, &excluding(&[wrong])).await.unwrap_err();
        assert!(matches!(&error, Error::Missing { what, .. } if what.contains(wrong)), "{error}");
    }
    read(&database.url, &excluding(&["tokns"]), "logs", None).await.unwrap();
    database.drop().await;
}
