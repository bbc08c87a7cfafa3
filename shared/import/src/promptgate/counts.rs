//! The manifest's counts, the only evidence that an export is complete.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::{CREDENTIALS, Export, MANIFEST, StoredCredential, TableSurvey, document, entry_of};
use crate::error::Result;

impl<R: Read + Seek> Export<R> {
    /// Compares the manifest with the rows read, table by table.
    ///
    /// # Errors
    /// Names the first table that is missing from the export or from the manifest, or has a different number
    /// of rows.
    pub fn check_counts(&self, credentials: &[StoredCredential], tables: &[TableSurvey]) -> Result<()> {
        let mut found: BTreeMap<&str, u64> =
            tables.iter().map(|table| (table.table.as_str(), table.rows)).collect();
        if self.has(CREDENTIALS) {
            found.insert(CREDENTIALS, credentials.len() as u64);
        }
        for (table, counted) in self.manifest.tables.iter() {
            let problem = match found.remove(table) {
                Some(rows) if rows == counted => continue,
                Some(rows) => format!("counts {counted} rows in {table:?}, but {rows} are there"),
                None => format!("lists the table {table:?}, but there is no {}", entry_of(table)),
            };
            return Err(incomplete(&problem));
        }
        match found.keys().next() {
            Some(table) => Err(incomplete(&format!("does not list the table {table:?}, which is there"))),
            None => Ok(()),
        }
    }

    /// Whether the export has the table.
    pub(super) fn has(&self, table: &str) -> bool {
        self.zip.names().contains(&entry_of(table))
    }
}

fn incomplete(problem: &str) -> crate::error::Error {
    document(MANIFEST, format!("{problem}: the export is incomplete or was changed; make it again"))
}
