//! The encrypted columns of a database: their declarations, a connection to rewrite them, and the number of values per
//! key version.

use strongroom_archive::{AadTemplate, EncryptedColumn};
use strongroom_tables::reencrypt::{Rewriter, SealedColumn};
use strongroom_tables::{SnapshotOptions, list_tables, open_snapshot};

use super::{ColumnCount, SqlSource};
use crate::error::Result;

impl SqlSource {
    /// Whether the configuration names encrypted columns.
    pub(crate) fn has_encrypted_columns(&self) -> bool {
        !self.config.encrypted_columns.is_empty()
    }

    /// Whether a role that owns its tables is configured.
    pub(crate) fn is_restorable(&self) -> bool {
        self.restore_url.is_some()
    }

    /// A connection that rewrites values, and the columns in its order.
    ///
    /// # Errors
    /// [`crate::error::RestoreError::NoRestoreUrl`], [`crate::error::RestoreError::OtherDatabase`],
    /// [`crate::error::Error::ColumnMissing`], and the database's errors for columns that cannot be written.
    pub(crate) async fn open_rewriter(&self) -> Result<(Rewriter, Vec<EncryptedColumn>)> {
        let target = self.target_url()?;
        self.check_same().await?;
        let options = self.of_encrypted();
        let columns = self.encrypted(&list_tables(&self.url, &options).await?)?;
        let sealed = columns.iter().map(sealed_column).collect::<Result<Vec<_>>>()?;
        Ok((Rewriter::open(target, &options, &sealed).await?, columns))
    }

    /// Counts the values of all encrypted columns in one snapshot.
    ///
    /// # Errors
    /// The database's errors.
    pub(crate) async fn count_encrypted(&self) -> Result<Vec<ColumnCount>> {
        let mut snapshot = open_snapshot(&self.url, &self.of_encrypted()).await?;
        let mut counted = Vec::new();
        for column in self.encrypted(snapshot.tables())? {
            let kids = snapshot.count_kids(&column.table, &column.column).await?;
            counted.push(ColumnCount { column, source: self.config.name.clone(), kids });
        }
        snapshot.close().await;
        Ok(counted)
    }

    /// Reads only the tables that have encrypted columns, excluded or not: the configuration names both.
    fn of_encrypted(&self) -> SnapshotOptions {
        let parts = self.config.encrypted_columns.iter().filter_map(|column| column.parts());
        let mut tables: Vec<String> = parts.map(|(table, _)| table.to_owned()).collect();
        tables.sort();
        tables.dedup();
        SnapshotOptions { only: Some(tables), exclude: Vec::new(), ..self.everything() }
    }
}

fn sealed_column(column: &EncryptedColumn) -> Result<SealedColumn> {
    let template = AadTemplate::parse(&column.aad)?;
    let (table, name) = (column.table.clone(), column.column.clone());
    Ok(SealedColumn { table, column: name, needed: template.columns().map(str::to_owned).collect() })
}
