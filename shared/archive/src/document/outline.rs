//! The outline of a document: everything except its rows.

use std::collections::HashSet;
use std::io::Read;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::visit::{Visit, walk};
use super::{DocumentError, DocumentLimits, VERSION};
use crate::quote::Quoted;
use crate::rows::schema::TableSchema;

/// The part of a document that is held in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The application that the tables belong to.
    pub app_name: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// In document order; never empty.
    pub tables: Vec<OutlinedTable>,
}

/// A table of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlinedTable {
    /// Its schema, including the table's name in archives and its source.
    pub schema: TableSchema,
    /// Number of rows of this table in the document.
    pub rows: u64,
}

impl Outline {
    /// Reads a whole document. Rows are only delimited and counted.
    ///
    /// # Errors
    /// The first fault found.
    pub fn read(input: impl Read, limits: DocumentLimits) -> Result<Self, DocumentError> {
        let mut sketch = Sketch::default();
        walk(input, limits, &mut sketch)?;
        sketch.finish()
    }
}

/// An outline being built.
#[derive(Default)]
struct Sketch {
    app_name: String,
    created_at: Timestamp,
    tables: Vec<SketchedTable>,
    names: HashSet<String>,
}

#[derive(Default)]
struct SketchedTable {
    name: String,
    source: String,
    schema: Option<TableSchema>,
    rows: u64,
}

impl Visit for Sketch {
    fn field(&mut self, name: &str, value: &RawValue) -> Result<(), DocumentError> {
        match (name, self.tables.last_mut()) {
            ("strongroom_tables", _) => check_version(value)?,
            ("app_name", _) => self.app_name = read(value, "is not text")?,
            ("created_at", _) => self.created_at = read(value, "is not a time in RFC 3339")?,
            ("source", Some(table)) => table.source = read(value, "is not text")?,
            ("schema", Some(table)) => table.schema = Some(schema(value)?),
            _ => {}
        }
        Ok(())
    }

    fn table(&mut self, name: &str) -> Result<(), DocumentError> {
        if !self.names.insert(name.to_owned()) {
            return Err(DocumentError::Form("occurs twice".to_owned()));
        }
        self.tables.push(SketchedTable { name: name.to_owned(), ..SketchedTable::default() });
        Ok(())
    }

    fn row(&mut self, _row: &str) -> Result<(), DocumentError> {
        if let Some(table) = self.tables.last_mut() {
            table.rows += 1;
        }
        Ok(())
    }

    fn rows_end(&mut self) -> Result<(), DocumentError> {
        Ok(())
    }
}

impl Sketch {
    fn finish(self) -> Result<Outline, DocumentError> {
        if self.tables.is_empty() {
            return Err(DocumentError::Form("it has no tables".to_owned()));
        }
        let tables = self.tables.into_iter().map(SketchedTable::finish).collect::<Result<_, _>>()?;
        Ok(Outline { app_name: self.app_name, created_at: self.created_at, tables })
    }
}

impl SketchedTable {
    fn finish(self) -> Result<OutlinedTable, DocumentError> {
        let name = self.name;
        let wrong = |problem: &str| DocumentError::Form(format!("table {}: {problem}", Quoted(&name)));
        let schema = self.schema.ok_or_else(|| wrong("its schema is missing"))?;
        if schema.name != name {
            return Err(wrong("its schema is for a table with another name"));
        }
        if schema.source != self.source {
            return Err(wrong("its schema is for another source"));
        }
        let mut names = HashSet::new();
        if !schema.columns.iter().all(|column| names.insert(&column.name)) {
            return Err(wrong("its schema has two columns with the same name"));
        }
        Ok(OutlinedTable { schema, rows: self.rows })
    }
}

fn check_version(value: &RawValue) -> Result<(), DocumentError> {
    match read(value, "is not a version")? {
        VERSION => Ok(()),
        other => Err(DocumentError::Future(other)),
    }
}

fn read<T: DeserializeOwned>(value: &RawValue, problem: &str) -> Result<T, DocumentError> {
    serde_json::from_str(value.get()).map_err(|_| DocumentError::Form(problem.to_owned()))
}

fn schema(value: &RawValue) -> Result<TableSchema, DocumentError> {
    let read = serde_json::from_str(value.get());
    read.map_err(|error| DocumentError::Form(format!("is not in the form of FORMAT.md: {error}")))
}
