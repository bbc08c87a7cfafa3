//! Compares the rows in a database with those of the archive, in any order.
//!
//! A table's digest is the sum of the SHA-256 of its rows: a row that is missing, duplicated or changed by one bit
//! changes it. The archive's own digests cover bytes in order, and a database with partitions does not keep that order.
//! A sum could be forged by choosing the rows; nobody can do so here, because the archive was verified before.

use std::io::Read as _;

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use strongroom_archive::schema::TableSchema;
use strongroom_archive::{Limits, RowReader, Watch, verify_entry};
use strongroom_store::DatabaseUrl;
use strongroom_tables::{Block, SnapshotOptions, open_snapshot};
use tokio::sync::mpsc;

use crate::error::Result;
use crate::incoming::Archive;
use crate::restore::Part;

/// Number of blocks that can wait to be read: half a MiB.
const BLOCKS: usize = 4;

/// The digest of one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RowSum {
    pub(super) rows: u64,
    sum: [u64; 4],
}

impl RowSum {
    /// Adds a row; its values are in the order of the archive's columns.
    fn add<'a>(&mut self, values: impl Iterator<Item = &'a str>) {
        let mut digest = Sha256::new();
        for value in values {
            digest.update((value.len() as u64).to_le_bytes());
            digest.update(value);
        }
        for (sum, bytes) in self.sum.iter_mut().zip(digest.finalize().chunks_exact(8)) {
            *sum = sum.wrapping_add(u64::from_le_bytes(bytes.try_into().unwrap_or_default()));
        }
        self.rows += 1;
    }
}

impl Watch for RowSum {
    fn row(&mut self, _schema: &TableSchema, values: &[&RawValue]) -> strongroom_archive::Result<()> {
        self.add(values.iter().map(|value| value.get()));
        Ok(())
    }

    fn progress(&mut self, _bytes: u64) -> strongroom_archive::Result<()> {
        Ok(())
    }
}

/// The digests of the tables of `part` in the archive, in order.
///
/// # Errors
/// Errors of reading the archive.
pub(super) async fn in_archive(mut archive: Archive, part: &Part) -> Result<Vec<RowSum>> {
    let entries = part.entries().to_vec();
    tokio::task::spawn_blocking(move || {
        let mut sums = Vec::with_capacity(entries.len());
        for entry in entries {
            let mut sum = RowSum::default();
            verify_entry(&mut archive, entry, &mut sum)?;
            sums.push(sum);
        }
        Ok(sums)
    })
    .await?
}

/// The digests of the same tables in the database at `url`; `None` for a table that does not exist, or lacks a column.
///
/// # Errors
/// The database's errors.
pub(super) async fn in_database(url: &DatabaseUrl, part: &Part) -> Result<Vec<Option<RowSum>>> {
    let mut snapshot = open_snapshot(url, &SnapshotOptions::new(&part.record().name)).await?;
    let there = snapshot.tables().to_vec();
    let mut sums = Vec::new();
    for table in part.tables() {
        let is_it = |other: &&TableSchema| {
            other.table == table.schema.table && other.namespace == table.schema.namespace
        };
        let reader = there.iter().find(is_it).and_then(|found| Reader::of(&table.schema, found));
        let Some(reader) = reader else {
            sums.push(None);
            continue;
        };
        let name = reader.schema.name.clone();
        let (blocks, queue) = mpsc::channel(BLOCKS);
        let reading = tokio::task::spawn_blocking(move || reader.read(queue));
        let sent = snapshot.read_table(&name, None, &blocks).await;
        drop(blocks);
        let sum = reading.await?;
        sent?;
        sums.push(Some(sum?));
    }
    snapshot.close().await;
    Ok(sums)
}

/// Reads rows of a database in the form of the archive.
struct Reader {
    schema: TableSchema,
    /// Position of each of the archive's columns.
    places: Vec<usize>,
}

impl Reader {
    fn of(archive: &TableSchema, found: &TableSchema) -> Option<Self> {
        let place = |name: &String| found.columns.iter().position(|column| column.name == *name);
        let places: Option<Vec<usize>> = archive.columns.iter().map(|column| place(&column.name)).collect();
        Some(Self { schema: found.clone(), places: places? })
    }

    fn read(&self, mut blocks: mpsc::Receiver<Block>) -> Result<RowSum> {
        let mut sum = RowSum::default();
        while let Some(block) = blocks.blocking_recv() {
            let table = b"[\n".chain(&block.bytes[..]).chain(&b"\n]\n"[..]);
            let limit = Limits::V1.row_bytes;
            let mut rows = RowReader::open(table, self.schema.name.clone(), &self.schema, limit);
            while let Some(values) = rows.next_row()? {
                sum.add(self.places.iter().filter_map(|place| values.get(*place)).map(|value| value.get()));
            }
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[[&str; 2]]) -> RowSum {
        let mut sum = RowSum::default();
        rows.iter().for_each(|row| sum.add(row.iter().copied()));
        sum
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let rows = [["1", "\"a\""], ["2", "\"b\""]];
        assert_eq!(sum(&rows), sum(&[rows[1], rows[0]]));
        for other in [
            &[rows[0]][..],
            &[rows[0], rows[0]],
            &[rows[0], rows[1], rows[1]],
            &[["1", "\"a\""], ["2", "\"c\""]],
            &[["1", "\"b\""], ["2", "\"a\""]],
            &[["1\"", "a\""], ["2", "\"b\""]],
            &[],
        ] {
            assert_ne!(sum(&rows), sum(other), "{other:?}");
        }
    }
}
