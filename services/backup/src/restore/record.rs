//! The JSON contents of a restore's row.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_api::backup::v1 as proto;
use strongroom_archive::manifest::AuditHead;
use strongroom_tables::load::Mode;

use super::rows::Key;
use crate::error::{Error, Result};
use crate::operation::{Metadata, put};
use crate::schedules::archived::Archived;
use crate::store::RestoreRow;

/// The protobuf name of the plan, which is stored in its client form.
const PLAN: &str = "strongroom.backup.v1.RestorePlan";

/// The origin of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// A stored backup, by its id.
    Backup(String),
    /// An upload, by its id.
    Upload(String),
}

/// The requested restore, and its archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) origin: Origin,
    pub(crate) mode: RequestMode,
    /// Names of the sources to restore.
    pub(crate) sources: Vec<String>,
    /// Only these tables; empty means all.
    pub(crate) tables: Vec<String>,
    /// Only these rows of a table, by their keys; of a table without an entry here, all rows are restored.
    #[serde(default)]
    pub(crate) rows: BTreeMap<String, BTreeSet<Key>>,
    pub(crate) create_tables: bool,
    pub(crate) accept_cascade: bool,
    pub(crate) accept_pause: bool,
    pub(crate) accept_undecryptable: bool,
    /// The deployment to which the archive must belong; empty for the vault's own.
    pub(crate) from_deployment: String,
    /// Credentials of the vault that are restored whatever happened to them since.
    #[serde(default)]
    pub(crate) revive_ids: Vec<String>,
    /// Whether an empty vault keeps its own deployment id.
    #[serde(default)]
    pub(crate) as_copy: bool,
    /// The vault's name for this service, if a grant of the vault is needed.
    #[serde(default)]
    pub(crate) grantee: Option<String>,
    /// The grant, once the restore is applied. Only this service can use it.
    #[serde(default)]
    pub(crate) grant: String,
    /// The archive, once it was opened.
    pub(crate) archive: ArchiveFacts,
    /// The confirmation text; empty if none is needed.
    pub(crate) confirm: String,
    /// The principal that planned it, and owns the upload.
    pub(crate) creator: String,
    /// The fingerprint of each source's schema or directory at planning, by source.
    pub(crate) fingerprints: BTreeMap<String, String>,
    /// Schedules that are restored together with everything else.
    #[serde(default)]
    pub(crate) schedules: Vec<Archived>,
}

impl Request {
    /// Metadata of this restore for the audit log.
    pub(super) fn described(&self, id: &str) -> Metadata {
        let mut metadata = Metadata::new();
        put(&mut metadata, "restore_id", id);
        put(&mut metadata, "archive_id", self.archive.id.as_str());
        put(&mut metadata, "sha256", self.archive.sha256.as_str());
        put(&mut metadata, "mode", self.mode.as_str());
        put(&mut metadata, "sources", self.sources.clone());
        if !self.tables.is_empty() {
            let some: Vec<&String> = self.tables.iter().take(100).collect();
            put(&mut metadata, "tables", serde_json::json!(some));
        }
        if !self.rows.is_empty() {
            put(&mut metadata, "rows", self.rows.values().map(|keys| keys.len() as u64).sum::<u64>());
        }
        metadata
    }

    /// The grant as made by the vault; empty if the restore has none.
    pub(crate) fn grant_statement(&self) -> Bytes {
        hex::decode(&self.grant).unwrap_or_default().into()
    }
}

/// Identifies the planned archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArchiveFacts {
    pub(crate) file_name: String,
    /// SHA-256 of the file, lower-case hex.
    pub(crate) sha256: String,
    pub(crate) id: String,
    pub(crate) time: Option<Timestamp>,
    /// SHA-256 of its manifest, which contains the digests of all entries, lower-case hex.
    pub(crate) manifest_sha256: String,
    /// The deployment of the vault that it belongs to.
    #[serde(default)]
    pub(crate) deployment_id: String,
    /// The head of that vault's audit log.
    #[serde(default)]
    pub(crate) audit_head: Option<AuditHead>,
    /// Its sealed values must be sealed again, because the vault now has another root key.
    #[serde(default)]
    pub(crate) is_of_another_root: bool,
}

/// The stored form of [`Mode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestMode {
    IntoEmpty,
    Merge,
    Replace,
}

impl RequestMode {
    /// Its name on the command line.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::IntoEmpty => "into-empty",
            Self::Merge => "merge",
            Self::Replace => "replace",
        }
    }

    /// Whether it can delete rows.
    pub(super) fn needs_confirmation(self) -> bool {
        self == Self::Replace
    }
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

/// The changes that a restore has made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Journal {
    pub(crate) steps: Vec<Step>,
    /// How long the writers of a source had to wait, in microseconds; the maximum of all sources.
    pub(crate) paused: i64,
    /// The operation in charge of the restore. Other operations must not touch it.
    pub(crate) operation: String,
    /// It is being rolled back.
    pub(crate) is_going_back: bool,
    /// It was not completely applied when the rollback began: then it can only go back.
    pub(crate) was_incomplete: bool,
    /// The rollback discards later changes.
    pub(crate) discard_changes: bool,
    /// A caller waits for the running attempt to end, in order to roll the restore back.
    pub(crate) is_wanted_back: bool,
}

impl Journal {
    /// Whether a source has completed a step.
    pub(crate) fn has(&self, source: &str, step: StepName) -> bool {
        self.steps.iter().any(|done| done.step == step && done.source == source)
    }

    /// The last step of a source.
    pub(crate) fn last(&self, source: &str) -> Option<StepName> {
        self.steps.iter().rev().find(|done| done.source == source).map(|done| done.step)
    }
}

/// A completed step.
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
    /// A stage that was never swapped was removed.
    Discarded,
    /// The replaced data was removed for good.
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

/// The progress of a restore.
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

/// The request.
///
/// # Errors
/// [`Error::Defect`] for a column that cannot be read: its default must not be used.
pub(crate) fn request_of(row: &RestoreRow) -> Result<Request> {
    read(row, "request", &row.request)
}

/// The journal.
///
/// # Errors
/// As for [`request_of`].
pub(crate) fn journal_of(row: &RestoreRow) -> Result<Journal> {
    if row.journal.is_empty() { Ok(Journal::default()) } else { read(row, "journal", &row.journal) }
}

/// The plan; empty if the row was read without it.
///
/// # Errors
/// As for [`request_of`].
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
