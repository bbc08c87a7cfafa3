//! Restores: their plans, their progress, and the sources that they are changing.
//!
//! A restore's row is its journal. It is replaced like a backup's: read, decided, and written if it still has the
//! revision that was read. While a restore changes sources, each of them has a row that names it, so no other restore
//! can begin.

use async_trait::async_trait;
use sqlx_macros::FromRow;
use strongroom_store::{Result, from_row};

use super::{OperationRow, Replaced, UnknownText};

/// A restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RestoreRow {
    pub(crate) id: String,
    pub(crate) state: RestoreState,
    /// The principal that planned it.
    pub(crate) creator: String,
    pub(crate) create_time: i64,
    /// When a plan that was not applied expires.
    pub(crate) expire_time: i64,
    /// When an applied restore can no longer be rolled back.
    pub(crate) rollback_time: Option<i64>,
    pub(crate) end_time: Option<i64>,
    /// Stable reason and message of a failed restore. Empty otherwise.
    pub(crate) reason: String,
    pub(crate) problem: String,
    /// The archive, and the request: JSON.
    pub(crate) request: String,
    /// The planned changes: JSON; empty in lists.
    pub(crate) plan: String,
    /// The changes made: JSON.
    pub(crate) journal: String,
    /// Progress: JSON; empty unless it is being applied.
    pub(crate) progress: String,
    /// The backup that was made first; empty before that, and if there was none.
    pub(crate) safety_backup: String,
    /// Increased by every change, starting at 1.
    pub(crate) revision: i64,
}

from_row!(RestoreRow {
    id, creator, create_time, expire_time, rollback_time, end_time, reason, problem, request, plan, journal, progress,
    safety_backup, revision
} parsed { state });

/// The state of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestoreState {
    Planned,
    Refused,
    Applying,
    Applied,
    Failed,
    RollingBack,
    RolledBack,
    Resumable,
}

impl RestoreState {
    /// In the order of the proto.
    pub(crate) const ALL: [Self; 8] = [
        Self::Planned,
        Self::Refused,
        Self::Applying,
        Self::Applied,
        Self::Failed,
        Self::RollingBack,
        Self::RolledBack,
        Self::Resumable,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Refused => "refused",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::RollingBack => "rolling-back",
            Self::RolledBack => "rolled-back",
            Self::Resumable => "resumable",
        }
    }

    /// Whether it is changing its sources, or is about to continue that.
    pub(crate) fn is_busy(self) -> bool {
        matches!(self, Self::Applying | Self::RollingBack | Self::Resumable)
    }
}

impl TryFrom<String> for RestoreState {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, UnknownText> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or(UnknownText { column: "restores.state", text })
    }
}

/// A source that a restore is changing.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct TargetRow {
    /// The configured name.
    pub(crate) source: String,
    pub(crate) restore_id: String,
}

/// The result of beginning a restore or a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Begun {
    Done,
    /// The restore is gone, or has another revision: read it again.
    Stale,
    /// The operation's process was declared dead.
    Fenced,
    /// Another restore is changing this source.
    Busy(TargetRow),
}

#[async_trait]
pub(crate) trait RestoreStore: Send + Sync + 'static {
    /// Adds a plan.
    async fn add_restore(&self, row: &RestoreRow) -> Result<()>;

    async fn restore(&self, id: &str) -> Result<Option<RestoreRow>>;

    /// Newest first by create time and id, at most `limit`, only older than `before`, and without their plans.
    async fn restores(&self, before: Option<&(i64, String)>, limit: i64) -> Result<Vec<RestoreRow>>;

    /// Begins to change `sources`: adds the operation, reserves the sources that this restore has not reserved yet, and
    /// replaces the row if its revision is `expected`. All or nothing.
    async fn begin_restore(
        &self,
        row: &RestoreRow,
        expected: i64,
        sources: &[String],
        operation: &OperationRow,
    ) -> Result<Begun>;

    /// Replaces a restore's row if its revision is `expected`; with an `operation`, only if that was not taken over. A
    /// state in which the restore changes nothing releases its sources in the same transaction.
    async fn replace_restore(
        &self,
        row: &RestoreRow,
        expected: i64,
        operation: Option<&OperationRow>,
    ) -> Result<Replaced>;

    /// The id of a restore that has begun to change sources, has not ended, and reads `backup` or made it as its safety
    /// backup.
    async fn restore_needing(&self, backup: &str) -> Result<Option<String>>;

    /// Restores with an expired deadline, oldest first, at most `limit`: plans whose expire time is `now` or before,
    /// and applied ones whose rollback time is.
    async fn restores_to_tend(&self, now: i64, limit: i64) -> Result<Vec<RestoreRow>>;

    /// Removes a restore with this revision; false if it has another one.
    async fn remove_restore(&self, id: &str, revision: i64) -> Result<bool>;
}

/// A SELECT of whole rows, with an expression for the plan, followed by `FROM restores r` and the given text.
macro_rules! select_restores {
    ($plan:literal, $rest:literal) => {
        concat!(
            "SELECT r.id, r.state, r.creator, r.create_time, r.expire_time, r.rollback_time, r.end_time, r.reason, r.problem,
                    r.request, ",
            $plan,
            " AS plan, r.journal, r.progress, r.safety_backup, r.revision
             FROM restores r ",
            $rest
        )
    };
}

pub(super) const SELECT_BY_ID: &str = select_restores!("r.plan", "WHERE r.id = $1");

/// `$1` and `$2`: the position at which the previous page ended.
pub(super) const PAGE: &str = select_restores!(
    "''",
    "WHERE (r.create_time, r.id) < ($1, $2) ORDER BY r.create_time DESC, r.id DESC LIMIT $3"
);

pub(super) const FIRST_PAGE: &str = select_restores!("''", "ORDER BY r.create_time DESC, r.id DESC LIMIT $1");

pub(super) const TO_TEND: &str = select_restores!(
    "r.plan",
    "WHERE (r.state IN ('planned', 'refused') AND r.expire_time <= $1)
        OR (r.state = 'applied' AND r.rollback_time <= $1)
     ORDER BY r.create_time, r.id LIMIT $2"
);

/// The condition for a restore `r` that has not ended, like [`RestoreState::is_busy`].
macro_rules! is_busy {
    () => {
        "r.state IN ('applying', 'rolling-back', 'resumable')"
    };
}
pub(super) use is_busy;

/// The request's JSON contains the backup's id, a UUID.
pub(super) const NEEDING: &str = concat!(
    "SELECT r.id FROM restores r WHERE ",
    is_busy!(),
    " AND (r.safety_backup = $1 OR r.request LIKE '%\"backup\":\"' || $1 || '\"%') ORDER BY r.id LIMIT 1"
);

pub(super) const INSERT: &str = "
    INSERT INTO restores
        (id, state, creator, create_time, expire_time, rollback_time, end_time, reason, problem, request, plan, journal,
         progress, safety_backup, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

/// Takes the values of [`INSERT`], then the expected revision.
pub(super) const REPLACE: &str = "
    UPDATE restores
    SET state = $2, creator = $3, create_time = $4, expire_time = $5, rollback_time = $6, end_time = $7, reason = $8,
        problem = $9, request = $10, plan = $11, journal = $12, progress = $13, safety_backup = $14, revision = $15
    WHERE id = $1 AND revision = $16";

pub(super) const REMOVE: &str = "DELETE FROM restores WHERE id = $1 AND revision = $2";

/// Has no effect if the source is taken.
pub(super) const RESERVE: &str = "
    INSERT INTO restore_targets (source, restore_id) VALUES ($1, $2) ON CONFLICT (source) DO NOTHING";

pub(super) const TARGET: &str = "SELECT source, restore_id FROM restore_targets WHERE source = $1";

pub(super) const RELEASE: &str = "DELETE FROM restore_targets WHERE restore_id = $1";
