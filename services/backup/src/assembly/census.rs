//! The key versions that the encrypted columns of databases need: for the manifest, and for the vault, which retires no
//! version that is still needed.
//!
//! The database counts each column after its table was read, in the same snapshot; tables without such a column cost
//! nothing.

use std::collections::HashMap;

use crate::sources::ColumnCount;
use crate::vault_client::{PinnedVersions, VaultClient};

/// The columns counted by the sources of one export.
#[derive(Default)]
pub(super) struct Census {
    columns: Vec<ColumnCount>,
}

impl Census {
    pub(super) fn add(&mut self, counted: &[ColumnCount]) {
        self.columns.extend_from_slice(counted);
    }

    /// Adds the columns' key versions to the manifest's list of kids. A version that is not `pinned` could not open
    /// anything: it was destroyed, or a value that names it only looks sealed.
    pub(super) fn complete(&self, kids: &mut Vec<String>, pinned: &PinnedVersions) {
        let counted = self.columns.iter().flat_map(|column| &column.kids);
        kids.extend(counted.filter(|(kid, _)| pinned.has_version(kid)).map(|(kid, _)| kid.clone()));
        kids.sort();
        kids.dedup();
    }

    /// Reports the counts to the vault, with their `time` in microseconds. A failure is only logged: the export is
    /// valid without the report, and the vault waits for a fresh one before it retires anything.
    pub(super) async fn report(&self, vault: &VaultClient, pinned: &PinnedVersions, time: i64) {
        for counted in &self.columns {
            let (key, source) = (counted.column.key.as_str(), counted.source.as_str());
            let column = format!("{}.{}", counted.column.table, counted.column.column);
            let (values, strange) = split(counted, pinned);
            if strange > 0 {
                tracing::warn!(
                    source,
                    column,
                    key,
                    strange,
                    "values are not sealed by any version of their key"
                );
            }
            if let Err(error) = vault.report_census(key, source, &column, values, time).await {
                tracing::warn!(source, column, key, %error, "the vault does not accept the count of a column");
            }
        }
    }
}

/// The number of values by version of the column's own key, and the number of all other values.
fn split(counted: &ColumnCount, pinned: &PinnedVersions) -> (HashMap<String, i64>, u64) {
    let mut values = HashMap::new();
    let mut strange = 0;
    for (kid, rows) in &counted.kids {
        if pinned.has(&counted.column.key, kid) {
            values.insert(kid.clone(), i64::try_from(*rows).unwrap_or(i64::MAX));
        } else {
            strange += rows;
        }
    }
    (values, strange)
}
