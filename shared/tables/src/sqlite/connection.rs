//! The connection to a SQLite file. A running statement ends when the connection is dropped, or at a set time.
//!
//! The driver runs statements on a separate thread, and a statement that has begun there runs to its end even if its caller
//! has gone away: a copy of the database, or a scan that returns no row, can take minutes.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use strongroom_store::DatabaseUrl;

use super::{foreign, opening};
use crate::error::{Error, Result};
use crate::fault::Fault;

/// Number of SQLite VM instructions between two checks for a stop: tens of microseconds, unless an expression is slow.
const INSTRUCTIONS: i32 = 1000;

/// Page cache of a writer in KiB: rows are looked up in arbitrary order.
const WRITER_CACHE: u32 = 16 << 10;

/// An open file.
pub(super) struct Connection {
    // Dropped before `connection`: the running statement is stopped first, and then the thread ends.
    stop: StopOnDrop,
    connection: SqliteConnection,
}

/// Stops the connection's running statement when dropped.
struct StopOnDrop(Arc<Brake>);

/// State that the driver's thread checks while a statement runs.
struct Brake {
    stopped: AtomicBool,
    since: Instant,
    /// Microseconds after `since` at which statements end; `u64::MAX` for never.
    deadline: AtomicU64,
}

impl Brake {
    fn new() -> Self {
        Self { stopped: AtomicBool::new(false), since: Instant::now(), deadline: AtomicU64::new(u64::MAX) }
    }

    fn goes_on(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        !self.stopped.load(Ordering::Relaxed)
            && (deadline == u64::MAX || self.since.elapsed() <= Duration::from_micros(deadline))
    }
}

impl Connection {
    /// Opens the file at `path` for reading. `rows`: number of rows that the driver buffers.
    pub(super) async fn open(url: &DatabaseUrl, path: &Path, source: &str, rows: usize) -> Result<Self> {
        let options = DatabaseUrl::sqlite_reader(path).row_buffer_size(rows);
        let mut connection = Self::connect(url, path, source, options).await?;
        if connection.pages().await.map_err(opening(source))? == 0 {
            return Err(Error::EmptyFile { name: source.to_owned(), url: url.to_string() });
        }
        Ok(connection)
    }

    /// Opens the file at `path`, which may be empty, for writing. Foreign keys are not enforced: that could not be changed
    /// within a transaction.
    pub(super) async fn open_writer(url: &DatabaseUrl, path: &Path, source: &str) -> Result<Self> {
        let options = DatabaseUrl::sqlite_reader(path).read_only(false).foreign_keys(false);
        let cache = format!("-{WRITER_CACHE}");
        Self::connect(url, path, source, options.pragma("cache_size", cache)).await
    }

    async fn connect(
        url: &DatabaseUrl,
        path: &Path,
        source: &str,
        options: SqliteConnectOptions,
    ) -> Result<Self> {
        let (name, shown) = (source.to_owned(), url.to_string());
        if !path.exists() {
            return Err(Error::NotThere { name, url: shown });
        }
        let connection = SqliteConnection::connect_with(&options.disable_statement_logging()).await;
        let connection =
            connection.map_err(|error| Error::Unreachable { name, url: shown, fault: Fault::of(&error) })?;
        let mut connection = Self::stopping(connection).await.map_err(opening(source))?;
        connection.pages().await.map_err(opening(source))?;
        foreign::create_collations(&mut connection).await.map_err(opening(source))?;
        Ok(connection)
    }

    /// Number of pages in the file; 0 if it was never written to.
    pub(super) async fn pages(&mut self) -> sqlx::Result<i64> {
        sqlx::query_scalar("PRAGMA main.page_count").fetch_one(&mut self.connection).await
    }

    async fn stopping(mut connection: SqliteConnection) -> sqlx::Result<Self> {
        let brake = Arc::new(Brake::new());
        let seen = Arc::clone(&brake);
        connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS, move || seen.goes_on());
        Ok(Self { stop: StopOnDrop(brake), connection })
    }

    /// Ends any statement that runs `limit` from now with SQLITE_INTERRUPT; `None` removes the limit.
    pub(super) fn end_after(&self, limit: Option<Duration>) {
        let brake = &self.stop.0;
        let deadline = limit.map_or(u64::MAX, |limit| micros(brake.since.elapsed().saturating_add(limit)));
        brake.deadline.store(deadline, Ordering::Relaxed);
    }

    /// Waits until the file is closed.
    pub(super) async fn close(self) -> sqlx::Result<()> {
        let Self { stop, connection } = self;
        let closed = connection.close().await;
        drop(stop);
        closed
    }
}

impl Deref for Connection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// In microseconds, rounded up.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().saturating_add(1)).unwrap_or(u64::MAX - 1)
}
