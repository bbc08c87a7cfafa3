//! Converts the archive's JSON to bound values.

use serde_json::value::RawValue;
use strongroom_archive::SqliteValue;
use strongroom_archive::schema::{Engine, TableSchema};

use super::affinity::Affinity;
use super::foreign_value::Form;
use super::pair::Pair;
use crate::error::{Error, Result};
use crate::load::Encode;
use crate::load::Rows;

/// Memory that a value takes in addition to its text, in bytes.
const VALUE: usize = size_of::<SqliteValue>();

/// Rows of one table.
pub(super) struct Values {
    table: String,
    /// One entry for each column of the archive; `None` for a generated column.
    columns: Vec<Option<Taken>>,
    /// Texts are stored as UTF-16: bytes that are not valid text cannot be stored there.
    is_utf16: bool,
    values: Vec<SqliteValue>,
    bytes: usize,
    row: u64,
}

/// A column that takes values.
struct Taken {
    name: String,
    affinity: Affinity,
    /// How PostgreSQL values become SQLite values; `None` for a SQLite archive.
    form: Option<Form>,
}

impl Values {
    pub(super) fn new(archive: &TableSchema, pair: &Pair, is_utf16: bool) -> Self {
        let mut columns: Vec<Option<Taken>> = archive.columns.iter().map(|_| None).collect();
        for column in &pair.columns {
            let Some(place) = columns.get_mut(column.archive) else { continue };
            let is_foreign = archive.engine == Engine::Postgres;
            let form = is_foreign.then(|| Form::of(&archive.columns[column.archive].type_name, archive));
            *place = Some(Taken { name: column.name.clone(), affinity: column.affinity, form });
        }
        let table = archive.name.clone();
        Self { table, columns, is_utf16, values: Vec::new(), bytes: 0, row: 0 }
    }

    fn value(&self, taken: &Taken, json: &RawValue) -> Result<SqliteValue, String> {
        let value = match taken.form {
            Some(form) => form.value(json)?,
            None => SqliteValue::from_json(json).map_err(|error| error.to_string())?,
        };
        match (&value, taken.affinity.changes(&value)) {
            (_, Some(problem)) => Err(problem.to_owned()),
            (SqliteValue::TextBytes(_), None) if self.is_utf16 => {
                Err("it is not UTF-8, and the target stores text as UTF-16".to_owned())
            }
            _ => Ok(value),
        }
    }
}

impl Encode for Values {
    fn add(&mut self, values: &[&RawValue]) -> Result<()> {
        self.row += 1;
        if values.len() != self.columns.len() {
            let problem = format!(
                "the row has {} values and its table has {} columns",
                values.len(),
                self.columns.len()
            );
            let (table, column) = (self.table.clone(), String::new());
            return Err(Error::Value { table, row: self.row, column, problem });
        }
        for (taken, json) in self.columns.iter().zip(values) {
            let Some(taken) = taken else { continue };
            let value = self.value(taken, json).map_err(|problem| Error::Value {
                table: self.table.clone(),
                row: self.row,
                column: taken.name.clone(),
                problem,
            })?;
            self.bytes += VALUE + length(&value);
            self.values.push(value);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn take(&mut self) -> Rows {
        self.bytes = 0;
        Rows::Values(std::mem::take(&mut self.values))
    }
}

/// Length of a value in bytes, excluding the fixed part of every value.
pub(super) fn length(value: &SqliteValue) -> usize {
    match value {
        SqliteValue::Text(text) => text.len(),
        SqliteValue::TextBytes(bytes) | SqliteValue::Blob(bytes) => bytes.len(),
        SqliteValue::Null | SqliteValue::Integer(_) | SqliteValue::Real(_) => 0,
    }
}
