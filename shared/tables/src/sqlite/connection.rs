//! The connection that reads a SQLite file. What it does ends when it is dropped.
//!
//! The driver runs statements on a thread of its own, and a statement that began there goes on to its end, whoever has
//! left meanwhile: a copy of the database, or a scan that returns no row, for minutes.

use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use strongroom_store::DatabaseUrl;

use super::{foreign, opening};
use crate::error::{Error, Result};
use crate::fault::Fault;

/// Instructions of SQLite's machine between two looks whether to go on: tens of microseconds, unless an expression is slow.
const INSTRUCTIONS: i32 = 1000;

/// An open file.
pub(super) struct Connection {
    // Before `connection`: what runs is stopped first, and then the thread ends.
    stop: StopOnDrop,
    connection: SqliteConnection,
}

/// Stops what the connection does once it is dropped.
struct StopOnDrop(Arc<AtomicBool>);

impl Connection {
    /// Opens the file at `path` for reading. `rows`: how many the driver keeps ready.
    pub(super) async fn open(url: &DatabaseUrl, path: &Path, source: &str, rows: usize) -> Result<Self> {
        let (name, shown) = (source.to_owned(), url.to_string());
        if !path.exists() {
            return Err(Error::NotThere { name, url: shown });
        }
        let options: SqliteConnectOptions =
            DatabaseUrl::sqlite_reader(path).row_buffer_size(rows).disable_statement_logging();
        let connection = SqliteConnection::connect_with(&options).await.map_err(|error| {
            Error::Unreachable { name: name.clone(), url: shown.clone(), fault: Fault::of(&error) }
        })?;
        let mut connection = Self::stopping(connection).await.map_err(opening(source))?;
        let pages: i64 = sqlx::query_scalar("PRAGMA main.page_count")
            .fetch_one(&mut *connection)
            .await
            .map_err(opening(source))?;
        if pages == 0 {
            return Err(Error::EmptyFile { name, url: shown });
        }
        foreign::create_collations(&mut connection).await.map_err(opening(source))?;
        Ok(connection)
    }

    async fn stopping(mut connection: SqliteConnection) -> sqlx::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let goes_on = move || !seen.load(Ordering::Relaxed);
        connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS, goes_on);
        Ok(Self { stop: StopOnDrop(stop), connection })
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
        self.0.store(true, Ordering::Relaxed);
    }
}
