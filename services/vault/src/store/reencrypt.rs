//! Rows of re-encryption runs, and the values that they process.

use async_trait::async_trait;
use sqlx::{Database, Encode, QueryBuilder, Type};
use sqlx_macros::FromRow;
use strongroom_store::{Result, from_row};

use super::columns::SealedColumn;
use super::{NewEvent, UnknownText};

/// State of a run.
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

/// One re-encryption run. At most one is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReencryptJobRow {
    /// UUIDv7.
    pub id: String,
    /// Its state.
    pub state: JobState,
    /// 0 means no limit.
    pub rows_per_second: i64,
    /// Rows re-encrypted so far.
    pub rows_done: i64,
    /// Rows that remain.
    pub rows_left: i64,
    /// Time of the request.
    pub start_time: i64,
    /// End time.
    pub end_time: Option<i64>,
    /// The process that works on it.
    pub lease_owner: String,
    /// End of the lease; until then no other process can take it.
    pub lease_until: i64,
}

from_row!(ReencryptJobRow { id, rows_per_second, rows_done, rows_left, start_time, end_time, lease_owner, lease_until } parsed { state });

/// A process's lease of a run.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    /// The run.
    pub job_id: String,
    /// The process.
    pub owner: String,
    /// End of the lease.
    pub until: i64,
}

/// A stored sealed value and its row.
#[derive(Clone, FromRow)]
pub(crate) struct SealedRow {
    /// The row.
    pub id: String,
    /// `srv1.…`.
    pub secret: String,
}

/// A replacement of a sealed value.
pub(crate) struct Resealed {
    /// The row.
    pub id: String,
    /// The old value, which must be unchanged.
    pub old: String,
    /// The new value: the same secret, sealed again.
    pub new: String,
}

/// Re-encryption in the database.
#[async_trait]
pub(crate) trait ReencryptStore: Send + Sync {
    /// The running run; otherwise inserts `job`.
    async fn start_reencrypt(&self, job: &ReencryptJobRow, event: &NewEvent) -> Result<ReencryptJobRow>;
    /// One run.
    async fn reencrypt_job(&self, id: &str) -> Result<Option<ReencryptJobRow>>;
    /// The run that is running, if any.
    async fn running_reencrypt(&self) -> Result<Option<ReencryptJobRow>>;
    /// Takes a lease that is free, expired at `now` or already the owner's, and sets the number of rows left; false if
    /// another process holds it.
    async fn lease_reencrypt(&self, lease: &Lease, rows_left: i64, now: i64) -> Result<bool>;
    /// Releases the lease for the next process.
    async fn release_reencrypt(&self, job_id: &str, owner: &str) -> Result<()>;
    /// Values of a column that were sealed by a version other than `kid`, with an id above `after`, by id.
    async fn sealed_by_others(
        &self,
        column: &SealedColumn,
        kid: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SealedRow>>;
    /// Seals rows that grant access with the primary version of their key if an earlier one sealed them; returns their
    /// number. `None` if other processes may not know that version yet. A row that does not open is left as it is.
    async fn recode_rows(&self) -> Result<Option<i64>>;
    /// Number of values that were sealed by a version other than `kid`.
    async fn count_sealed_by_others(&self, column: &SealedColumn, kid: &str) -> Result<i64>;
    /// Replaces the values that are unchanged and renews the lease; returns their number, or `None` if the lease is
    /// lost. A value that another transaction is writing is skipped, never waited for.
    async fn write_resealed(
        &self,
        lease: &Lease,
        column: &SealedColumn,
        rows: &[Resealed],
    ) -> Result<Option<i64>>;
    /// Ends a run; false if the lease is lost.
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

/// Values that were sealed by a version other than `kid`, with an id above `after`, by id.
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

/// Number of such values.
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
