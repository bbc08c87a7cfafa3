//! Copies of backups: one for each destination.

use sqlx::{Database, Encode, QueryBuilder, Type};
use strongroom_store::from_row;

use super::{BackupRow, UnknownText};

/// A backup in one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyRow {
    pub(crate) backup_id: String,
    /// The destination's configured name.
    pub(crate) destination: String,
    /// Position among the copies of the backup, from 0.
    pub(crate) position: i64,
    /// The object's key.
    pub(crate) key: String,
    pub(crate) state: CopyState,
    /// Stable reason and message of a problem. Empty if there is none.
    pub(crate) reason: String,
    pub(crate) problem: String,
    /// Id of its multipart upload, from before the first part until it is complete or aborted; empty otherwise.
    pub(crate) upload_id: String,
    /// Etag of the complete object.
    pub(crate) etag: String,
    /// The [`super::BackupRow::record_revision`] of its sidecar; 0 before it has one.
    pub(crate) recorded: i64,
}

from_row!(CopyRow { backup_id, destination, position, key, reason, problem, upload_id, etag, recorded } parsed { state });

/// The state of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CopyState {
    Uploading,
    Stored,
    /// Nothing of it is left.
    Failed,
    /// It failed, and the uploaded data must still be removed.
    Aborting,
    /// It must still be deleted.
    Deleting,
    Deleted,
    /// A scan did not find it.
    Missing,
}

impl CopyState {
    pub(crate) const ALL: [Self; 7] = [
        Self::Uploading,
        Self::Stored,
        Self::Failed,
        Self::Aborting,
        Self::Deleting,
        Self::Deleted,
        Self::Missing,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Stored => "stored",
            Self::Failed => "failed",
            Self::Aborting => "aborting",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Missing => "missing",
        }
    }
}

impl TryFrom<String> for CopyState {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, UnknownText> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or(UnknownText { column: "backup_copies.state", text })
    }
}

/// Adds a copy, or replaces the backup's copy in the same destination.
pub(super) const PUT: &str = "
    INSERT INTO backup_copies
        (backup_id, destination, position, key, state, reason, problem, upload_id, etag, recorded)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (backup_id, destination) DO UPDATE
    SET position = excluded.position, key = excluded.key, state = excluded.state, reason = excluded.reason,
        problem = excluded.problem, upload_id = excluded.upload_id, etag = excluded.etag,
        recorded = excluded.recorded";

/// The copies of these backups, by position. `backups` must not be empty.
pub(super) fn copies_of<DB>(backups: &[BackupRow]) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(
        "SELECT backup_id, destination, position, key, state, reason, problem, upload_id, etag, recorded
         FROM backup_copies WHERE backup_id IN (",
    );
    let mut ids = query.separated(", ");
    for backup in backups {
        ids.push_bind(backup.id.clone());
    }
    query.push(") ORDER BY backup_id, position, destination");
    query
}
