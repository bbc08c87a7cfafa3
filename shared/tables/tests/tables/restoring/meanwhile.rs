//! Rows that change between the comparison and the lock of a swap: the result still equals the archive, and a rollback brings
//! back the rows from the time of the lock.

use std::time::Duration;

use sqlx::Connection;
use strongroom_fuzz::Random;
use strongroom_tables::load::{Mode, Purpose, SwapLimits};

use crate::restoring::archive::Archive;
use crate::restoring::owned::{GRANTED, Owned};
use crate::restoring::restore::{ID, roll_back, staged};

const MADE: &str = "
    CREATE TABLE t (id int, part int DEFAULT 0, a int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
    CREATE TABLE t_0 PARTITION OF t FOR VALUES IN (0);
    CREATE TABLE t_1 PARTITION OF t DEFAULT;
    CREATE TABLE plain (id int PRIMARY KEY, a int);
    INSERT INTO t SELECT i, i % 3, i FROM generate_series(1, 60) i;
    INSERT INTO plain SELECT i, i FROM generate_series(1, 60) i;";
/// Of rows 1 to 60, some stay, some change, some are deleted, and 61 to 70 are added.
const CHANGED: &str = "
    UPDATE t SET a = -a WHERE id BETWEEN 11 AND 20; DELETE FROM t WHERE id BETWEEN 21 AND 30;
    INSERT INTO t SELECT i, i % 3, i FROM generate_series(61, 70) i;
    UPDATE plain SET a = -a WHERE id BETWEEN 11 AND 20; DELETE FROM plain WHERE id BETWEEN 21 AND 30;
    INSERT INTO plain SELECT i, i FROM generate_series(61, 70) i;";

/// Some random statements about rows of each of these kinds.
fn meanwhile(seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut next = |end| random.below(end);
    let mut sql = String::new();
    for _ in 0..next(6) {
        let (id, a) = (1 + next(75), next(3));
        let table = ["t", "plain"][next(2)];
        let columns = if table == "t" { "(id, part, a)" } else { "(id, a)" };
        let values =
            if table == "t" { format!("{id}, {id} % 3, {id} * {a}") } else { format!("{id}, {id} * {a}") };
        sql.push_str(&match next(5) {
            0 => format!("DELETE FROM {table} WHERE id = {id};"),
            1 => format!("UPDATE {table} SET a = {id} * {a} WHERE id = {id};"),
            2 => format!("UPDATE {table} SET a = a WHERE id = {id};"),
            3 => format!(
                "DELETE FROM {table} WHERE id = {id}; INSERT INTO {table} {columns} VALUES ({values});"
            ),
            _ => format!("INSERT INTO {table} {columns} VALUES ({values}) ON CONFLICT DO NOTHING;"),
        });
    }
    sql
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_between_comparison_and_lock() {
    let rounds = if std::env::var_os("STRONGROOM_LONG").is_some() { 200 } else { 25 };
    let Some(database) = Owned::create(GRANTED, "meanwhile").await else { return };
    database.run(MADE).await;
    let archive = Archive::of(&database.url).await;
    for seed in 0..rounds {
        database.run(&format!("DROP TABLE t, plain; {MADE} {CHANGED}")).await;
        let sql = meanwhile(seed);
        let mut other = database.connect().await;
        // Its lock does not block the comparison, but keeps the swap from beginning.
        let begun = format!("BEGIN; LOCK TABLE t, plain IN ROW EXCLUSIVE MODE; {sql}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(begun)).execute(&mut other).await.unwrap();
        let wanted = archive.wanted(Mode::Replace);
        let mut stage =
            staged(&database.url, &archive, &wanted, &Purpose::Restore(ID.to_owned())).await.unwrap();
        stage.keep().await.unwrap();
        let limits = SwapLimits { lock: Duration::from_secs(20), pause: None };
        let swap = tokio::spawn(async move { stage.swap(&limits).await });
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock'
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        while database.value::<i64>(waiting).await == 0 && !swap.is_finished() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        // The swap waits for its next attempt, or proceeds; it finds the rows from the time of its lock.
        let swapped = swap.await.unwrap().unwrap();
        assert_eq!(Archive::of(&database.url).await.content(), archive.content(), "seed {seed}: {sql}");
        for (table, changes) in archive.tables.iter().zip(&swapped.tables) {
            let rows = changes.created + changes.changed + changes.kept;
            assert_eq!(rows, table.rows.len() as u64, "seed {seed}: {sql}");
        }
        roll_back(&database.url, ID, false).await.unwrap();
        let back = Archive::of(&database.url).await.content();
        database.run(&format!("DROP TABLE t, plain; {MADE} {CHANGED} {sql}")).await;
        assert_eq!(Archive::of(&database.url).await.content(), back, "seed {seed}: {sql}");
    }
    database.drop().await;
}
