//! One source of any kind, and its opened form.
//!
//! A source is opened once per export and then read table by table; dropping the opened source ends its snapshot at
//! once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use strongroom_archive::EncryptedColumn;
use strongroom_archive::manifest::SourceRecord;
use strongroom_archive::schema::TableSchema;
use strongroom_tables::{Block, Outside};
use tokio::sync::mpsc;

use super::files::{FileSet, FilesSource};
use super::listing::{Choice, ListedTable, Listing};
use super::naming::Inventory;
use super::service::{ServiceSnapshot, ServiceSource};
use super::sql::{ColumnCount, SqlSnapshot, SqlSource};
use crate::error::{Error, Result};

/// Maximum time for a source to list its tables: this reads a whole SQLite file if it has generated columns.
const LISTING: Duration = Duration::from_secs(60);

/// A configured source.
pub(crate) enum Source {
    /// Read by introspection.
    Sql(Box<SqlSource>),
    /// Read through `strongroom.source.v1`.
    Service(ServiceSource),
    /// Read file by file.
    Files(FilesSource),
}

impl Source {
    /// The configured name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Sql(source) => source.name(),
            Self::Service(source) => source.name(),
            Self::Files(source) => source.name(),
        }
    }

    /// `sqlite`, `postgres`, `files`, `grpc` or `vault`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Sql(source) => source.kind(),
            Self::Service(source) => source.kind(),
            Self::Files(source) => source.kind(),
        }
    }

    /// The optional group of the whole source; empty if there is none.
    pub(crate) fn group(&self) -> &str {
        match self {
            Self::Sql(_) | Self::Service(_) => "",
            Self::Files(source) => source.group(),
        }
    }

    /// Prefix of its tables' names, if configured.
    pub(super) fn prefix(&self) -> Option<&str> {
        match self {
            Self::Sql(source) => source.prefix(),
            Self::Service(source) => source.prefix(),
            Self::Files(_) => None,
        }
    }

    /// Its optional groups; `None` for a service, which has to be asked for its tables and their groups.
    pub(super) fn groups(&self) -> Option<Vec<String>> {
        match self {
            Self::Sql(source) => Some(source.groups()),
            Self::Service(source) => source.groups(),
            Self::Files(source) => Some(source.groups()),
        }
    }

    /// Its inventory, if these `tables` were found in it.
    pub(super) fn inventory(&self, tables: &[ListedTable]) -> Inventory {
        let mut names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
        if let Self::Sql(source) = self {
            for name in
                source.optional_tables().filter(|name| !tables.iter().any(|table| table.name == **name))
            {
                names.push(name.clone());
            }
        }
        Inventory { source: self.name().to_owned(), prefix: self.prefix().map(str::to_owned), tables: names }
    }

    /// Whether it can have tables.
    pub(super) fn has_tables(&self) -> bool {
        !matches!(self, Self::Files(_))
    }

    /// Its current tables.
    ///
    /// # Errors
    /// Errors of the source, and [`Error::SourceSilent`].
    pub(crate) async fn list(&self) -> Result<Listing> {
        self.in_time(async {
            match self {
                Self::Sql(source) => source.list().await,
                Self::Service(source) => source.list().await,
                Self::Files(source) => source.list(),
            }
        })
        .await
    }

    /// The check at start: like [`Self::list`], and everything that the configuration names must exist.
    pub(crate) async fn check(&self) -> Result<Listing> {
        self.in_time(async {
            match self {
                Self::Sql(source) => source.check().await,
                Self::Service(source) => source.list().await,
                Self::Files(source) => source.list(),
            }
        })
        .await
    }

    /// Checks that it can be read now, at low cost: no table is read.
    ///
    /// # Errors
    /// As for [`Self::list`].
    pub(crate) async fn probe(&self) -> Result<()> {
        self.in_time(async {
            match self {
                Self::Sql(source) => source.probe().await,
                Self::Service(source) => source.list().await.map(drop),
                Self::Files(source) => source.list().map(drop),
            }
        })
        .await
    }

    /// Waits at most [`LISTING`]: a peer that accepts a connection and does not answer must not block the start
    /// forever.
    async fn in_time<T>(&self, asked: impl Future<Output = Result<T>>) -> Result<T> {
        let silent = || Error::SourceSilent { name: self.name().to_owned(), seconds: LISTING.as_secs() };
        tokio::time::timeout(LISTING, asked).await.unwrap_or_else(|_| Err(silent()))
    }

    /// Whether it is read through `strongroom.source.v1`.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self, Self::Service(_))
    }

    /// Its current size in bytes; `None` for a service, which does not report it. Tables that `choice` leaves out count
    /// too.
    ///
    /// # Errors
    /// As for [`Self::list`].
    pub(crate) async fn bytes(&self, choice: &Choice) -> Result<Option<u64>> {
        self.in_time(async {
            match self {
                Self::Sql(source) => source.bytes().await.map(Some),
                Self::Service(_) => Ok(None),
                Self::Files(source) => {
                    let set = source.open(choice).await?;
                    Ok(Some(set.files().iter().map(|file| file.bytes).sum()))
                }
            }
        })
        .await
    }

    /// The database, if the source is one.
    pub(crate) fn database(&self) -> Option<&SqlSource> {
        match self {
            Self::Sql(source) => Some(source),
            Self::Service(_) | Self::Files(_) => None,
        }
    }

    /// Fixes one point in time for everything that is read.
    pub(crate) async fn open(&self, choice: &Choice) -> Result<OpenSource> {
        match self {
            Self::Sql(source) => Ok(OpenSource::Sql(Box::new(source.open(choice).await?))),
            Self::Service(source) => Ok(OpenSource::Service(Box::new(source.open(choice).await?))),
            Self::Files(source) => Ok(OpenSource::Files(source.open(choice).await?)),
        }
    }
}

/// A source at one point in time. Dropping it ends the snapshot.
pub(crate) enum OpenSource {
    /// A database transaction.
    Sql(Box<SqlSnapshot>),
    /// A stream of a service.
    Service(Box<ServiceSnapshot>),
    /// A list of files.
    Files(Arc<FileSet>),
}

impl OpenSource {
    /// Its record in the manifest.
    pub(crate) fn record(&self) -> &SourceRecord {
        match self {
            Self::Sql(open) => open.record(),
            Self::Service(open) => open.record(),
            Self::Files(open) => open.record(),
        }
    }

    /// Everything in the source, including tables that are not read. Incomplete if tables were selected.
    pub(super) fn listing(&self) -> Listing {
        match self {
            Self::Sql(open) => open.listing().clone(),
            Self::Service(open) => open.listing().clone(),
            Self::Files(_) => Listing::default(),
        }
    }

    /// The tables to read, in this order and by the source's own names.
    pub(crate) fn tables(&self) -> &[TableSchema] {
        match self {
            Self::Sql(open) => open.tables(),
            Self::Service(open) => open.tables(),
            Self::Files(_) => &[],
        }
    }

    /// The files to read, if the source has files.
    pub(crate) fn files(&self) -> Option<&Arc<FileSet>> {
        match self {
            Self::Sql(_) | Self::Service(_) => None,
            Self::Files(open) => Some(open),
        }
    }

    /// Its columns of sealed values, in the tables to read.
    pub(crate) fn encrypted(&self) -> &[EncryptedColumn] {
        match self {
            Self::Sql(open) => open.encrypted(),
            Self::Service(open) => open.encrypted(),
            Self::Files(_) => &[],
        }
    }

    /// The counts of the tables read so far. A service counts its own values.
    pub(crate) fn counted(&self) -> &[ColumnCount] {
        match self {
            Self::Sql(open) => open.counted(),
            Self::Service(_) | Self::Files(_) => &[],
        }
    }

    /// Key versions that its sealed values need, as far as the source knows them.
    pub(crate) fn kids(&self) -> &[String] {
        match self {
            Self::Sql(_) | Self::Files(_) => &[],
            Self::Service(open) => open.kids(),
        }
    }

    /// The oldest time of a table's rows, if older ones are left out.
    pub(crate) fn since(&self, table: &str) -> Option<Timestamp> {
        match self {
            Self::Sql(open) => open.since(table),
            Self::Service(open) => open.since(table),
            Self::Files(_) => None,
        }
    }

    /// A database's contents other than rows of tables.
    pub(crate) fn outside(&self) -> Option<&Outside> {
        match self {
            Self::Sql(open) => Some(open.outside()),
            Self::Service(_) | Self::Files(_) => None,
        }
    }

    /// Sends the bytes of a database's large object, and returns their number.
    pub(crate) async fn read_large_object(&mut self, oid: u32, pieces: &mpsc::Sender<Bytes>) -> Result<u64> {
        match self {
            Self::Sql(open) => open.read_large_object(oid, pieces).await,
            Self::Service(_) | Self::Files(_) => {
                Err(Error::Defect(format!("there is no large object {oid}")))
            }
        }
    }

    /// Sends all rows of a table, by its own name, and returns their number.
    pub(crate) async fn read_table(&mut self, table: &str, blocks: &mpsc::Sender<Block>) -> Result<u64> {
        match self {
            Self::Sql(open) => open.read_table(table, blocks).await,
            Self::Service(open) => open.read_table(table, blocks).await,
            Self::Files(_) => Err(Error::Defect(format!("file sets have no table {table:?}"))),
        }
    }

    /// Ends the snapshot after its last table.
    pub(crate) async fn finish(self) -> Result<()> {
        match self {
            Self::Sql(open) => {
                open.close().await;
                Ok(())
            }
            Self::Service(open) => open.finish().await,
            Self::Files(_) => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
