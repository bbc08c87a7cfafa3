//! Counts of the other contents of an export, to show what was not imported.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use serde_json::{Map, Value};
use strongroom_archive::Limits;

use super::{CREDENTIALS, Export, rows};
use crate::app_key::AppKey;
use crate::error::{Error, Result};
use crate::laravel::looks_encrypted;

/// The column that names a row's credential.
const REFERENCE: &str = "credential_id";

/// A table other than the credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableSurvey {
    /// Its name.
    pub table: String,
    /// Number of rows, as counted.
    pub rows: u64,
    /// Number of rows that name a credential.
    pub references: u64,
    /// Columns with encrypted values, by name.
    pub encrypted: BTreeMap<String, EncryptedColumn>,
}

/// Encrypted values of one column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncryptedColumn {
    /// Number of values.
    pub values: u64,
    /// Number of values that the key opens.
    pub opened: u64,
}

impl<R: Read + Seek> Export<R> {
    /// Reads every table except the credentials, one row in memory at a time, and tries `key` on encrypted
    /// values.
    ///
    /// # Errors
    /// If a table is damaged or not an array of rows.
    pub fn survey(&mut self, key: &AppKey) -> Result<Vec<TableSurvey>> {
        let names = self.zip.names().iter();
        let tables = names.filter_map(|name| name.strip_prefix("tables/")?.strip_suffix(".json"));
        let mut tables: Vec<String> = tables.map(str::to_owned).collect();
        tables.retain(|table| table != CREDENTIALS);
        tables.into_iter().map(|table| self.survey_table(table, key)).collect()
    }

    fn survey_table(&mut self, table: String, key: &AppKey) -> Result<TableSurvey> {
        let mut survey = TableSurvey { table, ..TableSurvey::default() };
        let name = super::entry_of(&survey.table);
        let entry = self.zip.entry(&name, Limits::V1.entry_bytes).map_err(Error::Zip)?;
        rows::for_each(&name, entry, |row| {
            survey.count(&row, key);
            Ok(())
        })?;
        Ok(survey)
    }
}

impl TableSurvey {
    fn count(&mut self, row: &Map<String, Value>, key: &AppKey) {
        self.rows += 1;
        self.references += u64::from(row.get(REFERENCE).is_some_and(|value| !value.is_null()));
        for (column, value) in row {
            let Some(text) = value.as_str().filter(|text| looks_encrypted(text)) else {
                continue;
            };
            let counted = self.encrypted.entry(column.clone()).or_default();
            counted.values += 1;
            counted.opened += u64::from(key.open(text).is_ok());
        }
    }
}
