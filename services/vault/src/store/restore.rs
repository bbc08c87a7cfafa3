//! A restore of the vault's own rows: staged beside the live ones, committed by rules that bring nothing back that was revoked,
//! and taken back.
//!
//! [`rows`] is what an archive's rows are; [`rules`] decides what becomes of each; [`record`] is what a restore says of itself, in
//! its answers and in the audit log. A plan is a commit that is undone at its end, so that it cannot say anything else than what
//! the commit will do.

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

/// How long a commit can be taken back, in microseconds: an hour longer than who restores says, so that it never waits for the
/// last moment.
pub(crate) const UNDONE_WITHIN: i64 = 25 * 3600 * 1_000_000;

/// Where a stage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StageState {
    /// Rows come.
    Staging,
    /// Whole.
    Staged,
    Committed,
    RolledBack,
    /// Its rows are gone; it stays so that its grant is not used again.
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
    /// Where it stands.
    pub state: StageState,
    /// What its grant allows, as JSON.
    pub terms: String,
    /// The grant; empty for a plan.
    pub statement: Vec<u8>,
    /// The archive's `keys/ring.json`.
    pub ring: Vec<u8>,
    /// Names of the tables that were staged, as JSON.
    pub tables: String,
    /// A [`Report`], as JSON.
    pub report: String,
    /// When it was begun.
    pub create_time: i64,
    /// From when on it is dropped.
    pub expire_time: i64,
    /// When it was committed.
    pub commit_time: Option<i64>,
    /// The deployment before the commit, where that made it another one.
    pub previous_deployment: Option<String>,
}

from_row!(StageRow { id, terms, statement, ring, tables, report, create_time, expire_time, commit_time, previous_deployment } parsed { state });

/// A stage without what its commit needs.
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

/// What becomes of rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RestoreMode {
    IntoEmpty,
    Merge,
    Replace,
}

/// One attempt to fill a stage. A stream that was cut off may still be read when its rows are sent again: the older of two
/// attempts neither adds to what the newer one stages nor drops it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// The stage.
    pub(crate) id: String,
    /// Each attempt's is later than that of the one before.
    pub(crate) create_time: i64,
}

impl Attempt {
    /// Whether it is the one of a stage with this state, begun then.
    pub(super) fn is_of(&self, state: StageState, create_time: i64) -> bool {
        matches!(state, StageState::Staging | StageState::Staged) && create_time == self.create_time
    }
}

/// What became of rows that are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    Done,
    /// One of them is there already.
    Twice,
    /// The stage was begun anew, or is gone.
    Over,
}

/// What a commit goes by.
#[derive(Clone, Copy)]
pub(crate) struct Commit<'c> {
    /// The stage as it was seen: one that was begun anew since is not committed.
    pub(crate) attempt: &'c Attempt,
    /// The stage's grant; empty for a plan.
    pub(crate) statement: &'c [u8],
    pub(crate) mode: RestoreMode,
    /// Ids of credentials that come back although they were deleted, deactivated or rotated since.
    pub(crate) revived: &'c BTreeSet<String>,
    /// Tables that were staged: in `replace`, what was not staged of them goes.
    pub(crate) tables: &'c [String],
    /// The archive's keys: every staged row that must carry a code is checked again.
    pub(crate) keys: &'c RowVerifiers,
    /// The deployment that the vault becomes, if it has no credentials.
    pub(crate) adopted: Option<&'c str>,
    pub(crate) now: i64,
    /// Nothing of it lasts.
    pub(crate) is_trial: bool,
}

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum Committed {
    Done(Report),
    /// It was before.
    Already(Report),
    /// There is no such stage, or it is not whole.
    NotStaged,
    /// The vault has credentials.
    NotEmpty,
    /// An id to revive is no credential of the archive.
    NoneToRevive(String),
}

/// What became of a rollback.
#[derive(Debug)]
pub(crate) enum RolledBack {
    Done,
    /// It was before.
    Already,
    NotCommitted,
    /// A restore after it is committed.
    Superseded(String),
    /// These rows were changed since.
    Changed(Vec<String>),
}

/// Restores in the database.
#[async_trait]
pub(crate) trait RestoreStore: Send + Sync {
    /// Begins a stage, in the place of one with the same id that was not committed. None where that one was, or where a plan
    /// would take the place of a stage with a grant.
    async fn begin_stage(&self, stage: &StageRow) -> Result<Option<Attempt>>;
    /// Adds rows to it.
    async fn add_staged(&self, attempt: &Attempt, rows: &[StagedRow]) -> Result<Added>;
    /// It is whole; false where the attempt is over.
    async fn finish_stage(&self, attempt: &Attempt, tables: &str) -> Result<bool>;
    /// Drops what the attempt has staged, unless it is over: whoever began anew keeps theirs.
    async fn drop_attempt(&self, attempt: &Attempt) -> Result<()>;
    /// One stage.
    async fn stage(&self, id: &str) -> Result<Option<StageRow>>;
    /// Makes a stage live, in one transaction, with `event` behind it.
    async fn commit_stage(&self, commit: &Commit<'_>, event: &NewEvent) -> Result<Committed>;
    /// Puts back what a commit has replaced. What was revoked since stays so.
    async fn roll_back_stage(
        &self,
        id: &str,
        discard_changes: bool,
        now: i64,
        event: &NewEvent,
    ) -> Result<RolledBack>;
    /// Drops rows and undo of a stage. False, and nothing dropped, for a committed one if `only_staged`.
    async fn drop_stage(&self, id: &str, only_staged: bool) -> Result<bool>;
    /// Drops stages that have expired, and forgets those that expired before `forgotten`.
    async fn sweep_stages(&self, now: i64, forgotten: i64) -> Result<()>;
    /// Whether there is no credential.
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

/// A later commit that can still be taken back.
pub(super) const LATER_STAGE: &str = "
    SELECT id FROM restore_stages WHERE state = 'committed' AND commit_time > $1 ORDER BY commit_time DESC LIMIT 1";

/// When the newest restore was committed, by whichever process's clock.
pub(super) const LAST_COMMIT: &str = "SELECT max(commit_time) FROM restore_stages";

pub(super) const EXPIRED_STAGES: &str =
    "SELECT id FROM restore_stages WHERE state <> 'done' AND expire_time <= $1";

pub(super) const FORGET_STAGES: &str =
    "DELETE FROM restore_stages WHERE state = 'done' AND expire_time <= $1";

pub(super) const STAGED_COLUMNS: &str = "INSERT INTO restore_rows (stage_id, table_name, row_key, content) ";

/// Whoever adds rows counts them.
pub(super) const STAGED_CONFLICT: &str = " ON CONFLICT (stage_id, table_name, row_key) DO NOTHING";

pub(super) const DELETE_STAGED: &str = "DELETE FROM restore_rows WHERE stage_id = $1";

/// A page of one table's rows, by key.
pub(super) const STAGED: &str = "
    SELECT row_key, content FROM restore_rows
    WHERE stage_id = $1 AND table_name = $2 AND row_key > $3 ORDER BY row_key LIMIT $4";

/// Rows of credentials follow, with their codes, and then [`CREDENTIAL_CONFLICT`].
pub(super) const CREDENTIAL_COLUMNS: &str = "
    INSERT INTO credentials (id, display_name, provider, secret, preview, active, create_time, update_time,
                             last_used_time, expire_time, revision, labels, row_kid, row_mac, change_id, secret_time,
                             deactivate_time) ";

/// What a change of a credential may change.
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

/// A row that one restore touches twice is what it was before the first time.
pub(super) const UNDO_CONFLICT: &str = "
    ON CONFLICT (stage_id, table_name, row_key) DO UPDATE
    SET change_id = excluded.change_id, row_kid = excluded.row_kid, row_mac = excluded.row_mac";

/// A list of ids follows.
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

/// A condition on the id follows.
pub(super) const TOMBSTONES_BY_ID: &str =
    "SELECT id, display_name, provider, delete_time FROM credential_tombstones WHERE id";

pub(super) const PUT_TOMBSTONE: &str = "
    INSERT INTO credential_tombstones (id, display_name, provider, delete_time) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO NOTHING";

pub(super) const TOKEN_BY_HASH: &str = "SELECT count(*) FROM api_tokens WHERE hash = $1";

pub(super) const DELETE_TOKEN: &str = "DELETE FROM api_tokens WHERE id = $1";
