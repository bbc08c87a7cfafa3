//! Rows of an archive, as staged: each with its MAC from the archive's vault.

use serde::{Deserialize, Serialize};
use sqlx_macros::FromRow;

use crate::store::granting::Granting;
pub(crate) use crate::store::granting::Seal;
use crate::store::{CredentialRow, ReferenceRow, RowVerifiers, TokenRow, VersionRow};

/// The `credential_tombstones` table.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize, Deserialize)]
pub(crate) struct TombstoneRow {
    /// The credential's id.
    pub id: String,
    /// Its name.
    pub display_name: String,
    /// Its provider.
    pub provider: String,
    /// Deletion time.
    pub delete_time: i64,
}

/// A row of one of the restored tables.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ArchivedRow {
    Credential(CredentialRow),
    Previous(VersionRow),
    Reference(ReferenceRow),
    Token(TokenRow),
    Tombstone(TombstoneRow),
}

impl ArchivedRow {
    /// The id of the credential that the row is, or was (a tombstone); `None` for other rows.
    pub(crate) fn credential_id(&self) -> Option<String> {
        match self {
            Self::Credential(row) => Some(row.id.clone()),
            Self::Tombstone(row) => Some(row.id.clone()),
            Self::Previous(_) | Self::Reference(_) | Self::Token(_) => None,
        }
    }

    /// The row as a reference, if it is one.
    pub(crate) fn reference(self) -> Option<ReferenceRow> {
        match self {
            Self::Reference(row) => Some(row),
            _ => None,
        }
    }
}

/// A row and its MAC; a tombstone has none.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StagedRow {
    pub(crate) row: ArchivedRow,
    pub(crate) seal: Option<Seal>,
}

impl StagedRow {
    /// The table that it belongs to.
    pub(crate) fn table(&self) -> &'static str {
        match self.row {
            ArchivedRow::Credential(_) => CREDENTIALS,
            ArchivedRow::Previous(_) => PREVIOUS,
            ArchivedRow::Reference(_) => REFERENCES,
            ArchivedRow::Token(_) => TOKENS,
            ArchivedRow::Tombstone(_) => TOMBSTONES,
        }
    }

    /// Its key among the staged rows of its table; for a previous secret, its credential's id.
    pub(crate) fn key(&self) -> String {
        match &self.row {
            ArchivedRow::Credential(row) => row.id.clone(),
            ArchivedRow::Previous(row) => row.credential_id.clone(),
            ArchivedRow::Reference(row) => reference_key(&row.kind, &row.consumer),
            ArchivedRow::Token(row) => row.id.clone(),
            ArchivedRow::Tombstone(row) => row.id.clone(),
        }
    }

    /// Whether its MAC is right under `keys`. True for a row that needs no MAC.
    pub(crate) fn is_authentic(&self, keys: &RowVerifiers) -> bool {
        match (&self.row, &self.seal) {
            (ArchivedRow::Tombstone(_), _) => true,
            (_, None) => false,
            (ArchivedRow::Credential(row), Some(seal)) => keys.vouch(row, seal),
            (ArchivedRow::Previous(row), Some(seal)) => keys.vouch(row, seal),
            (ArchivedRow::Reference(row), Some(seal)) => keys.vouch(row, seal),
            (ArchivedRow::Token(row), Some(seal)) => keys.vouch(row, seal),
        }
    }
}

pub(crate) const CREDENTIALS: &str = CredentialRow::TABLE;
pub(crate) const PREVIOUS: &str = VersionRow::TABLE;
pub(crate) const REFERENCES: &str = ReferenceRow::TABLE;
pub(crate) const TOKENS: &str = TokenRow::TABLE;
pub(crate) const TOMBSTONES: &str = "credential_tombstones";

/// The key of a staged reference.
pub(crate) fn reference_key(kind: &str, consumer: &str) -> String {
    serde_json::json!([kind, consumer]).to_string()
}

/// Kind and consumer in such a key.
pub(crate) fn reference_names(key: &str) -> Option<(String, String)> {
    serde_json::from_str(key).ok()
}

/// A row before a restore, with its MAC; a rollback restores it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Before<R> {
    pub(crate) row: R,
    pub(crate) seal: Seal,
}
