//! Restores of the vault's own rows: staged beside the live ones, committed by rules that never bring back revoked
//! rows, and rolled back on request.
//!
//! [`rows`] has an archive's rows; [`rules`] decides what to do with each; [`record`] is the report of a restore, in
//! its answers and in the audit log. A plan is a commit that is undone at its end, so it always reports what the commit
//! would do.

pub(crate) mod record;
pub(crate) mod rows;
pub(super) mod rules;
pub(crate) mod undo;

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strongroom_store::{Result, from_row};

use super::{NewEvent, RowVerifiers, UnknownText};
use record::Report;
use rows::StagedRow;

/// Time within which a commit can be rolled back, in microseconds: an hour more than the restoring service promises, so
/// a late rollback still succeeds.
pub(crate) const UNDONE_WITHIN: i64 = 25 * 3600 * 1_000_000;

/// State of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StageState {
    /// Rows are arriving.
    Staging,
    /// Complete.
    Staged,
    Committed,
    RolledBack,
    /// Its rows are deleted; its own row remains, so that its grant cannot be used again.
    Done,
}

impl StageState {
    const ALL: [Self; 5] = [Self::Staging, Self::Staged, Self::Committed, Self::RolledBack, Self::Done];

    /// The stored text.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Staged => "staged",
            Self::Committed => "committed",
            Self::RolledBack => "rolled-back",
            Self::Done => "done",
        }
    }
}

impl TryFrom<String> for StageState {
    type Error = UnknownText;

    fn try_from(text: String) -> Result<Self, UnknownText> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or(UnknownText { column: "restore_stages.state", text })
    }
}

/// The `restore_stages` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageRow {
    /// The restore's id.
    pub id: String,
    /// Its state.
    pub state: StageState,
    /// The terms of its grant, as JSON.
    pub terms: String,
    /// The grant; empty for a plan.
    pub statement: Vec<u8>,
    /// The archive's `keys/ring.json`.
    pub ring: Vec<u8>,
    /// Names of the tables that were staged, as JSON.
    pub tables: String,
    /// A [`Report`], as JSON.
    pub report: String,
    /// Time when it was begun.
    pub create_time: i64,
    /// Expiry, after which it is dropped.
    pub expire_time: i64,
    /// Commit time.
    pub commit_time: Option<i64>,
    /// The deployment before the commit, if the commit changed it.
    pub previous_deployment: Option<String>,
}

from_row!(StageRow { id, terms, statement, ring, tables, report, create_time, expire_time, commit_time, previous_deployment } parsed { state });

/// A stage without the large columns that only its commit needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StageHead {
    pub id: String,
    pub state: StageState,
    /// The grant; empty for a plan.
    pub statement: Vec<u8>,
    pub create_time: i64,
    pub expire_time: i64,
}

from_row!(StageHead { id, statement, create_time, expire_time } parsed { state });

/// Treatment of rows that already exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RestoreMode {
    IntoEmpty,
    Merge,
    Replace,
}

/// One attempt to fill a stage. The server may still be processing a broken stream while the client resends it: the
/// older of two attempts neither adds rows to the newer one's stage nor drops it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The stage.
    pub(crate) id: String,
    /// Later than that of every earlier attempt.
    pub(crate) create_time: i64,
}

impl Attempt {
    /// Whether it is the attempt of a stage with this state and creation time.
    pub(super) fn is_of(&self, state: StageState, create_time: i64) -> bool {
        matches!(state, StageState::Staging | StageState::Staged) && create_time == self.create_time
    }
}

/// Result of adding rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    Done,
    /// One of them was already added.
    Twice,
    /// The stage was begun again, or no longer exists.
    Over,
}

/// Parameters of a commit.
#[derive(Clone, Copy)]
pub(crate) struct Commit<'c> {
    /// The stage as it was read: if it was begun again since, it is not committed.
    pub(crate) attempt: &'c Attempt,
    /// The stage's grant; empty for a plan.
    pub(crate) statement: &'c [u8],
    pub(crate) mode: RestoreMode,
    /// Ids of credentials that come back although they were deleted, deactivated or rotated since.
    pub(crate) revived: &'c BTreeSet<String>,
    /// Staged tables: in `replace` mode, their live rows that were not staged are removed.
    pub(crate) tables: &'c [String],
    /// The archive's keys: every staged row that must carry a MAC is checked again.
    pub(crate) keys: &'c RowVerifiers,
    /// The deployment that the vault adopts, if it has no credentials.
    pub(crate) adopted: Option<&'c str>,
    pub(crate) now: i64,
    /// The commit is undone at its end.
    pub(crate) is_trial: bool,
}

/// Result of a commit.
#[derive(Debug)]
pub(crate) enum Committed {
    Done(Report),
    /// It was committed before.
    Already(Report),
    /// The stage does not exist, or is incomplete.
    NotStaged,
    /// The vault has credentials.
    NotEmpty,
    /// The archive has no credential with this id, which was to be revived.
    NoneToRevive(String),
}

/// Result of a rollback.
#[derive(Debug)]
pub(crate) enum RolledBack {
    Done,
    /// It was rolled back before.
    Already,
    NotCommitted,
    /// This later restore is committed.
    Superseded(String),
    /// These rows were changed since.
    Changed(Vec<String>),
}

/// Restores in the database.
#[async_trait]
pub(crate) trait RestoreStore: Send + Sync {
    /// Begins a stage; it replaces an uncommitted one with the same id. `None` if that one was committed, or if a plan
    /// would replace a stage that has a grant.
    async fn begin_stage(&self, stage: &StageRow) -> Result<Option<Attempt>>;
    /// Adds rows to a stage.
    async fn add_staged(&self, attempt: &Attempt, rows: &[StagedRow]) -> Result<Added>;
    /// Marks a stage as complete; false if the attempt is over.
    async fn finish_stage(&self, attempt: &Attempt, tables: &str) -> Result<bool>;
    /// Drops the rows that the attempt staged, unless it is over: a newer attempt keeps its rows.
    async fn drop_attempt(&self, attempt: &Attempt) -> Result<()>;
    /// One stage.
    async fn stage(&self, id: &str) -> Result<Option<StageRow>>;
    /// Makes a stage live in one transaction, which appends `event`.
    async fn commit_stage(&self, commit: &Commit<'_>, event: &NewEvent) -> Result<Committed>;
    /// Restores the rows that a commit replaced. Rows that were revoked since stay revoked.
    async fn roll_back_stage(
        &self,
        id: &str,
        discard_changes: bool,
        now: i64,
        event: &NewEvent,
    ) -> Result<RolledBack>;
    /// Drops the rows and the undo of a stage. False, and nothing dropped, for a committed stage if `only_staged`.
    async fn drop_stage(&self, id: &str, only_staged: bool) -> Result<bool>;
    /// Drops expired stages, and forgets those that expired before `forgotten`.
    async fn sweep_stages(&self, now: i64, forgotten: i64) -> Result<()>;
    /// Whether there are no credentials.
    async fn is_empty(&self) -> Result<bool>;
}

pub(super) const STAGE: &str = "
    SELECT id, state, terms, statement, ring, tables, report, create_time, expire_time, commit_time, previous_deployment
    FROM restore_stages WHERE id = $1";

pub(super) const INSERT_STAGE: &str = "
    INSERT INTO restore_stages (id, state, terms, statement, ring, tables, report, create_time, expire_time)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

pub(super) const DELETE_STAGE: &str = "DELETE FROM restore_stages WHERE id = $1";

pub(super) const FINISH_STAGE: &str = "
    UPDATE restore_stages SET state = 'staged', tables = $3 WHERE id = $1 AND state = 'staging' AND create_time = $2";

pub(super) const COMMIT_STAGE: &str = "
    UPDATE restore_stages
    SET state = 'committed', report = $2, commit_time = $3, previous_deployment = $4, expire_time = $5
    WHERE id = $1 AND state = 'staged'";

pub(super) const ROLL_BACK_STAGE: &str = "
    UPDATE restore_stages SET state = 'rolled-back', report = $2 WHERE id = $1 AND state = 'committed'";

pub(super) const END_STAGE: &str = "UPDATE restore_stages SET state = 'done' WHERE id = $1";

/// A later commit that can still be rolled back.
pub(super) const LATER_STAGE: &str = "
    SELECT id FROM restore_stages WHERE state = 'committed' AND commit_time > $1 ORDER BY commit_time DESC LIMIT 1";

/// Commit time of the newest restore, which may come from another process's clock.
pub(super) const LAST_COMMIT: &str = "SELECT max(commit_time) FROM restore_stages";

pub(super) const EXPIRED_STAGES: &str =
    "SELECT id FROM restore_stages WHERE state <> 'done' AND expire_time <= $1";

pub(super) const FORGET_STAGES: &str =
    "DELETE FROM restore_stages WHERE state = 'done' AND expire_time <= $1";

pub(super) const STAGED_COLUMNS: &str = "INSERT INTO restore_rows (stage_id, table_name, row_key, content) ";

/// The caller counts the inserted rows.
pub(super) const STAGED_CONFLICT: &str = " ON CONFLICT (stage_id, table_name, row_key) DO NOTHING";

pub(super) const DELETE_STAGED: &str = "DELETE FROM restore_rows WHERE stage_id = $1";

/// A page of one table's rows, by key.
pub(super) const STAGED: &str = "
    SELECT row_key, content FROM restore_rows
    WHERE stage_id = $1 AND table_name = $2 AND row_key > $3 ORDER BY row_key LIMIT $4";

/// Followed by rows of credentials with their MACs, and then [`CREDENTIAL_CONFLICT`].
pub(super) const CREDENTIAL_COLUMNS: &str = "
    INSERT INTO credentials (id, display_name, provider, secret, preview, active, create_time, update_time,
                             last_used_time, expire_time, revision, labels, row_kid, row_mac, change_id, secret_time,
                             deactivate_time) ";

/// The columns of a credential that can change.
pub(super) const CREDENTIAL_CONFLICT: &str = "
    ON CONFLICT (id) DO UPDATE
    SET display_name = excluded.display_name, secret = excluded.secret, preview = excluded.preview,
        active = excluded.active, update_time = excluded.update_time, expire_time = excluded.expire_time,
        revision = excluded.revision, labels = excluded.labels, row_kid = excluded.row_kid, row_mac = excluded.row_mac,
        change_id = excluded.change_id, secret_time = excluded.secret_time, deactivate_time = excluded.deactivate_time";

pub(super) const PREVIOUS_COLUMNS: &str = "
    INSERT INTO credential_versions (id, credential_id, secret, preview, create_time, expire_time,
                                     row_kid, row_mac, change_id) ";

pub(super) const REFERENCE_COLUMNS: &str = "
    INSERT INTO credential_references
        (kind, consumer, credential_id, needs_provider, create_time, update_time, via_kind, via_consumer, fallbacks,
         row_kid, row_mac, change_id) ";

pub(super) const REFERENCE_CONFLICT: &str = "
    ON CONFLICT (kind, consumer) DO UPDATE
    SET credential_id = excluded.credential_id, needs_provider = excluded.needs_provider,
        create_time = excluded.create_time, update_time = excluded.update_time, via_kind = excluded.via_kind,
        via_consumer = excluded.via_consumer, fallbacks = excluded.fallbacks, row_kid = excluded.row_kid,
        row_mac = excluded.row_mac, change_id = excluded.change_id";

pub(super) const UNDO_COLUMNS: &str =
    "INSERT INTO restore_undo (stage_id, table_name, row_key, content, change_id, row_kid, row_mac) ";

/// If one restore touches a row twice, the state before the first time is kept.
pub(super) const UNDO_CONFLICT: &str = "
    ON CONFLICT (stage_id, table_name, row_key) DO UPDATE
    SET change_id = excluded.change_id, row_kid = excluded.row_kid, row_mac = excluded.row_mac";

/// Followed by a list of ids.
pub(super) const DELETE_CREDENTIALS: &str = "DELETE FROM credentials WHERE id";
pub(super) const DELETE_PREVIOUS: &str = "DELETE FROM credential_versions WHERE credential_id";
pub(super) const DELETE_TOMBSTONES: &str = "DELETE FROM credential_tombstones WHERE id";

pub(super) const UNDO_ONE: &str = "
    SELECT stage_id, table_name, row_key, content, change_id, row_kid, row_mac FROM restore_undo
    WHERE stage_id = $1 AND table_name = $2 AND row_key = $3";

pub(super) const UNDO: &str = "
    SELECT stage_id, table_name, row_key, content, change_id, row_kid, row_mac FROM restore_undo
    WHERE stage_id = $1 AND table_name = $2 AND row_key > $3 ORDER BY row_key LIMIT $4";

pub(super) const DELETE_UNDO: &str = "DELETE FROM restore_undo WHERE stage_id = $1";

/// Credentials that were not staged.
pub(super) const OTHER_CREDENTIALS: &str = "
    SELECT c.id FROM credentials c
    WHERE c.id > $2 AND NOT EXISTS (
        SELECT 1 FROM restore_rows s WHERE s.stage_id = $1 AND s.table_name = 'credentials' AND s.row_key = c.id)
    ORDER BY c.id LIMIT $3";

pub(super) const ANY_CREDENTIAL: &str = "SELECT count(*) FROM (SELECT 1 FROM credentials LIMIT 1) one";

/// Followed by a condition on the id.
pub(super) const TOMBSTONES_BY_ID: &str =
    "SELECT id, display_name, provider, delete_time FROM credential_tombstones WHERE id";

pub(super) const PUT_TOMBSTONE: &str = "
    INSERT INTO credential_tombstones (id, display_name, provider, delete_time) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO NOTHING";

pub(super) const TOKEN_BY_HASH: &str = "SELECT count(*) FROM api_tokens WHERE hash = $1";

pub(super) const DELETE_TOKEN: &str = "DELETE FROM api_tokens WHERE id = $1";
