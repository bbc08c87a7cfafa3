//! One source of whatever kind, and what was opened of it.
//!
//! A source is opened once an export and then read table by table; dropping what was opened ends its snapshot
//! at once.

use std::sync::Arc;

use strongroom_archive::EncryptedColumn;
use strongroom_archive::manifest::SourceRecord;
use strongroom_archive::schema::TableSchema;
use strongroom_tables::Block;
use tokio::sync::mpsc;

use super::files::{FileSet, FilesSource};
use super::listing::{Choice, Listing};
use super::service::{ServiceSnapshot, ServiceSource};
use super::sql::{ColumnCount, SqlSnapshot, SqlSource};
use crate::error::{Error, Result};

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

    /// Its optional groups. Only a service other than the vault has to be asked.
    pub(crate) async fn groups(&self) -> Result<Vec<String>> {
        match self {
            Self::Sql(source) => Ok(source.groups()),
            Self::Service(source) => source.groups().await,
            Self::Files(source) => Ok(source.groups()),
        }
    }

    /// Its tables as they are now.
    pub(crate) async fn list(&self) -> Result<Listing> {
        match self {
            Self::Sql(source) => source.list().await,
            Self::Service(source) => source.list().await,
            Self::Files(source) => source.list(),
        }
    }

    /// The check at start: as [`Self::list`], and what the configuration names must exist.
    pub(crate) async fn check(&self) -> Result<Listing> {
        match self {
            Self::Sql(source) => source.check().await,
            Self::Service(source) => source.list().await,
            Self::Files(source) => source.list(),
        }
    }

    /// Fixes one moment for everything that is read.
    pub(crate) async fn open(&self, choice: &Choice) -> Result<OpenSource> {
        match self {
            Self::Sql(source) => Ok(OpenSource::Sql(Box::new(source.open(choice).await?))),
            Self::Service(source) => Ok(OpenSource::Service(Box::new(source.open(choice).await?))),
            Self::Files(source) => Ok(OpenSource::Files(source.open(choice).await?)),
        }
    }
}

/// A source in one moment. Dropping it ends the snapshot.
pub(crate) enum OpenSource {
    /// A database transaction.
    Sql(Box<SqlSnapshot>),
    /// A stream of a service.
    Service(Box<ServiceSnapshot>),
    /// A list of files.
    Files(Arc<FileSet>),
}

impl OpenSource {
    /// What the manifest says of it.
    pub(crate) fn record(&self) -> &SourceRecord {
        match self {
            Self::Sql(open) => open.record(),
            Self::Service(open) => open.record(),
            Self::Files(open) => open.record(),
        }
    }

    /// The tables to read, in this order.
    pub(crate) fn tables(&self) -> &[TableSchema] {
        match self {
            Self::Sql(open) => open.tables(),
            Self::Service(open) => open.tables(),
            Self::Files(_) => &[],
        }
    }

    /// The files to read, of a source that has files.
    pub(crate) fn files(&self) -> Option<&Arc<FileSet>> {
        match self {
            Self::Sql(_) | Self::Service(_) => None,
            Self::Files(open) => Some(open),
        }
    }

    /// Its columns of sealed values, of the tables to read.
    pub(crate) fn encrypted(&self) -> &[EncryptedColumn] {
        match self {
            Self::Sql(open) => open.encrypted(),
            Self::Service(open) => open.encrypted(),
            Self::Files(_) => &[],
        }
    }

    /// What was counted in the tables read so far. A service counts its own values.
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

    /// Sends all rows of a table and returns how many there were.
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
