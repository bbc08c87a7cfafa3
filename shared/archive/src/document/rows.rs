//! The rows of a document whose outline is known.

use std::io::{self, Read};

use serde_json::value::RawValue;

use super::row::Columns;
use super::visit::{Visit, walk};
use super::{DocumentError, DocumentLimits, Outline, OutlinedTable};

/// Receives the rows of a document. An error of the receiver ends the reading, as [`DocumentError::Sink`].
pub trait TakeRows {
    /// A row of the table at this index of [`Outline::tables`], with its values in the column order of the
    /// schema.
    ///
    /// # Errors
    /// The receiver's.
    fn row(&mut self, table: usize, values: &[&RawValue]) -> io::Result<()>;

    /// All rows of that table were read.
    ///
    /// # Errors
    /// The receiver's.
    fn end(&mut self, table: usize) -> io::Result<()>;
}

impl Outline {
    /// Reads the rows of the document that this outline was read from, table by table. The rows passed on are
    /// valid only once this has returned without an error.
    ///
    /// # Errors
    /// The first fault found; [`DocumentError::Sink`] for `taker`'s own error.
    pub fn read_rows(
        &self,
        input: impl Read,
        limits: DocumentLimits,
        taker: &mut dyn TakeRows,
    ) -> Result<(), DocumentError> {
        let columns = self.tables.iter().map(columns).collect();
        let mut taking = Taking { outline: self, columns, begun: 0, row: 0, taker };
        walk(input, limits, &mut taking)?;
        if taking.begun == self.tables.len() { Ok(()) } else { Err(other()) }
    }
}

fn columns(table: &OutlinedTable) -> Columns {
    Columns::new(table.schema.columns.iter().map(|column| column.name.clone()).collect())
}

struct Taking<'a> {
    outline: &'a Outline,
    columns: Vec<Columns>,
    /// Number of tables begun, and of rows of the last one.
    begun: usize,
    row: u64,
    taker: &'a mut dyn TakeRows,
}

impl Visit for Taking<'_> {
    fn field(&mut self, _name: &str, _value: &RawValue) -> Result<(), DocumentError> {
        Ok(())
    }

    fn table(&mut self, name: &str) -> Result<(), DocumentError> {
        let expected = self.outline.tables.get(self.begun).map(|table| table.schema.name.as_str());
        if expected != Some(name) {
            return Err(other());
        }
        self.begun += 1;
        self.row = 0;
        Ok(())
    }

    fn row(&mut self, row: &str) -> Result<(), DocumentError> {
        self.row += 1;
        let Some(at) = self.begun.checked_sub(1) else { return Err(other()) };
        let values = self.columns[at].values(row).map_err(|problem| DocumentError::Row {
            table: self.outline.tables[at].schema.name.clone(),
            row: self.row,
            problem,
        })?;
        self.taker.row(at, &values).map_err(DocumentError::Sink)
    }

    fn rows_end(&mut self) -> Result<(), DocumentError> {
        let Some(at) = self.begun.checked_sub(1) else { return Err(other()) };
        self.taker.end(at).map_err(DocumentError::Sink)
    }
}

/// The file changed between the two passes.
fn other() -> DocumentError {
    DocumentError::Form("its tables changed while it was read".to_owned())
}
