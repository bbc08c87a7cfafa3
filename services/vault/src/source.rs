//! The vault as a source of backups: its own tables in one snapshot, with secrets as they are stored. [`Restoring`]
//! restores them.
//!
//! The key ring is not among them: an archive carries it wrapped, from `KeyService.ExportKeyRing`. `tables` lists the
//! exported tables.

mod restoring;
mod tables;

use async_stream::try_stream;
use strongroom_archive::schema::TableSchema;
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Block, Snapshot, SnapshotOptions, list_tables, open_snapshot};
use tokio::sync::mpsc;
use tokio_stream::Stream;

use crate::error::{Error, Result};
pub(crate) use restoring::{Beginning, OldHead, Restoring, Staged, Staging, Terms, is_restored};
pub(crate) use tables::{SourceTable, TABLES};

/// Blocks between the database and the stream: the reader stops when the client does.
const BLOCKS_AHEAD: usize = 2;

/// A table and its schema.
pub(crate) struct DescribedTable {
    pub(crate) table: &'static SourceTable,
    pub(crate) schema: TableSchema,
}

/// A part of a snapshot: `Begun` once, then the blocks and the end of each table.
pub(crate) enum SnapshotPart {
    Begun {
        tables: Vec<DescribedTable>,
        /// Product and version of the database.
        engine: String,
        /// Isolation of the snapshot.
        kind: &'static str,
        /// The key versions that the tables' values name, sorted.
        kids: Vec<String>,
    },
    Rows(Block),
    TableEnd {
        name: &'static str,
        rows: u64,
    },
    End,
}

/// The vault's own tables.
pub(crate) struct Source {
    database: DatabaseUrl,
}

impl Source {
    pub(crate) fn new(database: DatabaseUrl) -> Self {
        Self { database }
    }

    /// Every table that can be read.
    pub(crate) async fn describe(&self) -> Result<Vec<DescribedTable>> {
        let everything: Vec<&SourceTable> = TABLES.iter().collect();
        let schemas = list_tables(&self.database, &options(&everything)).await?;
        everything.into_iter().map(|table| describe(table, &schemas)).collect()
    }

    /// Opens a snapshot of `tables` and reads them in order. Dropping the stream ends the snapshot.
    pub(crate) async fn read(
        &self,
        tables: Vec<&'static SourceTable>,
    ) -> Result<impl Stream<Item = Result<SnapshotPart>> + Send + use<>> {
        let mut snapshot = open_snapshot(&self.database, &options(&tables)).await?;
        let begun = begin(&mut snapshot, &tables).await?;
        Ok(try_stream! {
            yield begun;
            for table in tables {
                let (sender, mut blocks) = mpsc::channel(BLOCKS_AHEAD);
                let mut rows = 0;
                {
                    let reading = async {
                        let sender = sender;
                        snapshot.read_table(table.name, None, &sender).await
                    };
                    tokio::pin!(reading);
                    let mut read = None;
                    loop {
                        tokio::select! {
                            done = &mut reading, if read.is_none() => read = Some(done),
                            block = blocks.recv() => match block {
                                Some(block) => yield SnapshotPart::Rows(block),
                                None => break,
                            },
                        }
                    }
                    if let Some(read) = read {
                        rows = read?;
                    }
                }
                yield SnapshotPart::TableEnd { name: table.name, rows };
            }
            snapshot.close().await;
            yield SnapshotPart::End;
        })
    }
}

async fn begin(snapshot: &mut Snapshot, tables: &[&'static SourceTable]) -> Result<SnapshotPart> {
    let described =
        tables.iter().map(|table| describe(table, snapshot.tables())).collect::<Result<Vec<_>>>()?;
    let mut kids = Vec::new();
    for table in tables {
        for column in table.encrypted_columns {
            kids.extend(snapshot.count_kids(table.name, column).await?.into_iter().map(|(kid, _)| kid));
        }
    }
    kids.sort();
    kids.dedup();
    let info = snapshot.info();
    Ok(SnapshotPart::Begun { tables: described, engine: info.engine.clone(), kind: info.kind, kids })
}

fn options(tables: &[&SourceTable]) -> SnapshotOptions {
    let only = tables.iter().map(|table| table.name.to_owned()).collect();
    SnapshotOptions { only: Some(only), ..SnapshotOptions::new("vault") }
}

fn describe(table: &'static SourceTable, schemas: &[TableSchema]) -> Result<DescribedTable> {
    let schema = schemas
        .iter()
        .find(|schema| schema.name == table.name)
        .ok_or_else(|| Error::Inconsistent(format!("the table {} is gone", table.name)))?;
    Ok(DescribedTable { table, schema: schema.clone() })
}
