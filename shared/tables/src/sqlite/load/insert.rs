//! Inserts rows into one table, many per statement: each statement is a message to the driver's thread and back.

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments as _, AssertSqlSafe};
use strongroom_archive::SqliteValue;

use super::encode::length;

/// Maximum number of values in a statement; SQLite allows 32,766.
const VALUES: usize = 2000;
/// Maximum number of rows in a statement.
const ROWS: usize = 100;
/// Maximum size of the rows that wait for a full statement, in bytes.
const WAITING: usize = 1 << 20;

/// Fills one table.
pub(super) struct Insert {
    /// The statement up to the values: `INSERT OR ABORT INTO t (a, b) VALUES `.
    start: String,
    columns: usize,
    batch: usize,
    pending: Vec<SqliteValue>,
}

impl Insert {
    pub(super) fn new(start: String, columns: usize) -> Self {
        let batch = (VALUES / columns.max(1)).clamp(1, ROWS);
        Self { start, columns, batch, pending: Vec::new() }
    }

    /// Adds rows; those that do not fill a statement wait, unless they are long.
    pub(super) async fn add(
        &mut self,
        connection: &mut SqliteConnection,
        values: Vec<SqliteValue>,
    ) -> sqlx::Result<()> {
        if self.pending.is_empty() {
            self.pending = values;
        } else {
            self.pending.extend(values);
        }
        let size = self.batch * self.columns;
        let full = self.pending.len() / size * size;
        let rest = self.pending.split_off(full);
        let mut values = std::mem::replace(&mut self.pending, rest).into_iter();
        for _ in 0..full / size {
            self.run(connection, values.by_ref().take(size).collect()).await?;
        }
        if self.pending.iter().map(length).sum::<usize>() > WAITING {
            self.flush(connection).await?;
        }
        Ok(())
    }

    /// Inserts the waiting rows.
    pub(super) async fn finish(mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        self.flush(connection).await
    }

    async fn flush(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let mut values = std::mem::take(&mut self.pending).into_iter();
        for _ in 0..values.len() / self.columns {
            self.run(connection, values.by_ref().take(self.columns).collect()).await?;
        }
        Ok(())
    }

    async fn run(&self, connection: &mut SqliteConnection, values: Vec<SqliteValue>) -> sqlx::Result<()> {
        let is_plain = values.iter().all(|value| !matches!(value, SqliteValue::TextBytes(_)));
        let sql = self.statement(&values);
        let mut arguments = SqliteArguments::default();
        for value in values {
            bind(&mut arguments, value)?;
        }
        // A statement with bytes for a text is unlikely to occur again, and is not worth caching.
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(is_plain);
        query.execute(connection).await.map(drop)
    }

    fn statement(&self, values: &[SqliteValue]) -> String {
        let mut sql = String::with_capacity(self.start.len() + 2 * values.len() + 64);
        sql.push_str(&self.start);
        for (at, value) in values.iter().enumerate() {
            sql.push_str(match (at % self.columns, at) {
                (0, 0) => "(",
                (0, _) => "), (",
                _ => ",",
            });
            // The driver can bind only UTF-8 as text.
            sql.push_str(if matches!(value, SqliteValue::TextBytes(_)) { "CAST(? AS TEXT)" } else { "?" });
        }
        sql.push(')');
        sql
    }
}

fn bind(arguments: &mut SqliteArguments, value: SqliteValue) -> sqlx::Result<()> {
    let bound = match value {
        SqliteValue::Null => arguments.add(None::<i64>),
        SqliteValue::Integer(integer) => arguments.add(integer),
        SqliteValue::Real(real) => arguments.add(real),
        SqliteValue::Text(text) => arguments.add(text),
        SqliteValue::TextBytes(bytes) | SqliteValue::Blob(bytes) => arguments.add(bytes),
    };
    bound.map_err(sqlx::Error::Encode)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    #[tokio::test]
    async fn long_rows_do_not_wait_for_others() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE t (a, b)").execute(&mut connection).await.unwrap();
        let mut insert = Insert::new("INSERT INTO t VALUES ".to_owned(), 2);
        let long = WAITING / 3;
        for number in 0..50 {
            let row = vec![SqliteValue::Integer(number), SqliteValue::Blob(vec![7; long])];
            insert.add(&mut connection, row).await.unwrap();
            let waiting: usize = insert.pending.iter().map(length).sum();
            assert!(waiting <= WAITING, "{waiting} bytes wait");
        }
        insert.finish(&mut connection).await.unwrap();
        let found: (i64, i64) = sqlx::query_as("SELECT count(DISTINCT a), sum(length(b)) FROM t")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, (50, i64::try_from(50 * long).unwrap()));
    }
}
