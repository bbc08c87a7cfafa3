//! The JSON of a backup in the catalogue and in sidecars.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strongroom_api::backup::v1::LeftOut;

use crate::assembly::{ArchiveRequest, Assembled};
use crate::error::{Error, Result};
use crate::store::BackupRow;

/// Maximum number of tables whose rows are counted in the catalogue: listing backups reads all of it.
const MOST_TABLES: usize = 1000;

/// The requested contents of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Selection {
    /// Optional groups.
    pub(crate) include: Vec<String>,
    /// Only these tables; empty means all.
    pub(crate) tables: Vec<String>,
    pub(crate) since: Option<Timestamp>,
    /// How it is sealed: `configured`, `plain`, `passphrase`, `recipients`.
    pub(crate) seal: String,
}

impl Selection {
    pub(crate) fn of(request: &ArchiveRequest, seal: &str) -> Self {
        let ArchiveRequest { include, tables, since, .. } = request.clone();
        Self { include, tables, since, seal: seal.to_owned() }
    }
}

/// The actual contents of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Content {
    /// Size of the file.
    pub(crate) size_bytes: i64,
    /// SHA-256 of the file, in lower-case hex.
    pub(crate) sha256: String,
    pub(crate) tables: i64,
    pub(crate) rows: i64,
    /// Rows by the table's name in the archive; empty if there are more than a thousand tables, and in sidecars.
    pub(crate) table_rows: BTreeMap<String, i64>,
    pub(crate) rows_beside_vault: i64,
    pub(crate) files: i64,
    pub(crate) root_key_id: String,
    /// The key versions that it needs.
    pub(crate) kids: Vec<String>,
    /// SHA-256 of its canary, in lower-case hex: knowing the canary proves that this backup was opened.
    pub(crate) canary_sha256: String,
    pub(crate) left_out: Vec<Left>,
    pub(crate) left_out_total: i64,
    /// Messages about missing content compared with the schedule's earlier backups.
    pub(crate) anomalies: Vec<String>,
}

/// An item of a source that the backup leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Left {
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Content {
    /// The content of a finished archive.
    pub(crate) fn of(assembled: Assembled) -> Self {
        let Assembled { summary, kids, root_key_id, left_out } = assembled;
        let (left_out, left_out_total) = left_out.into_parts();
        Self {
            size_bytes: summary.file.bytes,
            sha256: summary.file.sha256,
            tables: summary.tables,
            rows: summary.rows,
            table_rows: Some(summary.table_rows).filter(|rows| rows.len() <= MOST_TABLES).unwrap_or_default(),
            rows_beside_vault: summary.rows_beside_vault,
            files: summary.files,
            root_key_id,
            kids,
            canary_sha256: summary.canary_sha256,
            left_out: left_out.into_iter().map(Left::from).collect(),
            left_out_total,
            anomalies: Vec::new(),
        }
    }
}

impl From<LeftOut> for Left {
    fn from(LeftOut { source, name, reason }: LeftOut) -> Self {
        Self { source, name, reason }
    }
}

impl From<Left> for LeftOut {
    fn from(Left { source, name, reason }: Left) -> Self {
        Self { source, name, reason }
    }
}

/// The result of the last verification of a stored backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Verified {
    pub(crate) ok: bool,
    pub(crate) destination: String,
    /// In the order of `VerifyLevel`.
    pub(crate) levels: Vec<Level>,
}

/// The result of one level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Level {
    /// The numbers of `VerifyLevel` and `VerifyOutcome`.
    pub(crate) level: i32,
    pub(crate) outcome: i32,
    pub(crate) problem: String,
}

/// The progress of making a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Progress {
    pub(crate) table: String,
    pub(crate) tables_done: i64,
    pub(crate) tables_total: i64,
    pub(crate) rows: i64,
    pub(crate) file: String,
    pub(crate) files_done: i64,
    pub(crate) files_total: i64,
}

/// The contents of a backup; the default before it is stored.
///
/// # Errors
/// [`Error::Defect`] for a column that cannot be read: its default must not be used.
pub(crate) fn content_of(row: &BackupRow) -> Result<Content> {
    if row.content.is_empty() {
        return Ok(Content::default());
    }
    let id = row.id.as_str();
    serde_json::from_str(&row.content).map_err(|error| {
        Error::Defect(format!("the catalogue's content of the backup {id} cannot be read: {error}"))
    })
}

/// JSON for a column of the catalogue. These types can always be serialised.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// From a column of the catalogue that is only for display; the default if it is empty or cannot be read.
pub(crate) fn from_json<T: for<'a> Deserialize<'a> + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}
