//! Columns that depend on the vault's own keys: one list for re-encryption, the census and the checks before a
//! retirement.

use strongroom_crypto::{Cell, Purpose};

use super::granting::Granting;
use super::key_names::{AUDIT_KEY, CREDENTIAL_KEY, ROWS_KEY};
use super::person::PersonIdentityRow;
use super::{CredentialRow, KeyRequestRow, PersonRequestRow, PersonRow, ReferenceRow, TokenRow, VersionRow};

/// A column whose values are sealed by one of the vault's keys, each for its row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealedColumn {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    /// The column that identifies the row; sorted as text.
    pub(crate) id: &'static str,
    pub(crate) key_id: &'static str,
    pub(crate) purpose: Purpose,
    /// The same column for the census.
    pub(crate) counted: CountedColumn,
}

/// A column whose values name a key version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CountedColumn {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) key_id: &'static str,
    /// The SQL expression for the version's kid, valid on both engines.
    pub(crate) kid: &'static str,
}

/// A credential's current secret.
pub(crate) const CURRENT_SECRET: SealedColumn = secret_of("credentials");
/// A credential's secret before its last rotation.
pub(crate) const PREVIOUS_SECRET: SealedColumn = secret_of("credential_versions");

/// The columns that re-encryption walks. A new column is one more entry.
pub(crate) const SEALED: &[SealedColumn] = &[CURRENT_SECRET, PREVIOUS_SECRET];

/// The column `secret` of a table whose rows are identified by `id`.
const fn secret_of(table: &'static str) -> SealedColumn {
    let counted =
        CountedColumn { table, column: "secret", key_id: CREDENTIAL_KEY, kid: "substr(secret, 6, 16)" };
    SealedColumn {
        table,
        column: "secret",
        id: "id",
        key_id: CREDENTIAL_KEY,
        purpose: Purpose::Credential,
        counted,
    }
}

/// Columns that name versions without being sealed: an old version verifies the events that it chained, and the rows
/// that grant access.
const CHAINED: &[CountedColumn] = &[
    CountedColumn { table: "audit_logs", column: "key_kid", key_id: AUDIT_KEY, kid: "key_kid" },
    rows_of::<TokenRow>(),
    rows_of::<CredentialRow>(),
    rows_of::<ReferenceRow>(),
    rows_of::<VersionRow>(),
    rows_of::<KeyRequestRow>(),
    rows_of::<PersonRow>(),
    rows_of::<PersonIdentityRow>(),
    rows_of::<PersonRequestRow>(),
];

const fn rows_of<R: Granting>() -> CountedColumn {
    CountedColumn { table: R::TABLE, column: "row_kid", key_id: ROWS_KEY, kid: "row_kid" }
}

/// The column `table.column`, if versions of `key_id` seal it.
pub(crate) fn sealed_column(key_id: &str, name: &str) -> Option<&'static SealedColumn> {
    let (table, column) = name.split_once('.')?;
    let named = |sealed: &&SealedColumn| sealed.table == table && sealed.column == column;
    SEALED.iter().filter(|sealed| sealed.key_id == key_id).find(named)
}

impl SealedColumn {
    /// The cell of the value of `row`.
    pub(crate) fn cell<'a>(&self, row: &'a str) -> Cell<'a> {
        Cell { purpose: self.purpose, table: self.table, column: self.column, row }
    }
}

/// The columns that need versions of `key_id`, or of any key if it is empty.
pub(crate) fn counted(key_id: &str) -> Vec<CountedColumn> {
    let all = SEALED.iter().map(|column| column.counted).chain(CHAINED.iter().copied());
    all.filter(|column| key_id.is_empty() || column.key_id == key_id).collect()
}
