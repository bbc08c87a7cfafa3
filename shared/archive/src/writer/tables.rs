//! Tables: one entry with the rows and one with the schema, with the same file name.

use std::io::Write;

use jiff::Timestamp;

use super::ArchiveWriter;
use crate::error::{Error, Result};
use crate::manifest::{EntryKind, EntryRecord};
use crate::rows::schema::TableSchema;

/// The table whose rows are being written.
pub(super) struct OpenTable {
    entry: String,
    rows: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Writes `schema/<file>.json`. Its `name` is the table's name in the archive.
    pub fn write_schema(&mut self, schema: &TableSchema) -> Result<()> {
        let name = format!("schema/{}.json", self.files.for_table(&schema.name));
        let json = serde_json::to_vec_pretty(schema);
        let mut json = json.map_err(|source| Error::Json { entry: name.clone(), source })?;
        json.push(b'\n');
        self.write_small(record(&name, EntryKind::Schema, schema), &json)
    }

    /// Begins `tables/<file>.json`. If `since` is set, older rows are left out.
    pub fn start_table(&mut self, schema: &TableSchema, since: Option<Timestamp>) -> Result<()> {
        let name = format!("tables/{}.json", self.files.for_table(&schema.name));
        self.start_entry(EntryRecord { since, ..record(&name, EntryKind::Table, schema) })?;
        self.open_table = Some(OpenTable { entry: name, rows: 0 });
        Ok(())
    }

    /// Appends a block: `rows` complete rows joined by `,\n`, without a separator before or after them. A
    /// block without rows is empty and changes nothing.
    pub fn write_rows(&mut self, block: &[u8], rows: u64) -> Result<()> {
        let Some(table) = &mut self.open_table else {
            return Err(Error::Usage("no table is open"));
        };
        if rows == 0 && block.is_empty() {
            return Ok(());
        }
        if rows == 0 || !block.starts_with(b"{") || !block.ends_with(b"}") {
            return Err(Error::Usage("a block is whole rows, and comes with their number"));
        }
        check_rows(table, block, self.limits.row_bytes)?;
        let opening: &[u8] = if table.rows == 0 { b"[\n" } else { b",\n" };
        table.rows += rows;
        self.write(opening)?;
        self.write(block)
    }

    /// Ends the table and returns its number of rows.
    pub fn finish_table(&mut self) -> Result<u64> {
        let Some(table) = self.open_table.take() else {
            return Err(Error::Usage("no table is open"));
        };
        let closing: &[u8] = if table.rows == 0 { b"[]\n" } else { b"\n]\n" };
        self.write(closing)?;
        self.note(|record| record.rows = Some(table.rows));
        self.finish_entry()?;
        Ok(table.rows)
    }
}

fn record(name: &str, kind: EntryKind, schema: &TableSchema) -> EntryRecord {
    EntryRecord {
        table: Some(schema.name.clone()),
        source: Some(schema.source.clone()),
        namespace: Some(schema.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        own_table: Some(schema.table.clone()),
        ..EntryRecord::new(name, kind)
    }
}

/// Refuses a row above the limit. Rows contain no line feed, so only a block larger than the limit of a row
/// must be examined.
fn check_rows(table: &OpenTable, block: &[u8], limit: u64) -> Result<()> {
    if block.len() as u64 <= limit {
        return Ok(());
    }
    for (line, row) in block.split(|byte| *byte == b'\n').zip(table.rows + 1..) {
        let bytes = line.strip_suffix(b",").unwrap_or(line);
        if bytes.len() as u64 > limit {
            return Err(Error::RowLimit { entry: table.entry.clone(), row, limit });
        }
    }
    Ok(())
}
