//! What becomes of the drill of a dead process: its scratch database is dropped, and it has failed.

use strongroom_api::vault::v1::ServiceEvent;
use strongroom_runtime::Delegation;

use super::ending::{closing, describe};
use super::evidence::Evidence;
use super::{Base, KIND};
use crate::backups::record::from_json;
use crate::error::{DrillError, Result};
use crate::operation::Ended;
use crate::store::{DrillRow, OperationRow, ProcessRow};

/// Inherits drills.
pub(crate) struct Inheritance {
    pub(super) base: Base,
}

impl Inheritance {
    /// Whether `operation` is a drill's.
    pub(crate) fn is_drill(operation: &OperationRow) -> bool {
        operation.kind == KIND.name
    }

    /// As of [`crate::membership::Heir`], of drills.
    pub(crate) async fn inherit(&self, dead: &ProcessRow, operations: &[OperationRow]) -> bool {
        for operation in operations {
            if let Err(error) = self.settle(operation, &dead.host).await {
                let (process, id) = (dead.id.as_str(), operation.id.as_str());
                tracing::warn!(process, id, %error, "the drill of a dead process cannot be ended yet");
                return false;
            }
        }
        true
    }

    /// One that had found everything ends with what it has found. What it has left is swept.
    async fn settle(&self, operation: &OperationRow, host: &str) -> Result<()> {
        let Some(drill) = self.base.store.drill(&operation.id).await? else {
            self.base.store.end_operation(operation).await?;
            return Ok(());
        };
        let mut evidence: Evidence = from_json(&drill.evidence);
        if drill.evidence.is_empty() {
            evidence.end(&DrillError::ProcessDied(host.to_owned()).into());
        }
        self.record(operation, (&drill, &evidence)).await;
        self.base.clear(&drill.id).await;
        let ended = self.base.ended(drill, &evidence);
        self.base.store.end_drill(&ended, operation).await?;
        Ok(())
    }

    /// In the name of who asked for it.
    async fn record(&self, operation: &OperationRow, (drill, evidence): (&DrillRow, &Evidence)) {
        let Ended { mut metadata, outcome, .. } = closing(evidence);
        metadata.extend(describe(drill));
        let event = ServiceEvent {
            event: KIND.ended.to_owned(),
            target: operation.target.clone(),
            metadata,
            trace_id: operation.trace_id.clone(),
            outcome: outcome.into(),
            operation_id: operation.id.clone(),
        };
        let delegation = Delegation::new(operation.delegation.clone().into());
        if let Err(error) = self.base.vault.record_patiently(&delegation, event).await {
            let id = operation.id.as_str();
            tracing::warn!(id, %error, "the end of a dead process's drill cannot be in the audit log");
        }
    }
}
