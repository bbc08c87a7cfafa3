//! Makes one backup, from its archive to its row with the state AVAILABLE.

use std::sync::Arc;

use strongroom_api::vault::v1::AuditOutcome;
use tokio_util::sync::CancellationToken;

use super::super::record::{Content, to_json};
use super::super::sidecar;
use super::super::upload::{Upload, Uploaded};
use super::anomalies::Comparison;
use crate::assembly::{Assembly, describe_summary};
use crate::error::{Error, Result};
use crate::metrics::Size;
use crate::operation::{Ended, put};
use crate::store::{BackupRow, BackupState, CopyRow, CopyState, OperationRow, Replaced, Store};
use crate::vault_client::VaultClient;
use strongroom_runtime::failpoint;

/// One backup being made.
pub(super) struct Making {
    pub(super) assembly: Assembly,
    pub(super) upload: Arc<Upload>,
    pub(super) store: Arc<dyn Store>,
    pub(super) vault: VaultClient,
    pub(super) operation: OperationRow,
    /// For a backup that a schedule makes.
    pub(super) run: Option<Comparison>,
}

impl Making {
    pub(super) async fn make(self, stop: CancellationToken) -> Result<Ended<()>> {
        failpoint::reached("create.started");
        let Self { assembly, upload, store, vault, operation, run } = self;
        let clock = Arc::clone(assembly.clock());
        let assembled = assembly.run(Arc::<Upload>::clone(&upload), stop).await?;
        let size = Size { bytes: assembled.summary.file.bytes, rows: assembled.summary.rows };
        let mut metadata = describe_summary(&assembled.summary);
        let mut content = Content::of(assembled);
        if let Some(run) = run {
            content.anomalies = run.anomalies(store.as_ref(), &content).await?;
            put(&mut metadata, "anomalies", content.anomalies.len());
        }
        let uploaded = upload.finish().await?;
        let mut row = current(store.as_ref(), &operation).await?;
        let expected = row.revision;
        row.content = to_json(&content);
        row.state = BackupState::Available;
        row.end_time = Some(clock.now_micros());
        row.progress.clear();
        row.revision += 1;
        let copies = record_copies(&row, uploaded, &vault).await?;
        let failed: Vec<&str> = copies
            .iter()
            .filter(|copy| copy.state != CopyState::Stored)
            .map(|copy| copy.destination.as_str())
            .collect();
        if !failed.is_empty() {
            put(&mut metadata, "failed_destinations", failed);
        }
        failpoint::reached("create.before_commit");
        match store.replace(&row, expected, &copies, Some(&operation)).await? {
            Replaced::Done => {}
            Replaced::Fenced => return Err(Error::Fenced),
            Replaced::Stale => return Err(Error::BackupBusy(row.id)),
        }
        failpoint::reached("create.after_commit");
        Ok(Ended { outcome: AuditOutcome::Success, metadata, replies: Vec::new(), size })
    }
}

/// The backup's current row: recording its progress has changed it.
async fn current(store: &dyn Store, operation: &OperationRow) -> Result<BackupRow> {
    let found = store.backup(&operation.id).await?;
    found.map(|backup| backup.row).ok_or_else(|| Error::BackupNotFound(operation.id.clone()))
}

/// Writes the sidecar of every complete copy. Fails only if no copy has a sidecar then.
async fn record_copies(
    row: &BackupRow,
    uploaded: Vec<Uploaded>,
    vault: &VaultClient,
) -> Result<Vec<CopyRow>> {
    let mut copies = Vec::with_capacity(uploaded.len());
    let mut first = None;
    for Uploaded { destination, mut copy, ended } in uploaded {
        let stored = match ended {
            Ok(object) => {
                copy.etag = object.etag;
                copy.upload_id.clear();
                sidecar::put(&destination, row, &copy, vault).await
            }
            Err(error) => Err(Error::Storage(error)),
        };
        failpoint::reached("create.sidecar");
        match stored {
            Ok(()) => {
                copy.state = CopyState::Stored;
                copy.recorded = row.record_revision;
            }
            Err(error) => {
                copy.state = CopyState::Aborting;
                error.reason().clone_into(&mut copy.reason);
                copy.problem = error.of_a_copy();
                first.get_or_insert(error);
            }
        }
        copies.push(copy);
    }
    match first {
        Some(error) if copies.iter().all(|copy| copy.state != CopyState::Stored) => Err(error),
        _ => Ok(copies),
    }
}
