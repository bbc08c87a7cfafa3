//! The catalogue: stored backups with their copies.
//!
//! A change reads a backup, decides, and replaces the row if it still has the revision that was read
//! ([`CatalogueStore::replace`]). What an operation writes names the operation, so that one that was taken over writes
//! nothing.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{Database, Encode, QueryBuilder, Type};
use strongroom_store::{Result, from_row};

use super::{CopyRow, CopyState, OperationRow, UnknownText};

/// A stored backup without its copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackupRow {
    /// Of the archive.
    pub(crate) id: String,
    pub(crate) file_name: String,
    pub(crate) state: BackupState,
    /// The principal that asked for it.
    pub(crate) creator: String,
    /// Of the principal and its request id, if it has given one. No other backup has it.
    pub(crate) request: Option<String>,
    pub(crate) create_time: i64,
    /// When it was stored, or failed.
    pub(crate) end_time: Option<i64>,
    /// Of a failed one: stable, and for people. Empty otherwise.
    pub(crate) reason: String,
    pub(crate) problem: String,
    /// What it was asked to hold: JSON.
    pub(crate) selection: String,
    /// What it holds: JSON; empty before it is stored.
    pub(crate) content: String,
    /// Neither a deletion nor retention takes it.
    pub(crate) hold: bool,
    /// When its deletion was asked for, and from when on it may be purged.
    pub(crate) delete_time: Option<i64>,
    pub(crate) purge_time: Option<i64>,
    /// When it was last verified, and what was found: JSON, empty before.
    pub(crate) verify_time: Option<i64>,
    pub(crate) verification: String,
    /// How far it is: JSON; empty when it is not being made.
    pub(crate) progress: String,
    /// Raised by every change, from 1.
    pub(crate) revision: i64,
    /// Raised by every change of what sidecars say, from 1.
    pub(crate) record_revision: i64,
    /// The schedule that made it, and when its run was due. No two have the same pair.
    pub(crate) schedule: Option<String>,
    pub(crate) due_time: Option<i64>,
}

from_row!(BackupRow {
    id, file_name, creator, request, create_time, end_time, reason, problem, selection, content, hold, delete_time, purge_time,
    verify_time, verification, progress, revision, record_revision, schedule, due_time
} parsed { state });

/// How a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackupState {
    Creating,
    Available,
    Failed,
    /// Until its purge time.
    Deleted,
    /// Its files are being deleted.
    Deleting,
    /// Nobody whom the vault knows has signed its sidecar.
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
    /// Whether it is available, and a copy of it is where it was stored, as far as is known.
    pub(crate) fn is_restorable(&self) -> bool {
        let is_stored = |copy: &CopyRow| copy.state == CopyState::Stored;
        self.row.state == BackupState::Available && self.copies.iter().any(is_stored)
    }

    /// Backups in their order, each with its own of `copies`.
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

/// Which backups are listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct BackupFilter {
    /// In one of these states; empty means in any.
    pub(crate) states: Vec<BackupState>,
    /// Of this schedule; empty means of any, or none.
    pub(crate) schedule: String,
    /// Only older than this create time and id: where the page before has ended.
    pub(crate) before: Option<(i64, String)>,
}

impl BackupFilter {
    /// Those of a schedule that are in one of `states`, in any where there are none.
    pub(crate) fn of_schedule(name: &str, states: &[BackupState]) -> Self {
        Self { states: states.to_vec(), schedule: name.to_owned(), before: None }
    }

    /// Where the page after `last` begins.
    pub(crate) fn after(&mut self, last: &StoredBackup) {
        self.before = Some((last.row.create_time, last.row.id.clone()));
    }
}

/// What became of a change.
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
    /// Of the kind `Unique` when there is a backup or an operation with its id.
    async fn create_backup(&self, backup: &StoredBackup, operation: &OperationRow) -> Result<bool>;

    /// Adds a backup that a scan found; false if there is one with its id.
    async fn adopt_backup(&self, backup: &StoredBackup) -> Result<bool>;

    async fn backup(&self, id: &str) -> Result<Option<StoredBackup>>;

    /// The one with this [`BackupRow::request`].
    async fn backup_of_request(&self, request: &str) -> Result<Option<StoredBackup>>;

    /// Newest first by create time and id, at most `limit`.
    async fn backups(&self, filter: &BackupFilter, limit: i64) -> Result<Vec<StoredBackup>>;

    /// Backups of which something is to be done, oldest first, at most `limit`: deleted ones whose purge time is `now` or
    /// before, those that are being deleted or have a copy that is being aborted or deleted, and stored or deleted ones
    /// with a stored copy whose sidecar has an older record than the backup.
    async fn backups_to_tend(&self, now: i64, limit: i64) -> Result<Vec<StoredBackup>>;

    /// Replaces a backup's row that has `expected` as its revision, and sets the copies that are given (each by backup and
    /// destination, adding what is missing). With an `operation`, only while it is not taken over. `row.revision` is what it
    /// gets: above `expected`.
    async fn replace(
        &self,
        row: &BackupRow,
        expected: i64,
        copies: &[CopyRow],
        operation: Option<&OperationRow>,
    ) -> Result<Replaced>;

    /// Sets one copy and nothing else, while `operation` is not taken over; false if it is.
    async fn set_copy(&self, copy: &CopyRow, operation: &OperationRow) -> Result<bool>;

    /// Sets the progress of the backup that `operation` makes, and raises its revision; false if the operation is taken
    /// over, or the backup is no longer being made.
    async fn set_progress(&self, progress: &str, operation: &OperationRow) -> Result<bool>;

    /// Removes a backup with this revision and its copies; false if it has another one.
    async fn remove_backup(&self, id: &str, revision: i64) -> Result<bool>;
}

/// A SELECT of whole rows, with what follows `FROM backups b`.
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

/// Touches no row when there is one with the id.
pub(super) const ADOPT: &str = "
    INSERT INTO backups
        (id, file_name, state, creator, request, create_time, end_time, reason, problem, selection, content, hold, delete_time,
         purge_time, verify_time, verification, progress, revision, record_revision, schedule, due_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
    ON CONFLICT (id) DO NOTHING";

/// Takes the same values as [`INSERT`], then the revision that is expected.
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
