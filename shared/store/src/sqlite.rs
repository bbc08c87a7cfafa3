//! SQLite configured for a service: WAL, durable commits, one writer, many readers.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::error::{Error, Result};
use crate::turn::Turn;

/// The engine's type in sqlx.
pub type Database = sqlx::Sqlite;
/// One connection; a transaction dereferences to it.
pub type Connection = sqlx::SqliteConnection;
/// A transaction, rolled back unless it is committed.
pub type Transaction = sqlx::Transaction<'static, Database>;
/// A pool of connections.
pub type Pool = sqlx::Pool<Database>;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Number of concurrent readers; each is a separate thread in sqlx.
const READERS: u32 = 4;
/// 3.51.2 and older can corrupt a WAL database under concurrent checkpoints (sqlite.org/wal.html#walresetbug).
const OLDEST_SAFE: i64 = 3_051_003;

/// One writer connection and a pool of readers on the same file.
#[derive(Clone, Debug)]
pub struct Pools {
    /// At most one connection.
    writer: Pool,
    /// Read-only connections.
    readers: Pool,
    turn: Turn,
}

impl Pools {
    /// Runs statements that only read.
    #[must_use]
    pub fn reader(&self) -> &Pool {
        &self.readers
    }

    /// Runs single statements that write, each in its own transaction.
    #[must_use]
    pub fn writer(&self) -> &Pool {
        &self.writer
    }

    /// Begins a change with `BEGIN IMMEDIATE`. A deferred transaction that reads first would fail with
    /// SQLITE_BUSY_SNAPSHOT, which no busy timeout retries.
    ///
    /// # Errors
    /// [`Error::Database`] if the writer does not become free.
    pub async fn begin(&self) -> Result<Transaction> {
        self.turn.take(&self.writer, self.writer.begin_with("BEGIN IMMEDIATE")).await
    }

    /// Begins a change ahead of the waiting ones: for changes that many callers wait for together.
    ///
    /// # Errors
    /// [`Error::Database`] if the writer does not become free.
    pub async fn begin_ahead(&self) -> Result<Transaction> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Begins a transaction that reads one snapshot of the database, as every SQLite transaction does.
    ///
    /// # Errors
    /// [`Error::Database`] if no reader becomes free.
    pub async fn begin_snapshot(&self) -> Result<Transaction> {
        Ok(self.readers.begin().await?)
    }
}

/// Opens the file, creating it if missing. Commits are durable (`synchronous=FULL`).
///
/// # Errors
/// [`Error::Open`] if the file cannot be opened, [`Error::SqliteVersion`] for an unsafe library.
pub async fn open(path: &Path) -> Result<Pools> {
    create_private(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let opened = |source| Error::Open { url: format!("sqlite:{}", path.display()), source };
    let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(opened)?;
    check_version(&writer).await?;
    let readers =
        pool().max_connections(READERS).connect_with(options.read_only(true)).await.map_err(opened)?;
    Ok(Pools { writer, readers, turn: Turn::new() })
}

/// Maximum number of migration attempts.
const ATTEMPTS: u32 = 3;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(300);

/// Runs the missing ones of `migrations`, each in its own transaction. Migrations of a later version are
/// kept, so the previous version can start on their schema.
///
/// # Errors
/// [`Error::Migrate`], or [`Error::Foreign`] for a database of an unreleased version.
pub async fn migrate(pools: &Pools, migrations: Migrator) -> Result<()> {
    let migrations = Migrator { ignore_missing: true, ..migrations };
    // Two processes that start on the same new file can run the same migration concurrently. One of them
    // fails and is rolled back; its next attempt finds the other's result.
    for _ in 1..ATTEMPTS {
        if migrations.run(&pools.writer).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_ATTEMPTS).await;
    }
    Ok(migrations.run(&pools.writer).await?)
}

/// Unlike a server, a file does not become unreachable: testing each connection before each statement would
/// only cost two thread switches.
fn pool() -> SqlitePoolOptions {
    let options = SqlitePoolOptions::new().test_before_acquire(false);
    options.after_release(|connection, _| Box::pin(may_be_used_again(connection)))
}

/// SQLite ends a transaction by itself if the disk is full or fails. The rollback that sqlx then sends fails
/// because there is no transaction. sqlx then believes that the connection is still in a transaction and
/// cannot begin another.
async fn may_be_used_again(connection: &mut Connection) -> sqlx::Result<bool> {
    if !connection.is_in_transaction() {
        return Ok(true);
    }
    // When this is answered, everything sent before is done.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Only the service's own user may read a database of secrets. SQLite itself would follow the umask; it gives
/// its WAL the mode of this file.
fn create_private(path: &Path) -> Result<()> {
    let created = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    match created {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Open { url: format!("sqlite:{}", path.display()), source: source.into() }),
    }
}

async fn check_version(pool: &Pool) -> Result<()> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let number = version
        .split('.')
        .map(|part| part.parse::<i64>().unwrap_or(0))
        .fold(0, |number, part| number * 1000 + part);
    if number < OLDEST_SAFE {
        return Err(Error::SqliteVersion(version));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Pools, open};

    async fn pools() -> (tempfile::TempDir, Pools) {
        let folder = tempfile::tempdir().unwrap();
        let pools = open(&folder.path().join("test.db")).await.unwrap();
        sqlx::query("CREATE TABLE t (id INTEGER PRIMARY KEY)").execute(pools.writer()).await.unwrap();
        (folder, pools)
    }

    /// A full disk has the same effect.
    #[tokio::test]
    async fn a_transaction_that_sqlite_has_ended_does_not_stay_in_the_way() {
        let (_folder, pools) = pools().await;
        for id in 1..10 {
            let mut change = pools.begin().await.unwrap();
            sqlx::query("INSERT INTO t VALUES ($1)").bind(id).execute(&mut *change).await.unwrap();
            change.commit().await.unwrap();
            let mut change = pools.begin().await.unwrap();
            let ended = sqlx::query("INSERT OR ROLLBACK INTO t VALUES ($1)").bind(id);
            ended.execute(&mut *change).await.unwrap_err();
        }
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(pools.reader()).await.unwrap();
        assert_eq!(count, 9);
    }

    #[tokio::test]
    async fn a_connection_outlives_a_rollback() {
        let (_folder, pools) = pools().await;
        sqlx::query("PRAGMA cache_size = 1234").execute(pools.writer()).await.unwrap();
        for _ in 0..10 {
            let mut change = pools.begin().await.unwrap();
            sqlx::query("INSERT INTO t VALUES (1)").execute(&mut *change).await.unwrap();
        }
        let kept: i64 = sqlx::query_scalar("PRAGMA cache_size").fetch_one(pools.writer()).await.unwrap();
        assert_eq!(kept, 1234, "it was opened anew");
    }
}
