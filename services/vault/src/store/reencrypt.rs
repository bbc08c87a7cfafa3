//! Rows of re-encryption runs, and the values that they walk over.

use async_trait::async_trait;
use sqlx::{Database, Encode, QueryBuilder, Type};
use sqlx_macros::FromRow;
use strongroom_store::{Result, from_row};

use super::columns::SealedColumn;
use super::{NewEvent, UnknownText};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    Running,
    Done,
}

impl JobState {
    /// The stored text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
        }
    }
}

impl TryFrom<String> for JobState {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, UnknownText> {
        match text.as_str() {
            "running" => Ok(Self::Running),
            "done" => Ok(Self::Done),
            _ => Err(UnknownText { column: "reencrypt_jobs.state", text }),
        }
    }
}

/// One run of the re-encryption. At most one is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReencryptJobRow {
    /// UUIDv7.
    pub id: String,
    /// Where it is.
    pub state: JobState,
    /// 0 means no limit.
    pub rows_per_second: i64,
    /// Rows re-encrypted so far.
    pub rows_done: i64,
    /// Rows that still need it.
    pub rows_left: i64,
    /// When it was asked for.
    pub start_time: i64,
    /// When it ended.
    pub end_time: Option<i64>,
    /// The process that works on it.
    pub lease_owner: String,
    /// Until when nobody else may.
    pub lease_until: i64,
}

from_row!(ReencryptJobRow { id, rows_per_second, rows_done, rows_left, start_time, end_time, lease_owner, lease_until } parsed { state });

/// A process's hold on a run.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    /// The run.
    pub job_id: String,
    /// The process.
    pub owner: String,
    /// Until when.
    pub until: i64,
}

/// A sealed value where it is stored.
#[derive(Clone, FromRow)]
pub(crate) struct SealedRow {
    /// The row.
    pub id: String,
    /// `srv1.…`.
    pub secret: String,
}

/// A value to be put in the place of another.
pub(crate) struct Resealed {
    /// The row.
    pub id: String,
    /// What must still be there.
    pub old: String,
    /// The same, sealed anew.
    pub new: String,
}

/// Re-encryption in the database.
#[async_trait]
pub(crate) trait ReencryptStore: Send + Sync {
    /// The running run, or else `job`, inserted.
    async fn start_reencrypt(&self, job: &ReencryptJobRow, event: &NewEvent) -> Result<ReencryptJobRow>;
    /// One run.
    async fn reencrypt_job(&self, id: &str) -> Result<Option<ReencryptJobRow>>;
    /// The running one.
    async fn running_reencrypt(&self) -> Result<Option<ReencryptJobRow>>;
    /// Takes a lease that is free, lapsed at `now` or the owner's, and sets the rows left; false when it is
    /// somebody else's.
    async fn lease_reencrypt(&self, lease: &Lease, rows_left: i64, now: i64) -> Result<bool>;
    /// Gives the lease back, for the next process.
    async fn release_reencrypt(&self, job_id: &str, owner: &str) -> Result<()>;
    /// Values of a column that another version than `kid` sealed, with an id above `after`, by id.
    async fn sealed_by_others(
        &self,
        column: &SealedColumn,
        kid: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SealedRow>>;
    /// Seals rows that grant access by the primary version of their key, where an earlier one has sealed them: how many.
    /// `None` when other processes may not know that version yet. A row that does not open stays as it is.
    async fn recode_rows(&self) -> Result<Option<i64>>;
    /// How many such values there are.
    async fn count_sealed_by_others(&self, column: &SealedColumn, kid: &str) -> Result<i64>;
    /// Replaces the values that are still what they were and renews the lease; how many, or `None` when the
    /// lease is lost. What somebody else is writing is left alone, never waited for.
    async fn write_resealed(
        &self,
        lease: &Lease,
        column: &SealedColumn,
        rows: &[Resealed],
    ) -> Result<Option<i64>>;
    /// Ends a run; false when the lease is lost.
    async fn finish_reencrypt(
        &self,
        lease: &Lease,
        rows_left: i64,
        now: i64,
        event: &NewEvent,
    ) -> Result<bool>;
}

pub(super) const SELECT_RUNNING: &str = "
    SELECT id, state, rows_per_second, rows_done, rows_left, start_time, end_time, lease_owner, lease_until
    FROM reencrypt_jobs WHERE state = 'running'";

pub(super) const SELECT_BY_ID: &str = "
    SELECT id, state, rows_per_second, rows_done, rows_left, start_time, end_time, lease_owner, lease_until
    FROM reencrypt_jobs WHERE id = $1";

pub(super) const INSERT: &str = "
    INSERT INTO reencrypt_jobs (id, state, rows_per_second, rows_done, rows_left, start_time, lease_owner,
                                lease_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const LEASE: &str = "
    UPDATE reencrypt_jobs SET lease_owner = $2, lease_until = $3, rows_left = $4
    WHERE id = $1 AND state = 'running' AND (lease_owner = $2 OR lease_until <= $5)";

pub(super) const RELEASE: &str = "
    UPDATE reencrypt_jobs SET lease_until = 0 WHERE id = $1 AND lease_owner = $2";

pub(super) const ADVANCE: &str = "
    UPDATE reencrypt_jobs
    SET lease_until = $3,
        rows_done = rows_done + $4,
        rows_left = CASE WHEN rows_left > $4 THEN rows_left - $4 ELSE 0 END
    WHERE id = $1 AND lease_owner = $2 AND state = 'running'";

pub(super) const FINISH: &str = "
    UPDATE reencrypt_jobs SET state = 'done', rows_left = $3, end_time = $4
    WHERE id = $1 AND lease_owner = $2 AND state = 'running'";

/// Values that another version than `kid` sealed, with an id above `after`, by id.
pub(super) fn sealed_by_others<DB>(
    column: &SealedColumn,
    kid: &str,
    after: &str,
    limit: i64,
) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new("SELECT ");
    query.push(column.id).push(" AS id, ").push(column.column).push(" AS secret FROM ").push(column.table);
    query.push(" WHERE ").push(column.id).push(" > ").push_bind(after.to_owned());
    query.push(" AND substr(").push(column.column).push(", 6, 16) <> ").push_bind(kid.to_owned());
    query.push(" ORDER BY ").push(column.id).push(" LIMIT ").push_bind(limit);
    query
}

/// How many such values there are.
pub(super) fn count_sealed_by_others<DB>(column: &SealedColumn, kid: &str) -> QueryBuilder<DB>
where
    DB: Database,
    DB::Arguments: Default,
    for<'t> String: Encode<'t, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new("SELECT count(*) FROM ");
    query.push(column.table).push(" WHERE substr(").push(column.column);
    query.push(", 6, 16) <> ").push_bind(kid.to_owned());
    query
}
