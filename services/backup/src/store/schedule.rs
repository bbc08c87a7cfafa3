//! Schedules, and the runs by which they make backups.
//!
//! A run begins in one transaction that adds its backup and replaces the schedule, which then waits for its next due
//! time. The transaction has no effect if the schedule's revision is no longer the one that was read. So all replicas
//! may check the same schedules, and each run happens once.

use std::fmt;

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::Result;

use super::backup::select_backups;
use super::{BackupRow, OperationRow, Replaced, StoredBackup};

/// A schedule.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub(crate) struct ScheduleRow {
    /// It never changes.
    pub(crate) name: String,
    /// The due times, the contents of runs, and the retention: JSON.
    pub(crate) rules: String,
    /// The principal that created or last resumed it.
    pub(crate) creator: String,
    /// Delegation of the creator, to ask the vault at each run whether the creator still has the permission.
    pub(crate) delegation: Vec<u8>,
    pub(crate) create_time: i64,
    pub(crate) paused: bool,
    /// When a run found that the creator had lost the permission.
    pub(crate) orphan_time: Option<i64>,
    /// When the next run is due by the clock.
    pub(crate) due_time: i64,
    /// When it begins, or is retried: its jitter later, or later still.
    pub(crate) start_time: i64,
    /// Stable reason and message why the due run has not begun yet. Empty otherwise.
    pub(crate) reason: String,
    pub(crate) problem: String,
    /// Start time of a running verification of one of its backups.
    pub(crate) verifying_time: Option<i64>,
    /// Increased by every change, starting at 1.
    pub(crate) revision: i64,
}

/// Omits the delegation, which grants a right.
impl fmt::Debug for ScheduleRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rules, paused, due_time, revision, .. } = self;
        write!(f, "ScheduleRow({name}, {rules}, paused {paused}, due {due_time}, revision {revision})")
    }
}

/// A change of a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// Its new state.
    pub(crate) schedule: ScheduleRow,
    /// The revision that was read.
    pub(crate) expected: i64,
}

impl Turn {
    /// The step from the row `before`, as it was read, to the row that `change` makes of it.
    pub(crate) fn of(before: &ScheduleRow, change: impl FnOnce(&mut ScheduleRow)) -> Self {
        let mut schedule = before.clone();
        change(&mut schedule);
        schedule.revision = before.revision + 1;
        Self { schedule, expected: before.revision }
    }
}

#[async_trait]
pub(crate) trait ScheduleStore: Send + Sync + 'static {
    /// Adds a schedule.
    ///
    /// # Errors
    /// Of the kind `Unique` if its name already exists.
    async fn create_schedule(&self, schedule: &ScheduleRow) -> Result<()>;

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleRow>>;

    /// All schedules, sorted by name.
    async fn schedules(&self) -> Result<Vec<ScheduleRow>>;

    /// Schedules that are not paused and start at `now` or before, by start time.
    async fn due_schedules(&self, now: i64) -> Result<Vec<ScheduleRow>>;

    /// False if the schedule is gone or has another revision.
    async fn replace_schedule(&self, turn: &Turn) -> Result<bool>;

    /// False if it is gone or has another revision.
    async fn remove_schedule(&self, name: &str, revision: i64) -> Result<bool>;

    /// Begins a run: does both [`super::CatalogueStore::create_backup`] and [`Self::replace_schedule`], or neither.
    ///
    /// # Errors
    /// Of the kind `Unique` if there is already a backup with its id, or of this schedule and due time.
    async fn begin_run(
        &self,
        turn: &Turn,
        backup: &StoredBackup,
        operation: &OperationRow,
    ) -> Result<Replaced>;

    /// Failed backups of processes that died or stopped, if the schedule has no newer one and the due time is a whole
    /// minute.
    async fn dead_runs(&self) -> Result<Vec<BackupRow>>;

    /// Stored backups of a schedule that were last verified, or else stored, at `until` or before: first those never
    /// verified, then the least recently verified ones. At most `limit`.
    async fn backups_to_verify(&self, schedule: &str, until: i64, limit: i64) -> Result<Vec<BackupRow>>;

    /// Contents of the schedules' backups that were verified after `since`: JSON, as [`BackupRow::content`].
    async fn contents_verified_since(&self, since: i64) -> Result<Vec<String>>;

    /// Adds a backup of a run that could not begin, and replaces the schedule; false, without any effect, if the
    /// schedule is stale.
    ///
    /// # Errors
    /// As for [`Self::begin_run`].
    async fn record_run(&self, turn: &Turn, backup: &BackupRow) -> Result<bool>;
}

/// A SELECT of whole rows, followed by `FROM schedules` and the given text.
macro_rules! select_schedules {
    ($rest:literal) => {
        concat!(
            "SELECT name, rules, creator, delegation, create_time, paused, orphan_time, due_time, start_time, reason, problem,
                    verifying_time, revision
             FROM schedules ",
            $rest
        )
    };
}

pub(super) const SELECT: &str = select_schedules!("WHERE name = $1");

pub(super) const LIST: &str = select_schedules!("ORDER BY name");

pub(super) const DUE: &str =
    select_schedules!("WHERE NOT paused AND start_time <= $1 ORDER BY start_time, name");

pub(super) const INSERT: &str = "
    INSERT INTO schedules
        (name, rules, creator, delegation, create_time, paused, orphan_time, due_time, start_time, reason, problem,
         verifying_time, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

/// Takes the values of [`INSERT`], then the expected revision.
pub(super) const REPLACE: &str = "
    UPDATE schedules
    SET rules = $2, creator = $3, delegation = $4, create_time = $5, paused = $6, orphan_time = $7, due_time = $8,
        start_time = $9, reason = $10, problem = $11, verifying_time = $12, revision = $13
    WHERE name = $1 AND revision = $14";

pub(super) const DEAD_RUNS: &str = select_backups!(
    "WHERE b.state = 'failed' AND b.reason IN ('PROCESS_DIED', 'SHUTTING_DOWN') AND b.schedule IS NOT NULL AND b.due_time % 60000000 = 0
       AND NOT EXISTS (
           SELECT 1 FROM backups l
           WHERE l.schedule = b.schedule
             AND (l.due_time > b.due_time OR (l.create_time, l.id) > (b.create_time, b.id)))"
);

pub(super) const TO_VERIFY: &str = select_backups!(
    "WHERE b.schedule = $1 AND b.state = 'available' AND COALESCE(b.verify_time, b.end_time, 0) <= $2
       AND EXISTS (SELECT 1 FROM backup_copies c WHERE c.backup_id = b.id AND c.state = 'stored')
     ORDER BY b.verify_time IS NOT NULL, COALESCE(b.verify_time, b.end_time, 0), b.id LIMIT $3"
);

pub(super) const VERIFIED_SINCE: &str =
    "SELECT content FROM backups WHERE schedule IS NOT NULL AND verify_time > $1";

pub(super) const REMOVE: &str = "DELETE FROM schedules WHERE name = $1 AND revision = $2";
