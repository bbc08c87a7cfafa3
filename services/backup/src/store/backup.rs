//! The catalogue: stored backups with their copies.
//!
//! A change reads a backup, decides, and replaces the row if it still has the revision that was read
//! ([`CatalogueStore::replace`]). Writes of an operation name the operation, so an operation that was taken over can
//! write nothing.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{Database, Encode, QueryBuilder, Type};
use strongroom_store::{Result, from_row};

use super::{CopyRow, CopyState, OperationRow, UnknownText};

/// A stored backup without its copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackupRow {
    /// The archive's id.
    pub(crate) id: String,
    pub(crate) file_name: String,
    pub(crate) state: BackupState,
    /// The requesting principal.
    pub(crate) creator: String,
    /// Digest of the principal and its request id, if given. It is unique.
    pub(crate) request: Option<String>,
    pub(crate) create_time: i64,
    /// When it was stored, or failed.
    pub(crate) end_time: Option<i64>,
    /// Stable reason and message of a failed backup. Empty otherwise.
    pub(crate) reason: String,
    pub(crate) problem: String,
    /// The requested contents: JSON.
    pub(crate) selection: String,
    /// The actual contents: JSON; empty before it is stored.
    pub(crate) content: String,
    /// Protected from deletion and retention.
    pub(crate) hold: bool,
    /// When it was deleted, and when it may be purged.
    pub(crate) delete_time: Option<i64>,
    pub(crate) purge_time: Option<i64>,
    /// When it was last verified, and the result: JSON, empty before.
    pub(crate) verify_time: Option<i64>,
    pub(crate) verification: String,
    /// Progress: JSON; empty unless it is being made.
    pub(crate) progress: String,
    /// Increased by every change, starting at 1.
    pub(crate) revision: i64,
    /// Increased by every change of the sidecars' content, starting at 1.
    pub(crate) record_revision: i64,
    /// The schedule that made it, and the due time of the run. The pair is unique.
    pub(crate) schedule: Option<String>,
    pub(crate) due_time: Option<i64>,
}

from_row!(BackupRow {
    id, file_name, creator, request, create_time, end_time, reason, problem, selection, content, hold, delete_time, purge_time,
    verify_time, verification, progress, revision, record_revision, schedule, due_time
} parsed { state });

/// The state of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackupState {
    Creating,
    Available,
    Failed,
    /// Restorable until its purge time.
    Deleted,
    /// Its files are being deleted.
    Deleting,
    /// Its sidecar was signed by nobody known to the vault.
    Unverified,
}

impl BackupState {
    /// In the order of the proto.
    pub(crate) const ALL: [Self; 6] =
        [Self::Creating, Self::Available, Self::Failed, Self::Deleted, Self::Deleting, Self::Unverified];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
            Self::Deleting => "deleting",
            Self::Unverified => "unverified",
        }
    }
}

impl TryFrom<String> for BackupState {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, UnknownText> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or(UnknownText { column: "backups.state", text })
    }
}

/// A backup with its copies, in the order of their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredBackup {
    pub(crate) row: BackupRow,
    pub(crate) copies: Vec<CopyRow>,
}

impl StoredBackup {
    /// Whether it is available, and has a stored copy as far as known.
    pub(crate) fn is_restorable(&self) -> bool {
        let is_stored = |copy: &CopyRow| copy.state == CopyState::Stored;
        self.row.state == BackupState::Available && self.copies.iter().any(is_stored)
    }

    /// Combines backups, in their order, with their `copies`.
    pub(super) fn join(backups: Vec<BackupRow>, copies: Vec<CopyRow>) -> Vec<Self> {
        let mut of_backup: HashMap<String, Vec<CopyRow>> = HashMap::new();
        for copy in copies {
            of_backup.entry(copy.backup_id.clone()).or_default().push(copy);
        }
        let joined = backups.into_iter().map(|row| {
            let copies = of_backup.remove(&row.id).unwrap_or_default();
            Self { row, copies }
        });
        joined.collect()
    }
}

/// Selects the backups of a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct BackupFilter {
    /// Only in these states; empty means any.
    pub(crate) states: Vec<BackupState>,
    /// Only of this schedule; empty means any, or none.
    pub(crate) schedule: String,
    /// Only older than this create time and id, where the previous page ended.
    pub(crate) before: Option<(i64, String)>,
}

impl BackupFilter {
    /// Backups of a schedule in one of `states`, or in any state if `states` is empty.
    pub(crate) fn of_schedule(name: &str, states: &[BackupState]) -> Self {
        Self { states: states.to_vec(), schedule: name.to_owned(), before: None }
    }

    /// Moves to the page after `last`.
    pub(crate) fn after(&mut self, last: &StoredBackup) {
        self.before = Some((last.row.create_time, last.row.id.clone()));
    }
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaced {
    Done,
    /// The backup is gone, or has another revision: read it again.
    Stale,
    /// The operation was taken over.
    Fenced,
}

#[async_trait]
pub(crate) trait CatalogueStore: Send + Sync + 'static {
    /// Adds a backup that is being made, its copies, and the operation that makes it; false, and adds nothing, if the
    /// operation's process was declared dead.
    ///
    /// # Errors
    /// Of the kind `Unique` if there is already a backup or an operation with its id.
    async fn create_backup(&self, backup: &StoredBackup, operation: &OperationRow) -> Result<bool>;

    /// Adds a backup that a scan found; false if its id already exists.
    async fn adopt_backup(&self, backup: &StoredBackup) -> Result<bool>;

    async fn backup(&self, id: &str) -> Result<Option<StoredBackup>>;

    /// The backup with this [`BackupRow::request`].
    async fn backup_of_request(&self, request: &str) -> Result<Option<StoredBackup>>;

    /// Newest first by create time and id, at most `limit`.
    async fn backups(&self, filter: &BackupFilter, limit: i64) -> Result<Vec<StoredBackup>>;

    /// Backups that need work, oldest first, at most `limit`: deleted ones whose purge time is `now` or before, those
    /// that are being deleted or have a copy that is being aborted or deleted, and stored or deleted ones with a stored
    /// copy whose sidecar has an older record than the backup.
    async fn backups_to_tend(&self, now: i64, limit: i64) -> Result<Vec<StoredBackup>>;

    /// Replaces a backup's row if its revision is `expected`, and sets the given copies (each by backup and
    /// destination, adding missing ones). With an `operation`, only if that was not taken over. `row.revision` is the
    /// new revision: above `expected`.
    async fn replace(
        &self,
        row: &BackupRow,
        expected: i64,
        copies: &[CopyRow],
        operation: Option<&OperationRow>,
    ) -> Result<Replaced>;

    /// Sets only one copy, if `operation` was not taken over; false if it was.
    async fn set_copy(&self, copy: &CopyRow, operation: &OperationRow) -> Result<bool>;

    /// Sets the progress of the backup that `operation` makes, and increases its revision; false if the operation was
    /// taken over, or the backup is no longer being made.
    async fn set_progress(&self, progress: &str, operation: &OperationRow) -> Result<bool>;

    /// Removes a backup with this revision, and its copies; false if it has another revision.
    async fn remove_backup(&self, id: &str, revision: i64) -> Result<bool>;
}

/// A SELECT of whole rows, followed by `FROM backups b` and the given text.
macro_rules! select_backups {
    ($rest:literal) => {
        concat!(
            "SELECT b.id, b.file_name, b.state, b.creator, b.request, b.create_time, b.end_time, b.reason, b.problem, b.selection,
                    b.content, b.hold, b.delete_time, b.purge_time, b.verify_time, b.verification, b.progress,
                    b.revision, b.record_revision, b.schedule, b.due_time
             FROM backups b ",
            $rest
        )
    };
}
pub(super) use select_backups;

pub(super) const SELECT_BY_ID: &str = select_backups!("WHERE b.id = $1");

pub(super) const SELECT_BY_REQUEST: &str = select_backups!("WHERE b.request = $1");

pub(super) const TO_TEND: &str = select_backups!(
    "WHERE (b.state = 'deleted' AND b.purge_time <= $1)
        OR b.state = 'deleting'
        OR b.id IN (SELECT backup_id FROM backup_copies WHERE state IN ('aborting', 'deleting'))
        OR (b.state IN ('available', 'deleted') AND EXISTS (
            SELECT 1 FROM backup_copies c
            WHERE c.backup_id = b.id AND c.state = 'stored' AND c.recorded < b.record_revision))
     ORDER BY b.create_time, b.id LIMIT $2"
);

pub(super) const INSERT: &str = "
    INSERT INTO backups
        (id, file_name, state, creator, request, create_time, end_time, reason, problem, selection, content, hold, delete_time,
         purge_time, verify_time, verification, progress, revision, record_revision, schedule, due_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

/// Has no effect if the id already exists.
pub(super) const ADOPT: &str = "
    INSERT INTO backups
        (id, file_name, state, creator, request, create_time, end_time, reason, problem, selection, content, hold, delete_time,
         purge_time, verify_time, verification, progress, revision, record_revision, schedule, due_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
    ON CONFLICT (id) DO NOTHING";

/// Takes the values of [`INSERT`], then the expected revision.
pub(super) const REPLACE: &str = "
    UPDATE backups
    SET file_name = $2, state = $3, creator = $4, request = $5, create_time = $6, end_time = $7, reason = $8,
        problem = $9, selection = $10, content = $11, hold = $12, delete_time = $13, purge_time = $14,
        verify_time = $15, verification = $16, progress = $17, revision = $18, record_revision = $19, schedule = $20,
        due_time = $21
    WHERE id = $1 AND revision = $22";

pub(super) const SET_PROGRESS: &str = "
    UPDATE backups SET progress = $2, revision = revision + 1 WHERE id = $1 AND state = 'creating'";

pub(super) const REMOVE: &str = "DELETE FROM backups WHERE id = $1 AND revision = $2";

/// The page of [`CatalogueStore::backups`].
pub(super) fn page<DB>(filter: &BackupFilter, limit: i64) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> &'t str: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(select_backups!("WHERE 1 = 1"));
    if !filter.states.is_empty() {
        query.push(" AND b.state IN (");
        let mut states = query.separated(", ");
        for state in &filter.states {
            states.push_bind(state.as_str());
        }
        query.push(")");
    }
    if !filter.schedule.is_empty() {
        query.push(" AND b.schedule = ").push_bind(filter.schedule.clone());
    }
    if let Some((time, id)) = &filter.before {
        query.push(" AND (b.create_time, b.id) < (").push_bind(*time);
        query.push(", ").push_bind(id.clone()).push(")");
    }
    query.push(" ORDER BY b.create_time DESC, b.id DESC LIMIT ").push_bind(limit);
    query
}
