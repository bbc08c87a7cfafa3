//! Restore drills: the running one, and the evidence of those that have ended.

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::{Result, from_row};

use super::{OperationRow, Replaced, UnknownText};

/// A drill. Its id is its operation's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DrillRow {
    pub(crate) id: String,
    pub(crate) backup_id: String,
    pub(crate) file_name: String,
    /// The schedule of the backup, if any.
    pub(crate) schedule: Option<String>,
    pub(crate) state: DrillState,
    pub(crate) creator: String,
    pub(crate) create_time: i64,
    pub(crate) end_time: Option<i64>,
    /// Stable reason and message of a drill that has not passed. Empty otherwise.
    pub(crate) reason: String,
    pub(crate) problem: String,
    /// JSON; empty until everything was checked.
    pub(crate) evidence: String,
}

from_row!(DrillRow {
    id, backup_id, file_name, schedule, creator, create_time, end_time, reason, problem, evidence
} parsed { state });

/// The state of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DrillState {
    Running,
    Passed,
    /// A check has failed.
    Failed,
    /// It could not be done, which says nothing about the backup.
    NotDone,
}

impl DrillState {
    /// In the order of the proto.
    pub(crate) const ALL: [Self; 4] = [Self::Running, Self::Passed, Self::Failed, Self::NotDone];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotDone => "not-done",
        }
    }
}

impl TryFrom<String> for DrillState {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, UnknownText> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or(UnknownText { column: "drills.state", text })
    }
}

/// A place in which a drill creates databases. They are named after the drill.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct ScratchRow {
    pub(crate) drill_id: String,
    /// Kind of the databases: `sqlite` or `postgres`.
    pub(crate) kind: String,
    /// The server's URL without its password, or the folder.
    pub(crate) place: String,
    /// End time of the drill; meaningless before it ends.
    pub(crate) end_time: i64,
}

#[async_trait]
pub(crate) trait DrillStore: Send + Sync + 'static {
    /// Adds a running drill and its operation. [`Replaced::Stale`], without adding anything, if another one is running.
    async fn begin_drill(&self, drill: &DrillRow, operation: &OperationRow) -> Result<Replaced>;

    /// Stores the complete evidence of a drill; false if its operation was taken over or has ended.
    async fn keep_evidence(&self, drill: &DrillRow, operation: &OperationRow) -> Result<bool>;

    /// Ends a drill and its operation; false if that was taken over or has ended.
    async fn end_drill(&self, drill: &DrillRow, operation: &OperationRow) -> Result<bool>;

    async fn drill(&self, id: &str) -> Result<Option<DrillRow>>;

    /// Newest first, at most `limit`, and only older than `before` if given.
    async fn drills(&self, before: Option<&(i64, String)>, limit: i64) -> Result<Vec<DrillRow>>;

    /// The newest drill of a backup of the schedule.
    async fn last_drill(&self, schedule: &str) -> Result<Option<DrillRow>>;

    /// The newest such drill that determined whether the backup restores.
    async fn last_verdict(&self, schedule: &str) -> Result<Option<DrillRow>>;

    /// Notes a place; repeating it has no effect.
    async fn note_scratch(&self, scratch: &ScratchRow) -> Result<()>;

    /// The places of drills that have ended, oldest first.
    async fn ended_scratches(&self) -> Result<Vec<ScratchRow>>;

    /// Forgets a place in which nothing is left.
    async fn forget_scratch(&self, drill: &str, kind: &str) -> Result<()>;

    /// The running drill.
    async fn running_drill(&self) -> Result<Option<DrillRow>>;
}

/// A SELECT of whole rows, followed by `FROM drills` and the given text.
macro_rules! select_drills {
    ($rest:literal) => {
        concat!(
            "SELECT id, backup_id, file_name, schedule, state, creator, create_time, end_time, reason, problem, evidence \
             FROM drills ",
            $rest
        )
    };
}

pub(super) const SELECT_BY_ID: &str = select_drills!("WHERE id = $1");

pub(super) const RUNNING: &str = select_drills!("WHERE state = 'running'");

pub(super) const LAST_OF: &str =
    select_drills!("WHERE schedule = $1 ORDER BY create_time DESC, id DESC LIMIT 1");

pub(super) const LAST_VERDICT: &str = select_drills!(
    "WHERE schedule = $1 AND state IN ('passed', 'failed') ORDER BY create_time DESC, id DESC LIMIT 1"
);

pub(super) const PAGE: &str =
    select_drills!("WHERE (create_time, id) < ($1, $2) ORDER BY create_time DESC, id DESC LIMIT $3");

/// Has no effect while another drill is running: an index prevents it.
pub(super) const INSERT: &str = "
    INSERT INTO drills
        (id, backup_id, file_name, schedule, state, creator, create_time, end_time, reason, problem, evidence)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT DO NOTHING";

pub(super) const KEEP: &str = "UPDATE drills SET evidence = $2 WHERE id = $1 AND state = 'running'";

pub(super) const END: &str = "
    UPDATE drills SET state = $2, end_time = $3, reason = $4, problem = $5, evidence = $6
    WHERE id = $1 AND state = 'running'";

pub(super) const NOTE: &str = "
    INSERT INTO drill_scratches (drill_id, kind, place) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

pub(super) const ENDED_SCRATCHES: &str = "
    SELECT s.drill_id, s.kind, s.place, d.end_time FROM drill_scratches s JOIN drills d ON d.id = s.drill_id
    WHERE d.end_time IS NOT NULL ORDER BY s.drill_id, s.kind";

pub(super) const FORGET: &str = "DELETE FROM drill_scratches WHERE drill_id = $1 AND kind = $2";

/// Evidence is also in the audit log.
pub(super) const PRUNE: &str = "
    DELETE FROM drills
    WHERE end_time < $1 AND NOT EXISTS (SELECT 1 FROM drill_scratches s WHERE s.drill_id = drills.id)";

/// How long drills are kept, in microseconds: 400 days.
pub(super) const KEPT: i64 = 400 * 24 * 3600 * 1_000_000;
