//! How much an export could gain by reading a table through several connections.
//!
//! Each connection reads its share of the table's pages by binary COPY, all in one snapshot, and discards the bytes.
//! Putting the rows back in order is not counted, so no real reader could gain more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio_stream::StreamExt as _;

use super::{Clock, Cost, TABLE};

/// Pages read by one statement: 16 MiB.
const PAGES: i64 = 2048;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Reads the whole table through `connections` connections. A single connection reads it with one statement, like the
/// product.
pub(super) async fn drain(url: &str, connections: usize) -> Cost {
    let mut leader = connect(url).await;
    let snapshot: String =
        sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut leader).await.unwrap();
    let end = pages_of_table(&mut leader).await;
    let pages = if connections == 1 { end } else { PAGES };
    let mut readers = Vec::new();
    for _ in 0..connections {
        let mut connection = connect(url).await;
        let import = format!("SET TRANSACTION SNAPSHOT '{snapshot}'");
        sqlx::raw_sql(AssertSqlSafe(import)).execute(&mut connection).await.unwrap();
        readers.push(connection);
    }
    let next = Arc::new(AtomicI64::new(0));
    let clock = Clock::start();
    let running =
        readers.into_iter().map(|connection| tokio::spawn(take(connection, Arc::clone(&next), end, pages)));
    for reader in running.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    clock.stop()
}

async fn connect(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(BEGIN).execute(&mut connection).await.unwrap();
    connection
}

async fn pages_of_table(connection: &mut PgConnection) -> i64 {
    let sql = format!("SELECT pg_relation_size('{TABLE}') / current_setting('block_size')::bigint");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap()
}

/// Reads ranges of `pages` pages until `next` reaches `end`.
async fn take(mut connection: PgConnection, next: Arc<AtomicI64>, end: i64, pages: i64) {
    loop {
        let from = next.fetch_add(pages, Ordering::Relaxed);
        if from >= end {
            return;
        }
        let range = if pages < end {
            format!(" WHERE ctid >= '({from},0)' AND ctid < '({},0)'", from + pages)
        } else {
            String::new()
        };
        let copy = format!("COPY (SELECT * FROM {TABLE}{range}) TO STDOUT (FORMAT binary)");
        let mut stream = connection.copy_out_raw(&copy).await.unwrap();
        while let Some(message) = stream.next().await {
            std::hint::black_box(message.unwrap());
        }
    }
}
