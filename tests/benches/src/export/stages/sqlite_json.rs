//! A reader made of SQLite's own JSON functions: JSON in blocks of rows, one string each.
//!
//! The product does not use it, because it is not faithful (docs/performance.md). Its gain is measured because both may
//! change with a SQLite release.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use super::{Clock, Cost, ROUNDS, TABLE};

/// Rows in a block.
const ROWS: u32 = 1000;

const COLUMNS: [&str; 14] = [
    "id",
    "created_at",
    "request_id",
    "api_key_id",
    "endpoint",
    "model",
    "status",
    "latency_ms",
    "prompt_tokens",
    "completion_tokens",
    "cost",
    "cached",
    "metadata",
    "prompt",
];

/// Measures the reader for a table of `whole` bytes, and prints whether it formats a number as we do.
pub(super) async fn measure(file: &Path, whole: u64) {
    let mut connection = connect(file).await;
    let mut costs = Vec::new();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let clock = Clock::start();
        bytes = read(&mut connection).await;
        costs.push(clock.stop());
    }
    Cost::middle(costs).print("  JSON made by SQLite in blocks", bytes, whole);
    let sum: String =
        sqlx::query_scalar("SELECT json_array(0.1 + 0.2)").fetch_one(&mut connection).await.unwrap();
    println!("  (there 0.1 + 0.2 is {sum})");
}

async fn connect(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Reads the whole table and returns its size in bytes.
async fn read(connection: &mut SqliteConnection) -> u64 {
    let pairs: Vec<String> = COLUMNS.iter().map(|column| format!("'{column}', {column}")).collect();
    let sql = format!(
        "SELECT max(id), json_group_array(json_object({})) FROM
         (SELECT * FROM {TABLE} WHERE id > ? ORDER BY id LIMIT {ROWS})",
        pairs.join(", ")
    );
    let (mut last, mut bytes) = (0, 0);
    loop {
        let block = sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(last).fetch_one(&mut *connection);
        let (end, json): (Option<i64>, String) = block.await.unwrap();
        let Some(end) = end else { return bytes };
        last = end;
        bytes += json.len() as u64;
    }
}
