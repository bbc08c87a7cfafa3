//! What a backup reads: databases, directories, and services that hand out their own tables. The vault is one
//! of those.
//!
//! A source is opened once an export and then read table by table; dropping what was opened ends its snapshot
//! at once.

mod files;
mod service;
mod sql;

use std::sync::Arc;

use jiff::Timestamp;
use strongroom_archive::EncryptedColumn;
use strongroom_archive::manifest::SourceRecord;
use strongroom_archive::schema::TableSchema;
use strongroom_tables::Block;
use tokio::sync::mpsc;

use crate::error::{Error, Result};
pub(crate) use files::{FileSet, FilesSource, ListedFile};
use service::ServiceSnapshot;
pub(crate) use service::{ServiceSource, VAULT_TABLES};
use sql::SqlSnapshot;
pub(crate) use sql::SqlSource;

/// The vault's name among the sources.
pub(crate) const VAULT_NAME: &str = "vault";
/// The vault's optional group: its audit log.
pub(crate) const VAULT_GROUP: &str = "audit";

/// A configured source.
pub(crate) enum Source {
    /// Read by introspection.
    Sql(Box<SqlSource>),
    /// Read through `strongroom.source.v1`.
    Service(ServiceSource),
    /// Read file by file.
    Files(FilesSource),
}

/// What an export wants of a source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    /// Optional groups to include, of any source.
    pub(crate) groups: Vec<String>,
    /// Only these tables, all of this source.
    pub(crate) only: Option<Vec<String>>,
    /// Of groups with a time column, only rows at or after it.
    pub(crate) since: Option<Timestamp>,
}

impl Choice {
    /// Whether the group called `name` is included.
    pub(crate) fn includes(&self, name: &str) -> bool {
        self.groups.iter().any(|group| group == name)
    }
}

/// A source and what it could give now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The source's name.
    pub(crate) source: String,
    /// `sqlite`, `postgres`, `files`, `grpc` or `vault`.
    pub(crate) kind: &'static str,
    /// The optional group of the whole source; empty when there is none.
    pub(crate) group: String,
    /// Tables of all groups.
    pub(crate) tables: Vec<ListedTable>,
}

/// A table in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedTable {
    /// Its name in archives.
    pub(crate) name: String,
    /// Its optional group; empty when it is always exported.
    pub(crate) group: String,
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

/// How many values of an encrypted column each key version has sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ColumnCount {
    /// The column.
    pub(crate) column: EncryptedColumn,
    /// The source it is in.
    pub(crate) source: String,
    /// What stands for a kid in the values, with the number of rows.
    pub(crate) kids: Vec<(String, u64)>,
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
