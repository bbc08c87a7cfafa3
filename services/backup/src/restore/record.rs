//! What a restore's row holds as JSON.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_api::backup::v1 as proto;
use strongroom_archive::manifest::AuditHead;
use strongroom_tables::load::Mode;

use super::rows::Key;
use crate::error::{Error, Result};
use crate::schedules::archived::Archived;
use crate::store::RestoreRow;

/// The plan's name in protobuf: it is stored as clients see it.
const PLAN: &str = "strongroom.backup.v1.RestorePlan";

/// Where an archive comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// A stored backup, by its id.
    Backup(String),
    /// An upload, by its id.
    Upload(String),
}

/// What is to be restored, and from what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) origin: Origin,
    pub(crate) mode: RequestMode,
    /// Names of the sources that are restored.
    pub(crate) sources: Vec<String>,
    /// Only these tables; empty means all.
    pub(crate) tables: Vec<String>,
    /// Only these rows of a table, by their keys; a table that is not in here has all of its rows.
    #[serde(default)]
    pub(crate) rows: BTreeMap<String, BTreeSet<Key>>,
    pub(crate) create_tables: bool,
    pub(crate) accept_cascade: bool,
    pub(crate) accept_pause: bool,
    pub(crate) accept_undecryptable: bool,
    /// The deployment that the archive must be of; empty for the vault's own.
    pub(crate) from_deployment: String,
    /// Credentials of the vault that come back whatever happened to them since.
    #[serde(default)]
    pub(crate) revive_ids: Vec<String>,
    /// An empty vault stays the deployment that it is.
    #[serde(default)]
    pub(crate) as_copy: bool,
    /// This service, as the vault names it, where a grant of the vault is needed.
    #[serde(default)]
    pub(crate) grantee: Option<String>,
    /// The grant, once it is applied. Only this service can use it.
    #[serde(default)]
    pub(crate) grant: String,
    /// The archive, once it was opened.
    pub(crate) archive: ArchiveFacts,
    /// What confirms it; empty where nothing has to be.
    pub(crate) confirm: String,
    /// The principal that planned it, whose the upload is.
    pub(crate) creator: String,
    /// By source: of its schema, or directory, when it was planned.
    pub(crate) fingerprints: BTreeMap<String, String>,
    /// Schedules that come back with everything else.
    #[serde(default)]
    pub(crate) schedules: Vec<Archived>,
}

impl Request {
    /// The grant as the vault made it; empty where the restore has none.
    pub(crate) fn grant_statement(&self) -> Bytes {
        hex::decode(&self.grant).unwrap_or_default().into()
    }
}

/// Which archive was planned with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArchiveFacts {
    pub(crate) file_name: String,
    /// Of the file: lower-case hex SHA-256.
    pub(crate) sha256: String,
    pub(crate) id: String,
    pub(crate) time: Option<Timestamp>,
    /// Of its manifest, which has the digests of everything in it: lower-case hex SHA-256.
    pub(crate) manifest_sha256: String,
    /// Of the vault that it is of.
    #[serde(default)]
    pub(crate) deployment_id: String,
    /// The head of that vault's log.
    #[serde(default)]
    pub(crate) audit_head: Option<AuditHead>,
    /// What it sealed has to be sealed anew: the vault has another root key now.
    #[serde(default)]
    pub(crate) is_of_another_root: bool,
}

/// [`Mode`] as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestMode {
    IntoEmpty,
    Merge,
    Replace,
}

impl From<RequestMode> for Mode {
    fn from(mode: RequestMode) -> Self {
        match mode {
            RequestMode::IntoEmpty => Self::IntoEmpty,
            RequestMode::Merge => Self::Merge,
            RequestMode::Replace => Self::Replace,
        }
    }
}

/// What a restore has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Journal {
    pub(crate) steps: Vec<Step>,
    /// How long the writers of a source had to wait, in microseconds; the longest of all.
    pub(crate) paused: i64,
    /// The operation that is in charge of the restore. Whoever works for another one leaves it alone.
    pub(crate) operation: String,
    /// It is being taken back.
    pub(crate) is_going_back: bool,
    /// It was not wholly applied when that began: then there is no way but back.
    pub(crate) was_incomplete: bool,
    /// Changes since are lost when it is taken back.
    pub(crate) discard_changes: bool,
    /// Somebody waits for the attempt to go on to end, in order to take it back.
    pub(crate) is_wanted_back: bool,
}

impl Journal {
    /// Whether a source has come through a step.
    pub(crate) fn has(&self, source: &str, step: StepName) -> bool {
        self.steps.iter().any(|done| done.step == step && done.source == source)
    }

    /// The last step of a source.
    pub(crate) fn last(&self, source: &str) -> Option<StepName> {
        self.steps.iter().rev().find(|done| done.source == source).map(|done| done.step)
    }
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) time: i64,
    /// Empty for the whole restore.
    pub(crate) source: String,
    pub(crate) step: StepName,
}

/// The durable steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepName {
    SafetyBackup,
    Staging,
    Staged,
    Swapping,
    Swapped,
    RollingBack,
    RolledBack,
    /// What was staged and never swapped in was removed.
    Discarded,
    /// What was replaced was removed for good.
    Removed,
}

impl StepName {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SafetyBackup => "safety-backup",
            Self::Staging => "staging",
            Self::Staged => "staged",
            Self::Swapping => "swapping",
            Self::Swapped => "swapped",
            Self::RollingBack => "rolling-back",
            Self::RolledBack => "rolled-back",
            Self::Discarded => "discarded",
            Self::Removed => "removed",
        }
    }
}

/// How far a restore is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) phase: String,
    pub(crate) table: String,
    pub(crate) rows: i64,
    pub(crate) rows_total: i64,
    pub(crate) bytes: i64,
    pub(crate) bytes_total: i64,
}

/// What was asked for.
///
/// # Errors
/// [`Error::Defect`] for a column that cannot be read: nothing may go by a default of that.
pub(crate) fn request_of(row: &RestoreRow) -> Result<Request> {
    read(row, "request", &row.request)
}

/// What was done.
///
/// # Errors
/// As of [`request_of`].
pub(crate) fn journal_of(row: &RestoreRow) -> Result<Journal> {
    if row.journal.is_empty() { Ok(Journal::default()) } else { read(row, "journal", &row.journal) }
}

/// The plan; empty where the row was read without it.
///
/// # Errors
/// As of [`request_of`].
pub(crate) fn plan_of(row: &RestoreRow) -> Result<proto::RestorePlan> {
    if row.plan.is_empty() {
        return Ok(proto::RestorePlan::default());
    }
    strongroom_api::json::from_json(PLAN, &row.plan).map_err(|error| defect(row, "plan", &error))
}

/// # Errors
/// [`Error::Defect`].
pub(crate) fn plan_json(plan: &proto::RestorePlan) -> Result<String> {
    let json = strongroom_api::json::to_json(PLAN, plan).map_err(Error::Defect)?;
    Ok(json.to_string())
}

fn read<T: for<'a> Deserialize<'a>>(row: &RestoreRow, column: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| defect(row, column, &error.to_string()))
}

fn defect(row: &RestoreRow, column: &str, error: &str) -> Error {
    let id = row.id.as_str();
    Error::Defect(format!("the {column} of the restore {id} cannot be read: {error}"))
}
