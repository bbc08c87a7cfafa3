//! What becomes of the restores of a dead process: the target's marker says whether they were applied.

use strongroom_api::vault::v1::{AuditOutcome, ServiceEvent};
use strongroom_runtime::Delegation;

use super::ending::{Ending, restore_id};
use super::{APPLY, ROLLBACK};
use crate::error::{Error, RestoreError, Result};
use crate::operation::{Metadata, put};
use crate::store::{OperationRow, ProcessRow};

/// Inherits restores.
pub(crate) struct Inheritance {
    pub(super) ending: Ending,
}

impl Inheritance {
    /// Whether `operation` is a restore's.
    pub(crate) fn is_restore(operation: &OperationRow) -> bool {
        operation.kind == APPLY.name || operation.kind == ROLLBACK.name
    }

    /// As of [`crate::membership::Heir`], of restores.
    pub(crate) async fn inherit(&self, dead: &ProcessRow, operations: &[OperationRow]) -> bool {
        for operation in operations {
            if let Err(error) = self.settle(operation, &dead.host).await {
                let (process, id) = (dead.id.as_str(), operation.id.as_str());
                tracing::warn!(process, id, %error, "the restore of a dead process cannot be settled yet");
                return false;
            }
        }
        true
    }

    /// Settles a restore that a process on `host` has left.
    ///
    /// # Errors
    /// The store's, and the target's as long as it does not answer.
    async fn settle(&self, operation: &OperationRow, host: &str) -> Result<()> {
        let died = Error::from(RestoreError::ProcessDied(host.to_owned()));
        let is_done = self.ending.try_settle(operation, &(&died).into()).await?;
        self.record(operation, if is_done { None } else { Some(&died) }).await;
        self.ending.base.store.end_operation(operation).await?;
        Ok(())
    }

    /// In the name of who asked for it. If that is too long ago, the operation is closed as unknown.
    async fn record(&self, operation: &OperationRow, error: Option<&Error>) {
        let kind = if operation.kind == ROLLBACK.name { &ROLLBACK } else { &APPLY };
        let mut metadata = Metadata::new();
        put(&mut metadata, "restore_id", restore_id(operation));
        if let Some(error) = error {
            put(&mut metadata, "reason", error.reason());
        }
        let outcome = if error.is_none() { AuditOutcome::Success } else { AuditOutcome::Failed };
        let event = ServiceEvent {
            event: kind.ended.to_owned(),
            target: operation.target.clone(),
            metadata,
            trace_id: operation.trace_id.clone(),
            outcome: outcome.into(),
            operation_id: operation.id.clone(),
        };
        let delegation = Delegation::new(operation.delegation.clone().into());
        if let Err(error) = self.ending.base.vault.record_patiently(&delegation, event).await {
            let id = operation.id.as_str();
            tracing::warn!(id, %error, "the end of a dead process's restore is not in the audit log yet");
        }
    }
}
