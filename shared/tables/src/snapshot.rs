//! One database at one moment: its tables, and reading them.

use bytes::Bytes;
use strongroom_archive::schema::TableSchema;
use strongroom_store::{DatabaseUrl, Engine};
use tokio::sync::mpsc;

use crate::block::Block;
use crate::error::{Error, Result};
use crate::options::{Since, SnapshotInfo, SnapshotOptions};
use crate::outside::Outside;
use crate::postgres::PostgresSnapshot;
use crate::sqlite::SqliteSnapshot;

/// An open snapshot on a separate connection. Dropping it ends the transaction and the connection.
pub struct Snapshot(Inner);

enum Inner {
    Sqlite(Box<SqliteSnapshot>),
    Postgres(Box<PostgresSnapshot>),
}

/// Opens the database and fixes one moment for all reads.
///
/// # Errors
/// [`Error::Unreachable`], [`Error::NoAnswer`] or [`Error::NotThere`] if there is no database;
/// [`Error::Missing`] for selected schemas and tables that do not exist; [`Error::Denied`],
/// [`Error::LockTimeout`] and [`Error::Vanished`] naming the table.
pub async fn open_snapshot(url: &DatabaseUrl, options: &SnapshotOptions) -> Result<Snapshot> {
    let inner = match url.engine() {
        Engine::Sqlite(path) => Inner::Sqlite(Box::new(SqliteSnapshot::open(url, path, options).await?)),
        Engine::Postgres(connect) => {
            Inner::Postgres(Box::new(PostgresSnapshot::open(url, connect, options).await?))
        }
    };
    Ok(Snapshot(inner))
}

/// The tables that [`open_snapshot`] would read, for a check at start. Nothing is locked.
///
/// # Errors
/// As for [`open_snapshot`], except locking errors; and [`Error::Missing`] for excluded names that must exist but do not.
pub async fn list_tables(url: &DatabaseUrl, options: &SnapshotOptions) -> Result<Vec<TableSchema>> {
    match url.engine() {
        Engine::Sqlite(path) => crate::sqlite::list_tables(url, path, options).await,
        Engine::Postgres(connect) => crate::postgres::list_tables(url, connect, options).await,
    }
}

impl Snapshot {
    /// How the snapshot was taken.
    #[must_use]
    pub fn info(&self) -> &SnapshotInfo {
        match &self.0 {
            Inner::Sqlite(snapshot) => &snapshot.info,
            Inner::Postgres(snapshot) => &snapshot.info,
        }
    }

    /// The selected tables in order of name.
    #[must_use]
    pub fn tables(&self) -> &[TableSchema] {
        match &self.0 {
            Inner::Sqlite(snapshot) => &snapshot.tables,
            Inner::Postgres(snapshot) => &snapshot.tables,
        }
    }

    /// The parts of the database that are outside its tables' rows.
    #[must_use]
    pub fn outside(&self) -> &Outside {
        match &self.0 {
            Inner::Sqlite(snapshot) => &snapshot.outside,
            Inner::Postgres(snapshot) => &snapshot.outside,
        }
    }

    /// Sends the bytes of one of the large objects (PostgreSQL) in [`Outside::large_objects`], in pieces of at most 1 MiB,
    /// and returns the number of bytes.
    ///
    /// # Errors
    /// [`Error::Missing`] if it does not exist, and [`Error::Cancelled`] as soon as the receiver is gone.
    pub async fn read_large_object(&mut self, oid: u32, pieces: &mpsc::Sender<Bytes>) -> Result<u64> {
        match &mut self.0 {
            Inner::Sqlite(snapshot) => Err(snapshot.no_large_object(oid)),
            Inner::Postgres(snapshot) => snapshot.read_large_object(oid, pieces).await,
        }
    }

    /// Sends all rows of a table (by archive name) and returns their number.
    ///
    /// If this fails, or its future is dropped, drop the snapshot too: the connection may be in the middle of a result.
    ///
    /// # Errors
    /// [`Error::Missing`] and [`Error::TimeColumn`] before the first row, [`Error::Cancelled`] as soon as
    /// the receiver is gone.
    pub async fn read_table(
        &mut self,
        table: &str,
        since: Option<&Since>,
        blocks: &mpsc::Sender<Block>,
    ) -> Result<u64> {
        let read = async {
            match &mut self.0 {
                Inner::Sqlite(snapshot) => snapshot.read_table(table, since, blocks).await,
                Inner::Postgres(snapshot) => snapshot.read_table(table, since, blocks).await,
            }
        };
        // The receiver can go away while the database is busy: then no send would notice.
        tokio::select! {
            biased;
            result = read => result,
            () = blocks.closed() => Err(Error::Cancelled),
        }
    }

    /// The key ids in a column of sealed values (`srv1.<kid>.…`) with their row counts, in order of kid. Limited to the
    /// 10,000 ids with the most rows, because a writer of such a column can make up any number of ids.
    ///
    /// # Errors
    /// [`Error::Missing`] if the table or column does not exist.
    pub async fn count_kids(&mut self, table: &str, column: &str) -> Result<Vec<(String, u64)>> {
        match &mut self.0 {
            Inner::Sqlite(snapshot) => snapshot.count_kids(table, column).await,
            Inner::Postgres(snapshot) => snapshot.count_kids(table, column).await,
        }
    }

    /// Ends the transaction and waits until the connection is closed.
    pub async fn close(self) {
        match self.0 {
            Inner::Sqlite(snapshot) => snapshot.close().await,
            Inner::Postgres(snapshot) => snapshot.close().await,
        }
    }
}
